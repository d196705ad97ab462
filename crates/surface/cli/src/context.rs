//! What every command has at hand: the client, the user's configuration, and where output goes.

use std::io::{IsTerminal, Write};

use client::{Client, Tls};

use crate::config::Config;
use crate::engine::Address;
use crate::failure::Outcome;

/// What every command has at hand.
pub(crate) struct Context {
    client: Client,
    address: Address,
    /// The user's configuration.
    pub(crate) config: Config,
    /// Say more.
    pub(crate) debug: bool,
}

impl Context {
    pub(crate) fn new(address: Address, config: Config, debug: bool, tls: Option<Tls>) -> Self {
        let version = env("DOCKER_API_VERSION");
        let client = Client::secured(address.endpoint.clone(), version.as_deref(), tls);
        Self { client, address, config, debug }
    }

    /// Returns the client, connected: if the engine on this machine does not run yet, it is started.
    pub(crate) async fn engine(&self) -> Outcome<&Client> {
        self.address.reach(&self.client).await?;
        Ok(&self.client)
    }

    /// Returns the client without asking whether anybody is there.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Says something on stderr if `--debug` was given.
    pub(crate) fn note(&self, text: &str) {
        if self.debug {
            warn(&format!("debug: {text}"));
        }
    }
}

/// Writes data to stdout.
pub(crate) fn print(text: &str) -> Outcome {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Writes a line of data to stdout.
pub(crate) fn line(text: &str) -> Outcome {
    print(&format!("{text}\n"))
}

/// Says something on stderr.
pub(crate) fn warn(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}"); // nobody is left to tell if stderr is gone
}

/// Returns whether stderr is a terminal on which lines may be rewritten.
pub(crate) fn stderr_is_live() -> bool {
    std::io::stderr().is_terminal() && env("TERM").as_deref() != Some("dumb")
}

/// Returns an environment variable that is set and not empty.
pub(crate) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
