//! The contents of /etc/hosts, /etc/hostname and /etc/resolv.conf of a container. Pure.

use crate::spec::HostConfig;
use std::net::IpAddr;

/// The names of the loopback.
const LOOPBACK: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n\
    ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";

/// Returns /etc/hosts: the names of the loopback, what the user added, and the container's own names.
///
/// `base` takes the place of the loopback's names (the host's own file, with the host's network). `gateway` stands for
/// `host-gateway`; entries that need it are left out without one.
pub(crate) fn hosts(
    host: &HostConfig,
    base: Option<&str>,
    addresses: &[IpAddr],
    (hostname, domainname): (&str, &str),
    gateway: Option<IpAddr>,
) -> String {
    let mut text = base.unwrap_or(LOOPBACK).to_owned();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    for entry in &host.extra_hosts {
        let Some((name, target)) = split_extra_host(entry) else { continue };
        let target = match (target, gateway) {
            ("host-gateway", Some(gateway)) => gateway.to_string(),
            ("host-gateway", None) => continue,
            (target, _) => target.to_owned(),
        };
        text.push_str(&format!("{target}\t{name}\n"));
    }
    for address in addresses {
        text.push_str(&own_line(*address, (hostname, domainname)));
    }
    text
}

/// Returns the line of one of the container's own addresses.
fn own_line(address: IpAddr, (hostname, domainname): (&str, &str)) -> String {
    let names = match domainname {
        "" => hostname.to_owned(),
        domain => format!("{hostname}.{domain} {hostname}"),
    };
    format!("{address}\t{names}\n")
}

/// Returns /etc/hosts with the container's addresses of a further network, or without those of one that it left. What
/// else is in it, perhaps by the user's hand, stays.
pub(crate) fn changed_hosts(present: &str, gone: &[IpAddr], added: &[IpAddr], names: (&str, &str)) -> String {
    let gone: Vec<_> = gone.iter().map(|address| own_line(*address, names)).collect();
    let kept = present.split_inclusive('\n').filter(|line| gone.iter().all(|gone| gone != line));
    let mut text: String = kept.collect();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    added.iter().for_each(|address| text.push_str(&own_line(*address, names)));
    text
}

/// Splits `name:address` or `name=address`; the address may have square brackets.
pub(crate) fn split_extra_host(entry: &str) -> Option<(&str, &str)> {
    let (name, target) = entry.split_once(['=', ':'])?;
    let target = target.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(target);
    (!name.is_empty() && !target.is_empty()).then_some((name, target))
}

/// What the engine's configuration says about name resolution.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Resolver {
    pub(crate) servers: Vec<IpAddr>,
    pub(crate) search: Vec<String>,
    pub(crate) options: Vec<String>,
}

/// Returns /etc/resolv.conf: the user's values before the engine's before the host's.
///
/// Servers on the host's loopback cannot be reached from another network namespace and are left out when `isolated`; if
/// none remains there is no server line, and names of /etc/hosts are all that resolves.
pub(crate) fn resolv_conf(host: &HostConfig, engine: &Resolver, host_file: &str, isolated: bool) -> String {
    let from_host = parse_resolv_conf(host_file);
    let mut servers = [&host.dns, &engine.servers].into_iter().find(|list| !list.is_empty()).cloned();
    if servers.is_none() {
        let reachable = |server: &IpAddr| !(isolated && server.is_loopback());
        servers = Some(from_host.servers.iter().copied().filter(reachable).collect());
    }
    let (search, options) = search_and_options(host, engine, from_host);
    write_resolv_conf(&servers.unwrap_or_default(), &search, &options)
}

/// Returns /etc/resolv.conf of a container that the embedded resolver serves. It is asked for every name as it stands
/// first (`ndots:0`), unless somebody said otherwise: a container's name has no dot.
pub(crate) fn embedded_resolv_conf(host: &HostConfig, engine: &Resolver, host_file: &str) -> String {
    let (search, mut options) = search_and_options(host, engine, parse_resolv_conf(host_file));
    let is_given =
        [&host.dns_options, &engine.options].into_iter().flatten().any(|option| option.starts_with("ndots:"));
    if !is_given {
        options.retain(|option| !option.starts_with("ndots:"));
        options.push("ndots:0".to_owned());
    }
    write_resolv_conf(&[IpAddr::V4(network::RESOLVER)], &search, &options)
}

/// Returns search domains and options: the user's before the engine's before the host's.
fn search_and_options(
    host: &HostConfig,
    engine: &Resolver,
    from_host: Resolver,
) -> (Vec<String>, Vec<String>) {
    let pick = |user: &Vec<String>, engine: &Vec<String>, host: Vec<String>| {
        if !user.is_empty() {
            user.clone()
        } else if !engine.is_empty() {
            engine.clone()
        } else {
            host
        }
    };
    let search = pick(&host.dns_search, &engine.search, from_host.search);
    (search, pick(&host.dns_options, &engine.options, from_host.options))
}

fn write_resolv_conf(servers: &[IpAddr], search: &[String], options: &[String]) -> String {
    let mut text = String::from("# Generated by Naru.\n");
    for server in servers {
        text.push_str(&format!("nameserver {server}\n"));
    }
    // `--dns-search .` means no search domain at all.
    if !search.is_empty() && search != ["."] {
        text.push_str(&format!("search {}\n", search.join(" ")));
    }
    if !options.is_empty() {
        text.push_str(&format!("options {}\n", options.join(" ")));
    }
    text
}

fn parse_resolv_conf(text: &str) -> Resolver {
    let mut resolver = Resolver::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => {
                resolver.servers.extend(words.next().and_then(|word| word.parse::<IpAddr>().ok()))
            }
            Some("search" | "domain") => resolver.search = words.map(str::to_owned).collect(),
            Some("options") => resolver.options.extend(words.map(str::to_owned)),
            _ => {}
        }
    }
    resolver
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing::host_config;

    #[test]
    fn hosts_has_loopback_extra_and_own_names() {
        let mut host = host_config();
        host.extra_hosts = ["db:10.0.0.9", "six=[fd00::1]", "gw:host-gateway"].map(str::to_owned).into();
        let text =
            hosts(&host, None, &[[172, 17, 0, 2].into()], ("box", "lan"), Some([172, 17, 0, 1].into()));
        let tail: Vec<&str> = text.lines().skip(6).collect();
        assert_eq!(tail, ["10.0.0.9\tdb", "fd00::1\tsix", "172.17.0.1\tgw", "172.17.0.2\tbox.lan box"]);
        assert!(text.starts_with("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"));
    }

    #[test]
    fn hosts_without_address_or_gateway_leaves_lines_out() {
        let mut host = host_config();
        host.extra_hosts = vec!["gw:host-gateway".into()];
        assert_eq!(hosts(&host, None, &[], ("box", ""), None).lines().count(), 6);
        assert_eq!(hosts(&host, Some("1.2.3.4 x"), &[], ("box", ""), None), "1.2.3.4 x\n");
    }

    #[test]
    fn changed_hosts_keeps_what_is_not_its_own() {
        let before = "127.0.0.1\tlocalhost\n10.0.0.2\tbox\n10.0.0.2 mine";
        let names = ("box", "");
        let gone = changed_hosts(before, &[[10, 0, 0, 2].into()], &[], names);
        assert_eq!(gone, "127.0.0.1\tlocalhost\n10.0.0.2 mine\n");
        let added = changed_hosts(&gone, &[], &[[10, 1, 0, 2].into(), [10, 1, 0, 3].into()], names);
        assert_eq!(added, "127.0.0.1\tlocalhost\n10.0.0.2 mine\n10.1.0.2\tbox\n10.1.0.3\tbox\n");
    }

    #[test]
    fn resolv_conf_takes_the_hosts_servers_without_its_loopback() {
        let file = "# x\nnameserver 127.0.0.53\nnameserver 10.1.1.1\nsearch a.example b.example\noptions edns0 ndots:2\n";
        let text = resolv_conf(&host_config(), &Resolver::default(), file, true);
        assert_eq!(
            text,
            "# Generated by Naru.\nnameserver 10.1.1.1\nsearch a.example b.example\noptions edns0 ndots:2\n"
        );
        let text = resolv_conf(&host_config(), &Resolver::default(), file, false);
        assert!(text.contains("nameserver 127.0.0.53\n"), "{text}");
    }

    #[test]
    fn resolv_conf_prefers_the_user_then_the_engine() {
        let engine =
            Resolver { servers: vec![[9, 9, 9, 9].into()], search: vec!["corp".into()], options: Vec::new() };
        let mut host = host_config();
        let text = resolv_conf(&host, &engine, "nameserver 1.1.1.1\n", true);
        assert_eq!(text, "# Generated by Naru.\nnameserver 9.9.9.9\nsearch corp\n");
        host.dns = vec!["127.0.0.1".parse().unwrap()];
        host.dns_search = vec![".".into()];
        let text = resolv_conf(&host, &engine, "nameserver 1.1.1.1\n", true);
        assert_eq!(text, "# Generated by Naru.\nnameserver 127.0.0.1\n");
    }

    #[test]
    fn embedded_resolver_is_asked_for_names_without_dots_first() {
        let file = "nameserver 10.1.1.1\nsearch lan\noptions edns0 ndots:5\n";
        let mut host = host_config();
        let text = embedded_resolv_conf(&host, &Resolver::default(), file);
        assert_eq!(text, "# Generated by Naru.\nnameserver 127.0.0.11\nsearch lan\noptions edns0 ndots:0\n");
        host.dns_options = vec!["ndots:3".into(), "timeout:1".into()];
        host.dns = vec![[9, 9, 9, 9].into()];
        let text = embedded_resolv_conf(&host, &Resolver::default(), "");
        assert_eq!(text, "# Generated by Naru.\nnameserver 127.0.0.11\noptions ndots:3 timeout:1\n");
    }

    #[test]
    fn extra_hosts_are_split_at_the_first_separator() {
        assert_eq!(split_extra_host("a:::1"), Some(("a", "::1")));
        assert_eq!(split_extra_host("a=1.2.3.4"), Some(("a", "1.2.3.4")));
        assert_eq!(split_extra_host("a"), None);
        assert_eq!(split_extra_host(":1.2.3.4"), None);
    }
}
