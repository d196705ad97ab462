//! The allocator, the plan of the table, and requests.

use super::*;
use netlink::nft::map::{Change, Element};

fn owner(byte: u8) -> ContainerId {
    ContainerId::generate([0xa0 | byte; 32])
}

fn host(text: &str) -> SocketAddr {
    text.parse().expect("valid")
}

fn any() -> [IpAddr; 2] {
    [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()]
}

type Bound = Result<Vec<(SocketAddr, ())>, (SocketAddr, sys::Error)>;

/// Lets every port be bound but those of another program.
fn bind<'a>(others: &'a [u16]) -> impl FnMut(&[SocketAddr]) -> Bound + 'a {
    |addresses| match addresses.iter().find(|address| others.contains(&address.port())) {
        Some(address) => Err((*address, sys::Call("bind").failed(Errno::ADDRINUSE, String::new))),
        None => Ok(addresses.iter().map(|address| (*address, ())).collect()),
    }
}

fn ports(bound: &[(SocketAddr, ())]) -> Vec<String> {
    bound.iter().map(|(host, ())| host.to_string()).collect()
}

#[test]
fn both_families_get_the_same_free_port() {
    let mut allocator = Allocator::default();
    let mut take = |others: &[u16]| {
        let bound = allocator.allocate(&owner(1), Protocol::Tcp, &any(), (7000, 7003), bind(others));
        ports(&bound.expect("free"))
    };
    assert_eq!(take(&[]), ["0.0.0.0:7000", "[::]:7000"]);
    assert_eq!(take(&[7001]), ["0.0.0.0:7002", "[::]:7002"]);
    assert_eq!(take(&[]), ["0.0.0.0:7003", "[::]:7003"]);
    assert_eq!(take(&[]), ["0.0.0.0:7001", "[::]:7001"]);
}

#[test]
fn freed_port_of_a_range_rests_until_the_others_were_used() {
    let mut allocator = Allocator::default();
    let mut given = Vec::new();
    for _ in 0..4 {
        let bound =
            allocator.allocate(&owner(1), Protocol::Udp, &any()[..1], (1, 3), bind(&[])).expect("free");
        given.extend(ports(&bound));
        allocator.release(Protocol::Udp, bound[0].0);
    }
    assert_eq!(given, ["0.0.0.0:1", "0.0.0.0:2", "0.0.0.0:3", "0.0.0.0:1"]);
}

#[test]
fn conflicts_are_per_protocol_and_address_and_name_the_owner() {
    let mut allocator = Allocator::default();
    let mut try_one = |byte, protocol, address: &str| {
        let hosts = [host(address).ip()];
        let port = host(address).port();
        match allocator.allocate(&owner(byte), protocol, &hosts, (port, port), bind(&[90])) {
            Ok(_) => "given".to_owned(),
            Err(Failure::Taken { host, owner }) => format!("{host} is {}", &owner.as_str()[..2]),
            Err(Failure::AllTaken { .. }) => "all taken".to_owned(),
            Err(Failure::Refused { host, source }) => format!("{host} {}", source.is(Errno::ADDRINUSE)),
        }
    };
    assert_eq!(try_one(1, Protocol::Tcp, "10.0.0.1:80"), "given");
    assert_eq!(try_one(2, Protocol::Tcp, "10.0.0.1:80"), "10.0.0.1:80 is a1");
    assert_eq!(try_one(2, Protocol::Tcp, "0.0.0.0:80"), "0.0.0.0:80 is a1");
    assert_eq!(try_one(2, Protocol::Tcp, "10.0.0.2:80"), "given");
    assert_eq!(try_one(2, Protocol::Tcp, "[::]:80"), "given");
    assert_eq!(try_one(3, Protocol::Tcp, "[fd00::1]:80"), "[fd00::1]:80 is a2");
    assert_eq!(try_one(3, Protocol::Udp, "0.0.0.0:80"), "given");
    assert_eq!(try_one(3, Protocol::Tcp, "0.0.0.0:90"), "0.0.0.0:90 true");
}

#[test]
fn range_without_a_free_port_is_exhausted() {
    let mut allocator = Allocator::default();
    let failure =
        allocator.allocate(&owner(1), Protocol::Tcp, &any(), (8, 9), bind(&[8, 9])).expect_err("none");
    assert!(matches!(failure, Failure::AllTaken { first: 8, last: 9 }));
    allocator.allocate(&owner(1), Protocol::Tcp, &any(), (8, 9), bind(&[])).expect("nothing was left taken");
}

fn entry(at: &str, to: &str) -> Entry {
    let port = Published { protocol: Protocol::Tcp, host: host(at), container: host(to) };
    Entry { port, prefix_len: 16 }
}

#[test]
fn only_what_the_kernel_can_translate_is_an_element() {
    let entries = [
        entry("0.0.0.0:8080", "172.17.0.2:80"),
        entry("192.0.2.1:81", "172.17.0.2:81"),
        entry("127.0.0.1:82", "172.17.0.2:82"),
        entry("[::]:8080", "172.17.0.2:80"),
        entry("[::]:83", "[fd00::2]:83"),
        entry("[::1]:84", "[fd00::2]:84"),
    ];
    let table = table::plan("t", Family::Ip, &entries).expect("something to translate");
    let elements: Vec<_> = table.sets.iter().map(|set| set.elements.clone()).collect();
    let expected = [
        vec![Element::port(6, 8080, host("172.17.0.2:80"))],
        vec![Element::address_port(6, host("192.0.2.1:81"), host("172.17.0.2:81"))],
        Element::network([172, 17, 0, 0].into(), 16),
    ];
    assert_eq!(elements, expected);
    let table = table::plan("t", Family::Ip6, &entries).expect("something to translate");
    assert_eq!(table.sets[0].elements, [Element::port(6, 83, host("[fd00::2]:83"))]);
    assert_eq!(table::plan("t", Family::Ip6, &entries[..4]), None);
}

#[test]
fn changes_are_elements_and_networks_stay() {
    let one = [entry("0.0.0.0:1", "172.17.0.2:1")];
    let element = || vec![Element::port(6, 1, host("172.17.0.2:1"))];
    let add = [
        Change::Add { set: "networks".into(), elements: Element::network([172, 17, 0, 0].into(), 16) },
        Change::Add { set: "any".into(), elements: element() },
    ];
    assert_eq!(table::changes(Family::Ip, &one, &[]), add);
    assert_eq!(
        table::changes(Family::Ip, &[], &one),
        [Change::Remove { set: "any".into(), elements: element() }]
    );
    assert_eq!(table::changes(Family::Ip6, &one, &[]), []);
}

#[test]
fn target_prefers_the_hosts_family() {
    let both = Target {
        v4: Some(([10, 0, 0, 2].into(), 24)),
        v6: Some(("fd00::2".parse().expect("valid"), 64)),
        link: "veth1".into(),
    };
    let only_v4 = Target { v6: None, ..both.clone() };
    let at = |target: &Target, text: &str| {
        target.address_for(text.parse().expect("valid")).map(|ip| ip.to_string())
    };
    assert_eq!(at(&both, "0.0.0.0").as_deref(), Some("10.0.0.2"));
    assert_eq!(at(&both, "::").as_deref(), Some("fd00::2"));
    assert_eq!(at(&only_v4, "::").as_deref(), Some("10.0.0.2"));
}
