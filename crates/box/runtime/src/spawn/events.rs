//! What the parent does while the child waits.

use super::ids::User;
use super::net_devices::hand_over;
use super::{HOOKS, NET_DEVICES, OUTSIDE};
use crate::Error;
use crate::error::While as _;
use crate::hooks::{run, state_text};
use crate::plan::hooks::Planned;
use crate::plan::seccomp::{Agent, LISTENER};
use crate::plan::{Identity, Plan};
use oci::runtime::{State, Status};
use std::io::Write as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use sys::process::{Limit, Limits};

/// How much goes with the descriptor: an empty socket has room for it.
const FIRST: usize = 64 * 1024;

/// What the parent does while the child waits.
#[derive(Debug, Default)]
pub(super) struct Events {
    identity: Option<Identity>,
    outside: Option<Outside>,
    hooks: Vec<(&'static str, Planned)>,
    /// The state that hooks of the child read, once it is known: while it is created, and when it is.
    creating: Option<OwnedFd>,
    waiting: Option<OwnedFd>,
    agent: Option<Agent>,
    net_devices: Vec<(String, String)>,
}

/// What is set from outside a user namespace.
#[derive(Debug)]
struct Outside {
    mapping: super::ids::Mapping,
    oom_score_adj: Option<i32>,
    limits: Vec<(Limit, Limits)>,
}

impl Events {
    pub(super) fn plan(plan: &Plan, user: &User) -> Result<Self, Error> {
        let outside = plan.namespaces.own_user().then(|| Outside {
            mapping: user.mapping(),
            oom_score_adj: plan.process.oom_score_adj,
            limits: plan.process.limits().to_vec(),
        });
        let empty = || sys::memfd::empty("state").to("make the state of hooks");
        let unless = |none: bool| if none { Ok(None) } else { empty().map(Some) };
        Ok(Self {
            identity: Some(plan.identity.clone()),
            outside,
            hooks: plan.hooks.runtime.clone(),
            creating: unless(plan.hooks.create_container.is_empty())?,
            waiting: unless(plan.hooks.start_container.is_empty())?,
            net_devices: plan.net_devices.clone(),
            agent: plan.seccomp.as_ref().and_then(|planned| planned.agent.clone()),
        })
    }

    pub(super) fn has_net_devices(&self) -> bool {
        !self.net_devices.is_empty()
    }

    /// Returns a descriptor of the state that hooks get while the container is created.
    pub(super) fn creating(&self) -> Result<OwnedFd, Error> {
        duplicate(self.creating.as_ref())
    }

    /// Returns a descriptor of the state that hooks get when the container is created.
    pub(super) fn waiting(&self) -> Result<OwnedFd, Error> {
        duplicate(self.waiting.as_ref())
    }

    /// Does what a child waits for.
    pub(super) fn at(&mut self, reason: u8, pid: i32, given: Option<OwnedFd>) -> Result<(), Error> {
        match reason {
            OUTSIDE => self.outside.as_ref().map_or(Ok(()), |outside| outside.set(pid)),
            NET_DEVICES => hand_over(&self.net_devices, pid),
            HOOKS => self.run_hooks(pid),
            LISTENER => self.tell_agent(pid, given),
            _ => Ok(()),
        }
    }

    /// Fills in what hooks of the start read.
    pub(super) fn created(&self, pid: i32) -> Result<(), Error> {
        let Some(file) = &self.waiting else { return Ok(()) };
        sys::memfd::fill(file, &state_text(&self.state(pid, Status::Created))).to("write the state of hooks")
    }

    fn state(&self, pid: i32, status: Status) -> State {
        let identity = self.identity.as_ref();
        State {
            oci_version: oci::runtime::VERSION.into(),
            id: identity.map(|identity| identity.id.clone()).unwrap_or_default(),
            status,
            pid: Some(pid),
            bundle: identity.map(|identity| identity.bundle.clone()).unwrap_or_default(),
            annotations: identity.map(|identity| identity.annotations.clone()).unwrap_or_default(),
        }
    }

    fn run_hooks(&self, pid: i32) -> Result<(), Error> {
        let text = state_text(&self.state(pid, Status::Creating));
        self.hooks.iter().try_for_each(|(kind, hook)| run(kind, hook, &text))?;
        match &self.creating {
            Some(file) => sys::memfd::fill(file, &text).to("write the state of hooks"),
            None => Ok(()),
        }
    }

    /// Hands the descriptor of notifications to the agent.
    ///
    /// # Source
    /// OCI runtime-spec v1.3 config-linux.md#the-container-process-state
    fn tell_agent(&self, pid: i32, listener: Option<OwnedFd>) -> Result<(), Error> {
        let (Some(agent), Some(listener)) = (&self.agent, listener) else { return Ok(()) };
        let failed = |reason: String| Error::Agent { socket: agent.socket.display().to_string(), reason };
        let mut state = serde_json::json!({
            "ociVersion": oci::runtime::VERSION,
            "fds": ["seccompFd"],
            "pid": pid,
            "state": self.state(pid, Status::Creating),
        });
        if !agent.metadata.is_empty() {
            state["metadata"] = agent.metadata.as_str().into();
        }
        let mut socket = UnixStream::connect(&agent.socket).map_err(|error| failed(error.to_string()))?;
        let text = state.to_string();
        let (first, rest) = text.as_bytes().split_at(text.len().min(FIRST));
        match sys::socket::send_message(&socket, first, &[listener.as_fd()]) {
            Ok(Some(())) => socket.write_all(rest).map_err(|error| failed(error.to_string())),
            Ok(None) => Err(failed("its socket is full".into())),
            Err(error) => Err(failed(error.to_string())),
        }
    }
}

impl Outside {
    fn set(&self, pid: i32) -> Result<(), Error> {
        if let Some(score) = self.oom_score_adj {
            let path = format!("/proc/{pid}/oom_score_adj");
            let present = std::fs::read_to_string(&path).unwrap_or_default();
            if present.trim() != score.to_string() {
                std::fs::write(&path, score.to_string()).map_err(|error| {
                    Error::invalid("process.oomScoreAdj", format!("cannot be set: {error}"))
                })?;
            }
        }
        for (limit, limits) in &self.limits {
            sys::process::set_limits_of(pid, *limit, *limits)
                .to(&format!("set the limit {}", limit.name()))?;
        }
        self.mapping.write(pid)
    }
}

fn duplicate(file: Option<&OwnedFd>) -> Result<OwnedFd, Error> {
    let file = file.ok_or_else(|| Error::invalid("hooks", "have no state"))?;
    file.try_clone().map_err(|error| Error::invalid("hooks", error.to_string()))
}
