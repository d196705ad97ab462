//! Engines and supervisors that end, and what the next engine makes of it. Needs root.

use crate::support::{Engine, run, wait_until};
use container::options::{ExecSpec, ExecStartOptions, RemoveOptions, WaitCondition};
use container::spec::{NetworkMode, RestartPolicy};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Returns the pid of a container's supervisor: its first process's parent.
async fn supervisor(engine: &Engine, name: &str) -> u32 {
    let pid = engine.service.inspect(name).await.unwrap().state.pid;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:\t")).unwrap();
    parent.parse().unwrap()
}

fn kill(pid: u32) {
    sys::process::kill(pid, sys::process::Signal::KILL).unwrap();
}

#[test]
fn next_engine_takes_over_running_containers_with_their_clients_and_execs() {
    run(async |place| {
        let engine = place.engine().await;
        engine
            .create_with("long", &["sh", "-c", "echo one; read x; echo got $x; exit 5"], |config, host| {
                config.open_stdin = true;
                host.network = NetworkMode::Bridge;
            })
            .await;
        let client = engine.attach("long", false).await;
        engine.service.start("long").await.unwrap();
        let before = engine.service.inspect("long").await.unwrap();
        let spec = ExecSpec {
            cmd: ["sh", "-c", "sleep 1; exit 6"].map(str::to_owned).into(),
            ..ExecSpec::default()
        };
        let exec = engine.service.exec_create("long", spec).await.unwrap();
        let detached = ExecStartOptions { detach: true, console_size: None };
        assert!(engine.service.exec_start(exec.as_str(), detached).await.unwrap().is_none());
        engine.leave().await;

        let engine = place.engine().await;
        wait_until("it is taken over", async || engine.status("long").await == "running").await;
        let after = engine.service.inspect("long").await.unwrap();
        assert_eq!((after.state.clone(), &after.endpoints), (before.state.clone(), &before.endpoints));
        assert_eq!(after.endpoints.len(), 1);
        wait_until("the exec ends", async || {
            engine.service.exec_inspect(exec.as_str()).await.unwrap().exit_code == Some(6)
        })
        .await;
        // A client of the next engine gives the input; the one of the first gets the output.
        let mut input = engine.attach_raw("long", true).await;
        let waiting = engine.service.wait("long", WaitCondition::NotRunning).await.unwrap();
        std::io::Write::write_all(&mut input, b"word\n").unwrap();
        assert_eq!(waiting.await.exit_code, 5);
        assert_eq!(client.read().await.0, "one\ngot word\n");
        engine.leave().await;
    });
}

#[test]
fn exit_code_is_kept_while_there_is_no_engine() {
    run(async |place| {
        let engine = place.engine().await;
        engine.create("short", "sleep 0.3; echo late; exit 9").await;
        engine.create_with("brief", &["sleep", "0.3"], |_, host| host.auto_remove = true).await;
        engine.service.start("short").await.unwrap();
        engine.service.start("brief").await.unwrap();
        let (first, second) = (supervisor(&engine, "short").await, supervisor(&engine, "brief").await);
        engine.leave().await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        let engine = place.engine().await;
        wait_until("it has ended", async || engine.status("short").await == "exited").await;
        let state = engine.service.inspect("short").await.unwrap().state.clone();
        assert_eq!((state.exit_code, state.error.as_str()), (9, ""));
        engine.wait_for_log("short", "late").await;
        wait_until("--rm is kept", async || engine.service.inspect("brief").await.is_err()).await;
        wait_until("the supervisors are gone", async || !is_alive(first) && !is_alive(second)).await;
        engine.leave().await;
    });
}

fn is_alive(pid: u32) -> bool {
    // A child of this process that nobody reaps is a zombie: the first engine was in the same process.
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}

#[test]
fn killed_supervisor_takes_its_container_with_it_and_the_policy_goes_on() {
    run(async |place| {
        let engine = place.engine().await;
        engine.create("victim", "sleep 1000").await;
        engine
            .create_with("phoenix", &["sleep", "1000"], |_, host| host.restart = RestartPolicy::Always)
            .await;
        for name in ["victim", "phoenix"] {
            engine.service.start(name).await.unwrap();
        }
        let pid = engine.service.inspect("victim").await.unwrap().state.pid;
        kill(supervisor(&engine, "victim").await);
        wait_until("it is reported", async || engine.status("victim").await == "exited").await;
        let state = engine.service.inspect("victim").await.unwrap().state.clone();
        assert_eq!(state.exit_code, 137);
        assert!(state.error.contains("supervisor"), "{}", state.error);
        wait_until("the program is dead", async || !is_alive(pid.unsigned_abs())).await;

        kill(supervisor(&engine, "phoenix").await);
        wait_until("it runs again", async || {
            let view = engine.service.inspect("phoenix").await.unwrap();
            view.state.status.as_str() == "running" && view.restart_count == 1
        })
        .await;
        engine.service.remove("phoenix", RemoveOptions { force: true }).await.unwrap();
        engine.leave().await;
    });
}

#[test]
fn supervisor_that_dies_without_an_engine_is_reported_by_the_next() {
    run(async |place| {
        let engine = place.engine().await;
        engine.create("victim", "sleep 1000").await;
        engine.service.start("victim").await.unwrap();
        let pid = supervisor(&engine, "victim").await;
        engine.leave().await;
        kill(pid);
        let engine = place.engine().await;
        wait_until("it is reported", async || engine.status("victim").await == "exited").await;
        assert_eq!(engine.service.inspect("victim").await.unwrap().state.exit_code, 137);
        engine.service.start("victim").await.unwrap();
        engine.kill("victim").await;
        engine.leave().await;
    });
}

#[test]
fn what_belongs_to_nobody_is_removed() {
    run(async |place| {
        let engine = place.engine().await;
        let id = engine.create("orphan", "sleep 1000").await;
        engine.service.start("orphan").await.unwrap();
        let view = engine.service.inspect("orphan").await.unwrap();
        let pid = view.state.pid.unsigned_abs();
        engine.leave().await;
        // As if the engine had died right after it removed the record.
        let store = store::Store::open(&place.root.join("data/naru.db")).unwrap();
        store.delete("container", &id).unwrap();
        drop(store);
        let engine = place.engine().await;
        wait_until("the program is dead", async || !is_alive(pid)).await;
        assert!(!place.root.join("exec/c").join(&id).exists());
        assert!(!place.root.join("data/containers").join(&id).exists());
        assert!(!view.rootfs.upper.exists());
        assert!(
            !std::path::Path::new("/sys/fs/cgroup/pids").join(&place.cgroup_parent[1..]).join(&id).exists()
        );
        engine.leave().await;
    });
}

#[test]
fn policies_start_containers_again_with_the_engine() {
    run(async |place| {
        let engine = place.engine().await;
        for (name, restart) in [("always", RestartPolicy::Always), ("unless", RestartPolicy::UnlessStopped)] {
            engine.create_with(name, &["sleep", "1000"], |_, host| host.restart = restart).await;
            engine.service.start(name).await.unwrap();
            engine.kill(name).await;
        }
        engine.leave().await;
        let engine = place.engine().await;
        wait_until("always is up", async || engine.status("always").await == "running").await;
        assert_eq!(engine.status("unless").await, "exited");
        engine.kill("always").await;
        engine.leave().await;
    });
}

#[test]
fn exec_reports_its_exit_code_before_its_stream_ends() {
    run(async |place| {
        let engine = place.engine().await;
        engine.create("host", "sleep 1000").await;
        engine.service.start("host").await.unwrap();
        let cases = [
            (vec!["sh", "-c", "echo $HOSTNAME; echo err >&2; exit 4"], 4, "", "err\n"),
            (vec!["nosuch"], 127, "executable file not found in $PATH", ""),
            (vec!["/etc"], 126, "is a directory", ""),
        ];
        for (cmd, code, output, errors) in cases {
            let spec = ExecSpec {
                cmd: cmd.iter().map(|word| (*word).to_owned()).collect(),
                attach_stdout: true,
                attach_stderr: true,
                ..ExecSpec::default()
            };
            let exec = engine.service.exec_create("host", spec).await.unwrap();
            let starting =
                engine.service.exec_start(exec.as_str(), ExecStartOptions::default()).await.unwrap().unwrap();
            let (ours, theirs) = UnixStream::pair().unwrap();
            starting.connect(theirs.into(), Vec::new()).await.unwrap();
            let got = crate::support::Client::new(ours).read().await;
            // No waiting here: that is the point.
            let view = engine.service.exec_inspect(exec.as_str()).await.unwrap();
            assert_eq!((view.exit_code, view.running), (Some(code), false), "{cmd:?} {got:?}");
            assert!(got.0.contains(output) && got.1 == errors, "{cmd:?} {got:?}");
        }
        engine.kill("host").await;
        engine.leave().await;
    });
}

#[test]
fn log_is_followed_until_the_container_ends() {
    use container::options::LogOptions;
    use futures_util::StreamExt as _;
    run(async |place| {
        let engine = place.engine().await;
        engine.create("talk", "echo a; echo b >&2; sleep 0.2; echo c").await;
        engine.service.start("talk").await.unwrap();
        let follow = LogOptions { stdout: true, stderr: true, follow: true, ..LogOptions::default() };
        let pieces: Vec<bytes::Bytes> = engine.service.logs("talk", follow).await.unwrap().collect().await;
        assert_eq!(crate::support::take_apart(&pieces.concat()), ("a\nc\n".to_owned(), "b\n".to_owned()));
        let tail = LogOptions { stdout: true, tail: Some(1), ..LogOptions::default() };
        let pieces: Vec<bytes::Bytes> = engine.service.logs("talk", tail).await.unwrap().collect().await;
        assert_eq!(crate::support::take_apart(&pieces.concat()).0, "c\n");
        engine.leave().await;
    });
}

#[test]
fn top_and_statistics_show_the_container() {
    use container::options::StatsMode;
    use futures_util::StreamExt as _;
    run(async |place| {
        let engine = place.engine().await;
        engine.create_with("busy", &["sleep", "1000"], |_, host| host.network = NetworkMode::Bridge).await;
        engine.service.start("busy").await.unwrap();
        let top = engine.service.top("busy", "-o args").await.unwrap();
        assert_eq!(top.processes, [["sleep 1000"]]);
        let mut samples = engine.service.stats("busy", StatsMode::OneShot).await.unwrap();
        let usage = samples.next().await.unwrap().current.unwrap();
        assert!(usage.cgroup.memory.usage_bytes > 0, "{usage:?}");
        assert!(usage.interfaces.contains_key("eth0"), "{usage:?}");
        assert!(samples.next().await.is_none());
        let steps = engine.service.explain("busy").await.unwrap();
        for (who, step) in [("engine", "attach network"), ("engine", "create")] {
            assert!(steps.iter().any(|known| known.who == who && known.step == step), "{steps:?}");
        }
        assert!(steps.iter().any(|known| known.who == "init"), "{steps:?}");
        engine.kill("busy").await;
        engine.leave().await;
    });
}

#[test]
fn container_that_is_not_understood_is_set_aside_and_can_be_removed() {
    run(async |place| {
        let engine = place.engine().await;
        let good = engine.create("good", "true").await;
        let mut broken = Vec::new();
        for name in ["cut", "newer"] {
            broken.push(engine.create(name, "sleep 1000").await);
            engine.service.start(name).await.unwrap();
        }
        engine.leave().await;
        {
            let store = store::Store::open(&place.database()).unwrap();
            store.put("container", &broken[0], 1, r#"{"name":"cut","id":"#).unwrap();
            let json = store.get("container", &broken[1]).unwrap().unwrap().json;
            store.put("container", &broken[1], 99, &json).unwrap();
        }

        let engine = place.engine().await;
        assert_eq!(engine.status("good").await, "created");
        assert_eq!(engine.run_to_end("good").await, 0);
        assert!(engine.service.inspect("newer").await.is_err(), "it is not shown");
        let plain = RemoveOptions { force: false };
        let refused = engine.service.remove("newer", plain).await.unwrap_err().to_string();
        assert!(refused.contains(&broken[1]) && refused.contains("has version 99"), "{refused}");
        for name in [broken[0].as_str(), "newer"] {
            engine.service.remove(name, RemoveOptions { force: true }).await.unwrap();
        }
        assert!(
            engine
                .service
                .remove("newer", plain)
                .await
                .unwrap_err()
                .to_string()
                .contains("No such container")
        );
        engine.leave().await;
        let store = store::Store::open(&place.database()).unwrap();
        let keys: Vec<String> =
            store.list("container").unwrap().into_iter().map(|record| record.key).collect();
        assert_eq!(keys, [good]);
        assert!(!place.files(&broken[1]).exists());
    });
}
