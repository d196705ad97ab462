//! `WWW-Authenticate` headers.

/// How a registry wants us to prove who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// A token from `realm`.
    /// `error` says why the token that was sent does not do.
    Bearer { realm: String, service: Option<String>, scope: Option<String>, error: Option<String> },
    /// Name and password with every request.
    Basic,
}

/// Reads one header, which may hold several challenges; returns the first that we can meet, Bearer before Basic.
///
/// # Source
/// RFC 9110 section 11.6.1; distribution `docs/spec/auth/token.md`.
pub(crate) fn parse(header: &str) -> Option<Challenge> {
    let challenges = split(header);
    let find = |wanted: &str| challenges.iter().find(|(scheme, _)| scheme.eq_ignore_ascii_case(wanted));
    if let Some((_, parameters)) = find("Bearer") {
        let get = |wanted: &str| {
            let found = parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.clone())
        };
        if let Some(realm) = get("realm") {
            return Some(Challenge::Bearer {
                realm,
                service: get("service"),
                scope: get("scope"),
                error: get("error"),
            });
        }
    }
    find("Basic").map(|_| Challenge::Basic)
}

type Parameters = Vec<(String, String)>;

/// Splits into schemes with their parameters.
fn split(header: &str) -> Vec<(String, Parameters)> {
    let mut challenges: Vec<(String, Parameters)> = Vec::new();
    let mut rest = header.trim_start_matches([' ', ',']);
    while !rest.is_empty() {
        let end = rest.find([' ', '=', ',']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let after_spaces = after.trim_start();
        if let Some(value) = after_spaces.strip_prefix('=') {
            let (value, tail) = take_value(value.trim_start());
            if let Some((_, parameters)) = challenges.last_mut() {
                parameters.push((word.into(), value));
            }
            rest = tail;
        } else {
            challenges.push((word.into(), Vec::new()));
            rest = after_spaces;
        }
        rest = rest.trim_start_matches([' ', ',']);
    }
    challenges
}

/// A token or a quoted text, and what follows.
fn take_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ']).unwrap_or(text.len());
        return (text[..end].into(), &text[end..]);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((index, c)) = chars.next() {
        match c {
            '"' => return (value, &quoted[index + 1..]),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Some(Challenge::Bearer {
            realm: realm.into(),
            service: owned(service),
            scope: owned(scope),
            error: None,
        })
    }

    #[test]
    fn challenge_is_read() {
        let cases = [
            (
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#,
                bearer(
                    "https://auth.docker.io/token",
                    Some("registry.docker.io"),
                    Some("repository:a/b:pull,push"),
                ),
            ),
            (r#"bearer  realm = "x\"y" , scope=z"#, bearer("x\"y", None, Some("z"))),
            (r#"Basic realm="Registry""#, Some(Challenge::Basic)),
            (r#"Basic realm="r", Bearer realm="t",service="s""#, bearer("t", Some("s"), None)),
            ("Basic", Some(Challenge::Basic)),
            ("Negotiate", None),
            ("Bearer service=\"s\"", None),
            ("", None),
            ("Bearer realm=\"unterminated", bearer("unterminated", None, None)),
        ];
        for (header, challenge) in cases {
            assert_eq!(parse(header), challenge, "{header}");
        }
        let refused = parse(r#"Bearer realm="r",error="insufficient_scope""#);
        assert!(
            matches!(refused, Some(Challenge::Bearer { error: Some(error), .. }) if error == "insufficient_scope")
        );
    }
}
