//! Limits, as the kernel sees them.

use testkit::TestEnv;

/// Reads a limit of a running container from whichever hierarchy has it.
fn limit(env: &TestEnv, name: &str, v1: &str, v2: &str) -> String {
    let id = env.inspect(name, "{{.Id}}");
    let parent = env.cgroup_parent();
    let controller = v1.split('.').next().expect("controller.file");
    let v1 = format!("/sys/fs/cgroup/{controller}/{parent}/{id}/{v1}");
    let v2 = format!("/sys/fs/cgroup/{parent}/{id}/{v2}");
    std::fs::read_to_string(&v1)
        .or_else(|_| std::fs::read_to_string(&v2))
        .unwrap_or_else(|error| panic!("{v1}, {v2}: {error}"))
        .trim()
        .to_owned()
}

fn v2() -> bool {
    std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

#[test]
fn limits_reach_the_kernel() {
    let env = TestEnv::with_busybox();
    let _ = env
        .naru(&[
            "run",
            "-d",
            "--name",
            "one",
            "--memory",
            "64m",
            "--cpus",
            "0.5",
            "--cpu-shares",
            "512",
            "--pids-limit",
            "20",
            "--cpuset-cpus",
            "0",
            "busybox",
            "sleep",
            "1000",
        ])
        .ok();
    assert_eq!(limit(&env, "one", "memory.limit_in_bytes", "memory.max"), "67108864");
    assert_eq!(limit(&env, "one", "pids.max", "pids.max"), "20");
    assert_eq!(limit(&env, "one", "cpuset.cpus", "cpuset.cpus"), "0");
    if v2() {
        assert_eq!(limit(&env, "one", "cpu.x", "cpu.max"), "50000 100000");
        assert_eq!(limit(&env, "one", "cpu.x", "cpu.weight"), "59", "512 shares on the curve of runc 1.3");
        assert_eq!(limit(&env, "one", "memory.x", "memory.swap.max"), "67108864", "as much again");
        let inside = env.naru(&["exec", "one", "cat", "/sys/fs/cgroup/memory.max", "/proc/self/cgroup"]).ok();
        assert_eq!(inside, "67108864\n0::/", "its own group is the root of what it sees");
    } else {
        assert_eq!(limit(&env, "one", "cpu.cfs_quota_us", ""), "50000");
        assert_eq!(limit(&env, "one", "cpu.shares", ""), "512");
    }
}

#[test]
fn memory_limit_kills_and_is_told() {
    let env = TestEnv::with_busybox();
    let ran = env.naru(&[
        "run",
        "--name",
        "one",
        "-m",
        "8m",
        "--memory-swap",
        "8m",
        "busybox",
        "sh",
        "-c",
        "x=$(yes | head -c 64000000); echo survived",
    ]);
    assert_eq!(ran.code, 137, "{} {}", ran.stdout, ran.stderr);
    assert_eq!(env.inspect("one", "{{.State.OOMKilled}}"), "true");
}

#[test]
fn pids_limit_holds() {
    let env = TestEnv::with_busybox();
    let script = "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 5 & done; echo forked all";
    let ran = env.naru(&["run", "--rm", "--pids-limit", "5", "busybox", "sh", "-c", script]);
    assert!(!ran.stdout.contains("forked all"), "{}", ran.stdout);
    assert!(ran.stderr.contains("fork"), "{}", ran.stderr);
}

#[test]
fn ulimits_and_sysctls_are_set_inside() {
    let env = TestEnv::with_busybox();
    assert_eq!(
        env.naru(&[
            "run",
            "--rm",
            "--ulimit",
            "nofile=100:200",
            "busybox",
            "sh",
            "-c",
            "ulimit -Sn; ulimit -Hn"
        ])
        .ok(),
        "100\n200"
    );
    let shown = env
        .naru(&[
            "run",
            "--rm",
            "--sysctl",
            "net.ipv4.ip_unprivileged_port_start=77",
            "busybox",
            "cat",
            "/proc/sys/net/ipv4/ip_unprivileged_port_start",
        ])
        .ok();
    assert_eq!(shown, "77");
    let stderr = env.naru(&["run", "--rm", "--sysctl", "kernel.panic=1", "busybox", "true"]).fails_with(125);
    assert!(stderr.contains("kernel.panic"), "{stderr}");
}

#[test]
fn cgroups_are_removed_with_the_container() {
    let env = TestEnv::with_busybox();
    let id = env.naru(&["run", "-d", "busybox", "sleep", "1000"]).ok();
    let _ = env.naru(&["rm", "-f", &id]).ok();
    let exists = |id: &str| {
        let base = std::path::Path::new("/sys/fs/cgroup");
        let mut roots = vec![base.to_owned()];
        roots.extend(std::fs::read_dir(base).expect("cgroups").flatten().map(|entry| entry.path()));
        roots.iter().any(|root| root.join(env.cgroup_parent()).join(id).exists())
    };
    testkit::wait_until("the cgroups are gone", || !exists(&id));
}

#[test]
fn exec_works_in_a_container_that_has_divided_its_cgroup() {
    if !v2() {
        return; // Only v2 forbids processes beside divided groups.
    }
    let env = TestEnv::with_busybox();
    let script = "cd /sys/fs/cgroup && mkdir sub && echo $$ > sub/cgroup.procs && echo +pids > cgroup.subtree_control && echo divided; exec sleep 1000";
    let flags = ["run", "-d", "--name", "one", "--privileged", "--cgroupns", "private"];
    let _ = env.naru(&[&flags[..], &["busybox", "sh", "-c", script]].concat()).ok();
    testkit::wait_until("the group is divided", || env.naru(&["logs", "one"]).stdout.contains("divided"));
    assert_eq!(env.naru(&["exec", "one", "cat", "/proc/self/cgroup"]).ok(), "0::/sub");
    let id = env.inspect("one", "{{.Id}}");
    let _ = env.naru(&["pause", "one"]).ok();
    let _ = env.naru(&["unpause", "one"]).ok();
    let _ = env.naru(&["restart", "-t", "0", "one"]).ok();
    let _ = env.naru(&["rm", "-f", "one"]).ok();
    let group = format!("/sys/fs/cgroup/{}/{id}", env.cgroup_parent());
    testkit::wait_until("the cgroups are gone", || !std::path::Path::new(&group).exists());
}

#[test]
fn impossible_limits_are_refused_with_the_value() {
    let env = TestEnv::with_busybox();
    for (flags, text) in [
        (&["--memory", "4m"][..], "Minimum memory limit allowed is 6MB"),
        (&["--memory", "64m", "--memory-swap", "32m"], "memory limit"),
        (&["--cpus", "1000"], "CPUs"),
        (&["--cpuset-cpus", "99"], "99"),
        (&["--memory", "lots"], "lots"),
        (&["--shm-size", "-1"], "shm"),
        (&["--ulimit", "nosuch=1"], "nosuch"),
        (&["--stop-signal", "NOSUCH"], "NOSUCH"),
    ] {
        let mut args = vec!["create"];
        args.extend(flags);
        args.extend(["busybox", "true"]);
        let ran = env.naru(&args);
        assert_ne!(ran.code, 0, "{flags:?}");
        assert!(ran.stderr.contains(text), "{flags:?}: {}", ran.stderr);
    }
}

#[test]
fn engine_has_default_limits_per_process() {
    let flags = ["--default-ulimit", "nofile=77:88"].map(str::to_owned).to_vec();
    let env = TestEnv::with(testkit::EnvOptions { flags, ..testkit::EnvOptions::default() });
    let show = ["sh", "-c", "ulimit -n; ulimit -Hn"];
    assert_eq!(env.naru(&[&["run", "--rm", "busybox"], &show[..]].concat()).ok(), "77\n88");
    let own = ["run", "--rm", "--ulimit", "nofile=99", "busybox"];
    assert_eq!(env.naru(&[&own[..], &show].concat()).ok(), "99\n99");
}
