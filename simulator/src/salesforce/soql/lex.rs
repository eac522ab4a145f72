//! A query in pieces.

use crate::salesforce::replies::Failure;

/// The characters of a text, each with whether a backslash stood before it.
pub(super) type Characters = Vec<(char, bool)>;

/// A piece of a query.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A keyword, a name, a number, a date: what stands outside quotes.
    Word(String),
    /// What stood in quotes; a character with a backslash is no wildcard.
    Text(Characters),
    /// An operator, a bracket or a comma.
    Sign(&'static str),
}

impl Token {
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Word(word) => word.clone(),
            Self::Text(chars) => chars.iter().map(|(one, _)| one).collect(),
            Self::Sign(sign) => (*sign).to_owned(),
        }
    }
}

const SIGNS: [&str; 10] = ["!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", ","];

pub(super) fn malformed(said: impl Into<String>) -> Failure {
    Failure::request(400, "MALFORMED_QUERY", said)
}

pub(super) fn tokens(query: &str) -> Result<Vec<Token>, Failure> {
    let mut rest = query;
    let mut tokens = Vec::new();
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else {
            return Ok(tokens);
        };
        if first == '\'' {
            let (text, after) = text(rest)?;
            tokens.push(Token::Text(text));
            rest = after;
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            tokens.push(Token::Sign(sign));
            rest = rest.strip_prefix(sign).unwrap_or_default();
        } else {
            let is_part = |one: char| one.is_alphanumeric() || "_.:+-".contains(one);
            let end = rest.find(|one| !is_part(one)).unwrap_or(rest.len());
            let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            if word.is_empty() {
                return Err(malformed(format!("unexpected token: '{first}'")));
            }
            tokens.push(Token::Word(word.to_owned()));
            rest = after;
        }
    }
}

/// A text in quotes, and what follows it.
fn text(quoted: &str) -> Result<(Characters, &str), Failure> {
    let mut chars = quoted.char_indices();
    chars.next();
    let mut text = Vec::new();
    while let Some((at, one)) = chars.next() {
        match one {
            '\'' => {
                let after = quoted.get(at + 1..).unwrap_or_default();
                return Ok((text, after));
            }
            '\\' => {
                let escaped = match chars.next().map(|(_, one)| one) {
                    Some('n' | 'N') => '\n',
                    Some('r' | 'R') => '\r',
                    Some('t' | 'T') => '\t',
                    Some('b' | 'B') => '\u{8}',
                    Some('f' | 'F') => '\u{c}',
                    Some(one @ ('\'' | '"' | '\\' | '_' | '%')) => one,
                    _ => {
                        return Err(malformed(
                            "Invalid string literal: illegal character sequence in string literal",
                        ));
                    }
                };
                text.push((escaped, true));
            }
            '\n' => return Err(malformed("line breaks not allowed in string literals")),
            one => text.push((one, false)),
        }
    }
    Err(malformed("string literal isn't closed: expecting '''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_words_and_texts_are_told_apart() {
        let tokens = tokens(r"WHERE a__c>='it\'s \\ 5\% %'AND b!=-1.5").unwrap();
        let shown: Vec<String> = tokens.iter().map(Token::shown).collect();
        assert_eq!(
            shown,
            [
                "WHERE",
                "a__c",
                ">=",
                r"it's \ 5% %",
                "AND",
                "b",
                "!=",
                "-1.5"
            ]
        );
        let Token::Text(text) = &tokens[3] else {
            panic!("not a text")
        };
        let wild: Vec<bool> = text
            .iter()
            .filter(|(one, _)| *one == '%')
            .map(|(_, it)| *it)
            .collect();
        assert_eq!(wild, [true, false]);
    }

    #[test]
    fn what_is_no_query_is_refused() {
        for query in [
            "a = 'open",
            r"a = '\x'",
            "a = 'x\ny'",
            "a = {1}",
            "a ; b",
            r"a = 'x\",
        ] {
            assert_eq!(
                tokens(query).unwrap_err().code,
                "MALFORMED_QUERY",
                "{query}"
            );
        }
    }
}
