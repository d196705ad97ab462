//! Published ports, with packets: from a neighbour, from the host, from containers; IPv4 and IPv6, TCP and UDP.

use std::process::{Child, Command, Stdio};
use testkit::{TestEnv, wait_until};

/// A second host: a namespace of its own that is connected with the engine's.
///
/// The engine's host is 192.0.2.1 and 2001:db8::1, the neighbour 192.0.2.2 and 2001:db8::2.
struct Neighbour(Child);

impl Neighbour {
    fn of(env: &TestEnv) -> Self {
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--net", "sleep", "1000"])
            .env("NARU_TEST_MARK", env.cgroup_parent())
            .spawn()
            .expect("unshare runs");
        let neighbour = Self(child);
        let pid = neighbour.0.id();
        wait_until("the neighbour is there", || {
            std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == "sleep")
        });
        let pid = pid.to_string();
        let here = [
            format!("link add up0 type veth peer name up1 netns {pid}"),
            "addr add 192.0.2.1/24 dev up0".into(),
            "addr add 2001:db8::1/64 dev up0 nodad".into(),
            "link set up0 up".into(),
        ];
        for line in here {
            let _ = env.run_in_namespace("ip", &line.split(' ').collect::<Vec<_>>()).ok();
        }
        for line in [
            "addr add 192.0.2.2/24 dev up1",
            "addr add 2001:db8::2/64 dev up1 nodad",
            "link set up1 up",
            "link set lo up",
        ] {
            assert!(
                neighbour.command("ip").args(line.split(' ')).status().expect("ip runs").success(),
                "{line}"
            );
        }
        neighbour
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.0.id())).arg(program).stdin(Stdio::null());
        command
    }

    /// Returns what a server sends at once, or nothing.
    fn ask(&self, address: &str, port: &str) -> String {
        shown(self.command("busybox").args(["nc", "-w", "5", address, port]))
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.0.kill(); // ended on purpose
        let _ = self.0.wait();
    }
}

fn shown(command: &mut Command) -> String {
    let output = command.output().expect("the program runs");
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

/// Returns what a server answers to somebody in the engine's namespace, or nothing.
fn ask_here(env: &TestEnv, address: &str, port: &str) -> String {
    env.run_in_namespace("busybox", &["nc", "-w", "5", address, port]).stdout.trim_end().to_owned()
}

/// Starts a container that answers each connection to port 80 with its name and who it sees as its peer.
fn serve(env: &TestEnv, name: &str, flags: &[&str]) {
    let script = format!("exec nc -ll -p 80 -e sh -c 'echo {name}'");
    let mut args = vec!["run", "-d", "--name", name];
    args.extend(flags);
    args.extend(["busybox", "sh", "-c", &script]);
    let _ = env.naru(&args).ok();
    let own = env.inspect(name, "{{.NetworkSettings.Networks.bridge.IPAddress}}");
    wait_until("the server listens", || ask_here(env, &own, "80") == name);
}

#[test]
fn port_is_reached_from_everywhere() {
    let env = TestEnv::with_busybox();
    let neighbour = Neighbour::of(&env);
    serve(&env, "web", &["-p", "8080:80"]);
    assert_eq!(neighbour.ask("192.0.2.1", "8080"), "web", "from another host");
    assert_eq!(neighbour.ask("2001:db8::1", "8080"), "web", "from another host by IPv6");
    for address in ["127.0.0.1", "127.0.0.9", "::1", "192.0.2.1", "2001:db8::1"] {
        assert_eq!(ask_here(&env, address, "8080"), "web", "from the host itself at {address}");
    }
    let gateway = env.inspect("web", "{{.NetworkSettings.Networks.bridge.Gateway}}");
    for address in ["192.0.2.1", &gateway] {
        for command in ["exec web", "run --rm busybox"] {
            let mut args: Vec<&str> = command.split(' ').collect();
            args.extend(["nc", "-w", "5", address, "8080"]);
            assert_eq!(env.naru(&args).ok(), "web", "from a container: {command} at {address}");
        }
    }
    let own = env.inspect("web", "{{.NetworkSettings.Networks.bridge.IPAddress}}");
    let route = format!("route add {own} via 192.0.2.1");
    assert!(neighbour.command("ip").args(route.split(' ')).status().expect("ip runs").success());
    assert_eq!(neighbour.ask(&own, "80"), "", "not past the published port");
}

#[test]
fn port_of_one_address_is_reached_there_only() {
    let env = TestEnv::with_busybox();
    let neighbour = Neighbour::of(&env);
    serve(&env, "local", &["-p", "127.0.0.1:8081:80", "-p", "[::1]:8081:80"]);
    serve(&env, "outer", &["-p", "192.0.2.1:8082:80"]);
    assert_eq!(
        (ask_here(&env, "127.0.0.1", "8081"), ask_here(&env, "::1", "8081")),
        ("local".into(), "local".into())
    );
    assert_eq!(
        (neighbour.ask("192.0.2.1", "8081"), ask_here(&env, "192.0.2.1", "8081")),
        (String::new(), String::new())
    );
    // A neighbour that sends packets for the loopback to us.
    let route = "route add 127.0.0.1/32 via 192.0.2.1 dev up1 table 5";
    assert!(neighbour.command("ip").args(route.split(' ')).status().expect("ip runs").success());
    assert!(
        neighbour
            .command("ip")
            .args(["rule", "add", "pref", "0", "lookup", "5"])
            .status()
            .expect("ip")
            .success()
    );
    assert_eq!(neighbour.ask("127.0.0.1", "8081"), "", "the host's loopback is no one else's");
    assert_eq!(neighbour.ask("192.0.2.1", "8082"), "outer");
    assert_eq!(
        (ask_here(&env, "192.0.2.1", "8082"), ask_here(&env, "127.0.0.1", "8082")),
        ("outer".into(), String::new())
    );
}

/// A program that runs in a container's network namespace, until it is dropped.
struct Inside(Child);

impl Inside {
    fn python(env: &TestEnv, container: &str, script: &str) -> Self {
        let pid = env.inspect(container, "{{.State.Pid}}");
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{pid}/ns/net")).args(["python3", "-c", script]);
        command.env("NARU_TEST_MARK", env.cgroup_parent()).stdin(Stdio::null());
        Self(command.spawn().expect("nsenter runs"))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = self.0.kill(); // ended on purpose
        let _ = self.0.wait();
    }
}

/// Sends a datagram from a connected socket, which takes answers of this address only, and prints the answer.
const ASK_BY_DATAGRAM: &str = "import socket,sys\na,p=sys.argv[1:]\ns=socket.socket(socket.AF_INET6 if ':' in a else socket.AF_INET,socket.SOCK_DGRAM)\ns.settimeout(2)\ns.connect((a,int(p)))\ns.send(b'ping')\nprint(s.recv(99).decode())\n";

/// Sends back what each of many connections sends.
const ECHO_SERVER: &str = "import socket,threading\ns=socket.create_server(('',80),backlog=128)\ndef serve(c):\n  while d:=c.recv(4096): c.sendall(d)\n  c.close()\nwhile True:\n  threading.Thread(target=serve,args=(s.accept()[0],),daemon=True).start()\n";

const DATAGRAM_SERVER: &str = "import socket\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\ns.bind(('',53))\nwhile True:\n  d,a=s.recvfrom(99)\n  s.sendto(b'pong',a)\n";

#[test]
fn datagrams_are_answered_from_where_they_were_sent_to() {
    let env = TestEnv::with_busybox();
    let neighbour = Neighbour::of(&env);
    let _ = env.naru(&["run", "-d", "--name", "dns", "-p", "5353:53/udp", "busybox", "sleep", "1000"]).ok();
    let _server = Inside::python(&env, "dns", DATAGRAM_SERVER);
    for address in ["192.0.2.1", "2001:db8::1"] {
        wait_until(&format!("a neighbour is answered by {address}"), || {
            shown(neighbour.command("python3").args(["-c", ASK_BY_DATAGRAM, address, "5353"])) == "pong"
        });
    }
    for address in ["127.0.0.1", "127.0.0.9", "::1", "192.0.2.1", "2001:db8::1"] {
        wait_until(&format!("the host is answered by {address}"), || {
            env.run_in_namespace("python3", &["-c", ASK_BY_DATAGRAM, address, "5353"]).stdout.trim() == "pong"
        });
    }
}

#[test]
fn ports_are_shown_as_docker_shows_them() {
    let env = TestEnv::with_busybox();
    let args =
        ["run", "-d", "--name", "one", "-p", "8080:80", "-p", "127.0.0.1:9090:90/udp", "--expose", "443"];
    let mut all = args.to_vec();
    all.extend(["busybox", "sleep", "1000"]);
    let _ = env.naru(&all).ok();
    let expected = r#"{"443/tcp":null,"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"},{"HostIp":"::","HostPort":"8080"}],"90/udp":[{"HostIp":"127.0.0.1","HostPort":"9090"}]}"#;
    assert_eq!(env.inspect("one", "{{json .NetworkSettings.Ports}}"), expected);
    let bindings =
        r#"{"80/tcp":[{"HostIp":"","HostPort":"8080"}],"90/udp":[{"HostIp":"127.0.0.1","HostPort":"9090"}]}"#;
    assert_eq!(env.inspect("one", "{{json .HostConfig.PortBindings}}"), bindings);
    let row = "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 443/tcp, 127.0.0.1:9090->90/udp";
    let mut words: Vec<_> = row.split(", ").collect();
    words.sort_unstable();
    for program in ["naru", "docker"] {
        let shown = env.run(program, &["ps", "--format", "{{.Ports}}"]).ok();
        let mut shown: Vec<_> = shown.split(", ").collect();
        shown.sort_unstable();
        assert_eq!(shown, words, "{program} ps");
        let shown = env.run(program, &["port", "one"]).ok();
        assert_eq!(
            shown, "80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n90/udp -> 127.0.0.1:9090",
            "{program} port"
        );
        assert_eq!(env.run(program, &["port", "one", "90/udp"]).ok(), "127.0.0.1:9090");
        let refused = env.run(program, &["port", "one", "443"]).fails_with(1);
        assert!(refused.contains("No public port '443' published for one"), "{refused}");
    }
    let _ = env.naru(&["stop", "-t", "0", "one"]).ok();
    assert_eq!(env.inspect("one", "{{json .NetworkSettings.Ports}}"), "{}");
    assert_eq!(env.naru(&["port", "one"]).ok(), "");
}

#[test]
fn ranges_and_ephemeral_ports_are_chosen_anew_at_each_start() {
    let env = TestEnv::with_busybox();
    let publish =
        ["-p", "7000-7002:70", "-p", "4000-4001:40-41", "-p", "80", "-P", "--expose", "1000-1001/udp"];
    let mut args = vec!["create", "--name", "one"];
    args.extend(publish);
    args.extend(["busybox", "sleep", "1000"]);
    let _ = env.naru(&args).ok();
    let port = |of: &str| {
        let all = env.naru(&["port", "one", of]).ok();
        let ports: Vec<_> =
            all.lines().map(|line| line.rsplit(':').next().expect("a port").to_owned()).collect();
        assert_eq!((ports.len(), &ports[0]), (2, &ports[1]), "both families have the same port: {all}");
        ports[0].parse::<u16>().expect("a number")
    };
    let mut seen = Vec::new();
    for round in 0..3 {
        let _ = env.naru(&["start", "one"]).ok();
        assert_eq!((port("70"), port("40"), port("41")), (7000 + round, 4000, 4001));
        seen.extend([port("80"), port("1000/udp"), port("1001/udp")]);
        let _ = env.naru(&["stop", "-t", "0", "one"]).ok();
    }
    assert!(seen.iter().all(|port| *port >= 1024), "{seen:?}");
}

#[test]
fn taken_port_says_by_whom_and_leaves_nothing() {
    let env = TestEnv::with_busybox();
    let run = |name: &str, port: &str| {
        env.naru(&["run", "-d", "--name", name, "-p", port, "-p", "9999:99", "busybox", "sleep", "1000"])
    };
    let _ = env.naru(&["run", "-d", "--name", "old", "-p", "8080:80", "busybox", "sleep", "1000"]).ok();
    let refused = run("new", "8080:80").fails_with(125);
    assert!(
        refused.contains("driver failed programming external connectivity on endpoint new ("),
        "{refused}"
    );
    assert!(
        refused.contains("Bind for 0.0.0.0:8080 failed: port is already allocated by container \"old\""),
        "{refused}"
    );
    assert_eq!(env.inspect("new", "{{.State.Status}} {{json .NetworkSettings.Ports}}"), "created {}");

    let mut other = env_command(&env, "busybox")
        .args(["nc", "-ll", "-p", "8090", "-e", "true"])
        .spawn()
        .expect("nc runs");
    wait_until("another program listens", || {
        env.run_in_namespace("busybox", &["nc", "-w", "1", "127.0.0.1", "8090"]).code == 0
    });
    let refused = run("third", "8090:80").fails_with(125);
    assert!(refused.contains("failed to bind host port for 0.0.0.0:8090:"), "{refused}");
    assert!(
        refused.contains(&format!("/tcp: address already in use by process {} (busybox)", other.id())),
        "{refused}"
    );
    other.kill().expect("our child");
    other.wait().expect("our child");

    let refused = run("fourth", "203.0.113.7:80:80").fails_with(125);
    assert!(refused.contains("cannot assign requested address"), "{refused}");
    let _ = env.naru(&["rm", "-f", "old"]).ok();
    for name in ["new", "third", "fourth"] {
        let _ = env.naru(&["rm", name]).ok();
    }
    // What failed had reserved nothing: the second port of each is free, and so is the removed one's.
    let _ = run("again", "8080:80").ok();
}

fn env_command(env: &TestEnv, program: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/proc/{}/ns/net", env.namespace_pid())).arg(program);
    command.env("NARU_TEST_MARK", env.cgroup_parent()).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

#[test]
fn published_port_is_reserved_for_other_programs_too() {
    let env = TestEnv::with_busybox();
    let _ = env.naru(&["run", "-d", "--name", "one", "-p", "8080:80", "busybox", "sleep", "1000"]).ok();
    let bind = |flag: &str| {
        env.run_in_namespace("python3", &["-c", &format!(
            "import socket; s=socket.socket(socket.{flag}); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('', 8080)); s.listen()"
        )]).code
    };
    assert_ne!(bind("AF_INET"), 0, "taken");
    assert_ne!(bind("AF_INET6"), 0, "taken");
    let _ = env.naru(&["rm", "-f", "one"]).ok();
    assert_eq!((bind("AF_INET"), bind("AF_INET6")), (0, 0), "free as soon as the container is gone");
}

#[test]
fn ports_without_a_network_of_its_own() {
    let env = TestEnv::with_busybox();
    let ran = env.naru(&[
        "run",
        "-d",
        "--name",
        "host",
        "--network",
        "host",
        "-p",
        "80:80",
        "busybox",
        "sleep",
        "100",
    ]);
    assert!(
        ran.stderr.contains("Published ports are discarded when using host network mode"),
        "{}",
        ran.stderr
    );
    assert_eq!(env.inspect("host", "{{json .NetworkSettings.Ports}}"), "{}");
    let _ = env
        .naru(&["run", "-d", "--name", "none", "--network", "none", "-p", "80:80", "busybox", "sleep", "100"])
        .ok();
    let refused =
        env.naru(&["create", "--network", "container:none", "-p", "80:80", "busybox"]).fails_with(1);
    assert!(
        refused.contains("conflicting options: port publishing and the container type network mode"),
        "{refused}"
    );
}

#[test]
fn thousand_ports_are_published_and_removed() {
    let env = TestEnv::with_busybox();
    let neighbour = Neighbour::of(&env);
    let _ = env
        .naru(&[
            "run",
            "-d",
            "--name",
            "one",
            "-p",
            "20000-20999:1000-1999",
            "busybox",
            "sh",
            "-c",
            "for p in 1000 1500 1999; do nc -ll -p $p -e echo $p & done; ulimit -n; wait",
        ])
        .ok();
    for (outside, inside) in [("20000", "1000"), ("20500", "1500"), ("20999", "1999")] {
        wait_until("the server answers", || neighbour.ask("192.0.2.1", outside) == inside);
        assert_eq!(ask_here(&env, "127.0.0.1", outside), inside);
    }
    assert_eq!(env.naru(&["port", "one"]).ok().lines().count(), 2000);
    // Those that hold the sockets may have many open; the container's programs have the limit that all have.
    let limit = env.naru(&["run", "--rm", "busybox", "sh", "-c", "ulimit -n"]).ok();
    assert_eq!(env.naru(&["logs", "one"]).ok(), limit);
    assert_eq!(env.naru(&["exec", "one", "sh", "-c", "ulimit -n"]).ok(), limit);
    let _ = env.naru(&["rm", "-f", "one"]).ok();
    let left = env.run_in_namespace("nft", &["list", "ruleset"]).ok();
    assert!(!left.contains("20500"), "{left}");
    let _ = env.naru(&["run", "--rm", "-p", "20000-20999:1000-1999", "busybox", "true"]).ok();
}

#[test]
fn connections_through_ports_outlive_the_engine() {
    let mut env = TestEnv::with_busybox();
    let neighbour = Neighbour::of(&env);
    let _ = env.naru(&["run", "-d", "--name", "echo", "-p", "8080:80", "busybox", "sleep", "1000"]).ok();
    let _server = Inside::python(&env, "echo", ECHO_SERVER);
    wait_until("the server listens", || {
        let ask = "echo x | busybox nc -w 1 127.0.0.1 8080";
        env.run_in_namespace("sh", &["-c", ask]).stdout.trim() == "x"
    });
    // Each sends a number every tenth of a second and wants it back.
    let talk = |address: &str| {
        format!(
            "import socket,sys,time\ns=socket.create_connection(('{address}',8080),10)\ns.settimeout(60)\nf=s.makefile('rw')\nn=0\nwhile True:\n  f.write(str(n)+'\\n'); f.flush()\n  assert f.readline().strip()==str(n)\n  n+=1\n  if n%10==0: print(n,flush=True)\n  time.sleep(0.1)\n"
        )
    };
    let mut clients = Vec::new();
    for number in 0..50 {
        let (address, mut command) = match number % 5 {
            0 => ("127.0.0.1", env_command(&env, "python3")),
            1 => ("192.0.2.1", env_command(&env, "python3")),
            2 => ("2001:db8::1", neighbour.command("python3")),
            _ => ("192.0.2.1", neighbour.command("python3")),
        };
        let file = env.folder().join(format!("client-{number}"));
        command.args(["-c", &talk(address)]).env("NARU_TEST_MARK", env.cgroup_parent());
        command.stdout(std::fs::File::create(&file).expect("writable"));
        clients.push((command.spawn().expect("python3 runs"), file));
    }
    let count = |file: &std::path::Path| std::fs::read_to_string(file).expect("readable").lines().count();
    for (_, file) in &clients {
        wait_until("every client talks", || count(file) > 0);
    }
    for round in 0..2 {
        env.crash_engine();
        let before: Vec<_> = clients.iter().map(|(_, file)| count(file)).collect();
        for ((_, file), before) in clients.iter().zip(&before) {
            wait_until("every client talks on without an engine", || count(file) > *before);
        }
        env.start_engine();
        assert_eq!(env.naru(&["port", "echo", "80"]).ok(), "0.0.0.0:8080\n[::]:8080", "round {round}");
        for address in ["192.0.2.1", "2001:db8::1"] {
            let ask = format!("echo new | busybox nc -w 5 {address} 8080");
            assert_eq!(
                shown(neighbour.command("sh").args(["-c", &ask])),
                "new",
                "new connections after restart {round}"
            );
        }
    }
    let before: Vec<_> = clients.iter().map(|(_, file)| count(file)).collect();
    for ((_, file), before) in clients.iter().zip(&before) {
        wait_until("every client talks on with the next engine", || count(file) > *before);
    }
    for (mut client, _) in clients {
        assert!(client.try_wait().expect("our child").is_none(), "no connection broke");
        client.kill().expect("our child");
        client.wait().expect("our child");
    }
    let refused = env.naru(&["run", "-p", "8080:80", "busybox", "true"]).fails_with(125);
    assert!(refused.contains("port is already allocated by container \"echo\""), "{refused}");
}

#[test]
fn nothing_stale_is_left_after_a_crash() {
    let mut env = TestEnv::with_busybox();
    let neighbour = Neighbour::of(&env);
    serve(&env, "web", &["-p", "8080:80"]);
    let supervisors = env.supervisors();
    env.crash_engine();
    for pid in supervisors {
        let _ = Command::new("kill").args(["-9", &pid.to_string()]).status().expect("kill runs");
    }
    env.start_engine();
    wait_until("the end is known", || env.inspect("web", "{{.State.Status}}") == "exited");
    let rules = env.run_in_namespace("nft", &["list", "ruleset"]).ok();
    assert!(!rules.contains("8080"), "{rules}");
    assert_eq!(neighbour.ask("192.0.2.1", "8080"), "");
    let _ = env.naru(&["run", "--rm", "-p", "8080:80", "busybox", "true"]).ok();
}

#[test]
fn flushed_packet_filter_is_put_back_and_connections_go_on() {
    let env = TestEnv::with_busybox();
    let neighbour = Neighbour::of(&env);
    serve(&env, "web", &["-p", "8080:80"]);
    let nft = |line: &str| env.run_in_namespace("nft", &line.split(' ').collect::<Vec<_>>()).ok();
    let rules = || nft("list ruleset");
    let before = rules();
    assert!(before.contains("8080"), "{before}");
    let _ = nft("add table inet mine");
    for command in ["flush ruleset", "delete table ip naru-naru0-ports", "flush table ip naru-naru0-ports"] {
        let _ = nft(command);
        wait_until(&format!("after {command} all is as it was"), || {
            rules().replace("table inet mine {\n}\n", "").trim() == before.trim()
        });
        assert_eq!(neighbour.ask("192.0.2.1", "8080"), "web", "{command}");
    }
}

#[test]
fn iptables_that_drop_forwarded_packets_do_not_stop_ours() {
    let env = TestEnv::with_busybox();
    let neighbour = Neighbour::of(&env);
    let iptables =
        |line: &str| env.run_in_namespace("iptables-nft", &line.split(' ').collect::<Vec<_>>()).ok();
    // As a Docker engine leaves it, before and after ours has started its first container.
    let _ = iptables("-P FORWARD DROP");
    let _ = iptables("-A FORWARD -i docker0 -j ACCEPT");
    serve(&env, "web", &["-p", "8080:80"]);
    assert_eq!(neighbour.ask("192.0.2.1", "8080"), "web");
    let shown = iptables("-S FORWARD");
    let shown = shown.replace(" -m comment --comment \"naru naru0\"", "");
    let expected = [
        "-P FORWARD DROP",
        "-A FORWARD -i naru0 -j ACCEPT",
        "-A FORWARD -o naru0 -j ACCEPT",
        "-A FORWARD -i docker0 -j ACCEPT",
    ];
    assert_eq!(
        shown.lines().collect::<Vec<_>>(),
        expected,
        "listed as rules of iptables, and nothing else is touched"
    );
    let _ = iptables("-F FORWARD");
    wait_until("the rules are put back", || iptables("-S FORWARD").lines().count() == 3);
    assert_eq!(neighbour.ask("192.0.2.1", "8080"), "web");
    let _ = iptables("-P FORWARD ACCEPT");
    let _ = iptables("-F FORWARD");
    assert_eq!(neighbour.ask("192.0.2.1", "8080"), "web");
}

#[test]
fn operator_decides_where_ports_are_published() {
    let flags = vec!["--ip".to_owned(), "127.0.0.1".to_owned()];
    let env = TestEnv::with(testkit::EnvOptions { flags, ..testkit::EnvOptions::default() });
    let _ = env.naru(&["pull", "-q", "busybox"]).ok();
    let _ = env
        .naru(&[
            "run",
            "-d",
            "--name",
            "one",
            "-p",
            "8080:80",
            "-p",
            "0.0.0.0:8081:81",
            "busybox",
            "sleep",
            "100",
        ])
        .ok();
    assert_eq!(env.naru(&["port", "one"]).ok(), "80/tcp -> 127.0.0.1:8080\n81/tcp -> 0.0.0.0:8081");
}

#[test]
fn ports_of_a_running_container_change() {
    let mut env = TestEnv::with_busybox();
    let neighbour = Neighbour::of(&env);
    serve(&env, "web", &["-p", "8080:80"]);
    let _ = env.naru(&["run", "-d", "--name", "other", "-p", "9090:80", "busybox", "sleep", "1000"]).ok();
    let pid = env.inspect("web", "{{.State.Pid}}");
    let shown = |env: &TestEnv| env.naru(&["port", "web"]).ok();
    let _ =
        env.naru(&["update", "--publish-add", "8081:80", "--publish-add", "127.0.0.1:8082:80", "web"]).ok();
    let all = "80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n80/tcp -> 0.0.0.0:8081\n80/tcp -> [::]:8081\n80/tcp -> 127.0.0.1:8082";
    assert_eq!(shown(&env), all);
    for port in ["8080", "8081"] {
        assert_eq!(
            (neighbour.ask("192.0.2.1", port), ask_here(&env, "::1", port)),
            ("web".into(), "web".into())
        );
    }
    assert_eq!(ask_here(&env, "127.0.0.1", "8082"), "web");
    // A port that cannot be had changes nothing, though another one was given up for it.
    let refused =
        env.naru(&["update", "--publish-rm", "8081:80", "--publish-add", "9090:81", "web"]).fails_with(1);
    assert!(refused.contains("port is already allocated by container \"other\""), "{refused}");
    assert_eq!(env.inspect("web", "{{len (index .HostConfig.PortBindings \"80/tcp\")}}"), "3");
    assert_eq!(neighbour.ask("192.0.2.1", "8081"), "web");
    let refused = env.naru(&["update", "--publish-rm", "8099:80", "web"]).fails_with(1);
    assert!(refused.contains("port 80/tcp of the container is not published at :8099"), "{refused}");

    let _ = env.naru(&["update", "--publish-rm", "8080:80", "web"]).ok();
    assert_eq!(neighbour.ask("192.0.2.1", "8080"), "");
    let _ = env.naru(&["run", "--rm", "-p", "8080:80", "busybox", "true"]).ok();
    env.crash_engine();
    env.start_engine();
    let rest = "80/tcp -> 127.0.0.1:8082\n80/tcp -> 0.0.0.0:8081\n80/tcp -> [::]:8081";
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&shown(&env)), sorted(rest));
    let _ = env.naru(&["update", "--publish-rm", "80", "web"]).ok();
    assert_eq!(shown(&env), "");
    assert_eq!(env.inspect("web", "{{.State.Pid}} {{json .HostConfig.PortBindings}}"), format!("{pid} {{}}"));
    let _ = env.naru(&["update", "--publish-add", "8080:80", "web"]).ok();
    let _ = env.naru(&["restart", "-t", "0", "web"]).ok();
    assert_eq!(shown(&env), "80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080");
    let _ = env.naru(&["stop", "-t", "0", "web"]).ok();
    let _ = env.naru(&["update", "--publish-add", "8083:80", "web"]).ok();
    let _ = env.naru(&["start", "web"]).ok();
    wait_until("the server listens", || neighbour.ask("192.0.2.1", "8083") == "web");
}

#[test]
fn sender_of_datagrams_finds_the_container_after_its_restart() {
    let env = TestEnv::with_busybox();
    let neighbour = Neighbour::of(&env);
    let start = |name: &str| {
        env.naru(&["run", "-d", "--name", name, "-p", "5353:53/udp", "busybox", "sleep", "1000"]).ok()
    };
    let _ = start("one");
    // One socket, so that it is one flow; it never rests.
    let client = "import socket\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\ns.settimeout(0.05)\ns.connect(('192.0.2.1',5353))\nwhile True:\n  try: s.send(b'ping'); s.recv(99); print('pong',flush=True)\n  except OSError: pass\n";
    let file = env.folder().join("pongs");
    let mut command = neighbour.command("python3");
    command.args(["-c", client]).env("NARU_TEST_MARK", env.cgroup_parent());
    command.stdout(std::fs::File::create(&file).expect("writable"));
    let _client = Inside(command.spawn().expect("python3 runs"));
    let pongs = || std::fs::read_to_string(&file).expect("readable").lines().count();
    let server = Inside::python(&env, "one", DATAGRAM_SERVER);
    wait_until("the first container answers", || pongs() > 0);
    drop(server);
    let _ = env.naru(&["rm", "-f", "one"]).ok();
    let before = pongs();
    let _ = start("two");
    let _server = Inside::python(&env, "two", DATAGRAM_SERVER);
    wait_until("the next container answers", || pongs() > before + 3);
}
