//! The certificates of a client: its own, and the authority that the engine must come from.

use crate::Error;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the certificates lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates of the authorities that the engine must come from.
    pub ca: PathBuf,
    /// The client's certificate.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What a client needs for TLS.
#[derive(Clone)]
pub struct Tls {
    pub(crate) config: Arc<ClientConfig>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Reads the certificates.
    ///
    /// # Errors
    /// [`Error::Certificate`] for files that cannot be read, or that hold nothing that fits.
    pub fn read(files: &TlsFiles) -> Result<Self, Error> {
        let broken = |path: &Path| {
            let path = path.to_owned();
            move |reason: String| Error::Certificate { path, reason }
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&files.ca)? {
            roots.add(certificate).map_err(|error| broken(&files.ca)(error.to_string()))?;
        }
        let chain = certificates(&files.cert)?;
        let key = PrivateKeyDer::from_pem_file(&files.key)
            .map_err(|error| broken(&files.key)(error.to_string()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_root_certificates(roots).with_client_auth_cert(chain, key))
            .map_err(|error| broken(&files.cert)(error.to_string()))?;
        Ok(Self { config: Arc::new(config) })
    }
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
