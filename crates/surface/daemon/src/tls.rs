//! The certificates of the TCP endpoint: the engine's own, and the authority that clients must come from.

use crate::error::Error;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the certificates lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates of the authorities that clients must come from.
    pub ca: PathBuf,
    /// The engine's certificate, with those that lead to its authority.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Reads the certificates. Clients without a certificate of the authority are turned away.
///
/// # Errors
/// Files that cannot be read, or that hold no certificates, or none that fit together.
pub(crate) fn server_config(files: &TlsFiles) -> Result<Arc<ServerConfig>, Error> {
    let broken = |path: &Path| {
        let path = path.to_owned();
        move |reason: String| Error::Certificate { path, reason }
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&files.ca)? {
        roots.add(certificate).map_err(|error| broken(&files.ca)(error.to_string()))?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| broken(&files.ca)(error.to_string()))?;
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| broken(&files.key)(error.to_string()))?;
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_client_cert_verifier(verifier)
                .with_single_cert(certificates(&files.cert).unwrap_or_default(), key)
        })
        .map(Arc::new)
        .map_err(|error| broken(&files.cert)(error.to_string()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let broken = |reason: String| Error::Certificate { path: path.to_owned(), reason };
    let read = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| broken(error.to_string()))?;
    match read.is_empty() {
        true => Err(broken("there is no certificate in it".to_owned())),
        false => Ok(read),
    }
}
