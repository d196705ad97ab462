//! The user's `config.json`: Docker's file, read and never written.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wire::system::AuthConfig;

use crate::failure::{Failure, Outcome};

/// The key under which Docker keeps the credentials of Docker Hub.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// What we read of `config.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Config {
    /// The key sequence that detaches.
    pub(crate) detach_keys: String,
    /// The template of `ps`.
    pub(crate) ps_format: String,
    /// The template of `images`.
    pub(crate) images_format: String,
    /// The template of `stats`.
    pub(crate) stats_format: String,
    auths: BTreeMap<String, Login>,
    creds_store: String,
    cred_helpers: BTreeMap<String, String>,
    proxies: BTreeMap<String, Proxies>,
}

/// Proxies that new containers are told of.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Proxies {
    http_proxy: String,
    https_proxy: String,
    no_proxy: String,
    ftp_proxy: String,
    all_proxy: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "lowercase")]
struct Login {
    auth: String,
    identitytoken: String,
    registrytoken: String,
}

/// Returns the directory of the configuration: the flag, `DOCKER_CONFIG`, or `~/.docker`.
pub(crate) fn directory(flag: Option<&str>) -> Option<PathBuf> {
    let named = flag.map(PathBuf::from).or_else(|| crate::context::env("DOCKER_CONFIG").map(PathBuf::from));
    named.or_else(|| crate::context::env("HOME").map(|home| Path::new(&home).join(".docker")))
}

/// Reads the configuration; nothing if there is no file.
pub(crate) fn load(directory: Option<&Path>) -> Outcome<Config> {
    let Some(path) = directory.map(|directory| directory.join("config.json")) else {
        return Ok(Config::default());
    };
    match std::fs::read(&path) {
        Ok(bytes) => {
            parse(&bytes).map_err(|why| Failure::new(format!("cannot understand {}: {why}", path.display())))
        }
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => Ok(Config::default()),
        Err(failed) => {
            // Docker goes on without the file, too: a `sudo` that keeps HOME is no reason to stop.
            crate::context::warn(&format!("WARNING: cannot read {}: {failed}", path.display()));
            Ok(Config::default())
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Config, serde_json::Error> {
    if bytes.trim_ascii().is_empty() {
        return Ok(Config::default());
    }
    serde_json::from_slice(bytes)
}

impl Config {
    /// Returns the variables that tell a container of the proxies, for the engine at an address.
    pub(crate) fn proxies(&self, engine: &str) -> Vec<(&'static str, String)> {
        let Some(proxies) = self.proxies.get(engine).or_else(|| self.proxies.get("default")) else {
            return Vec::new();
        };
        let all = [
            ("HTTP_PROXY", &proxies.http_proxy),
            ("HTTPS_PROXY", &proxies.https_proxy),
            ("NO_PROXY", &proxies.no_proxy),
            ("FTP_PROXY", &proxies.ftp_proxy),
            ("ALL_PROXY", &proxies.all_proxy),
        ];
        all.into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name, value.clone()))
            .collect()
    }

    /// Returns the value of the `X-Registry-Auth` header for a registry; empty for no credentials.
    pub(crate) fn registry_auth(&self, domain: &str) -> Outcome<String> {
        let key = if domain == "docker.io" { DOCKER_HUB } else { domain };
        let helper = self.cred_helpers.get(key).unwrap_or(&self.creds_store);
        let login = self.auths.iter().find(|(name, _)| matches_registry(name, key)).map(|(_, login)| login);
        let auth = match login {
            Some(login) if !login.is_empty() => login.decode(key)?,
            _ if !helper.is_empty() => match crate::credentials::get(helper, key)? {
                Some(auth) => auth,
                None => return Ok(String::new()),
            },
            _ => return Ok(String::new()),
        };
        let json = serde_json::to_vec(&auth)
            .map_err(|why| Failure::new(format!("cannot encode the credentials for {domain}: {why}")))?;
        Ok(URL_SAFE.encode(json))
    }
}

/// Docker has written keys with and without scheme and path over the years.
fn matches_registry(name: &str, key: &str) -> bool {
    let host = |text: &str| {
        let text = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
        text.split('/').next().unwrap_or_default().to_owned()
    };
    name == key || host(name) == host(key)
}

impl Login {
    fn is_empty(&self) -> bool {
        self.auth.is_empty() && self.identitytoken.is_empty() && self.registrytoken.is_empty()
    }

    fn decode(&self, server: &str) -> Outcome<AuthConfig> {
        let mut auth = AuthConfig {
            serveraddress: server.to_owned(),
            identitytoken: self.identitytoken.clone(),
            registrytoken: self.registrytoken.clone(),
            ..AuthConfig::default()
        };
        if !self.auth.is_empty() {
            let invalid = || Failure::new(format!("invalid auth configuration file: the entry for {server}"));
            let decoded = STANDARD.decode(self.auth.trim()).map_err(|_| invalid())?;
            let decoded = String::from_utf8(decoded).map_err(|_| invalid())?;
            let (user, password) = decoded.split_once(':').ok_or_else(invalid)?;
            auth.username = user.to_owned();
            auth.password = password.trim_matches('\0').to_owned();
        }
        Ok(auth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(config: &str, domain: &str) -> serde_json::Value {
        let config = parse(config.as_bytes()).expect("valid");
        let header = config.registry_auth(domain).expect("credentials");
        if header.is_empty() {
            return serde_json::Value::Null;
        }
        serde_json::from_slice(&URL_SAFE.decode(header).expect("base64")).expect("JSON")
    }

    #[test]
    fn login_becomes_a_header() {
        let config = r#"{"auths":{"127.0.0.1:5000":{"auth":"dXNlcjpwYTpzcw=="}},"unknownKey":1}"#;
        let expected =
            serde_json::json!({"username":"user","password":"pa:ss","serveraddress":"127.0.0.1:5000"});
        assert_eq!(decoded(config, "127.0.0.1:5000"), expected);
        assert_eq!(decoded(config, "127.0.0.1:5001"), serde_json::Value::Null);
    }

    #[test]
    fn docker_hub_has_a_key_of_its_own() {
        let config = r#"{"auths":{"https://index.docker.io/v1/":{"identitytoken":"t"}}}"#;
        let expected = serde_json::json!({"identitytoken":"t","serveraddress":"https://index.docker.io/v1/"});
        assert_eq!(decoded(config, "docker.io"), expected);
    }

    #[test]
    fn broken_login_is_an_error_and_not_an_anonymous_pull() {
        let config = parse(br#"{"auths":{"x.io":{"auth":"%%%"}}}"#).expect("valid JSON");
        assert!(config.registry_auth("x.io").is_err());
    }

    #[test]
    fn proxies_of_the_engine_win_over_the_default_ones() {
        let json =
            br#"{"proxies":{"default":{"httpProxy":"a","noProxy":"b"},"unix:///x":{"httpsProxy":"c"}}}"#;
        let config = parse(json).expect("valid");
        assert_eq!(config.proxies("unix:///x"), [("HTTPS_PROXY", "c".to_owned())]);
        assert_eq!(
            config.proxies("unix:///y"),
            [("HTTP_PROXY", "a".to_owned()), ("NO_PROXY", "b".to_owned())]
        );
    }

    #[test]
    fn empty_file_is_an_empty_configuration() {
        assert_eq!(parse(b" \n").expect("valid").detach_keys, "");
        assert!(parse(b"{").is_err());
    }
}
