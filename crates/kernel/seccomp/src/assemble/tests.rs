//! Runs assembled programs in a small interpreter.

use super::*;
use crate::default_profile;
use crate::profile::Profile;
use crate::resolve::resolve;

const X86_64: u32 = 0xc000_003e;
const I386: u32 = 0x4000_0003;
const EPERM: Action = Action(0x0005_0001);

/// Runs a program as the kernel does; also checks what the kernel's verifier checks.
fn run(program: &[Instruction], arch: u32, number: u32, args: [u64; 6]) -> Action {
    let word = |offset: u32| match offset {
        0 => number,
        4 => arch,
        16.. => (args[(offset as usize - 16) / 8] >> (if offset % 8 == 4 { 32 } else { 0 })) as u32,
        other => panic!("load from {other}"),
    };
    let (mut at, mut accumulator, mut steps) = (0, 0u32, 0);
    loop {
        let i = program[at];
        at += 1;
        steps += 1;
        assert!(steps < 100, "a call needs {steps} instructions");
        let branch = |yes: bool| at + usize::from(if yes { i.jump_true } else { i.jump_false });
        match i.code {
            0x20 => accumulator = word(i.operand),
            0x54 => accumulator &= i.operand,
            0x05 => at += i.operand as usize,
            0x15 => at = branch(accumulator == i.operand),
            0x25 => at = branch(accumulator > i.operand),
            0x35 => at = branch(accumulator >= i.operand),
            0x06 => return Action(i.operand),
            other => panic!("unexpected code {other:#x}"),
        }
    }
}

fn compiled(json: &str) -> Vec<Instruction> {
    let profile = Profile::parse(json).expect("the profile is valid");
    assemble(&resolve(&profile, &[], (6, 1), Arch::X86_64).expect("resolves")).expect("assembles")
}

fn default_program(caps: &[&str]) -> Vec<Instruction> {
    let caps: Vec<String> = caps.iter().map(|&cap| cap.to_owned()).collect();
    assemble(&resolve(&default_profile(), &caps, (6, 1), Arch::X86_64).expect("resolves")).expect("assembles")
}

fn call(program: &[Instruction], arch: Arch, name: &str, first: u64) -> Action {
    let number = arch.number(name).expect("the call exists");
    run(program, arch.audit(), number, [first, 0, 0, 0, 0, 0])
}

#[test]
fn operators_compare_all_64_bits() {
    let big = 0x1_0000_0002u64;
    type Case<'a> = (&'a str, u64, u64, &'a [(u64, bool)]); // operator, value, valueTwo, (argument, holds)
    let cases: [Case<'_>; 7] = [
        ("EQ", big, 0, &[(big, true), (2, false), (big + 1, false), (big + (1 << 32), false)]),
        ("NE", big, 0, &[(big, false), (2, true), (big + 1, true)]),
        ("GT", big, 0, &[(big, false), (big + 1, true), (0x2_0000_0000, true), (0xffff_ffff, false)]),
        ("GE", big, 0, &[(big, true), (big - 1, false), (0x2_0000_0000, true), (0xffff_ffff, false)]),
        ("LT", big, 0, &[(big, false), (big - 1, true), (0x2_0000_0000, false), (0xffff_ffff, true)]),
        ("LE", big, 0, &[(big, true), (big + 1, false), (0x2_0000_0000, false), (0xffff_ffff, true)]),
        (
            "MASKED_EQ",
            0xf_0000_00f0,
            0x1_0000_0020,
            &[(0x1_0000_0020, true), (0xf1_0000_0f2f, true), (0x20, false), (0x1_0000_0030, false)],
        ),
    ];
    for (op, value, two, samples) in cases {
        let json = format!(
            r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{{"names":["read"],"action":"SCMP_ACT_ALLOW",
               "args":[{{"index":3,"value":{value},"valueTwo":{two},"op":"SCMP_CMP_{op}"}}]}}]}}"#
        );
        let program = compiled(&json);
        for &(argument, want) in samples {
            let got = run(&program, X86_64, 0, [7, 7, 7, argument, 7, 7]) == Action::ALLOW;
            assert_eq!(got, want, "{argument:#x} {op} {value:#x}");
        }
    }
}

#[test]
fn conditions_on_different_arguments_must_all_hold() {
    let program = compiled(
        r#"{"defaultAction":"SCMP_ACT_KILL_PROCESS","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[
            {"index":0,"value":1,"op":"SCMP_CMP_EQ"},{"index":1,"value":2,"op":"SCMP_CMP_EQ"},{"index":2,"value":3,"op":"SCMP_CMP_LT"}]},
            {"names":["read"],"action":"SCMP_ACT_TRAP","args":[{"index":0,"value":9,"op":"SCMP_CMP_EQ"}]}]}"#,
    );
    let cases = [
        ([1, 2, 0], Action::ALLOW),
        ([1, 2, 3], Action::KILL_PROCESS),
        ([1, 3, 0], Action::KILL_PROCESS),
        ([9, 2, 0], Action::TRAP),
    ];
    for (args, want) in cases {
        assert_eq!(run(&program, X86_64, 0, [args[0], args[1], args[2], 0, 0, 0]), want, "{args:?}");
    }
}

#[test]
fn conditions_on_one_argument_are_alternatives() {
    let program = compiled(
        r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[
            {"index":0,"value":1,"op":"SCMP_CMP_EQ"},{"index":0,"value":5,"op":"SCMP_CMP_EQ"}]}]}"#,
    );
    let allowed: Vec<u64> =
        (0..8).filter(|&v| run(&program, X86_64, 0, [v, 0, 0, 0, 0, 0]) == Action::ALLOW).collect();
    assert_eq!(allowed, [1, 5]);
}

#[test]
fn only_named_architectures_live() {
    let program = compiled(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#);
    assert_eq!(run(&program, X86_64, 39, [0; 6]), Action::ALLOW);
    assert_eq!(run(&program, I386, 20, [0; 6]), Action::KILL_PROCESS);
    assert_eq!(run(&program, X86_64, X32_BIT | 39, [0; 6]), Action::KILL_PROCESS);
}

#[test]
fn rules_win_over_a_permissive_default() {
    let program = compiled(
        r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X32","SCMP_ARCH_X86"],
            "syscalls":[{"names":["mkdir","chmod"],"action":"SCMP_ACT_ERRNO","errnoRet":13}]}"#,
    );
    let eacces = Action(0x0005_000d);
    for arch in [Arch::X86_64, Arch::X86, Arch::X32] {
        assert_eq!(call(&program, arch, "mkdir", 0), eacces, "{arch:?}");
        assert_eq!(call(&program, arch, "chmod", 0), eacces, "{arch:?}");
        assert_eq!(call(&program, arch, "getpid", 0), Action::ALLOW, "{arch:?}");
        let unknown = if arch == Arch::X32 { X32_BIT | 9999 } else { 9999 };
        assert_eq!(run(&program, arch.audit(), unknown, [0; 6]), Action::ALLOW, "{arch:?}");
    }
}

#[test]
fn default_profile_allows_and_denies_as_dockers() {
    let program = default_program(&["CAP_CHOWN"]);
    let cases = [
        ("read", 0, Action::ALLOW),
        ("ptrace", 0, Action::ALLOW),
        ("socket", 2, Action::ALLOW),
        ("socket", 40, EPERM),
        ("socket", 38, Action::ALLOW),
        ("personality", 8, Action::ALLOW),
        ("personality", 0xffff_ffff, Action::ALLOW),
        ("personality", 0xffff_ffff_ffff_ffff, EPERM),
        ("personality", 9, EPERM),
        ("clone", 0x11, Action::ALLOW),
        ("clone", 0x1000_0000, EPERM),
        ("clone3", 0, Action::ENOSYS),
        ("mount", 0, EPERM),
        ("keyctl", 0, EPERM),
        ("bpf", 0, EPERM),
        ("io_uring_setup", 0, EPERM),
        ("kexec_load", 0, EPERM),
        ("arch_prctl", 0, Action::ALLOW),
        ("chroot", 0, EPERM),
    ];
    for (name, first, want) in cases {
        assert_eq!(call(&program, Arch::X86_64, name, first), want, "{name}({first:#x})");
    }
    assert_eq!(run(&program, X86_64, 9999, [0; 6]), Action::ENOSYS);
    assert_eq!(run(&program, X86_64, X32_BIT | 9999, [0; 6]), Action::ENOSYS);
    assert_eq!(run(&program, I386, 9999, [0; 6]), Action::ENOSYS);
    assert_eq!(call(&program, Arch::X86, "socketcall", 0), Action::ALLOW);
    assert_eq!(call(&program, Arch::X32, "mount", 0), EPERM);
}

#[test]
fn default_profile_follows_capabilities() {
    let program = default_program(&["CAP_SYS_ADMIN", "CAP_SYS_CHROOT"]);
    for name in ["mount", "clone3", "chroot", "unshare", "bpf"] {
        assert_eq!(call(&program, Arch::X86_64, name, 0), Action::ALLOW, "{name}");
    }
    assert_eq!(call(&program, Arch::X86_64, "clone", 0x7e02_0000), Action::ALLOW);
    assert_eq!(call(&program, Arch::X86_64, "reboot", 0), EPERM);
}

#[test]
fn default_profile_stays_small() {
    let length = default_program(&[]).len();
    assert!(length < 700, "{length} instructions");
}

#[test]
fn search_tree_agrees_with_the_rules_for_every_number() {
    let rules = resolve(&default_profile(), &[], (6, 1), Arch::X86_64).expect("resolves");
    let program = assemble(&rules).expect("assembles");
    for arch in &rules.arches {
        let base = if arch.arch == Arch::X32 { X32_BIT } else { 0 };
        for number in base..base + 700 {
            let want = match arch.calls.get(&number) {
                Some(Verdict::Always(action)) => *action,
                Some(Verdict::If(_)) => continue, // Depends on arguments: other tests.
                None if Some(number) > arch.last_known => Action::ENOSYS,
                None => rules.default,
            };
            assert_eq!(run(&program, arch.arch.audit(), number, [0; 6]), want, "{:?} {number}", arch.arch);
        }
    }
}

#[test]
fn arm_has_its_own_numbers() {
    let rules = resolve(&default_profile(), &[], (6, 1), Arch::Aarch64).expect("resolves");
    let program = assemble(&rules).expect("assembles");
    assert_eq!(call(&program, Arch::Aarch64, "openat", 0), Action::ALLOW);
    assert_eq!(call(&program, Arch::Arm, "set_tls", 0), Action::ALLOW);
    assert_eq!(call(&program, Arch::Aarch64, "mount", 0), EPERM);
    assert_eq!(run(&program, X86_64, 0, [0; 6]), Action::KILL_PROCESS);
}
