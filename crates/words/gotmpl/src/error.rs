//! Errors in Go's words.

use error::{Fault, Kind};

/// A template that is wrong, or does not suit its data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is no template.
    #[error("template: {name}:{line}: {message}")]
    Parse {
        /// The template's name.
        name: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong, in Go's words.
        message: String,
    },
    /// The data do not have what the template wants.
    #[error("template: {name}:{line}:{column}: executing {template:?} at <{context}>: {message}")]
    Execute {
        /// The name that the whole text was given.
        name: String,
        /// The line, counted from 1.
        line: usize,
        /// The byte within the line, counted from 0 as Go does.
        column: usize,
        /// The template within the text.
        template: String,
        /// The expression.
        context: String,
        /// What is wrong, in Go's words.
        message: String,
    },
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        Kind::InvalidArgument
    }
}
