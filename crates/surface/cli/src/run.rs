//! From the flags of `run` and `create` to the body of the create request. Pure: files and environment are parameters.

pub(crate) mod check;
pub(crate) mod flags;
mod mounts;
mod options;
pub(crate) mod ports;
mod resolve;

pub(crate) use options::{environment, restart};
pub(crate) use resolve::resolve;

use std::io;
use std::path::{Path, PathBuf};

/// What a command line may refer to outside of itself.
pub(crate) struct Surroundings<'a> {
    /// An environment variable.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<String>,
    /// The text of a file.
    pub(crate) read: &'a dyn Fn(&Path) -> io::Result<String>,
    /// The working directory.
    pub(crate) directory: PathBuf,
    /// The size of the terminal.
    pub(crate) terminal: Option<crate::term::Size>,
    /// The `proxies` of config.json that hold for this engine: name and value.
    pub(crate) proxies: Vec<(&'static str, String)>,
}

impl Surroundings<'_> {
    /// Calls `work` with the surroundings of this process.
    pub(crate) fn with<T>(
        proxies: Vec<(&'static str, String)>,
        work: impl FnOnce(&Surroundings<'_>) -> T,
    ) -> T {
        work(&Surroundings {
            variable: &|name| std::env::var(name).ok(),
            read: &|path| std::fs::read_to_string(path),
            directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            terminal: crate::term::size(),
            proxies,
        })
    }
}
