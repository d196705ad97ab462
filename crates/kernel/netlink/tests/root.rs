//! Real links and packet filters, each test in a network namespace of its own. Needs root.

#![forbid(unsafe_code)]

use error::{Fault as _, Kind};
use netlink::address::{self, Address};
use netlink::link::{self, Veth};
use netlink::nft::{self, Chain, Expression, Hook, Table};
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
            let own = Address { index, address: Ipv4Addr::new(10, 0, 0, 2), prefix_len: 24 };
            let gateway = route::add_default(Ipv4Addr::new(10, 0, 0, 1), index);
            socket.batch(&[address::add(&own), link::set_up(index), gateway]).expect("configured");
            assert_eq!(address::list(&socket).expect("lists"), [own]);
            let prefixes: Vec<_> =
                route::list(&socket).expect("lists").iter().map(|route| route.prefix_len).collect();
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
        let gateway = route::add_default(Ipv4Addr::new(192, 0, 2, 1), 1);
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
        nft::delete(&socket, "naru-test").expect("one that is not there is fine");
        nft::replace(&socket, &table(vec![accept(), accept()])).expect("set");
        nft::replace(&socket, &table(vec![accept()])).expect("replaced");
        // Masquerading is not possible in a chain of type filter.
        let wrong = table(vec![accept(), vec![Expression::Masquerade]]);
        let error = nft::replace(&socket, &wrong).expect_err("refused");
        assert!(
            error.to_string().starts_with("the kernel refused to add a rule to the nf_tables chain forward"),
            "{error}"
        );
        nft::replace(&socket, &table(vec![accept()])).expect("the socket goes on");
        nft::delete(&socket, "naru-test").expect("deleted");
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
