//! Rows of `ps`.

use std::fmt::Write;

use wire::list::{ContainerSummary, Port};

use super::zone::{Zone, go_string};
use super::{Columns, ago, ellipsis, short_id, size};
use crate::quote::quote;

/// What `ps` shows unless told otherwise.
pub(crate) const TABLE: &str =
    "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}";

/// What `--format raw` shows.
pub(crate) const RAW: &str = "container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\n\
created_at: {{.CreatedAt}}\nstate: {{- pad .State 1 0}}\nstatus: {{- pad .Status 1 0}}\nnames: {{.Names}}\n\
labels: {{- pad .Labels 1 0}}\nports: {{- pad .Ports 1 0}}\n";

/// The columns of `ps`.
pub(crate) const COLUMNS: Columns = Columns {
    type_name: "*formatter.ContainerContext",
    headers: &[
        ("ID", "CONTAINER ID"),
        ("Names", "NAMES"),
        ("Image", "IMAGE"),
        ("Command", "COMMAND"),
        ("CreatedAt", "CREATED AT"),
        ("RunningFor", "CREATED"),
        ("Ports", "PORTS"),
        ("State", "STATE"),
        ("Status", "STATUS"),
        ("Size", "SIZE"),
        ("Labels", "LABELS"),
        ("Mounts", "MOUNTS"),
        ("LocalVolumes", "LOCAL VOLUMES"),
        ("Networks", "NETWORKS"),
        ("Platform", "PLATFORM"),
    ],
    nulls: &["Platform"],
};

/// How much of a value is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    /// Ids, commands and mounts are shortened.
    Short,
    /// `--no-trunc`.
    Full,
}

/// Returns the fields of a row.
pub(crate) fn row(
    container: &ContainerSummary,
    width: Width,
    now_s: i64,
    zone: &Zone,
) -> [(&'static str, String); 14] {
    let command = match width {
        Width::Short => ellipsis(&container.command, 20),
        Width::Full => container.command.clone(),
    };
    let labels: Vec<String> = container.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let networks: Vec<&str> = container.network_settings.networks.keys().map(String::as_str).collect();
    let local = container.mounts.iter().filter(|mount| mount.driver == "local").count();
    [
        ("ID", id(&container.id, width)),
        ("Names", names(container, width)),
        ("Image", image(container, width)),
        ("Command", quote(&command)),
        ("CreatedAt", go_string(zone, container.created)),
        ("RunningFor", ago(container.created, now_s)),
        ("Ports", ports(&container.ports)),
        ("State", container.state.clone()),
        ("Status", container.status.clone()),
        ("Size", sizes(container)),
        ("Labels", labels.join(",")),
        ("Mounts", mounts(container, width)),
        ("LocalVolumes", local.to_string()),
        ("Networks", networks.join(",")),
    ]
}

fn id(id: &str, width: Width) -> String {
    match width {
        Width::Short => short_id(id).to_owned(),
        Width::Full => id.to_owned(),
    }
}

fn names(container: &ContainerSummary, width: Width) -> String {
    let mut names = container.names.iter().map(|name| name.strip_prefix('/').unwrap_or(name));
    match width {
        Width::Short => names.find(|name| !name.contains('/')).unwrap_or_default().to_owned(),
        Width::Full => names.collect::<Vec<_>>().join(","),
    }
}

fn image(container: &ContainerSummary, width: Width) -> String {
    let image = container.image.as_str();
    match (image, width) {
        ("", _) => "<no image>".to_owned(),
        (_, Width::Full) => image.to_owned(),
        _ if short_id(&container.image_id) == short_id(image) => short_id(image).to_owned(),
        // A digest is stripped: no column is that wide.
        _ => match refs::Reference::parse(image) {
            Ok(reference) if reference.digest().is_some() => match reference.tag() {
                Some(tag) => format!("{}:{tag}", reference.familiar_name()),
                None => reference.familiar_name(),
            },
            _ => image.to_owned(),
        },
    }
}

fn sizes(container: &ContainerSummary) -> String {
    match container.size_root_fs {
        0 => size(container.size_rw),
        root => format!("{} (virtual {})", size(container.size_rw), size(root)),
    }
}

fn mounts(container: &ContainerSummary, width: Width) -> String {
    let name = |mount: &wire::inspect::MountPoint| {
        let name = if mount.name.is_empty() { &mount.source } else { &mount.name };
        match width {
            Width::Short => ellipsis(name, 15),
            Width::Full => name.clone(),
        }
    };
    container.mounts.iter().map(name).collect::<Vec<_>>().join(",")
}

/// Returns ports as `0.0.0.0:80-81->80-81/tcp, 443/tcp`: neighbours are joined, mapped ones come last.
fn ports(ports: &[Port]) -> String {
    let mut ports: Vec<&Port> = ports.iter().collect();
    ports.sort_by_key(|port| (port.private_port, port.ip.clone(), port.public_port, port.protocol.clone()));
    let (mut done, mut mapped): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut open: Vec<Group> = Vec::new();
    for port in ports {
        if !port.ip.is_empty() && port.public_port != port.private_port {
            let host = host_port(&port.ip, &port.public_port.to_string());
            mapped.push(format!("{host}->{}/{}", port.private_port, port.protocol));
            continue;
        }
        let same = open.iter_mut().find(|group| group.ip == port.ip && group.protocol == port.protocol);
        match same {
            Some(group) if group.last.checked_add(1) == Some(port.private_port) => {
                group.last = port.private_port
            }
            Some(group) => {
                done.push(group.shown());
                (group.first, group.last) = (port.private_port, port.private_port);
            }
            None => open.push(Group {
                ip: &port.ip,
                protocol: &port.protocol,
                first: port.private_port,
                last: port.private_port,
            }),
        }
    }
    done.extend(open.iter().map(Group::shown));
    done.extend(mapped);
    done.join(", ")
}

struct Group<'a> {
    ip: &'a str,
    protocol: &'a str,
    first: u16,
    last: u16,
}

impl Group<'_> {
    fn shown(&self) -> String {
        let mut range = self.first.to_string();
        if self.first != self.last {
            let _ = write!(range, "-{}", self.last); // writing to a String cannot fail
        }
        match self.ip {
            "" => format!("{range}/{}", self.protocol),
            ip => format!("{}->{range}/{}", host_port(ip, &range), self.protocol),
        }
    }
}

/// Returns address and port, an IPv6 address in brackets.
pub(crate) fn host_port(ip: &str, port: &str) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::List;

    fn container() -> ContainerSummary {
        ContainerSummary {
            id: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef".into(),
            names: vec!["/web".into()],
            image: "busybox".into(),
            image_id: "sha256:fedcba".into(),
            command: "sh -c 'echo hello; sleep 1000'".into(),
            created: 1_700_000_000,
            state: "running".into(),
            status: "Up 5 minutes".into(),
            ..ContainerSummary::default()
        }
    }

    fn field(container: &ContainerSummary, width: Width, name: &str) -> String {
        let row = row(container, width, 1_700_000_300, &Zone::default());
        row.into_iter().find(|(field, _)| *field == name).map(|(_, value)| value).expect("a field")
    }

    fn port(ip: &str, private_port: u16, public_port: u16, protocol: &str) -> Port {
        Port { ip: ip.into(), private_port, public_port, protocol: protocol.into() }
    }

    #[test]
    fn table_is_dockers() {
        let container = container();
        let label: &dyn Fn(&str) -> String = &|_| String::new();
        let rows = [(row(&container, Width::Short, 1_700_000_300, &Zone::default()), label)];
        let expected =
            "CONTAINER ID   IMAGE     COMMAND                  CREATED         STATUS         PORTS     NAMES
0123456789ab   busybox   \"sh -c 'echo hello; …\"   5 minutes ago   Up 5 minutes             web
";
        assert_eq!(
            List::parse(TABLE, &COLUMNS).and_then(|list| list.render(rows)).map_err(|f| f.text),
            Ok(expected.into())
        );
    }

    #[test]
    fn width_decides_how_much_is_shown() {
        let mut container = container();
        container.names = vec!["/other/alias".into(), "/web".into()];
        assert_eq!(field(&container, Width::Short, "Names"), "web");
        assert_eq!(field(&container, Width::Full, "Names"), "other/alias,web");
        assert_eq!(field(&container, Width::Full, "Command"), "\"sh -c 'echo hello; sleep 1000'\"");
        assert_eq!(field(&container, Width::Short, "CreatedAt"), "2023-11-14 22:13:20 +0000 UTC");
        container.image = "fedcba".into();
        assert_eq!(field(&container, Width::Short, "Image"), "fedcba");
        container.image = format!("localhost:5000/x:1@sha256:{}", "a".repeat(64));
        assert_eq!(field(&container, Width::Short, "Image"), "localhost:5000/x:1");
    }

    #[test]
    fn sizes_show_the_virtual_size_if_known() {
        let mut container = container();
        assert_eq!(field(&container, Width::Short, "Size"), "0B");
        (container.size_rw, container.size_root_fs) = (2, 21_500_000);
        assert_eq!(field(&container, Width::Short, "Size"), "2B (virtual 21.5MB)");
    }

    #[test]
    fn ports_are_joined() {
        let cases = [
            (vec![port("", 9988, 0, "tcp"), port("", 9989, 0, "tcp")], "9988-9989/tcp"),
            (vec![port("", 9988, 0, "udp"), port("", 9989, 0, "tcp")], "9988/udp, 9989/tcp"),
            (
                vec![port("1.2.3.4", 9988, 8899, "tcp"), port("4.3.2.1", 9989, 9989, "tcp")],
                "4.3.2.1:9989->9989/tcp, 1.2.3.4:8899->9988/tcp",
            ),
            (
                vec![
                    port("0.0.0.0", 80, 80, "tcp"),
                    port("::", 80, 80, "tcp"),
                    port("0.0.0.0", 81, 81, "tcp"),
                ],
                "0.0.0.0:80-81->80-81/tcp, [::]:80->80/tcp",
            ),
            (vec![port("", 80, 0, "tcp"), port("", 90, 0, "tcp")], "80/tcp, 90/tcp"),
            (vec![], ""),
        ];
        for (given, expected) in cases {
            assert_eq!(ports(&given), expected, "{given:?}");
        }
    }
}
