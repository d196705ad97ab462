//! Hooks: order, namespaces, what they get, and what their failure does.

use super::fixture::{Bed, captured, finish};
use error::Kind;
use oci::runtime::{Hook, Hooks, State, Status};
use std::fs;
use std::os::fd::AsRawFd as _;

fn hook(script: &str) -> Hook {
    Hook {
        path: "/bin/sh".into(),
        args: ["sh", "-c", script].map(str::to_owned).to_vec(),
        env: vec!["PATH=/usr/bin:/bin".into()],
        timeout: None,
    }
}

/// Returns a hook that notes its name, its state and its namespaces in a file of the bed.
fn noting(bed: &Bed, name: &str) -> Hook {
    let log = bed.directory.join("log").display().to_string();
    hook(&format!(
        "{{ echo {name}; cat; echo; readlink /proc/self/ns/mnt /proc/self/ns/net /proc/self/ns/uts; env | sort; ls /proc/self/fd | wc -l; }} >>{log}"
    ))
}

fn log(bed: &Bed) -> Vec<String> {
    fs::read_to_string(bed.directory.join("log")).expect("hooks ran").lines().map(str::to_owned).collect()
}

#[test]
fn hooks_run_in_order_and_in_their_namespaces() {
    let mut bed = Bed::new("cat /data/start; echo program");
    bed.spec.annotations.insert("key".into(), "value".into());
    let start = "cat >/data/start; readlink /proc/self/ns/net >>/data/start; id -u >>/data/start; ls /proc/self/fd | wc -l >>/data/start";
    let hooks = Hooks {
        prestart: vec![noting(&bed, "prestart")],
        create_runtime: vec![noting(&bed, "createRuntime"), noting(&bed, "second")],
        create_container: vec![noting(&bed, "createContainer")],
        start_container: vec![Hook { path: "/bin/busybox".into(), ..hook(start) }],
        ..Hooks::default()
    };
    bed.spec.hooks = Some(hooks);
    let leak = fs::File::open("/etc/passwd").expect("it is there");
    assert!(leak.as_raw_fd() > 2);
    let (stdio, output) = captured();
    let created = bed.create(stdio).expect("it is made");
    let pid = created.pid();
    let namespace = |pid: &str, name: &str| {
        fs::read_link(format!("/proc/{pid}/ns/{name}")).expect("it lives").display().to_string()
    };
    let own = ["mnt", "net", "uts"].map(|name| namespace("self", name));
    let its = ["mnt", "net", "uts"].map(|name| namespace(&pid.to_string(), name));
    let state = |status| State {
        oci_version: oci::runtime::VERSION.into(),
        id: bed.name(),
        status,
        pid: Some(pid),
        bundle: bed.directory.clone(),
        annotations: [("key".to_owned(), "value".to_owned())].into(),
    };
    let text = |status| serde_json::to_string(&state(status)).expect("it can be written");
    let mut want = Vec::new();
    for (name, namespaces) in
        [("prestart", &own), ("createRuntime", &own), ("second", &own), ("createContainer", &its)]
    {
        want.extend([name.to_owned(), text(Status::Creating)]);
        want.extend(namespaces.iter().cloned());
        // The shell and `ls` add nothing but their own streams and the directory that is listed.
        want.extend(["PATH=/usr/bin:/bin".to_owned()]);
        want.push("PWD".into());
        want.push("fds".into());
    }
    let got: Vec<String> = log(&bed)
        .into_iter()
        .filter(|line| !line.starts_with("OLDPWD=") && !line.starts_with("_=") && !line.starts_with("SHLVL="))
        .map(|line| match line {
            line if line.starts_with("PWD=") => "PWD".into(),
            // `ls` has its streams and the directory that it lists; the pipe of its output is one of them.
            line if line == "4" => "fds".into(),
            line => line,
        })
        .collect();
    assert_eq!(got, want);
    assert!(!bed.directory.join("upper/data/start").exists());
    let running = created.start(&mut |_| ()).expect("it starts");
    let output = finish(&running, output).output;
    assert_eq!(output, format!("{}{}\n0\n4\nprogram\n", text(Status::Created), its[1]));
}

#[test]
fn failing_hooks_end_the_container_and_say_why() {
    type Place = fn(&mut Hooks) -> &mut Vec<Hook>;
    let places: [(Place, &str); 4] = [
        (|hooks| &mut hooks.prestart, "prestart"),
        (|hooks| &mut hooks.create_runtime, "createRuntime"),
        (|hooks| &mut hooks.create_container, "container"),
        (|hooks| &mut hooks.start_container, "container"),
    ];
    for (place, kind) in places {
        for (hook, program, reason) in [
            (hook("exit 3"), "/bin/sh", "exit status 3"),
            (hook("kill -9 $$"), "/bin/sh", "killed by signal 9"),
            (Hook { timeout: Some(1), ..hook("exec sleep 100") }, "/bin/sh", "1 s"),
            (Hook { path: "/no/such".into(), ..hook("") }, "/no/such", "No such file or directory"),
        ] {
            let mut bed = Bed::new("echo ran >/data/ran");
            let mut hooks = Hooks::default();
            place(&mut hooks).push(hook);
            bed.spec.hooks = Some(hooks);
            let (text, error) = bed.failure();
            assert!(text.starts_with(&format!("error running {kind} hook {program}: ")), "{text}");
            assert!(text.contains(reason) || (reason == "1 s" && text.contains("timeout")), "{text}");
            assert_eq!(error, Kind::Internal);
            assert!(!bed.cgroup().exists() && !bed.directory.join("upper/data/ran").exists());
        }
    }
}

#[test]
fn run_hooks_stops_at_the_first_failure() {
    let bed = Bed::new("");
    let state = State {
        oci_version: oci::runtime::VERSION.into(),
        id: "x".into(),
        status: Status::Stopped,
        pid: None,
        bundle: bed.directory.clone(),
        annotations: Default::default(),
    };
    let list = [noting(&bed, "first"), hook("exit 1"), noting(&bed, "third")];
    let failed = crate::run_hooks(&list, &state).map_err(|error| error.to_string());
    assert_eq!(failed, Err("error running hook hook /bin/sh: exit status 1".into()));
    assert_eq!(log(&bed).iter().filter(|line| *line == "first" || *line == "third").count(), 1);
    assert!(log(&bed)[1].contains(r#""status":"stopped""#));
}
