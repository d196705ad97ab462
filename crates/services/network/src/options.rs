//! The options of drivers, under Docker's names. Pure.
//!
//! Names that no driver knows are kept and shown, and mean nothing, as with Docker: other programs note things there.

use crate::Error;
use netlink::link::SharingMode;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The options of a bridge network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BridgeOptions {
    /// The device's name; none for one made of the network's id.
    pub(crate) name: Option<String>,
    /// Containers on it reach each other.
    pub(crate) inter_container: bool,
    /// Containers reach the outside with the host's address.
    pub(crate) masquerade: bool,
    /// The greatest packet; none for the engine's.
    pub(crate) mtu: Option<u32>,
    /// The bridge has no IPv4 address of its own, and containers no route to the outside.
    pub(crate) inhibit_ipv4: bool,
    /// What the names of devices inside begin with.
    pub(crate) interface_prefix: Option<String>,
    /// The source address of what leaves, in the place of the link's.
    pub(crate) source_ipv4: Option<IpAddr>,
    pub(crate) source_ipv6: Option<IpAddr>,
    /// Everybody may come in to all ports.
    pub(crate) unprotected_ipv4: bool,
    pub(crate) unprotected_ipv6: bool,
}

/// `com.docker.network.bridge.name`.
pub(crate) const BRIDGE_NAME: &str = "com.docker.network.bridge.name";
const ICC: &str = "com.docker.network.bridge.enable_icc";
const MASQUERADE: &str = "com.docker.network.bridge.enable_ip_masquerade";
const HOST_BINDING: &str = "com.docker.network.bridge.host_binding_ipv4";
const INHIBIT: &str = "com.docker.network.bridge.inhibit_ipv4";
const TRUSTED: &str = "com.docker.network.bridge.trusted_host_interfaces";
const DEFAULT_BRIDGE: &str = "com.docker.network.bridge.default_bridge";
/// `com.docker.network.driver.mtu`.
pub(crate) const MTU: &str = "com.docker.network.driver.mtu";
const PREFIX: &str = "com.docker.network.container_iface_prefix";

/// Reads the options of a bridge network.
///
/// # Source
/// moby `daemon/libnetwork/drivers/bridge/bridge_linux.go`, `networkConfiguration.fromLabels`.
pub(crate) fn bridge(options: &BTreeMap<String, String>) -> Result<BridgeOptions, Error> {
    let mode =
        |family: u8| gateway_mode(options, &format!("com.docker.network.bridge.gateway_mode_ipv{family}"));
    for name in [TRUSTED, DEFAULT_BRIDGE] {
        if options.contains_key(name) {
            return Err(Error::UnsupportedOption(name.into()));
        }
    }
    if let Some(text) = options.get(HOST_BINDING) {
        text.parse::<IpAddr>().map_err(|_| option(HOST_BINDING, text, "ParseAddr", "unable to parse IP"))?;
    }
    let name = options.get(BRIDGE_NAME).filter(|name| !name.is_empty()).cloned();
    if let Some(name) = &name {
        check_name(name)?;
    }
    let prefix = options.get(PREFIX).filter(|prefix| !prefix.is_empty()).cloned();
    if let Some(prefix) = &prefix {
        check_name(&format!("{prefix}00"))?;
    }
    Ok(BridgeOptions {
        name,
        inter_container: switch(options, ICC)?.unwrap_or(true),
        masquerade: switch(options, MASQUERADE)?.unwrap_or(true),
        mtu: mtu(options)?,
        inhibit_ipv4: switch(options, INHIBIT)?.unwrap_or(false),
        interface_prefix: prefix,
        source_ipv4: address(options, "com.docker.network.host_ipv4")?,
        source_ipv6: address(options, "com.docker.network.host_ipv6")?,
        unprotected_ipv4: mode(4)?,
        unprotected_ipv6: mode(6)?,
    })
}

/// Returns whether everybody may come in.
fn gateway_mode(options: &BTreeMap<String, String>, name: &str) -> Result<bool, Error> {
    match options.get(name).map(String::as_str) {
        None | Some("" | "nat") => Ok(false),
        Some("nat-unprotected") => Ok(true),
        Some(mode @ ("routed" | "isolated")) => Err(Error::UnsupportedOption(format!("{name}={mode}"))),
        Some(other) => Err(Error::InvalidOption(format!(
            "failed to parse {name} value: {other} (unknown gateway mode {other})"
        ))),
    }
}

/// The options of a macvlan or ipvlan network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SharingOptions {
    /// The parent device.
    pub(crate) parent: Option<String>,
    pub(crate) mode: SharingMode,
    pub(crate) mtu: Option<u32>,
}

/// Reads the options of a macvlan network.
///
/// # Source
/// moby `daemon/libnetwork/drivers/macvlan/macvlan_network.go`.
pub(crate) fn macvlan(options: &BTreeMap<String, String>) -> Result<SharingOptions, Error> {
    let mode = match options.get("macvlan_mode").map_or("", String::as_str) {
        "" | "bridge" => 4,
        "private" => 1,
        "vepa" => 2,
        "passthru" => 8,
        other => {
            return Err(Error::InvalidOption(format!(
                "requested macvlan mode '{other}' is not valid, 'bridge' mode is the macvlan driver default"
            )));
        }
    };
    Ok(SharingOptions { parent: parent(options)?, mode: SharingMode::Macvlan(mode), mtu: mtu(options)? })
}

/// Reads the options of an ipvlan network.
///
/// # Source
/// moby `daemon/libnetwork/drivers/ipvlan/ipvlan_network.go`.
pub(crate) fn ipvlan(options: &BTreeMap<String, String>) -> Result<SharingOptions, Error> {
    let mode = match options.get("ipvlan_mode").map_or("", String::as_str) {
        "" | "l2" => 0,
        "l3" => 1,
        "l3s" => 2,
        other => {
            return Err(Error::InvalidOption(format!(
                "requested ipvlan mode '{other}' is not valid, 'l2' mode is the ipvlan driver default"
            )));
        }
    };
    let flag = match options.get("ipvlan_flag").map_or("", String::as_str) {
        "" | "bridge" => 0,
        "private" => 1,
        "vepa" => 2,
        other => {
            return Err(Error::InvalidOption(format!(
                "requested ipvlan flag '{other}' is not valid, 'bridge' is the ipvlan driver default"
            )));
        }
    };
    Ok(SharingOptions { parent: parent(options)?, mode: SharingMode::Ipvlan(mode, flag), mtu: mtu(options)? })
}

fn parent(options: &BTreeMap<String, String>) -> Result<Option<String>, Error> {
    let parent = options.get("parent").filter(|parent| !parent.is_empty()).cloned();
    if let Some(parent) = &parent {
        check_name(parent)?;
    }
    Ok(parent)
}

fn mtu(options: &BTreeMap<String, String>) -> Result<Option<u32>, Error> {
    let Some(text) = options.get(MTU) else { return Ok(None) };
    match text.parse::<i64>() {
        Ok(0) => Ok(None),
        Ok(mtu) => match u32::try_from(mtu).ok().filter(|mtu| (68..=65535).contains(mtu)) {
            Some(mtu) => Ok(Some(mtu)),
            None => Err(Error::InvalidOption(format!("invalid MTU number: {mtu}"))),
        },
        Err(_) => Err(option(MTU, text, "Atoi", "invalid syntax")),
    }
}

fn switch(options: &BTreeMap<String, String>, name: &str) -> Result<Option<bool>, Error> {
    let Some(text) = options.get(name) else { return Ok(None) };
    match text.as_str() {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Some(true)),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Some(false)),
        _ => Err(option(name, text, "ParseBool", "invalid syntax")),
    }
}

fn address(options: &BTreeMap<String, String>, name: &str) -> Result<Option<IpAddr>, Error> {
    let Some(text) = options.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let address: IpAddr = text.parse().map_err(|_| option(name, text, "ParseAddr", "unable to parse IP"))?;
    match address.is_ipv4() == name.ends_with('4') {
        true => Ok(Some(address)),
        false => Err(option(name, text, "ParseAddr", "address of the other family")),
    }
}

fn option(name: &str, value: &str, function: &str, why: &str) -> Error {
    let why = match function {
        "ParseAddr" => format!("{why}: {value}"),
        _ => format!("strconv.{function}: parsing {value:?}: {why}"),
    };
    Error::InvalidOption(format!("failed to parse {name} value: {value} ({why})"))
}

/// Checks the name of a device.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let valid = (1..=15).contains(&name.len())
        && !matches!(name, "." | "..")
        && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/' && byte != b':');
    if valid { Ok(()) } else { Err(Error::BridgeName(name.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(given: &[(&str, &str)]) -> BTreeMap<String, String> {
        given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn bridge_without_options_is_open_inside_and_masqueraded() {
        let read = bridge(&options(&[("com.example", "x")])).expect("valid");
        assert!(read.inter_container && read.masquerade && !read.inhibit_ipv4 && !read.unprotected_ipv4);
        assert_eq!((read.name, read.mtu, read.interface_prefix), (None, None, None));
    }

    #[test]
    fn bad_options_have_dockers_texts() {
        let cases = [
            (
                (ICC, "maybe"),
                "failed to parse com.docker.network.bridge.enable_icc value: maybe (strconv.ParseBool: parsing \"maybe\": invalid syntax)",
            ),
            (
                (MTU, "x"),
                "failed to parse com.docker.network.driver.mtu value: x (strconv.Atoi: parsing \"x\": invalid syntax)",
            ),
            ((MTU, "-5"), "invalid MTU number: -5"),
            (
                ("com.docker.network.bridge.gateway_mode_ipv4", "routed"),
                "the network option com.docker.network.bridge.gateway_mode_ipv4=routed is not supported by this version of naru",
            ),
        ];
        for (given, text) in cases {
            assert_eq!(bridge(&options(&[given])).expect_err("bad").to_string(), text);
        }
        assert_eq!(
            macvlan(&options(&[("macvlan_mode", "x")])).expect_err("bad").to_string(),
            "requested macvlan mode 'x' is not valid, 'bridge' mode is the macvlan driver default"
        );
    }

    #[test]
    fn sharing_modes_are_the_kernels_numbers() {
        let mode = |name: &str| macvlan(&options(&[("macvlan_mode", name)])).expect("valid").mode;
        assert_eq!(
            ["private", "vepa", "bridge", "passthru"].map(mode),
            [1, 2, 4, 8].map(SharingMode::Macvlan)
        );
        let read = ipvlan(&options(&[("ipvlan_mode", "l3s"), ("ipvlan_flag", "vepa"), ("parent", "eth0")]));
        let read = read.expect("valid");
        assert_eq!((read.mode, read.parent.as_deref()), (SharingMode::Ipvlan(2, 2), Some("eth0")));
    }
}
