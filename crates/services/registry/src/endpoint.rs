//! Where a registry is asked: mirrors first, with or without TLS.

use crate::error::Error;
use crate::redact::without_secrets;
use reqwest::Url;
use std::net::IpAddr;

/// The host that serves Docker Hub's images.
const HUB: &str = "https://registry-1.docker.io/";

/// Where a registry is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Ends with a slash; `v2/…` is appended.
    pub(crate) base: Url,
    pub(crate) certificates: Certificates,
    pub(crate) role: Role,
}

/// Whether a server must prove who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Certificates {
    Verified,
    Any,
}

/// Whose server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The registry's own: gets the user's credentials.
    Home,
    /// Somebody else's copy: never gets them.
    Mirror,
}

impl Endpoint {
    /// The host and port, for texts.
    pub(crate) fn host(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        self.base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

/// The endpoints of all registries, as configured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Endpoints {
    mirrors: Vec<Url>,
    insecure: Vec<Insecure>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Insecure {
    /// `host` or `host:port`.
    Name(String),
    /// `10.0.0.0/8`.
    Network(IpAddr, u32),
}

impl Endpoints {
    pub(crate) fn new(mirrors: &[String], insecure: &[String]) -> Result<Self, Error> {
        let mirrors = mirrors.iter().map(|mirror| parse_mirror(mirror)).collect::<Result<_, _>>()?;
        let insecure = insecure.iter().map(|registry| parse_insecure(registry)).collect::<Result<_, _>>()?;
        Ok(Self { mirrors, insecure })
    }

    /// Returns where images of `domain` are asked for, in this order.
    pub(crate) fn of(&self, domain: &str) -> Result<Vec<Endpoint>, Error> {
        if domain == refs::DEFAULT_DOMAIN {
            let mut endpoints: Vec<Endpoint> = self.mirrors.iter().map(|base| self.mirror(base)).collect();
            let base = Url::parse(HUB).expect("the address is well-formed");
            endpoints.push(Endpoint { base, certificates: Certificates::Verified, role: Role::Home });
            return Ok(endpoints);
        }
        let at =
            |scheme: &str, certificates| {
                let base = Url::parse(&format!("{scheme}://{domain}/")).map_err(|_| {
                    Error::Configuration { option: "registry", value: domain.into(), reason: "not a host" }
                })?;
                Ok::<_, Error>(Endpoint { base, certificates, role: Role::Home })
            };
        if self.is_insecure(domain) {
            return Ok(vec![at("https", Certificates::Any)?, at("http", Certificates::Any)?]);
        }
        Ok(vec![at("https", Certificates::Verified)?])
    }

    fn mirror(&self, base: &Url) -> Endpoint {
        let endpoint =
            Endpoint { base: base.clone(), certificates: Certificates::Verified, role: Role::Mirror };
        let certificates =
            if self.is_insecure(&endpoint.host()) { Certificates::Any } else { Certificates::Verified };
        Endpoint { certificates, ..endpoint }
    }

    /// Whether a registry may be used without TLS. Our own machine always may.
    fn is_insecure(&self, domain: &str) -> bool {
        let host = host_of(domain);
        let address: Option<IpAddr> = host.parse().ok();
        if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
            return true;
        }
        self.insecure.iter().any(|insecure| match insecure {
            Insecure::Name(name) => name.eq_ignore_ascii_case(domain) || name.eq_ignore_ascii_case(host),
            Insecure::Network(network, bits) => {
                address.is_some_and(|address| is_within(address, *network, *bits))
            }
        })
    }
}

/// The host of `host`, `host:port`, `[v6]:port`.
fn host_of(domain: &str) -> &str {
    match domain.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => domain.split(':').next().unwrap_or(domain),
    }
}

/// # Source
/// moby `registry/config.go`, `ValidateMirror`.
fn parse_mirror(text: &str) -> Result<Url, Error> {
    let wrong = |reason| Error::Configuration { option: "mirror", value: without_secrets(text), reason };
    let mut url = Url::parse(text).map_err(|_| wrong("not an address such as https://mirror.example"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("the address must begin with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("username/password not allowed in URI"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("query or fragment at end of the URI"));
    }
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

fn parse_insecure(text: &str) -> Result<Insecure, Error> {
    let wrong =
        |reason| Error::Configuration { option: "insecure registry", value: without_secrets(text), reason };
    if text.contains("://") {
        return Err(wrong("give host[:port] or a network, without http:// or https://"));
    }
    if let Some((network, bits)) = text.split_once('/') {
        let network: IpAddr = network.parse().map_err(|_| wrong("not a network such as 10.0.0.0/8"))?;
        let most = if network.is_ipv4() { 32 } else { 128 };
        let bits = bits
            .parse()
            .ok()
            .filter(|bits| *bits <= most)
            .ok_or_else(|| wrong("not a network such as 10.0.0.0/8"))?;
        return Ok(Insecure::Network(network, bits));
    }
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(wrong("not a host"));
    }
    Ok(Insecure::Name(text.into()))
}

fn is_within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let differing = u32::from(address) ^ u32::from(network);
            differing.leading_zeros() >= bits
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let differing = u128::from(address) ^ u128::from(network);
            differing.leading_zeros() >= bits
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(mirrors: &[&str], insecure: &[&str], domain: &str) -> Vec<String> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let endpoints = Endpoints::new(&owned(mirrors), &owned(insecure)).unwrap();
        let text = |endpoint: &Endpoint| {
            format!("{} {:?} {:?}", endpoint.base, endpoint.certificates, endpoint.role)
        };
        endpoints.of(domain).unwrap().iter().map(text).collect()
    }

    #[test]
    fn hub_is_asked_after_its_mirrors() {
        assert_eq!(
            texts(&["http://127.0.0.1:5000", "https://m.example/hub/"], &[], "docker.io"),
            [
                "http://127.0.0.1:5000/ Any Mirror",
                "https://m.example/hub/ Verified Mirror",
                "https://registry-1.docker.io/ Verified Home"
            ]
        );
    }

    #[test]
    fn mirrors_are_for_the_hub_only() {
        assert_eq!(texts(&["https://m.example"], &[], "r.example"), ["https://r.example/ Verified Home"]);
    }

    #[test]
    fn insecure_registries_are_asked_with_tls_first() {
        let insecure = ["r.example:5000", "10.0.0.0/8", "other", "fd00::/8"];
        for domain in [
            "r.example:5000",
            "10.1.2.3:81",
            "other:1234",
            "127.0.0.9",
            "localhost:5000",
            "[::1]:5000",
            "[fd00::1]",
        ] {
            assert_eq!(
                texts(&[], &insecure, domain),
                [format!("https://{domain}/ Any Home"), format!("http://{domain}/ Any Home")]
            );
        }
        for domain in ["r.example", "11.0.0.1", "another", "[fe00::1]"] {
            assert_eq!(texts(&[], &insecure, domain), [format!("https://{domain}/ Verified Home")]);
        }
    }

    #[test]
    fn mirrors_and_insecure_registries_are_checked() {
        let mirror = |text: &str| Endpoints::new(&[text.into()], &[]).unwrap_err().to_string();
        assert_eq!(
            mirror("https://u:hunter2@h"),
            "invalid mirror \"https://h\": username/password not allowed in URI"
        );
        assert_eq!(
            mirror("h:5000"),
            "invalid mirror \"h:5000\": the address must begin with http:// or https://"
        );
        assert_eq!(
            mirror("https://h/?x"),
            "invalid mirror \"https://h/\": query or fragment at end of the URI"
        );
        let insecure = |text: &str| Endpoints::new(&[], &[text.into()]).unwrap_err().to_string();
        assert_eq!(
            insecure("http://h"),
            "invalid insecure registry \"http://h\": give host[:port] or a network, without http:// or https://"
        );
        assert_eq!(
            insecure("10.0.0.0/33"),
            "invalid insecure registry \"10.0.0.0/33\": not a network such as 10.0.0.0/8"
        );
    }
}
