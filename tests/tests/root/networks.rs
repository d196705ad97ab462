//! Networks of the user: made, joined, left, removed; who reaches whom.

use testkit::TestEnv;

/// Returns whether a container gets an answer to a ping.
fn reaches(env: &TestEnv, container: &str, address: &str) -> bool {
    env.naru(&["exec", container, "ping", "-c", "1", "-W", "2", address]).code == 0
}

/// Returns a container's address in a network.
fn address(env: &TestEnv, container: &str, network: &str) -> String {
    let template = format!("{{{{(index .NetworkSettings.Networks {network:?}).IPAddress}}}}");
    env.inspect(container, &template)
}

fn address_v6(env: &TestEnv, container: &str, network: &str) -> String {
    let template = format!("{{{{(index .NetworkSettings.Networks {network:?}).GlobalIPv6Address}}}}");
    env.inspect(container, &template)
}

fn sleeper(env: &TestEnv, name: &str, options: &[&str]) {
    let mut args = vec!["run", "-d", "--name", name];
    args.extend(options);
    args.extend(["busybox", "sleep", "1000"]);
    let _ = env.docker(&args).ok();
}

fn links(env: &TestEnv) -> String {
    env.run_in_namespace("ip", &["-o", "link"]).ok()
}

#[test]
fn user_network_gives_addresses_and_is_apart_from_others() {
    let env = TestEnv::with_busybox();
    let _ = env.docker(&["network", "create", "--subnet", "10.61.0.0/24", "front"]).ok();
    let _ = env.docker(&["network", "create", "--subnet", "10.62.0.0/24", "back"]).ok();
    sleeper(&env, "ca", &["--network", "front"]);
    sleeper(&env, "cb", &["--network", "front"]);
    sleeper(&env, "cc", &["--network", "back"]);
    sleeper(&env, "cd", &[]);
    assert_eq!(address(&env, "ca", "front"), "10.61.0.2");
    assert!(reaches(&env, "ca", &address(&env, "cb", "front")), "the same network");
    assert!(!reaches(&env, "ca", &address(&env, "cc", "back")), "another network");
    assert!(!reaches(&env, "cd", &address(&env, "ca", "front")), "the default bridge");
    assert!(reaches(&env, "ca", "10.61.0.1"), "the host");
}

#[test]
fn running_container_joins_and_leaves_networks() {
    let env = TestEnv::with_busybox();
    let _ = env.docker(&["network", "create", "--subnet", "10.61.0.0/24", "front"]).ok();
    let _ = env.docker(&["network", "create", "--subnet", "10.62.0.0/24", "back"]).ok();
    sleeper(&env, "ca", &["--network", "front"]);
    sleeper(&env, "cb", &["--network", "back"]);
    let in_back = address(&env, "cb", "back");
    assert!(!reaches(&env, "ca", &in_back));
    let _ = env.docker(&["network", "connect", "--ip", "10.62.0.77", "--alias", "two", "back", "ca"]).ok();
    assert_eq!(address(&env, "ca", "back"), "10.62.0.77");
    assert!(reaches(&env, "ca", &in_back));
    let hosts = env.naru(&["exec", "ca", "cat", "/etc/hosts"]).ok();
    assert!(hosts.contains("10.62.0.77\t"), "{hosts}");
    // Of two equal ones the first by name has the default route: it changes while the container runs.
    let route = || env.naru(&["exec", "ca", "ip", "route"]).ok();
    assert!(route().contains("default via 10.62.0.1 dev eth1"), "{}", route());
    let twice = env.docker(&["network", "connect", "back", "ca"]).fails_with(1);
    assert!(twice.contains("endpoint with name ca already exists in network back"), "{twice}");
    let _ = env.docker(&["network", "disconnect", "back", "ca"]).ok();
    assert!(!reaches(&env, "ca", &in_back));
    assert!(route().contains("default via 10.61.0.1 dev eth0"), "{}", route());
    let hosts = env.naru(&["exec", "ca", "cat", "/etc/hosts"]).ok();
    assert!(!hosts.contains("10.62.0.77"), "{hosts}");
    let twice = env.docker(&["network", "disconnect", "back", "ca"]).fails_with(1);
    assert!(twice.contains("is not connected to network back"), "{twice}");
    // What was changed counts for the next start.
    let _ = env.docker(&["network", "connect", "back", "ca"]).ok();
    let _ = env.docker(&["restart", "-t", "0", "ca"]).ok();
    assert!(reaches(&env, "ca", &in_back));
}

#[test]
fn highest_gateway_priority_has_the_default_route() {
    let env = TestEnv::with_busybox();
    for (name, subnet) in [("one", "10.61.0.0/24"), ("two", "10.62.0.0/24")] {
        let _ = env.docker(&["network", "create", "--subnet", subnet, name]).ok();
    }
    sleeper(&env, "ca", &["--network", "one", "--network", "name=two,gw-priority=1"]);
    let route = env.naru(&["exec", "ca", "ip", "route"]).ok();
    assert!(route.contains("default via 10.62.0.1 dev eth1"), "{route}");
    let _ = env.docker(&["network", "disconnect", "two", "ca"]).ok();
    let route = env.naru(&["exec", "ca", "ip", "route"]).ok();
    assert!(route.contains("default via 10.61.0.1 dev eth0"), "{route}");
}

#[test]
fn internal_network_has_no_way_out() {
    let env = TestEnv::with_busybox();
    let _ = env.run_in_namespace("ip", &["addr", "add", "192.0.2.1/32", "dev", "lo"]).ok();
    let _ = env.docker(&["network", "create", "--internal", "inside"]).ok();
    sleeper(&env, "ca", &["--network", "inside"]);
    sleeper(&env, "cb", &["--network", "inside"]);
    assert!(reaches(&env, "ca", &address(&env, "cb", "inside")));
    let route = env.naru(&["exec", "ca", "ip", "route"]).ok();
    assert!(!route.contains("default"), "{route}");
    assert!(!reaches(&env, "ca", "192.0.2.1"));
}

#[test]
fn containers_without_icc_reach_the_host_but_not_each_other() {
    let env = TestEnv::with_busybox();
    let off = "com.docker.network.bridge.enable_icc=false";
    let _ = env.docker(&["network", "create", "-o", off, "--subnet", "10.61.0.0/24", "apart"]).ok();
    sleeper(&env, "ca", &["--network", "apart"]);
    sleeper(&env, "cb", &["--network", "apart"]);
    assert!(!reaches(&env, "ca", &address(&env, "cb", "apart")));
    assert!(reaches(&env, "ca", "10.61.0.1"));
}

#[test]
fn ipv6_network_has_a_stable_local_subnet() {
    let env = TestEnv::with_busybox();
    let _ = env.docker(&["network", "create", "--ipv6", "six"]).ok();
    let _ = env.docker(&["network", "create", "--ipv6", "--ipv4=false", "only"]).ok();
    sleeper(&env, "ca", &["--network", "six"]);
    sleeper(&env, "cb", &["--network", "six"]);
    sleeper(&env, "cc", &["--network", "only"]);
    let own = address_v6(&env, "cb", "six");
    assert!(own.starts_with("fd") && own.ends_with("::3"), "{own}");
    assert!(reaches(&env, "ca", &own));
    assert!(reaches(&env, "ca", &address(&env, "cb", "six")), "IPv4 beside it");
    assert_eq!(address(&env, "cc", "only"), "");
    assert!(!reaches(&env, "ca", &address_v6(&env, "cc", "only")), "another network");
    let route = env.naru(&["exec", "cc", "ip", "-6", "route"]).ok();
    assert!(route.contains("default via fd"), "{route}");
}

#[test]
fn static_address_is_kept_and_refused_twice() {
    let env = TestEnv::with_busybox();
    let _ = env.docker(&["network", "create", "--subnet", "10.61.0.0/24", "front"]).ok();
    sleeper(&env, "ca", &["--network", "front", "--ip", "10.61.0.9", "--mac-address", "02:42:00:00:00:09"]);
    assert_eq!(address(&env, "ca", "front"), "10.61.0.9");
    let shown = env.naru(&["exec", "ca", "ip", "link", "show", "eth0"]).ok();
    assert!(shown.contains("02:42:00:00:00:09"), "{shown}");
    let taken = env.docker(&["run", "--rm", "--network", "front", "--ip", "10.61.0.9", "busybox", "true"]);
    let text = taken.fails_with(125);
    assert!(text.contains("Address already in use"), "{text}");
    let outside = env.docker(&["run", "--rm", "--network", "front", "--ip", "10.9.9.9", "busybox", "true"]);
    let text = outside.fails_with(125);
    assert!(text.contains("no configured subnet or ip-range contain the IP address 10.9.9.9"), "{text}");
    let same = ["run", "--rm", "--network", "front", "--mac-address", "02:42:00:00:00:09", "busybox", "true"];
    let text = env.docker(&same).fails_with(125);
    assert!(text.contains("MAC address 02:42:00:00:00:09 is already in use"), "{text}");
}

#[test]
fn used_network_stays_and_unused_ones_are_pruned() {
    let env = TestEnv::with_busybox();
    let _ = env.docker(&["network", "create", "used"]).ok();
    let _ = env.docker(&["network", "create", "unused"]).ok();
    sleeper(&env, "ca", &["--network", "used"]);
    let text = env.docker(&["network", "rm", "used"]).fails_with(1);
    assert!(text.contains("network used has active endpoints (name:\"ca\" id:\""), "{text}");
    let text = env.docker(&["network", "rm", "bridge"]).fails_with(1);
    assert!(text.contains("bridge is a pre-defined network and cannot be removed"), "{text}");
    let pruned = env.docker(&["network", "prune", "-f"]).ok();
    assert_eq!(pruned, "Deleted Networks:\nunused");
    assert_eq!(links(&env).matches(": br-").count(), 1, "{}", links(&env));
    let _ = env.docker(&["rm", "-f", "ca"]).ok();
    let _ = env.docker(&["network", "rm", "used"]).ok();
    assert!(!links(&env).contains(": br-"), "{}", links(&env));
    let text = env.docker(&["run", "--rm", "--network", "used", "busybox", "true"]).fails_with(125);
    assert!(text.contains("failed to set up container networking: network used not found"), "{text}");
}

#[test]
fn networks_and_addresses_survive_a_crash_of_the_engine() {
    let mut env = TestEnv::with_busybox();
    let _ = env.docker(&["network", "create", "--ipv6", "front"]).ok();
    let _ = env.docker(&["network", "create", "back"]).ok();
    sleeper(&env, "ca", &["--network", "front", "--network", "back"]);
    let template = "{{json .NetworkSettings.Networks}}";
    let before = env.inspect("ca", template);
    env.crash_engine();
    env.start_engine();
    assert_eq!(env.inspect("ca", template), before);
    sleeper(&env, "cb", &["--network", "back"]);
    assert_ne!(address(&env, "ca", "back"), address(&env, "cb", "back"));
    assert!(reaches(&env, "cb", &address(&env, "ca", "back")));
    let _ = env.docker(&["network", "disconnect", "back", "ca"]).ok();
    assert!(!reaches(&env, "cb", &address_v6(&env, "ca", "front")));
}

#[test]
fn engine_may_die_in_the_middle_of_connecting_and_disconnecting() {
    for (moment, connected) in
        [("PersistConnect", true), ("Connect", true), ("PersistDisconnect", false), ("Disconnect", false)]
    {
        let mut env = TestEnv::with_busybox();
        let _ = env.docker(&["network", "create", "front"]).ok();
        sleeper(&env, "ca", &[]);
        if !connected {
            let _ = env.docker(&["network", "connect", "front", "ca"]).ok();
        }
        env.stop_engine();
        env.start_engine_with(&[("NARU_CRASH_AFTER".to_owned(), moment.to_owned())]);
        let verb = if connected { "connect" } else { "disconnect" };
        let _ = env.docker(&["network", verb, "front", "ca"]);
        env.wait_for_engine_end();
        env.start_engine();
        let shown = env.naru(&["exec", "ca", "ip", "-o", "link"]).ok();
        assert_eq!(shown.contains("eth1"), connected, "{moment}: {shown}");
        let networks = env.inspect("ca", "{{json .NetworkSettings.Networks}}");
        assert_eq!(networks.contains("\"front\""), connected, "{moment}: {networks}");
    }
}

#[test]
fn network_settings_are_shown_as_they_were_given() {
    let env = TestEnv::with_busybox();
    let create = [
        "network",
        "create",
        "--subnet",
        "10.61.0.0/24",
        "--ip-range",
        "10.61.0.128/25",
        "--gateway",
        "10.61.0.254",
        "--aux-address",
        "nas=10.61.0.130",
        "--label",
        "a=b",
        "-o",
        "com.docker.network.driver.mtu=1400",
        "front",
    ];
    let _ = env.docker(&create).ok();
    let shown = env.request("GET", "/networks/front", None).json();
    assert_eq!(
        shown["IPAM"]["Config"][0].to_string(),
        r#"{"AuxiliaryAddresses":{"nas":"10.61.0.130"},"Gateway":"10.61.0.254","IPRange":"10.61.0.128/25","Subnet":"10.61.0.0/24"}"#
    );
    assert_eq!(shown["Labels"]["a"], "b");
    sleeper(&env, "ca", &["--network", "front"]);
    assert_eq!(address(&env, "ca", "front"), "10.61.0.128");
    let device = env.naru(&["exec", "ca", "cat", "/sys/class/net/eth0/mtu"]).ok();
    assert_eq!(device.trim(), "1400");
    let overlap = env.docker(&["network", "create", "--subnet", "10.61.0.0/25", "other"]).fails_with(1);
    assert!(overlap.contains("Pool overlaps with other one on this address space"), "{overlap}");
    let taken = env.docker(&["network", "create", "front"]).fails_with(1);
    assert!(taken.contains("network with name front already exists"), "{taken}");
}
