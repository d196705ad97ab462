//! Reading answers that are no success.

use crate::error::Answer;
use reqwest::StatusCode;
use serde::Deserialize;
use std::time::Duration;

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    errors: Vec<Item>,
    /// What Docker Hub's token server says.
    #[serde(default)]
    details: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

const MAX_WORDS: usize = 500;

/// Reads an answer's status and body, in the words that Docker uses.
///
/// # Source
/// OCI distribution-spec v1.1 "Error Codes"; distribution `registry/client/errors.go`.
pub(crate) fn read(status: StatusCode, retry_after: Option<&str>, body: &[u8]) -> Answer {
    let parsed: Option<Body> = serde_json::from_slice(body).ok();
    let first = parsed.as_ref().and_then(|body| body.errors.first());
    let details = parsed.as_ref().and_then(|body| body.details.as_deref());
    let (code, detail) = match (first, details) {
        (Some(item), _) if !item.code.is_empty() => (Some(item.code.to_uppercase()), words(item)),
        (_, Some(details)) => (None, format!("{}: {}", usual_words(status), short(details))),
        _ => (None, usual_words(status)),
    };
    let retry_after = retry_after.and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs);
    Answer { status: status.as_u16(), code, detail, retry_after }
}

/// `manifest unknown: manifest unknown`
fn words(item: &Item) -> String {
    let code = item.code.to_lowercase().replace('_', " ");
    if item.message.is_empty() { code } else { format!("{code}: {}", short(&item.message)) }
}

fn usual_words(status: StatusCode) -> String {
    match status.as_u16() {
        401 => "unauthorized".into(),
        403 => "denied".into(),
        429 => "toomanyrequests".into(),
        _ => status.canonical_reason().unwrap_or("no reason given").to_lowercase(),
    }
}

/// One line of bounded length: the text is a stranger's.
fn short(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_is_put_into_dockers_words() {
        let cases = [
            (
                404,
                r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#,
                Some("MANIFEST_UNKNOWN"),
                "manifest unknown: manifest unknown",
            ),
            (
                401,
                r#"{"details":"incorrect username or password"}"#,
                None,
                "unauthorized: incorrect username or password",
            ),
            (
                429,
                r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow\ndown"}]}"#,
                Some("TOOMANYREQUESTS"),
                "toomanyrequests: slow down",
            ),
            (403, "<html>", None, "denied"),
            (404, "", None, "not found"),
            (502, "{}", None, "bad gateway"),
            (400, r#"{"errors":[]}"#, None, "bad request"),
        ];
        for (status, body, code, detail) in cases {
            let answer = read(StatusCode::from_u16(status).unwrap(), None, body.as_bytes());
            assert_eq!(
                (answer.status, answer.code.as_deref(), answer.detail.as_str()),
                (status, code, detail)
            );
        }
    }

    #[test]
    fn answer_may_name_a_time_to_wait() {
        let wait = |header| read(StatusCode::TOO_MANY_REQUESTS, header, b"").retry_after;
        assert_eq!(wait(Some("7")), Some(Duration::from_secs(7)));
        assert_eq!(wait(Some("Wed, 21 Oct 2026 07:28:00 GMT")), None);
        assert_eq!(wait(None), None);
    }
}
