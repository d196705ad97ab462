//! Terminals: handed over a console socket, and in the foreground.

use super::bed::Bed;
use serde_json::json;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

/// Reads until a text comes.
fn expect(master: &mut File, text: &str) {
    let mut seen = String::new();
    let mut buffer = [0; 1024];
    while !seen.contains(text) {
        match master.read(&mut buffer) {
            Ok(0) | Err(_) => panic!("{text:?} did not come: {seen:?}"),
            Ok(count) => seen.push_str(&String::from_utf8_lossy(&buffer[..count])),
        }
    }
}

/// Runs a command that sends a terminal to the socket, and returns its master.
fn receive(listener: &UnixListener, mut command: Command) -> File {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.spawn().expect("it can be executed");
    let (connection, _) = listener.accept().expect("it connects");
    let mut fds: Vec<OwnedFd> = Vec::new();
    testkit::wait_until("the terminal", || {
        let message = sys::socket::receive_message(&connection, 64).expect("a message");
        fds.extend(message.into_iter().flat_map(|message| message.fds));
        !fds.is_empty()
    });
    assert!(child.wait().expect("it ends").success());
    assert_eq!(fds.len(), 1);
    File::from(fds.remove(0))
}

#[test]
fn console_socket_gets_the_master_of_create_and_exec() {
    let bed = Bed::new();
    let socket = bed.folder.join("console.sock");
    let listener = UnixListener::bind(&socket).expect("new");
    let socket = socket.to_str().expect("text");
    bed.configure(|config| {
        config["process"]["terminal"] = json!(true);
        config["process"]["consoleSize"] = json!({"height": 33, "width": 99});
        config["process"]["args"] = json!(["sh", "-c", "stty size; read line; echo got $line; sleep 1000"]);
    });
    let mut master = receive(&listener, bed.command(&["create", "--console-socket", socket, "a"]));
    bed.run(&["start", "a"]).ok();
    expect(&mut master, "33 99");
    master.write_all(b"typed\n").expect("a terminal");
    expect(&mut master, "got typed");
    let exec = bed.command(&[
        "exec",
        "-t",
        "-d",
        "--console-socket",
        socket,
        "a",
        "sh",
        "-c",
        "test -t 0 && echo is-tty; sleep 1000",
    ]);
    let mut second = receive(&listener, exec);
    expect(&mut second, "is-tty");
}

#[test]
fn terminal_without_a_socket_is_refused_when_nobody_would_hold_it() {
    let bed = Bed::new();
    bed.configure(|config| config["process"]["terminal"] = json!(true));
    for args in [&["create", "a"][..], &["run", "-d", "a"]] {
        let said = bed.run(args).fails_with(1);
        assert!(said.contains("cannot allocate tty"), "{said}");
    }
    bed.configure(|config| config["process"]["terminal"] = json!(false));
    let said = bed.run(&["create", "--console-socket", "/nosuch", "a"]).fails_with(1);
    assert!(said.contains("cannot use console socket"), "{said}");
    bed.configure(|config| config["process"]["terminal"] = json!(true));
    let said = bed.run(&["create", "--console-socket", "/nosuch", "a"]).fails_with(1);
    assert!(said.contains("send the terminal to /nosuch"), "{said}");
    bed.assert_nothing_left();
}

#[test]
fn foreground_terminal_is_typed_into_and_resized() {
    let bed = Bed::new();
    bed.configure(|config| {
        config["process"]["terminal"] = json!(true);
        config["process"]["args"] =
            json!(["sh", "-c", "test -t 0 && stty size; read line; echo got $line; exit 6"]);
    });
    let program = testkit::programs().join("naru-run");
    let (bundle, root) = (bed.bundle(), bed.folder.join("root"));
    let command =
        format!("{} --root {} run --bundle {} a", program.display(), root.display(), bundle.display());
    let mut terminal = testkit::Terminal::start(&command, &[]);
    terminal.expect("40 100");
    terminal.type_text("words\n");
    terminal.expect("got words");
    assert_eq!(terminal.wait(), 6);
    bed.assert_nothing_left();
}

#[test]
fn exec_with_a_terminal_in_the_foreground_copies_both_ways() {
    let bed = Bed::new();
    bed.script("sleep 1000");
    bed.start("a");
    let said = bed.run_with_input(
        &["exec", "-t", "a", "sh", "-c", "test -t 1 && read line && echo got $line"],
        "piped\n",
    );
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("got piped\r\n"), "{said:?}");
}
