//! The actor's watch over its container's health.
//!
//! The monitor follows the machine: it is active exactly while the machine says running. How it stands lies in the run
//! directory after each change, so that the next engine goes on where this one was; the record has it too, as of the last
//! change of the container's life.

use super::Actor;
use crate::context::now;
use crate::health::{Action, Check, Event, Health, Monitor, ProbeResult, Saved};
use crate::machine::{self, Phase};
use crate::probe;
use crate::record::Record;
use std::fs;
use std::path::{Path, PathBuf};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// File name in the run directory.
const FILE: &str = "health.json";

/// A container's monitor and what it waits for.
#[derive(Debug)]
pub(super) struct HealthWatch {
    monitor: Option<Monitor>,
    due: Option<Instant>,
    probing: Option<oneshot::Receiver<ProbeResult>>,
}

/// What a monitor waits for.
pub(super) enum Awaited {
    /// The time of a probe.
    Due,
    /// The end of a probe; none if it broke.
    Probed(Option<ProbeResult>),
}

impl HealthWatch {
    /// Returns the watch of a container that does not run.
    pub(super) fn new(record: &Record) -> Self {
        let monitor = Check::of(&record.config).map(|check| Monitor::new(check, record.health.clone()));
        Self { monitor, due: None, probing: None }
    }

    /// Returns how it stands, if there is a check and the container has run.
    pub(super) fn shown(&self) -> Option<Health> {
        self.monitor.as_ref().and_then(|monitor| monitor.health.clone())
    }

    /// Waits for what comes next.
    pub(super) async fn next(&mut self) -> Awaited {
        if let Some(probing) = &mut self.probing {
            let result = probing.await.ok();
            self.probing = None;
            return Awaited::Probed(result);
        }
        match self.due {
            Some(due) => {
                tokio::time::sleep_until(due).await;
                self.due = None;
                Awaited::Due
            }
            None => std::future::pending().await,
        }
    }
}

impl Actor {
    /// Lets the monitor follow the machine. What it wants then needs no waiting.
    pub(super) fn follow_health(&mut self) {
        let Some(monitor) = &self.health.monitor else { return };
        let runs = self.machine.phase == Phase::Running;
        let event = match (monitor.is_active(), runs) {
            (true, true) | (false, false) => return,
            (true, false) => Event::Stopped,
            (false, true) => {
                let at = self.machine.run.started_at.unwrap_or_else(now);
                if monitor.started_at == at { Event::Resumed } else { Event::Started { at } }
            }
        };
        let _ = self.step_health(event); // These events make nobody sick.
    }

    /// Takes over what the last engine knew of a container that runs.
    pub(super) fn find_health(&mut self) {
        let directory = self.context.parts.launcher.run_directory(&self.shared.id);
        let Some(monitor) = &mut self.health.monitor else { return };
        let Some(started_at) = self.machine.run.started_at else { return };
        // What cannot be read is another run's: the watch begins anew.
        let Some(saved) = read(&directory).filter(|saved| saved.run_started_at == started_at) else { return };
        monitor.health = Some(saved.health);
        let _ = self.step_health(Event::Found { started_at }); // These events make nobody sick.
        if self.machine.phase != Phase::Running {
            let _ = self.step_health(Event::Stopped);
        }
    }

    /// Does what a monitor's event wants.
    pub(super) async fn health_event(&mut self, awaited: Awaited) {
        let event = match awaited {
            Awaited::Due => Event::Due,
            Awaited::Probed(Some(result)) => Event::Probed(result),
            Awaited::Probed(None) => Event::Probed(ProbeResult {
                started_at: now(),
                ended_at: now(),
                exit_code: -1,
                output: "the probe broke".to_owned(),
            }),
        };
        if self.step_health(event) {
            self.handle(machine::Event::Unhealthy).await;
        } else {
            self.publish_view();
        }
    }

    /// Lets the monitor decide and does what it says. True if the container is sick.
    fn step_health(&mut self, event: Event) -> bool {
        let Some(monitor) = &mut self.health.monitor else { return false };
        let mut is_sick = false;
        for action in monitor.step(now(), event) {
            match action {
                Action::Arm { after } => self.health.due = Instant::now().checked_add(after),
                Action::Probe => self.probe(),
                Action::Cancel => (self.health.due, self.health.probing) = (None, None),
                Action::Publish(status) => {
                    // Whoever hears of it may ask at once.
                    self.publish_view();
                    self.publish_container(&format!("health_status: {}", status.as_str()), []);
                }
                Action::Sick => is_sick = true,
                Action::Save => self.save_health(),
            }
        }
        is_sick
    }

    fn probe(&mut self) {
        if let Some(monitor) = &self.health.monitor {
            self.health.probing = Some(probe::begin(&self.context, &self.shared, &monitor.check));
        }
    }

    fn save_health(&self) {
        let Some(monitor) = &self.health.monitor else { return };
        let (true, Some(health)) = (monitor.is_active(), &monitor.health) else { return };
        let saved = Saved { run_started_at: monitor.started_at, health: health.clone() };
        let directory = self.context.parts.launcher.run_directory(&self.shared.id);
        if let Err(error) = write(&directory, &saved) {
            tracing::warn!(container = %self.shared.id, error = %error, "health was not written down");
        }
    }
}

fn read(run_directory: &Path) -> Option<Saved> {
    serde_json::from_slice(&fs::read(run_directory.join(FILE)).ok()?).ok()
}

/// Writes below a temporary name first: half a file would be nobody's. No sync: it matters only while the container runs.
fn write(run_directory: &Path, saved: &Saved) -> std::io::Result<()> {
    let temporary: PathBuf = run_directory.join(format!("{FILE}.new"));
    fs::write(&temporary, serde_json::to_vec(saved)?)?;
    fs::rename(temporary, run_directory.join(FILE))
}
