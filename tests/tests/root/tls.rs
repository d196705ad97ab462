//! TCP with mutual TLS, and ssh: who gets in, and what streams do there.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::{EnvOptions, Ran, TestEnv, programs};

const HOST: &str = "tcp://127.0.0.1:23760";

fn openssl(folder: &Path, args: &[&str]) {
    let output = Command::new("openssl").args(args).current_dir(folder).output().expect("openssl runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Makes an authority, and certificates `server` and `client` of it.
fn certificates(folder: &Path) {
    std::fs::create_dir_all(folder).expect("writable");
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let ca = ["req", "-x509", "-days", "2", "-subj", "/CN=ca", "-keyout", "ca-key.pem", "-out", "ca.pem"];
    openssl(folder, &[&ca[..], &key].concat());
    for name in ["server", "client"] {
        let (key_file, cert_file) = (format!("{name}-key.pem"), format!("{name}.pem"));
        let subject = format!("/CN={name}");
        let request = [
            "req",
            "-x509",
            "-days",
            "2",
            "-subj",
            &subject,
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca-key.pem",
            "-keyout",
            &key_file,
            "-out",
            &cert_file,
        ];
        openssl(folder, &[&request[..], &key].concat());
    }
    for (from, to) in [("client.pem", "cert.pem"), ("client-key.pem", "key.pem")] {
        std::fs::copy(folder.join(from), folder.join(to)).expect("a copy");
    }
}

/// Returns an environment whose engine listens on TCP too, and the folder with the certificates.
fn environment() -> (TestEnv, PathBuf) {
    let mut env = TestEnv::with(EnvOptions { without_engine: true, ..EnvOptions::default() });
    let folder = env.folder().join("certificates");
    certificates(&folder);
    let file = |name: &str| folder.join(name).display().to_string();
    let config = serde_json::json!({
        "hosts": [format!("unix://{}", env.socket().display()), HOST],
        "tlsverify": true,
        "tlscacert": file("ca.pem"),
        "tlscert": file("server.pem"),
        "tlskey": file("server-key.pem"),
    });
    std::fs::write(env.folder().join("daemon.json"), config.to_string()).expect("writable");
    env.start_engine();
    let _ = env.naru(&["pull", "-q", "busybox"]).ok();
    (env, folder)
}

/// Runs a line of shell in the engine's network namespace.
fn shell(env: &TestEnv, line: &str) -> Ran {
    env.run_in_namespace("sh", &["-c", line])
}

#[test]
fn certificate_of_the_authority_opens_the_door_and_nothing_else_does() {
    let (env, folder) = environment();
    let rogue = env.folder().join("rogue");
    certificates(&rogue);
    let naru = programs().join("naru").display().to_string();
    for cli in ["docker", &naru] {
        let with = |certs: &Path| {
            shell(
                &env,
                &format!("DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH={} {cli} -H {HOST} ps -q", certs.display()),
            )
        };
        assert_eq!(with(&folder).ok(), "", "{cli}");
        // The right authority, but a certificate of another one.
        std::fs::copy(folder.join("ca.pem"), rogue.join("ca.pem")).expect("a copy");
        assert_ne!(with(&rogue).code, 0, "{cli}");
        assert_ne!(shell(&env, &format!("{cli} -H {HOST} ps -q")).code, 0, "{cli}");
    }
    let plain =
        shell(&env, "printf 'GET /_ping HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' | timeout 20 nc 127.0.0.1 23760");
    assert!(!plain.stdout.contains("OK"), "{}", plain.stdout);
    assert_eq!(env.naru(&["ps", "-q"]).ok(), "", "the unix socket still answers");
}

#[test]
fn attached_streams_are_relayed_with_their_ends() {
    let (env, folder) = environment();
    let naru = programs().join("naru").display().to_string();
    for cli in ["docker", &naru] {
        let tls = format!(
            "--tlsverify --tlscacert {0}/ca.pem --tlscert {0}/cert.pem --tlskey {0}/key.pem",
            folder.display()
        );
        let run = |line: &str| shell(&env, &line.replace("CLI", &format!("{cli} {tls} -H {HOST}")));
        let counted = run("head -c 300000 /dev/zero | CLI run --rm -i busybox wc -c");
        assert_eq!(counted.ok(), "300000", "{cli}");
        let both = run("CLI run --rm busybox sh -c 'echo out; echo err >&2; exit 3'");
        assert_eq!((both.stdout.as_str(), both.stderr.as_str(), both.code), ("out\n", "err\n", 3), "{cli}");
        let _ = run("CLI run -d --name one busybox sleep 1000").ok();
        assert_eq!(run("echo hello | CLI exec -i one cat").ok(), "hello", "{cli}");
        let _ = run("CLI rm -f one").ok();
    }
}

#[test]
fn tcp_without_authentication_is_refused() {
    let narud = programs().join("narud");
    let validate = |args: &[&str]| {
        let output = Command::new(&narud).arg("--validate").args(args).output().expect("narud runs");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let config = ["--config-file", "/dev/null"];
    let (fine, text) = validate(&[&config[..], &["-H", "tcp://127.0.0.1:2375"]].concat());
    assert!(!fine && text.contains("TCP needs --tlsverify"), "{text}");
    let (fine, text) = validate(&[&config[..], &["-H", "tcp://127.0.0.1:2376", "--tls"]].concat());
    assert!(!fine && text.contains("set tlsverify too"), "{text}");
    let (fine, text) = validate(&[&config[..], &["-H", "tcp://example.com:2376", "--tlsverify"]].concat());
    assert!(!fine && text.contains("an IP address is expected"), "{text}");
    assert!(validate(&[&config[..], &["-H", "tcp://:2376", "--tlsverify"]].concat()).0);
}

#[test]
fn ssh_runs_dial_stdio_on_the_other_side() {
    let env = TestEnv::with_busybox();
    let folder = env.folder().join("bin");
    std::fs::create_dir_all(&folder).expect("writable");
    // Stands for ssh: what it would run over there is run here.
    let script = "#!/bin/sh\necho \"$@\" >> \"$SSH_LOG\"\nwhile [ \"$1\" != -- ]; do shift; done\nshift 2\nexec \"$@\"\n";
    let ssh = folder.join("ssh");
    std::fs::write(&ssh, script).expect("writable");
    std::fs::set_permissions(&ssh, std::fs::Permissions::from_mode(0o755)).expect("ours");
    let log = env.folder().join("ssh.log");
    let path = format!("{}:{}:/usr/bin:/bin", folder.display(), programs().display());
    let naru = |args: &[&str]| {
        let mut command = env.command("naru");
        command.env("PATH", &path).env("SSH_LOG", &log).args(args);
        let output = command.output().expect("naru runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        (text(&output.stdout), text(&output.stderr))
    };
    let ran = naru(&["-H", "ssh://me@other:2222", "run", "--rm", "busybox", "echo", "over ssh"]);
    assert_eq!(ran, ("over ssh".to_owned(), String::new()));
    let logged = std::fs::read_to_string(&log).expect("it was called");
    let expected = "-o ConnectTimeout=30 -T -p 2222 -- me@other naru system dial-stdio";
    assert!(logged.lines().all(|line| line == expected), "{logged}");
    let (_, refused) = naru(&["-H", "ssh://-oProxyCommand=x", "ps"]);
    assert!(refused.contains("ssh://[user@]host[:port]"), "{refused}");
}
