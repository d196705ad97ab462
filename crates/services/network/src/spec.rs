//! What is asked for: networks, and places in them.

use crate::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.map(|byte| format!("{byte:02x}")).join(":"))
    }
}

impl FromStr for Mac {
    type Err = Error;

    /// Reads `02:42:ac:11:00:02`, with colons or dashes.
    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            let parts: Vec<&str> = text.split([':', '-']).collect();
            let octets: Option<Vec<u8>> = parts
                .iter()
                .map(|part| match part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    true => u8::from_str_radix(part, 16).ok(),
                    false => None,
                })
                .collect();
            Some(Self(octets?.try_into().ok()?))
        };
        parse().ok_or_else(|| Error::Mac(text.to_owned()))
    }
}

impl TryFrom<String> for Mac {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

/// A container's place in a network, as it was asked for. It lies in the container's record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointSpec {
    /// The address; none for the next free one.
    pub ipv4: Option<Ipv4Addr>,
    /// The address; none for the next free one.
    pub ipv6: Option<Ipv6Addr>,
    /// Further addresses that are valid on the link only.
    pub link_local: Vec<IpAddr>,
    /// Whether the client sent a member for addresses, be it an empty one: inspect shows it again.
    pub names_addresses: bool,
    /// The hardware address; none for one made of the address.
    pub mac: Option<Mac>,
    /// Further names in the network.
    pub aliases: Vec<String>,
    /// `container:name`: a name for another container that this one alone knows.
    pub links: Vec<String>,
    /// Options of the driver.
    pub driver_options: BTreeMap<String, String>,
    /// The endpoint with the highest one has the default route.
    pub gateway_priority: i64,
}

/// What a driver's options say about one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EndpointOptions {
    /// The device's name inside.
    pub(crate) interface: Option<String>,
    /// Kernel parameters: path below /proc/sys with `IFNAME` for the device, and value.
    pub(crate) sysctls: Vec<(String, String)>,
}

impl EndpointSpec {
    /// Reads the driver's options.
    ///
    /// # Errors
    /// InvalidArgument.
    ///
    /// # Source
    /// moby `daemon/libnetwork/netlabel/labels.go`, `endpoint.sysctls`, `endpoint.ifname`.
    pub(crate) fn options(&self) -> Result<EndpointOptions, Error> {
        let mut options = EndpointOptions::default();
        for (name, value) in &self.driver_options {
            match name.as_str() {
                "com.docker.network.endpoint.ifname" => {
                    crate::options::check_name(value)?;
                    options.interface = Some(value.clone());
                }
                "com.docker.network.endpoint.sysctls" => {
                    for setting in value.split(',').filter(|setting| !setting.is_empty()) {
                        options.sysctls.push(sysctl(setting)?);
                    }
                }
                _ => {}
            }
        }
        Ok(options)
    }

    /// Checks what can be checked without the network.
    ///
    /// # Errors
    /// InvalidArgument.
    pub fn check(&self) -> Result<(), Error> {
        self.options().map(drop)
    }
}

/// Reads `net.ipv4.conf.IFNAME.forwarding=1`.
fn sysctl(setting: &str) -> Result<(String, String), Error> {
    let invalid = || Error::EndpointSysctl(setting.to_owned());
    let (key, value) = setting.split_once('=').ok_or_else(invalid)?;
    let parts: Vec<&str> = key.split('.').collect();
    match parts[..] {
        ["net", family @ ("ipv4" | "ipv6" | "mpls"), kind @ ("conf" | "neigh"), "IFNAME", name]
            if !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                && !value.is_empty()
                && value.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            Ok((format!("net/{family}/{kind}/IFNAME/{name}"), value.to_owned()))
        }
        _ => Err(invalid()),
    }
}

/// A request to make a network: texts as the client sent them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateNetwork {
    /// The name.
    pub name: String,
    /// `bridge`, `macvlan`, …; empty for `bridge`.
    pub driver: String,
    /// `local`, or empty.
    pub scope: String,
    /// No way out.
    pub internal: bool,
    /// For swarm; shown.
    pub attachable: bool,
    /// For swarm.
    pub ingress: bool,
    /// IPv4; none for yes.
    pub ipv4: Option<bool>,
    /// IPv6; none for the engine's default.
    pub ipv6: Option<bool>,
    /// The driver of addresses; empty for `default`.
    pub ipam_driver: String,
    /// Its options.
    pub ipam_options: Option<BTreeMap<String, String>>,
    /// The subnets.
    pub pools: Vec<PoolRequest>,
    /// The driver's options.
    pub options: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// It is a pattern for others only.
    pub config_only: bool,
    /// The pattern that it is made from; empty for none.
    pub config_from: String,
}

/// A subnet of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolRequest {
    /// `10.0.0.0/24`.
    pub subnet: String,
    /// The part that addresses are given from.
    pub range: String,
    /// The gateway.
    pub gateway: String,
    /// Addresses that others than containers have.
    pub auxiliary: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_is_six_octets() {
        let mac: Mac = "02:42:AC:11-00:02".parse().expect("valid");
        assert_eq!(mac.to_string(), "02:42:ac:11:00:02");
        for text in
            ["", "zz", "02:42:ac:11:00", "02:42:ac:11:00:02:03", "2:42:ac:11:00:02", "+2:42:ac:11:00:02"]
        {
            let error = text.parse::<Mac>().expect_err("invalid");
            assert_eq!(error.to_string(), format!("invalid MAC address {text}"));
        }
    }

    #[test]
    fn endpoint_sysctls_are_of_the_device_only() {
        let options = |value: &str| {
            let driver_options =
                BTreeMap::from([("com.docker.network.endpoint.sysctls".to_owned(), value.to_owned())]);
            EndpointSpec { driver_options, ..EndpointSpec::default() }.options()
        };
        assert_eq!(
            options("net.ipv4.conf.IFNAME.forwarding=1,net.ipv6.neigh.IFNAME.mcast_solicit=5")
                .expect("valid")
                .sysctls,
            [
                ("net/ipv4/conf/IFNAME/forwarding".to_owned(), "1".to_owned()),
                ("net/ipv6/neigh/IFNAME/mcast_solicit".to_owned(), "5".to_owned())
            ]
        );
        for bad in [
            "net.ipv4.ip_forward=1",
            "net.ipv4.conf.eth0.x=1",
            "net.ipv4.conf.IFNAME...=1",
            "kernel.x=1",
            "x",
        ] {
            assert!(options(bad).is_err(), "{bad}");
        }
    }
}
