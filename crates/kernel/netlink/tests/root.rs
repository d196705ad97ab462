//! Real links and packet filters, each test in a network namespace of its own. Needs root.

#![forbid(unsafe_code)]

use error::{Fault as _, Kind};
use netlink::address::{self, Address};
use netlink::link::{self, Veth};
use netlink::nft::{self, Chain, Expression, Family, Hook, Table};
use netlink::{Socket, route};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, OwnedFd};
use sys::ns::{self, Types};

/// Runs a test on a thread in a fresh namespace.
fn isolated(test: impl FnOnce() + Send + 'static) {
    let enter = || {
        ns::unshare(Types::NETWORK).expect("the tests run as root");
        test();
    };
    if let Err(panic) = std::thread::spawn(enter).join() {
        std::panic::resume_unwind(panic);
    }
}

fn other_namespace() -> OwnedFd {
    let make = || {
        ns::unshare(Types::NETWORK).expect("unshares");
        ns::own(Types::NETWORK).expect("opens")
    };
    std::thread::spawn(make).join().expect("no panic")
}

fn bridge(socket: &Socket) -> u32 {
    socket.batch(&[link::create_bridge("br0", [2, 0x42, 1, 2, 3, 4], 1400)]).expect("created");
    link::find(socket, "br0").expect("asked").expect("is there").index
}

#[test]
fn veth_has_its_ends_in_two_namespaces() {
    isolated(|| {
        let socket = Socket::route().expect("opens");
        let bridge = bridge(&socket);
        let namespace = other_namespace();
        let veth = Veth {
            name: "vethtest",
            bridge,
            mtu: 1400,
            peer_namespace: namespace.as_fd(),
            peer_name: "eth0",
            peer_mac: [2, 0x42, 10, 0, 0, 2],
        };
        socket.batch(&[link::create_veth(&veth)]).expect("created");
        let here = link::find(&socket, "vethtest").expect("asked").expect("is there");
        assert_eq!((here.master, here.kind.as_deref()), (Some(bridge), Some("veth")));
        assert_eq!((here.mtu, here.up), (1400, true));
        let there = std::thread::spawn(move || {
            ns::join(&namespace, Types::NETWORK).expect("enters");
            let socket = Socket::route().expect("opens");
            let there = link::find(&socket, "eth0").expect("asked").expect("is there");
            let index = there.index;
            let own = Address { index, address: Ipv4Addr::new(10, 0, 0, 2).into(), prefix_len: 24 };
            let gateway = route::add_default(Ipv4Addr::new(10, 0, 0, 1).into(), index);
            socket.batch(&[address::add(&own), link::set_up(index), gateway]).expect("configured");
            let own_v4 =
                address::list(&socket).expect("lists").into_iter().find(|known| known.address.is_ipv4());
            assert_eq!(own_v4, Some(own));
            // Those of IPv6 come with the link, where the kernel has it.
            let routes = route::list(&socket).expect("lists");
            let prefixes: Vec<_> =
                routes.iter().filter(|route| route.address.is_ipv4()).map(|route| route.prefix_len).collect();
            assert_eq!(prefixes, [0, 24]);
            there
        });
        let there = there.join().expect("no panic");
        assert_eq!((there.mac, there.mtu), (Some([2, 0x42, 10, 0, 0, 2]), 1400));
        assert_eq!((there.peer, here.peer), (Some(here.index), Some(there.index)));
    });
}

#[test]
fn refusal_says_what_was_asked_and_why() {
    isolated(|| {
        let socket = Socket::route().expect("opens");
        bridge(&socket);
        let error =
            socket.batch(&[link::create_bridge("br0", [2, 0, 0, 0, 0, 1], 1500)]).expect_err("exists");
        assert!(error.already_exists());
        assert_eq!(error.to_string(), "the kernel refused to create the bridge br0");
        let error = socket.batch(&[link::delete("nosuch")]).expect_err("is not there");
        assert_eq!((error.is_absent(), error.kind()), (true, Kind::NotFound));
        assert_eq!(link::find(&socket, "nosuch").expect("asked"), None);
        let gateway = route::add_default(Ipv4Addr::new(192, 0, 2, 1).into(), 1);
        let error =
            socket.batch(&[link::set_up(1), gateway, link::set_up(1)]).expect_err("the gateway is nowhere");
        let text = "the kernel refused to add the default route by 192.0.2.1 (Nexthop has invalid gateway)";
        assert_eq!(error.to_string(), text);
        socket.batch(&[link::set_up(1)]).expect("the socket goes on");
    });
}

fn table(rules: Vec<Vec<Expression>>) -> Table {
    let chain = Chain { name: "forward".into(), hook: Hook::ForwardFilter, rules };
    Table { name: "naru-test".into(), chains: vec![chain] }
}

#[test]
fn table_is_replaced_as_a_whole_or_not_at_all() {
    isolated(|| {
        let socket = Socket::netfilter().expect("opens");
        let accept = || vec![Expression::InputIs("br0".into()), Expression::Accept];
        nft::delete(&socket, Family::Ip, "naru-test").expect("one that is not there is fine");
        nft::replace(&socket, Family::Ip, &table(vec![accept(), accept()])).expect("set");
        nft::replace(&socket, Family::Ip, &table(vec![accept()])).expect("replaced");
        // Masquerading is not possible in a chain of type filter.
        let wrong = table(vec![accept(), vec![Expression::Masquerade]]);
        let error = nft::replace(&socket, Family::Ip, &wrong).expect_err("refused");
        assert!(
            error.to_string().starts_with("the kernel refused to add a rule to the nf_tables chain forward"),
            "{error}"
        );
        nft::replace(&socket, Family::Ip, &table(vec![accept()])).expect("the socket goes on");
        nft::delete(&socket, Family::Ip, "naru-test").expect("deleted");
    });
}

#[test]
fn list_of_many_links_is_complete() {
    isolated(|| {
        let socket = Socket::route().expect("opens");
        let bridges: Vec<_> =
            (0..200u8).map(|n| link::create_bridge(&format!("br{n}"), [2, 0, 0, 0, 1, n], 1500)).collect();
        socket.batch(&bridges).expect("created");
        let found = link::list(&socket).expect("lists");
        assert_eq!(found.iter().filter(|link| link.kind.as_deref() == Some("bridge")).count(), 200);
    });
}

/// Returns what the nft program lists of a table, or none without the program.
fn listed(family: &str, name: &str) -> Option<String> {
    let ran = std::process::Command::new("nft").args(["list", "table", family, name]).output().ok()?;
    Some(String::from_utf8(ran.stdout).expect("text"))
}

#[test]
fn maps_translate_ports_and_change_by_elements() {
    use netlink::nft::Family;
    use netlink::nft::map::{self, Change, Element, Set, SetKind};
    for (family, word, at, to) in [
        (Family::Ip, "ip", "192.0.2.1:53", "10.0.0.2:80"),
        (Family::Ip6, "ip6", "[2001:db8::1]:53", "[fd00::2]:80"),
    ] {
        isolated(move || {
            let socket = Socket::netfilter().expect("opens");
            let (at, to): (std::net::SocketAddr, _) =
                (at.parse().expect("valid"), to.parse().expect("valid"));
            let set = |name: &str, kind, elements| Set { name: name.into(), kind, elements };
            let any = |range: std::ops::Range<u16>| -> Vec<_> {
                range.map(|port| Element::port(6, port, to)).collect()
            };
            let table = map::Table {
                family,
                name: "naru-test".into(),
                sets: vec![
                    set("any", SetKind::Port, any(1000..1003)),
                    set("exact", SetKind::AddressPort, vec![Element::address_port(17, at, to)]),
                    set("networks", SetKind::Network, Element::network(to.ip(), 24)),
                ],
                chains: map::translating_chains("any", "exact", &[]),
            };
            map::replace(&socket, &table).expect("set");
            map::replace(&socket, &table).expect("replaced");
            let add = Change::Add { set: "any".into(), elements: any(2000..4000) };
            map::change(&socket, family, "naru-test", &[add]).expect("added");
            let again = Change::Add { set: "networks".into(), elements: Element::network(to.ip(), 24) };
            map::change(&socket, family, "naru-test", &[again]).expect("one that is there is fine");
            let remove = Change::Remove { set: "any".into(), elements: any(1000..3999) };
            let error = map::change(&socket, family, "naru-test", &[remove]).expect_err("1003 is not there");
            assert!(error.is_absent(), "{error}");
            let remove = [1000..1003, 2000..3999]
                .map(|range| Change::Remove { set: "any".into(), elements: any(range) });
            map::change(&socket, family, "naru-test", &remove).expect("removed");
            if let Some(text) = listed(word, "naru-test") {
                let (host, port) = (to.ip(), to.port());
                assert!(text.contains(&format!("elements = {{ tcp . 3999 : {host} . {port} }}")), "{text}");
                assert!(text.contains(&format!("{} . udp . 53 : {host} . {port}", at.ip())), "{text}");
                assert!(text.contains("fib daddr type != local return"), "{text}");
                assert!(text.contains("map @any"), "{text}");
                let network = if to.is_ipv4() { "10.0.0.0/24" } else { "fd00::/24" };
                assert!(text.contains(&format!("elements = {{ {network} }}")), "{text}");
            }
            map::delete(&socket, family, "naru-test").expect("deleted");
        });
    }
}
