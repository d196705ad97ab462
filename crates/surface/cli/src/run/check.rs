//! Checks of single values, with Docker's texts.

use std::net::IpAddr;

use crate::quote::quote;
use refs::ByteSize;
use wire::host_config::Ulimit;

type Checked<T = ()> = Result<T, String>;

/// Throws a parsed value away: for flags whose value is parsed again when it is needed.
fn only<T>(parsed: Checked<T>) -> Checked {
    parsed.map(|_| ())
}

pub(crate) fn bytes(text: &str) -> Checked {
    only(parse_bytes(text))
}

pub(crate) fn parse_bytes(text: &str) -> Checked<i64> {
    let size = ByteSize::parse_ram(text).map_err(|why| why.to_string())?;
    i64::try_from(size.0).map_err(|_| format!("invalid size: '{text}'"))
}

pub(crate) fn duration(text: &str) -> Checked {
    refs::parse_duration(text).map(drop).map_err(|why| why.to_string())
}

pub(crate) fn swap(text: &str) -> Checked {
    only(parse_swap(text))
}

/// As bytes, or -1 for no limit.
pub(crate) fn parse_swap(text: &str) -> Checked<i64> {
    if text == "-1" { Ok(-1) } else { parse_bytes(text) }
}

pub(crate) fn cpus(text: &str) -> Checked {
    only(parse_cpus(text))
}

/// Reads a number of CPUs, `1.5` or `3/2`, as billionths.
pub(crate) fn parse_cpus(text: &str) -> Checked<i64> {
    const NANO: i128 = 1_000_000_000;
    let failed = || format!("failed to parse {text} as a rational number");
    let number = |digits: &str| match digits.bytes().all(|byte| byte.is_ascii_digit()) {
        true => digits.parse::<i128>().map_err(|_| failed()),
        false => Err(failed()),
    };
    let positive = text.strip_prefix('+').unwrap_or(text);
    let (numerator, denominator) = match positive.split_once('/') {
        Some((above, below)) => (number(above)?, number(below)?),
        None => {
            let (whole, fraction) = positive.split_once('.').unwrap_or((positive, ""));
            if whole.is_empty() && fraction.is_empty() || fraction.len() > 30 {
                return Err(failed());
            }
            let digits = u32::try_from(fraction.len()).map_err(|_| failed())?;
            (number(&format!("{whole}{fraction}"))?, 10_i128.pow(digits))
        }
    };
    let scaled = numerator.checked_mul(NANO).ok_or_else(failed)?;
    match scaled.checked_rem(denominator) {
        None => Err(failed()),
        Some(0) => i64::try_from(scaled / denominator).map_err(|_| failed()),
        Some(_) => Err("value is too precise".to_owned()),
    }
}

pub(crate) fn weight(text: &str) -> Checked {
    let why = match crate::flags::parse_int(text) {
        Ok(value) if u16::try_from(value).is_ok() => return Ok(()),
        Ok(value) if value < 0 => "invalid syntax",
        Ok(_) => "value out of range",
        Err(why) if why.ends_with("out of range") => "value out of range",
        Err(_) => "invalid syntax",
    };
    Err(format!("strconv.ParseUint: parsing {}: {why}", quote(text)))
}

pub(crate) fn ulimit(text: &str) -> Checked {
    only(parse_ulimit(text))
}

/// Reads `nofile=1024:2048`.
///
/// # Source
/// docker/go-units `ParseUlimit`.
pub(crate) fn parse_ulimit(text: &str) -> Checked<Ulimit> {
    let (name, values) = text.split_once('=').ok_or_else(|| format!("invalid ulimit argument: {text}"))?;
    if !refs::ULIMITS.contains(&name) {
        return Err(format!("invalid ulimit type: {name}"));
    }
    let number = |text: &str| {
        text.parse::<i64>().map_err(|_| format!("strconv.ParseInt: parsing {}: invalid syntax", quote(text)))
    };
    let parts: Vec<&str> = values.split(':').collect();
    let (soft, hard) = match parts[..] {
        [soft] => (number(soft)?, number(soft)?),
        [soft, hard] => {
            let hard = number(hard)?;
            (number(soft)?, hard)
        }
        _ => {
            return Err(format!(
                "too many limit value arguments - {values}, can only have up to two, `soft[:hard]`"
            ));
        }
    };
    let prefix = "ulimit soft limit must be less than or equal to hard limit";
    match (soft, hard) {
        (_, -1) => {}
        (-1, _) => return Err(format!("{prefix}: soft: -1 (unlimited), hard: {hard}")),
        _ if soft > hard => return Err(format!("{prefix}: {soft} > {hard}")),
        _ => {}
    }
    Ok(Ulimit { name: name.to_owned(), soft, hard })
}

pub(crate) fn attach(text: &str) -> Checked {
    match text.to_ascii_lowercase().as_str() {
        "stdin" | "stdout" | "stderr" => Ok(()),
        _ => Err("valid streams are STDIN, STDOUT and STDERR".to_owned()),
    }
}

pub(crate) fn env(text: &str) -> Checked {
    match text.split('=').next() {
        None | Some("") => Err(format!("invalid environment variable: {text}")),
        Some(_) => Ok(()),
    }
}

pub(crate) fn label(text: &str) -> Checked {
    let name = text.split('=').next().unwrap_or_default().trim_start_matches([' ', '\t']);
    match name {
        "" => Err(format!("invalid label '{text}': empty name")),
        _ if name.contains([' ', '\t']) => Err(format!("label '{name}' contains whitespaces")),
        _ => Ok(()),
    }
}

pub(crate) fn sysctl(text: &str) -> Checked {
    const NAMES: [&str; 8] = [
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.sem",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
        "kernel.shm_rmid_forced",
    ];
    match text.split_once('=') {
        Some((name, _))
            if NAMES.contains(&name) || name.starts_with("net.") || name.starts_with("fs.mqueue.") =>
        {
            Ok(())
        }
        _ => Err(format!("sysctl '{text}' is not allowed")),
    }
}

pub(crate) fn dns(text: &str) -> Checked {
    only(parse_dns(text))
}

/// Reads an address and returns it in its canonical form.
pub(crate) fn parse_dns(text: &str) -> Checked<String> {
    let parsed = text.trim().parse::<IpAddr>();
    parsed.map(|ip| ip.to_string()).map_err(|_| format!("IP address is not correctly formatted: {text}"))
}

pub(crate) fn dns_search(text: &str) -> Checked {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let name = text.trim_end_matches('.');
    let ok = text.trim() == "."
        || (text.len() <= 255
            && name.split('.').all(label)
            && name.chars().any(|c| c.is_ascii_alphabetic())
            && !name.is_empty());
    if ok { Ok(()) } else { Err(format!("{text} is not a valid domain")) }
}

pub(crate) fn extra_host(text: &str) -> Checked {
    only(parse_extra_host(text))
}

/// Reads `name:address` or `name=address` and returns the first form.
pub(crate) fn parse_extra_host(text: &str) -> Checked<String> {
    let bad = || format!("bad format for add-host: {}", quote(text));
    let (name, address) = text.split_once('=').or_else(|| text.split_once(':')).ok_or_else(bad)?;
    if name.is_empty() || address.is_empty() || name.contains(':') {
        return Err(bad());
    }
    if address == "host-gateway" {
        return Ok(format!("{name}:{address}"));
    }
    let inner = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    match inner.parse::<IpAddr>() {
        Ok(_) => Ok(format!("{name}:{inner}")),
        Err(_) => Err(format!("invalid IP address in add-host: {}", quote(inner))),
    }
}

pub(crate) fn device_rule(text: &str) -> Checked {
    let valid = || {
        let (kind, rest) = text.split_once(' ')?;
        let (numbers, mode) = rest.split_once(' ')?;
        let (major, minor) = numbers.split_once(':')?;
        let number = |n: &str| n == "*" || (!n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        let mode_ok = (1..=3).contains(&mode.len()) && mode.bytes().all(|b| b"rwm".contains(&b));
        Some(matches!(kind, "a" | "b" | "c") && number(major) && number(minor) && mode_ok)
    };
    match valid() {
        Some(true) => Ok(()),
        _ => Err(format!("invalid device cgroup format '{text}'")),
    }
}

pub(crate) fn filter(text: &str) -> Checked {
    match text.is_empty() || text.contains('=') {
        true => Ok(()),
        false => Err("bad format of filter (expected name=value)".to_owned()),
    }
}

pub(crate) fn mount(text: &str) -> Checked {
    only(super::mounts::parse_mount(text, std::path::Path::new("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_are_exact() {
        let cases = [
            ("1", 1_000_000_000),
            ("0.5", 500_000_000),
            ("3/2", 1_500_000_000),
            (".25", 250_000_000),
            ("2.", 2_000_000_000),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_cpus(text), Ok(expected), "{text}");
        }
        assert_eq!(parse_cpus("0.0000000001"), Err("value is too precise".to_owned()));
        for text in ["x", "", ".", "1/0", "-1", "1.2.3", "1/x"] {
            assert_eq!(parse_cpus(text), Err(format!("failed to parse {text} as a rational number")));
        }
    }

    #[test]
    fn ulimits_have_dockers_texts() {
        let ulimit = |soft, hard| Ok(Ulimit { name: "nofile".to_owned(), soft, hard });
        assert_eq!(parse_ulimit("nofile=1"), ulimit(1, 1));
        assert_eq!(parse_ulimit("nofile=1:-1"), ulimit(1, -1));
        let cases = [
            ("x", "invalid ulimit argument: x"),
            ("foo=1", "invalid ulimit type: foo"),
            ("nofile=a", "strconv.ParseInt: parsing \"a\": invalid syntax"),
            ("nofile=2:1", "ulimit soft limit must be less than or equal to hard limit: 2 > 1"),
            (
                "nofile=-1:1",
                "ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: 1",
            ),
            (
                "nofile=1:2:3",
                "too many limit value arguments - 1:2:3, can only have up to two, `soft[:hard]`",
            ),
        ];
        for (text, why) in cases {
            assert_eq!(parse_ulimit(text), Err(why.to_owned()));
        }
    }

    #[test]
    fn hosts_take_both_separators_and_brackets() {
        let cases = [
            ("a:1.2.3.4", "a:1.2.3.4"),
            ("a=::1", "a:::1"),
            ("a:[::1]", "a:::1"),
            ("a:::1", "a:::1"),
            ("a:host-gateway", "a:host-gateway"),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_extra_host(text), Ok(expected.to_owned()), "{text}");
        }
        assert_eq!(parse_extra_host("x"), Err("bad format for add-host: \"x\"".to_owned()));
        assert_eq!(parse_extra_host("a:b"), Err("invalid IP address in add-host: \"b\"".to_owned()));
    }

    #[test]
    fn bad_values_have_dockers_texts() {
        let cases: &[(crate::flags::Check, &str, &str)] = &[
            (bytes, "x", "invalid size: 'x'"),
            (bytes, "-1", "invalid size: '-1'"),
            (weight, "70000", "strconv.ParseUint: parsing \"70000\": value out of range"),
            (weight, "-1", "strconv.ParseUint: parsing \"-1\": invalid syntax"),
            (attach, "x", "valid streams are STDIN, STDOUT and STDERR"),
            (env, "=x", "invalid environment variable: =x"),
            (label, "=x", "invalid label '=x': empty name"),
            (sysctl, "foo=bar", "sysctl 'foo=bar' is not allowed"),
            (dns, "x", "IP address is not correctly formatted: x"),
            (dns_search, "a..b", "a..b is not a valid domain"),
            (device_rule, "x", "invalid device cgroup format 'x'"),
            (filter, "x", "bad format of filter (expected name=value)"),
        ];
        for (check, text, why) in cases {
            assert_eq!(check(text), Err((*why).to_owned()), "{text}");
        }
    }

    #[test]
    fn good_values_pass() {
        let cases: &[(crate::flags::Check, &[&str])] = &[
            (bytes, &["64m", "1.5g", "100", "6MiB"]),
            (swap, &["-1", "1g"]),
            (attach, &["STDIN", "stdout"]),
            (env, &["A", "A=", "A=b=c"]),
            (label, &["a", "a=b c"]),
            (sysctl, &["net.ipv4.ip_forward=1", "kernel.shmmax=1", "fs.mqueue.msg_max=1"]),
            (dns, &["1.1.1.1", "::1"]),
            (dns_search, &["example.com", ".", "a-b.c"]),
            (device_rule, &["c 1:3 rwm", "b *:* r", "a 1:* m"]),
        ];
        for (check, texts) in cases {
            for text in *texts {
                assert_eq!(check(text), Ok(()), "{text}");
            }
        }
    }
}
