//! The real docker CLI: every command of the main job.

use testkit::TestEnv;

#[test]
fn docker_run_pulls_runs_and_removes() {
    let env = TestEnv::new();
    let ran = env.docker(&["run", "--rm", "busybox", "echo", "hi"]);
    assert_eq!((ran.stdout.as_str(), ran.code), ("hi\n", 0), "{}", ran.stderr);
    assert!(ran.stderr.contains("Unable to find image 'busybox:latest' locally"), "{}", ran.stderr);
    assert!(ran.stderr.contains("Status: Downloaded newer image for busybox:latest"), "{}", ran.stderr);
    assert_eq!(env.docker(&["ps", "-aq"]).ok(), "");
}

#[test]
fn docker_version_and_info_tell_of_this_engine() {
    let env = TestEnv::new();
    assert_eq!(
        env.docker(&["version", "-f", "{{.Server.APIVersion}} {{.Server.MinAPIVersion}} {{.Server.Os}}"])
            .ok(),
        "1.51 1.24 linux"
    );
    let info = env.docker(&["info"]).ok();
    for line in
        ["Storage Driver: ", "Cgroup Version: ", "Docker Root Dir: ", "Runtimes: ", "http://127.0.0.1:5000/"]
    {
        assert!(info.contains(line), "{line} in {info}");
    }
    assert_eq!(env.docker(&["info", "-f", "{{.DockerRootDir}}"]).ok(), env.data_root().display().to_string());
    assert_eq!(env.naru(&["info", "-f", "{{.DockerRootDir}}"]).ok(), env.data_root().display().to_string());
}

#[test]
fn docker_lifecycle_commands_work() {
    let env = TestEnv::with_busybox();
    let id = env.docker(&["run", "-d", "--name", "one", "busybox", "sleep", "1000"]).ok();
    assert_eq!(env.docker(&["ps", "-q", "--no-trunc"]).ok(), id);
    assert_eq!(env.docker(&["pause", "one"]).ok(), "one");
    assert!(env.docker(&["ps"]).ok().contains("(Paused)"));
    assert_eq!(env.docker(&["unpause", "one"]).ok(), "one");
    assert!(env.docker(&["top", "one"]).ok().contains("sleep 1000"));
    assert_eq!(env.docker(&["rename", "one", "two"]).ok(), "");
    assert_eq!(env.docker(&["restart", "-t", "0", "two"]).ok(), "two");
    assert_eq!(env.docker(&["kill", "two"]).ok(), "two");
    assert_eq!(env.docker(&["wait", "two"]).ok(), "137");
    assert_eq!(env.docker(&["start", "two"]).ok(), "two");
    assert_eq!(env.docker(&["stop", "-t", "0", "two"]).ok(), "two");
    assert_eq!(env.docker(&["rm", "two"]).ok(), "two");
    assert_eq!(env.docker(&["ps", "-aq"]).ok(), "");
}

#[test]
fn docker_image_commands_work() {
    let env = TestEnv::new();
    let pulled = env.docker(&["pull", "busybox"]).ok();
    assert!(
        pulled.contains("latest: Pulling from library/busybox") && pulled.contains("Pull complete"),
        "{pulled}"
    );
    let _ = env.docker(&["tag", "busybox", "mine:2"]).ok();
    assert!(env.docker(&["images", "--format", "{{.Repository}}:{{.Tag}}"]).ok().contains("mine:2"));
    assert!(env.docker(&["rmi", "mine:2"]).ok().contains("Untagged: mine:2"));
    assert!(env.docker(&["rmi", "busybox"]).ok().contains("Deleted: sha256:"));
}

#[test]
fn docker_inspect_has_the_fields_that_tools_read() {
    let env = TestEnv::with_busybox();
    let _ = env
        .docker(&[
            "run", "-d", "--name", "one", "-m", "64m", "--cpus", "0.5", "-l", "a=b", "-e", "X=1", "-w",
            "/tmp", "busybox", "sleep", "9",
        ])
        .ok();
    for (template, shown) in [
        (
            "{{.Name}} {{.State.Status}} {{.State.Running}} {{.RestartCount}} {{.Platform}}",
            "/one running true 0 linux",
        ),
        ("{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.Config.WorkingDir}}", "67108864 500000000 /tmp"),
        (
            "{{index .Config.Labels \"a\"}} {{index .Config.Env 0}} {{json .Config.Cmd}}",
            "b X=1 [\"sleep\",\"9\"]",
        ),
        ("{{.HostConfig.NetworkMode}} {{len .NetworkSettings.Networks}}", "bridge 1"),
        ("{{.Path}} {{json .Args}}", "sleep [\"9\"]"),
    ] {
        let ours = env.naru(&["inspect", "-f", template, "one"]).ok();
        assert_eq!(env.docker(&["inspect", "-f", template, "one"]).ok(), shown);
        assert_eq!(ours, shown);
    }
    assert_eq!(env.docker(&["inspect", "one"]).ok(), env.naru(&["inspect", "one"]).ok());
    let stderr = env.docker(&["inspect", "nosuch"]).fails_with(1);
    assert!(stderr.contains("No such object: nosuch"), "{stderr}");
}

#[test]
fn docker_create_refuses_what_is_not_there_yet() {
    let env = TestEnv::with_busybox();
    for (flags, word) in [
        (&["--gpus", "all"][..], "devicerequests"),
        (&["--log-driver", "awslogs"], "awslogs"),
        (&["--mount", "type=image,source=busybox,target=/x"], "image"),
        (&["--cpu-rt-runtime", "1000"], "cpurealtimeruntime"),
    ] {
        let mut args = vec!["create"];
        args.extend(flags);
        args.extend(["busybox", "true"]);
        let ran = env.docker(&args);
        assert_ne!(ran.code, 0, "{flags:?} is not ignored");
        assert!(ran.stderr.to_lowercase().contains(word), "{flags:?}: {}", ran.stderr);
    }
    assert_eq!(env.docker(&["ps", "-aq"]).ok(), "", "nothing half-made is left");
}
