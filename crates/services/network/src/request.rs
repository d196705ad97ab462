//! From a request for a network to its record. Pure.

use crate::record::{Driver, PoolRecord, Record};
use crate::subnet::parse_cidr;
use crate::{CreateNetwork, Error, PoolRequest, Subnet, ipam, options, subnet};
use refs::{NetworkId, Timestamp};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What a network is chosen among.
pub(crate) struct Surroundings<'a> {
    /// The networks that there are.
    pub(crate) networks: &'a [Record],
    /// Where subnets of both families are taken from.
    pub(crate) pools: &'a [(Subnet, u8)],
    /// What the host reaches already.
    pub(crate) routes: &'a [Subnet],
}

/// Returns the record of a network that is asked for.
///
/// # Errors
/// InvalidArgument, Forbidden, AlreadyExists, NotFound, Exhausted.
pub(crate) fn record(
    mut request: CreateNetwork,
    id: NetworkId,
    created: Timestamp,
    around: &Surroundings<'_>,
) -> Result<Record, Error> {
    check_name(&request, around.networks)?;
    check_scope(&request)?;
    if !request.config_from.is_empty() {
        copy_pattern(&mut request, around.networks)?;
    }
    let driver = driver(&request)?;
    let ipv4 = request.ipv4.unwrap_or(true);
    let ipv6 = request.ipv6.unwrap_or(false);
    if !ipv4 && !ipv6 {
        return Err(Error::NoFamily);
    }
    match request.ipam_driver.as_str() {
        "" | "default" => {}
        other => return Err(Error::NoPlugin(other.to_owned())),
    }
    let mut pools = read_pools(&request.pools, ipv4, ipv6)?;
    if !request.config_only {
        check_options(driver, &request.options)?;
        check_overlap(&pools, around)?;
        complete(&mut pools, ipv4, ipv6, around)?;
    }
    Ok(Record {
        id,
        name: request.name,
        driver,
        created,
        pools,
        ipv4,
        ipv6,
        internal: request.internal,
        attachable: request.attachable,
        ipam_driver: "default".to_owned(),
        ipam_options: request.ipam_options,
        options: request.options,
        labels: request.labels,
        config_only: request.config_only,
        config_from: request.config_from,
    })
}

fn check_name(request: &CreateNetwork, networks: &[Record]) -> Result<(), Error> {
    let name = request.name.as_str();
    if name.trim().is_empty() {
        return Err(Error::EmptyName);
    }
    if matches!(name, "bridge" | "host" | "none" | "default") {
        return Err(Error::Predefined(name.to_owned()));
    }
    match networks.iter().any(|record| record.name == name) {
        true => Err(Error::Exists(name.to_owned())),
        false => Ok(()),
    }
}

fn check_scope(request: &CreateNetwork) -> Result<(), Error> {
    match request.scope.as_str() {
        _ if request.ingress => Err(Error::Ingress),
        "" | "local" => Ok(()),
        "swarm" => Err(Error::SwarmScope),
        other => Err(Error::InvalidOption(format!("invalid network scope {other}"))),
    }
}

/// Takes what a pattern has; only the driver, name and labels are a network's own.
fn copy_pattern(request: &mut CreateNetwork, networks: &[Record]) -> Result<(), Error> {
    let name = &request.config_from;
    let pattern = networks
        .iter()
        .find(|record| record.config_only && (record.name == *name || record.id.as_str() == name))
        .ok_or_else(|| Error::NoPattern(name.clone()))?;
    if request.config_only || !request.options.is_empty() || !request.pools.is_empty() {
        return Err(Error::PatternConflict);
    }
    request.options = pattern.options.clone();
    request.ipv4 = Some(pattern.ipv4);
    request.ipv6 = Some(pattern.ipv6);
    request.internal |= pattern.internal;
    request.ipam_options = pattern.ipam_options.clone();
    for (name, value) in &pattern.labels {
        request.labels.entry(name.clone()).or_insert_with(|| value.clone());
    }
    request.pools = pattern.pools.iter().map(request_of).collect();
    Ok(())
}

fn request_of(pool: &PoolRecord) -> PoolRequest {
    PoolRequest {
        subnet: pool.subnet().to_string(),
        range: pool.range().map(|range| range.to_string()).unwrap_or_default(),
        gateway: if pool.shows_gateway { pool.gateway.to_string() } else { String::new() },
        auxiliary: pool.auxiliary.iter().map(|(name, address)| (name.clone(), address.to_string())).collect(),
    }
}

fn driver(request: &CreateNetwork) -> Result<Driver, Error> {
    if request.config_only {
        return Ok(Driver::Null);
    }
    match request.driver.as_str() {
        "" | "default" | "bridge" => Ok(Driver::Bridge),
        "macvlan" => Ok(Driver::Macvlan),
        "ipvlan" => Ok(Driver::Ipvlan),
        only @ ("host" | "null") => Err(Error::OnlyOne(only.to_owned())),
        "overlay" => Err(Error::NotInSwarm),
        other => Err(Error::NoPlugin(other.to_owned())),
    }
}

/// Checks a driver's options.
fn check_options(driver: Driver, options: &BTreeMap<String, String>) -> Result<(), Error> {
    match driver {
        Driver::Bridge => options::bridge(options).map(drop),
        Driver::Macvlan => options::macvlan(options).map(drop),
        Driver::Ipvlan => options::ipvlan(options).map(drop),
        Driver::Host | Driver::Null => Ok(()),
    }
}

/// Reads the subnets. All that is wrong is said at once, as Docker does.
fn read_pools(requests: &[PoolRequest], ipv4: bool, ipv6: bool) -> Result<Vec<PoolRecord>, Error> {
    let mut faults = Vec::new();
    let mut pools = Vec::new();
    for request in requests {
        if request.subnet.is_empty() {
            let empty =
                request.range.is_empty() && request.gateway.is_empty() && request.auxiliary.is_empty();
            if !empty {
                faults.push("no subnet specified with an ip-range, gateway or auxiliary address".to_owned());
            }
            continue;
        }
        match read_pool(request) {
            Ok(pool) => {
                let wanted = if pool.address.is_ipv4() { ipv4 } else { ipv6 };
                if !wanted && !pool.address.is_ipv4() {
                    faults.push(format!(
                        "IPv6 subnet {} is given, but IPv6 is not enabled for the network (use --ipv6)",
                        pool.subnet()
                    ));
                } else if wanted {
                    pools.push(pool);
                }
            }
            Err(texts) => faults.extend(texts),
        }
    }
    match faults.is_empty() {
        true => Ok(pools),
        false => Err(Error::Config(faults)),
    }
}

fn read_pool(request: &PoolRequest) -> Result<PoolRecord, Vec<String>> {
    let text = &request.subnet;
    let Some((address, prefix_len)) = parse_cidr(text) else {
        return Err(vec![format!("invalid subnet {text}: invalid CIDR block notation")]);
    };
    let subnet = Subnet::containing(address, prefix_len);
    if subnet.address != address {
        return Err(vec![format!("invalid subnet {text}: it should be {subnet}")]);
    }
    let mut faults = Vec::new();
    let range = match read_range(&request.range, subnet) {
        Ok(range) => range,
        Err(fault) => {
            faults.push(fault);
            None
        }
    };
    let mut read = |what: &str, text: &str| match text.parse::<IpAddr>() {
        Ok(address) if subnet.contains(address) => Some(address),
        Ok(_) => {
            faults
                .push(format!("invalid {what} {text}: parent subnet {subnet} doesn't contain this address"));
            None
        }
        Err(_) => {
            faults.push(format!("invalid {what} {text}: invalid address"));
            None
        }
    };
    let gateway = if request.gateway.is_empty() { None } else { read("gateway", &request.gateway) };
    let auxiliary = request
        .auxiliary
        .iter()
        .filter_map(|(name, text)| Some((name.clone(), read("auxiliary address", text)?)))
        .collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(PoolRecord {
        address: subnet.address,
        prefix_len,
        range: range.map(|range| (range.address, range.prefix_len)),
        gateway: gateway.unwrap_or_else(|| ipam::first_gateway(subnet, range)),
        shows_gateway: gateway.is_some(),
        auxiliary,
    })
}

fn read_range(text: &str, subnet: Subnet) -> Result<Option<Subnet>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let Some((address, prefix_len)) = parse_cidr(text) else {
        return Err(format!("invalid ip-range {text}: invalid CIDR block notation"));
    };
    let range = Subnet::containing(address, prefix_len);
    if address.is_ipv4() != subnet.is_ipv4() {
        return Err(format!("invalid ip-range {text}: parent subnet is of the other IP family"));
    }
    if prefix_len < subnet.prefix_len {
        return Err(format!("invalid ip-range {text}: CIDR block is bigger than its parent subnet {subnet}"));
    }
    if !subnet.covers(range) {
        return Err(format!("invalid ip-range {text}: parent subnet {subnet} doesn't contain ip-range"));
    }
    match range.address == address {
        true => Ok(Some(range)),
        false => Err(format!("invalid ip-range {text}: it should be {range}")),
    }
}

fn check_overlap(pools: &[PoolRecord], around: &Surroundings<'_>) -> Result<(), Error> {
    for (index, pool) in pools.iter().enumerate() {
        let own = pools[..index].iter();
        let others = around.networks.iter().filter(|record| !record.config_only);
        if own
            .chain(others.flat_map(|record| &record.pools))
            .any(|other| other.subnet().overlaps(pool.subnet()))
        {
            return Err(Error::Overlap);
        }
    }
    Ok(())
}

/// Chooses a subnet for a family that has none.
fn complete(
    pools: &mut Vec<PoolRecord>,
    ipv4: bool,
    ipv6: bool,
    around: &Surroundings<'_>,
) -> Result<(), Error> {
    for (family_is_ipv4, wanted) in [(true, ipv4), (false, ipv6)] {
        if !wanted || pools.iter().any(|pool| pool.address.is_ipv4() == family_is_ipv4) {
            continue;
        }
        let of_family: Vec<_> =
            around.pools.iter().filter(|(range, _)| range.is_ipv4() == family_is_ipv4).copied().collect();
        let networks = around.networks.iter().filter(|record| !record.config_only);
        let mut used: Vec<_> = networks.flat_map(|record| &record.pools).map(PoolRecord::subnet).collect();
        used.extend(around.routes);
        let chosen = subnet::choose(&of_family, &used).ok_or(Error::NoSubnet)?;
        pools.push(PoolRecord::plain(chosen, chosen.first_host()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NetworkConfig;

    fn make(request: CreateNetwork, networks: &[Record]) -> Result<Record, Error> {
        let mut pools = NetworkConfig::default().default_pools;
        pools.push(subnet::local_pool(&[1, 2, 3, 4, 5]));
        let around = Surroundings { networks, pools: &pools, routes: &[] };
        record(request, NetworkId::generate([7; 32]), Timestamp(1), &around)
    }

    fn named(name: &str) -> CreateNetwork {
        CreateNetwork { name: name.into(), ..CreateNetwork::default() }
    }

    fn pool(subnet: &str, range: &str, gateway: &str) -> PoolRequest {
        PoolRequest {
            subnet: subnet.into(),
            range: range.into(),
            gateway: gateway.into(),
            auxiliary: BTreeMap::new(),
        }
    }

    fn with_pool(subnet: &str, range: &str, gateway: &str) -> CreateNetwork {
        CreateNetwork { pools: vec![pool(subnet, range, gateway)], ..named("n") }
    }

    #[test]
    fn families_without_a_subnet_get_the_next_one() {
        let first = make(named("a"), &[]).expect("made");
        assert_eq!(
            first.pools,
            [PoolRecord::plain(
                "172.17.0.0/16".parse().expect("valid"),
                "172.17.0.1".parse().expect("valid")
            )]
        );
        let both = CreateNetwork { ipv6: Some(true), ..named("b") };
        let second = make(both, &[first]).expect("made");
        let subnets: Vec<_> = second.pools.iter().map(|pool| pool.subnet().to_string()).collect();
        assert_eq!(subnets, ["172.18.0.0/16", "fd01:203:405::/64"]);
        let six = CreateNetwork { ipv4: Some(false), ipv6: Some(true), ..named("c") };
        let third = make(six, &[second]).expect("made");
        let subnets: Vec<_> = third.pools.iter().map(|pool| pool.subnet().to_string()).collect();
        assert_eq!(subnets, ["fd01:203:405:1::/64"]);
    }

    #[test]
    fn refusals_have_dockers_texts() {
        let taken = make(named("taken"), &[]).expect("made");
        let pool_of = |subnet: &str| with_pool(subnet, "", "");
        let cases = [
            (named(""), "invalid name: name is empty"),
            (named("host"), "operation is not permitted on predefined host network "),
            (named("taken"), "network with name taken already exists"),
            (CreateNetwork { driver: "nosuch".into(), ..named("n") }, "plugin \"nosuch\" not found"),
            (
                CreateNetwork { driver: "host".into(), ..named("n") },
                "only one instance of \"host\" network is allowed",
            ),
            (
                CreateNetwork { scope: "swarm".into(), ..named("n") },
                "cannot create a swarm scoped network when swarm is not active",
            ),
            (
                CreateNetwork { ingress: true, ..named("n") },
                "Ingress network can only be global scope network",
            ),
            (CreateNetwork { ipv4: Some(false), ..named("n") }, "IPv4 or IPv6 must be enabled"),
            (CreateNetwork { ipam_driver: "x".into(), ..named("n") }, "plugin \"x\" not found"),
            (
                CreateNetwork { config_from: "nosuch".into(), ..named("n") },
                "configuration network \"nosuch\" does not exist",
            ),
            (
                pool_of("172.17.5.0/24"),
                "invalid pool request: Pool overlaps with other one on this address space",
            ),
            (pool_of("bad"), "invalid network config:\ninvalid subnet bad: invalid CIDR block notation"),
            (
                pool_of("10.78.0.1/24"),
                "invalid network config:\ninvalid subnet 10.78.0.1/24: it should be 10.78.0.0/24",
            ),
            (
                with_pool("10.78.0.0/24", "", "10.79.0.1"),
                "invalid network config:\ninvalid gateway 10.79.0.1: parent subnet 10.78.0.0/24 doesn't contain this address",
            ),
            (
                with_pool("10.78.0.0/24", "10.79.0.0/25", ""),
                "invalid network config:\ninvalid ip-range 10.79.0.0/25: parent subnet 10.78.0.0/24 doesn't contain ip-range",
            ),
        ];
        for (request, text) in cases {
            let error = make(request, std::slice::from_ref(&taken)).expect_err(text);
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn pattern_gives_all_but_name_and_driver() {
        let pattern = CreateNetwork {
            config_only: true,
            options: BTreeMap::from([(options::MTU.to_owned(), "1400".to_owned())]),
            ..with_pool("10.81.0.0/24", "", "")
        };
        let pattern = make(pattern, &[]).expect("made");
        assert_eq!((pattern.driver, pattern.config_only), (Driver::Null, true));
        let from = CreateNetwork { config_from: "n".into(), ..named("m") };
        let made = make(from, std::slice::from_ref(&pattern)).expect("made");
        assert_eq!(
            (made.driver, made.pools.clone(), made.options),
            (Driver::Bridge, pattern.pools, pattern.options)
        );
        assert!(!made.pools[0].shows_gateway);
    }

    #[test]
    fn used_up_pools_are_said_so() {
        let routes: Vec<Subnet> =
            ["172.16.0.0/12", "192.168.0.0/16"].map(|text| text.parse().expect("valid")).into();
        let pools = NetworkConfig::default().default_pools;
        let around = Surroundings { networks: &[], pools: &pools, routes: &routes };
        let error =
            record(named("n"), NetworkId::generate([7; 32]), Timestamp(1), &around).expect_err("full");
        assert_eq!(error.to_string(), "all predefined address pools have been fully subnetted");
    }
}
