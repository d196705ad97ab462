//! The health of a container as a pure machine: probe results go in, what is to be done comes out.
//!
//! ```text
//!              Started                    success
//!  (unhealthy) ───────▶ starting ───────────────────▶ healthy
//!       ▲                  │  `retries` failures         │  ▲
//!       │                  └──────────▶ unhealthy ◀──────┘  │ success
//!       └── Stopped: any state            └─────────────────┘
//! ```
//! Between probes lies the interval, or the start interval while the container is starting within its start period, in
//! which failures do not count. Time is a parameter: nanoseconds since 1970.
//! Not for how a probe is carried out (`probe`).
//!
//! # Source
//! moby daemon/health.go (behaviour of Docker 28.5.2), asked for each corner: a monitor that stops, be it by the end or
//! by a pause, leaves `unhealthy` without an event; the log outlives restarts.

#[cfg(test)]
mod tests;

use crate::Error;
use crate::machine::Nanos;
use crate::spec::{Config, Healthcheck};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// How many results are kept.
const KEPT: usize = 5;

/// Between probes, and for one probe, if nothing else is said.
const DEFAULT: Duration = Duration::from_secs(30);

/// Between probes in the start period, if nothing else is said.
const DEFAULT_START: Duration = Duration::from_secs(5);

/// Failures in a row until unhealthy, if nothing else is said.
const DEFAULT_RETRIES: i64 = 3;

/// A container's health, as it is stored and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// How it stands.
    pub status: HealthStatus,
    /// Failures in a row.
    pub failing_streak: u32,
    /// The last results, the oldest first.
    pub log: Vec<ProbeResult>,
}

/// How healthy a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthStatus {
    /// Nothing is known yet.
    Starting,
    /// The last probe that counted succeeded.
    Healthy,
    /// Too many probes failed in a row, or nobody probes.
    Unhealthy,
}

impl HealthStatus {
    /// Returns Docker's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// How one probe ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeResult {
    /// When it began.
    pub started_at: Nanos,
    /// When it ended.
    pub ended_at: Nanos,
    /// 0 for success; -1 for a probe that took too long or could not be carried out.
    pub exit_code: i32,
    /// What it wrote, or why it could not be carried out.
    pub output: String,
}

/// A health check with all its defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) probe: Probe,
    interval: Duration,
    pub(crate) timeout: Duration,
    start_period: Duration,
    start_interval: Duration,
    retries: u32,
}

/// What is done to find out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Probe {
    /// A command runs in the container.
    Command(Vec<String>),
    /// A page is asked for, from within the container's network.
    Http(HttpProbe),
}

/// A page that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpProbe {
    pub(crate) host: IpAddr,
    pub(crate) port: u16,
    pub(crate) path: String,
}

impl HttpProbe {
    /// Reads `[http://][address]:port[/path]`; without an address the container's own loopback address is meant.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("http://").unwrap_or(text);
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let (host, port) = authority.rsplit_once(':')?;
        let host = match host.trim_start_matches('[').trim_end_matches(']') {
            "" | "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            address => address.parse().ok()?,
        };
        let port = port.parse().ok().filter(|port| *port != 0)?;
        path.bytes().all(|byte| byte.is_ascii_graphic()).then(|| Self { host, port, path: path.to_owned() })
    }
}

impl Check {
    /// Returns what is to be checked; none without a check, or with one of a kind that is not known, as in Docker.
    pub(crate) fn of(config: &Config) -> Option<Self> {
        let check = config.health.as_ref()?;
        let (kind, rest) = check.test.split_first()?;
        let probe = match kind.as_str() {
            "CMD" => Probe::Command(rest.to_vec()),
            "CMD-SHELL" => {
                let shell = config.shell.as_deref().filter(|shell| !shell.is_empty());
                let mut words =
                    shell.map_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned()], <[String]>::to_vec);
                words.extend(rest.iter().cloned());
                Probe::Command(words)
            }
            "HTTP" => Probe::Http(HttpProbe::parse(rest.first()?)?),
            _ => return None,
        };
        let or = |ns: i64, default: Duration| match u64::try_from(ns) {
            Ok(0) | Err(_) => default,
            Ok(ns) => Duration::from_nanos(ns),
        };
        let retries = if check.retries <= 0 { DEFAULT_RETRIES } else { check.retries };
        Some(Self {
            probe,
            interval: or(check.interval_ns, DEFAULT),
            timeout: or(check.timeout_ns, DEFAULT),
            start_period: or(check.start_period_ns, Duration::ZERO),
            start_interval: or(check.start_interval_ns, DEFAULT_START),
            retries: u32::try_from(retries).unwrap_or(u32::MAX),
        })
    }
}

/// Returns a request's check over the image's.
pub(crate) fn merge(
    request: Option<Healthcheck>,
    image: Option<&oci::image::Healthcheck>,
) -> Option<Healthcheck> {
    let Some(image) = image else { return request };
    let mut merged = request.unwrap_or_default();
    if merged.test.is_empty() {
        merged.test.clone_from(&image.test);
    }
    let fields = [
        (&mut merged.interval_ns, image.interval),
        (&mut merged.timeout_ns, image.timeout),
        (&mut merged.start_period_ns, image.start_period),
        (&mut merged.start_interval_ns, image.start_interval),
        (&mut merged.retries, image.retries),
    ];
    for (field, of_image) in fields {
        if *field == 0 {
            *field = of_image;
        }
    }
    Some(merged)
}

/// Checks what Docker does not know, and therefore does not check: the page of an HTTP probe.
///
/// # Errors
/// InvalidArgument.
pub(crate) fn check(check: Option<&Healthcheck>) -> Result<(), Error> {
    let test = check.map(|check| &check.test[..]).unwrap_or_default();
    let (Some("HTTP"), pages) = (test.first().map(String::as_str), &test[1.min(test.len())..]) else {
        return Ok(());
    };
    match pages {
        [page] if HttpProbe::parse(page).is_some() => Ok(()),
        _ => Err(Error::invalid(format!(
            "invalid health check {pages:?}: HTTP takes one page, [http://][address]:port[/path]"
        ))),
    }
}

/// What has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// The program was executed.
    Started { at: Nanos },
    /// It runs on after a pause.
    Resumed,
    /// The engine has started and found it running since then.
    Found { started_at: Nanos },
    /// It ended or was paused.
    Stopped,
    /// The time of a probe has come.
    Due,
    /// A probe ended.
    Probed(ProbeResult),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Says so when this time has passed.
    Arm { after: Duration },
    /// Begins a probe.
    Probe,
    /// Waits for nothing any more, and gives up a probe.
    Cancel,
    /// Makes the status known.
    Publish(HealthStatus),
    /// It has failed too often: the restart policy may act.
    Sick,
    /// Writes down how it stands, for the next engine.
    Save,
}

/// What the next engine needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// The run that it is about.
    pub(crate) run_started_at: Nanos,
    pub(crate) health: Health,
}

/// Watches the health of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Monitor {
    pub(crate) check: Check,
    pub(crate) health: Option<Health>,
    pub(crate) started_at: Nanos,
    active: bool,
}

impl Monitor {
    /// Returns the monitor of a container that does not run; `health` is what is left of an earlier run.
    pub(crate) const fn new(check: Check, health: Option<Health>) -> Self {
        Self { check, health, started_at: 0, active: false }
    }

    /// Whether the container is watched now.
    pub(crate) const fn is_active(&self) -> bool {
        self.active
    }

    /// Takes note of an event and returns what is to be done about it.
    pub(crate) fn step(&mut self, now: Nanos, event: Event) -> Vec<Action> {
        match event {
            Event::Started { at } => {
                (self.active, self.started_at) = (true, at);
                let log = self.health.take().map(|health| health.log).unwrap_or_default();
                self.health = Some(Health { status: HealthStatus::Starting, failing_streak: 0, log });
                vec![self.arm(now), Action::Save]
            }
            Event::Resumed => {
                self.active = true;
                vec![self.arm(now)]
            }
            Event::Found { started_at } => self.found(now, started_at),
            Event::Stopped => self.stopped(),
            Event::Due if self.active => vec![Action::Probe],
            Event::Probed(result) if self.active => self.probed(now, result),
            Event::Due | Event::Probed(_) => Vec::new(),
        }
    }

    fn found(&mut self, now: Nanos, started_at: Nanos) -> Vec<Action> {
        let last = self.health.as_ref().and_then(|health| health.log.last()).map(|result| result.ended_at);
        (self.active, self.started_at) = (true, started_at);
        let whole = self.interval(now);
        // The clock went on while no engine was there.
        let passed = last.map_or(0, |last| now.saturating_sub(last).max(0));
        let after = whole.saturating_sub(Duration::from_nanos(u64::try_from(passed).unwrap_or(0)));
        vec![Action::Arm { after }]
    }

    fn stopped(&mut self) -> Vec<Action> {
        self.active = false;
        if let Some(health) = &mut self.health {
            health.status = HealthStatus::Unhealthy;
        }
        vec![Action::Cancel, Action::Save]
    }

    fn probed(&mut self, now: Nanos, result: ProbeResult) -> Vec<Action> {
        let in_grace = result.started_at.saturating_sub(self.started_at) < nanos(self.check.start_period);
        let retries = self.check.retries;
        let Some(health) = &mut self.health else { return Vec::new() };
        let before = health.status;
        let succeeded = result.exit_code == 0;
        health.log.push(result);
        let surplus = health.log.len().saturating_sub(KEPT);
        health.log.drain(..surplus);
        let mut sick = false;
        if succeeded {
            (health.failing_streak, health.status) = (0, HealthStatus::Healthy);
        } else if health.status != HealthStatus::Starting || !in_grace {
            health.failing_streak = health.failing_streak.saturating_add(1);
            sick = health.failing_streak >= retries;
            if sick {
                health.status = HealthStatus::Unhealthy;
            }
        }
        let status = health.status;
        let mut actions = vec![self.arm(now), Action::Save];
        actions.extend((status != before).then_some(Action::Publish(status)));
        actions.extend(sick.then_some(Action::Sick));
        actions
    }

    fn arm(&self, now: Nanos) -> Action {
        Action::Arm { after: self.interval(now) }
    }

    fn interval(&self, now: Nanos) -> Duration {
        let starting = self.health.as_ref().is_none_or(|health| health.status == HealthStatus::Starting);
        let in_grace = now.saturating_sub(self.started_at) < nanos(self.check.start_period);
        if starting && in_grace { self.check.start_interval } else { self.check.interval }
    }
}

fn nanos(duration: Duration) -> Nanos {
    Nanos::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX)
}
