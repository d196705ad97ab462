//! The supervisor as a real process, with real containers; the test is its engine.

mod engine;

use engine::{
    Engine, all_streams, end_input, output_only, read_frames, read_until, script, shell, terminal, type_in,
};
use oci::runtime::{ConsoleSize, Memory, NamespaceType, Resources};
use shimwire::{Attach, ExitRecord, Log, Report, Request, State};
use std::fs;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};
use sys::process::Signal;

#[test]
fn container_runs_and_its_exit_is_recorded_reported_and_forgotten() {
    let (mut engine, mut clients) =
        Engine::running(|create| script(create, "echo out; echo err >&2; exit 7"), &[output_only()]);
    let record = engine.exited();
    assert_eq!((record.code, record.signal, record.out_of_memory), (7, None, false));
    assert!(record.started_at.is_some_and(|at| at <= record.finished_at));
    let path = engine.run().join(shimwire::EXIT_FILE);
    let on_disk: ExitRecord =
        serde_json::from_slice(&fs::read(&path).expect("it is written")).expect("it is JSON");
    assert_eq!(on_disk, record);
    assert_eq!(read_frames(&mut clients[0]), ("out\n".into(), "err\n".into()));
    let log = engine.log();
    assert_eq!(log.matches(r#"{"log":"out\n","stream":"stdout","time":""#).count(), 1, "{log}");
    assert_eq!(log.matches(r#"{"log":"err\n","stream":"stderr","time":""#).count(), 1, "{log}");
    assert_eq!(engine.acknowledge(), 0);
    assert_eq!(
        fs::read_dir(engine.run()).expect("it is there").count(),
        0,
        "nothing is left in the run directory"
    );
    let cgroups = cgroup::Cgroups::detect().expect("cgroups are mounted");
    let cgroup = cgroup::Cgroup::open(&cgroups, &engine.cgroup());
    assert!(!cgroup.is_ok_and(|cgroup| cgroup.exists()), "the cgroup is left");
}

#[test]
fn birth_record_tells_steps_and_the_process_id() {
    let (mut engine, _) = Engine::running(|_| {}, &[]);
    engine.exited();
    engine.acknowledge();
    let text = fs::read_to_string(engine.directory.join(shimwire::BIRTH_FILE)).expect("it is written");
    let steps: Vec<shimwire::Step> =
        text.lines().map(|line| serde_json::from_str(line).expect("each line is a step")).collect();
    let created = steps.iter().find(|step| step.step == "created").expect("there is the step");
    assert!(created.args.strip_prefix("pid=").is_some_and(|pid| pid.parse::<u32>().is_ok()), "{created:?}");
    assert!(steps.iter().any(|step| step.step == "execve"), "{text}");
}

#[test]
fn killed_program_has_128_plus_signal() {
    let (mut engine, _) = Engine::running(|create| script(create, "sleep 100"), &[]);
    engine.send(&Request::Kill { signal: 9 }, &[]);
    let record = engine.exited();
    assert_eq!((record.code, record.signal), (137, Some(9)));
    engine.acknowledge();
}

#[test]
fn container_at_the_barrier_runs_nothing_and_can_be_killed() {
    let (mut engine, mut clients) = Engine::created(|create| script(create, "echo ran"), &[output_only()]);
    engine.send(&Request::Kill { signal: 9 }, &[]);
    let record = engine.exited();
    assert_eq!((record.code, record.started_at), (137, None));
    assert_eq!(read_frames(&mut clients[0]), (String::new(), String::new()));
    assert_eq!(engine.acknowledge(), 0);
}

#[test]
fn program_that_does_not_exist_fails_and_ends_the_supervisor() {
    let mut engine = Engine::launch();
    engine.create(
        |create| create.spec.process.as_mut().expect("there is one").args = vec!["nosuch".into()],
        &[],
    );
    let failed = loop {
        match engine.receive() {
            Report::Created { .. } => engine.send(&Request::Start, &[]),
            Report::Failed(failed) => break failed,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(failed.code, "command_not_found");
    assert_eq!(failed.message, "exec: \"nosuch\": executable file not found in $PATH");
    assert_eq!(engine.shim_exit(), 0);
    assert!(!engine.run().join(shimwire::SOCKET_FILE).exists());
}

#[test]
fn input_reaches_the_program_and_half_close_ends_it() {
    let (mut engine, mut clients) = Engine::running(
        |create| {
            script(create, "cat; echo end");
            (create.open_stdin, create.stdin_once) = (true, true);
        },
        &[Attach { early_input: b"early\n".to_vec(), ..all_streams() }],
    );
    type_in(&mut clients[0], b"late\n");
    end_input(&clients[0]);
    assert_eq!(engine.exited().code, 0);
    assert_eq!(read_frames(&mut clients[0]).0, "early\nlate\nend\n");
    engine.acknowledge();
}

#[test]
fn large_input_is_passed_whole_under_back_pressure() {
    let (mut engine, mut clients) = Engine::running(
        |create| {
            script(create, "sleep 0.3; cat | wc -c");
            (create.open_stdin, create.stdin_once) = (true, true);
        },
        &[all_streams()],
    );
    type_in(&mut clients[0], &vec![b'x'; 3_000_000]);
    end_input(&clients[0]);
    assert_eq!(engine.exited().code, 0);
    assert_eq!(read_frames(&mut clients[0]).0.trim(), "3000000");
    engine.acknowledge();
}

#[test]
fn half_close_of_a_client_without_stdin_changes_nothing() {
    let (mut engine, mut clients) = Engine::running(
        |create| {
            script(create, "cat; echo end");
            (create.open_stdin, create.stdin_once) = (true, true);
        },
        &[output_only()],
    );
    end_input(&clients[0]);
    let mut typist = engine.attach(None, all_streams());
    type_in(&mut typist, b"hello\n");
    end_input(&typist);
    assert_eq!(engine.exited().code, 0);
    assert_eq!(read_frames(&mut clients[0]).0, "hello\nend\n");
    engine.acknowledge();
}

#[test]
fn input_without_stdin_once_stays_open_when_a_client_leaves() {
    let (mut engine, mut clients) = Engine::running(
        |create| {
            script(create, "cat");
            create.open_stdin = true;
        },
        &[all_streams()],
    );
    type_in(&mut clients[0], b"one\n");
    assert!(read_until(&mut clients[0], "one\n").ends_with("one\n"));
    end_input(&clients[0]);
    // As Docker: the attachment ends, the program's input does not.
    assert_eq!(read_frames(&mut clients[0]), (String::new(), String::new()));
    let mut second = engine.attach(None, all_streams());
    type_in(&mut second, b"two\n");
    read_until(&mut second, "two\n");
    engine.send(&Request::Kill { signal: 9 }, &[]);
    engine.exited();
    engine.acknowledge();
}

#[test]
fn terminal_has_size_can_be_resized_and_detached_from() {
    let (mut engine, mut clients) = Engine::running(
        |create| {
            script(
                create,
                "trap 'stty size' WINCH; stty size; while :; do read line && echo got $line; done",
            );
            let process = create.spec.process.as_mut().expect("there is one");
            process.terminal = true;
            process.console_size = Some(ConsoleSize { height: 33, width: 111 });
            create.open_stdin = true;
        },
        &[terminal()],
    );
    read_until(&mut clients[0], "33 111\r\n");
    engine.send(&Request::Resize { exec: None, rows: 40, columns: 90 }, &[]);
    read_until(&mut clients[0], "40 90\r\n");
    type_in(&mut clients[0], b"a\n");
    read_until(&mut clients[0], "got a\r\n");
    type_in(&mut clients[0], b"\x10");
    type_in(&mut clients[0], b"\x11");
    assert!(matches!(engine.receive(), Report::Detached { exec: None }));
    let mut rest = String::new();
    clients[0].read_to_string(&mut rest).expect("the connection ends");
    let mut again = engine.attach(None, terminal());
    type_in(&mut again, b"b\n");
    read_until(&mut again, "got b\r\n");
    engine.send(&Request::Kill { signal: 9 }, &[]);
    assert_eq!(engine.exited().code, 137);
    engine.acknowledge();
}

#[test]
fn last_words_on_a_terminal_are_not_lost() {
    for _ in 0..10 {
        let (mut engine, mut clients) = Engine::running(
            |create| {
                script(create, "yes | head -n 2000; echo last");
                create.spec.process.as_mut().expect("there is one").terminal = true;
            },
            &[terminal()],
        );
        let mut text = String::new();
        clients[0].read_to_string(&mut text).expect("the connection ends");
        assert_eq!((text.len(), text.ends_with("y\r\nlast\r\n")), (2000 * 3 + 6, true));
        engine.exited();
        engine.acknowledge();
    }
}

#[test]
fn exec_runs_in_the_container_and_keeps_its_client_until_the_exit_is_stored() {
    let (mut engine, _) = Engine::running(|create| script(create, "sleep 100"), &[]);
    let mut client = engine.exec("e1", shell("read line; echo $line in $$; exit 3"), all_streams());
    let Report::ExecStarted { exec, pid } = engine.receive() else { panic!("not ExecStarted") };
    assert_eq!((&*exec, pid > 1), ("e1", true));
    type_in(&mut client, b"hi\n");
    let Report::ExecExited { exec, code } = engine.receive() else { panic!("not ExecExited") };
    assert_eq!((&*exec, code), ("e1", 3));
    let text = read_until(&mut client, "\n");
    assert!(text.contains("hi in "), "{text:?}");
    client.set_read_timeout(Some(Duration::from_millis(200))).expect("a socket has timeouts");
    client.read(&mut [0; 8]).expect_err("the connection is still open");
    engine.send(&Request::Ack { exec: Some("e1".into()) }, &[]);
    assert_eq!(client.read(&mut [0; 8]).expect("it is closed now"), 0);
    engine.send(&Request::Kill { signal: 9 }, &[]);
    engine.exited();
    engine.acknowledge();
}

#[test]
fn exec_input_ends_with_its_client() {
    let (mut engine, _) = Engine::running(|create| script(create, "sleep 100"), &[]);
    let mut client = engine.exec("e1", shell("cat; echo end"), all_streams());
    type_in(&mut client, b"x\n");
    end_input(&client);
    assert!(matches!(engine.receive(), Report::ExecStarted { .. }));
    assert!(matches!(engine.receive(), Report::ExecExited { code: 0, .. }));
    engine.send(&Request::Ack { exec: Some("e1".into()) }, &[]);
    assert_eq!(read_frames(&mut client).0, "x\nend\n");
    engine.send(&Request::Kill { signal: 9 }, &[]);
    engine.exited();
    engine.acknowledge();
}

#[test]
fn exec_with_a_terminal_is_resized_by_name() {
    let (mut engine, _) = Engine::running(|create| script(create, "sleep 100"), &[]);
    let mut process = shell("read line; stty size");
    process.terminal = true;
    let mut client = engine.exec("e1", process, terminal());
    assert!(matches!(engine.receive(), Report::ExecStarted { .. }));
    engine.send(&Request::Resize { exec: Some("e1".into()), rows: 12, columns: 34 }, &[]);
    type_in(&mut client, b"\n");
    read_until(&mut client, "12 34\r\n");
    engine.send(&Request::Kill { signal: 9 }, &[]);
    engine.exited();
    engine.acknowledge();
}

#[test]
fn exec_that_cannot_start_tells_engine_and_client() {
    let (mut engine, _) = Engine::running(|create| script(create, "sleep 100"), &[]);
    let mut process = shell("");
    process.args = vec!["nosuch".into()];
    let mut client = engine.exec("e1", process, all_streams());
    let Report::ExecFailed { exec, failed } = engine.receive() else { panic!("not ExecFailed") };
    assert_eq!((&*exec, &*failed.code), ("e1", "command_not_found"));
    engine.send(&Request::Ack { exec: Some("e1".into()) }, &[]);
    assert_eq!(
        read_frames(&mut client).0,
        "OCI runtime exec failed: exec failed: unable to start container process: \
         exec: \"nosuch\": executable file not found in $PATH\r\n"
    );
    engine.send(&Request::Kill { signal: 9 }, &[]);
    engine.exited();
    engine.acknowledge();
}

#[test]
fn container_and_clients_outlive_the_engine_and_the_next_one_learns_all() {
    let (mut engine, mut clients) = Engine::running(
        |create| {
            script(create, "while read line; do echo got $line; [ $line = end ] && exit 4; done");
            create.open_stdin = true;
        },
        &[all_streams()],
    );
    engine.exec("e1", shell("exit 9"), output_only());
    let Report::ExecStarted { .. } = engine.receive() else { panic!("not ExecStarted") };
    engine.socket = None;
    type_in(&mut clients[0], b"one\n");
    read_until(&mut clients[0], "got one\n");
    let hello = engine.reconnect();
    assert_eq!((hello.state, &*hello.id, hello.exit), (State::Running, &*engine.id, None));
    assert!(hello.started_at.is_some() && hello.pid.is_some());
    // The exec ended without an engine, or ends now: its exit is reported in any case.
    let Report::ExecExited { exec, code } = engine.receive() else { panic!("not ExecExited") };
    assert_eq!((&*exec, code), ("e1", 9));
    engine.socket = None;
    type_in(&mut clients[0], b"end\n");
    assert!(read_frames(&mut clients[0]).0.ends_with("got end\n"));
    let hello = engine.reconnect();
    assert_eq!((hello.state, hello.exit.map(|exit| exit.code)), (State::Exited, Some(4)));
    assert!(engine.log().contains("got end"));
    assert_eq!(engine.acknowledge(), 0);
}

#[test]
fn supervisor_without_a_container_ends_with_its_engine() {
    let mut engine = Engine::launch();
    engine.socket = None;
    assert_eq!(engine.shim_exit(), 0);
}

#[test]
fn newer_engine_replaces_the_older() {
    let (mut engine, _) = Engine::running(|create| script(create, "sleep 100"), &[]);
    let old = engine.socket.take().expect("connected");
    engine.reconnect();
    engine.send(&Request::Kill { signal: 9 }, &[]);
    assert_eq!(engine.exited().code, 137);
    let message = sys::socket::receive_message(&old, 1000).expect("closed properly").expect("the end");
    assert_eq!(message.bytes, b"");
    engine.acknowledge();
}

#[test]
fn death_of_the_supervisor_kills_the_container() {
    let mut engine = Engine::launch();
    engine.create(|create| script(create, "sleep 100"), &[]);
    let Report::Created { pid } = engine.receive() else { panic!("not Created") };
    engine.send(&Request::Start, &[]);
    engine.receive();
    let container = sys::process::open(pid).expect("it runs");
    sys::process::send(&engine.shim.pidfd, Signal::KILL).expect("it runs");
    assert_eq!(engine.shim_exit(), 137);
    let end = Instant::now() + Duration::from_secs(10);
    // It is no child of ours: init reaps it. A pidfd is readable at its death.
    let epoll = sys::epoll::Epoll::new().expect("epoll");
    epoll.add(container.as_fd(), 0, sys::epoll::Interest::READ).expect("add");
    let mut events = Vec::new();
    while events.is_empty() && Instant::now() < end {
        epoll.wait(&mut events, Some(Duration::from_secs(1))).expect("wait");
    }
    assert_eq!(events.len(), 1, "the container outlived its supervisor");
}

#[test]
fn polite_signals_do_not_end_the_supervisor() {
    let (mut engine, mut clients) = Engine::running(
        |create| script(create, "trap 'exit 6' TERM; echo ready; while :; do sleep 0.05; done"),
        &[output_only()],
    );
    read_until(&mut clients[0], "ready\n");
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        sys::process::send(&engine.shim.pidfd, signal).expect("it runs");
    }
    // The program itself got none, and has the default dispositions.
    engine.send(&Request::Kill { signal: 15 }, &[]);
    assert_eq!(engine.exited().code, 6);
    engine.acknowledge();
}

#[test]
fn slow_client_loses_nothing() {
    let (mut engine, mut clients) =
        Engine::running(|create| script(create, "yes 0123456789 | head -n 400000"), &[output_only()]);
    // 4.4 MB: more than socket and outbox hold. It begins to read late, and in small bites.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(read_frames(&mut clients[0]).0.len(), 400_000 * 11);
    assert_eq!(engine.exited().code, 0);
    engine.acknowledge();
}

#[test]
fn client_that_never_reads_is_dropped_and_the_container_goes_on() {
    let (mut engine, clients) =
        Engine::running(|create| script(create, "yes 0123456789 | head -n 400000"), &[output_only()]);
    let begin = Instant::now();
    assert_eq!(engine.exited().code, 0);
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    assert_eq!(engine.log().lines().count(), 400_000);
    drop(clients);
    assert_eq!(engine.acknowledge(), 0);
}

#[test]
fn acknowledged_supervisor_stays_until_its_client_has_all() {
    let (mut engine, mut clients) =
        Engine::running(|create| script(create, "head -c 600000 /bin/busybox"), &[output_only()]);
    engine.exited();
    engine.send(&Request::Ack { exec: None }, &[]);
    std::thread::sleep(Duration::from_millis(200));
    let mut bytes = Vec::new();
    clients[0].read_to_end(&mut bytes).expect("the end comes");
    assert!(bytes.len() > 600_000, "{}", bytes.len());
    assert_eq!(engine.shim_exit(), 0);
}

#[test]
fn output_without_a_log_and_log_with_rotation() {
    let (mut engine, mut clients) = Engine::running(
        |create| {
            script(create, "echo hi");
            create.log = Log::None;
        },
        &[output_only()],
    );
    engine.exited();
    assert_eq!(read_frames(&mut clients[0]).0, "hi\n");
    assert!(!engine.log_path().exists());
    engine.acknowledge();

    let (mut engine, _) = Engine::running(
        |create| {
            script(create, "i=0; while [ $i -lt 100 ]; do echo line $i; i=$((i+1)); done");
            if let Log::JsonFile { max_size_bytes, max_files, .. } = &mut create.log {
                (*max_size_bytes, *max_files) = (1000, 3);
            }
        },
        &[],
    );
    engine.exited();
    let size =
        |end: &str| fs::metadata(format!("{}{end}", engine.log_path().display())).map(|m| m.len()).ok();
    assert!(
        size("").is_some() && size(".1").is_some_and(|size| (1000..1200).contains(&size)),
        "{:?}",
        size(".1")
    );
    assert_eq!((size(".2").is_some(), size(".3")), (true, None));
    engine.acknowledge();
}

#[test]
fn background_process_of_an_exec_does_not_hold_it_for_ever() {
    let (mut engine, _) = Engine::running(|create| script(create, "sleep 100"), &[]);
    let begin = Instant::now();
    let mut client = engine.exec("e1", shell("sleep 50 & echo hi"), output_only());
    assert!(matches!(engine.receive(), Report::ExecStarted { .. }));
    assert!(matches!(engine.receive(), Report::ExecExited { code: 0, .. }));
    assert!(
        (Duration::from_secs(1)..Duration::from_secs(8)).contains(&begin.elapsed()),
        "{:?}",
        begin.elapsed()
    );
    engine.send(&Request::Ack { exec: Some("e1".into()) }, &[]);
    assert_eq!(read_frames(&mut client).0, "hi\n");
    engine.send(&Request::Kill { signal: 9 }, &[]);
    engine.exited();
    engine.acknowledge();
}

#[test]
fn compressed_logs_are_refused_by_name() {
    let mut engine = Engine::launch();
    engine.create(
        |create| {
            if let Log::JsonFile { compress, .. } = &mut create.log {
                *compress = true;
            }
        },
        &[],
    );
    let Report::Failed(failed) = engine.receive() else { panic!("not Failed") };
    assert_eq!(failed.code, "unimplemented");
    assert_eq!(engine.shim_exit(), 0);
}

#[test]
fn many_clients_see_the_same() {
    let attach: Vec<Attach> = (0..20).map(|_| output_only()).collect();
    let (mut engine, clients) = Engine::running(|create| script(create, "yes | head -n 50000"), &attach);
    let readers: Vec<_> = clients
        .into_iter()
        .map(|mut client| std::thread::spawn(move || read_frames(&mut client).0.len()))
        .collect();
    for reader in readers {
        assert_eq!(reader.join().expect("it reads"), 100_000);
    }
    engine.exited();
    engine.acknowledge();
}

#[test]
fn out_of_memory_kill_is_reported_and_recorded() {
    let (mut engine, _) = Engine::running(
        |create| {
            script(create, "tail /dev/zero");
            let memory = Memory { limit: Some(16 << 20), swap: Some(16 << 20), ..Memory::default() };
            let linux = create.spec.linux.as_mut().expect("there is one");
            linux.resources = Some(Resources { memory: Some(memory), ..Resources::default() });
        },
        &[],
    );
    assert!(matches!(engine.receive(), Report::OutOfMemory));
    let record = engine.exited();
    assert_eq!((record.code, record.out_of_memory), (137, true));
    engine.acknowledge();
}

#[test]
fn container_in_a_shared_pid_namespace_leaves_no_process_behind() {
    let (mut engine, mut clients) = Engine::running(
        |create| {
            script(create, "sleep 1000 & echo pid $! end; exit 3");
            let linux = create.spec.linux.as_mut().expect("there is one");
            linux.namespaces.retain(|namespace| namespace.kind != NamespaceType::Pid);
        },
        &[output_only()],
    );
    let record = engine.exited();
    assert_eq!(record.code, 3);
    let (out, _) = read_frames(&mut clients[0]);
    let pid = out.split(' ').nth(1).expect("it was printed").to_owned();
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "{state}");
    engine.acknowledge();
}

#[test]
fn user_without_privileges_can_open_its_streams_again() {
    let (mut engine, mut clients) = Engine::running(
        |create| {
            script(create, "echo out > /dev/stdout; echo err > /dev/stderr; cat < /dev/stdin");
            create.spec.process.as_mut().expect("there is one").user.uid = 1234;
            (create.open_stdin, create.stdin_once) = (true, true);
        },
        &[all_streams()],
    );
    type_in(&mut clients[0], b"in\n");
    end_input(&clients[0]);
    assert_eq!(engine.exited().code, 0);
    assert_eq!(read_frames(&mut clients[0]), ("out\nin\n".into(), "err\n".into()));
    engine.acknowledge();
}

#[test]
fn execs_end_with_the_container_and_are_reported_before_it() {
    let (mut engine, _) = Engine::running(|create| script(create, "sleep 100"), &[]);
    let mut client = engine.exec("e1", shell("echo up; sleep 100"), output_only());
    assert!(matches!(engine.receive(), Report::ExecStarted { .. }));
    read_until(&mut client, "up\n");
    engine.send(&Request::Kill { signal: 9 }, &[]);
    assert!(matches!(engine.receive(), Report::ExecExited { code: 137, .. }));
    assert_eq!(engine.exited().code, 137);
    engine.send(&Request::Ack { exec: Some("e1".into()) }, &[]);
    assert_eq!(client.read(&mut [0; 8]).expect("the connection ends"), 0);
    engine.acknowledge();
}

#[test]
fn strangers_and_nonsense_on_the_socket_harm_nobody() {
    let (mut engine, _) = Engine::running(|create| script(create, "sleep 100"), &[]);
    let socket = engine.socket.as_ref().expect("connected");
    sys::socket::send_message(socket, b"{\"type\":\"explode\"}", &[]).expect("send").expect("room");
    // The connection is closed; the container is not affected, and the next engine is welcome.
    let hello = engine.reconnect();
    assert_eq!(hello.state, State::Running);
    // Requests that make no sense now are passed over.
    engine.send(&Request::Start, &[]);
    engine.send(&Request::Ack { exec: None }, &[]);
    engine.send(&Request::Ack { exec: Some("nobody".into()) }, &[]);
    engine.send(&Request::Resize { exec: Some("nobody".into()), rows: 1, columns: 1 }, &[]);
    engine.send(&Request::Resize { exec: None, rows: 1, columns: 1 }, &[]);
    engine.send(&Request::Attach { exec: None, attach: output_only() }, &[]);
    engine.send(&Request::Kill { signal: 999 }, &[]);
    let mut nobody = engine.attach(Some("nobody"), output_only());
    assert_eq!(nobody.read(&mut [0; 8]).expect("closed at once"), 0);
    engine.send(&Request::Kill { signal: 9 }, &[]);
    assert_eq!(engine.exited().code, 137);
    assert_eq!(engine.acknowledge(), 0);
}

#[test]
fn log_that_cannot_be_written_does_not_stop_the_container() {
    let (mut engine, mut clients) = Engine::running(
        |create| {
            script(create, "yes | head -n 100000");
            if let Log::JsonFile { path, .. } = &mut create.log {
                *path = "/dev/full".into();
            }
        },
        &[output_only()],
    );
    assert_eq!(engine.exited().code, 0);
    assert_eq!(read_frames(&mut clients[0]).0.len(), 200_000);
    engine.acknowledge();
}
