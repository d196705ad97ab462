//! The sockets of the API: unix sockets of our own, those that systemd opened, TCP with mutual TLS.

use crate::config::Config;
use crate::error::Error;
use crate::tls;
use api::Listener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// Opens every socket that the configuration names.
///
/// An own socket appears under its name only when it is ready: it is bound beside it and renamed, which also replaces
/// the stale socket of an engine that was killed.
///
/// # Errors
/// A socket cannot be made, or `fd://` is named and systemd passed none.
pub(crate) fn open(config: &Config) -> Result<Vec<Listener>, Error> {
    let mut listeners = Vec::new();
    let failed = |source| Error::File { what: "listen in", path: config.exec_root.clone(), source };
    let group = config.group.as_deref();
    for host in &config.hosts {
        if let Some(path) = host.strip_prefix("unix://") {
            listeners.push(unix(bind(Path::new(path), group)?).map_err(failed)?);
        } else if let (Some(address), Some(files)) = (host.strip_prefix("tcp://"), &config.tls) {
            let tls = tls::server_config(files)?;
            let failed = |error: std::io::Error| Error::Value {
                key: "host",
                value: host.clone(),
                rule: error.to_string(),
            };
            let address: std::net::SocketAddr = address
                .parse()
                .map_err(|_| failed(std::io::Error::other("address and port are expected")))?;
            let listener = std::net::TcpListener::bind(address).map_err(failed)?;
            listener.set_nonblocking(true).map_err(failed)?;
            listeners.push(Listener::Tls(tokio::net::TcpListener::from_std(listener).map_err(failed)?, tls));
        } else {
            for listener in inherited()? {
                listeners.push(unix(listener).map_err(failed)?);
            }
        }
    }
    Ok(listeners)
}

fn unix(listener: UnixListener) -> std::io::Result<Listener> {
    listener.set_nonblocking(true)?;
    Ok(Listener::Unix(tokio::net::UnixListener::from_std(listener)?))
}

fn bind(path: &Path, group: Option<&str>) -> Result<UnixListener, Error> {
    let failed = |what| move |source| Error::File { what, path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed("make the folder of"))?;
    }
    let temporary = PathBuf::from(format!("{}.{}", path.display(), std::process::id()));
    let _ = std::fs::remove_file(&temporary); // left by an engine with the same pid that was killed
    let listener = UnixListener::bind(&temporary).map_err(failed("listen at"))?;
    std::fs::set_permissions(&temporary, std::fs::Permissions::from_mode(0o660))
        .map_err(failed("protect"))?;
    if let Some(gid) = group_id(group)? {
        chown(&temporary, None, Some(gid)).map_err(failed("give to its group"))?;
    }
    std::fs::rename(&temporary, path).map_err(failed("put in place"))?;
    Ok(listener)
}

/// Returns the group of the socket: the one that was asked for must exist, `naru` may.
pub(crate) fn group_id(group: Option<&str>) -> Result<Option<u32>, Error> {
    if let Some(gid) = group.and_then(|group| group.parse().ok()) {
        return Ok(Some(gid));
    }
    let text = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let found = find_group(&text, group.unwrap_or("naru"));
    match (found, group) {
        (None, Some(group)) => Err(Error::Value {
            key: "group",
            value: group.to_owned(),
            rule: "no such group in /etc/group".into(),
        }),
        (found, _) => Ok(found),
    }
}

fn find_group(text: &str, name: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten()
    })
}

fn inherited() -> Result<Vec<UnixListener>, Error> {
    let sockets =
        sys::inherit::listen_fds().map_err(|reason| Error::Inherited { reason: reason.to_string() })?;
    if sockets.is_empty() {
        return Err(Error::Inherited { reason: "LISTEN_FDS is not set for this process".into() });
    }
    Ok(sockets.into_iter().map(UnixListener::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_is_found_by_its_whole_name() {
        let text = "root:x:0:\nnaruto:x:7:\nnaru:x:42:me\n";
        assert_eq!(find_group(text, "naru"), Some(42));
        assert_eq!(find_group(text, "nar"), None);
    }

    #[test]
    fn bind_replaces_a_stale_socket_and_protects_it() {
        let folder = std::env::temp_dir().join(format!("naru-listen-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("writable");
        let path = folder.join("naru.sock");
        drop(UnixListener::bind(&path).expect("bound"));
        let _listener = bind(&path, None).expect("bound again");
        let mode = std::fs::metadata(&path).expect("the socket").permissions().mode() & 0o777;
        assert_eq!(mode, 0o660);
        std::os::unix::net::UnixStream::connect(&path).expect("it answers");
        std::fs::remove_dir_all(&folder).expect("ours");
    }
}
