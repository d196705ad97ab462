//! A small regular expression, for the `name` filters: Go's syntax without captures, counted repetition of groups and
//! Unicode classes.
//!
//! Runs in time proportional to pattern × text (all states at once), so that a hostile filter cannot stop the engine.

use crate::Error;

/// A regular expression.
#[derive(Clone, Debug)]
pub struct Pattern {
    program: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    One(Set),
    Start,
    End,
    Split(usize, usize),
    Jump(usize),
    Match,
}

#[derive(Clone, Debug, Default)]
struct Set {
    negated: bool,
    ranges: Vec<(char, char)>,
}

#[derive(Clone, Debug)]
enum Node {
    One(Set),
    Start,
    End,
    Sequence(Vec<Node>),
    Either(Vec<Node>),
    Repeat { what: Box<Node>, least: u32, most: Option<u32> },
}

const MAX_STEPS: usize = 4096;
const MAX_DEPTH: usize = 64;

impl Pattern {
    /// Reads an expression.
    ///
    /// # Errors
    /// `InvalidArgument` for wrong syntax, for constructs that are not supported, and for over-long expressions.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let fail = |reason| Error::Pattern { reason, text: text.into() };
        let mut parser = Parser { chars: text.chars().peekable(), depth: 0, ignore_case: false };
        if text.starts_with("(?i)") {
            parser.ignore_case = true;
            parser.chars.nth(3);
        }
        let node = parser.either().map_err(fail)?;
        if parser.chars.next().is_some() {
            return Err(fail("unexpected )"));
        }
        let mut program = Vec::new();
        compile(&node, &mut program).map_err(fail)?;
        program.push(Step::Match);
        Ok(Self { program })
    }

    /// Returns whether the expression matches anywhere in `text`.
    pub fn is_found_in(&self, text: &str) -> bool {
        let mut current = vec![false; self.program.len()];
        let mut chars = text.chars();
        let mut at_start = true;
        loop {
            let next_char = chars.next();
            let place = Place { at_start, at_end: next_char.is_none() };
            let mut closed = vec![false; self.program.len()];
            for (step, active) in current.iter().enumerate() {
                if *active {
                    self.close(step, &place, &mut closed);
                }
            }
            self.close(0, &place, &mut closed);
            if closed[self.program.len() - 1] {
                return true;
            }
            let Some(c) = next_char else { return false };
            current.fill(false);
            for (index, step) in self.program.iter().enumerate() {
                if let (true, Step::One(set)) = (closed[index], step) {
                    current[index + 1] |= set.contains(c);
                }
            }
            at_start = false;
        }
    }

    fn close(&self, from: usize, place: &Place, closed: &mut [bool]) {
        let mut pending = vec![from];
        while let Some(index) = pending.pop() {
            if std::mem::replace(&mut closed[index], true) {
                continue;
            }
            match &self.program[index] {
                Step::Split(one, other) => pending.extend([*one, *other]),
                Step::Jump(target) => pending.push(*target),
                Step::Start if place.at_start => pending.push(index + 1),
                Step::End if place.at_end => pending.push(index + 1),
                Step::Start | Step::End | Step::One(_) | Step::Match => {}
            }
        }
    }
}

struct Place {
    at_start: bool,
    at_end: bool,
}

impl Set {
    fn contains(&self, c: char) -> bool {
        self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != self.negated
    }
}

fn compile(node: &Node, program: &mut Vec<Step>) -> Result<(), &'static str> {
    if program.len() > MAX_STEPS {
        return Err("expression nests too deeply");
    }
    match node {
        Node::One(set) => program.push(Step::One(set.clone())),
        Node::Start => program.push(Step::Start),
        Node::End => program.push(Step::End),
        Node::Sequence(parts) => parts.iter().try_for_each(|part| compile(part, program))?,
        Node::Either(branches) => compile_either(branches, program)?,
        Node::Repeat { what, least, most } => {
            for _ in 0..*least {
                compile(what, program)?;
            }
            match most {
                Some(most) => compile_optional(what, most - least, program)?,
                None => {
                    let split = program.len();
                    program.push(Step::Match); // replaced below, when the end is known
                    compile(what, program)?;
                    program.push(Step::Jump(split));
                    program[split] = Step::Split(split + 1, program.len());
                }
            }
        }
    }
    Ok(())
}

fn compile_either(branches: &[Node], program: &mut Vec<Step>) -> Result<(), &'static str> {
    let Some((last, others)) = branches.split_last() else { return Ok(()) };
    let mut jumps = Vec::new();
    for branch in others {
        let split = program.len();
        program.push(Step::Match); // replaced below
        compile(branch, program)?;
        jumps.push(program.len());
        program.push(Step::Match); // replaced below
        program[split] = Step::Split(split + 1, program.len());
    }
    compile(last, program)?;
    for jump in jumps {
        program[jump] = Step::Jump(program.len());
    }
    Ok(())
}

fn compile_optional(what: &Node, times: u32, program: &mut Vec<Step>) -> Result<(), &'static str> {
    for _ in 0..times {
        let split = program.len();
        program.push(Step::Match); // replaced below
        compile(what, program)?;
        program[split] = Step::Split(split + 1, program.len());
    }
    Ok(())
}

struct Parser<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
    depth: usize,
    ignore_case: bool,
}

impl Parser<'_> {
    fn either(&mut self) -> Result<Node, &'static str> {
        let mut branches = vec![self.sequence()?];
        while self.chars.next_if_eq(&'|').is_some() {
            branches.push(self.sequence()?);
        }
        Ok(if branches.len() == 1 { branches.remove(0) } else { Node::Either(branches) })
    }

    fn sequence(&mut self) -> Result<Node, &'static str> {
        let mut parts = Vec::new();
        while self.chars.peek().is_some_and(|c| !matches!(c, '|' | ')')) {
            let atom = self.atom()?;
            parts.push(self.repeated(atom)?);
        }
        Ok(Node::Sequence(parts))
    }

    fn repeated(&mut self, mut node: Node) -> Result<Node, &'static str> {
        let mut repeats = 0;
        while let Some(c) = self.chars.next_if(|c| matches!(c, '*' | '+' | '?' | '{')) {
            let (least, most) = match c {
                '*' => (0, None),
                '+' => (1, None),
                '?' if repeats > 0 => break, // lazy repetition finds the same texts
                '?' => (0, Some(1)),
                _ => self.count()?,
            };
            repeats += 1;
            if repeats > 1 {
                return Err("invalid nested repetition operator");
            }
            node = Node::Repeat { what: Box::new(node), least, most };
        }
        Ok(node)
    }

    fn count(&mut self) -> Result<(u32, Option<u32>), &'static str> {
        const WRONG: &str = "invalid repeat count";
        let inside: String = self.chars.by_ref().take_while(|c| *c != '}').collect();
        let (least, most) = match inside.split_once(',') {
            None => (inside.as_str(), Some(inside.as_str())),
            Some((least, "")) => (least, None),
            Some((least, most)) => (least, Some(most)),
        };
        let least: u32 = least.parse().map_err(|_| WRONG)?;
        let most: Option<u32> = most.map(str::parse).transpose().map_err(|_| WRONG)?;
        if least > 1000 || most.is_some_and(|most| most > 1000 || most < least) {
            return Err(WRONG);
        }
        Ok((least, most))
    }

    fn atom(&mut self) -> Result<Node, &'static str> {
        let c = self.chars.next().ok_or("missing argument")?;
        Ok(match c {
            '^' => Node::Start,
            '$' => Node::End,
            '.' => Node::One(Set { negated: true, ranges: vec![('\n', '\n')] }),
            '(' => return self.group(),
            '[' => Node::One(self.class()?),
            '\\' => match self.chars.next().ok_or("trailing backslash at end of expression")? {
                'A' => Node::Start,
                'z' => Node::End,
                escaped => Node::One(self.escape(escaped)?),
            },
            '*' | '+' | '?' => return Err("missing argument to repetition operator"),
            literal => Node::One(self.literal(literal)),
        })
    }

    fn group(&mut self) -> Result<Node, &'static str> {
        if self.chars.next_if_eq(&'?').is_some() && self.chars.next() != Some(':') {
            return Err("invalid or unsupported Perl syntax");
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("expression nests too deeply");
        }
        let inner = self.either()?;
        self.depth -= 1;
        if self.chars.next() != Some(')') {
            return Err("missing closing )");
        }
        Ok(inner)
    }

    fn literal(&self, c: char) -> Set {
        let mut ranges = vec![(c, c)];
        if self.ignore_case {
            ranges.extend(c.to_lowercase().chain(c.to_uppercase()).map(|folded| (folded, folded)));
        }
        Set { negated: false, ranges }
    }

    fn escape(&self, c: char) -> Result<Set, &'static str> {
        let (ranges, negated) = match c {
            'd' | 'D' => (vec![('0', '9')], c == 'D'),
            'w' | 'W' => (vec![('0', '9'), ('A', 'Z'), ('a', 'z'), ('_', '_')], c == 'W'),
            's' | 'S' => (vec![('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')], c == 'S'),
            'n' => (vec![('\n', '\n')], false),
            't' => (vec![('\t', '\t')], false),
            'r' => (vec![('\r', '\r')], false),
            c if c.is_ascii_alphanumeric() => return Err("invalid escape sequence"),
            c => (vec![(c, c)], false),
        };
        Ok(Set { negated, ranges })
    }

    fn class(&mut self) -> Result<Set, &'static str> {
        let mut set = Set { negated: self.chars.next_if_eq(&'^').is_some(), ranges: Vec::new() };
        let mut first = true;
        loop {
            let low = match self.chars.next().ok_or("missing closing ]")? {
                ']' if !first => return Ok(set),
                '\\' => {
                    let escaped = self.chars.next().ok_or("missing closing ]")?;
                    let escaped = self.escape(escaped)?;
                    let (false, [(low, high)]) = (escaped.negated, &escaped.ranges[..]) else {
                        if escaped.negated {
                            return Err("invalid character class");
                        }
                        set.ranges.extend(escaped.ranges);
                        first = false;
                        continue;
                    };
                    if low != high {
                        set.ranges.push((*low, *high));
                        first = false;
                        continue;
                    }
                    *low
                }
                c => c,
            };
            first = false;
            let high = self.class_end(low)?;
            set.ranges.push((low, high));
            if self.ignore_case {
                set.ranges.push((low.to_ascii_lowercase(), high.to_ascii_lowercase()));
                set.ranges.push((low.to_ascii_uppercase(), high.to_ascii_uppercase()));
            }
        }
    }

    /// The upper end of a range, if `-` and one follow; else `low` itself.
    fn class_end(&mut self, low: char) -> Result<char, &'static str> {
        let mut ahead = self.chars.clone();
        if ahead.next() != Some('-') || ahead.next().is_none_or(|c| c == ']') {
            return Ok(low);
        }
        self.chars.next();
        let high = self.chars.next().filter(|c| *c >= low).ok_or("invalid character class range")?;
        Ok(high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_finds_what_go_finds() {
        let cases: &[(&str, &str, bool)] = &[
            ("web", "my-web-1", true),
            ("^web", "my-web", false),
            ("^/?web$", "/web", true),
            ("^web$", "web2", false),
            ("", "anything", true),
            ("a.c", "xabcx", true),
            ("a.c", "a\nc", false),
            ("ab*c", "ac", true),
            ("ab+c", "ac", false),
            ("(foo|bar)_[0-9]+$", "x_bar_12", true),
            ("^(?:a|b|cd)$", "cd", true),
            ("^a{2,3}$", "aaaa", false),
            ("^a{2,3}$", "aaa", true),
            ("^a{2}$", "aa", true),
            ("^a{2,}$", "aaaaa", true),
            ("[^a-c]", "abc", false),
            ("^[]a]+$", "]a]", true),
            ("^[\\w.-]+$", "a_b.c-d", true),
            ("\\.", "ab", false),
            ("(?i)WEB", "web", true),
            ("^$", "", true),
            ("x*?$", "y", true),
            ("^(a*)*$", "aaaa", true),
        ];
        for (pattern, text, found) in cases {
            assert_eq!(Pattern::parse(pattern).unwrap().is_found_in(text), *found, "{pattern} in {text}");
        }
    }

    #[test]
    fn pattern_of_wrong_syntax_is_refused() {
        for text in [
            "(",
            ")",
            "[",
            "a**",
            "*",
            "\\",
            "(?P<x>a)",
            "[z-a]",
            "a{3,2}",
            "a{x}",
            "(((a{1000}){1000}){1000})",
        ] {
            assert!(matches!(Pattern::parse(text), Err(Error::Pattern { .. })), "{text}");
        }
    }

    #[test]
    fn pattern_that_would_explode_stays_linear() {
        let pattern = Pattern::parse(&format!("^{}{}$", "a?".repeat(60), "a".repeat(60))).unwrap();
        assert!(pattern.is_found_in(&"a".repeat(60)));
        assert!(!pattern.is_found_in(&"a".repeat(59)));
    }
}
