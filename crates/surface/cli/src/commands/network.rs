//! `naru network`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use wire::network::{
    ConfigFrom, EndpointIpamConfig, EndpointSettings, Ipam, IpamConfig, Network, NetworkConnect,
    NetworkCreate, NetworkDisconnect,
};

use super::prune::confirm;
use super::ps::{filters, filters_json};
use crate::command::{Arity, Command, Entry, Menu, Run};
use crate::context::{Context, line, print};
use crate::failure::Failure;
use crate::flags::{Flag, Matches, int};
use crate::format::inspect::Inspector;
use crate::format::{Columns, INSPECT_HELP, LIST_HELP, List, short_id};
use crate::run::check;

/// `naru network`.
pub(crate) const MENU: Menu = Menu {
    about: "Manage networks",
    entries: &[
        Entry::command("connect", &CONNECT),
        Entry::command("create", &CREATE),
        Entry::command("disconnect", &DISCONNECT),
        Entry::command("inspect", &INSPECT),
        Entry::command("ls", &LS).hidden(&["list"]),
        Entry::command("prune", &PRUNE),
        Entry::command("rm", &RM).hidden(&["remove"]),
    ],
};

const CREATE: Command = Command {
    flags: &[
        Flag::switch("attachable", "Enable manual container attachment"),
        Flag::many("aux-address", "map", "Auxiliary IPv4 or IPv6 addresses used by Network driver")
            .default("map[]"),
        Flag::one("config-from", "string", "The network from which to copy the configuration"),
        Flag::switch("config-only", "Create a configuration only network"),
        Flag::one("driver", "string", "Driver to manage the Network").short('d').default("bridge"),
        Flag::many("gateway", "strings", "IPv4 or IPv6 Gateway for the master subnet"),
        Flag::switch("ingress", "Create swarm routing-mesh network"),
        Flag::switch("internal", "Restrict external access to the network"),
        Flag::many("ip-range", "strings", "Allocate container ip from a sub-range"),
        Flag::one("ipam-driver", "string", "IP Address Management Driver").default("default"),
        Flag::many("ipam-opt", "map", "Set IPAM driver specific options").default("map[]"),
        Flag::switch("ipv4", "Enable or disable IPv4 address assignment").default("true"),
        Flag::switch("ipv6", "Enable or disable IPv6 address assignment"),
        Flag::many("label", "list", "Set metadata on a network"),
        Flag::many("opt", "map", "Set driver specific options").short('o').default("map[]"),
        Flag::one("scope", "string", "Control the network's scope"),
        Flag::many("subnet", "strings", "Subnet in CIDR format that represents a network segment"),
    ],
    ..Command::new("[OPTIONS] NETWORK", "Create a network", Arity::Exactly(1), create)
};

const CONNECT: Command = Command {
    flags: &[
        Flag::many("alias", "strings", "Add network-scoped alias for the container"),
        Flag::many("driver-opt", "strings", "driver options for the network"),
        Flag::one(
            "gw-priority",
            "int",
            "Highest gw-priority provides the default gateway. Accepts positive and negative values.",
        )
        .check(int),
        Flag::one("ip", "string", "IPv4 address (e.g., \"172.30.100.104\")"),
        Flag::one("ip6", "string", "IPv6 address (e.g., \"2001:db8::33\")"),
        Flag::many("link", "list", "Add link to another container"),
        Flag::many("link-local-ip", "strings", "Add a link-local address for the container"),
    ],
    ..Command::new(
        "[OPTIONS] NETWORK CONTAINER",
        "Connect a container to a network",
        Arity::Exactly(2),
        connect,
    )
};

const DISCONNECT: Command = Command {
    flags: &[Flag::switch("force", "Force the container to disconnect from a network").short('f')],
    ..Command::new(
        "[OPTIONS] NETWORK CONTAINER",
        "Disconnect a container from a network",
        Arity::Exactly(2),
        disconnect,
    )
};

const INSPECT: Command = Command {
    flags: &[Flag::one("format", "string", INSPECT_HELP).short('f')],
    ..Command::new(
        "[OPTIONS] NETWORK [NETWORK...]",
        "Display detailed information on one or more networks",
        Arity::AtLeast(1),
        inspect,
    )
};

const LS: Command = Command {
    flags: &[
        Flag::many("filter", "filter", "Provide filter values (e.g. \"driver=bridge\")")
            .short('f')
            .check(check::filter),
        Flag::one("format", "string", LIST_HELP),
        Flag::switch("no-trunc", "Do not truncate the output"),
        Flag::switch("quiet", "Only display network IDs").short('q'),
    ],
    ..Command::new("[OPTIONS]", "List networks", Arity::None, list)
};

const PRUNE: Command = Command {
    flags: &[
        Flag::many("filter", "filter", "Provide filter values (e.g. \"until=<timestamp>\")")
            .check(check::filter),
        Flag::switch("force", "Do not prompt for confirmation").short('f'),
    ],
    ..Command::new("[OPTIONS]", "Remove all unused networks", Arity::None, prune)
};

const RM: Command = Command {
    flags: &[Flag::switch("force", "Do not error if the network does not exist").short('f')],
    ..Command::new("NETWORK [NETWORK...]", "Remove one or more networks", Arity::AtLeast(1), remove)
};

const TABLE: &str = "table {{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}";

const COLUMNS: Columns = Columns {
    type_name: "*formatter.networkContext",
    headers: &[
        ("ID", "NETWORK ID"),
        ("Name", "NAME"),
        ("Driver", "DRIVER"),
        ("Scope", "SCOPE"),
        ("IPv4", "IPV4"),
        ("IPv6", "IPV6"),
        ("Internal", "INTERNAL"),
        ("Labels", "LABELS"),
        ("CreatedAt", "CREATED AT"),
    ],
    nulls: &[],
};

fn create<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(async move {
        let body = request(flags).map_err(Failure::new)?;
        let created = context.engine().await?.create_network(&body).await?;
        line(&created.id)
    })
}

/// Returns the request that the flags stand for.
fn request(flags: &Matches) -> Result<NetworkCreate, String> {
    let config = pools(flags)?;
    let map = |name: &str| pairs(&flags.all(name));
    Ok(NetworkCreate {
        name: flags.first().to_owned(),
        driver: flags.text("driver").to_owned(),
        scope: flags.text("scope").to_owned(),
        enable_ipv4: flags.given("ipv4").then(|| flags.on("ipv4")),
        enable_ipv6: flags.given("ipv6").then(|| flags.on("ipv6")),
        ipam: Some(Ipam {
            driver: flags.text("ipam-driver").to_owned(),
            options: Some(map("ipam-opt")),
            config: Some(config),
        }),
        internal: flags.on("internal"),
        attachable: flags.on("attachable"),
        ingress: flags.on("ingress"),
        config_only: flags.on("config-only"),
        config_from: flags
            .given("config-from")
            .then(|| ConfigFrom { network: flags.text("config-from").to_owned() }),
        options: Some(map("opt")),
        labels: Some(map("label")),
    })
}

fn pairs(texts: &[&str]) -> BTreeMap<String, String> {
    let split = |text: &&str| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.to_owned(), value.to_owned())
    };
    texts.iter().map(split).collect()
}

/// Gives ranges, gateways and auxiliary addresses to the subnets that they are in.
///
/// # Source
/// docker/cli `cli/command/network/create.go`, `createIPAMConfig`.
fn pools(flags: &Matches) -> Result<Vec<IpamConfig>, String> {
    let list = |name: &str| -> Vec<String> {
        flags.all(name).iter().flat_map(|text| text.split(',')).map(str::to_owned).collect()
    };
    let mut pools: Vec<IpamConfig> =
        list("subnet").into_iter().map(|subnet| IpamConfig { subnet, ..IpamConfig::default() }).collect();
    for range in list("ip-range") {
        let address = range.split('/').next().unwrap_or_default();
        let pool =
            pool_of(&mut pools, address).ok_or_else(|| format!("no matching subnet for range {range}"))?;
        pool.ip_range = range;
    }
    for gateway in list("gateway") {
        let pool = pool_of(&mut pools, &gateway)
            .ok_or_else(|| format!("no matching subnet for gateway {gateway}"))?;
        pool.gateway = gateway;
    }
    for (name, address) in pairs(&flags.all("aux-address")) {
        let pool = pool_of(&mut pools, &address)
            .ok_or_else(|| format!("no matching subnet for aux-address {address}"))?;
        pool.auxiliary_addresses.insert(name, address);
    }
    Ok(pools)
}

fn pool_of<'a>(pools: &'a mut [IpamConfig], address: &str) -> Option<&'a mut IpamConfig> {
    let address: IpAddr = address.parse().ok()?;
    pools.iter_mut().find(|pool| contains(&pool.subnet, address))
}

fn contains(subnet: &str, address: IpAddr) -> bool {
    let Some((network, length)) = subnet.split_once('/') else { return false };
    let (Ok(network), Ok(length)) = (network.parse::<IpAddr>(), length.parse::<u32>()) else { return false };
    let same = |a: u128, b: u128, bits: u32| {
        length <= bits && (a ^ b).checked_shr(bits - length).is_none_or(|rest| rest == 0)
    };
    match (network, address) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same(u32::from(a).into(), u32::from(b).into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => same(a.into(), b.into(), 128),
        _ => false,
    }
}

fn connect<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(async move {
        let list = |name: &str| {
            let all: Vec<String> = flags.all(name).into_iter().map(str::to_owned).collect();
            (!all.is_empty()).then_some(all)
        };
        let driver_opts = pairs(&flags.all("driver-opt"));
        let endpoint = EndpointSettings {
            ipam_config: Some(EndpointIpamConfig {
                ipv4_address: flags.text("ip").to_owned(),
                ipv6_address: flags.text("ip6").to_owned(),
                link_local_ips: list("link-local-ip"),
            }),
            links: list("link"),
            aliases: list("alias"),
            driver_opts: (!driver_opts.is_empty()).then_some(driver_opts),
            gw_priority: flags.int("gw-priority").unwrap_or(0),
            ..EndpointSettings::default()
        };
        let body = NetworkConnect { container: flags.args[1].clone(), endpoint_config: Some(endpoint) };
        Ok(context.engine().await?.connect_network(flags.first(), &body).await?)
    })
}

fn disconnect<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(async move {
        let body = NetworkDisconnect { container: flags.args[1].clone(), force: flags.on("force") };
        Ok(context.engine().await?.disconnect_network(flags.first(), &body).await?)
    })
}

fn inspect<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(async move {
        let mut inspector = Inspector::parse(flags.text("format"))?;
        let client = context.engine().await?;
        let mut failures = Vec::new();
        for name in &flags.args {
            match client.network_raw(name).await {
                Ok(found) => failures.extend(inspector.add(&String::from_utf8_lossy(&found)).err()),
                Err(error) => failures.push(Failure::from(error)),
            }
        }
        print(&inspector.finish())?;
        Failure::all(failures)
    })
}

fn list<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(async move {
        let template = match flags.text("format") {
            "" | "table" if flags.on("quiet") => "{{.ID}}",
            "" | "table" => TABLE,
            given => given,
        };
        let list = List::parse(template, &COLUMNS)?;
        let filters = filters(flags)?;
        let mut networks = context.engine().await?.networks(&filters_json(&filters)).await?;
        networks.sort_by(|a, b| a.name.cmp(&b.name));
        let no_label: &dyn Fn(&str) -> String = &|_| String::new();
        let rows = networks.iter().map(|network| (row(network, flags.on("no-trunc")), no_label));
        print(&list.render(rows)?)
    })
}

fn row(network: &Network, is_full: bool) -> [(&'static str, String); 9] {
    let id = if is_full { network.id.as_str() } else { short_id(&network.id) };
    let labels: Vec<String> = network.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    [
        ("CreatedAt", network.created.clone()),
        ("Driver", network.driver.clone()),
        ("ID", id.to_owned()),
        ("IPv4", network.enable_ipv4.to_string()),
        ("IPv6", network.enable_ipv6.to_string()),
        ("Internal", network.internal.to_string()),
        ("Labels", labels.join(",")),
        ("Name", network.name.clone()),
        ("Scope", network.scope.clone()),
    ]
}

fn prune<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(async move {
        let filters = filters(flags)?;
        let warning = "WARNING! This will remove all custom networks not used by at least one container.\nAre you sure you want to continue? [y/N] ";
        if !flags.on("force") && !confirm(warning)? {
            return Ok(());
        }
        let client = context.engine().await?;
        let pruned = client.prune(client::Prune::Networks, &filters_json(&filters)).await?;
        match pruned.networks_deleted.unwrap_or_default() {
            gone if gone.is_empty() => Ok(()),
            gone => print(&format!("Deleted Networks:\n{}\n\n", gone.join("\n"))),
        }
    })
}

fn remove<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(async move {
        let client = context.engine().await?;
        let mut failures = Vec::new();
        for name in &flags.args {
            match client.remove_network(name).await {
                Ok(()) => line(name)?,
                Err(error) => {
                    let failure = Failure::from(error);
                    if !(flags.on("force") && failure.not_found) {
                        failures.push(failure);
                    }
                }
            }
        }
        Failure::all(failures)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::parse;

    #[test]
    fn create_gives_each_subnet_what_is_in_it() {
        let words = [
            "--subnet",
            "10.0.0.0/24,fd00::/64",
            "--gateway",
            "fd00::9",
            "--ip-range",
            "10.0.0.128/25",
            "--aux-address",
            "nas=10.0.0.7",
            "--ipv6",
            "app",
        ]
        .map(str::to_owned);
        let flags = parse(CREATE.flags, CREATE.missing, CREATE.order, &words).expect("valid");
        let body = request(&flags).expect("valid");
        let config = body.ipam.and_then(|ipam| ipam.config).expect("has subnets");
        assert_eq!((config[0].ip_range.as_str(), config[1].gateway.as_str()), ("10.0.0.128/25", "fd00::9"));
        assert_eq!(config[0].auxiliary_addresses["nas"], "10.0.0.7");
        assert_eq!((body.enable_ipv4, body.enable_ipv6), (None, Some(true)));
        let words = ["--subnet", "10.0.0.0/24", "--gateway", "10.1.0.1", "app"].map(str::to_owned);
        let flags = parse(CREATE.flags, CREATE.missing, CREATE.order, &words).expect("valid");
        assert_eq!(request(&flags), Err("no matching subnet for gateway 10.1.0.1".to_owned()));
    }
}
