//! Keeping what an address may carry (passwords, signatures) out of texts.

/// Returns the text with everything between `?` and the next space left out, and with `user:password@` cut from addresses.
pub(crate) fn without_secrets(text: &str) -> String {
    let mut out = Vec::new();
    for word in text.split(' ') {
        let Some((scheme, rest)) = word.split_once("://") else {
            out.push(word.to_owned());
            continue;
        };
        let rest = rest.split('?').next().unwrap_or(rest);
        let (host, path) =
            rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, format!("/{path}")));
        let host = host.rsplit('@').next().unwrap_or(host);
        out.push(format!("{scheme}://{host}{path}"));
    }
    out.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_loses_password_and_query() {
        let cases = [
            ("cannot reach https://u:p@h:5000/a?X-Amz-Signature=1 now", "cannot reach https://h:5000/a now"),
            ("http://u@h", "http://h"),
            ("what? no address", "what? no address"),
        ];
        for (text, clean) in cases {
            assert_eq!(without_secrets(text), clean);
        }
    }
}
