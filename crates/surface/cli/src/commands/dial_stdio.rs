//! `naru system dial-stdio`: what `ssh://` runs on the other machine.

use client::Endpoint;
use std::io::{self, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use crate::command::{Arity, Command, Run};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::flags::Matches;

/// `naru system dial-stdio`.
pub(crate) const DIAL_STDIO: Command = Command::new(
    "",
    "Proxy the stdio stream to the engine. It should not be invoked manually.",
    Arity::None,
    dial,
);

fn dial<'a>(context: &'a Context, _flags: &'a Matches) -> Run<'a> {
    Box::pin(async move {
        // An engine that is not there yet is started, as for every other command.
        let client = context.engine().await?;
        let Endpoint::Unix(path) = client.endpoint() else {
            return Err(Failure::new("dial-stdio is for the engine of this machine"));
        };
        let stream = UnixStream::connect(path)?;
        tokio::task::spawn_blocking(move || pass_on(stream))
            .await
            .map_err(|why| Failure::new(why.to_string()))?
    })
}

/// Passes bytes on in both directions until the engine's side ends.
fn pass_on(stream: UnixStream) -> Outcome {
    let mut input = stream.try_clone()?;
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut input); // the engine may have hung up
        let _ = input.shutdown(Shutdown::Write);
    });
    let mut out = io::stdout().lock();
    let mut from = stream;
    let mut piece = [0; 32 * 1024];
    loop {
        match io::Read::read(&mut from, &mut piece)? {
            0 => return Ok(()),
            count => {
                out.write_all(&piece[..count])?;
                out.flush()?;
            }
        }
    }
}
