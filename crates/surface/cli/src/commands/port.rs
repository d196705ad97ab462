//! `naru port`.

use crate::command::{Arity, Command, Completes, Run};
use crate::context::{Context, print};
use crate::failure::{Failure, Outcome};
use crate::flags::Matches;
use std::collections::BTreeMap;
use wire::host_config::PortBinding;

/// `naru port`.
pub(crate) const PORT: Command = Command {
    also: &["container port", "port"],
    completes: Completes::RunningContainers,
    ..Command::new(
        "CONTAINER [PRIVATE_PORT[/PROTO]]",
        "List port mappings or a specific mapping for the container",
        Arity::Between(1, 2),
        port,
    )
};

type Ports = BTreeMap<String, Option<Vec<PortBinding>>>;

fn port<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, flags))
}

async fn work(context: &Context, flags: &Matches) -> Outcome {
    let name = flags.first();
    let inspected = context.engine().await?.container(name).await?;
    let ports = inspected.network_settings.ports.unwrap_or_default();
    let text = match flags.args.get(1) {
        None => all(&ports),
        Some(wanted) => one(&ports, wanted, name).map_err(|text| Failure::new(format!("Error: {text}")))?,
    };
    print(&text)
}

/// Returns all mappings, the lowest port first.
fn all(ports: &Ports) -> String {
    let number = |port: &str| port.split('/').next().and_then(|digits| digits.parse::<u16>().ok());
    let mut ports: Vec<_> = ports.iter().collect();
    ports.sort_by_key(|(port, _)| (number(port), (*port).clone()));
    let line = |port: &str, binding: &PortBinding| format!("{port} -> {}\n", at(binding));
    ports.iter().flat_map(|(port, list)| list.iter().flatten().map(|one| line(port, one))).collect()
}

/// Returns where one port is published.
fn one(ports: &Ports, wanted: &str, name: &str) -> Result<String, String> {
    let (port, protocol) = wanted.split_once('/').unwrap_or((wanted, "tcp"));
    if port.parse::<u16>().is_err() {
        let why = match port.bytes().all(|byte| byte.is_ascii_digit()) && !port.is_empty() {
            true => "value out of range",
            false => "invalid syntax",
        };
        return Err(format!("invalid port ({port}): strconv.ParseUint: parsing {port:?}: {why}"));
    }
    let key = format!("{port}/{protocol}");
    match ports.get(&key) {
        Some(Some(list)) if !list.is_empty() => {
            Ok(list.iter().map(|binding| format!("{}\n", at(binding))).collect())
        }
        _ => Err(format!("No public port '{wanted}' published for {name}")),
    }
}

/// Returns `0.0.0.0:8080`, `[::]:8080`.
fn at(binding: &PortBinding) -> String {
    match binding.host_ip.contains(':') {
        true => format!("[{}]:{}", binding.host_ip, binding.host_port),
        false => format!("{}:{}", binding.host_ip, binding.host_port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports() -> Ports {
        let binding = |ip: &str, port: &str| PortBinding { host_ip: ip.into(), host_port: port.into() };
        [
            ("443/tcp".to_owned(), None),
            ("80/tcp".to_owned(), Some(vec![binding("0.0.0.0", "8080"), binding("::", "8080")])),
            ("9/udp".to_owned(), Some(vec![binding("127.0.0.1", "32768")])),
        ]
        .into()
    }

    #[test]
    fn mappings_are_listed_by_number() {
        assert_eq!(all(&ports()), "9/udp -> 127.0.0.1:32768\n80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n");
    }

    #[test]
    fn one_mapping_has_dockers_texts() {
        assert_eq!(one(&ports(), "80", "c"), Ok("0.0.0.0:8080\n[::]:8080\n".into()));
        assert_eq!(one(&ports(), "443", "c"), Err("No public port '443' published for c".into()));
        let why = "invalid port (x): strconv.ParseUint: parsing \"x\": invalid syntax";
        assert_eq!(one(&ports(), "x", "c"), Err(why.into()));
    }
}
