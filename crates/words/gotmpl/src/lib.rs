//! Go's text/template, as far as `--format` and log tags need it.
//!
//! The whole language: fields, chains, variables, pipes, `if`/`with`/`range` and their `else` forms, `break`, `continue`, `define`,
//! `template`, `block`, comments, trim markers; Go's predefined functions, and those that Docker adds. Data are [`Value`]s,
//! that is JSON whose members keep their order. Not there, because data have neither: methods with arguments, functions as values,
//! complex numbers.
//!
//! `Template::parse("", "{{.Name}}: {{join .Tags \", \"}}", &options)?.execute(&Value::from_json(text)?)?`
//!
//! # Source
//! Go `text/template` and `fmt` (behaviour of go1.27), docker/cli `templates` (functions).

#![forbid(unsafe_code)]

mod ast;
mod builtin;
mod compare;
mod datum;
mod docker;
mod error;
mod escape;
mod exec;
mod float;
mod json;
mod lex;
mod parse;
mod printf;
mod value;

pub use error::Error;
pub use value::{Null, Value};

use std::collections::BTreeMap;

/// How missing things are treated, and which functions there are.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the data stand for.
    pub shape: Shape,
    /// What a missing member of a map is.
    pub missing: Missing,
    /// Which functions Docker adds.
    pub functions: Functions,
}

/// What the data stand for in the Go program whose behaviour is wanted.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A `map[string]interface {}` read from JSON.
    Map,
    /// A Go struct: an absent field is an error, and nulls print as the zero value of their field's type.
    Struct {
        /// The type's name, for errors: `*formatter.ContainerContext`.
        type_name: &'static str,
        /// Tells of a field by its name which type its null has.
        null: fn(field: &str) -> Null,
    },
}

/// What a missing member of a map is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It prints `<no value>`.
    NoValue,
    /// An error (`missingkey=error`).
    Error,
}

/// Which functions Docker adds to Go's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Functions {
    /// `json split join title lower upper pad truncate`.
    Docker,
    /// The same names, but they return their argument: for a table's header, whose data are the column names.
    Header,
}

impl Default for Options {
    fn default() -> Self {
        Self { shape: Shape::Map, missing: Missing::NoValue, functions: Functions::Docker }
    }
}

/// A template that was read and can be executed any number of times.
#[derive(Debug)]
pub struct Template {
    name: String,
    text: String,
    trees: BTreeMap<String, Vec<ast::Node>>,
    options: Options,
}

impl Template {
    /// Reads a template. `name` shows up in errors only: `template: NAME:1: …`.
    ///
    /// # Errors
    /// `InvalidArgument` with Go's text.
    pub fn parse(name: &str, text: &str, options: &Options) -> Result<Self, Error> {
        let trees = parse::parse(name, text)?;
        Ok(Self { name: name.into(), text: text.into(), trees, options: options.clone() })
    }

    /// Executes the template.
    ///
    /// # Errors
    /// `InvalidArgument` with Go's text. What was printed before is lost.
    pub fn execute(&self, data: &Value) -> Result<String, Error> {
        exec::execute(self, data)
    }

    /// Returns whether the template mentions `.FIELD`, so that costly columns are computed only if wanted.
    pub fn mentions(&self, field: &str) -> bool {
        self.trees.values().flatten().any(|node| node.mentions(field))
    }
}
