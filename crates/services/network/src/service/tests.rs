//! The service in a network namespace of the test's own. Needs root.

use super::*;
use crate::{InterfaceAddress, Subnet};
use netlink::address;
use netlink::{Socket, link};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use sys::ns::{self, Types};

/// Runs a test on a thread with a network namespace of its own, in a runtime whose blocking threads are in it too.
fn isolated<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let thread = std::thread::spawn(move || {
        ns::unshare(Types::NETWORK).expect("the tests run as root");
        Socket::route().expect("opens").batch(&[link::set_up(1)]).expect("lo comes up");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("builds");
        runtime.block_on(test());
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn service(store: &Store) -> Network {
    let config = NetworkConfig { prepared: 1, ..NetworkConfig::default() };
    Network::open(config, store.clone(), Blocking::new(4))
        .unwrap_or_else(|error| panic!("{}", error::chain(&error)))
}

fn store() -> Store {
    Store::in_memory().expect("opens")
}

fn container(seed: u8) -> ContainerId {
    ContainerId::generate([seed; 32])
}

/// A namespace, and its place in the bridge network.
#[derive(Debug)]
struct Inside {
    netns: OwnedFd,
    endpoints: Vec<EndpointView>,
}

impl Inside {
    /// Returns the only endpoint's IPv4 address.
    fn own(&self) -> InterfaceAddress {
        self.endpoints[0].ipv4.expect("has IPv4")
    }

    fn address(&self) -> Ipv4Addr {
        v4(self.own().address)
    }

    fn gateway(&self) -> IpAddr {
        self.own().gateway.expect("a way out")
    }
}

fn v4(address: IpAddr) -> Ipv4Addr {
    match address {
        IpAddr::V4(v4) => v4,
        IpAddr::V6(v6) => panic!("{v6} is not IPv4"),
    }
}

fn joining(networks: &[&str]) -> Joining {
    let endpoints = networks.iter().map(|name| ((*name).to_owned(), EndpointSpec::default())).collect();
    Joining { name: "box".into(), endpoints }
}

async fn joined(network: &Network, container: &ContainerId) -> Result<Inside, Error> {
    joined_to(network, container, joining(&["bridge"])).await
}

async fn joined_to(network: &Network, container: &ContainerId, joining: Joining) -> Result<Inside, Error> {
    let namespace = network.namespace().await?;
    let netns = namespace.as_fd().try_clone_to_owned().expect("duplicates");
    Ok(Inside { netns, endpoints: network.connect(container, namespace, joining).await? })
}

async fn alone(network: &Network) -> Result<Inside, Error> {
    let netns = network.namespace().await?.as_fd().try_clone_to_owned().expect("duplicates");
    Ok(Inside { netns, endpoints: Vec::new() })
}

/// Runs `work` on a thread inside a namespace.
fn inside<T: Send + 'static>(namespace: &OwnedFd, work: impl FnOnce() -> T + Send + 'static) -> T {
    let namespace = namespace.as_fd().try_clone_to_owned().expect("duplicates");
    let enter = move || {
        ns::join(&namespace, Types::NETWORK).expect("enters");
        work()
    };
    std::thread::spawn(enter).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Starts a process that keeps a namespace alive.
fn keeper(namespace: &OwnedFd) -> Child {
    inside(namespace, || Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().expect("starts"))
}

fn live(seed: u8, pid: u32) -> Attached {
    Attached { container: container(seed), pid, joining: Some(joining(&["bridge"])) }
}

fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let start = Instant::now();
    while !check() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn ports(name: &str) -> usize {
    let socket = Socket::route().expect("opens");
    let bridge = link::find(&socket, name).expect("found").expect("is there").index;
    link::list(&socket).expect("lists").iter().filter(|link| link.master == Some(bridge)).count()
}

#[test]
fn attached_containers_reach_the_bridge_and_each_other() {
    isolated(|| async {
        let network = service(&store());
        let a = joined(&network, &container(1)).await.expect("attached");
        let b = joined(&network, &container(2)).await.expect("attached");
        let (first, second) = (a.own(), b.own());
        assert_eq!((a.address(), first.prefix_len), (Ipv4Addr::new(172, 17, 0, 2), 16));
        assert_eq!((b.address(), b.gateway()), (Ipv4Addr::new(172, 17, 0, 3), [172, 17, 0, 1].into()));
        assert_eq!(b.endpoints[0].mac, "02:42:ac:11:00:03");
        let gateway = b.gateway();

        let listener =
            inside(&a.netns, || TcpListener::bind("0.0.0.0:80").expect("every user may use port 80"));
        let target = SocketAddr::from((first.address, 80));
        let from_b = inside(&b.netns, move || TcpStream::connect_timeout(&target, Duration::from_secs(5)));
        let (_, peer) = listener.accept().expect("accepts");
        assert_eq!(peer.ip(), second.address);
        drop(from_b.expect("connects"));
        TcpStream::connect_timeout(&target, Duration::from_secs(5)).expect("the host reaches the container");

        let outside = UdpSocket::bind((gateway, 0)).expect("the host has the gateway's address");
        let port = outside.local_addr().expect("bound").port();
        inside(&b.netns, move || UdpSocket::bind("0.0.0.0:0").and_then(|s| s.send_to(b"x", (gateway, port))))
            .expect("sends");
        outside.set_read_timeout(Some(Duration::from_secs(5))).expect("set");
        assert_eq!(outside.recv_from(&mut [0; 8]).expect("arrives").1.ip(), second.address);
    });
}

/// Connects the engine's namespace with another one, which stands for the outside: 10.99.0.1 here, 10.99.0.2 there.
fn outside() -> OwnedFd {
    let made = std::thread::spawn(|| {
        ns::unshare(Types::NETWORK).expect("unshares");
        ns::own(Types::NETWORK).expect("opens")
    });
    let namespace = made.join().expect("no panic");
    let run = |program: &str, args: &[&str]| {
        let status = Command::new(program).args(args).status().expect("runs");
        assert!(status.success(), "{program} {args:?}");
    };
    // The test's own wiring is by iproute2: it must not rest on what it tests.
    run("ip", &["link", "add", "wan0", "type", "veth", "peer", "name", "wan1"]);
    let mut keeper = keeper(&namespace);
    run("ip", &["link", "set", "wan1", "netns", &keeper.id().to_string()]);
    run("ip", &["addr", "add", "10.99.0.1/24", "dev", "wan0"]);
    run("ip", &["link", "set", "wan0", "up"]);
    inside(&namespace, move || {
        run("ip", &["addr", "add", "10.99.0.2/24", "dev", "wan1"]);
        run("ip", &["link", "set", "wan1", "up"]);
        run("ip", &["route", "add", "172.17.0.0/16", "via", "10.99.0.1"]);
    });
    keeper.kill().expect("killed");
    keeper.wait().expect("ended");
    namespace
}

#[test]
fn outside_sees_the_hosts_address_and_cannot_come_in() {
    isolated(|| async {
        let outside = outside();
        let network = service(&store());
        let attached = joined(&network, &container(1)).await.expect("attached");
        let own = attached.address();

        let listener = inside(&outside, || TcpListener::bind("10.99.0.2:80").expect("binds"));
        let target = SocketAddr::from(([10, 99, 0, 2], 80));
        inside(&attached.netns, move || TcpStream::connect_timeout(&target, Duration::from_secs(5)))
            .expect("the container reaches the outside");
        assert_eq!(listener.accept().expect("accepts").1.ip(), Ipv4Addr::new(10, 99, 0, 1));

        let _inner = inside(&attached.netns, || TcpListener::bind("0.0.0.0:81").expect("binds"));
        let target = SocketAddr::from((own, 81));
        let refused =
            inside(&outside, move || TcpStream::connect_timeout(&target, Duration::from_millis(300)));
        assert_eq!(refused.expect_err("filtered").kind(), std::io::ErrorKind::TimedOut);
    });
}

#[test]
fn none_mode_has_only_a_loopback_device() {
    isolated(|| async {
        let network = service(&store());
        let attached = alone(&network).await.expect("attached");
        assert_eq!(attached.endpoints, []);
        let links = inside(&attached.netns, || link::list(&Socket::route().expect("opens")).expect("lists"));
        let names: Vec<_> = links.iter().filter(|link| link.up).map(|link| link.name.as_str()).collect();
        assert_eq!(names, ["lo"]);
        let socket = Socket::route().expect("opens");
        assert_eq!(link::find(&socket, "naru0").expect("asks"), None, "the bridge is made on first use only");
    });
}

#[test]
fn detach_frees_the_address_and_deletes_the_device_even_if_the_namespace_lives() {
    isolated(|| async {
        let network = service(&store());
        let attached = joined(&network, &container(1)).await.expect("attached");
        let again = joined(&network, &container(1)).await.expect_err("attached already");
        assert_eq!(again.to_string(), "endpoint with name box already exists in network bridge");
        assert_eq!(ports("naru0"), 1);
        network.detach(&container(1)).await;
        network.detach(&container(1)).await;
        assert_eq!(network.endpoints(&container(1)), []);
        eventually("the device is deleted", || ports("naru0") == 0);
        let next = joined(&network, &container(1)).await.expect("attached again");
        assert_eq!(next.address(), Ipv4Addr::new(172, 17, 0, 3), "the old address rests");
        drop(attached);
    });
}

#[test]
fn new_engine_learns_who_is_attached_and_removes_what_is_left_over() {
    isolated(|| async {
        let store = store();
        let network = service(&store);
        let attached = joined(&network, &container(1)).await.expect("attached");
        let orphan = joined(&network, &container(2)).await.expect("attached");
        let before = (network.inspect("bridge").expect("known"), network.endpoints(&container(1)));
        let mut keeper = keeper(&attached.netns);
        drop(network);

        let network = service(&store);
        assert_eq!(network.endpoints(&container(1)), []);
        network.reconcile(vec![live(1, keeper.id()), live(3, 0)]).await.expect("reconciled");
        let after = network.inspect("bridge").expect("known");
        assert_eq!((after.id, after.pools), (before.0.id, before.0.pools));
        assert_eq!(network.endpoints(&container(1)), before.1);
        assert_eq!(after.containers.keys().collect::<Vec<_>>(), [&container(1)]);
        eventually("the other device is deleted", || ports("naru0") == 1);
        let next = joined(&network, &container(4)).await.expect("attached");
        assert_eq!(next.address(), Ipv4Addr::new(172, 17, 0, 3));
        keeper.kill().expect("killed");
        keeper.wait().expect("ended");
        drop((attached, orphan));
    });
}

#[test]
fn namespace_ends_with_its_last_user() {
    isolated(|| async {
        let network = service(&store());
        let attached = joined(&network, &container(1)).await.expect("attached");
        // Fills the stock again: the making thread must not stay in the attached namespace.
        drop(alone(&network).await.expect("attached"));
        drop(attached);
        network.inner.state().attached.clear();
        eventually("the device goes with the namespace", || ports("naru0") == 0);
    });
}

#[test]
fn subnet_evades_the_hosts_networks_and_stays_when_it_was_chosen() {
    isolated(|| async {
        let socket = Socket::route().expect("opens");
        let taken = address::Address { index: 1, address: [172, 17, 5, 1].into(), prefix_len: 24 };
        socket.batch(&[address::add(&taken)]).expect("added");
        let status = Command::new("ip").args(["route", "add", "172.17.6.0/24", "dev", "lo"]).status();
        assert!(status.expect("runs").success());
        let store = store();
        let network = service(&store);
        let attached = joined(&network, &container(1)).await.expect("attached");
        assert_eq!(attached.address(), Ipv4Addr::new(172, 18, 0, 2));
        drop(network);
        socket.batch(&[link::delete("naru0")]).expect("deleted");
        let status = Command::new("ip").args(["route", "del", "172.17.6.0/24", "dev", "lo"]).status();
        assert!(status.expect("runs").success());
        let network = service(&store);
        let attached = joined(&network, &container(1)).await.expect("attached");
        assert_eq!(attached.gateway(), IpAddr::from([172, 18, 0, 1]));
    });
}

#[test]
fn full_subnet_and_taken_name_are_said_plainly() {
    isolated(|| async {
        let subnet: Subnet = "10.5.0.0/30".parse().expect("valid");
        let config = NetworkConfig {
            subnet: Some((subnet, subnet.first_host())),
            prepared: 0,
            ..NetworkConfig::default()
        };
        let network = Network::open(config, store(), Blocking::new(4)).expect("opens");
        let _first = joined(&network, &container(1)).await.expect("attached");
        let error = joined(&network, &container(2)).await.expect_err("full");
        let want = "no available IPv4 addresses on this network's address pools: bridge (10.5.0.0/30)";
        assert_eq!(error.to_string(), want);

        let config = NetworkConfig { bridge_name: "lo".into(), ..NetworkConfig::default() };
        let network = Network::open(config, store(), Blocking::new(4)).expect("opens");
        let error = joined(&network, &container(1)).await.expect_err("lo is no bridge");
        assert_eq!(error.to_string(), "the device lo exists and is not a bridge (but a network card)");
    });
}

#[test]
fn networks_are_found_by_name_and_id() {
    isolated(|| async {
        let network = service(&store());
        let names: Vec<_> = network.list().into_iter().map(|view| (view.name, view.driver)).collect();
        let want = [("bridge", "bridge"), ("host", "host"), ("none", "null")];
        assert_eq!(names, want.map(|(name, driver)| (name.to_owned(), driver.to_owned())));
        let id = network.inspect("host").expect("known").id;
        assert_eq!(network.inspect(&id.as_str()[..20]).expect("known").name, "host");
        assert_eq!(network.inspect("nosuch").expect_err("unknown").to_string(), "network nosuch not found");
        assert_eq!(network.inspect("").expect_err("unknown").to_string(), "network  not found");
    });
}

#[test]
fn many_at_once_get_different_addresses() {
    isolated(|| async {
        let network = service(&store());
        let attach = |seed| {
            let network = network.clone();
            async move { joined(&network, &container(seed)).await.expect("attached") }
        };
        let tasks: Vec<_> = (1..=20).map(|seed| tokio::spawn(attach(seed))).collect();
        let mut attachments = Vec::new();
        for task in tasks {
            attachments.push(task.await.expect("no panic"));
        }
        let addresses: std::collections::BTreeSet<_> = attachments.iter().map(Inside::address).collect();
        assert_eq!((addresses.len(), ports("naru0")), (20, 20));
    });
}

#[test]
fn deleted_bridge_is_made_again() {
    isolated(|| async {
        let network = service(&store());
        let _first = joined(&network, &container(1)).await.expect("attached");
        Socket::route().expect("opens").batch(&[link::delete("naru0")]).expect("deleted");
        let second = joined(&network, &container(2)).await.expect("attached");
        let gateway = second.gateway();
        assert_eq!(
            second.address(),
            Ipv4Addr::new(172, 17, 0, 3),
            "the first container's address is still its own"
        );
        inside(&second.netns, move || {
            UdpSocket::bind("0.0.0.0:0").and_then(|s| s.send_to(b"x", (gateway, 9)))
        })
        .expect("sends");
    });
}
