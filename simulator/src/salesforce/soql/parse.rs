//! From pieces to a query whose fields are known and whose values have their fields' types.

use std::collections::BTreeSet;

use super::condition::{Comparison, Condition, Operand, Piece};
use super::lex::{Token, malformed, tokens};
use crate::salesforce::ids;
use crate::salesforce::records::ObjectKind;
use crate::salesforce::replies::Failure;
use crate::salesforce::schema::{Field, Schema, Type};
use crate::salesforce::values::moment;

/// What a query asks for.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::salesforce) enum Selected {
    /// `COUNT()`
    Count,
    /// Names of fields.
    Fields(Vec<String>),
}

/// One level of an order.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::salesforce) struct Order {
    pub(in crate::salesforce) field: Field,
    pub(in crate::salesforce) descending: bool,
    pub(in crate::salesforce) nulls_last: bool,
}

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::salesforce) struct Query {
    pub(in crate::salesforce) object: ObjectKind,
    pub(in crate::salesforce) selected: Selected,
    pub(in crate::salesforce) condition: Option<Condition>,
    pub(in crate::salesforce) order: Vec<Order>,
    pub(in crate::salesforce) limit: Option<usize>,
    pub(in crate::salesforce) offset: usize,
    /// Fields of parents that it names, such as `Opportunity.IsClosed`.
    pub(in crate::salesforce) of_parents: BTreeSet<String>,
}

/// Conditions in conditions; more would be no query of anybody's.
const DEEPEST: usize = 32;

/// Reads a query.
pub(in crate::salesforce) fn parse(schema: &Schema, query: &str) -> Result<Query, Failure> {
    let mut parser = Parser {
        schema,
        object: ObjectKind::Contact,
        tokens: tokens(query)?,
        at: 0,
        of_parents: BTreeSet::new(),
    };
    parser.query()
}

struct Parser<'a> {
    schema: &'a Schema,
    object: ObjectKind,
    tokens: Vec<Token>,
    at: usize,
    of_parents: BTreeSet<String>,
}

impl Parser<'_> {
    fn query(&mut self) -> Result<Query, Failure> {
        self.expect_word("SELECT")?;
        let mut names = Vec::new();
        loop {
            names.push(self.name()?);
            if !self.sign(",") {
                break;
            }
        }
        let counts = names.len() == 1
            && names.iter().all(|name| name.eq_ignore_ascii_case("COUNT"))
            && self.sign("(");
        if counts {
            self.expect_sign(")")?;
        }
        self.expect_word("FROM")?;
        let object = self.name()?;
        self.object = ObjectKind::named(&object).ok_or_else(|| {
            let said = format!("sObject type '{object}' is not supported.");
            Failure::request(400, "INVALID_TYPE", said)
        })?;
        let selected = if counts {
            Selected::Count
        } else {
            let mut fields = Vec::new();
            for name in names {
                let field = self.field(&name)?.name;
                if fields.contains(&field) {
                    return Err(malformed(format!("duplicate field selected: {field}")));
                }
                fields.push(field);
            }
            Selected::Fields(fields)
        };
        let condition = if self.word("WHERE") {
            Some(self.conditions(0)?)
        } else {
            None
        };
        let mut order = Vec::new();
        if self.word("ORDER") {
            self.expect_word("BY")?;
            order.push(self.order()?);
            while self.sign(",") {
                order.push(self.order()?);
            }
        }
        let limit = if self.word("LIMIT") {
            Some(self.count()?)
        } else {
            None
        };
        let offset = if self.word("OFFSET") {
            self.count()?
        } else {
            0
        };
        if offset > 2_000 {
            let said = "SOQL Offset should be less than or equal to 2000";
            return Err(Failure::request(400, "NUMBER_OUTSIDE_VALID_RANGE", said));
        }
        match self.next() {
            None => Ok(Query {
                object: self.object,
                selected,
                condition,
                order,
                limit,
                offset,
                of_parents: std::mem::take(&mut self.of_parents),
            }),
            Some(token) => Err(unexpected(&token)),
        }
    }

    fn conditions(&mut self, depth: usize) -> Result<Condition, Failure> {
        if depth > DEEPEST {
            return Err(malformed("the condition is nested too deeply"));
        }
        let first = self.condition(depth)?;
        let joint = ["AND", "OR"].into_iter().find(|joint| self.word(joint));
        let Some(joint) = joint else {
            return Ok(first);
        };
        let mut parts = vec![first, self.condition(depth)?];
        while self.word(joint) {
            parts.push(self.condition(depth)?);
        }
        // The other joint would need parentheses; whoever looks on finds it unexpected.
        Ok(if joint == "AND" {
            Condition::All(parts)
        } else {
            Condition::Some(parts)
        })
    }

    fn condition(&mut self, depth: usize) -> Result<Condition, Failure> {
        if self.word("NOT") {
            if depth > DEEPEST {
                return Err(malformed("the condition is nested too deeply"));
            }
            return Ok(Condition::Not(Box::new(self.condition(depth + 1)?)));
        }
        if self.sign("(") {
            let inner = self.conditions(depth + 1)?;
            self.expect_sign(")")?;
            return Ok(inner);
        }
        let name = self.name()?;
        let field = self.field(&name)?;
        if field.kind == Type::LongText {
            let said = format!("field '{}' can not be filtered in a query call", field.name);
            return Err(Failure::request(400, "INVALID_FIELD", said));
        }
        if self.word("LIKE") {
            return self.like(field);
        }
        let negated = self.word("NOT");
        if negated || self.word("IN") {
            if negated {
                self.expect_word("IN")?;
            }
            return self.list(field, negated);
        }
        let sign = self.next().ok_or_else(ended)?;
        let comparison = match &sign {
            Token::Sign("=") => Comparison::Equal,
            Token::Sign("!=" | "<>") => Comparison::Unequal,
            Token::Sign("<") => Comparison::Less,
            Token::Sign(">") => Comparison::More,
            Token::Sign("<=") => Comparison::LessOrEqual,
            Token::Sign(">=") => Comparison::MoreOrEqual,
            other => return Err(unexpected(other)),
        };
        let value = self.value(&field)?;
        Ok(Condition::Compare(field, comparison, value))
    }

    fn like(&mut self, field: Field) -> Result<Condition, Failure> {
        let token = self.next().ok_or_else(ended)?;
        let Token::Text(text) = token else {
            return Err(unexpected(&token));
        };
        if !field.kind.is_text() {
            let said = format!("invalid operator on {} field", field.name);
            return Err(Failure::request(400, "INVALID_QUERY_FILTER_OPERATOR", said));
        }
        let pattern = text
            .into_iter()
            .flat_map(|(one, escaped)| match (one, escaped) {
                ('%', false) => vec![Piece::Any],
                ('_', false) => vec![Piece::One],
                (one, _) => one.to_lowercase().map(Piece::This).collect(),
            })
            .collect();
        Ok(Condition::Like(field, pattern))
    }

    fn list(&mut self, field: Field, negated: bool) -> Result<Condition, Failure> {
        self.expect_sign("(")?;
        let (mut texts, mut others) = (BTreeSet::new(), Vec::new());
        loop {
            match self.value(&field)? {
                Operand::Text(text) => {
                    texts.insert(text);
                }
                other => others.push(other),
            }
            if !self.sign(",") {
                break;
            }
        }
        self.expect_sign(")")?;
        Ok(Condition::In {
            field,
            negated,
            texts,
            others,
        })
    }

    /// A value of a field's type.
    fn value(&mut self, field: &Field) -> Result<Operand, Failure> {
        let token = self.next().ok_or_else(ended)?;
        let wrong = |wanted: &str, how: &str| {
            let said = format!(
                "value of filter criterion for field '{}' must be of type {wanted} and should {how}be enclosed in quotes",
                field.name
            );
            Err(Failure::request(400, "INVALID_FIELD", said))
        };
        let word = match &token {
            Token::Sign(_) => return Err(unexpected(&token)),
            Token::Text(chars) => {
                let text: String = chars.iter().map(|(one, _)| one).collect();
                return match field.kind {
                    Type::Id | Type::Reference(_) => ids::canonical(&text).map_or_else(
                        || {
                            let said = format!("invalid ID field: {text}");
                            Err(Failure::request(400, "INVALID_QUERY_FILTER_OPERATOR", said))
                        },
                        |id| Ok(Operand::Text(id)),
                    ),
                    // Nothing is stored of an empty text.
                    kind if kind.is_text() && text.is_empty() => Ok(Operand::Null),
                    kind if kind.is_text() => Ok(Operand::Text(field.folded(&text))),
                    Type::Flag => wrong("boolean", "not "),
                    Type::Date => wrong("date", "not "),
                    Type::Instant => wrong("dateTime", "not "),
                    _ => wrong("double", "not "),
                };
            }
            Token::Word(word) => word.as_str(),
        };
        if word.eq_ignore_ascii_case("null") {
            return Ok(Operand::Null);
        }
        let flag = word.eq_ignore_ascii_case("true");
        let is_flag = flag || word.eq_ignore_ascii_case("false");
        let number: Option<f64> = word.parse().ok().filter(|it: &f64| it.is_finite());
        let date = word.len() == 10 && word.parse::<jiff::civil::Date>().is_ok();
        let at_ms = if date { None } else { moment(word) };
        if !is_flag && number.is_none() && !date && at_ms.is_none() {
            return Err(unexpected(&token));
        }
        match (field.kind, number, at_ms) {
            (Type::Flag, ..) if is_flag => Ok(Operand::Flag(flag)),
            (Type::Number | Type::Whole, Some(number), _) => Ok(Operand::Number(number)),
            (Type::Date, ..) if date => Ok(Operand::Text(word.to_owned())),
            (Type::Instant, _, Some(at_ms)) => Ok(Operand::Instant(at_ms)),
            (Type::Flag, ..) => wrong("boolean", "not "),
            (Type::Number | Type::Whole, ..) => wrong("double", "not "),
            (Type::Date, ..) => wrong("date", "not "),
            (Type::Instant, ..) => wrong("dateTime", "not "),
            _ => wrong("string", ""),
        }
    }

    fn order(&mut self) -> Result<Order, Failure> {
        let name = self.name()?;
        let field = self.field(&name)?;
        if field.kind == Type::LongText {
            let said = format!("field '{}' can not be sorted in a query call", field.name);
            return Err(Failure::request(400, "INVALID_FIELD", said));
        }
        let descending = self.word("DESC");
        if !descending {
            self.word("ASC");
        }
        let mut nulls_last = false;
        if self.word("NULLS") {
            nulls_last = self.word("LAST");
            if !nulls_last {
                self.expect_word("FIRST")?;
            }
        }
        Ok(Order {
            field,
            descending,
            nulls_last,
        })
    }

    fn field(&mut self, name: &str) -> Result<Field, Failure> {
        let own = self.schema.field(self.object, name).cloned();
        own.or_else(|| self.of_parent(name)).ok_or_else(|| {
                let said = format!(
                    "No such column '{name}' on entity '{}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name.",
                    self.object.name()
                );
                Failure::request(400, "INVALID_FIELD", said)
            })
    }

    /// A field of the record that one of this object's fields refers to, under both names.
    fn of_parent(&mut self, name: &str) -> Option<Field> {
        let (relation, name) = name.split_once('.')?;
        let reference = self.schema.field(self.object, &format!("{relation}Id"))?;
        let Type::Reference([parent]) = reference.kind else {
            return None;
        };
        let mut field = self.schema.field(*parent, name)?.clone();
        let relation = reference.name.strip_suffix("Id")?;
        field.name = format!("{relation}.{}", field.name);
        self.of_parents.insert(field.name.clone());
        Some(field)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    /// Steps over a keyword if it is next.
    fn word(&mut self, keyword: &str) -> bool {
        let here = matches!(self.tokens.get(self.at), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        self.at += usize::from(here);
        here
    }

    /// Steps over a sign if it is next.
    fn sign(&mut self, sign: &'static str) -> bool {
        let here = self.tokens.get(self.at) == Some(&Token::Sign(sign));
        self.at += usize::from(here);
        here
    }

    fn expect_word(&mut self, keyword: &str) -> Result<(), Failure> {
        if self.word(keyword) {
            return Ok(());
        }
        Err(self.next().map_or_else(ended, |token| unexpected(&token)))
    }

    fn expect_sign(&mut self, sign: &'static str) -> Result<(), Failure> {
        if self.sign(sign) {
            return Ok(());
        }
        Err(self.next().map_or_else(ended, |token| unexpected(&token)))
    }

    fn name(&mut self) -> Result<String, Failure> {
        match self.next() {
            Some(Token::Word(word)) if word.starts_with(|first: char| first.is_alphabetic()) => {
                Ok(word)
            }
            Some(token) => Err(unexpected(&token)),
            None => Err(ended()),
        }
    }

    fn count(&mut self) -> Result<usize, Failure> {
        match self.next() {
            Some(Token::Word(word)) => word
                .parse()
                .map_err(|_| malformed(format!("unexpected token: '{word}'"))),
            Some(token) => Err(unexpected(&token)),
            None => Err(ended()),
        }
    }
}

fn unexpected(token: &Token) -> Failure {
    malformed(format!("unexpected token: '{}'", token.shown()))
}

fn ended() -> Failure {
    malformed("unexpected token: '<EOF>'")
}
