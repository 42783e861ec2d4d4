//! The grammar of conditions.

use crate::condition::{Comparison, Condition, Flag, Match, Number, Test, Text};
use std::str::FromStr;

/// A text is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct ConditionError {
    /// In characters, counted from 1.
    pub column: usize,
    /// What is wrong, and what could stand there.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Quoted(&'a str),
    Sign(&'a str),
    End,
}

/// Longer ones are no rule of a person's.
const LONGEST: usize = 2_000;
/// How deep parentheses and `not` may go.
const DEEPEST: usize = 32;

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        if text.len() > LONGEST {
            return Err(ConditionError {
                column: 1,
                message: format!("a condition has {LONGEST} letters at most"),
            });
        }
        let mut parser = Parser {
            tokens: tokens(text)?,
            next: 0,
            depth: 0,
        };
        let condition = parser.any()?;
        match parser.peek() {
            Token::End => Ok(condition),
            token => Err(parser.wrong(format!(
                "{} cannot stand here: join conditions with and, or",
                shown(token)
            ))),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<(usize, Token<'_>)>, ConditionError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let at = text.len() - rest.len();
        let column = text[..at].chars().count() + 1;
        let Some(first) = rest.chars().next() else {
            tokens.push((column, Token::End));
            return Ok(tokens);
        };
        let (token, length) = match first {
            '"' | '\'' => {
                let inner = &rest[1..];
                let Some(end) = inner.find(first) else {
                    return Err(ConditionError {
                        column,
                        message: "this quote is not closed".to_owned(),
                    });
                };
                (Token::Quoted(&inner[..end]), end + 2)
            }
            '(' | ')' | '~' => (Token::Sign(&rest[..1]), 1),
            '<' | '>' | '=' | '!' => {
                let length = if rest[1..].starts_with('=') { 2 } else { 1 };
                (Token::Sign(&rest[..length]), length)
            }
            _ => {
                let end = rest
                    .find(|letter: char| letter.is_whitespace() || "()~<>=!\"'".contains(letter))
                    .unwrap_or(rest.len());
                (Token::Word(&rest[..end]), end)
            }
        };
        tokens.push((column, token));
        rest = &rest[length..];
    }
}

struct Parser<'a> {
    tokens: Vec<(usize, Token<'a>)>,
    next: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        self.tokens
            .get(self.next)
            .map_or(Token::End, |(_, token)| *token)
    }

    fn take(&mut self) -> Token<'a> {
        let token = self.peek();
        // The end stays.
        self.next = (self.next + 1).min(self.tokens.len().saturating_sub(1));
        token
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let is_it = matches!(self.peek(), Token::Word(found) if found.eq_ignore_ascii_case(word));
        if is_it {
            self.take();
        }
        is_it
    }

    /// An error where the next token stands.
    fn wrong(&self, message: String) -> ConditionError {
        let column = self.tokens.get(self.next).map_or(1, |(column, _)| *column);
        ConditionError { column, message }
    }

    fn any(&mut self) -> Result<Condition, ConditionError> {
        let mut all = vec![self.all()?];
        while self.takes_word("or") {
            all.push(self.all()?);
        }
        Ok(joined(all, Condition::Any))
    }

    fn all(&mut self) -> Result<Condition, ConditionError> {
        let mut all = vec![self.one()?];
        while self.takes_word("and") {
            all.push(self.one()?);
        }
        Ok(joined(all, Condition::All))
    }

    fn one(&mut self) -> Result<Condition, ConditionError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.wrong("this goes too deep".to_owned()));
        }
        let condition = if self.takes_word("not") {
            Condition::Not(Box::new(self.one()?))
        } else if self.peek() == Token::Sign("(") {
            self.take();
            let inner = self.any()?;
            if self.peek() != Token::Sign(")") {
                return Err(self.wrong("a ) is missing here".to_owned()));
            }
            self.take();
            inner
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn test(&mut self) -> Result<Condition, ConditionError> {
        let Token::Word(word) = self.peek() else {
            return Err(self.wrong(format!(
                "{} cannot stand here: a condition is missing, such as tokens > 60000",
                shown(self.peek())
            )));
        };
        let name = word.to_ascii_lowercase();
        if name == "always" {
            self.take();
            return Ok(Condition::Always);
        }
        let named = |(other, _): &&(&str, _)| *other == name;
        if let Some((_, flag)) = Flag::ALL.iter().find(|it| it.0 == name) {
            self.take();
            return Ok(Condition::Is(Test::Flag(*flag)));
        }
        if let Some((_, number)) = Number::ALL.iter().find(named) {
            self.take();
            return self.number(*number);
        }
        let test = match name.as_str() {
            "model" => {
                self.take();
                let wanted = self.text_match("model", false)?;
                Test::Text(Text::Model, wanted)
            }
            "header" => {
                self.take();
                let name = self.value("the header's name")?.to_ascii_lowercase();
                let wanted = self.text_match(&format!("header {name}"), true)?;
                Test::Text(Text::Header(name), wanted)
            }
            "time" => {
                self.take();
                let (from, to) = self.range("time in 22:00-06:00", minute)?;
                Test::Time(from, to)
            }
            "day" => {
                self.take();
                let (from, to) = self.range("day in mon-fri", day)?;
                Test::Day(from, to)
            }
            _ => return Err(self.wrong(unknown(&name))),
        };
        Ok(Condition::Is(test))
    }

    fn number(&mut self, number: Number) -> Result<Condition, ConditionError> {
        let comparison = match self.peek() {
            Token::Sign("<") => Comparison::Less,
            Token::Sign("<=") => Comparison::LessOrEqual,
            Token::Sign("=" | "==") => Comparison::Equal,
            Token::Sign("!=") => Comparison::NotEqual,
            Token::Sign(">=") => Comparison::GreaterOrEqual,
            Token::Sign(">") => Comparison::Greater,
            token => {
                return Err(self.wrong(format!(
                    "{} cannot stand here: compare with < <= == != >= or >, such as > 60000",
                    shown(token)
                )));
            }
        };
        self.take();
        let limit = match self.peek() {
            Token::Word(word) => whole_number(word),
            _ => None,
        };
        let Some(limit) = limit else {
            return Err(self.wrong(format!(
                "{} is no number: write 60000, 60_000 or 60k",
                shown(self.peek())
            )));
        };
        self.take();
        Ok(Condition::Is(Test::Number(number, comparison, limit)))
    }

    fn text_match(&mut self, what: &str, may_stand_alone: bool) -> Result<Match, ConditionError> {
        let made: fn(String) -> Match = match self.peek() {
            Token::Sign("=" | "==") => Match::Equal,
            Token::Sign("!=") => Match::NotEqual,
            Token::Sign("~") => Match::Glob,
            _ if may_stand_alone => return Ok(Match::Given),
            token => {
                return Err(self.wrong(format!(
                    "{} cannot stand here: write {what} == NAME, or {what} ~ \"claude-*\"",
                    shown(token)
                )));
            }
        };
        self.take();
        Ok(made(self.value("a text")?.to_owned()))
    }

    fn value(&mut self, what: &str) -> Result<&'a str, ConditionError> {
        match self.peek() {
            Token::Word(text) | Token::Quoted(text) if !text.is_empty() => {
                self.take();
                Ok(text)
            }
            token => Err(self.wrong(format!(
                "{} cannot stand here: {what} is missing",
                shown(token)
            ))),
        }
    }

    fn range<T>(
        &mut self,
        example: &str,
        read: fn(&str) -> Option<T>,
    ) -> Result<(T, T), ConditionError>
    where
        T: Copy,
    {
        let wrong = |parser: &Self| parser.wrong(format!("write {example}"));
        if !self.takes_word("in") {
            return Err(wrong(self));
        }
        let Token::Word(text) = self.peek() else {
            return Err(wrong(self));
        };
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let (Some(from), Some(to)) = (read(from), read(to)) else {
            return Err(wrong(self));
        };
        self.take();
        Ok((from, to))
    }
}

fn joined(mut all: Vec<Condition>, join: fn(Vec<Condition>) -> Condition) -> Condition {
    match all.len() {
        1 => all.swap_remove(0),
        _ => join(all),
    }
}

fn shown(token: Token<'_>) -> String {
    match token {
        Token::Word(text) | Token::Sign(text) => format!("`{text}`"),
        Token::Quoted(text) => format!("\"{text}\""),
        Token::End => "the end".to_owned(),
    }
}

fn whole_number(text: &str) -> Option<u64> {
    let text = text.replace('_', "").to_ascii_lowercase();
    let (digits, factor) = match text.strip_suffix(['k', 'm']) {
        Some(digits) if text.ends_with('k') => (digits, 1_000),
        Some(digits) => (digits, 1_000_000),
        None => (text.as_str(), 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let is_time = (hour < 24 && minute < 60) || (hour == 24 && minute == 0);
    is_time.then_some(hour * 60 + minute)
}

fn day(text: &str) -> Option<u8> {
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let text = text.to_ascii_lowercase();
    let place = days.iter().position(|day| *day == text)?;
    u8::try_from(place).ok()
}

/// Says what may be meant.
fn unknown(name: &str) -> String {
    let flags = Flag::ALL.iter().map(|(name, _)| *name);
    let numbers = Number::ALL.iter().map(|(name, _)| *name);
    let known: Vec<&str> = numbers
        .chain(flags)
        .chain(["model", "header", "time", "day", "always"])
        .collect();
    let near = known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(name, known), *known))
        .min()
        .filter(|(distance, _)| *distance <= 1 + name.len() / 4);
    match near {
        Some((_, known)) => format!("there is no `{name}`: did you mean `{known}`?"),
        None => format!("there is no `{name}`: there are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::Moment;
    use crate::facts::Facts;

    fn facts() -> Facts {
        Facts {
            model: "claude-haiku-4-5".to_owned(),
            tokens: 70_000,
            tools: 3,
            stream: true,
            headers: [("x-team".to_owned(), "blue".to_owned())].into(),
            ..Facts::default()
        }
    }

    #[test]
    fn conditions_hold_or_do_not() {
        // Friday, 23:30.
        let now = Moment {
            minute: 23 * 60 + 30,
            day: 4,
        };
        let check = |text: &str, expected: bool| {
            let condition: Condition = text
                .parse()
                .unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(condition.holds(&facts(), now), expected, "{text}");
        };
        check("always", true);
        check("tokens > 60000", true);
        check("tokens > 60_000 and tokens<=70k", true);
        check("tokens > 1M", false);
        check("tokens = 70000", true);
        check("tools", true);
        check("not tools", false);
        check("tool_count >= 4 or stream", true);
        check("tool_count >= 4 or stream and images", false);
        check(
            "(tool_count >= 4 or stream) and not (images or thinking)",
            true,
        );
        check("not not stream", true);
        check("model ~ \"*haiku*\"", true);
        check("model ~ claude-*", true);
        check("model == claude-haiku-4-5", true);
        check("MODEL != 'claude-haiku-4-5'", false);
        check("header X-Team", true);
        check("header x-team == blue and header x-team ~ b*", true);
        check("header x-other", false);
        check("header x-other != blue", true);
        check("time in 22:00-06:00", true);
        check("time in 06:00-22:00", false);
        check("time in 00:00-24:00", true);
        check("day in mon-fri", true);
        check("day in sat-mon", false);
        check("day in fri", true);
        check("background or subagent or web_search or over_budget", false);
    }

    #[test]
    fn what_is_none_is_told_with_its_place() {
        let check = |text: &str, column: usize, part: &str| {
            let error = text.parse::<Condition>().unwrap_err();
            assert!(error.message.contains(part), "{text}: {error}");
            assert_eq!(error.column, column, "{text}: {error}");
        };
        check("", 1, "a condition is missing");
        check("tokens", 7, "the end cannot stand here");
        check("tokens > many", 10, "is no number");
        check("tokens > 99999999999999999999", 10, "is no number");
        check("token > 6", 1, "did you mean `tokens`?");
        check("weather", 1, "there are tokens, tool_count");
        check("é or tools", 1, "there is no");
        check("tools tools", 7, "join conditions");
        check("(tools", 7, "a ) is missing");
        check("tools)", 6, "cannot stand here");
        check("model claude", 7, "model == NAME");
        check("model ~ \"x", 9, "not closed");
        check("header", 7, "the header's name is missing");
        check("time in 25:00-26:00", 9, "write time in");
        check("day mon", 5, "write day in");
        check("not", 4, "a condition is missing");
        check(&"(".repeat(100), 33, "too deep");
        check(&"not ".repeat(100), 129, "too deep");
        check(&"x".repeat(3_000), 1, "at most");
    }
}
