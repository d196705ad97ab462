//! `POST /images/{name}/push`: pushing, with progress.

use crate::State;
use crate::dispatch::Call;
use crate::error::invalid;
use crate::pull::{Driven, QUEUE_LINES, bar, error_line};
use crate::respond::{self, Reply};
use ::events::{Event, Type};
use error::Failure;
use futures_util::{StreamExt, stream};
use refs::{Reference, Timestamp};
use registry::{Credentials, LayerPush, PushProgress, PushRequest};
use std::collections::BTreeMap;
use std::time::SystemTime;
use tokio::sync::mpsc;
use wire::progress::{Detail, Line};

/// `POST /images/{name}/push`. Without a tag all tags of the repository are pushed. The push is driven by the answer's body, as
/// a pull is.
pub(crate) async fn push(state: &State, name: String, call: &Call) -> Reply {
    let reference = Reference::parse(&name)?;
    if reference.digest().is_some() {
        return Err(invalid("cannot push a digest reference").into());
    }
    let reference = match call.query.get("tag") {
        Some(tag) => reference.with_tag(tag)?,
        None => reference,
    };
    let header = call.request.headers().get("X-Registry-Auth");
    let header = header.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let credentials = Credentials::from_header(header)?;
    let references = references(state, &reference).await?;
    if let Some(platform) = crate::archives::platform(&call.query)? {
        for reference in &references {
            let (images, name, wanted) = (state.images.clone(), reference.to_string(), platform.clone());
            state.disk.run(move || images.resolve_for(&name, &wanted)).await?;
        }
    }
    let begin =
        Line { status: format!("The push refers to repository [{}]", reference.name()), ..Line::default() };
    let (sender, receiver) = mpsc::channel(QUEUE_LINES);
    let (registry, events) = (state.registry.clone(), state.events.clone());
    let job = async move {
        for reference in references {
            let request = PushRequest { reference, credentials: credentials.clone() };
            registry.push(&request, sender.clone()).await?;
        }
        events.publish(Event {
            kind: Type::Image,
            action: "push".to_owned(),
            actor: reference.familiar(),
            attributes: BTreeMap::from([("name".to_owned(), reference.familiar_name())]),
            time: Timestamp::from(SystemTime::now()),
        });
        Ok(())
    };
    let driven = Driven::new(Box::pin(job), receiver);
    let steps = stream::unfold(driven, |mut driven| async move {
        let lines = match driven.next().await? {
            Ok(step) => lines(step),
            Err(failure) => vec![error_line(&failure)],
        };
        Some((lines.iter().flat_map(Line::encode).collect::<Vec<u8>>().into(), driven))
    });
    Ok(respond::stream("application/json", stream::iter([begin.encode().into()]).chain(steps)))
}

/// Returns the tag, or all tags of the repository.
async fn references(state: &State, reference: &Reference) -> Result<Vec<Reference>, Failure> {
    if reference.tag().is_some() {
        return Ok(vec![reference.clone()]);
    }
    let images = state.images.clone();
    let all = state.disk.run(move || images.list()).await?;
    let mut found: Vec<Reference> = all
        .iter()
        .flat_map(|image| &image.tags)
        .filter_map(|tag| Reference::parse(tag).ok())
        .filter(|tag| tag.name() == reference.name())
        .collect();
    found.sort_by(|a, b| a.tag().cmp(&b.tag()));
    if found.is_empty() {
        // The push itself says that there is none.
        found.push(reference.clone());
    }
    Ok(found)
}

/// Returns a step as Docker's lines.
fn lines(step: PushProgress) -> Vec<Line> {
    let (diff_id, state) = match step {
        PushProgress::Layer { diff_id, state } => (diff_id, state),
        PushProgress::Done { tag, digest, size_bytes } => {
            let aux = serde_json::json!({ "Tag": tag, "Digest": digest.to_string(), "Size": size_bytes });
            let status = format!("{tag}: digest: {digest} size: {size_bytes}");
            return vec![
                Line { status, ..Line::default() },
                Line { progress_detail: Some(Detail::default()), aux: Some(aux), ..Line::default() },
            ];
        }
    };
    let (status, numbers) = match state {
        LayerPush::Preparing => ("Preparing".to_owned(), None),
        LayerPush::Waiting => ("Waiting".to_owned(), None),
        LayerPush::Exists => ("Layer already exists".to_owned(), None),
        LayerPush::Mounted(from) => (format!("Mounted from {from}"), None),
        LayerPush::Pushing { current, total } => ("Pushing".to_owned(), Some((current, total))),
        LayerPush::Pushed => ("Pushed".to_owned(), None),
    };
    let (current, total) = numbers.unwrap_or_default();
    let signed = crate::convert::inspect::bytes;
    vec![Line {
        status,
        progress_detail: Some(Detail { current: signed(current), total: signed(total) }),
        progress: if numbers.is_some() { bar(current, total) } else { String::new() },
        id: diff_id.short().to_owned(),
        ..Line::default()
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use refs::Digest;

    #[test]
    fn steps_read_as_dockers_lines() {
        let diff_id =
            Digest::parse("sha256:4db8d084eb967811889abea4ad3ea427b87864eaff79e1a7dfc5ac3ed2c21d9b").unwrap();
        let digest =
            Digest::parse("sha256:8c7b28e83b30b72fc44a3515fc0bdced966113f394e2aec8e3341b4fd16256d6").unwrap();
        let layer = |state| PushProgress::Layer { diff_id: diff_id.clone(), state };
        let steps = [
            layer(LayerPush::Preparing),
            layer(LayerPush::Mounted("ship/e".to_owned())),
            layer(LayerPush::Exists),
            PushProgress::Done { tag: "1".to_owned(), digest, size_bytes: 528 },
        ];
        let written: Vec<u8> = steps.into_iter().flat_map(lines).flat_map(|line| line.encode()).collect();
        // Docker 28.5.2, POST /images/127.0.0.1:5000/ship/f/push?tag=1.
        let expected = r#"{"status":"Preparing","progressDetail":{},"id":"4db8d084eb96"}
{"status":"Mounted from ship/e","progressDetail":{},"id":"4db8d084eb96"}
{"status":"Layer already exists","progressDetail":{},"id":"4db8d084eb96"}
{"status":"1: digest: sha256:8c7b28e83b30b72fc44a3515fc0bdced966113f394e2aec8e3341b4fd16256d6 size: 528"}
{"progressDetail":{},"aux":{"Tag":"1","Digest":"sha256:8c7b28e83b30b72fc44a3515fc0bdced966113f394e2aec8e3341b4fd16256d6","Size":528}}
"#;
        let written = String::from_utf8(written).unwrap().replace("\r\n", "\n");
        let parsed = |text: &str| -> Vec<serde_json::Value> {
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        assert_eq!(parsed(&written), parsed(expected));
        assert!(written.starts_with(expected.split("{\"progressDetail\":{},\"aux\"").next().unwrap()));
    }
}
