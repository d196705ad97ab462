//! Deleting links off the path of a stop: it costs 10 to 30 ms each of waiting inside the kernel.

use netlink::{Socket, link};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// A thread that deletes links by name.
#[derive(Debug)]
pub(crate) struct Reaper {
    names: Option<Sender<String>>,
    thread: Option<JoinHandle<()>>,
}

/// How long a namespace is given to end by itself, which deletes its links for nothing.
const GRACE: Duration = Duration::from_millis(500);

impl Reaper {
    /// Starts the thread, in the calling thread's network namespace.
    pub(crate) fn start() -> Self {
        let (names, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("naru-reaper".into())
            .spawn(move || run(&receiver))
            .expect("a thread can be started");
        Self { names: Some(names), thread: Some(thread) }
    }

    /// Has a link deleted, soon; one that is gone by then is fine.
    pub(crate) fn delete(&self, name: String) {
        if let Some(names) = &self.names {
            let _ = names.send(name); // The thread only ends when this is dropped.
        }
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.names = None; // Ends the thread; what it had not deleted the next engine's reconcile finds.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // Its panic was already reported by the panic hook.
        }
    }
}

fn run(receiver: &Receiver<String>) {
    use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
    while let Ok(first) = receiver.recv() {
        let mut names = vec![first];
        loop {
            match receiver.recv_timeout(GRACE) {
                Ok(name) => names.push(name),
                Err(Timeout) => break,
                Err(Disconnected) => return,
            }
            if names.len() >= 256 {
                break;
            }
        }
        if let Err(error) = delete_those_left(&names) {
            tracing::warn!(error = %error::chain(&error), "cannot delete links of ended containers");
        }
    }
}

fn delete_those_left(names: &[String]) -> Result<(), netlink::Error> {
    let socket = Socket::route()?;
    let left = link::list(&socket)?;
    let mut first = Ok(());
    for name in names.iter().filter(|name| left.iter().any(|link| link.name == **name)) {
        match socket.batch(&[link::delete(name)]) {
            Err(error) if error.is_absent() => {}
            other => first = first.and(other),
        }
    }
    first
}
