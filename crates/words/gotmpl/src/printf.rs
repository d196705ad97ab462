//! Go's fmt: `print`, `println`, `printf`, and how values print by themselves.

use crate::datum::{Datum, sorted, type_name};
use crate::escape::{Charset, is_printable, quote, quote_with};
use crate::float;
use crate::value::{Null, Value};

/// How a template prints the value of an action.
pub(crate) fn display(datum: &Datum<'_>) -> String {
    match datum {
        Datum::Missing | Datum::Null(Null::Untyped) => "<no value>".into(),
        _ => argument(datum),
    }
}

/// How `print` prints an argument: `%v`.
fn argument(datum: &Datum<'_>) -> String {
    match datum {
        Datum::Missing | Datum::Null(Null::Untyped | Null::Pointer) => "<nil>".into(),
        Datum::Null(Null::List) => "[]".into(),
        Datum::Null(Null::Map) => "map[]".into(),
        Datum::Value(value) => plain(value),
    }
}

/// Go's `%v` of a value.
pub(crate) fn plain(value: &Value) -> String {
    Formatter { flags: Flags::default(), out: String::new() }.finish(value, 'v')
}

/// Go's `fmt.Sprint`: a space between two operands of which neither is a text.
pub(crate) fn print(args: &[Datum<'_>]) -> String {
    let is_text = |datum: &Datum<'_>| matches!(datum.value(), Some(Value::Text(_)));
    let mut out = String::new();
    for (index, arg) in args.iter().enumerate() {
        if index > 0 && !is_text(arg) && !is_text(&args[index - 1]) {
            out.push(' ');
        }
        out.push_str(&argument(arg));
    }
    out
}

/// Go's `fmt.Sprintln`.
pub(crate) fn println(args: &[Datum<'_>]) -> String {
    args.iter().map(argument).collect::<Vec<_>>().join(" ") + "\n"
}

#[derive(Default, Clone, Copy)]
struct Flags {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

const MAX_WIDTH: usize = 1_000_000;

/// Go's `fmt.Sprintf`.
pub(crate) fn printf(format: &str, args: &[Datum<'_>]) -> String {
    let mut scan = Scan { rest: format, args, next: 0, reordered: false, good_index: true };
    let mut out = String::new();
    while let Some(percent) = scan.rest.find('%') {
        out.push_str(&scan.rest[..percent]);
        scan.rest = &scan.rest[percent + 1..];
        scan.verb(&mut out);
    }
    out.push_str(scan.rest);
    if !scan.reordered && scan.next < args.len() {
        let extra: Vec<String> = args[scan.next..]
            .iter()
            .map(|arg| match arg.value() {
                None => "<nil>".into(),
                Some(value) => format!("{}={}", type_name(value), plain(value)),
            })
            .collect();
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    out
}

struct Scan<'a, 'd> {
    rest: &'a str,
    args: &'a [Datum<'d>],
    next: usize,
    reordered: bool,
    good_index: bool,
}

impl Scan<'_, '_> {
    fn take(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn number(&mut self) -> Option<usize> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        if digits.is_empty() { None } else { digits.parse().ok().filter(|number| *number <= MAX_WIDTH) }
    }

    /// `[3]`: which argument is next.
    fn index(&mut self) -> bool {
        if !self.rest.starts_with('[') {
            return false;
        }
        self.reordered = true;
        let Some(end) = self.rest.find(']') else {
            self.good_index = false;
            self.rest = &self.rest[1..];
            return false;
        };
        let number = self.rest[1..end].parse::<usize>().ok();
        self.rest = &self.rest[end + 1..];
        match number.filter(|number| (1..=self.args.len()).contains(number)) {
            Some(number) => self.next = number - 1,
            None => self.good_index = false,
        }
        true
    }

    /// `*`: an argument as width or precision.
    fn star(&mut self) -> Option<i64> {
        let arg = self.args.get(self.next)?;
        self.next += 1;
        match arg.value() {
            Some(Value::Int(number)) if number.unsigned_abs() <= MAX_WIDTH as u64 => Some(*number),
            _ => None,
        }
    }

    fn verb(&mut self, out: &mut String) {
        let mut flags = Flags::default();
        self.good_index = true;
        loop {
            match self.rest.chars().next() {
                Some('#') => flags.sharp = true,
                Some('0') => flags.zero = true,
                Some('+') => flags.plus = true,
                Some('-') => flags.minus = true,
                Some(' ') => flags.space = true,
                _ => break,
            }
            self.rest = &self.rest[1..];
        }
        let mut after_index = self.index();
        if self.take('*') {
            match self.star() {
                Some(width) => {
                    flags.minus |= width < 0;
                    flags.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => out.push_str("%!(BADWIDTH)"),
            }
            after_index = false;
        } else {
            flags.width = self.number();
            if after_index && flags.width.is_some() {
                self.good_index = false;
            }
        }
        if self.take('.') {
            if after_index {
                self.good_index = false;
            }
            after_index = self.index();
            if self.take('*') {
                match self.star() {
                    Some(precision) => flags.precision = usize::try_from(precision).ok(),
                    None => out.push_str("%!(BADPREC)"),
                }
                after_index = false;
            } else {
                flags.precision = Some(self.number().unwrap_or(0));
            }
        }
        if !after_index {
            self.index();
        }
        let Some(verb) = self.rest.chars().next() else {
            out.push_str("%!(NOVERB)");
            return;
        };
        self.rest = &self.rest[verb.len_utf8()..];
        if flags.minus {
            flags.zero = false;
        }
        self.print(verb, flags, out);
    }

    fn print(&mut self, verb: char, flags: Flags, out: &mut String) {
        if verb == '%' {
            out.push('%');
            return;
        }
        if !self.good_index {
            out.push_str(&format!("%!{verb}(BADINDEX)"));
            return;
        }
        let Some(arg) = self.args.get(self.next) else {
            out.push_str(&format!("%!{verb}(MISSING)"));
            return;
        };
        self.next += 1;
        match arg {
            Datum::Value(value) => out.push_str(&Formatter { flags, out: String::new() }.finish(value, verb)),
            Datum::Null(Null::List) => {
                out.push_str(&Formatter { flags, out: String::new() }.finish(&Value::List(vec![]), verb))
            }
            Datum::Null(Null::Map) => {
                out.push_str(&Formatter { flags, out: String::new() }.finish(&Value::Map(vec![]), verb))
            }
            Datum::Missing | Datum::Null(_) => {
                out.push_str(&Formatter { flags, out: String::new() }.finish(&Value::Null, verb))
            }
        }
    }
}

struct Formatter {
    flags: Flags,
    out: String,
}

impl Formatter {
    fn finish(mut self, value: &Value, verb: char) -> String {
        if verb == 'T' {
            self.flags.zero = false;
            self.pad(type_name(value).to_owned());
        } else {
            self.value(value, verb);
        }
        self.out
    }

    fn value(&mut self, value: &Value, verb: char) {
        match value {
            Value::Null if verb == 'v' => self.pad("<nil>".into()),
            Value::Null => self.out.push_str(&format!("%!{verb}(<nil>)")),
            Value::Bool(truth) => match verb {
                't' | 'v' => self.pad(truth.to_string()),
                _ => self.bad(value, verb),
            },
            Value::Int(number) => self.integer(i128::from(*number), value, verb),
            Value::Uint(number) => self.integer(i128::from(*number), value, verb),
            Value::Float(number) => self.float(*number, value, verb),
            Value::Text(text) => self.text(text, value, verb),
            Value::List(items) => self.list(items, verb),
            Value::Map(members) => self.map(members, verb),
        }
    }

    fn bad(&mut self, value: &Value, verb: char) {
        self.out.push_str(&format!("%!{verb}({}={})", type_name(value), plain(value)));
    }

    fn list(&mut self, items: &[Value], verb: char) {
        let go_syntax = verb == 'v' && self.flags.sharp;
        self.out.push_str(if go_syntax { "[]interface {}{" } else { "[" });
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push_str(if go_syntax { ", " } else { " " });
            }
            self.nested(item, verb);
        }
        self.out.push(if go_syntax { '}' } else { ']' });
    }

    fn map(&mut self, members: &[(String, Value)], verb: char) {
        let go_syntax = verb == 'v' && self.flags.sharp;
        self.out.push_str(if go_syntax { "map[string]interface {}{" } else { "map[" });
        for (index, (key, value)) in sorted(members).into_iter().enumerate() {
            if index > 0 {
                self.out.push_str(if go_syntax { ", " } else { " " });
            }
            self.text(key, &Value::Null, verb);
            self.out.push(':');
            self.nested(value, verb);
        }
        self.out.push(if go_syntax { '}' } else { ']' });
    }

    fn nested(&mut self, value: &Value, verb: char) {
        match value {
            Value::Null if verb == 'v' && self.flags.sharp => self.out.push_str("interface {}(nil)"),
            Value::Null => self.pad("<nil>".into()),
            value => self.value(value, verb),
        }
    }

    fn pad(&mut self, text: String) {
        let width = self.flags.width.unwrap_or(0);
        let missing = width.saturating_sub(text.chars().count());
        if self.flags.minus {
            self.out.push_str(&text);
            self.out.push_str(&" ".repeat(missing));
        } else {
            self.out.push_str(&if self.flags.zero { "0" } else { " " }.repeat(missing));
            self.out.push_str(&text);
        }
    }

    fn text(&mut self, text: &str, value: &Value, verb: char) {
        let cut: String = match self.flags.precision {
            Some(count) => text.chars().take(count).collect(),
            None => text.to_owned(),
        };
        match verb {
            'v' if self.flags.sharp => self.pad(quote(&cut)),
            'v' | 's' => self.pad(cut),
            'q' if self.flags.sharp && can_be_raw(&cut) => self.pad(format!("`{cut}`")),
            'q' => {
                let charset = if self.flags.plus { Charset::Ascii } else { Charset::Unicode };
                self.pad(quote_with(&cut, '"', charset));
            }
            'x' | 'X' => {
                let hex = self.hex(text.as_bytes(), verb);
                self.pad(hex);
            }
            _ => self.bad(if matches!(value, Value::Null) { &Value::Null } else { value }, verb),
        }
    }

    fn hex(&self, bytes: &[u8], verb: char) -> String {
        let bytes = &bytes[..self.flags.precision.unwrap_or(bytes.len()).min(bytes.len())];
        let prefix = if !self.flags.sharp || bytes.is_empty() {
            ""
        } else if verb == 'x' {
            "0x"
        } else {
            "0X"
        };
        let digits: Vec<String> = bytes
            .iter()
            .map(|byte| if verb == 'x' { format!("{byte:02x}") } else { format!("{byte:02X}") })
            .collect();
        if self.flags.space {
            format!("{prefix}{}", digits.join(&format!(" {prefix}")))
        } else {
            format!("{prefix}{}", digits.concat())
        }
    }

    fn integer(&mut self, number: i128, value: &Value, verb: char) {
        let character = u32::try_from(number).ok().and_then(char::from_u32).unwrap_or('\u{fffd}');
        let (digits, prefix) = match verb {
            'v' | 'd' => (number.unsigned_abs().to_string(), ""),
            'b' => (format!("{:b}", number.unsigned_abs()), "0b"),
            'o' => (format!("{:o}", number.unsigned_abs()), "0"),
            'O' => (format!("{:o}", number.unsigned_abs()), "0o"),
            'x' => (format!("{:x}", number.unsigned_abs()), "0x"),
            'X' => (format!("{:X}", number.unsigned_abs()), "0X"),
            'c' => return self.pad(character.to_string()),
            'q' => {
                let charset = if self.flags.plus { Charset::Ascii } else { Charset::Unicode };
                return self.pad(quote_with(&character.to_string(), '\'', charset));
            }
            'U' => {
                let name = format!("U+{:04X}", number.unsigned_abs());
                let shown = self.flags.sharp && is_printable(character);
                return self.pad(if shown { format!("{name} '{character}'") } else { name });
            }
            _ => return self.bad(value, verb),
        };
        let with_prefix = verb == 'O' || (self.flags.sharp && !matches!(verb, 'v' | 'd'));
        let prefix = if with_prefix { prefix } else { "" };
        let sign = self.sign(number < 0);
        let digits = match self.flags.precision {
            Some(0) if number == 0 => {
                self.flags.zero = false;
                return self.pad(String::new());
            }
            Some(precision) => {
                self.flags.zero = false;
                format!("{digits:0>precision$}")
            }
            None => digits,
        };
        self.pad_number(sign, prefix, &digits);
    }

    fn sign(&self, negative: bool) -> &'static str {
        match (negative, self.flags.plus, self.flags.space) {
            (true, _, _) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            (false, false, false) => "",
        }
    }

    /// Zeros go between the sign and the digits; the width counts sign and digits, and for whole numbers not the prefix.
    fn pad_number(&mut self, sign: &str, prefix: &str, digits: &str) {
        if !self.flags.zero {
            return self.pad(format!("{sign}{prefix}{digits}"));
        }
        let width = self.flags.width.unwrap_or(0).saturating_sub(sign.len());
        self.out.push_str(&format!("{sign}{prefix}{digits:0>width$}"));
    }

    fn float(&mut self, number: f64, value: &Value, verb: char) {
        let precision = self.flags.precision;
        let text = match verb {
            'v' => float::general(number, precision),
            'g' => float::general(number, precision),
            'G' => float::general(number, precision).to_uppercase(),
            'e' => float::scientific(number, precision.or(Some(6))),
            'E' => float::scientific(number, precision.or(Some(6))).to_uppercase(),
            'f' | 'F' => float::fixed(number, precision.or(Some(6))),
            _ => return self.bad(value, verb),
        };
        let negative = text.starts_with('-');
        let sign = self.sign(negative);
        let digits = text.trim_start_matches(['-', '+']);
        if !number.is_finite() {
            self.flags.zero = false;
        }
        self.pad_number(sign, "", digits);
    }
}

/// Go's `strconv.CanBackquote`.
fn can_be_raw(text: &str) -> bool {
    !text.chars().any(|c| c == '`' || c == '\u{feff}' || (c.is_control() && c != '\t'))
}
