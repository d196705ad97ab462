//! The engine's configuration: flags over environment over `daemon.json` over defaults.
//!
//! Every flag, variable and key is named here and nowhere else. Unknown keys, a key set twice, and a key that is set both
//! as a flag and in the file are errors: a typing error must not silently weaken a set-up.

mod values;

use crate::error::Error;
use crate::tls::TlsFiles;
use lexopt::{Arg, ValueExt};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use values::{
    absolute, addresses, device_name, driver, hosts, log_driver, log_level, publish_address, size, ulimit,
    ulimits,
};

/// Where the configuration is read from if no `--config-file` is given.
pub const CONFIG_FILE: &str = "/etc/naru/daemon.json";

/// Environment variable that is read like `--log-level` (`trace` … `error`).
pub const LOG_ENV: &str = "NARU_LOG";

/// Environment variable for tests: the engine aborts after carrying out the named Action of a container's machine
/// (`MountRootfs`, `Persist:2` for the second time, …).
pub const CRASH_ENV: &str = "NARU_CRASH_AFTER";

/// The help text of `narud`.
pub const HELP: &str = "\
Usage: narud [OPTIONS]

The engine of Naru. It speaks Docker's REST API on a unix socket.

Options:
  -H, --host list                  Where to listen: unix:///path, fd:// for sockets from systemd,
                                   or tcp://address[:2376] with --tlsverify
                                   (default unix://EXEC-ROOT/naru.sock)
      --data-root path             Images, containers, volumes (default /var/lib/naru)
      --exec-root path             Sockets and run state (default /run/naru)
      --config-file path           Configuration (default /etc/naru/daemon.json)
      --validate                   Check the configuration and exit
  -p, --pidfile path               File for the process id (default EXEC-ROOT/narud.pid)
  -G, --group string               Group that may use the socket (default naru, if it exists)
  -D, --debug                      The same as --log-level debug
  -l, --log-level string           error, warn, info, debug, trace (default info)
      --log-format string          text or json (default text)
      --registry-mirror list       Mirror for Docker Hub
      --insecure-registry list     Registry (host[:port] or CIDR) that may be used without TLS
      --max-concurrent-downloads int    Layers that are fetched at once (default 3)
      --bip cidr                   Address and subnet of the default bridge
  -b, --bridge string              Name of the default bridge (default naru0)
      --mtu int                    MTU of the default bridge (default 1500)
      --ip ip                      Address at which ports are published that name none (default all)
      --ip-forward                 Enable forwarding of packets (default true)
      --ip-masq                    Masquerade traffic to the outside (default true)
      --dns list                   Name server for containers
      --dns-search list            Search domain for containers
      --dns-opt list               Resolver option for containers
      --cgroup-parent string       Parent of all container cgroups (default /naru)
      --default-shm-size bytes     Size of /dev/shm (default 64MiB)
      --default-ulimit ulimit      Limit per process of containers that name none (nofile=1024:2048)
      --log-driver string          Default log driver (default json-file)
      --log-opt map                Default option of the log driver (max-size=20m, max-file=5)
      --label list                 Label of the engine, key=value
      --tlsverify                  TCP: let only clients in that the authority has signed
      --tlscacert path             TCP: certificates of that authority (default /etc/naru/ca.pem)
      --tlscert path               TCP: certificate of the engine (default /etc/naru/cert.pem)
      --tlskey path                TCP: its private key (default /etc/naru/key.pem)
  -s, --storage-driver string      erofs, overlay2 or vfs (default erofs where the kernel mounts it from files)
  -v, --version                    Print the version and exit
      --help                       Print this text and exit

Environment:
  NARU_LOG            like --log-level
  NARU_CRASH_AFTER    for tests: abort after the named step of a container's life
";

/// What the command line asks for.
#[derive(Debug)]
pub enum Invocation {
    /// Serve with this configuration.
    Serve(Box<Config>),
    /// The configuration is valid; nothing else was asked.
    Validated,
    /// Print this text and exit.
    Print(String),
}

/// The whole configuration, defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Images, containers, volumes.
    pub data_root: PathBuf,
    /// Sockets and run state.
    pub exec_root: PathBuf,
    /// Where to listen: `unix:///path`, `fd://` or `tcp://address:port`.
    pub hosts: Vec<String>,
    /// File for the process id.
    pub pidfile: PathBuf,
    /// Group that may use the socket.
    pub group: Option<String>,
    /// `error` … `trace`.
    pub log_level: String,
    /// Log lines as JSON.
    pub log_json: bool,
    /// Mirrors for Docker Hub, in order.
    pub registry_mirrors: Vec<String>,
    /// Registries that may be used without TLS.
    pub insecure_registries: Vec<String>,
    /// Layers that are fetched at once.
    pub max_concurrent_downloads: usize,
    /// Address and subnet of the default bridge.
    pub bip: Option<String>,
    /// Name of the default bridge.
    pub bridge: String,
    /// MTU of the default bridge.
    pub mtu: u32,
    /// Enable forwarding of packets.
    pub ip_forward: bool,
    /// Masquerade traffic to the outside.
    pub ip_masq: bool,
    /// Where ports are published that name no address; none for everywhere.
    pub ip: Option<IpAddr>,
    /// Name servers for containers.
    pub dns: Vec<IpAddr>,
    /// Search domains for containers.
    pub dns_search: Vec<String>,
    /// Resolver options for containers.
    pub dns_options: Vec<String>,
    /// Parent of all container cgroups.
    pub cgroup_parent: String,
    /// Size of /dev/shm in bytes.
    pub default_shm_size_bytes: i64,
    /// Default log driver.
    pub log_driver: String,
    /// Its default options.
    pub log_options: BTreeMap<String, String>,
    /// Labels of the engine.
    pub labels: Vec<String>,
    /// Limits per process of containers that name none.
    pub default_ulimits: Vec<container::spec::Ulimit>,
    /// The certificates of the TCP endpoints; there are none without.
    pub tls: Option<TlsFiles>,
    /// The driver of snapshots; none for the best one that works.
    pub storage_driver: Option<snapshot::Driver>,
}

/// `daemon.json`. Keys that Docker knows and we do not honour yet are refused by name.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct File {
    data_root: Option<PathBuf>,
    exec_root: Option<PathBuf>,
    hosts: Option<Vec<String>>,
    pidfile: Option<PathBuf>,
    group: Option<String>,
    debug: Option<bool>,
    log_level: Option<String>,
    log_format: Option<String>,
    registry_mirrors: Option<Vec<String>>,
    insecure_registries: Option<Vec<String>>,
    max_concurrent_downloads: Option<usize>,
    bip: Option<String>,
    bridge: Option<String>,
    mtu: Option<u32>,
    ip_forward: Option<bool>,
    ip_masq: Option<bool>,
    ip: Option<String>,
    dns: Option<Vec<String>>,
    dns_search: Option<Vec<String>>,
    dns_opts: Option<Vec<String>>,
    cgroup_parent: Option<String>,
    default_shm_size: Option<String>,
    log_driver: Option<String>,
    log_opts: Option<BTreeMap<String, String>>,
    labels: Option<Vec<String>>,
    default_ulimits: Option<BTreeMap<String, UlimitEntry>>,
    storage_driver: Option<String>,
    live_restore: Option<bool>,
    tls: Option<bool>,
    tlsverify: Option<bool>,
    tlscacert: Option<PathBuf>,
    tlscert: Option<PathBuf>,
    tlskey: Option<PathBuf>,
}

/// A limit per process, as Docker writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct UlimitEntry {
    name: String,
    soft: i64,
    hard: i64,
}

/// Docker's further keys, known so that the refusal can say so.
const NOT_YET: [&str; 29] = [
    "allow-direct-routing",
    "authorization-plugins",
    "bip6",
    "builder",
    "cluster-advertise",
    "containerd",
    "data-root-mode",
    "default-address-pools",
    "default-cgroupns-mode",
    "default-gateway",
    "default-gateway-v6",
    "default-ipc-mode",
    "default-network-opts",
    "default-runtime",
    "exec-opts",
    "experimental",
    "features",
    "firewall-backend",
    "fixed-cidr",
    "fixed-cidr-v6",
    "icc",
    "init",
    "ip6tables",
    "iptables",
    "ipv6",
    "metrics-addr",
    "runtimes",
    "seccomp-profile",
    "userns-remap",
];

/// Reads the command line, and the file that it or the default names.
///
/// # Errors
/// Unknown flags or keys, values that cannot be read, settings given twice.
pub fn parse(
    args: impl IntoIterator<Item = OsString>,
    environment: &Environment,
) -> Result<Invocation, Error> {
    let mut flags = Flags::read(args)?;
    if let Some(text) = flags.print.take() {
        return Ok(Invocation::Print(text));
    }
    let explicit = flags.config_file.is_some();
    let path = flags.config_file.clone().unwrap_or_else(|| CONFIG_FILE.into());
    let file = match std::fs::read_to_string(&path) {
        Ok(text) => parse_file(&text, &path)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !explicit => File::default(),
        Err(source) => return Err(Error::ConfigRead { path, source }),
    };
    let validate = flags.validate;
    let config = merge(flags.values, file, environment, &path)?;
    Ok(if validate { Invocation::Validated } else { Invocation::Serve(Box::new(config)) })
}

/// What the configuration takes from the environment.
#[derive(Debug, Default)]
pub struct Environment {
    /// [`LOG_ENV`].
    pub log_level: Option<String>,
}

#[derive(Default)]
struct Flags {
    config_file: Option<PathBuf>,
    validate: bool,
    print: Option<String>,
    values: File,
}

impl Flags {
    fn read(args: impl IntoIterator<Item = OsString>) -> Result<Self, Error> {
        let mut flags = Self::default();
        let mut parser = lexopt::Parser::from_args(args);
        while let Some(arg) = parser.next().map_err(flag_error)? {
            flags.take(arg.into_name(), &mut parser)?;
            if flags.print.is_some() {
                break;
            }
        }
        Ok(flags)
    }

    fn take(&mut self, name: Name, parser: &mut lexopt::Parser) -> Result<(), Error> {
        let file = &mut self.values;
        let text =
            |parser: &mut lexopt::Parser| parser.value().and_then(ValueExt::string).map_err(flag_error);
        match name.0.as_str() {
            "H" | "host" => file.hosts.get_or_insert_default().push(text(parser)?),
            "data-root" => file.data_root = Some(text(parser)?.into()),
            "exec-root" => file.exec_root = Some(text(parser)?.into()),
            "config-file" => self.config_file = Some(text(parser)?.into()),
            "validate" => self.validate = true,
            "p" | "pidfile" => file.pidfile = Some(text(parser)?.into()),
            "G" | "group" => file.group = Some(text(parser)?),
            "D" | "debug" => file.debug = Some(boolean("debug", parser)?),
            "l" | "log-level" => file.log_level = Some(text(parser)?),
            "log-format" => file.log_format = Some(text(parser)?),
            "registry-mirror" => file.registry_mirrors.get_or_insert_default().push(text(parser)?),
            "insecure-registry" => file.insecure_registries.get_or_insert_default().push(text(parser)?),
            "max-concurrent-downloads" => {
                file.max_concurrent_downloads = Some(number("max-concurrent-downloads", &text(parser)?)?);
            }
            "bip" => file.bip = Some(text(parser)?),
            "b" | "bridge" => file.bridge = Some(text(parser)?),
            "mtu" => file.mtu = Some(number("mtu", &text(parser)?)?),
            "ip-forward" => file.ip_forward = Some(boolean("ip-forward", parser)?),
            "ip" => file.ip = Some(text(parser)?),
            "ip-masq" => file.ip_masq = Some(boolean("ip-masq", parser)?),
            "dns" => file.dns.get_or_insert_default().push(text(parser)?),
            "dns-search" => file.dns_search.get_or_insert_default().push(text(parser)?),
            "dns-opt" => file.dns_opts.get_or_insert_default().push(text(parser)?),
            "cgroup-parent" => file.cgroup_parent = Some(text(parser)?),
            "default-shm-size" => file.default_shm_size = Some(text(parser)?),
            "log-driver" => file.log_driver = Some(text(parser)?),
            "log-opt" => {
                let option = text(parser)?;
                let (key, value) = option.split_once('=').ok_or_else(|| Error::Flag {
                    reason: format!("--log-opt {option:?} is not key=value"),
                })?;
                file.log_opts.get_or_insert_default().insert(key.to_owned(), value.to_owned());
            }
            "tls" => file.tls = Some(boolean("tls", parser)?),
            "tlsverify" => file.tlsverify = Some(boolean("tlsverify", parser)?),
            "tlscacert" => file.tlscacert = Some(text(parser)?.into()),
            "tlscert" => file.tlscert = Some(text(parser)?.into()),
            "tlskey" => file.tlskey = Some(text(parser)?.into()),
            "default-ulimit" => {
                let (name, entry) = ulimit(&text(parser)?)?;
                file.default_ulimits.get_or_insert_default().insert(name, entry);
            }
            "label" => file.labels.get_or_insert_default().push(text(parser)?),
            "s" | "storage-driver" => file.storage_driver = Some(text(parser)?),
            "v" | "version" => self.print = Some(format!("narud version {}\n", env!("CARGO_PKG_VERSION"))),
            "help" | "h" => self.print = Some(HELP.to_owned()),
            other => {
                return Err(Error::Flag {
                    reason: format!("unknown flag or argument {other:?}; see narud --help"),
                });
            }
        }
        Ok(())
    }
}

/// A flag's name without its dashes, or a positional argument as it stands.
struct Name(String);

trait IntoName {
    fn into_name(self) -> Name;
}

impl IntoName for Arg<'_> {
    fn into_name(self) -> Name {
        match self {
            Arg::Short(short) => Name(short.to_string()),
            Arg::Long(long) => Name(long.to_owned()),
            Arg::Value(value) => Name(format!("argument {}", value.to_string_lossy())),
        }
    }
}

fn flag_error(error: lexopt::Error) -> Error {
    Error::Flag { reason: error.to_string() }
}

/// Reads `--flag`, `--flag=true` and `--flag=false`, as pflag does.
fn boolean(name: &str, parser: &mut lexopt::Parser) -> Result<bool, Error> {
    match parser.optional_value() {
        None => Ok(true),
        Some(value) => match value.to_string_lossy().as_ref() {
            "true" | "1" | "t" | "T" | "TRUE" | "True" => Ok(true),
            "false" | "0" | "f" | "F" | "FALSE" | "False" => Ok(false),
            other => Err(Error::Flag { reason: format!("--{name}={other} is neither true nor false") }),
        },
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, Error> {
    value.parse().map_err(|_| Error::Flag { reason: format!("--{name} {value:?} is not a number") })
}

fn parse_file(text: &str, path: &Path) -> Result<File, Error> {
    if text.trim().is_empty() {
        return Ok(File::default());
    }
    serde_json::from_str(text).map_err(|source| {
        let reason = source.to_string();
        let known = reason
            .strip_prefix("unknown field `")
            .and_then(|rest| rest.split('`').next())
            .filter(|key| NOT_YET.contains(key))
            .map(str::to_owned);
        match known {
            Some(key) => Error::ConfigUnsupported { path: path.to_owned(), key },
            None => Error::ConfigParse { path: path.to_owned(), source },
        }
    })
}

/// Takes the flag's value, else the file's; both at once is an error.
fn either<T>(name: &str, flag: Option<T>, file: Option<T>, path: &Path) -> Result<Option<T>, Error> {
    match (flag, file) {
        (Some(_), Some(_)) => Err(Error::ConfigTwice { key: name.to_owned(), path: path.to_owned() }),
        (flag, file) => Ok(flag.or(file)),
    }
}

fn merge(flags: File, file: File, environment: &Environment, path: &Path) -> Result<Config, Error> {
    macro_rules! pick {
        ($field:ident, $name:literal) => {
            either($name, flags.$field, file.$field, path)?
        };
    }
    let exec_root = pick!(exec_root, "exec-root").unwrap_or_else(|| "/run/naru".into());
    let debug = pick!(debug, "debug").unwrap_or(false);
    let level = pick!(log_level, "log-level").or_else(|| environment.log_level.clone());
    let log_format = pick!(log_format, "log-format").unwrap_or_else(|| "text".into());
    let shm = pick!(default_shm_size, "default-shm-size").unwrap_or_else(|| "64m".into());
    let storage_driver = pick!(storage_driver, "storage-driver").map(driver).transpose()?;
    if pick!(live_restore, "live-restore") == Some(false) {
        return Err(Error::Value {
            key: "live-restore",
            value: "false".into(),
            rule: "containers always survive the engine".into(),
        });
    }
    let verify = pick!(tlsverify, "tlsverify").unwrap_or(false);
    if pick!(tls, "tls").unwrap_or(false) && !verify {
        return Err(Error::Value {
            key: "tls",
            value: "true".into(),
            rule: "set tlsverify too: without it, whoever reaches the port would be root".into(),
        });
    }
    let (ca, cert, key) = (pick!(tlscacert, "tlscacert"), pick!(tlscert, "tlscert"), pick!(tlskey, "tlskey"));
    let tls = verify.then(|| TlsFiles {
        ca: ca.unwrap_or_else(|| "/etc/naru/ca.pem".into()),
        cert: cert.unwrap_or_else(|| "/etc/naru/cert.pem".into()),
        key: key.unwrap_or_else(|| "/etc/naru/key.pem".into()),
    });
    let bridge = pick!(bridge, "bridge").unwrap_or_else(|| "naru0".into());
    let config = Config {
        data_root: absolute(
            "data-root",
            pick!(data_root, "data-root").unwrap_or_else(|| "/var/lib/naru".into()),
        )?,
        hosts: hosts(pick!(hosts, "hosts"), &exec_root, tls.is_some())?,
        pidfile: pick!(pidfile, "pidfile").unwrap_or_else(|| exec_root.join("narud.pid")),
        group: pick!(group, "group"),
        log_level: log_level(if debug { Some("debug".into()) } else { level })?,
        log_json: match log_format.as_str() {
            "text" => false,
            "json" => true,
            _ => {
                return Err(Error::Value {
                    key: "log-format",
                    value: log_format,
                    rule: "text or json".into(),
                });
            }
        },
        registry_mirrors: pick!(registry_mirrors, "registry-mirrors").unwrap_or_default(),
        insecure_registries: pick!(insecure_registries, "insecure-registries").unwrap_or_default(),
        max_concurrent_downloads: pick!(max_concurrent_downloads, "max-concurrent-downloads")
            .unwrap_or(3)
            .max(1),
        bip: pick!(bip, "bip"),
        bridge: device_name(bridge)?,
        mtu: pick!(mtu, "mtu").unwrap_or(1500),
        ip_forward: pick!(ip_forward, "ip-forward").unwrap_or(true),
        ip_masq: pick!(ip_masq, "ip-masq").unwrap_or(true),
        ip: pick!(ip, "ip").map(publish_address).transpose()?.flatten(),
        dns: addresses(pick!(dns, "dns").unwrap_or_default())?,
        dns_search: pick!(dns_search, "dns-search").unwrap_or_default(),
        dns_options: pick!(dns_opts, "dns-opts").unwrap_or_default(),
        cgroup_parent: pick!(cgroup_parent, "cgroup-parent").unwrap_or_else(|| "/naru".into()),
        default_shm_size_bytes: size("default-shm-size", &shm)?,
        log_driver: log_driver(pick!(log_driver, "log-driver").unwrap_or_else(|| "json-file".into()))?,
        log_options: pick!(log_opts, "log-opts").unwrap_or_default(),
        labels: pick!(labels, "labels").unwrap_or_default(),
        default_ulimits: ulimits(pick!(default_ulimits, "default-ulimits").unwrap_or_default())?,
        tls,
        storage_driver,
        exec_root: absolute("exec-root", exec_root)?,
    };
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(args: &[&str]) -> Result<Config, Error> {
        let file = std::env::temp_dir().join(format!(
            "naru-config-{}-{}.json",
            std::process::id(),
            args.join("_").len()
        ));
        std::fs::write(&file, "").expect("the temporary directory is writable");
        let mut all = vec![OsString::from("--config-file"), file.clone().into_os_string()];
        all.extend(args.iter().map(OsString::from));
        let parsed = parse(all, &Environment::default());
        let _ = std::fs::remove_file(file); // left over only if the test was killed
        match parsed? {
            Invocation::Serve(config) => Ok(*config),
            other => panic!("unexpected {other:?}"),
        }
    }

    fn merged(flags: &str, file: &str) -> Result<Config, Error> {
        let path = Path::new("/etc/naru/daemon.json");
        merge(parse_file(flags, path)?, parse_file(file, path)?, &Environment::default(), path)
    }

    #[test]
    fn defaults_listen_below_the_exec_root() {
        let config = flags(&["--exec-root", "/run/other"]).expect("valid");
        assert_eq!(config.hosts, ["unix:///run/other/naru.sock"]);
        assert_eq!(config.pidfile, Path::new("/run/other/narud.pid"));
        assert_eq!(config.bridge, "naru0");
        assert_eq!(config.default_shm_size_bytes, 64 << 20);
    }

    #[test]
    fn flags_may_repeat_lists_and_negate_booleans() {
        let config = flags(&["--dns", "1.1.1.1", "--dns=::1", "--ip-masq=false", "-D"]).expect("valid");
        assert_eq!(config.dns.len(), 2);
        assert!(!config.ip_masq);
        assert_eq!(config.log_level, "debug");
    }

    #[test]
    fn file_and_flag_together_are_refused() {
        let error = merged(r#"{"mtu": 1400}"#, r#"{"mtu": 1300}"#).expect_err("set twice");
        assert!(error.to_string().contains("mtu"), "{error}");
    }

    #[test]
    fn file_mistakes_name_the_key() {
        for (text, word) in [
            (r#"{"registry-mirror": []}"#, "registry-mirror"),
            (r#"{"mtu": 1400, "mtu": 1300}"#, "duplicate field `mtu`"),
            (r#"{"userns-remap": "default"}"#, "userns-remap"),
            (r#"{"hosts": ["tcp://0.0.0.0:2375"]}"#, "tcp://0.0.0.0:2375"),
            (r#"{"default-shm-size": "much"}"#, "default-shm-size"),
            (r#"{"data-root": "relative"}"#, "data-root"),
            (r#"{"live-restore": false}"#, "live-restore"),
            (r#"{"log-driver": "splunk"}"#, "splunk"),
            (r#"{"bridge": "none"}"#, "bridge"),
            (r#"{"bridge": "a-name-that-is-too-long"}"#, "15 bytes"),
        ] {
            let error = merged("{}", text).expect_err(text);
            let shown = error::chain(&error);
            assert!(shown.contains(word), "{text}: {shown}");
        }
    }

    #[test]
    fn unknown_flag_is_named() {
        let error = flags(&["--frobnicate"]).expect_err("unknown");
        assert!(error.to_string().contains("frobnicate"), "{error}");
    }

    #[test]
    fn default_ulimits_are_dockers_map() {
        let read = |text: &str| {
            let file = parse_file(text, Path::new("/x"))?;
            ulimits(file.default_ulimits.unwrap_or_default())
        };
        let limits =
            read(r#"{"default-ulimits":{"nofile":{"Name":"nofile","Soft":64,"Hard":128}}}"#).unwrap();
        assert_eq!(limits, [container::spec::Ulimit { name: "nofile".into(), soft: 64, hard: 128 }]);
        for wrong in [
            r#"{"default-ulimits":{"nofile":{"Name":"nproc","Soft":64,"Hard":128}}}"#,
            r#"{"default-ulimits":{"as":{"Name":"as","Soft":64,"Hard":128}}}"#,
            r#"{"default-ulimits":{"nosuch":{"Name":"nosuch","Soft":64,"Hard":128}}}"#,
            r#"{"default-ulimits":{"nofile":{"Name":"nofile","Soft":129,"Hard":128}}}"#,
            r#"{"default-ulimits":{"nofile":{"Name":"nofile","Soft":1}}}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let (name, entry) = ulimit("nofile=5:6").unwrap();
        assert_eq!((name.as_str(), entry.soft, entry.hard), ("nofile", 5, 6));
        assert!(ulimit("nofile").is_err() && ulimit("nofile=x").is_err());
    }
}
