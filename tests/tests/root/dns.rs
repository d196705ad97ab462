//! The embedded resolver on user networks, and the files that lead to it.

use std::process::{Child, Command, Stdio};
use testkit::{TestEnv, wait_until};

/// A resolver of another host: answers A queries for `outside.example` with 203.0.113.7 and all others with NXDOMAIN, and
/// writes each name that it is asked for into a file.
const RESOLVER: &str = r#"
import socket,sys
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)
s.bind((sys.argv[1],53))
log=open(sys.argv[2],'a',buffering=1)
while True:
  q,a=s.recvfrom(4096)
  n=[];i=12
  while q[i]: n.append(q[i+1:i+1+q[i]].decode()); i+=q[i]+1
  name='.'.join(n); end=i+5; kind=q[i+2]
  log.write(name+'\n')
  if name=='outside.example':
    answer=b'' if kind!=1 else b'\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4'+bytes([203,0,113,7])
    s.sendto(q[:2]+b'\x81\x80\0\1\0'+bytes([1 if answer else 0])+b'\0\0\0\0'+q[12:end]+answer,a)
  else:
    s.sendto(q[:2]+b'\x81\x83\0\1\0\0\0\0\0\0'+q[12:end],a)
"#;

/// Another program in the engine's namespace.
struct Program(Child);

impl Program {
    fn resolver(env: &TestEnv, address: &str) -> Self {
        let log = env.folder().join(format!("asked-{address}"));
        std::fs::write(&log, "").expect("writable");
        let _ = env.run_in_namespace("ip", &["addr", "add", &format!("{address}/32"), "dev", "lo"]).ok();
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", env.namespace_pid()));
        command.args(["python3", "-c", RESOLVER, address, &log.display().to_string()]);
        command.env("NARU_TEST_MARK", env.cgroup_parent()).stdin(Stdio::null());
        Self(command.spawn().expect("python3 runs"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill(); // ended on purpose
        let _ = self.0.wait();
    }
}

fn asked(env: &TestEnv, address: &str) -> String {
    std::fs::read_to_string(env.folder().join(format!("asked-{address}"))).expect("readable")
}

/// Returns the addresses that a name has for a container, sorted.
fn lookup(env: &TestEnv, container: &str, name: &str) -> Vec<String> {
    let shown = env.naru(&["exec", container, "nslookup", name]).stdout;
    let answer = shown.split_once("\n\n").map(|(_, answer)| answer.to_owned()).unwrap_or_default();
    let addresses = answer.lines().filter_map(|line| line.strip_prefix("Address: "));
    let mut addresses: Vec<_> = addresses.map(str::to_owned).collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

fn address(env: &TestEnv, container: &str, network: &str) -> String {
    env.inspect(container, &format!("{{{{(index .NetworkSettings.Networks \"{network}\").IPAddress}}}}"))
}

fn run(env: &TestEnv, name: &str, flags: &[&str]) {
    let mut args = vec!["run", "-d", "--name", name];
    args.extend(flags);
    args.extend(["busybox", "sleep", "1000"]);
    let _ = env.docker(&args).ok();
}

#[test]
fn names_aliases_ids_and_addresses_are_resolved() {
    let env = TestEnv::with_busybox();
    let _ = env.docker(&["network", "create", "front"]).ok();
    run(&env, "one", &["--network", "front", "--network-alias", "web"]);
    run(&env, "two", &["--network", "front", "--network-alias", "web"]);
    let (one, two) = (address(&env, "one", "front"), address(&env, "two", "front"));
    let id = env.inspect("two", "{{.Id}}");
    for name in ["two", "TWO", "two.front", &id[..12]] {
        assert_eq!(lookup(&env, "one", name), std::slice::from_ref(&two), "{name}");
    }
    let mut both = vec![one.clone(), two.clone()];
    both.sort();
    assert_eq!(lookup(&env, "one", "web"), both);
    let _ = env.naru(&["exec", "one", "ping", "-c", "1", "-W", "5", "two"]).ok();
    let reverse = env
        .naru(&[
            "exec",
            "one",
            "nslookup",
            "-type=ptr",
            &two.split('.').rev().chain(["in-addr", "arpa"]).collect::<Vec<_>>().join("."),
        ])
        .ok();
    assert!(reverse.contains("name = two.front"), "{reverse}");
    let resolv = env.naru(&["exec", "one", "cat", "/etc/resolv.conf"]).ok();
    assert!(resolv.contains("nameserver 127.0.0.11\n") && resolv.contains("ndots:0"), "{resolv}");
    let _ = env.naru(&["rm", "-f", "two"]).ok();
    assert_eq!(lookup(&env, "one", "web"), [one]);
}

#[test]
fn other_names_are_asked_elsewhere_and_ours_are_not() {
    let env = TestEnv::with_busybox();
    let _resolver = Program::resolver(&env, "192.0.2.53");
    let _ = env.docker(&["network", "create", "front"]).ok();
    run(&env, "one", &["--network", "front", "--dns", "192.0.2.53"]);
    run(&env, "other", &["--network", "front"]);
    wait_until("a name of the outside is resolved", || {
        lookup(&env, "one", "outside.example") == ["203.0.113.7"]
    });
    assert_eq!(lookup(&env, "one", "nosuch.example"), Vec::<String>::new());
    assert_eq!(lookup(&env, "one", "other"), [address(&env, "other", "front")]);
    let _ = env.naru(&["exec", "one", "nslookup", "-type=mx", "other"]);
    let asked = asked(&env, "192.0.2.53");
    assert!(asked.contains("outside.example") && asked.contains("nosuch.example"), "{asked}");
    assert!(!asked.lines().any(|name| name.starts_with("other")), "names of ours stay here: {asked}");
}

#[test]
fn container_that_listens_at_port_53_still_resolves_and_serves() {
    let env = TestEnv::with_busybox();
    let _ = env.docker(&["network", "create", "front"]).ok();
    run(&env, "dns", &["--network", "front"]);
    run(&env, "other", &["--network", "front"]);
    let pid = env.inspect("dns", "{{.State.Pid}}");
    let mut server = Command::new("nsenter");
    server.arg(format!("--net=/proc/{pid}/ns/net")).args(["python3", "-c", RESOLVER, "0.0.0.0"]);
    let log = env.folder().join("asked-inside");
    server.arg(&log).env("NARU_TEST_MARK", env.cgroup_parent()).stdin(Stdio::null());
    let _server = Program(server.spawn().expect("python3 runs"));
    let own = address(&env, "dns", "front");
    wait_until("its own server is asked", || {
        env.naru(&["exec", "other", "nslookup", "outside.example", &own]).stdout.contains("203.0.113.7")
    });
    assert_eq!(lookup(&env, "dns", "other"), [address(&env, "other", "front")]);
}

#[test]
fn networks_joined_later_are_known_and_left_ones_are_not() {
    let env = TestEnv::with_busybox();
    for network in ["front", "back"] {
        let _ = env.docker(&["network", "create", network]).ok();
    }
    run(&env, "one", &["--network", "front"]);
    run(&env, "db", &["--network", "back"]);
    run(&env, "late", &[]);
    assert_eq!(lookup(&env, "one", "db"), Vec::<String>::new());
    let _ = env.docker(&["network", "connect", "--alias", "first", "back", "one"]).ok();
    assert_eq!(lookup(&env, "one", "db"), [address(&env, "db", "back")]);
    assert_eq!(lookup(&env, "db", "first"), [address(&env, "one", "back")]);
    let _ = env.docker(&["network", "disconnect", "back", "one"]).ok();
    assert_eq!(lookup(&env, "one", "db"), Vec::<String>::new());
    assert_eq!(lookup(&env, "db", "first"), Vec::<String>::new());
    // One that began on the default bridge, which has no resolver.
    let _ = env.docker(&["network", "connect", "back", "late"]).ok();
    assert_eq!(lookup(&env, "late", "db"), [address(&env, "db", "back")]);
}

#[test]
fn queries_wait_for_the_next_engine() {
    let mut env = TestEnv::with_busybox();
    let _ = env.docker(&["network", "create", "front"]).ok();
    run(&env, "one", &["--network", "front"]);
    run(&env, "two", &["--network", "front"]);
    let two = address(&env, "two", "front");
    let pid = env.inspect("one", "{{.State.Pid}}");
    let ask = "import socket,struct,sys\nq=b'\\0\\7\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\3two\\0\\0\\1\\0\\1'\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\ns.settimeout(60)\ns.connect(('127.0.0.11',53))\ns.send(q)\nprint('sent',flush=True)\nprint(socket.inet_ntoa(s.recv(999)[-4:]),flush=True)\n";
    env.crash_engine();
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/proc/{pid}/ns/net")).args(["python3", "-c", ask]);
    let file = env.folder().join("answer");
    command.env("NARU_TEST_MARK", env.cgroup_parent()).stdin(Stdio::null());
    command.stdout(std::fs::File::create(&file).expect("writable"));
    let mut asking = Program(command.spawn().expect("python3 runs"));
    let shown = || std::fs::read_to_string(&file).expect("readable");
    wait_until("the query is sent without an engine", || shown().starts_with("sent"));
    assert!(asking.0.try_wait().expect("our child").is_none(), "it waits, and was not refused");
    env.start_engine();
    wait_until("the next engine answers", || shown() == format!("sent\n{two}\n"));
    assert_eq!(lookup(&env, "two", "one"), [address(&env, "one", "front")]);
}

#[test]
fn network_without_a_way_out_asks_nobody() {
    let env = TestEnv::with_busybox();
    let _resolver = Program::resolver(&env, "192.0.2.53");
    let _ = env.docker(&["network", "create", "--internal", "inner"]).ok();
    run(&env, "one", &["--network", "inner", "--dns", "192.0.2.53"]);
    run(&env, "two", &["--network", "inner"]);
    assert_eq!(lookup(&env, "one", "two"), [address(&env, "two", "inner")]);
    assert_eq!(lookup(&env, "one", "outside.example"), Vec::<String>::new());
    assert_eq!(asked(&env, "192.0.2.53"), "");
}
