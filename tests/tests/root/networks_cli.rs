//! `naru network` and the options of `run` for networks, beside the real docker CLI on the same engine.

use testkit::TestEnv;

#[test]
fn network_commands_print_what_dockers_print() {
    let env = TestEnv::with_busybox();
    let id = env
        .naru(&["network", "create", "--subnet", "10.71.0.0/24", "--label", "a=b", "--internal", "front"])
        .ok();
    assert_eq!(id.len(), 64, "{id}");
    let _ =
        env.naru(&["network", "create", "--ipv6", "-o", "com.docker.network.driver.mtu=1400", "back"]).ok();
    for args in [
        &["network", "ls"][..],
        &["network", "ls", "-q"],
        &["network", "ls", "--no-trunc", "--filter", "driver=bridge"],
        &["network", "ls", "--filter", "label=a=b", "--format", "{{.Name}} {{.Driver}} {{.Internal}}"],
        &["network", "inspect", "front", "back"],
        &["network", "inspect", "-f", "{{range .IPAM.Config}}{{.Subnet}}{{end}}", "front"],
    ] {
        let sorted = |text: String| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            if args[1] == "ls" {
                lines.sort(); // the same names, in whatever order they came
            }
            lines
        };
        assert_eq!(sorted(env.naru(args).ok()), sorted(env.docker(args).ok()), "{args:?}");
    }
    let missing = env.naru(&["network", "inspect", "nosuch"]);
    assert_eq!((missing.code, missing.stdout.trim()), (1, "[]"), "{}", missing.stderr);
    assert!(env.naru(&["network", "create", "front"]).fails_with(1).contains("already exists"));
    let stderr = env.naru(&["network", "create", "--subnet", "10.71.0.0/25", "other"]).fails_with(1);
    assert!(stderr.contains("overlap"), "{stderr}");
    assert_eq!(env.naru(&["network", "rm", "front"]).ok(), "front");
    assert_eq!(env.naru(&["network", "prune", "-f"]).ok(), "Deleted Networks:\nback");
    assert!(env.naru(&["network", "rm", "bridge"]).fails_with(1).contains("pre-defined"));
}

#[test]
fn run_takes_networks_with_their_options() {
    let env = TestEnv::with_busybox();
    let _ = env.naru(&["network", "create", "--subnet", "10.71.0.0/24", "front"]).ok();
    let _ = env.naru(&["network", "create", "--subnet", "10.72.0.0/24", "back"]).ok();
    let server = [
        "run",
        "-d",
        "--name",
        "server",
        "--network",
        "name=front,ip=10.71.0.9,alias=web",
        "--network",
        "back",
    ];
    let _ = env.naru(&[&server[..], &["busybox", "sleep", "1000"]].concat()).ok();
    let address = |network: &str| {
        env.inspect("server", &format!("{{{{(index .NetworkSettings.Networks {network:?}).IPAddress}}}}"))
    };
    assert_eq!(address("front"), "10.71.0.9");
    assert!(address("back").starts_with("10.72.0."));
    let asked = [
        "run",
        "--rm",
        "--network",
        "front",
        "--ip",
        "10.71.0.10",
        "--mac-address",
        "02:42:0a:47:00:63",
        "busybox",
    ];
    let shown = env.naru(&[&asked[..], &["sh", "-c", "ip -o addr show eth0; nslookup web"]].concat()).ok();
    for part in ["10.71.0.10/24", "10.71.0.9"] {
        assert!(shown.contains(part), "{shown}");
    }
    let _ = env.naru(&["network", "disconnect", "back", "server"]).ok();
    assert_eq!(env.inspect("server", "{{len .NetworkSettings.Networks}}"), "1");
    let _ =
        env.naru(&["network", "connect", "--alias", "again", "--ip", "10.72.0.50", "back", "server"]).ok();
    assert_eq!(address("back"), "10.72.0.50");
    let stderr = env.naru(&["network", "rm", "back"]).fails_with(1);
    assert!(stderr.contains("active endpoints") && stderr.contains("server"), "{stderr}");
    let wrong = env.naru(&["run", "--rm", "--network", "front", "--ip", "10.99.0.1", "busybox", "true"]);
    assert_ne!(wrong.code, 0, "an address outside of the subnet");
    assert_eq!(env.naru(&["ps", "-aq"]).ok().lines().count(), 1, "nothing half-made is left");
}
