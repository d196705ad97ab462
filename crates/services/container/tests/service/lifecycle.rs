//! The whole life of containers, through real supervisors. Needs root.

use crate::support::{run, wait_until};
use container::options::{RemoveOptions, WaitCondition};
use container::spec::{NetworkMode, RestartPolicy};
use error::{Fault as _, Kind};

#[test]
fn output_and_exit_code_reach_the_client_that_attached_before_the_start() {
    run(async |place| {
        let engine = place.engine().await;
        engine.create("one", "echo out; echo err >&2; exit 3").await;
        let client = engine.attach("one", false).await;
        let code = engine.run_to_end("one").await;
        assert_eq!(client.read().await, ("out\n".to_owned(), "err\n".to_owned()));
        let state = engine.service.inspect("one").await.unwrap().state.clone();
        assert_eq!((code, state.exit_code, state.status.as_str(), state.pid), (3, 3, "exited", 0));
        engine.wait_for_log("one", r#"{"log":"err\n","stream":"stderr""#).await;
        let expected = ["create", "attach", "start", "die"].map(|action| format!("container {action}"));
        assert_eq!(engine.happened().await, expected);
        engine.leave().await;
    });
}

#[test]
fn commands_that_cannot_be_executed_have_dockers_texts_and_codes() {
    run(async |place| {
        let engine = place.engine().await;
        let cases = [
            ("nosuch", Kind::CommandNotFound, 127, r#"exec: "nosuch": executable file not found in $PATH"#),
            (
                "/nosuch",
                Kind::CommandNotFound,
                127,
                r#"exec: "/nosuch": stat /nosuch: no such file or directory"#,
            ),
            ("/etc", Kind::CommandNotExecutable, 126, r#"exec: "/etc": is a directory"#),
            ("/etc/passwd", Kind::CommandNotExecutable, 126, r#"exec: "/etc/passwd": permission denied"#),
        ];
        for (index, (command, kind, code, text)) in cases.into_iter().enumerate() {
            let name = format!("bad{index}");
            engine.create_with(&name, &[command], |_, _| {}).await;
            let error = engine.service.start(&name).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{command}: {error}");
            assert!(error.to_string().contains(text), "{error}");
            let state = engine.service.inspect(&name).await.unwrap().state.clone();
            assert_eq!((state.status.as_str(), state.exit_code), ("created", code), "{command}");
            assert!(state.error.contains(text), "{}", state.error);
        }
        engine.leave().await;
    });
}

#[test]
fn container_of_auto_remove_is_gone_when_its_removal_is_told() {
    run(async |place| {
        let engine = place.engine().await;
        let id = engine.create_with("gone", &["true"], |_, host| host.auto_remove = true).await;
        let waiting = engine.service.wait("gone", WaitCondition::Removed).await.unwrap();
        engine.service.start("gone").await.unwrap();
        assert_eq!(waiting.await.exit_code, 0);
        assert_eq!(engine.service.inspect("gone").await.unwrap_err().kind(), Kind::NotFound);
        for left in ["data/containers", "data/snapshots", "exec/c"] {
            assert!(!place.root.join(left).join(&id).exists(), "{left}");
        }
        let last = engine.happened().await;
        assert_eq!(last[last.len() - 2..], ["container die", "container destroy"]);
        // Its name is free.
        engine.create("gone", "true").await;
        engine.leave().await;
    });
}

#[test]
fn stop_kill_and_restart_do_what_they_say() {
    run(async |place| {
        let engine = place.engine().await;
        engine.create("deaf", "trap '' TERM; echo up; while :; do sleep 1; done").await;
        engine.service.start("deaf").await.unwrap();
        engine.wait_for_log("deaf", "up").await;
        let terms = container::options::StopOptions { signal: None, timeout_s: Some(1) };
        engine.service.restart("deaf", terms.clone()).await.unwrap();
        assert_eq!(engine.status("deaf").await, "running");
        engine.service.kill("deaf", Some("KILL")).await.unwrap();
        let state = engine.service.inspect("deaf").await.unwrap().state.clone();
        assert_eq!((state.status.as_str(), state.exit_code), ("exited", 137));
        assert_eq!(engine.service.stop("deaf", terms).await.unwrap_err().kind(), Kind::NotModified);
        let happened = engine.happened().await;
        let expected = ["create", "start", "kill", "kill", "die", "stop", "start", "restart", "kill", "die"]
            .map(|action| format!("container {action}"));
        assert_eq!(happened, expected);
        engine.leave().await;
    });
}

#[test]
fn paused_container_stands_still_and_goes_on() {
    run(async |place| {
        let engine = place.engine().await;
        engine.create("tick", "while :; do echo tick; sleep 0.02; done").await;
        engine.service.start("tick").await.unwrap();
        engine.wait_for_log("tick", "tick").await;
        engine.service.pause("tick").await.unwrap();
        assert_eq!(engine.status("tick").await, "paused");
        let path = engine.service.inspect("tick").await.unwrap().paths.log.clone().unwrap();
        // What it wrote before it froze may still be on its way.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let frozen = std::fs::metadata(&path).unwrap().len();
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        assert_eq!(std::fs::metadata(&path).unwrap().len(), frozen);
        engine.service.unpause("tick").await.unwrap();
        wait_until("it ticks again", async || std::fs::metadata(&path).unwrap().len() > frozen).await;
        engine.service.pause("tick").await.unwrap();
        engine.kill("tick").await;
        assert_eq!(engine.status("tick").await, "exited");
        engine.leave().await;
    });
}

#[test]
fn failing_container_is_restarted_as_often_as_its_policy_says() {
    run(async |place| {
        let engine = place.engine().await;
        engine
            .create_with("again", &["sh", "-c", "echo try; exit 7"], |_, host| {
                host.restart = RestartPolicy::OnFailure { retries: 2 };
            })
            .await;
        engine.service.start("again").await.unwrap();
        wait_until("it gives up", async || {
            let view = engine.service.inspect("again").await.unwrap();
            view.restart_count == 2 && view.state.status.as_str() == "exited"
        })
        .await;
        let log = engine.service.inspect("again").await.unwrap().paths.log.clone().unwrap();
        assert_eq!(std::fs::read_to_string(log).unwrap().matches("try").count(), 3);
        engine.leave().await;
    });
}

#[test]
fn names_are_unique_and_change() {
    run(async |place| {
        let engine = place.engine().await;
        let first = engine.create("first", "true").await;
        engine.create("second", "true").await;
        let error = engine.service.rename("second", "first").await.unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (Kind::AlreadyExists, "Error when allocating new name")
        );
        assert_eq!(
            error::chain(&error),
            format!(
                "Error when allocating new name: Conflict. The container name \"/first\" is already in use by container \"{first}\". You have to remove (or rename) that container to be able to reuse that name."
            )
        );
        engine.service.rename("first", "/third").await.unwrap();
        engine.service.rename("second", "first").await.unwrap();
        assert_eq!(engine.service.inspect(&first[..12]).await.unwrap().name, "third");
        engine.service.remove("/third", RemoveOptions::default()).await.unwrap();
        assert_eq!(
            engine.service.inspect(&first).await.unwrap_err().to_string(),
            format!("No such container: {first}")
        );
        engine.leave().await;
    });
}

#[test]
fn bridge_gives_an_address_that_the_container_knows() {
    run(async |place| {
        let engine = place.engine().await;
        engine
            .create_with(
                "net",
                &["sh", "-c", "cat /etc/hosts; hostname; cat /proc/net/fib_trie"],
                |config, host| {
                    host.network = NetworkMode::Bridge;
                    config.hostname = "box".into();
                },
            )
            .await;
        let client = engine.attach("net", false).await;
        assert_eq!(engine.run_to_end("net").await, 0);
        let (output, errors) = client.read().await;
        assert_eq!(errors, "");
        let address = output.lines().find_map(|line| line.strip_suffix("\tbox")).expect(&output).to_owned();
        assert!(output.lines().any(|line| line == "box"), "{output}");
        assert!(output.contains(&format!("|-- {address}")), "{output}");
        let happened = engine.happened().await;
        let expected = [
            "container create",
            "container attach",
            "network connect",
            "container start",
            "network disconnect",
            "container die",
        ];
        assert_eq!(happened, expected);
        engine.leave().await;
    });
}

#[test]
fn confinement_is_dockers() {
    run(async |place| {
        let engine = place.engine().await;
        let script = "id; grep -E '^(CapEff|CapBnd|CapInh|NoNewPrivs|Seccomp):' /proc/self/status; \
                      echo x > /proc/sys/kernel/hostname; cat /proc/kcore; ls /dev; pwd; echo $HOME";
        engine
            .create_with("confined", &["sh", "-c", &script.replace("grep", "busybox grep")], |config, _| {
                config.user = "bob".into();
                config.working_dir = "/tmp".into();
            })
            .await;
        let client = engine.attach("confined", false).await;
        engine.run_to_end("confined").await;
        let (output, errors) = client.read().await;
        let lines: Vec<&str> = output.lines().collect();
        assert_eq!(lines[0], "uid=1000(bob) gid=1000(bob) groups=63(audio),1000(bob)", "{output} {errors}");
        assert_eq!(lines[1], "CapInh:\t0000000000000000");
        assert_eq!(lines[2], "CapEff:\t0000000000000000");
        assert_eq!(lines[3], "CapBnd:\t00000000a80425fb");
        assert_eq!(lines[5], "Seccomp:\t2");
        assert!(errors.contains("Read-only file system") || errors.contains("Permission denied"), "{errors}");
        assert_eq!(lines[lines.len() - 2..], ["/tmp", "/home/bob"]);
        let devices = &lines[6..lines.len() - 2];
        assert!(devices.contains(&"null") && !devices.contains(&"vda"), "{devices:?}");
        engine.leave().await;
    });
}
