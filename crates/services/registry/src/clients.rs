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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    /// `openssl s_server` with a certificate that nobody has signed.
    struct SelfSigned {
        directory: std::path::PathBuf,
        port: u16,
        child: std::process::Child,
    }

    impl SelfSigned {
        async fn start() -> Self {
            let directory =
                std::env::temp_dir().join(format!("naru-test-self-signed-{}", std::process::id()));
            std::fs::create_dir_all(&directory).unwrap();
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let script = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=127.0.0.1 \
                -addext subjectAltName=IP:127.0.0.1 -keyout k -out c 2>/dev/null &&
                exec openssl s_server -quiet -www -key k -cert c -accept 127.0.0.1:$1";
            let child = std::process::Command::new("sh")
                .args(["-c", script, "sh", &port.to_string()])
                .current_dir(&directory)
                .stdin(std::process::Stdio::null())
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap();
            let up = async {
                while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(20), up).await.expect("openssl is installed");
            Self { directory, port, child }
        }
    }

    impl Drop for SelfSigned {
        fn drop(&mut self) {
            let _ = self.child.kill(); // it may have ended by itself
            let _ = self.child.wait();
            let _ = std::fs::remove_dir_all(&self.directory); // leftovers there harm nobody
        }
    }

    #[tokio::test]
    async fn certificate_that_nobody_signed_is_refused_unless_any_may_come() {
        let server = SelfSigned::start().await;
        let url = format!("https://127.0.0.1:{}/", server.port);
        let clients = Clients::default();
        let refused = clients.get(Certificates::Verified).unwrap().get(&url).send().await.unwrap_err();
        let reason = reason_of(&refused);
        assert!(refused.is_connect() && reason.contains("certificate"), "{reason}");
        let answer = clients.get(Certificates::Any).unwrap().get(&url).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }

    #[tokio::test]
    async fn client_speaks_tls_to_the_registry_it_was_asked_for() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = Clients::default().get(Certificates::Any).unwrap();
        let asking = tokio::spawn(async move { client.get(format!("https://{address}/v2/")).send().await });
        let (mut stream, _) = listener.accept().await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), 0x16, "a TLS handshake record");
        drop(stream);
        assert!(asking.await.unwrap().unwrap_err().is_connect());
    }
}
