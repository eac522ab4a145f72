//! The request for a new access token: a form, and the app's own credential where the CRM wants it.

use std::fmt;

use super::{ClientShown, Dialect};

/// On what ground a token is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Grant<'a> {
    /// The customer's consent, as this refresh token.
    Refresh(&'a str),
    /// The app itself is the user.
    ClientCredentials,
}

impl fmt::Debug for Grant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refresh(_) => "Refresh",
            Self::ClientCredentials => "ClientCredentials",
        })
    }
}

/// `POST` of a form (`application/x-www-form-urlencoded`) to the token address. Holds secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// The body.
    pub form: String,
    /// User and password for HTTP Basic, if the CRM wants the app's credential there.
    pub basic: Option<(String, String)>,
}

impl fmt::Debug for TokenRequest {
    /// Everything in it is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenRequest(…)")
    }
}

/// The request on this ground, for the app with this id and secret.
pub fn request(
    dialect: &Dialect,
    grant: Grant<'_>,
    client_id: &str,
    client_secret: &str,
) -> TokenRequest {
    let mut fields = match grant {
        Grant::Refresh(token) => vec![("grant_type", "refresh_token"), ("refresh_token", token)],
        Grant::ClientCredentials => vec![("grant_type", "client_credentials")],
    };
    let basic = match dialect.client {
        ClientShown::Form => {
            fields.push(("client_id", client_id));
            fields.push(("client_secret", client_secret));
            None
        }
        ClientShown::Basic => Some((client_id.to_owned(), client_secret.to_owned())),
    };
    let form = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect::<Vec<_>>()
        .join("&");
    TokenRequest { form, basic }
}

/// A form's value: all but unreserved characters (RFC 3986) as `%XX`.
fn encoded(value: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::dialect;
    use super::*;

    #[test]
    fn each_crm_is_asked_its_own_way() {
        let refresh = Grant::Refresh("r/1+=");
        let own = Grant::ClientCredentials;
        for (vendor, grant, form, basic) in [
            (
                "hubspot",
                refresh,
                "grant_type=refresh_token&refresh_token=r%2F1%2B%3D&client_id=app%201&client_secret=s%26t",
                false,
            ),
            (
                "salesforce",
                refresh,
                "grant_type=refresh_token&refresh_token=r%2F1%2B%3D&client_id=app%201&client_secret=s%26t",
                false,
            ),
            (
                "salesforce",
                own,
                "grant_type=client_credentials&client_id=app%201&client_secret=s%26t",
                false,
            ),
            (
                "close",
                refresh,
                "grant_type=refresh_token&refresh_token=r%2F1%2B%3D&client_id=app%201&client_secret=s%26t",
                false,
            ),
            (
                "pipedrive",
                refresh,
                "grant_type=refresh_token&refresh_token=r%2F1%2B%3D",
                true,
            ),
        ] {
            let asked = request(dialect(vendor).unwrap(), grant, "app 1", "s&t");
            assert_eq!(asked.form, form, "{vendor} {grant:?}");
            let expect = basic.then(|| ("app 1".to_owned(), "s&t".to_owned()));
            assert_eq!(asked.basic, expect, "{vendor}");
        }
    }

    #[test]
    fn nothing_of_a_request_is_shown() {
        let asked = request(
            dialect("pipedrive").unwrap(),
            Grant::Refresh("refresh-9"),
            "app-9",
            "word-9",
        );
        let shown = format!("{asked:?} {:?}", Grant::Refresh("refresh-9"));
        assert!(!shown.contains("-9"), "{shown}");
    }
}
