//! Connecting a namespace to the bridge.

use crate::bridge::Bridge;
use crate::sandbox::Sandbox;
use crate::{Error, ipam};
use netlink::address::Address;
use netlink::link::Veth;
use netlink::{Socket, address, link, route};
use refs::{ContainerId, EndpointId, NetworkId};
use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;

/// The name of the device inside.
pub(crate) const INSIDE: &str = "eth0";
/// What the names of the devices outside begin with.
pub(crate) const OUTSIDE_PREFIX: &str = "veth";

/// Connects a fresh namespace: one message outside, about 0.5 ms, and two trips inside, about 0.1 ms.
pub(crate) fn connect(
    host: &Socket,
    bridge: &Bridge,
    sandbox: &Sandbox,
    outside: &str,
    own: Ipv4Addr,
    mtu: u32,
) -> Result<(), Error> {
    let veth = Veth {
        name: outside,
        bridge: bridge.index,
        mtu,
        peer_namespace: sandbox.namespace.as_fd(),
        peer_name: INSIDE,
        peer_mac: ipam::mac(own),
    };
    host.batch(&[link::create_veth(&veth)])
        .map_err(|source| Error::Netlink { what: "connect the container to the bridge", source })?;
    // On failure the caller drops the namespace, and the pair with it.
    configure(sandbox, bridge, own)
        .map_err(|source| Error::Netlink { what: "set up the container's network", source })
}

fn configure(sandbox: &Sandbox, bridge: &Bridge, own: Ipv4Addr) -> Result<(), netlink::Error> {
    let socket = &sandbox.socket;
    // Its number is not always 2: some kernels put tunnel devices (sit0, tunl0) into every namespace.
    let missing = || netlink::Error::NoAnswer("show the container's device".into());
    let index = link::find(socket, INSIDE)?.ok_or_else(missing)?.index;
    let address = Address { index, address: own, prefix_len: bridge.subnet.prefix_len };
    socket.batch(&[address::add(&address), link::set_up(index), route::add_default(bridge.gateway, index)])
}

/// Returns a device name from random bytes.
pub(crate) fn outside_name(random: [u8; 4]) -> String {
    let digits = random.map(|byte| format!("{byte:02x}")).concat();
    format!("{OUTSIDE_PREFIX}{}", &digits[..7])
}

/// Returns the id of a container's endpoint in a network: always the same, so that it need not be stored.
pub(crate) fn id(container: &ContainerId, network: &NetworkId) -> EndpointId {
    let (a, b) = (bytes(container.as_str()), bytes(network.as_str()));
    let mut mixed = [0; 32];
    for (mixed, (a, b)) in mixed.iter_mut().zip(a.into_iter().zip(b)) {
        *mixed = a ^ b;
    }
    EndpointId::generate(mixed)
}

/// Returns the bytes of 64 hexadecimal digits.
fn bytes(hex: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
        let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0) as u8; // Ids are hexadecimal.
        *byte = digits.iter().fold(0, |byte, digit| byte << 4 | value(*digit));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_name_fits_a_device() {
        assert_eq!(outside_name([0xab, 0xcd, 0xef, 0x12]), "vethabcdef1");
    }

    #[test]
    fn id_is_stable_and_differs_per_container() {
        let container = |byte| ContainerId::generate([byte; 32]);
        let network = NetworkId::generate([0xa5; 32]);
        let one = id(&container(0xc1), &network);
        assert_eq!(one, id(&container(0xc1), &network));
        assert_eq!(one.as_str(), "64".repeat(32).as_str().replacen("64", "e4", 1));
        assert_ne!(one, id(&container(0xc2), &network));
    }
}
