//! The container's life as its supervisor sees it. Pure: [`Machine::step`] takes what happened and says what to do.
//!
//! ```text
//!          Created            Started            Died               Drained             Acked + Unattended
//! Empty ─────────▶ Created ─────────▶ Running ─────────▶ Draining ─────────▶ Exited ─────────▶ (Quit)
//!   │ Failed, EngineLost   │ Failed                ▲                          │ the exit record is on disk,
//!   ▼                      ▼ (or Died) ────────────┘                          │ and waits for this engine or the next
//! (Quit)                 (Quit)
//! ```

use shimwire::{ExitRecord, Failed, Report, State, Timestamp};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// The container stands at the barrier.
    Created { id: String, pid: i32 },
    /// The program was executed.
    Started { at: Timestamp },
    /// Creating or starting failed; nothing is left.
    Failed(Failed),
    /// The kernel killed a process for want of memory.
    OutOfMemory,
    /// The first process ended.
    Died(Ended),
    /// All output was read, or waiting for more makes no sense.
    Drained,
    /// The engine has stored the exit.
    Acked,
    /// No client is connected any more.
    Unattended,
    /// The engine is gone.
    EngineLost,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    /// The exit code; 128 + the signal for a killed process.
    pub(crate) code: i32,
    /// The signal that killed it.
    pub(crate) signal: Option<i32>,
    /// When.
    pub(crate) at: Timestamp,
}

/// What to do.
#[derive(Debug)]
pub(crate) enum Action {
    /// Tell the engine, if there is one.
    Report(Report),
    /// Kill what is left of the container, and read what output is left, for a limited time.
    Drain,
    /// Remove the container's cgroup, and write the exit record so that it survives a power cut.
    Persist(ExitRecord),
    /// Close the clients' sockets when they have taken all output.
    ReleaseClients,
    /// Remove the exit record.
    Forget,
    /// End, after the engine has got the last report.
    Quit,
}

/// The container's state and the facts that go into the exit record.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) state: State,
    pub(crate) id: String,
    pub(crate) pid: Option<i32>,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) out_of_memory: bool,
    pub(crate) exit: Option<ExitRecord>,
    ended: Option<Ended>,
    acked: bool,
    unattended: bool,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Empty,
            id: String::new(),
            pid: None,
            started_at: None,
            out_of_memory: false,
            exit: None,
            ended: None,
            acked: false,
            unattended: false,
        }
    }

    /// Takes an event; events that make no sense in the present state change nothing.
    pub(crate) fn step(&mut self, event: Event) -> Vec<Action> {
        match (self.state, event) {
            (State::Empty, Event::Created { id, pid }) => {
                (self.state, self.id, self.pid) = (State::Created, id, Some(pid));
                vec![Action::Report(Report::Created { pid })]
            }
            (State::Created, Event::Started { at }) => {
                (self.state, self.started_at) = (State::Running, Some(at));
                vec![Action::Report(Report::Started { started_at: at })]
            }
            (State::Empty | State::Created, Event::Failed(failed)) => {
                vec![Action::Report(Report::Failed(failed)), Action::Quit]
            }
            (State::Empty, Event::EngineLost) => vec![Action::Quit],
            (State::Created | State::Running, Event::Died(ended)) if self.ended.is_none() => {
                self.ended = Some(ended);
                vec![Action::Drain]
            }
            (State::Created | State::Running, Event::OutOfMemory) if !self.out_of_memory => {
                self.out_of_memory = true;
                vec![Action::Report(Report::OutOfMemory)]
            }
            (State::Created | State::Running, Event::Drained) => match self.ended {
                Some(ended) => self.exited(ended),
                None => Vec::new(),
            },
            (State::Exited, Event::Acked) => {
                let mut actions = if self.acked { Vec::new() } else { vec![Action::Forget] };
                self.acked = true;
                actions.extend(self.quit());
                actions
            }
            (State::Exited, Event::Unattended) => {
                self.unattended = true;
                self.quit()
            }
            (
                State::Empty | State::Created | State::Running | State::Exited,
                Event::Created { .. }
                | Event::Started { .. }
                | Event::Failed(_)
                | Event::OutOfMemory
                | Event::Died(_)
                | Event::Drained
                | Event::Acked
                | Event::Unattended
                | Event::EngineLost,
            ) => Vec::new(),
        }
    }

    fn exited(&mut self, ended: Ended) -> Vec<Action> {
        self.state = State::Exited;
        let record = ExitRecord {
            version: 1,
            id: self.id.clone(),
            code: ended.code,
            signal: ended.signal,
            out_of_memory: self.out_of_memory,
            started_at: self.started_at,
            finished_at: ended.at,
        };
        self.exit = Some(record.clone());
        vec![Action::Persist(record.clone()), Action::Report(Report::Exited(record)), Action::ReleaseClients]
    }

    fn quit(&self) -> Vec<Action> {
        if self.acked && self.unattended { vec![Action::Quit] } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDED: Ended = Ended { code: 137, signal: Some(9), at: 9 };

    /// Takes the machine through the events; returns the last step's actions as text.
    fn run(events: &[Event]) -> (Machine, Vec<String>) {
        let mut machine = Machine::new();
        let mut actions = Vec::new();
        for event in events {
            actions = machine.step(event.clone()).iter().map(|action| format!("{action:?}")).collect();
        }
        (machine, actions)
    }

    fn created() -> Event {
        Event::Created { id: "c".into(), pid: 7 }
    }

    fn record() -> ExitRecord {
        ExitRecord {
            version: 1,
            id: "c".into(),
            code: 137,
            signal: Some(9),
            out_of_memory: true,
            started_at: Some(5),
            finished_at: 9,
        }
    }

    #[test]
    fn exit_is_persisted_before_it_is_reported() {
        let (machine, actions) = run(&[
            created(),
            Event::Started { at: 5 },
            Event::OutOfMemory,
            Event::Died(ENDED),
            Event::Drained,
        ]);
        let expected = [
            format!("{:?}", Action::Persist(record())),
            format!("{:?}", Action::Report(Report::Exited(record()))),
            format!("{:?}", Action::ReleaseClients),
        ];
        assert_eq!((machine.state, actions), (State::Exited, expected.to_vec()));
    }

    #[test]
    fn supervisor_quits_after_ack_and_last_client_in_either_order() {
        let life = [created(), Event::Started { at: 5 }, Event::Died(ENDED), Event::Drained];
        for (end, last) in [
            (vec![Event::Acked, Event::Unattended], vec!["Quit"]),
            (vec![Event::Unattended, Event::Acked], vec!["Forget", "Quit"]),
            (vec![Event::Unattended], vec![]),
            (vec![Event::Acked], vec!["Forget"]),
            (vec![Event::Acked, Event::EngineLost], vec![]),
        ] {
            let events: Vec<Event> = life.iter().cloned().chain(end.iter().cloned()).collect();
            assert_eq!(run(&events).1, last, "{end:?}");
        }
    }

    #[test]
    fn supervisor_without_a_container_ends_with_its_engine_and_with_one_stays() {
        assert_eq!(run(&[Event::EngineLost]).1, ["Quit"]);
        assert_eq!(run(&[created(), Event::EngineLost]).1, Vec::<String>::new());
        assert_eq!(run(&[created(), Event::Started { at: 1 }, Event::EngineLost]).1, Vec::<String>::new());
    }

    #[test]
    fn failure_is_reported_and_ends_it() {
        let failed = Failed { code: "command_not_found".into(), message: "exec: …".into() };
        let report = format!("{:?}", Action::Report(Report::Failed(failed.clone())));
        assert_eq!(run(&[Event::Failed(failed.clone())]).1, [report.clone(), "Quit".into()]);
        assert_eq!(run(&[created(), Event::Failed(failed)]).1, [report, "Quit".into()]);
    }

    #[test]
    fn container_killed_at_the_barrier_exits_without_a_start_time() {
        let (machine, _) = run(&[created(), Event::Died(ENDED), Event::Drained]);
        assert_eq!(machine.exit.map(|record| (record.started_at, record.code)), Some((None, 137)));
    }

    #[test]
    fn output_that_ends_before_the_process_does_not_end_the_container() {
        let (machine, actions) = run(&[created(), Event::Started { at: 5 }, Event::Drained]);
        assert_eq!((machine.state, actions), (State::Running, vec![]));
    }
}
