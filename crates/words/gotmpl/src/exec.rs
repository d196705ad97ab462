//! Tree and data → text.

use crate::ast::{Branch, Command, Declares, Invocation, Node, Operand, OperandKind, Pipe};
use crate::builtin::{self, Arity};
use crate::datum::Datum;
use crate::docker::Parameter;
use crate::error::Error;
use crate::escape::quote;
use crate::value::{Null, Value};
use crate::{Missing, Options, Shape, Template, printf};
use std::fmt::Display;

const MAX_DEPTH: usize = 100;

/// The type of what lies in Go's `map[string]interface {}`.
const INTERFACE: &str = "interface {}";

pub(crate) fn execute(template: &Template, data: &Value) -> Result<String, Error> {
    let root = Datum::borrowed(data);
    let mut state = State {
        template,
        options: &template.options,
        name: &template.name,
        root: data,
        variables: vec![("$", root.clone())],
        at: None,
        depth: 0,
        out: String::new(),
    };
    match state.walk_all(&root, &template.trees[&template.name]) {
        Ok(_) => Ok(state.out),
        Err(message) => Err(state.error(message)),
    }
}

/// How a list of nodes ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

struct State<'t> {
    template: &'t Template,
    options: &'t Options,
    name: &'t str,
    root: &'t Value,
    variables: Vec<(&'t str, Datum<'t>)>,
    /// The expression that is being evaluated, for errors.
    at: Option<(usize, &'t dyn Display)>,
    depth: usize,
    out: String,
}

type Done<T> = Result<T, String>;

impl<'t> State<'t> {
    fn error(&self, message: String) -> Error {
        let (pos, context) = self.at.map_or((0, String::new()), |(pos, node)| (pos, node.to_string()));
        let before = &self.template.text[..pos];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Error::Execute {
            name: self.template.name.clone(),
            line: 1 + before.matches('\n').count(),
            column: pos - line_start,
            template: self.name.to_owned(),
            context,
            message,
        }
    }

    fn walk_all(&mut self, dot: &Datum<'t>, nodes: &'t [Node]) -> Done<Flow> {
        for node in nodes {
            let flow = self.walk(dot, node)?;
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn walk(&mut self, dot: &Datum<'t>, node: &'t Node) -> Done<Flow> {
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Action(pipe) => {
                let value = self.pipe(dot, pipe)?;
                if pipe.variables.is_empty() {
                    self.out.push_str(&printf::display(&value));
                }
            }
            Node::If(branch) => {
                let mark = self.variables.len();
                let value = self.pipe(dot, &branch.pipe)?;
                let flow =
                    self.walk_all(dot, if value.is_true() { &branch.then } else { &branch.otherwise })?;
                self.variables.truncate(mark);
                return Ok(flow);
            }
            Node::With(branch) => {
                let mark = self.variables.len();
                let value = self.pipe(dot, &branch.pipe)?;
                let flow = if value.is_true() {
                    self.walk_all(&value, &branch.then)?
                } else {
                    self.walk_all(dot, &branch.otherwise)?
                };
                self.variables.truncate(mark);
                return Ok(flow);
            }
            Node::Range(branch) => {
                let mark = self.variables.len();
                let flow = self.range(dot, branch)?;
                self.variables.truncate(mark);
                return Ok(flow);
            }
            Node::Template(invocation) => self.template(dot, invocation)?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn range(&mut self, dot: &Datum<'t>, branch: &'t Branch) -> Done<Flow> {
        let over = self.pipe(dot, &branch.pipe)?;
        let mark = self.variables.len();
        if let Some(count) = as_count(&over) {
            if branch.pipe.variables.len() > 1 {
                return Err(format!("can't use {count} to iterate over more than one variable"));
            }
            for number in 0..count {
                let element = Datum::owned(Value::Int(number));
                if self.range_once(branch, mark, &Datum::Missing, &element)? == Flow::Break {
                    break;
                }
            }
            return if count > 0 { Ok(Flow::On) } else { self.walk_all(dot, &branch.otherwise) };
        }
        let Some(entries) = over.entries() else {
            return Err(format!("range can't iterate over {}", printf::display(&over)));
        };
        if entries.is_empty() {
            return self.walk_all(dot, &branch.otherwise);
        }
        for (key, element) in &entries {
            if self.range_once(branch, mark, key, element)? == Flow::Break {
                break;
            }
        }
        Ok(Flow::On)
    }

    fn range_once(
        &mut self,
        branch: &'t Branch,
        mark: usize,
        key: &Datum<'t>,
        element: &Datum<'t>,
    ) -> Done<Flow> {
        let names = &branch.pipe.variables;
        let values: &[&Datum<'t>] = if names.len() > 1 { &[key, element] } else { &[element] };
        for (offset, (name, value)) in names.iter().zip(values).enumerate() {
            match branch.pipe.declares {
                Declares::Assign => self.assign(name, (*value).clone())?,
                // The pipeline has just pushed its variables below the mark.
                Declares::New => self.variables[mark - names.len() + offset].1 = (*value).clone(),
            }
        }
        let flow = self.walk_all(element, &branch.then)?;
        self.variables.truncate(mark);
        Ok(flow)
    }

    fn template(&mut self, dot: &Datum<'t>, invocation: &'t Invocation) -> Done<()> {
        self.at = Some((invocation.pos, invocation));
        let Some((name, nodes)) = self.template.trees.get_key_value(&invocation.name) else {
            return Err(format!("template {} not defined", quote(&invocation.name)));
        };
        if self.depth == MAX_DEPTH {
            return Err(format!("exceeded maximum template depth ({MAX_DEPTH})"));
        }
        let dot = match &invocation.pipe {
            Some(pipe) => self.pipe(dot, pipe)?,
            None => Datum::Missing,
        };
        let outer_variables = std::mem::replace(&mut self.variables, vec![("$", dot.clone())]);
        let outer_name = std::mem::replace(&mut self.name, name);
        self.depth += 1;
        self.walk_all(&dot, nodes)?;
        self.depth -= 1;
        self.name = outer_name;
        self.variables = outer_variables;
        Ok(())
    }

    fn assign(&mut self, name: &str, value: Datum<'t>) -> Done<()> {
        match self.variables.iter_mut().rev().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => return Err(format!("undefined variable: {name}")),
        }
        Ok(())
    }

    fn pipe(&mut self, dot: &Datum<'t>, pipe: &'t Pipe) -> Done<Datum<'t>> {
        self.at = Some((pipe.pos, pipe));
        let mut value = None;
        for command in &pipe.commands {
            value = Some(self.command(dot, command, value)?);
        }
        let value = value.unwrap_or(Datum::Missing);
        for name in &pipe.variables {
            match pipe.declares {
                Declares::New => self.variables.push((name, value.clone())),
                Declares::Assign => self.assign(name, value.clone())?,
            }
        }
        Ok(value)
    }

    fn command(&mut self, dot: &Datum<'t>, command: &'t Command, last: Option<Datum<'t>>) -> Done<Datum<'t>> {
        let first = &command.args[0];
        if let OperandKind::Identifier(name) = &first.kind {
            self.at = Some((first.pos, first));
            return self.call(dot, name, command, last);
        }
        let has_args = command.args.len() > 1 || last.is_some();
        match &first.kind {
            OperandKind::Field(_) | OperandKind::Chain(..) => {}
            OperandKind::Variable(_, fields) if !fields.is_empty() => {}
            kind => {
                if !matches!(kind, OperandKind::Pipe(_)) {
                    self.at = Some((first.pos, first));
                }
                if has_args {
                    return Err(format!("can't give argument to non-function {first}"));
                }
                if matches!(kind, OperandKind::Nil) {
                    return Err("nil is not a command".into());
                }
            }
        }
        self.operand(dot, first, has_args)
    }

    fn operand(&mut self, dot: &Datum<'t>, operand: &'t Operand, has_args: bool) -> Done<Datum<'t>> {
        if !matches!(operand.kind, OperandKind::Pipe(_)) {
            self.at = Some((operand.pos, operand));
        }
        Ok(match &operand.kind {
            OperandKind::Dot => dot.clone(),
            OperandKind::Nil => Datum::Null(Null::Untyped),
            OperandKind::Bool(value) => Datum::owned(Value::Bool(*value)),
            OperandKind::Number { value, .. } => Datum::borrowed(value),
            OperandKind::Text { value, .. } => Datum::text(value.as_str()),
            OperandKind::Field(fields) => return self.fields(dot.clone(), fields, has_args),
            OperandKind::Variable(name, fields) => {
                let found = self.variables.iter().rev().find(|(known, _)| known == name);
                let value = found
                    .map(|(_, value)| value.clone())
                    .ok_or_else(|| format!("undefined variable: {name}"))?;
                return self.fields(value, fields, has_args);
            }
            OperandKind::Chain(inner, fields) => {
                if matches!(inner.kind, OperandKind::Nil) {
                    return Err(format!("indirection through explicit nil in {operand}"));
                }
                let value = self.argument(dot, inner)?;
                return self.fields(value, fields, has_args);
            }
            OperandKind::Pipe(pipe) => return self.pipe(dot, pipe),
            OperandKind::Identifier(_) => return self.argument(dot, operand),
        })
    }

    /// An operand that is not a command's first: a function among them is called without arguments.
    fn argument(&mut self, dot: &Datum<'t>, operand: &'t Operand) -> Done<Datum<'t>> {
        self.at = Some((operand.pos, operand));
        let OperandKind::Identifier(name) = &operand.kind else {
            return self.operand(dot, operand, false);
        };
        self.check_count(name, 0, 0)?;
        builtin::call(name, &[], self.options).map_err(|error| format!("error calling {name}: {error}"))
    }

    fn fields(&mut self, mut receiver: Datum<'t>, fields: &[String], has_args: bool) -> Done<Datum<'t>> {
        for (index, field) in fields.iter().enumerate() {
            receiver = self.field(&receiver, field, index > 0, has_args && index + 1 == fields.len())?;
        }
        Ok(receiver)
    }

    /// A member of `receiver`, which itself `is_member` of something: Go then knows less of its type.
    fn field(&self, receiver: &Datum<'t>, field: &str, is_member: bool, has_args: bool) -> Done<Datum<'t>> {
        match receiver {
            Datum::Missing if self.options.missing == Missing::Error => {
                return Err(format!("nil data; no entry for key {}", quote(field)));
            }
            Datum::Missing => return Ok(Datum::Missing),
            Datum::Null(Null::Untyped | Null::Pointer) => {
                return Err(format!("nil pointer evaluating {INTERFACE}.{field}"));
            }
            Datum::Null(Null::Map) => return self.missing_key(field),
            Datum::Null(Null::List) => {}
            Datum::Value(value) => {
                if let Value::Map(members) = &**value {
                    if has_args {
                        return Err(format!("{field} is not a method but has arguments"));
                    }
                    return match receiver.member(field, self.options) {
                        Some(found) => Ok(found),
                        None if self.is_struct(value, members) => {
                            Err(self.no_field(receiver, field, is_member))
                        }
                        None => self.missing_key(field),
                    };
                }
            }
        }
        Err(self.no_field(receiver, field, is_member))
    }

    fn missing_key(&self, field: &str) -> Done<Datum<'t>> {
        match self.options.missing {
            Missing::NoValue => Ok(Datum::Missing),
            Missing::Error => Err(format!("map has no entry for key {}", quote(field))),
        }
    }

    /// Whether an object stands for a Go struct. Inner ones with only texts inside are taken for maps, as labels are.
    fn is_struct(&self, object: &Value, members: &[(String, Value)]) -> bool {
        let only_texts = members.iter().all(|(_, value)| matches!(value, Value::Text(_)));
        matches!(self.options.shape, Shape::Struct { .. }) && (!only_texts || std::ptr::eq(object, self.root))
    }

    fn no_field(&self, receiver: &Datum<'t>, field: &str, is_member: bool) -> String {
        let type_name = match self.options.shape {
            Shape::Struct { type_name, .. } if matches!(receiver.value(), Some(Value::Map(_))) => type_name,
            Shape::Map if is_member => INTERFACE,
            Shape::Map | Shape::Struct { .. } => receiver.type_name(),
        };
        format!("can't evaluate field {field} in type {type_name}")
    }

    fn check_count(&self, name: &str, args: usize, all: usize) -> Done<()> {
        match builtin::arity(name) {
            Some(Arity::AtLeast(least)) if all < least => {
                Err(format!("wrong number of args for {name}: want at least {least} got {args}"))
            }
            Some(Arity::Exactly(exactly)) if all != exactly => {
                Err(format!("wrong number of args for {name}: want {exactly} got {all}"))
            }
            Some(_) => Ok(()),
            None => Err(format!("{} is not a defined function", quote(name))),
        }
    }

    fn call(
        &mut self,
        dot: &Datum<'t>,
        name: &str,
        command: &'t Command,
        last: Option<Datum<'t>>,
    ) -> Done<Datum<'t>> {
        let operands = &command.args[1..];
        self.check_count(name, operands.len(), operands.len() + usize::from(last.is_some()))?;
        if name == "and" || name == "or" {
            return self.shortcut(dot, name, operands, last);
        }
        let mut args = Vec::with_capacity(operands.len() + 1);
        for (index, operand) in operands.iter().enumerate() {
            let parameter = builtin::parameter(name, index, self.options.functions);
            args.push(self.checked_argument(dot, operand, parameter)?);
        }
        if let Some(last) = last {
            check_type(&last, builtin::parameter(name, operands.len(), self.options.functions))?;
            args.push(last);
        }
        let result = if name == "call" {
            Err(no_function(command, &args))
        } else {
            builtin::call(name, &args, self.options)
        };
        result.map_err(|error| {
            self.at = Some((command.pos, command));
            format!("error calling {name}: {error}")
        })
    }

    fn shortcut(
        &mut self,
        dot: &Datum<'t>,
        name: &str,
        operands: &'t [Operand],
        last: Option<Datum<'t>>,
    ) -> Done<Datum<'t>> {
        let mut value = Datum::Missing;
        for operand in operands {
            value = self.argument(dot, operand)?;
            if value.is_true() == (name == "or") {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    fn checked_argument(
        &mut self,
        dot: &Datum<'t>,
        operand: &'t Operand,
        parameter: Parameter,
    ) -> Done<Datum<'t>> {
        use OperandKind::{Bool, Nil, Number, Text};
        self.at = Some((operand.pos, operand));
        match (&operand.kind, parameter) {
            (Nil, Parameter::Text) => Err("cannot assign nil to string".into()),
            (Nil, Parameter::Int) => Err("cannot assign nil to int".into()),
            (Number { .. } | Bool(_), Parameter::Text) => Err(format!("expected string; found {operand}")),
            (Text { .. } | Bool(_), Parameter::Int) => Err(format!("expected integer; found {operand}")),
            (Number { value: Value::Float(_), .. }, Parameter::Int) => {
                Err(format!("expected integer; found {operand}"))
            }
            _ => {
                let value = self.argument(dot, operand)?;
                check_type(&value, parameter)?;
                Ok(value)
            }
        }
    }
}

fn check_type(value: &Datum<'_>, parameter: Parameter) -> Done<()> {
    let wanted = match (parameter, value.value()) {
        (Parameter::Any, _)
        | (Parameter::Text, Some(Value::Text(_)))
        | (Parameter::Int, Some(Value::Int(_))) => {
            return Ok(());
        }
        (Parameter::Text, _) => "string",
        (Parameter::Int, _) => "int",
    };
    match value {
        Datum::Missing | Datum::Null(Null::Untyped) => Err(format!("invalid value; expected {wanted}")),
        other => Err(format!("wrong type for value; expected {wanted}; got {}", other.type_name())),
    }
}

/// Why `call` fails: data are never functions.
fn no_function(command: &Command, args: &[Datum<'_>]) -> String {
    match (args[0].value(), command.args.get(1)) {
        (None, _) => "call of nil".into(),
        (Some(_), Some(callee)) => format!("non-function {callee} of type {}", args[0].type_name()),
        (Some(value), None) => {
            format!("non-function {} of type {}", printf::plain(value), args[0].type_name())
        }
    }
}

fn as_count(datum: &Datum<'_>) -> Option<i64> {
    match datum.value() {
        Some(Value::Int(count)) => Some(*count),
        Some(Value::Uint(count)) => Some(i64::try_from(*count).unwrap_or(i64::MAX)),
        _ => None,
    }
}
