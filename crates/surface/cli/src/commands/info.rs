//! `naru info`.

use std::fmt::Write;

use gotmpl::{Null, Options, Shape, Template, Value};
use wire::system::Info;

use super::version::client_version;
use crate::command::{Arity, Command, Run};
use crate::context::{Context, print, warn};
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Matches};
use crate::format::INSPECT_HELP;

/// `naru info`.
pub(crate) const INFO: Command = Command {
    also: &["system info", "info"],
    flags: &[Flag::one("format", "string", INSPECT_HELP).short('f')],
    ..Command::new("[OPTIONS]", "Display system-wide information", Arity::None, info)
};

fn info<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, flags))
}

async fn work(context: &Context, flags: &Matches) -> Outcome {
    let answer = match context.engine().await {
        Ok(client) => client.info_raw().await.map_err(Failure::from),
        Err(failure) => Err(failure),
    };
    let format = match flags.text("format") {
        "json" => "{{json .}}",
        other => other,
    };
    if format.is_empty() {
        print(&client_text(context))?;
        let info = answer.and_then(|bytes| read(&bytes))?;
        print(&format!("\nServer:\n{}\n", server_text(&info)))?;
        info.warnings.iter().flatten().for_each(|warning| warn(warning));
        return Ok(());
    }
    let failed = |why: gotmpl::Error| Failure::new(format!("template parsing error: {why}")).with_code(64);
    let shape = Shape::Struct { type_name: "system.dockerInfo", null: |_| Null::List };
    let options = Options { shape, ..Options::default() };
    let template = Template::parse("", format, &options).map_err(failed)?;
    let mut value = match &answer {
        Ok(bytes) => Value::from_json(&String::from_utf8_lossy(bytes))
            .map_err(|why| Failure::new(format!("cannot read the engine's description: {why}")))?,
        Err(_) => Value::Map(Vec::new()),
    };
    if let Value::Map(members) = &mut value {
        let client =
            client_version(context).into_iter().map(|(name, value)| (name.to_owned(), Value::Text(value)));
        members.push(("ClientInfo".to_owned(), Value::Map(client.collect())));
        if format != "{{json .}}" {
            complete(members);
        }
    }
    let shown = template.execute(&value);
    print(&format!("{}\n", shown.as_deref().unwrap_or_default()))?;
    shown.map_err(|why| Failure::new(why.to_string()))?;
    answer.map(|_| ())
}

/// Adds what Docker's type has and its JSON leaves out when it is empty: templates may ask for it.
fn complete(members: &mut Vec<(String, Value)>) {
    const TEXTS: [&str; 2] = ["CgroupVersion", "ProductLicense"];
    const LISTS: [&str; 6] = [
        "ClientErrors",
        "DefaultAddressPools",
        "DiscoveredDevices",
        "FirewallBackend",
        "ServerErrors",
        "SystemStatus",
    ];
    let empty = TEXTS.map(|name| (name, Value::Text(String::new())));
    for (name, value) in empty.into_iter().chain(LISTS.map(|name| (name, Value::Null))) {
        if !members.iter().any(|(known, _)| known == name) {
            members.push((name.to_owned(), value));
        }
    }
}

fn read(bytes: &[u8]) -> Outcome<Info> {
    serde_json::from_slice(bytes)
        .map_err(|why| Failure::new(format!("cannot read the engine's description: {why}")))
}

fn client_text(context: &Context) -> String {
    format!(
        "Client: Naru\n Version:    {}\n Context:    default\n Debug Mode: {}\n",
        env!("CARGO_PKG_VERSION"),
        context.debug
    )
}

/// Lines of `name: value`, indented.
struct Lines(String);

impl Lines {
    fn line(&mut self, text: impl std::fmt::Display) {
        let _ = writeln!(self.0, "{text}"); // writing to a String cannot fail
    }

    fn named(&mut self, name: &str, value: impl std::fmt::Display) {
        self.line(format_args!("{name}: {value}"));
    }

    fn unless_empty(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.named(name, value);
        }
    }

    fn words(&mut self, name: &str, words: &Option<Vec<String>>) {
        self.named(name, words.as_deref().unwrap_or_default().join(" "));
    }

    fn list(&mut self, name: &str, lines: impl IntoIterator<Item = String>) {
        let mut lines = lines.into_iter().peekable();
        if lines.peek().is_some() {
            self.line(format_args!("{name}:"));
            lines.for_each(|line| self.line(format_args!("  {line}")));
        }
    }
}

/// Returns the engine's half, in Docker's order.
fn server_text(info: &Info) -> String {
    let mut out = Lines(String::new());
    out.named(" Containers", info.containers);
    out.named("  Running", info.containers_running);
    out.named("  Paused", info.containers_paused);
    out.named("  Stopped", info.containers_stopped);
    out.named(" Images", info.images);
    out.unless_empty(" Server Version", &info.server_version);
    out.unless_empty(" Storage Driver", &info.driver);
    for [name, value] in info.driver_status.iter().flatten() {
        out.named(&format!("  {name}"), value);
    }
    out.unless_empty(" Logging Driver", &info.logging_driver);
    for (name, value) in &info.logging_options {
        out.named(&format!("  {name}"), value);
    }
    out.unless_empty(" Cgroup Driver", &info.cgroup_driver);
    out.unless_empty(" Cgroup Version", &info.cgroup_version);
    out.line(" Plugins:");
    out.words("  Volume", &info.plugins.volume);
    out.words("  Network", &info.plugins.network);
    if info.plugins.authorization.as_ref().is_some_and(|list| !list.is_empty()) {
        out.words("  Authorization", &info.plugins.authorization);
    }
    out.words("  Log", &info.plugins.log);
    out.list(" CDI spec directories", info.cdi_spec_dirs.clone().unwrap_or_default());
    out.named(" Swarm", &info.swarm.local_node_state);
    let runtimes: Vec<String> = info.runtimes.iter().flatten().map(|(name, _)| name.clone()).collect();
    if !runtimes.is_empty() {
        out.named(" Runtimes", runtimes.join(" "));
        out.named(" Default Runtime", &info.default_runtime);
    }
    out.unless_empty(" Init Binary", &info.init_binary);
    out.unless_empty(" containerd version", &info.containerd_commit.id);
    out.unless_empty(" runc version", &info.runc_commit.id);
    out.unless_empty(" init version", &info.init_commit.id);
    security(&mut out, info);
    machine(&mut out, info);
    registries(&mut out, info);
    out.named(" Live Restore Enabled", info.live_restore_enabled);
    let pools = info.default_address_pools.iter().flatten();
    let pools: Vec<String> = pools.map(|pool| format!(" Base: {}, Size: {}", pool.base, pool.size)).collect();
    out.list(" Default Address Pools", pools);
    if let Some(firewall) = &info.firewall_backend {
        out.named(" Firewall Backend", &firewall.driver);
        for [name, value] in firewall.info.iter().flatten() {
            out.named(&format!("  {name}"), value);
        }
    }
    out.0
}

/// An option is `name=seccomp,profile=builtin`.
fn security(out: &mut Lines, info: &Info) {
    let mut lines = Vec::new();
    for option in info.security_options.iter().flatten() {
        for part in option.split(',') {
            match part.split_once('=') {
                Some(("name", name)) => lines.push(name.to_owned()),
                Some(("profile", profile)) => lines.push(format!(" Profile: {profile}")),
                Some(_) => {}
                None => lines.push(part.to_owned()),
            }
        }
    }
    out.list(" Security Options", lines);
}

fn machine(out: &mut Lines, info: &Info) {
    out.unless_empty(" Kernel Version", &info.kernel_version);
    out.unless_empty(" Operating System", &info.operating_system);
    out.unless_empty(" OSType", &info.os_type);
    out.unless_empty(" Architecture", &info.architecture);
    out.named(" CPUs", info.ncpu);
    out.named(" Total Memory", refs::bytes_size(info.mem_total as f64));
    out.unless_empty(" Name", &info.name);
    out.unless_empty(" ID", &info.id);
    out.named(" Docker Root Dir", &info.docker_root_dir);
    out.named(" Debug Mode", info.debug);
    if info.debug {
        out.named("  File Descriptors", info.n_fd);
        out.named("  Goroutines", info.n_goroutines);
        out.named("  System Time", &info.system_time);
        out.named("  EventsListeners", info.n_events_listener);
    }
    out.unless_empty(" HTTP Proxy", &info.http_proxy);
    out.unless_empty(" HTTPS Proxy", &info.https_proxy);
    out.unless_empty(" No Proxy", &info.no_proxy);
    out.list(" Labels", info.labels.clone().unwrap_or_default());
    out.named(" Experimental", info.experimental_build);
}

fn registries(out: &mut Lines, info: &Info) {
    let Some(config) = &info.registry_config else { return };
    let insecure =
        config.index_configs.values().filter(|index| !index.secure).map(|index| index.name.clone());
    let insecure: Vec<String> = insecure.chain(config.insecure_registry_cidrs.clone()).collect();
    out.list(" Insecure Registries", insecure);
    out.list(" Registry Mirrors", config.mirrors.clone().unwrap_or_default());
}
