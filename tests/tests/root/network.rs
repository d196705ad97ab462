//! The default bridge, host, none, and another container's network.

use testkit::TestEnv;

#[test]
fn bridge_gives_address_route_and_neighbours() {
    let env = TestEnv::with_busybox();
    let _ = env.naru(&["run", "-d", "--name", "one", "busybox", "sleep", "1000"]).ok();
    let address = env.inspect("one", "{{.NetworkSettings.Networks.bridge.IPAddress}}");
    let gateway = env.inspect("one", "{{.NetworkSettings.Networks.bridge.Gateway}}");
    assert!(address.parse::<std::net::Ipv4Addr>().is_ok(), "{address}");
    let shown = env.naru(&["exec", "one", "ip", "-4", "addr", "show", "eth0"]).ok();
    assert!(shown.contains(&format!("inet {address}/")), "{shown}");
    let routes = env.naru(&["exec", "one", "ip", "route"]).ok();
    assert!(routes.contains(&format!("default via {gateway} dev eth0")), "{routes}");
    let _ = env.naru(&["exec", "one", "ping", "-c", "1", "-W", "2", &gateway]).ok();
    let _ = env.naru(&["run", "--rm", "busybox", "ping", "-c", "1", "-W", "2", &address]).ok();
    let _ = env.run_in_namespace("busybox", &["ping", "-c", "1", "-W", "2", &address]).ok();
}

#[test]
fn bridge_masquerades_traffic_to_the_outside() {
    let env = TestEnv::with_busybox();
    let mut far = std::process::Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "unshare", "--net", "sleep", "300"])
        .env("NARU_TEST_MARK", env.cgroup_parent())
        .spawn()
        .expect("unshare runs");
    testkit::wait_until("the far namespace is there", || {
        std::fs::read_to_string(format!("/proc/{}/comm", far.id())).is_ok_and(|comm| comm.trim() == "sleep")
    });
    let pid = far.id().to_string();
    for args in [
        &["link", "add", "up0", "type", "veth", "peer", "name", "up1", "netns", &pid][..],
        &["addr", "add", "192.0.2.1/24", "dev", "up0"],
        &["link", "set", "up0", "up"],
    ] {
        let _ = env.run_in_namespace("ip", args).ok();
    }
    for command in ["ip addr add 192.0.2.2/24 dev up1", "ip link set up1 up", "ip link set lo up"] {
        let ran = std::process::Command::new("nsenter")
            .arg(format!("--net=/proc/{pid}/ns/net"))
            .args(command.split(' '))
            .status()
            .expect("nsenter runs");
        assert!(ran.success(), "{command}");
    }
    // The far side has no route back to the container's subnet: only masqueraded packets are answered.
    let _ = env.naru(&["run", "--rm", "busybox", "ping", "-c", "1", "-W", "3", "192.0.2.2"]).ok();
    far.kill().expect("our child");
    far.wait().expect("our child");
}

/// Returns the links that the kernel itself puts into every network namespace, sorted: `lo`, and `sit0` and the like
/// where a tunnel is built in (net.core.fb_tunnels_only_for_init_net).
fn links_of_a_new_namespace() -> Vec<String> {
    let ran = std::process::Command::new("unshare").args(["--net", "cat", "/proc/self/net/dev"]).output();
    let table = String::from_utf8(ran.expect("unshare runs").stdout).expect("text");
    let names = table.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim().to_owned());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert!(names.iter().any(|name| name == "lo"), "{table}");
    names
}

#[test]
fn none_has_only_loopback_and_host_has_all() {
    let env = TestEnv::with_busybox();
    let shown = env.naru(&["run", "--rm", "--network", "none", "busybox", "ls", "/sys/class/net"]).ok();
    assert_eq!(shown.split_whitespace().collect::<Vec<_>>(), links_of_a_new_namespace());
    let shown =
        env.naru(&["run", "--rm", "--network", "host", "busybox", "readlink", "/proc/self/ns/net"]).ok();
    let engine = std::fs::read_link(format!("/proc/{}/ns/net", env.namespace_pid())).expect("the namespace");
    assert_eq!(shown, engine.display().to_string());
}

#[test]
fn addresses_are_given_back() {
    let env = TestEnv::with_busybox();
    for _ in 0..5 {
        assert_eq!(env.naru(&["run", "--rm", "busybox", "true"]).code, 0);
    }
    testkit::wait_until("every link is gone", || {
        !env.run_in_namespace("ip", &["-o", "link"]).ok().lines().any(|line| line.contains("veth"))
    });
}

#[test]
fn address_stays_while_the_engine_restarts_and_is_not_given_twice() {
    let mut env = TestEnv::with_busybox();
    let _ = env.naru(&["run", "-d", "--name", "one", "busybox", "sleep", "1000"]).ok();
    let address = env.inspect("one", "{{.NetworkSettings.Networks.bridge.IPAddress}}");
    env.crash_engine();
    env.start_engine();
    assert_eq!(env.inspect("one", "{{.NetworkSettings.Networks.bridge.IPAddress}}"), address);
    let _ = env.naru(&["run", "-d", "--name", "two", "busybox", "sleep", "1000"]).ok();
    assert_ne!(env.inspect("two", "{{.NetworkSettings.Networks.bridge.IPAddress}}"), address);
    let _ = env.naru(&["exec", "two", "ping", "-c", "1", "-W", "2", &address]).ok();
}
