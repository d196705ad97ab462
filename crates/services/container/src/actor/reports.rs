//! What supervisors report.

use super::{Actor, exit_of};
use crate::execs::{self, ExecState};
use crate::machine::{Event, StartFailure};
use crate::timeline::Begun;
use refs::ExecId;
use shimwire::{Failed, Report, Request};

impl Actor {
    pub(super) async fn report(&mut self, report: Report) {
        match report {
            // The first messages of each connection; whoever made it has read it, or knows what it would say.
            Report::Hello(_) | Report::Ports { .. } | Report::Created { .. } => {}
            Report::Started { started_at } => self.handle(Event::Started { at: started_at }).await,
            Report::Failed(failed) => {
                self.timeline.end(Begun::now(), "start failed", failed.message.clone());
                self.write_timeline().await;
                self.drop_shim().await;
                self.handle(Event::StartFailed(failure_of(failed))).await;
            }
            Report::ExecStarted { exec, pid } => self.set_exec(&exec, ExecState::Running { pid }),
            Report::ExecFailed { exec, failed } => {
                let failure = failure_of(failed);
                let code = match failure.kind.exit_code() {
                    127 => 127,
                    _ => 126,
                };
                self.end_exec(&exec, ExecState::Failed { failure, code }).await;
            }
            Report::ExecExited { exec, code } => {
                let pid = self.exec_pid(&exec);
                self.end_exec(&exec, ExecState::Ended { pid, code }).await;
            }
            Report::Detached { exec: None } => self.publish_container("detach", []),
            Report::Detached { exec: Some(exec) } => {
                self.publish_container("exec_detach", [("execID", exec)])
            }
            Report::OutOfMemory => self.handle(Event::OutOfMemory).await,
            Report::Exited(record) => {
                self.end_all_execs();
                self.handle(Event::Exited(exit_of(record))).await;
            }
        }
    }

    /// The connection to the supervisor ended.
    pub(super) async fn shim_gone(&mut self) {
        self.shared.attachments.end_live();
        (self.shim, self.reports) = (None, None);
        self.end_all_execs();
        // It may have ended between writing the record and telling us.
        let event = match self.context.parts.launcher.exit_record(&self.shared.id) {
            Ok(Some(record)) => Event::Exited(exit_of(record)),
            Ok(None) => Event::ShimLost,
            Err(error) => {
                tracing::error!(container = %self.shared.id, error = %error::chain(&error), "exit record is lost");
                Event::ShimLost
            }
        };
        self.handle(event).await;
    }

    fn set_exec(&mut self, exec: &str, state: ExecState) {
        if let Ok(id) = ExecId::parse(exec) {
            self.shared.execs.set(&id, state, self.now());
            self.publish_view();
        }
    }

    fn exec_pid(&self, exec: &str) -> i32 {
        let id = ExecId::parse(exec).ok();
        let state = id.and_then(|id| self.shared.execs.get(&id)).map(|(_, state)| state.borrow().clone());
        match state {
            Some(ExecState::Running { pid }) => pid,
            _ => 0,
        }
    }

    /// The exit code is known before the supervisor lets go of the client, who asks for it next.
    async fn end_exec(&mut self, exec: &str, state: ExecState) {
        let ended = match state {
            ExecState::Ended { code, .. } => Some(code),
            // It never ran.
            ExecState::Failed { .. }
            | ExecState::Created
            | ExecState::Starting
            | ExecState::Running { .. } => None,
        };
        self.set_exec(exec, state);
        if let Ok(id) = ExecId::parse(exec) {
            execs::forget_stored(&self.context.parts.launcher.run_directory(&self.shared.id), &id);
        }
        if let Some(shim) = &self.shim {
            // One that is gone needs no acknowledgement.
            let _ = shim.send(&Request::Ack { exec: Some(exec.to_owned()) }, &[]).await;
        }
        if let Some(code) = ended {
            self.publish_container("exec_die", [("execID", exec.to_owned()), ("exitCode", code.to_string())]);
        }
    }

    fn end_all_execs(&mut self) {
        for id in self.shared.execs.end_all(self.now()) {
            self.publish_container("exec_die", [("execID", id.to_string()), ("exitCode", "137".to_owned())]);
        }
    }
}

/// Returns our form of a supervisor's failure.
pub(super) fn failure_of(failed: Failed) -> StartFailure {
    StartFailure { kind: launch::kind_of(&failed.code), message: failed.message, hint: None }
}
