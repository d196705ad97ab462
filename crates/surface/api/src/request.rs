//! Reading requests: query parameters and JSON bodies, with Go's and Docker's habits.

use crate::error::{Error, invalid};
use crate::route::percent_decode;
use bytes::Bytes;
use error::Failure;
use http::HeaderMap;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

/// The largest body that is read into memory: a create request with a seccomp profile in it is some 100 KB.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

/// The query parameters of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `a=1&b=%20`; pairs with broken escapes are dropped, as Go does.
    pub(crate) fn parse(query: Option<&str>) -> Self {
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .filter_map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    Some((percent_decode(&key.replace('+', " "))?, percent_decode(&value.replace('+', " "))?))
                })
                .collect(),
        )
    }

    /// Returns a parameter's value; none if it is absent or empty.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Returns all values of a parameter that may be given several times.
    pub(crate) fn all(&self, key: &str) -> Vec<&str> {
        let given = self.0.iter().filter(|(k, value)| k == key && !value.is_empty());
        given.map(|(_, value)| value.as_str()).collect()
    }

    /// Returns a parameter that Docker reads as a boolean.
    ///
    /// # Source
    /// moby `daemon/server/httputils/form.go`, `BoolValue`.
    pub(crate) fn flag(&self, key: &str) -> bool {
        let value = self.get(key).unwrap_or_default().trim().to_ascii_lowercase();
        !matches!(value.as_str(), "" | "0" | "no" | "false" | "none")
    }

    /// Returns a boolean parameter, or `default` if it is absent or empty.
    pub(crate) fn flag_or(&self, key: &str, default: bool) -> bool {
        if self.get(key).is_some() { self.flag(key) } else { default }
    }

    /// Returns a number; none if it is absent.
    ///
    /// # Errors
    /// Something that is no number.
    pub(crate) fn number(&self, key: &str) -> Result<Option<i64>, Error> {
        self.get(key)
            .map(|text| {
                text.trim()
                    .parse()
                    .map_err(|_| invalid(format!("invalid value {text:?} for {key}: it must be a number")))
            })
            .transpose()
    }
}

/// Reads a JSON body that must be there.
///
/// # Errors
/// No body, another media type, JSON of another shape, something behind the JSON.
pub(crate) async fn json<T: DeserializeOwned>(headers: &HeaderMap, body: Incoming) -> Result<T, Failure> {
    let bytes = read_json(headers, body).await?;
    if bytes.is_empty() {
        return Err(invalid(wire::text::MISSING_BODY).into());
    }
    Ok(parse(&bytes)?)
}

/// Reads a JSON body; an absent one counts as the type's default.
///
/// # Errors
/// Another media type, JSON of another shape, something behind the JSON.
pub(crate) async fn json_or_default<T: DeserializeOwned + Default>(
    headers: &HeaderMap,
    body: Incoming,
) -> Result<T, Failure> {
    let bytes = read_json(headers, body).await?;
    if bytes.is_empty() { Ok(T::default()) } else { Ok(parse(&bytes)?) }
}

/// Reads the bytes of a JSON body after a check of its media type.
///
/// # Errors
/// Another media type, a body over the limit, a broken connection.
pub(crate) async fn read_json(headers: &HeaderMap, body: Incoming) -> Result<Bytes, Failure> {
    let bytes = read(body).await?;
    if bytes.is_empty() {
        return Ok(bytes);
    }
    let given =
        headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = given.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(invalid(wire::text::unsupported_content_type(given)).into());
    }
    Ok(bytes)
}

async fn read(body: Incoming) -> Result<Bytes, Error> {
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(match error.downcast::<hyper::Error>() {
            Ok(error) => Error::Read(*error),
            Err(other) => {
                debug_assert!(other.is::<LengthLimitError>());
                Error::BodyTooLarge { limit_bytes: MAX_BODY_BYTES }
            }
        }),
    }
}

/// Reads JSON with Docker's texts for its defects.
///
/// # Errors
/// JSON of another shape, something behind the JSON.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| json_error(&error))
}

/// Returns Docker's text for a JSON error.
pub(crate) fn json_error(error: &serde_json::Error) -> Error {
    match error.classify() {
        serde_json::error::Category::Eof => invalid(wire::text::UNEXPECTED_EOF),
        _ if error.to_string().starts_with("trailing characters") => invalid(wire::text::TRAILING_CONTENT),
        _ => invalid(format!("invalid JSON: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_false_only_for_dockers_five_words() {
        let query = Query::parse(Some("a=1&b=0&c=False&d=none&e=&f=no&g=True&h=yes&i"));
        let flags: Vec<bool> =
            ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"].iter().map(|key| query.flag(key)).collect();
        assert_eq!(flags, [true, false, false, false, false, false, true, true, false, false]);
        assert!(query.flag_or("j", true));
        assert!(!query.flag_or("b", true));
    }

    #[test]
    fn query_decodes_plus_and_percent() {
        let query = Query::parse(Some("ps_args=-o%20pid,+cmd&x=%zz&n=5&bad=x"));
        assert_eq!(query.get("ps_args"), Some("-o pid, cmd"));
        assert_eq!(query.get("x"), None);
        assert_eq!(query.number("n").unwrap(), Some(5));
        assert!(query.number("bad").is_err());
    }

    #[test]
    fn json_defects_have_dockers_texts() {
        let text = |body: &str| parse::<wire::exec::ExecStart>(body.as_bytes()).unwrap_err().to_string();
        assert_eq!(text(r#"{"Tty":"#), "invalid JSON: unexpected EOF");
        assert_eq!(text(r#"{"Tty":true} {}"#), "unexpected content after JSON");
        assert_eq!(
            text(r#"{"Tty":5}"#),
            "invalid JSON: invalid type: integer `5`, expected a boolean at line 1 column 8"
        );
    }
}
