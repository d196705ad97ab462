//! Standard streams and terminals.

use super::fixture::{Bed, captured, finish};
use crate::Stdio;
use oci::runtime::ConsoleSize;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;

/// Reads a terminal until its last user is gone (EIO).
pub(super) fn read_terminal(master: &OwnedFd) -> String {
    let mut file = File::from(master.try_clone().expect("descriptor"));
    let mut text = Vec::new();
    let mut room = [0; 1024];
    while let Ok(length @ 1..) = file.read(&mut room) {
        text.extend_from_slice(&room[..length]);
    }
    String::from_utf8(text).expect("text")
}

#[test]
fn terminal_is_the_controlling_one_and_the_console() {
    let mut bed = Bed::new(
        "tty; stty size; echo x > /dev/console; echo y > /dev/tty; stat -c %u:%g /dev/pts/0; test -t 2 && echo yes",
    );
    bed.process().terminal = true;
    bed.process().console_size = Some(ConsoleSize { height: 20, width: 90 });
    bed.process().user.uid = 1000;
    let running = bed.start(Stdio::Terminal).expect("it starts");
    let text = read_terminal(running.terminal.as_ref().expect("it has one"));
    assert_eq!(text, "/dev/pts/0\r\n20 90\r\nx\r\ny\r\n1000:5\r\nyes\r\n");
    assert_eq!(sys::process::wait(&running.pidfd).map(|exit| exit.code), Ok(0));
    crate::kill_all(running.cgroup.as_ref().expect("it has one")).expect("it can be removed");
}

#[test]
fn streams_belong_to_the_user_and_carry_both_ways() {
    let mut bed = Bed::new("cat; echo again > /dev/stdout");
    bed.process().user.uid = 1000;
    let (reader, mut writer) = std::io::pipe().expect("pipe");
    let (Stdio::Streams { stdout, stderr, .. }, output) = captured() else { panic!("streams") };
    let running = bed.start(Stdio::Streams { stdin: reader.into(), stdout, stderr }).expect("it starts");
    writer.write_all(b"in\n").expect("it reads");
    drop(writer);
    assert_eq!(finish(&running, output).output, "in\nagain\n");
}

#[test]
fn program_has_no_descriptors_but_its_streams_and_no_ignored_signals() {
    let mut bed = Bed::new("ls /proc/$$/fd; true"); // Else the shell would become `ls`, with a descriptor of its own.
    assert_eq!(bed.output(), "0\n1\n2\n");
    let mut bed = Bed::new("");
    bed.process().args = ["grep", "-E", "Sig(Ign|Blk)", "/proc/self/status"].map(str::to_owned).to_vec();
    let zero = "0000000000000000";
    assert_eq!(bed.output(), format!("SigBlk:\t{zero}\nSigIgn:\t{zero}\n"));
}

#[test]
fn steps_of_both_sides_are_recorded() {
    let mut bed = Bed::new("true");
    bed.output();
    let has = |who: &str, step: &str| {
        bed.steps.iter().any(|s| s.who.name() == who && s.step == step && s.errno == 0)
    };
    for (who, step) in [
        ("shim", "create cgroup"),
        ("shim", "mount root"),
        ("shim", "clone3"),
        ("init", "mount"),
        ("init", "pivot_root"),
        ("init", "change user"),
        ("init", "execve"),
    ] {
        assert!(has(who, step), "{who}: {step} is missing in {:#?}", bed.steps);
    }
}
