//! The HTTP clients: one that wants valid certificates, one that takes any.

use crate::endpoint::Certificates;
use crate::error::{Error, reason_of};
use reqwest::redirect::Policy;
use std::sync::OnceLock;
use std::time::Duration;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Without a single byte for so long a connection counts as broken.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
const USER_AGENT: &str = concat!("naru/", env!("CARGO_PKG_VERSION"));

/// Made on first use: reading the machine's certificates takes time and memory that an idle engine should not spend.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    verified: OnceLock<Result<reqwest::Client, String>>,
    any: OnceLock<Result<reqwest::Client, String>>,
}

impl Clients {
    pub(crate) fn get(&self, certificates: Certificates) -> Result<reqwest::Client, Error> {
        let cell = match certificates {
            Certificates::Verified => &self.verified,
            Certificates::Any => &self.any,
        };
        cell.get_or_init(|| build(certificates)).clone().map_err(|reason| Error::Tls { reason })
    }
}

fn build(certificates: Certificates) -> Result<reqwest::Client, String> {
    let _ = rustls::crypto::ring::default_provider().install_default(); // an error means that it is there already
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(Policy::none()) // followed in `session`, which knows whom credentials belong to
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .tls_danger_accept_invalid_certs(certificates == Certificates::Any)
        .build()
        .map_err(|error| reason_of(&error))
}
