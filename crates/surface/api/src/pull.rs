//! `POST /images/create`: pulling, with progress.
//!
//! The pull is driven by the answer's body: when the client goes away the body is dropped, and the pull with it.

use crate::State;
use crate::dispatch::Call;
use crate::error::{Error, invalid};
use crate::respond::{self, Reply};
use ::events::{Event, Events, Type};
use bytes::Bytes;
use error::Failure;
use futures_util::stream;
use refs::{Digest, Platform, Reference, Timestamp, human_size};
use registry::{Credentials, LayerProgress, Outcome, Progress, PullRequest};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::SystemTime;
use tokio::sync::mpsc;
use wire::progress::{Detail, ErrorDetail, Line};

/// How many lines may wait for a slow client before the pull waits for it.
pub(crate) const QUEUE_LINES: usize = 64;

/// `POST /images/create`. Failures before the first line are HTTP errors, later ones are the last line.
pub(crate) async fn pull(state: &State, call: &Call) -> Reply {
    let request = read(call)?;
    let registry = state.registry.clone();
    let events = state.events.clone();
    let reference = request.reference.clone();
    let (sender, receiver) = mpsc::channel(QUEUE_LINES);
    let job = async move {
        registry.pull(&request, sender).await?;
        publish(&events, &reference);
        Ok(())
    };
    let mut pulling = Driven::new(Box::pin(job), receiver);
    let first = match pulling.next().await {
        Some(Ok(progress)) => line(&progress).encode().into(),
        Some(Err(failure)) => return Err(failure),
        None => Bytes::new(),
    };
    let lines = stream::unfold((Some(first), pulling), |(first, mut pulling)| async move {
        let piece = match first {
            Some(first) => first,
            None => match pulling.next().await? {
                Ok(progress) => line(&progress).encode().into(),
                Err(failure) => error_line(&failure).encode().into(),
            },
        };
        Some((piece, (None, pulling)))
    });
    Ok(respond::stream("application/json", lines))
}

fn read(call: &Call) -> Result<PullRequest, Failure> {
    let query = &call.query;
    let Some(name) = query.get("fromImage") else {
        return Err(invalid("fromImage must name the image to pull").into());
    };
    let reference = Reference::parse(name)?;
    let reference = match query.get("tag") {
        Some(digest) if digest.contains(':') => reference.with_digest(Digest::parse(digest)?),
        Some(tag) => reference.with_tag(tag)?,
        None if reference.tag().is_some() || reference.digest().is_some() => reference,
        // COMPAT: Docker pulls all tags of the repository.
        None => {
            return Err(Error::UnsupportedField {
                field: "pulling all tags of a repository".into(),
                hint: Some("name a tag"),
            }
            .into());
        }
    };
    let platform = query.get("platform").map(|text| Platform::parse(text, &Platform::host())).transpose()?;
    let header = call.request.headers().get("X-Registry-Auth");
    let header = header.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let credentials = Credentials::from_header(header)?;
    Ok(PullRequest { reference, platform, credentials })
}

fn publish(events: &Events, reference: &Reference) {
    events.publish(Event {
        kind: Type::Image,
        action: "pull".to_owned(),
        actor: reference.familiar(),
        attributes: BTreeMap::from([("name".to_owned(), reference.familiar_name())]),
        time: Timestamp::from(SystemTime::now()),
    });
}

type Job = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// A pull or push under way: it goes on only while somebody asks for its next step.
pub(crate) struct Driven<P> {
    job: Option<Job>,
    receiver: mpsc::Receiver<P>,
    /// Why the job failed; told after the steps that came before.
    failure: Option<Failure>,
}

impl<P> Driven<P> {
    pub(crate) fn new(job: Job, receiver: mpsc::Receiver<P>) -> Self {
        Self { job: Some(job), receiver, failure: None }
    }

    /// Returns the next step, or why it failed; none at its end.
    pub(crate) async fn next(&mut self) -> Option<Result<P, Failure>> {
        if let Some(job) = &mut self.job {
            tokio::select! {
                biased;
                Some(progress) = self.receiver.recv() => return Some(Ok(progress)),
                result = job => {
                    self.job = None;
                    self.failure = result.err();
                }
            }
        }
        match self.receiver.recv().await {
            Some(progress) => Some(Ok(progress)),
            None => self.failure.take().map(Err),
        }
    }
}

/// Returns a step as Docker's line.
fn line(progress: &Progress) -> Line {
    match progress {
        Progress::Pulling { path, tag } => {
            Line { status: format!("Pulling from {path}"), id: tag.clone(), ..Default::default() }
        }
        Progress::Layer { digest, state } => layer_line(digest, *state),
        Progress::Warning(text) => Line { status: text.clone(), ..Default::default() },
        Progress::Digest(digest) => Line { status: format!("Digest: {digest}"), ..Default::default() },
        Progress::Done { reference, outcome } => {
            let what = match outcome {
                Outcome::Newer => "Downloaded newer image for",
                Outcome::UpToDate => "Image is up to date for",
            };
            Line { status: format!("Status: {what} {}", reference.familiar()), ..Default::default() }
        }
    }
}

fn layer_line(digest: &Digest, state: LayerProgress) -> Line {
    let (status, numbers) = match state {
        LayerProgress::Begun => ("Pulling fs layer", None),
        LayerProgress::Waiting => ("Waiting", None),
        LayerProgress::Downloading { current, total } => ("Downloading", Some((current, total))),
        LayerProgress::Verifying => ("Verifying Checksum", None),
        LayerProgress::Downloaded => ("Download complete", None),
        LayerProgress::Extracting { current, total } => ("Extracting", Some((current, total))),
        LayerProgress::Complete => ("Pull complete", None),
        LayerProgress::AlreadyExists => ("Already exists", None),
    };
    let (current, total) = numbers.unwrap_or_default();
    let signed = crate::convert::inspect::bytes;
    Line {
        status: status.to_owned(),
        progress_detail: Some(Detail { current: signed(current), total: signed(total) }),
        progress: if numbers.is_some() { bar(current, total) } else { String::new() },
        id: digest.short().to_owned(),
        ..Default::default()
    }
}

pub(crate) fn error_line(failure: &Failure) -> Line {
    Line {
        error_detail: Some(ErrorDetail {
            code: 0,
            message: failure.message.clone(),
            kind: Some(failure.kind.code().to_owned()),
            hint: failure.hint.clone(),
        }),
        error: failure.message.clone(),
        ..Default::default()
    }
}

/// Returns the bar of very old clients, `[=>   ]  36.45kB/1.084MB`.
///
/// # Source
/// moby `pkg/jsonmessage/jsonmessage.go`, `JSONProgress.String`, at its default width.
pub(crate) fn bar(current: u64, total: u64) -> String {
    const CELLS: u64 = 50;
    if current == 0 && total == 0 {
        return String::new();
    }
    let done = human_size(current as f64);
    if total == 0 {
        return format!("{done:>8}");
    }
    let filled = usize::try_from((current.saturating_mul(100) / total / 2).min(CELLS)).unwrap_or_default();
    let bar = format!("[{}>{}] ", "=".repeat(filled), " ".repeat(50 - filled));
    if current > total {
        return format!("{bar}{done:>8}");
    }
    format!("{bar}{done:>8}/{}", human_size(total as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYER: &str = "sha256:6d861a09fd070000000000000000000000000000000000000000000000000000";

    #[test]
    fn steps_read_as_dockers_lines() {
        let golden = include_str!("../../../words/wire/tests/golden/pull.jsonl");
        let layer = |state| Progress::Layer { digest: Digest::parse(LAYER).unwrap(), state };
        let image = "sha256:25a434285ec00c1224ba853bd6fb0d36a56eaefa32f052b16f871dcfa5531984";
        let steps = [
            Progress::Pulling { path: "library/hello-world".into(), tag: "latest".into() },
            layer(LayerProgress::Begun),
            layer(LayerProgress::Downloading { current: 36_445, total: 1_083_851 }),
            layer(LayerProgress::Verifying),
            layer(LayerProgress::Downloaded),
            layer(LayerProgress::Extracting { current: 32_768, total: 1_083_851 }),
            layer(LayerProgress::Extracting { current: 1_083_851, total: 1_083_851 }),
            layer(LayerProgress::Complete),
            Progress::Digest(Digest::parse(image).unwrap()),
            Progress::Done {
                reference: Reference::parse("hello-world:latest").unwrap(),
                outcome: Outcome::Newer,
            },
        ];
        let written: Vec<u8> = steps.iter().flat_map(|step| line(step).encode()).collect();
        assert_eq!(String::from_utf8(written).unwrap(), golden);
    }

    #[test]
    fn failure_becomes_the_last_line() {
        let failure = Failure::new(error::Kind::Unavailable, "cannot reach registry x: a < b");
        assert_eq!(
            String::from_utf8(error_line(&failure).encode()).unwrap(),
            "{\"errorDetail\":{\"message\":\"cannot reach registry x: a \\u003c b\",\"kind\":\"unavailable\"},\"error\":\"cannot reach registry x: a \\u003c b\"}\r\n"
        );
    }

    #[tokio::test]
    async fn steps_before_a_failure_are_told_first() {
        let (sender, receiver) = mpsc::channel(4);
        let job: Job = Box::pin(async move {
            sender.send(Progress::Pulling { path: "a/b".into(), tag: "c".into() }).await.unwrap();
            Err(Failure::new(error::Kind::Internal, "broken"))
        });
        let mut pulling = Driven::new(job, receiver);
        assert!(matches!(pulling.next().await, Some(Ok(Progress::Pulling { .. }))));
        assert_eq!(pulling.next().await.unwrap().unwrap_err().message, "broken");
        assert!(pulling.next().await.is_none());
    }

    #[tokio::test]
    async fn steps_are_not_lost_when_the_pull_ends() {
        let (sender, receiver) = mpsc::channel(4);
        let digest = Digest::parse(LAYER).unwrap();
        let told = digest.clone();
        let job: Job = Box::pin(async move {
            sender.send(Progress::Digest(told.clone())).await.unwrap();
            sender.send(Progress::Digest(told.clone())).await.unwrap();
            Ok(())
        });
        let mut pulling = Driven::new(job, receiver);
        for _ in 0..2 {
            assert_eq!(pulling.next().await.unwrap().unwrap(), Progress::Digest(digest.clone()));
        }
        assert!(pulling.next().await.is_none());
    }
}
