//! The parent devices of macvlan and ipvlan networks: found, or made where Docker makes them.

use crate::Error;
use crate::bridge::alias;
use crate::options::SharingOptions;
use crate::record::Record;
use netlink::{Socket, link};

/// Returns the number of a network's parent device.
///
/// Without a name it is a dummy device, so that the containers reach each other only; `eth0.10` that does not exist is
/// VLAN 10 of `eth0`. Both are deleted with the network.
pub(crate) fn ensure(
    record: &Record,
    options: &SharingOptions,
    mark: &str,
    socket: &Socket,
) -> Result<u32, Error> {
    let refused = |source| Error::Netlink { what: "make the parent device of the network", source };
    let name = name(record, options);
    if let Some(found) = link::find(socket, &name).map_err(refused)? {
        return Ok(found.index);
    }
    let message = match options.parent {
        None => link::create_dummy(&name),
        Some(_) => {
            let (parent, vlan) = split(&name).ok_or_else(|| Error::NoParent(name.clone()))?;
            let parent = link::find(socket, parent).map_err(refused)?;
            let parent = parent.ok_or_else(|| Error::NoParent(name.clone()))?;
            link::create_vlan(&name, parent.index, vlan)
        }
    };
    socket.batch(&[message]).map_err(refused)?;
    let made = link::find(socket, &name).map_err(refused)?.ok_or_else(|| Error::NoParent(name.clone()))?;
    socket.batch(&[link::set_alias(made.index, &alias(mark, &record.id))]).map_err(refused)?;
    Ok(made.index)
}

/// Returns the name of a network's parent device.
pub(crate) fn name(record: &Record, options: &SharingOptions) -> String {
    options.parent.clone().unwrap_or_else(|| format!("dm-{}", record.id.short()))
}

/// Splits `eth0.10`.
fn split(name: &str) -> Option<(&str, u16)> {
    let (parent, vlan) = name.rsplit_once('.')?;
    let vlan = vlan.parse().ok().filter(|vlan| (1..=4094).contains(vlan))?;
    (!parent.is_empty()).then_some((parent, vlan))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vlan_is_behind_the_last_dot() {
        assert_eq!(split("eth0.10"), Some(("eth0", 10)));
        for bad in ["eth0", "eth0.0", "eth0.4095", ".10", "eth0.x"] {
            assert_eq!(split(bad), None, "{bad}");
        }
    }
}
