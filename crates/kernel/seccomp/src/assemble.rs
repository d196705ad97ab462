//! From resolved rules to classic BPF.
//!
//! ```text
//! load arch ─┬─ x86_64: load nr ─┬─ x32 bit: search tree over ranges of numbers
//!            │                   └─ else: search tree
//!            ├─ x86: search tree
//!            └─ other: kill the process
//! ```
//! Neighbouring numbers with the same verdict are one range, so that the tree is small (Docker's default profile: 682
//! instructions for three architectures, where one per call needs 1000 to 1200) and a call needs some 8 comparisons.
//! Only instructions that the kernel's own emulator knows are used before an argument is looked at: it can then keep the
//! constant verdicts in a bitmap and skip the program.

use crate::Error;
use crate::arch::{Arch, X32_BIT};
use crate::resolve::{Action, ArchRules, Rules, Verdict};

/// One `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) code: u16,
    pub(crate) jump_true: u8,
    pub(crate) jump_false: u8,
    pub(crate) operand: u32,
}

/// A comparison with the accumulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Jump {
    Equal,
    Greater,
    GreaterOrEqual,
}

impl Instruction {
    /// Loads the 32-bit word at an offset of `struct seccomp_data`.
    pub(crate) fn load(offset: u32) -> Self {
        Self { code: 0x20, jump_true: 0, jump_false: 0, operand: offset }
    }

    pub(crate) fn and(mask: u32) -> Self {
        Self { code: 0x54, jump_true: 0, jump_false: 0, operand: mask }
    }

    pub(crate) fn jump(jump: Jump, operand: u32, jump_true: u8, jump_false: u8) -> Self {
        let code = match jump {
            Jump::Equal => 0x15,
            Jump::Greater => 0x25,
            Jump::GreaterOrEqual => 0x35,
        };
        Self { code, jump_true, jump_false, operand }
    }

    fn always(distance: u32) -> Self {
        Self { code: 0x05, jump_true: 0, jump_false: 0, operand: distance }
    }

    fn answer(action: Action) -> Self {
        Self { code: 0x06, jump_true: 0, jump_false: 0, operand: action.0 }
    }

    /// Returns the bytes of `struct sock_filter` in the machine's order.
    pub(crate) fn to_bytes(self) -> [u8; 8] {
        let code = self.code.to_ne_bytes();
        let operand = self.operand.to_ne_bytes();
        let [jt, jf] = [self.jump_true, self.jump_false];
        [code[0], code[1], jt, jf, operand[0], operand[1], operand[2], operand[3]]
    }
}

const OFFSET_NUMBER: u32 = 0;
const OFFSET_ARCH: u32 = 4;
const MAX_INSTRUCTIONS: usize = 4096;

/// Assembles the program.
pub(crate) fn assemble(rules: &Rules) -> Result<Vec<Instruction>, Error> {
    let mut program = vec![Instruction::load(OFFSET_ARCH)];
    for (audit, body) in bodies(rules) {
        // A far jump, since a body is longer than 255.
        program.push(Instruction::jump(Jump::Equal, audit, 1, 0));
        program.push(Instruction::always(body.len() as u32));
        program.extend(body);
    }
    program.push(Instruction::answer(Action::KILL_PROCESS));
    if program.len() > MAX_INSTRUCTIONS { Err(Error::TooLong(program.len())) } else { Ok(program) }
}

/// Returns the audit numbers with the programs that decide about their system calls.
fn bodies(rules: &Rules) -> Vec<(u32, Vec<Instruction>)> {
    let mut bodies: Vec<(u32, Vec<Range>)> = Vec::new();
    for arch in &rules.arches {
        let ranges = ranges(arch, rules.default);
        match bodies.iter_mut().find(|(audit, _)| *audit == arch.arch.audit()) {
            Some((_, known)) => merge_x32(known, ranges, arch.arch),
            None => bodies.push((arch.arch.audit(), ranges)),
        }
    }
    let body = |(audit, ranges): (u32, Vec<Range>)| {
        let is_64_bit = rules.arches.iter().any(|arch| arch.arch.audit() == audit && arch.arch.is_64_bit());
        let mut body = vec![Instruction::load(OFFSET_NUMBER)];
        body.extend(tree(&ranges, rules.default, is_64_bit));
        (audit, body)
    };
    bodies.into_iter().map(body).collect()
}

/// System calls from a number up to the next range's number.
#[derive(Clone, Debug, PartialEq)]
struct Range {
    from: u32,
    verdict: Verdict,
}

/// Returns the ranges of one architecture, from its first number to the greatest.
fn ranges(rules: &ArchRules, default: Action) -> Vec<Range> {
    let first = if rules.arch == Arch::X32 { X32_BIT } else { 0 };
    let default = Verdict::Always(default);
    let mut ranges = Vec::new();
    let mut next = first;
    for (&number, verdict) in &rules.calls {
        if number > next {
            push(&mut ranges, next, default.clone());
        }
        push(&mut ranges, number, verdict.clone());
        next = number.saturating_add(1);
    }
    match rules.last_known {
        Some(last) => {
            if last >= next {
                push(&mut ranges, next, default);
            }
            push(&mut ranges, last.saturating_add(1), Verdict::Always(Action::ENOSYS));
        }
        None => push(&mut ranges, next, default),
    }
    if rules.arch == Arch::X86_64 {
        // x32's numbers share the audit number; without x32 in the profile they are another architecture's.
        ranges.retain(|range| range.from < X32_BIT);
        push(&mut ranges, X32_BIT, Verdict::Always(Action::KILL_PROCESS));
    }
    ranges
}

fn merge_x32(known: &mut Vec<Range>, further: Vec<Range>, arch: Arch) {
    match arch {
        Arch::X32 => {
            known.retain(|range| range.from < X32_BIT);
            known.extend(further);
        }
        // x32 came first: the native one goes below it.
        _ => {
            known.splice(0..0, further.into_iter().filter(|range| range.from < X32_BIT));
        }
    }
}

fn push(ranges: &mut Vec<Range>, from: u32, verdict: Verdict) {
    if ranges.last().is_none_or(|last| last.verdict != verdict) {
        ranges.push(Range { from, verdict });
    }
}

/// Returns the search tree: the instructions expect the number in the accumulator and end with an answer on every path.
fn tree(ranges: &[Range], default: Action, is_64_bit: bool) -> Vec<Instruction> {
    if let [only] = ranges {
        return leaf(&only.verdict, default, is_64_bit);
    }
    let middle = ranges.len() / 2;
    let low = tree(&ranges[..middle], default, is_64_bit);
    let high = tree(&ranges[middle..], default, is_64_bit);
    let from = ranges[middle].from;
    let mut out = match u8::try_from(low.len()) {
        Ok(distance) => vec![Instruction::jump(Jump::GreaterOrEqual, from, distance, 0)],
        Err(_) => {
            vec![Instruction::jump(Jump::GreaterOrEqual, from, 0, 1), Instruction::always(low.len() as u32)]
        }
    };
    out.extend(low);
    out.extend(high);
    out
}

fn leaf(verdict: &Verdict, default: Action, is_64_bit: bool) -> Vec<Instruction> {
    let alternatives = match verdict {
        Verdict::Always(action) => return vec![Instruction::answer(*action)],
        Verdict::If(alternatives) => alternatives,
    };
    let mut out = Vec::new();
    for (conditions, action) in alternatives {
        let mut beyond = 1u8; // The answer at the end of the alternative.
        let mut blocks = Vec::new();
        for condition in conditions.iter().rev() {
            let block = condition.assemble(is_64_bit, beyond);
            beyond += block.len() as u8; // At most six conditions of six instructions.
            blocks.push(block);
        }
        out.extend(blocks.into_iter().rev().flatten());
        out.push(Instruction::answer(*action));
    }
    out.push(Instruction::answer(default));
    out
}

#[cfg(test)]
mod tests;
