//! `naru save`, and writing archives for `save` and `export`.

use client::ByteStream;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::command::{Arity, Command, Completes, Run};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Matches};
use crate::output::Output;

/// `naru save`.
pub(crate) const SAVE: Command = Command {
    also: &["image save", "save"],
    flags: &[
        Flag::one("output", "string", "Write to a file, instead of STDOUT").short('o'),
        Flag::one(
            "platform",
            "string",
            "Save only the given platform variant. Formatted as \"os[/arch[/variant]]\" (e.g., \"linux/amd64\")",
        ),
    ],
    completes: Completes::Images,
    ..Command::new(
        "[OPTIONS] IMAGE [IMAGE...]",
        "Save one or more images to a tar archive (streamed to STDOUT by default)",
        Arity::AtLeast(1),
        save,
    )
};

fn save<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(async move {
        let output = Target::of(flags, "save")?;
        let platform = super::load::platform(flags)?;
        let archive = context.engine().await?.save(&flags.args, &platform).await?;
        output.write(archive).await
    })
}

/// Where an archive goes.
pub(super) enum Target {
    Stdout,
    File(PathBuf),
}

impl Target {
    /// Reads `--output`. Nobody wants an archive on a terminal.
    pub(super) fn of(flags: &Matches, verb: &str) -> Outcome<Self> {
        let path = flags.text("output");
        if !path.is_empty() {
            let path = PathBuf::from(path);
            check(&path).map_err(|why| Failure::new(format!("failed to {verb}: {why}")))?;
            return Ok(Self::File(path));
        }
        if crate::term::stdout_is_terminal() {
            return Err(Failure::new(format!(
                "cowardly refusing to {verb} to a terminal. Use the -o flag or redirect"
            )));
        }
        Ok(Self::Stdout)
    }

    /// Writes the archive; a file appears when it is whole.
    pub(super) async fn write(&self, mut archive: ByteStream) -> Outcome {
        match self {
            Self::Stdout => {
                let output = Output::stdout()?;
                while let Some(piece) = archive.next().await? {
                    output.write(&piece).await?;
                }
                Ok(())
            }
            Self::File(path) if is_special(path) => {
                let mut file = std::fs::OpenOptions::new().write(true).open(path)?;
                copy(&mut archive, &mut file).await
            }
            Self::File(path) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let unfinished = path.with_file_name(format!(".{name}.{}", std::process::id()));
                let mut file = create(&unfinished)?;
                let written = copy(&mut archive, &mut file).await;
                let moved = written.and_then(|()| Ok(std::fs::rename(&unfinished, path)?));
                if moved.is_err() {
                    let _ = std::fs::remove_file(&unfinished); // the first error counts
                }
                moved
            }
        }
    }
}

fn check(path: &Path) -> Result<(), String> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !directory.is_dir() {
        return Err(format!("invalid output path: directory {directory:?} does not exist"));
    }
    if path.is_dir() {
        return Err(format!("{path:?} is a directory"));
    }
    Ok(())
}

/// A pipe or a device is written to as it is.
fn is_special(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| !metadata.is_file())
}

fn create(path: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

async fn copy(archive: &mut ByteStream, file: &mut std::fs::File) -> Outcome {
    while let Some(piece) = archive.next().await? {
        file.write_all(&piece)?;
    }
    Ok(())
}
