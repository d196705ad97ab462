//! The host's resolvers, as /etc/resolv.conf has them at the moment.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// The servers of a file, read again whenever it changes.
#[derive(Debug)]
pub(super) struct HostsResolvers {
    path: PathBuf,
    known: Mutex<Option<(Option<SystemTime>, Vec<IpAddr>)>>,
}

impl HostsResolvers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, known: Mutex::default() }
    }

    /// Returns the servers: one look at the file's time, and the file only if it changed.
    pub(super) fn servers(&self) -> Vec<IpAddr> {
        let changed = fs::metadata(&self.path).and_then(|metadata| metadata.modified()).ok();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some((then, servers)) if *then == changed => servers.clone(),
            _ => {
                // A host without the file is one without resolvers.
                let servers = parse(&fs::read_to_string(&self.path).unwrap_or_default());
                *known = Some((changed, servers.clone()));
                servers
            }
        }
    }
}

fn parse(text: &str) -> Vec<IpAddr> {
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        // An address of a link (fe80::1%eth0) cannot be asked without its link.
        (words.next() == Some("nameserver")).then(|| words.next()?.parse().ok()).flatten()
    };
    text.lines().filter_map(server).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn changed_file_is_read_again() {
        let path = std::env::temp_dir().join(format!("naru-test-resolv-{}", std::process::id()));
        let resolvers = HostsResolvers::new(path.clone());
        assert_eq!(resolvers.servers(), Vec::<IpAddr>::new());
        let mut expected: Vec<IpAddr> = vec!["127.0.0.53".parse().expect("valid")];
        fs::write(&path, "# x\nnameserver 127.0.0.53\nsearch a\n").expect("writable");
        assert_eq!(resolvers.servers(), expected);
        expected = vec!["192.0.2.1".parse().expect("valid"), "::1".parse().expect("valid")];
        fs::write(&path, "nameserver 192.0.2.1\nnameserver ::1\nnameserver x\n").expect("writable");
        let file = fs::File::open(&path).expect("there");
        file.set_modified(SystemTime::now() + Duration::from_secs(5)).expect("ours");
        assert_eq!(resolvers.servers(), expected);
        fs::remove_file(&path).expect("ours");
    }
}
