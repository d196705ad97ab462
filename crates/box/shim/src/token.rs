//! The numbers by which the event loop knows what happened to whom. Pure.

/// What a descriptor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// The connection to the engine.
    Engine,
    /// The socket for further engines.
    Listener,
    /// The container's out-of-memory notification.
    OutOfMemory,
    /// The end of a task's process.
    Process(u32),
    /// A task's standard input.
    Input(u32),
    /// A task's standard output.
    Output(u32),
    /// A task's standard error.
    Error(u32),
    /// A task's terminal.
    Terminal(u32),
    /// A client of a task.
    Client(u32, u32),
}

impl Token {
    /// Returns the number: the kind in the highest byte, then 24 bits for the task, then 32 for the client.
    pub(crate) fn number(self) -> u64 {
        let (kind, task, client) = match self {
            Self::Engine => (0, 0, 0),
            Self::Listener => (1, 0, 0),
            Self::OutOfMemory => (2, 0, 0),
            Self::Process(task) => (3, task, 0),
            Self::Input(task) => (4, task, 0),
            Self::Output(task) => (5, task, 0),
            Self::Error(task) => (6, task, 0),
            Self::Terminal(task) => (7, task, 0),
            Self::Client(task, client) => (8, task, client),
        };
        kind << 56 | u64::from(task & 0xff_ffff) << 32 | u64::from(client)
    }

    /// Returns what a number stands for; none for one that [`number`](Self::number) never returns.
    #[expect(clippy::cast_possible_truncation, reason = "the parts are cut out on purpose")]
    pub(crate) fn of(number: u64) -> Option<Self> {
        let (task, client) = ((number >> 32) as u32 & 0xff_ffff, number as u32);
        Some(match number >> 56 {
            0 => Self::Engine,
            1 => Self::Listener,
            2 => Self::OutOfMemory,
            3 => Self::Process(task),
            4 => Self::Input(task),
            5 => Self::Output(task),
            6 => Self::Error(task),
            7 => Self::Terminal(task),
            8 => Self::Client(task, client),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_as_numbers() {
        for token in [
            Token::Engine,
            Token::Listener,
            Token::OutOfMemory,
            Token::Process(0),
            Token::Input(1),
            Token::Output(2),
            Token::Error(3),
            Token::Terminal(0xff_ffff),
            Token::Client(7, u32::MAX),
        ] {
            assert_eq!(Token::of(token.number()), Some(token));
        }
        assert_eq!(Token::of(u64::MAX), None);
    }
}
