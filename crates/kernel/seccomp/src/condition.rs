//! Conditions on arguments, as BPF.

use crate::Error;
use crate::assemble::{Instruction as I, Jump};

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    NotEqual,
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
    /// `argument & value == value_two`.
    MaskedEqual,
}

impl Operator {
    pub(crate) fn parse(name: &str) -> Result<Self, Error> {
        Ok(match name {
            "SCMP_CMP_NE" => Self::NotEqual,
            "SCMP_CMP_LT" => Self::Less,
            "SCMP_CMP_LE" => Self::LessOrEqual,
            "SCMP_CMP_EQ" => Self::Equal,
            "SCMP_CMP_GE" => Self::GreaterOrEqual,
            "SCMP_CMP_GT" => Self::Greater,
            "SCMP_CMP_MASKED_EQ" => Self::MaskedEqual,
            other => return Err(Error::Invalid(format!("unknown operator {other:?}"))),
        })
    }
}

/// A condition on one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) index: u8,
    pub(crate) operator: Operator,
    pub(crate) value: u64,
    pub(crate) value_two: u64,
}

/// Where a comparison leads: on to the next instruction, over the rest of this condition, or out of the alternative.
#[derive(Clone, Copy)]
enum To {
    Next,
    Holds,
    Fails,
}

enum Step {
    Load(u32),
    And(u32),
    Test(Jump, u32, To, To),
}

impl Condition {
    /// Returns the instructions, which fall through if the condition holds and else jump `beyond` instructions past
    /// their end.
    pub(crate) fn assemble(&self, is_64_bit: bool, beyond: u8) -> Vec<I> {
        let steps = if is_64_bit { self.wide() } else { self.low(To::Fails) };
        let length = steps.len();
        let offset = |at: usize, to: To| {
            let rest = (length - at - 1) as u8; // A condition has at most 6 instructions.
            match to {
                To::Next => 0,
                To::Holds => rest,
                To::Fails => rest + beyond,
            }
        };
        let lower = |(at, step): (usize, Step)| match step {
            Step::Load(from) => I::load(from),
            Step::And(mask) => I::and(mask),
            Step::Test(jump, value, yes, no) => I::jump(jump, value, offset(at, yes), offset(at, no)),
        };
        steps.into_iter().enumerate().map(lower).collect()
    }

    /// Both halves of a 64-bit argument, the high one first.
    fn wide(&self) -> Vec<Step> {
        let high = (self.value >> 32) as u32;
        let mut steps = vec![Step::Load(self.offset() + 4)];
        match self.operator {
            Operator::Equal => steps.push(Step::Test(Jump::Equal, high, To::Next, To::Fails)),
            Operator::NotEqual => steps.push(Step::Test(Jump::Equal, high, To::Next, To::Holds)),
            Operator::Greater | Operator::GreaterOrEqual => steps.extend([
                Step::Test(Jump::Greater, high, To::Holds, To::Next),
                Step::Test(Jump::Equal, high, To::Next, To::Fails),
            ]),
            Operator::Less | Operator::LessOrEqual => steps.extend([
                Step::Test(Jump::Greater, high, To::Fails, To::Next),
                Step::Test(Jump::Equal, high, To::Next, To::Holds),
            ]),
            Operator::MaskedEqual => steps.extend([
                Step::And(high),
                Step::Test(Jump::Equal, (self.value_two >> 32) as u32, To::Next, To::Fails),
            ]),
        }
        steps.extend(self.low(To::Fails));
        steps
    }

    fn low(&self, fails: To) -> Vec<Step> {
        let low = self.value as u32;
        let mut steps = vec![Step::Load(self.offset())];
        match self.operator {
            Operator::Equal => steps.push(Step::Test(Jump::Equal, low, To::Next, fails)),
            Operator::NotEqual => steps.push(Step::Test(Jump::Equal, low, fails, To::Next)),
            Operator::Greater => steps.push(Step::Test(Jump::Greater, low, To::Next, fails)),
            Operator::GreaterOrEqual => steps.push(Step::Test(Jump::GreaterOrEqual, low, To::Next, fails)),
            Operator::Less => steps.push(Step::Test(Jump::GreaterOrEqual, low, fails, To::Next)),
            Operator::LessOrEqual => steps.push(Step::Test(Jump::Greater, low, fails, To::Next)),
            Operator::MaskedEqual => {
                steps.extend([
                    Step::And(low),
                    Step::Test(Jump::Equal, self.value_two as u32, To::Next, fails),
                ]);
            }
        }
        steps
    }

    /// Returns where the low half lies in `struct seccomp_data` (little-endian, as all architectures here are).
    fn offset(&self) -> u32 {
        16 + 8 * u32::from(self.index)
    }
}
