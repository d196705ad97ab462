//! Credential helpers: programs named `docker-credential-<name>` that keep passwords.

use serde::Deserialize;
use std::io::Write;
use std::process::{Command, Stdio};
use wire::system::AuthConfig;

use crate::failure::{Failure, Outcome};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// Asks a helper for the credentials of a registry; none if it has none.
///
/// # Source
/// docker/docker-credential-helpers README, "Usage": `get`.
pub(crate) fn get(helper: &str, server: &str) -> Outcome<Option<AuthConfig>> {
    let program = format!("docker-credential-{helper}");
    let failed = |why: &dyn std::fmt::Display| {
        Failure::new(format!("error getting credentials from {program} for {server}: {why}"))
            .with_hint("remove credsStore from config.json if the helper is not installed")
    };
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|why| failed(&why))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(server.as_bytes()).map_err(|why| failed(&why))?;
    }
    let output = child.wait_with_output().map_err(|why| failed(&why))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        if text.contains("credentials not found in native keychain") {
            return Ok(None);
        }
        return Err(failed(&text.trim()));
    }
    let answer: Answer = serde_json::from_str(&text).map_err(|why| failed(&why))?;
    let mut auth = AuthConfig { serveraddress: server.to_owned(), ..AuthConfig::default() };
    match answer.username.as_str() {
        "<token>" => auth.identitytoken = answer.secret,
        _ => (auth.username, auth.password) = (answer.username, answer.secret),
    }
    Ok(Some(auth))
}
