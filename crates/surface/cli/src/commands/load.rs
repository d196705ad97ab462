//! `naru load`, and reading archives for `load` and `import`.

use std::fs::File;
use std::io::Read;

use crate::command::{Arity, Command, Run};
use crate::context::{Context, print};
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Matches};
use crate::{progress, term};

/// `naru load`.
pub(crate) const LOAD: Command = Command {
    also: &["image load", "load"],
    flags: &[
        Flag::one("input", "string", "Read from tar archive file, instead of STDIN").short('i'),
        Flag::one(
            "platform",
            "string",
            "Load only the given platform variant. Formatted as \"os[/arch[/variant]]\" (e.g., \"linux/amd64\")",
        ),
        Flag::switch("quiet", "Suppress the load output").short('q'),
    ],
    ..Command::new("[OPTIONS]", "Load an image from a tar archive or STDIN", Arity::None, load)
};

fn load<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, flags))
}

async fn work(context: &Context, flags: &Matches) -> Outcome {
    let archive: Box<dyn Read + Send> = match flags.text("input") {
        "" if term::stdin_is_terminal() => {
            return Err(Failure::new("requested load from stdin, but stdin is empty"));
        }
        "" => Box::new(std::io::stdin()),
        path => Box::new(open(path)?),
    };
    let platform = platform(flags)?;
    let mut lines = context.engine().await?.load(archive, flags.on("quiet"), &platform).await?;
    let mut board = progress::Shown::new();
    while let Some(line) = lines.next().await? {
        if let Some(failure) = progress::failure(&line) {
            return Err(failure);
        }
        match line.stream.is_empty() {
            true => board.show(&line),
            false => print(&line.stream)?,
        }
    }
    Ok(())
}

/// Opens an archive; the text is Docker's.
pub(super) fn open(path: &str) -> Outcome<File> {
    File::open(path).map_err(|why| match why.kind() {
        std::io::ErrorKind::NotFound => Failure::new(format!("open {path}: no such file or directory")),
        _ => Failure::new(format!("open {path}: {why}")),
    })
}

/// Returns the platform that was asked for, as the engine takes it since 1.48; empty for none.
pub(super) fn platform(flags: &Matches) -> Outcome<String> {
    let text = flags.text("platform");
    if text.is_empty() {
        return Ok(String::new());
    }
    let platform = refs::Platform::parse(text, &refs::Platform::host())
        .map_err(|why| Failure::new(format!("invalid platform: {why}")))?;
    Ok(platform.to_string())
}
