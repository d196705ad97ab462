//! Tokens → tree. The grammar and the texts of errors are those of Go's `text/template/parse`.

use crate::ast::{Branch, Command, Declares, Invocation, Node, Operand, OperandKind, Pipe};
use crate::error::Error;
use crate::escape::{quote, unquote};
use crate::lex::{Kind, Token, tokens};
use crate::{builtin, float};
use std::collections::BTreeMap;

const MAX_DEPTH: usize = 100;

type Parsed<T> = Result<T, String>;

/// Reads a text; the result has one tree per defined template, the text itself under `name`.
pub(crate) fn parse(name: &str, text: &str) -> Result<BTreeMap<String, Vec<Node>>, Error> {
    let mut parser = Parser {
        name,
        tokens: tokens(text),
        next: 0,
        furthest: 0,
        action_line: 0,
        trees: BTreeMap::new(),
        scope: Scope::default(),
        depth: 0,
    };
    match parser.document() {
        Ok(()) => Ok(parser.trees),
        Err(message) => {
            let line = parser.tokens[parser.furthest].line;
            Err(Error::Parse { name: name.into(), line, message })
        }
    }
}

struct Parser<'a> {
    name: &'a str,
    tokens: Vec<Token>,
    next: usize,
    furthest: usize,
    action_line: usize,
    trees: BTreeMap<String, Vec<Node>>,
    scope: Scope,
    depth: usize,
}

/// What begins anew in each template of a text.
struct Scope {
    variables: Vec<String>,
    ranges: usize,
}

impl Default for Scope {
    fn default() -> Self {
        Self { variables: vec!["$".into()], ranges: 0 }
    }
}

/// One node, or the keyword that ends a list of them.
enum Item {
    Node(Node),
    End,
    Else,
}

impl Item {
    fn as_text(&self) -> &'static str {
        match self {
            Self::Node(_) => "action",
            Self::End => "{{end}}",
            Self::Else => "{{else}}",
        }
    }
}

impl Parser<'_> {
    fn take(&mut self) -> Token {
        let token = self.tokens[self.next].clone();
        self.furthest = self.furthest.max(self.next);
        if self.next + 1 < self.tokens.len() {
            self.next += 1;
        }
        token
    }

    fn peek(&mut self) -> &Token {
        self.furthest = self.furthest.max(self.next);
        &self.tokens[self.next]
    }

    fn skip_space(&mut self) {
        while self.peek().kind == Kind::Space {
            self.next += 1;
        }
    }

    fn take_solid(&mut self) -> Token {
        self.skip_space();
        self.take()
    }

    fn peek_solid(&mut self) -> &Token {
        self.skip_space();
        self.peek()
    }

    fn is_keyword(token: &Token, word: &str) -> bool {
        token.kind == Kind::Keyword && token.text == word
    }

    fn unexpected<T>(&self, token: &Token, context: &str) -> Parsed<T> {
        if token.kind != Kind::Error {
            return Err(format!("unexpected {token} in {context}"));
        }
        if self.action_line == 0 || self.action_line == token.line {
            return Err(token.text.clone());
        }
        let action = if token.text.ends_with(" action") { "" } else { " in action" };
        Err(format!("{}{action} started at {}:{}", token.text, self.name, self.action_line))
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Token> {
        let token = self.take_solid();
        if token.kind == kind { Ok(token) } else { self.unexpected(&token, context) }
    }

    fn document(&mut self) -> Parsed<()> {
        let mut nodes = Vec::new();
        while self.peek().kind != Kind::End {
            if self.peek().kind == Kind::LeftDelimiter {
                let before = self.next;
                self.take();
                if Self::is_keyword(&self.take_solid(), "define") {
                    self.definition()?;
                    continue;
                }
                self.next = before;
            }
            match self.item()? {
                Item::Node(node) => nodes.push(node),
                other => return Err(format!("unexpected {}", other.as_text())),
            }
        }
        self.add(self.name.to_owned(), nodes)
    }

    fn add(&mut self, name: String, nodes: Vec<Node>) -> Parsed<()> {
        match self.trees.get(&name) {
            Some(old) if !is_empty(old) => {
                if !is_empty(&nodes) {
                    return Err(format!("template: multiple definition of template {}", quote(&name)));
                }
            }
            _ => drop(self.trees.insert(name, nodes)),
        }
        Ok(())
    }

    fn definition(&mut self) -> Parsed<()> {
        const CONTEXT: &str = "define clause";
        let token = self.take_solid();
        let name = self.template_name(&token, CONTEXT)?;
        self.expect(Kind::RightDelimiter, CONTEXT)?;
        let outer = std::mem::take(&mut self.scope);
        let (nodes, end) = self.list()?;
        self.scope = outer;
        match end {
            Item::End => self.add(name, nodes),
            other => Err(format!("unexpected {} in {CONTEXT}", other.as_text())),
        }
    }

    fn template_name(&mut self, token: &Token, context: &str) -> Parsed<String> {
        match token.kind {
            Kind::Quoted | Kind::RawQuoted => unquote(&token.text).ok_or_else(|| "invalid syntax".into()),
            _ => self.unexpected(token, context),
        }
    }

    /// Nodes up to `{{end}}` or `{{else}}`, and which of them it was.
    fn list(&mut self) -> Parsed<(Vec<Node>, Item)> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("max expression depth exceeded".into());
        }
        let mut nodes = Vec::new();
        while self.peek_solid().kind != Kind::End {
            match self.item()? {
                Item::Node(node) => nodes.push(node),
                end => {
                    self.depth -= 1;
                    return Ok((nodes, end));
                }
            }
        }
        Err("unexpected EOF".into())
    }

    fn item(&mut self) -> Parsed<Item> {
        let token = self.take_solid();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text(token.text))),
            Kind::LeftDelimiter => {
                self.action_line = token.line;
                let item = self.action()?;
                self.action_line = 0;
                Ok(item)
            }
            _ => self.unexpected(&token, "input"),
        }
    }

    fn action(&mut self) -> Parsed<Item> {
        self.skip_space();
        let before = self.next;
        let token = self.take();
        if token.kind != Kind::Keyword {
            self.next = before;
            return Ok(Item::Node(Node::Action(self.pipeline("command", Kind::RightDelimiter)?)));
        }
        Ok(Item::Node(match token.text.as_str() {
            "block" => self.block()?,
            "break" => self.leave("{{break}}", Node::Break)?,
            "continue" => self.leave("{{continue}}", Node::Continue)?,
            "else" => return self.otherwise(),
            "end" => {
                self.expect(Kind::RightDelimiter, "end")?;
                return Ok(Item::End);
            }
            "if" => Node::If(self.control("if")?),
            "with" => Node::With(self.control("with")?),
            "range" => Node::Range(self.control("range")?),
            "template" => self.template()?,
            _ => return self.unexpected(&token, "command"),
        }))
    }

    fn leave(&mut self, what: &str, node: Node) -> Parsed<Node> {
        self.expect(Kind::RightDelimiter, what)?;
        if self.scope.ranges == 0 {
            return Err(format!("{what} outside {{{{range}}}}"));
        }
        Ok(node)
    }

    fn otherwise(&mut self) -> Parsed<Item> {
        let token = self.peek_solid();
        if !Self::is_keyword(token, "if") && !Self::is_keyword(token, "with") {
            self.expect(Kind::RightDelimiter, "else")?;
        }
        Ok(Item::Else)
    }

    fn control(&mut self, context: &str) -> Parsed<Branch> {
        let variables = self.scope.variables.len();
        let pipe = self.pipeline(context, Kind::RightDelimiter)?;
        let is_range = usize::from(context == "range");
        self.scope.ranges += is_range;
        let (then, end) = self.list()?;
        self.scope.ranges -= is_range;
        let otherwise = match end {
            Item::Else => self.else_branch(context)?,
            _ => Vec::new(),
        };
        self.scope.variables.truncate(variables);
        Ok(Branch { pipe, then, otherwise })
    }

    fn else_branch(&mut self, context: &str) -> Parsed<Vec<Node>> {
        let token = self.peek().clone();
        if context != "range" && Self::is_keyword(&token, context) {
            self.take();
            self.depth += 1; // a long chain of "else if" recurses
            if self.depth > MAX_DEPTH {
                return Err("max expression depth exceeded".into());
            }
            let branch = self.control(context)?;
            self.depth -= 1;
            return Ok(vec![if context == "if" { Node::If(branch) } else { Node::With(branch) }]);
        }
        let (nodes, end) = self.list()?;
        match end {
            Item::End => Ok(nodes),
            other => Err(format!("expected end; found {}", other.as_text())),
        }
    }

    fn block(&mut self) -> Parsed<Node> {
        const CONTEXT: &str = "block clause";
        let token = self.take_solid();
        let name = self.template_name(&token, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, Kind::RightDelimiter)?;
        let outer = std::mem::take(&mut self.scope);
        let (nodes, end) = self.list()?;
        self.scope = outer;
        if !matches!(end, Item::End) {
            return Err(format!("unexpected {} in {CONTEXT}", end.as_text()));
        }
        self.add(name.clone(), nodes)?;
        Ok(Node::Template(Invocation { pos: token.pos, name, pipe: Some(pipe) }))
    }

    fn template(&mut self) -> Parsed<Node> {
        const CONTEXT: &str = "template clause";
        let token = self.take_solid();
        let name = self.template_name(&token, CONTEXT)?;
        let pipe = if self.peek_solid().kind == Kind::RightDelimiter {
            self.take();
            None
        } else {
            Some(self.pipeline(CONTEXT, Kind::RightDelimiter)?)
        };
        Ok(Node::Template(Invocation { pos: token.pos, name, pipe }))
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Parsed<Pipe> {
        let pos = self.peek_solid().pos;
        let (declares, variables) = self.declarations(context)?;
        let mut commands = Vec::new();
        loop {
            let token = self.peek_solid().clone();
            match token.kind {
                kind if kind == end => {
                    self.take();
                    break;
                }
                Kind::Bool
                | Kind::CharConstant
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number => {}
                Kind::Nil | Kind::RawQuoted | Kind::Quoted | Kind::Variable | Kind::LeftParen => {}
                _ => return self.unexpected(&token, context),
            }
            commands.push(self.command()?);
        }
        if commands.is_empty() {
            return Err(format!("missing value for {context}"));
        }
        for (index, command) in commands.iter().enumerate().skip(1) {
            if command.args[0].is_literal() {
                return Err(format!("non executable command in pipeline stage {}", index + 1));
            }
        }
        Ok(Pipe { pos, declares, variables, commands })
    }

    fn declarations(&mut self, context: &str) -> Parsed<(Declares, Vec<String>)> {
        let mut variables = Vec::new();
        while self.peek_solid().kind == Kind::Variable {
            let before = self.next;
            let name = self.take().text;
            let sign = self.peek_solid().clone();
            match sign.kind {
                Kind::Assign | Kind::Declare => {
                    self.take();
                    variables.push(name.clone());
                    self.scope.variables.push(name);
                    let declares = if sign.kind == Kind::Declare { Declares::New } else { Declares::Assign };
                    return Ok((declares, variables));
                }
                Kind::Character if sign.text == "," => {
                    self.take();
                    variables.push(name.clone());
                    self.scope.variables.push(name);
                    if context != "range" || variables.len() > 1 {
                        return Err(format!("too many declarations in {context}"));
                    }
                    if !matches!(
                        self.peek_solid().kind,
                        Kind::Variable | Kind::RightDelimiter | Kind::RightParen
                    ) {
                        return Err("range can only initialize variables".into());
                    }
                }
                _ => {
                    self.next = before;
                    break;
                }
            }
        }
        Ok((Declares::New, variables))
    }

    fn command(&mut self) -> Parsed<Command> {
        let pos = self.peek_solid().pos;
        let mut args = Vec::new();
        loop {
            self.skip_space();
            args.extend(self.operand()?);
            let before = self.next;
            let token = self.take();
            match token.kind {
                Kind::Space => {}
                Kind::RightDelimiter | Kind::RightParen => {
                    self.next = before;
                    break;
                }
                Kind::Bar => break,
                _ => return self.unexpected(&token, "operand"),
            }
        }
        if args.is_empty() { Err("empty command".into()) } else { Ok(Command { pos, args }) }
    }

    fn operand(&mut self) -> Parsed<Option<Operand>> {
        let Some(operand) = self.term()? else { return Ok(None) };
        if self.peek().kind != Kind::Field {
            return Ok(Some(operand));
        }
        let pos = self.peek().pos;
        let mut fields = Vec::new();
        while self.peek().kind == Kind::Field {
            fields.push(self.take().text[1..].to_owned());
        }
        let kind = match operand.kind {
            OperandKind::Field(mut names) => {
                names.append(&mut fields);
                OperandKind::Field(names)
            }
            OperandKind::Variable(name, mut names) => {
                names.append(&mut fields);
                OperandKind::Variable(name, names)
            }
            _ if operand.is_literal() => {
                return Err(format!("unexpected . after term {}", quote(&operand.to_string())));
            }
            _ => OperandKind::Chain(Box::new(operand), fields),
        };
        Ok(Some(Operand { pos, kind }))
    }

    fn term(&mut self) -> Parsed<Option<Operand>> {
        self.skip_space();
        let before = self.next;
        let Token { kind, pos, text, .. } = self.take();
        let kind = match kind {
            Kind::Identifier if !builtin::exists(&text) => {
                return Err(format!("function {} not defined", quote(&text)));
            }
            Kind::Identifier => OperandKind::Identifier(text),
            Kind::Dot => OperandKind::Dot,
            Kind::Nil => OperandKind::Nil,
            Kind::Variable if !self.scope.variables.contains(&text) => {
                return Err(format!("undefined variable {}", quote(&text)));
            }
            Kind::Variable => OperandKind::Variable(text, Vec::new()),
            Kind::Field => OperandKind::Field(vec![text[1..].to_owned()]),
            Kind::Bool => OperandKind::Bool(text == "true"),
            Kind::CharConstant => {
                let c = unquote(&text).and_then(|text| text.chars().next());
                let c = c.ok_or_else(|| format!("malformed character constant: {text}"))?;
                OperandKind::Number { text, value: crate::Value::Int(i64::from(u32::from(c))) }
            }
            Kind::Number => {
                let value = float::parse_number(&text).ok_or_else(|| {
                    let overflows = !text.contains(['.', 'e', 'E']) && text.parse::<f64>().is_ok();
                    let what = if overflows { "integer overflow" } else { "illegal number syntax" };
                    format!("{what}: {}", quote(&text))
                })?;
                OperandKind::Number { text, value }
            }
            Kind::LeftParen => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err("max expression depth exceeded".into());
                }
                let pipe = self.pipeline("parenthesized pipeline", Kind::RightParen)?;
                self.depth -= 1;
                OperandKind::Pipe(pipe)
            }
            Kind::Quoted | Kind::RawQuoted => {
                let value = unquote(&text).ok_or("invalid syntax")?;
                OperandKind::Text { quoted: text, value }
            }
            _ => {
                self.next = before;
                return Ok(None);
            }
        };
        Ok(Some(Operand { pos, kind }))
    }
}

impl Operand {
    fn is_literal(&self) -> bool {
        use OperandKind::{Bool, Dot, Nil, Number, Text};
        matches!(self.kind, Dot | Nil | Bool(_) | Number { .. } | Text { .. })
    }
}

fn is_empty(nodes: &[Node]) -> bool {
    nodes.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
}
