//! Which devices a group may use: v1 lines and the v2 eBPF program.
//!
//! The program sees the access type and device in `r1`:
//! ```text
//! struct bpf_cgroup_dev_ctx { u32 access_type; /* (access << 16) | kind */  u32 major;  u32 minor; }
//! ```
//! and answers 1 (permitted) or 0. Rules are tried from the last to the first, so that the last matching one wins.

use sys::bpf::Instruction;

/// What may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) mknod: bool,
}

/// Which kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeviceKind {
    All,
    Char,
    Block,
}

/// One rule; none as a number means every number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeviceRule {
    pub(crate) allow: bool,
    pub(crate) kind: DeviceKind,
    pub(crate) major: Option<u32>,
    pub(crate) minor: Option<u32>,
    pub(crate) access: Access,
}

const ACC_MKNOD: i32 = 1;
const ACC_READ: i32 = 2;
const ACC_WRITE: i32 = 4;
const ACC_ALL: i32 = 7;
const DEV_BLOCK: i32 = 1;
const DEV_CHAR: i32 = 2;

impl Access {
    /// Parses `rwm` letters; empty means all.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self { read: true, write: true, mknod: true });
        }
        let mut access = Self { read: false, write: false, mknod: false };
        for letter in text.chars() {
            match letter {
                'r' => access.read = true,
                'w' => access.write = true,
                'm' => access.mknod = true,
                _ => return None,
            }
        }
        Some(access)
    }

    fn bits(self) -> i32 {
        let bit = |set: bool, bit| if set { bit } else { 0 };
        bit(self.read, ACC_READ) | bit(self.write, ACC_WRITE) | bit(self.mknod, ACC_MKNOD)
    }
}

impl DeviceRule {
    /// Returns the line for v1's `devices.allow` or `devices.deny`.
    pub(crate) fn v1_line(&self) -> String {
        let kind = match self.kind {
            // v1's `a` ignores the numbers and the access: it resets everything.
            DeviceKind::All => return "a".into(),
            DeviceKind::Char => 'c',
            DeviceKind::Block => 'b',
        };
        let number = |value: Option<u32>| value.map_or_else(|| "*".to_owned(), |value| value.to_string());
        let mut line = format!("{kind} {}:{} ", number(self.major), number(self.minor));
        for (set, letter) in [(self.access.read, 'r'), (self.access.write, 'w'), (self.access.mknod, 'm')] {
            if set {
                line.push(letter);
            }
        }
        line
    }

    fn is_catch_all(&self) -> bool {
        self.kind == DeviceKind::All
            && self.major.is_none()
            && self.minor.is_none()
            && self.access.bits() == ACC_ALL
    }
}

/// Splits rules that v1 cannot say in one line: `a` with numbers or with less than full access becomes `c` and `b`.
pub(crate) fn v1_rules(rules: &[DeviceRule]) -> Vec<DeviceRule> {
    let split = |rule: &DeviceRule| match rule.kind {
        DeviceKind::All if !rule.is_catch_all() => {
            vec![
                DeviceRule { kind: DeviceKind::Char, ..*rule },
                DeviceRule { kind: DeviceKind::Block, ..*rule },
            ]
        }
        _ => vec![*rule],
    };
    rules.iter().flat_map(split).collect()
}

/// Returns the v2 program. What no rule matches is denied.
pub(crate) fn program(rules: &[DeviceRule]) -> Vec<Instruction> {
    use Instruction as I;
    let mut out = vec![
        I::load_u32(2, 1, 0),   // r2 = access_type
        I::move_register(3, 2), // r3 = r2
        I::and(2, 0xffff),      // r2 = kind
        I::shift_right(3, 16),  // r3 = access
        I::load_u32(4, 1, 4),   // r4 = major
        I::load_u32(5, 1, 8),   // r5 = minor
    ];
    for rule in rules.iter().rev() {
        emit(&mut out, rule);
        if rule.is_catch_all() {
            return out; // Nothing gets past it.
        }
    }
    out.extend([I::move_value(0, 0), I::exit()]);
    out
}

/// Appends the test of one rule, which falls through to the next rule when it does not match.
fn emit(out: &mut Vec<Instruction>, rule: &DeviceRule) {
    use Instruction as I;
    let mut tests: Vec<Test> = Vec::new();
    match rule.kind {
        DeviceKind::All => {}
        DeviceKind::Char => tests.push(Test::NotEqual(2, DEV_CHAR as u32)),
        DeviceKind::Block => tests.push(Test::NotEqual(2, DEV_BLOCK as u32)),
    }
    if rule.access.bits() != ACC_ALL {
        // A permission must cover all that is asked for; a denial of a part denies it all.
        tests.push(if rule.allow {
            Test::NotWithin(rule.access.bits())
        } else {
            Test::NothingOf(rule.access.bits())
        });
    }
    tests.extend(rule.major.map(|major| Test::NotEqual(4, major)));
    tests.extend(rule.minor.map(|minor| Test::NotEqual(5, minor)));

    let mut remaining: i16 = tests.iter().map(Test::length).sum::<i16>() + 2;
    for test in tests {
        remaining -= test.length();
        test.emit(out, remaining);
    }
    out.extend([I::move_value(0, i32::from(rule.allow)), I::exit()]);
}

/// A comparison that leaves the rule when it holds.
enum Test {
    NotEqual(u8, u32),
    NotWithin(i32),
    NothingOf(i32),
}

impl Test {
    fn length(&self) -> i16 {
        match self {
            Self::NotEqual(..) => 1,
            Self::NotWithin(_) | Self::NothingOf(_) => 3,
        }
    }

    fn emit(&self, out: &mut Vec<Instruction>, skip: i16) {
        use Instruction as I;
        match *self {
            // 32-bit compares: a major or minor number may have its top bit set.
            Self::NotEqual(register, value) => out.push(I::jump_not_equal_u32(register, value, skip)),
            Self::NotWithin(bits) => {
                out.extend([I::move_register(1, 3), I::and(1, bits), I::jump_registers_not_equal(1, 3, skip)])
            }
            Self::NothingOf(bits) => {
                out.extend([I::move_register(1, 3), I::and(1, bits), I::jump_equal(1, 0, skip)]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(allow: bool, kind: DeviceKind, numbers: (Option<u32>, Option<u32>), access: &str) -> DeviceRule {
        let access = Access::parse(access).expect("letters are valid");
        DeviceRule { allow, kind, major: numbers.0, minor: numbers.1, access }
    }

    /// Runs the few instructions that `program` emits.
    fn permitted(program: &[Instruction], kind: i32, access: i32, major: u32, minor: u32) -> bool {
        let context = [((access as u32) << 16) | kind as u32, major, minor];
        let mut registers = [0u64; 11];
        let mut at = 0usize;
        loop {
            let i = program[at].decode();
            at += 1;
            let jump = |taken: bool, at: usize| if taken { at + i.offset as usize } else { at };
            let (d, s) = (i.destination as usize, i.source as usize);
            match i.opcode {
                0x61 => registers[d] = u64::from(context[i.offset as usize / 4]),
                0xbf => registers[d] = registers[s],
                0xb7 => registers[d] = i.immediate as i64 as u64,
                0x57 => registers[d] &= i.immediate as i64 as u64,
                0x77 => registers[d] >>= i.immediate,
                0x56 => at = jump(registers[d] as u32 != i.immediate as u32, at),
                0x15 => at = jump(registers[d] == i.immediate as i64 as u64, at),
                0x5d => at = jump(registers[d] != registers[s], at),
                0x95 => return registers[0] != 0,
                other => panic!("unexpected opcode {other:#x}"),
            }
        }
    }

    #[test]
    fn program_lets_the_last_matching_rule_win() {
        let rules = [
            rule(false, DeviceKind::All, (None, None), "rwm"),
            rule(true, DeviceKind::Char, (None, None), "m"),
            rule(true, DeviceKind::Char, (Some(1), Some(3)), "rwm"),
            rule(true, DeviceKind::Block, (Some(8), None), "r"),
            rule(false, DeviceKind::Block, (Some(8), Some(1)), "rw"),
            rule(true, DeviceKind::Char, (Some(5), Some(u32::MAX)), "rw"),
        ];
        let program = program(&rules);
        let cases = [
            (DEV_CHAR, ACC_ALL, 1, 3, true),
            (DEV_BLOCK, ACC_READ, 1, 3, false),
            (DEV_CHAR, ACC_MKNOD, 99, 9, true),
            (DEV_CHAR, ACC_READ, 99, 9, false),
            (DEV_BLOCK, ACC_READ, 8, 0, true),
            (DEV_BLOCK, ACC_READ | ACC_WRITE, 8, 0, false),
            (DEV_BLOCK, ACC_READ, 8, 1, false),
            (DEV_CHAR, ACC_WRITE, 5, u32::MAX, true),
            (DEV_CHAR, ACC_WRITE, 5, 1, false),
        ];
        for (kind, access, major, minor, want) in cases {
            assert_eq!(
                permitted(&program, kind, access, major, minor),
                want,
                "{kind} {access} {major}:{minor}"
            );
        }
    }

    #[test]
    fn program_ends_at_a_rule_for_everything() {
        let rules = [
            rule(false, DeviceKind::All, (None, None), "rwm"),
            rule(true, DeviceKind::All, (None, None), ""),
        ];
        let program = program(&rules);
        assert_eq!(program.len(), 8);
        assert!(permitted(&program, DEV_BLOCK, ACC_ALL, 1, 1));
    }

    #[test]
    fn v1_lines_split_what_v1_cannot_say() {
        let rules = [
            rule(false, DeviceKind::All, (None, None), ""),
            rule(true, DeviceKind::All, (Some(1), None), "rm"),
            rule(true, DeviceKind::Char, (Some(1), Some(3)), "rwm"),
        ];
        let lines: Vec<_> = v1_rules(&rules).iter().map(DeviceRule::v1_line).collect();
        assert_eq!(lines, ["a", "c 1:* rm", "b 1:* rm", "c 1:3 rwm"]);
    }
}
