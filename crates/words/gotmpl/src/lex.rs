//! Template text → tokens.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Error,
    End,
    Text,
    LeftDelimiter,
    RightDelimiter,
    Space,
    Assign,
    Declare,
    Bar,
    LeftParen,
    RightParen,
    Character,
    Bool,
    CharConstant,
    Number,
    Quoted,
    RawQuoted,
    Identifier,
    Field,
    Variable,
    Dot,
    Nil,
    /// `if`, `range`, …; the text says which.
    Keyword,
}

#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) pos: usize,
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            Kind::End => f.write_str("EOF"),
            Kind::Error => f.write_str(&self.text),
            Kind::Keyword | Kind::Dot | Kind::Nil => write!(f, "<{}>", self.text),
            _ if self.text.chars().count() > 10 => {
                let short: String = self.text.chars().take(10).collect();
                write!(f, "{}...", crate::escape::quote(&short))
            }
            _ => f.write_str(&crate::escape::quote(&self.text)),
        }
    }
}

const LEFT: &str = "{{";
const RIGHT: &str = "}}";
const KEYWORDS: [&str; 10] =
    ["block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"];

/// Splits a template into tokens. The last one is [`Kind::End`] or [`Kind::Error`].
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { text, pos: 0, parens: 0, counted: (0, 1), tokens: Vec::new() };
    if let Err((start, message)) = lexer.run() {
        let line = lexer.line_at(start);
        lexer.tokens.push(Token { kind: Kind::Error, pos: start, line, text: message });
    }
    lexer.tokens
}

struct Lexer<'a> {
    text: &'a str,
    pos: usize,
    parens: usize,
    /// Up to which byte lines were counted, and how many there were.
    counted: (usize, usize),
    tokens: Vec<Token>,
}

type Failure = (usize, String);

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.pos..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// The line of a place that is not before the last one asked for.
    fn line_at(&mut self, pos: usize) -> usize {
        let (from, lines) = self.counted;
        let lines = lines + self.text.get(from..pos).map_or(0, |between| between.matches('\n').count());
        self.counted = (pos.max(from), lines);
        lines
    }

    fn push(&mut self, kind: Kind, start: usize) {
        let line = self.line_at(start);
        self.tokens.push(Token { kind, pos: start, line, text: self.text[start..self.pos].into() });
    }

    fn run(&mut self) -> Result<(), Failure> {
        loop {
            let start = self.pos;
            let Some(offset) = self.rest().find(LEFT) else {
                self.pos = self.text.len();
                if self.pos > start {
                    self.push(Kind::Text, start);
                }
                self.push(Kind::End, self.pos);
                return Ok(());
            };
            let delimiter = start + offset;
            let after = delimiter + LEFT.len();
            let trims = self.text[after..].starts_with('-') && self.text[after + 1..].starts_with(is_space);
            let literal = &self.text[start..delimiter];
            let kept = if trims { literal.trim_end_matches(is_space) } else { literal };
            self.pos = start + kept.len();
            if !kept.is_empty() {
                self.push(Kind::Text, start);
            }
            self.pos = after;
            let marker = if trims { 2 } else { 0 };
            if self.text[after + marker..].starts_with("/*") {
                self.pos += marker;
                self.comment()?;
                continue;
            }
            self.push(Kind::LeftDelimiter, delimiter);
            self.pos += marker;
            self.parens = 0;
            self.action()?;
        }
    }

    fn comment(&mut self) -> Result<(), Failure> {
        let start = self.pos;
        let Some(end) = self.text[start + 2..].find("*/") else {
            return Err((start, "unclosed comment".into()));
        };
        self.pos = start + 2 + end + 2;
        match self.right_delimiter() {
            Some(trims) => self.skip_right_delimiter(trims),
            None => return Err((start, "comment ends before closing delimiter".into())),
        }
        Ok(())
    }

    /// Whether a closing delimiter is here, and if so, whether it trims.
    fn right_delimiter(&self) -> Option<bool> {
        let rest = self.rest();
        if rest.starts_with(RIGHT) {
            return Some(false);
        }
        let mut chars = rest.chars();
        let trims = chars.next().is_some_and(is_space) && chars.next() == Some('-');
        (trims && chars.as_str().starts_with(RIGHT)).then_some(true)
    }

    fn skip_right_delimiter(&mut self, trims: bool) {
        self.pos += RIGHT.len() + if trims { 2 } else { 0 };
        if trims {
            let rest = self.rest();
            self.pos += rest.len() - rest.trim_start_matches(is_space).len();
        }
    }

    fn action(&mut self) -> Result<(), Failure> {
        loop {
            let start = self.pos;
            if let Some(trims) = self.right_delimiter() {
                if self.parens > 0 {
                    return Err((start, "unclosed left paren".into()));
                }
                let line = self.line_at(start);
                self.tokens.push(Token { kind: Kind::RightDelimiter, pos: start, line, text: RIGHT.into() });
                self.skip_right_delimiter(trims);
                return Ok(());
            }
            self.token_in_action()?;
        }
    }

    fn token_in_action(&mut self) -> Result<(), Failure> {
        let start = self.pos;
        let fail = |message: &str| Err((start, message.to_owned()));
        let Some(c) = self.peek() else { return fail("unclosed action") };
        if is_space(c) {
            while self.peek().is_some_and(is_space) && (self.pos == start || self.right_delimiter().is_none())
            {
                self.pos += 1;
            }
            self.push(Kind::Space, start);
            return Ok(());
        }
        self.pos += c.len_utf8();
        let digit_follows = self.peek().is_some_and(|next| next.is_ascii_digit());
        let kind = match c {
            '=' => Kind::Assign,
            ':' if self.peek() == Some('=') => {
                self.pos += 1;
                Kind::Declare
            }
            ':' => return fail("expected :="),
            '|' => Kind::Bar,
            '"' => self.quoted('"', "unterminated quoted string", Kind::Quoted)?,
            '\'' => self.quoted('\'', "unterminated character constant", Kind::CharConstant)?,
            '`' => match self.rest().find('`') {
                Some(end) => {
                    self.pos += end + 1;
                    Kind::RawQuoted
                }
                None => return fail("unterminated raw quoted string"),
            },
            '$' => self.name(Kind::Variable, Kind::Variable)?,
            '.' if !digit_follows => self.name(Kind::Field, Kind::Dot)?,
            '.' | '+' | '-' | '0'..='9' => {
                self.pos = start;
                self.number()?
            }
            '(' => {
                self.parens += 1;
                Kind::LeftParen
            }
            ')' if self.parens == 0 => return fail("unexpected right paren"),
            ')' => {
                self.parens -= 1;
                Kind::RightParen
            }
            c if is_word(c) => {
                self.pos = start;
                self.identifier()?
            }
            c if c.is_ascii_graphic() => Kind::Character,
            c => return Err((start, format!("unrecognized character in action: {}", code_point(c)))),
        };
        self.push(kind, start);
        Ok(())
    }

    fn quoted(&mut self, quote: char, unterminated: &str, kind: Kind) -> Result<Kind, Failure> {
        let start = self.pos - 1;
        let mut chars = self.rest().char_indices();
        while let Some((index, c)) = chars.next() {
            let bad = match c {
                '\\' => chars.next().is_none_or(|(_, escaped)| escaped == '\n'),
                '\n' => true,
                _ => false,
            };
            if bad {
                break;
            }
            if c == quote {
                self.pos += index + 1;
                return Ok(kind);
            }
        }
        Err((start, unterminated.into()))
    }

    /// A field or variable, whose first character was read.
    fn name(&mut self, kind: Kind, bare: Kind) -> Result<Kind, Failure> {
        let start = self.pos - 1;
        if self.at_terminator() {
            return Ok(bare);
        }
        self.skip_word();
        self.check_terminator(start)?;
        Ok(kind)
    }

    fn identifier(&mut self) -> Result<Kind, Failure> {
        let start = self.pos;
        self.skip_word();
        self.check_terminator(start)?;
        Ok(match &self.text[start..self.pos] {
            "true" | "false" => Kind::Bool,
            "nil" => Kind::Nil,
            word if KEYWORDS.contains(&word) => Kind::Keyword,
            _ => Kind::Identifier,
        })
    }

    fn skip_word(&mut self) {
        let rest = self.rest();
        self.pos += rest.len() - rest.trim_start_matches(is_word).len();
    }

    fn at_terminator(&self) -> bool {
        self.rest().starts_with(RIGHT)
            || self.peek().is_none_or(|c| is_space(c) || matches!(c, '.' | ',' | '|' | ':' | ')' | '('))
    }

    fn check_terminator(&self, start: usize) -> Result<(), Failure> {
        match self.peek() {
            Some(c) if !self.at_terminator() => Err((start, format!("bad character {}", code_point(c)))),
            _ => Ok(()),
        }
    }

    fn number(&mut self) -> Result<Kind, Failure> {
        let start = self.pos;
        self.skip_number();
        let is_complex = self.accept("+-"); // as in 1+2i, which data cannot be
        if is_complex {
            self.skip_number();
        }
        if is_complex || self.peek().is_some_and(is_word) {
            let end = self.pos + self.peek().filter(|c| is_word(*c)).map_or(0, char::len_utf8);
            return Err((
                start,
                format!("bad number syntax: {}", crate::escape::quote(&self.text[start..end])),
            ));
        }
        Ok(Kind::Number)
    }

    fn accept(&mut self, set: &str) -> bool {
        let found = self.peek().is_some_and(|c| set.contains(c));
        self.pos += usize::from(found);
        found
    }

    fn accept_all(&mut self, set: &str) {
        while self.accept(set) {}
    }

    fn skip_number(&mut self) {
        self.accept("+-");
        let (mut digits, mut exponent) = ("0123456789_", "eE");
        if self.accept("0") {
            if self.accept("xX") {
                (digits, exponent) = ("0123456789abcdefABCDEF_", "pP");
            } else if self.accept("oO") {
                (digits, exponent) = ("01234567_", "");
            } else if self.accept("bB") {
                (digits, exponent) = ("01_", "");
            }
        }
        self.accept_all(digits);
        if self.accept(".") {
            self.accept_all(digits);
        }
        if self.accept(exponent) {
            self.accept("+-");
            self.accept_all("0123456789_");
        }
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Go's `%#U`.
fn code_point(c: char) -> String {
    if c.is_control() { format!("U+{:04X}", u32::from(c)) } else { format!("U+{:04X} '{c}'", u32::from(c)) }
}
