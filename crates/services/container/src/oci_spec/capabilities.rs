//! Which capabilities a container has.

use crate::Error;
use crate::spec::HostConfig;
use sys::cred::Capabilities;

/// Docker's fourteen.
const DEFAULT: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

/// Returns the names of a container's capabilities, as far as the host's engine has them itself.
///
/// # Source
/// Behaviour of Docker 28: `ALL` in either list is the base that the other list changes.
pub(crate) fn bounding(host: &HostConfig, available: Capabilities) -> Vec<String> {
    wanted(host, available).intersection(available).names().map(str::to_owned).collect()
}

/// Returns what the user asked for and the host does not have.
pub(super) fn warnings(host: &HostConfig, available: Capabilities) -> Vec<String> {
    let added = host.cap_add.iter().filter_map(|name| one(name));
    let missing = added.fold(Capabilities(0), Capabilities::union).without(available);
    if missing.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = missing.names().collect();
    vec![format!("The engine itself lacks {}: the container starts without.", names.join(", "))]
}

/// Checks the names of both lists.
///
/// # Errors
/// InvalidArgument with Docker's text.
pub(crate) fn check(host: &HostConfig) -> Result<(), Error> {
    for (list, names) in [("CapAdd", &host.cap_add), ("CapDrop", &host.cap_drop)] {
        if let Some(name) = names.iter().find(|name| !is_all(name) && one(name).is_none()) {
            return Err(Error::invalid(format!(
                "invalid {list}: unknown capability: \"{}\"",
                full_name(name)
            )));
        }
    }
    Ok(())
}

fn wanted(host: &HostConfig, all: Capabilities) -> Capabilities {
    if host.privileged {
        return all;
    }
    let set = |names: &[String]| {
        names.iter().filter_map(|name| one(name)).fold(Capabilities(0), Capabilities::union)
    };
    let (add, drop) = (set(&host.cap_add), set(&host.cap_drop));
    if host.cap_add.iter().any(|name| is_all(name)) {
        all.without(drop)
    } else if host.cap_drop.iter().any(|name| is_all(name)) {
        add
    } else {
        let default = DEFAULT.iter().filter_map(|name| Capabilities::named(name));
        default.fold(Capabilities(0), Capabilities::union).without(drop).union(add)
    }
}

fn is_all(name: &str) -> bool {
    name.eq_ignore_ascii_case("ALL") || name.eq_ignore_ascii_case("CAP_ALL")
}

fn full_name(name: &str) -> String {
    let upper = name.to_ascii_uppercase();
    if upper.starts_with("CAP_") { upper } else { format!("CAP_{upper}") }
}

fn one(name: &str) -> Option<Capabilities> {
    Capabilities::named(&full_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing::host_config;

    const ALL: Capabilities = Capabilities(0x1ff_ffff_ffff);

    fn names(add: &[&str], drop: &[&str]) -> Vec<String> {
        let mut host = host_config();
        host.cap_add = add.iter().map(|name| (*name).to_owned()).collect();
        host.cap_drop = drop.iter().map(|name| (*name).to_owned()).collect();
        check(&host).unwrap();
        bounding(&host, ALL)
    }

    #[test]
    fn default_is_dockers_fourteen() {
        let mut expected: Vec<String> = DEFAULT.map(str::to_owned).into();
        let mut got = names(&[], &[]);
        expected.sort();
        got.sort();
        assert_eq!(got, expected);
    }

    #[test]
    fn lists_change_the_default_and_all_is_a_base() {
        assert!(names(&["NET_ADMIN"], &[]).contains(&"CAP_NET_ADMIN".to_owned()));
        assert!(!names(&[], &["cap_chown"]).contains(&"CAP_CHOWN".to_owned()));
        assert_eq!(names(&["sys_time"], &["ALL"]), ["CAP_SYS_TIME"]);
        assert_eq!(names(&["ALL"], &["SYS_ADMIN"]).len(), 40);
        assert_eq!(names(&[], &["all"]), [""; 0]);
    }

    #[test]
    fn unknown_names_are_refused_with_dockers_text() {
        let mut host = host_config();
        host.cap_add = vec!["FOO".into()];
        assert_eq!(check(&host).unwrap_err().to_string(), "invalid CapAdd: unknown capability: \"CAP_FOO\"");
    }

    #[test]
    fn what_the_engine_lacks_is_left_out_and_said() {
        let mut host = host_config();
        host.cap_add = vec!["SYS_RESOURCE".into()];
        let available = ALL.without(sys::cred::SYS_RESOURCE);
        assert!(!bounding(&host, available).contains(&"CAP_SYS_RESOURCE".to_owned()));
        assert_eq!(
            warnings(&host, available),
            ["The engine itself lacks CAP_SYS_RESOURCE: the container starts without."]
        );
        host.cap_add = vec!["ALL".into()];
        assert_eq!(warnings(&host, available), [""; 0]);
    }
}
