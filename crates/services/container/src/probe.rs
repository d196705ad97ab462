//! Carrying out one health probe: a command in the container, or a request to it.

use crate::context::{Context, now};
use crate::exec;
use crate::execs::ExecState;
use crate::health::{Check, HttpProbe, Probe, ProbeResult};
use crate::options::{ExecSpec, ExecStartOptions};
use crate::shared::Shared;
use crate::{Error, attach};
use launch::ShimSender;
use refs::ExecId;
use shimwire::Request;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use sys::ns::{self, Types};
use tokio::sync::oneshot;

/// How much of a probe's output is kept, as in Docker.
const KEPT_BYTES: usize = 4096;

/// The kernel's number of SIGKILL.
const SIGKILL: i32 = 9;

/// Begins a probe. Dropping the receiver gives it up.
pub(crate) fn begin(
    context: &Arc<Context>,
    shared: &Arc<Shared>,
    check: &Check,
) -> oneshot::Receiver<ProbeResult> {
    let (tx, rx) = oneshot::channel();
    let (context, shared, check) = (Arc::clone(context), Arc::clone(shared), check.clone());
    tokio::spawn(run(context, shared, check, tx));
    rx
}

async fn run(
    context: Arc<Context>,
    shared: Arc<Shared>,
    check: Check,
    mut outcome: oneshot::Sender<ProbeResult>,
) {
    let started_at = now();
    let (exit_code, output) = match check.probe {
        Probe::Command(words) => {
            let mut command = Command { context, shared, id: None };
            let mut kept = Kept::default();
            let ended = tokio::select! {
                ended = command.run(words, &mut kept) => Some(ended),
                () = tokio::time::sleep(check.timeout) => None,
                () = outcome.closed() => {
                    command.kill().await;
                    return;
                }
            };
            match ended {
                Some(Ok(code)) => (code, kept.text()),
                Some(Err(text)) => (-1, text),
                None => {
                    command.kill().await;
                    (-1, too_long(check.timeout, &kept.text()))
                }
            }
        }
        Probe::Http(probe) => request(&shared, probe, check.timeout).await,
    };
    // The container may have ended meanwhile.
    let _ = outcome.send(ProbeResult { started_at, ended_at: now(), exit_code, output });
}

fn too_long(timeout: Duration, output: &str) -> String {
    let limit = refs::format_duration(i64::try_from(timeout.as_nanos()).unwrap_or(i64::MAX));
    match output {
        "" => format!("Health check exceeded timeout ({limit})"),
        output => format!("Health check exceeded timeout ({limit}): {output}"),
    }
}

/// Output up to the limit.
#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    truncated: bool,
}

impl Kept {
    fn push(&mut self, bytes: &[u8]) {
        let room = KEPT_BYTES - self.bytes.len();
        self.truncated |= bytes.len() > room;
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes).into_owned();
        if self.truncated { text + "..." } else { text }
    }
}

/// A command that is a probe.
struct Command {
    context: Arc<Context>,
    shared: Arc<Shared>,
    id: Option<ExecId>,
}

impl Command {
    /// Runs the command to its end, and returns its exit code, or why it could not be run.
    async fn run(&mut self, words: Vec<String>, kept: &mut Kept) -> Result<i32, String> {
        let text = |error: Error| error::chain(&error);
        let id = ExecId::generate(crate::service::random().map_err(text)?);
        let spec = ExecSpec {
            cmd: words,
            attach_stdout: true,
            attach_stderr: true,
            is_probe: true,
            ..ExecSpec::default()
        };
        let name = self.shared.view().name.clone();
        exec::create(&self.context, &self.shared, &name, id.clone(), spec).await.map_err(text)?;
        let options = ExecStartOptions::default();
        let starting = exec::start(&self.context, &self.shared, id.clone(), options).await.map_err(text)?;
        let (ours, theirs) = sys::socket::stream_pair().map_err(|error| text(error.into()))?;
        if let Some(starting) = starting {
            self.id = Some(id.clone());
            starting.connect(theirs, Vec::new()).await.map_err(text)?;
        }
        attach::read_frames(ours, |bytes| kept.push(bytes)).await.map_err(text)?;
        let Some((_, mut state)) = self.shared.execs.get(&id) else {
            return Err("the exec is gone".to_owned());
        };
        match state.wait_for(|state| state.exit_code().is_some()).await.as_deref() {
            Ok(ExecState::Ended { code, .. }) => Ok(*code),
            Ok(ExecState::Failed { failure, .. }) => Err(format!(
                "OCI runtime exec failed: exec failed: unable to start container process: {}",
                failure.message
            )),
            Ok(_) | Err(_) => Err("the exec is gone".to_owned()),
        }
    }

    /// Kills the command: probes that hang must not pile up.
    async fn kill(&self) {
        let Some(id) = &self.id else { return };
        let Some(shim) = self.shared.attachments.live().filter(ShimSender::signals_execs) else { return };
        let request = Request::KillExec { exec: id.to_string(), signal: SIGKILL };
        // A supervisor that is gone took its execs with it.
        let _ = shim.send(&request, &[]).await;
    }
}

/// Asks for a page from within the container's network; returns exit code and output.
async fn request(shared: &Shared, probe: HttpProbe, timeout: Duration) -> (i32, String) {
    let pid = shared.view().state.pid;
    let (tx, rx) = oneshot::channel();
    // A thread of its own: it enters the container's network, and ends there.
    let spawned = std::thread::Builder::new().name("health-http".to_owned()).spawn(move || {
        let _ = tx.send(get(pid, &probe, timeout)); // The container may have ended meanwhile.
    });
    let answer = match spawned {
        Ok(_) => rx.await.unwrap_or_else(|_| Err(io::Error::other("the probe's thread broke"))),
        Err(error) => Err(error),
    };
    match answer {
        Ok((status @ 200..=399, text)) => (0, format!("HTTP {status}: {text}")),
        Ok((status, text)) => (1, format!("HTTP {status}: {text}")),
        Err(error) if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => {
            (-1, too_long(timeout, ""))
        }
        Err(error) => (1, error.to_string()),
    }
}

/// Blocking; moves the calling thread into the network namespace of the process.
fn get(pid: i32, probe: &HttpProbe, timeout: Duration) -> io::Result<(u16, String)> {
    let until = Instant::now() + timeout;
    let left = || match until.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
        left => Ok::<_, io::Error>(left),
    };
    let namespace = ns::open(Path::new(&format!("/proc/{pid}/ns/net")), Types::NETWORK)?;
    ns::join(&namespace, Types::NETWORK)?;
    let address = SocketAddr::new(probe.host, probe.port);
    let mut stream = TcpStream::connect_timeout(&address, left()?)?;
    stream.set_write_timeout(Some(left()?))?;
    let head = format!(
        "GET {} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: naru-health\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        probe.path
    );
    stream.write_all(head.as_bytes())?;
    let mut answer = Vec::new();
    let mut piece = [0; 1024];
    while answer.len() < KEPT_BYTES {
        stream.set_read_timeout(Some(left()?))?;
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&piece[..count]),
            // What has come says enough.
            Err(_) if status(&answer).is_some() => break,
            Err(error) => return Err(error),
        }
    }
    let status = status(&answer).ok_or_else(|| io::Error::other("the answer is not HTTP"))?;
    let text = String::from_utf8_lossy(&answer);
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}

/// Reads the status of `HTTP/1.1 200 OK`.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    words.next()?.strip_prefix("HTTP/1.")?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_cut_where_docker_cuts_it() {
        let mut kept = Kept::default();
        kept.push(&[b'a'; 4000]);
        assert_eq!(kept.text().len(), 4000);
        kept.push(&[b'b'; 200]);
        assert_eq!((kept.text().len(), kept.text().ends_with("b...")), (4099, true));
    }

    #[test]
    fn status_is_read_from_the_first_line_only() {
        assert_eq!(status(b"HTTP/1.1 204 No Content\r\n\r\n"), Some(204));
        assert_eq!(status(b"HTTP/1.0 500\r\n"), Some(500));
        for bad in [&b""[..], b"SSH-2.0-x\r\n", b"HTTP/1.1\r\n", b"\xff\xff"] {
            assert_eq!(status(bad), None);
        }
    }
}
