//! Who a process is: `user[:group]`, looked up in the image's own passwd and group files. Pure.
//!
//! An id of digits only never falls back to a name: out of range it is refused (CVE-2024-40635, CVE-2026-46680).

use crate::Error;

/// Ids above this are refused, as by Docker.
const MAX_ID: u32 = i32::MAX as u32;

/// Who a process is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Supplementary groups; the primary one is always among them (CVE-2022-36109).
    pub(crate) groups: Vec<u32>,
    /// The home directory; `/` if unknown.
    pub(crate) home: String,
}

/// Looks up `user[:group]` and further groups.
///
/// # Errors
/// InvalidArgument with Docker's texts.
pub(crate) fn resolve(
    user: &str,
    extra_groups: &[String],
    passwd: &str,
    group: &str,
) -> Result<Identity, Error> {
    let (user, group_name) = match user.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (user, None),
    };
    let mut identity = Identity { home: "/".to_owned(), ..Identity::default() };
    let wanted = number(user)?;
    let entry = passwd_entries(passwd).find(|entry| match wanted {
        Some(uid) => entry.id == uid,
        None => {
            entry.name == if user.is_empty() { "root" } else { user } || (user.is_empty() && entry.id == 0)
        }
    });
    match (&entry, wanted) {
        (Some(entry), _) => {
            identity.uid = entry.id;
            identity.gid = entry.gid;
            if !entry.home.is_empty() {
                identity.home = entry.home.to_owned();
            }
        }
        (None, Some(uid)) => identity.uid = uid,
        (None, None) if user.is_empty() => {}
        (None, None) => {
            return Err(Error::invalid(format!(
                "unable to find user {user}: no matching entries in passwd file"
            )));
        }
    }
    match group_name {
        Some(name) => identity.gid = find_group(name, group)?,
        // The groups of a user count only if no group was asked for.
        None => identity.groups.extend(entry.iter().flat_map(|entry| memberships(entry.name, group))),
    }
    for name in extra_groups {
        identity.groups.push(find_group(name, group)?);
    }
    identity.groups.insert(0, identity.gid);
    let mut seen = std::collections::BTreeSet::new();
    identity.groups.retain(|gid| seen.insert(*gid));
    Ok(identity)
}

/// Reads an id; none for a text that is not all digits.
fn number(text: &str) -> Result<Option<u32>, Error> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse::<u32>() {
        Ok(id) if id <= MAX_ID => Ok(Some(id)),
        _ => Err(Error::invalid("uids and gids must be in range 0-2147483647")),
    }
}

fn find_group(name: &str, group: &str) -> Result<u32, Error> {
    if let Some(gid) = number(name)? {
        return Ok(gid);
    }
    let found = group_entries(group).find(|(entry, ..)| *entry == name);
    found.map(|(_, gid, _)| gid).ok_or_else(|| {
        Error::invalid(format!("unable to find group {name}: no matching entries in group file"))
    })
}

fn memberships<'a>(user: &'a str, group: &'a str) -> impl Iterator<Item = u32> + 'a {
    group_entries(group)
        .filter(move |(.., members)| members.split(',').any(|member| member == user))
        .map(|(_, gid, _)| gid)
}

struct Passwd<'a> {
    name: &'a str,
    id: u32,
    gid: u32,
    home: &'a str,
}

fn passwd_entries(text: &str) -> impl Iterator<Item = Passwd<'_>> {
    text.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with('#'))?;
        let mut rest = fields.skip(1);
        let id = rest.next()?.parse().ok().filter(|id| *id <= MAX_ID)?;
        let gid = rest.next()?.parse().ok().filter(|gid| *gid <= MAX_ID)?;
        Some(Passwd { name, id, gid, home: rest.nth(1).unwrap_or_default() })
    })
}

fn group_entries(text: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    text.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with('#'))?;
        let mut rest = fields.skip(1);
        let gid = rest.next()?.parse().ok().filter(|gid| *gid <= MAX_ID)?;
        Some((name, gid, rest.next().unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "# comment\nroot:x:0:0:root:/root:/bin/sh\n\nbad line\nbob:x:1000:1001:Bob:/home/bob:/bin/sh\nodd:x:7:7::\n99:x:5:5::/five:\n";
    const GROUP: &str = "root:x:0:root\nwheel:x:10:root,bob\nstaff:x:50:bob\naudio:x:63:\n";

    fn identity(uid: u32, gid: u32, groups: &[u32], home: &str) -> Identity {
        Identity { uid, gid, groups: groups.into(), home: home.into() }
    }

    #[test]
    fn users_are_found_by_name_and_number() {
        let cases = [
            ("", identity(0, 0, &[0, 10], "/root")),
            ("root", identity(0, 0, &[0, 10], "/root")),
            ("0", identity(0, 0, &[0, 10], "/root")),
            ("bob", identity(1000, 1001, &[1001, 10, 50], "/home/bob")),
            ("1000", identity(1000, 1001, &[1001, 10, 50], "/home/bob")),
            ("bob:audio", identity(1000, 63, &[63], "/home/bob")),
            ("1234", identity(1234, 0, &[0], "/")),
            ("1234:5678", identity(1234, 5678, &[5678], "/")),
            ("bob:", identity(1000, 1001, &[1001, 10, 50], "/home/bob")),
            ("odd", identity(7, 7, &[7], "/")),
            ("99", identity(99, 0, &[0], "/")),
        ];
        for (user, expected) in cases {
            assert_eq!(resolve(user, &[], PASSWD, GROUP).unwrap(), expected, "{user:?}");
        }
    }

    #[test]
    fn image_without_passwd_has_only_numbers() {
        assert_eq!(resolve("", &[], "", "").unwrap(), identity(0, 0, &[0], "/"));
        assert_eq!(resolve("5:6", &[], "", "").unwrap(), identity(5, 6, &[6], "/"));
    }

    #[test]
    fn further_groups_are_added_once() {
        let extra = ["audio", "10", "4711"].map(str::to_owned);
        assert_eq!(resolve("bob", &extra, PASSWD, GROUP).unwrap().groups, [1001, 10, 50, 63, 4711]);
    }

    #[test]
    fn unknown_names_and_ids_out_of_range_are_refused() {
        let range = "uids and gids must be in range 0-2147483647";
        let cases = [
            ("nobodyx", "unable to find user nobodyx: no matching entries in passwd file"),
            ("bob:nope", "unable to find group nope: no matching entries in group file"),
            ("2147483648", range),
            ("4294967296", range),
            ("99999999999999999999", range),
            ("0:2147483648", range),
            ("-1", "unable to find user -1: no matching entries in passwd file"),
            ("1 ", "unable to find user 1 : no matching entries in passwd file"),
        ];
        for (user, expected) in cases {
            assert_eq!(resolve(user, &[], PASSWD, GROUP).unwrap_err().to_string(), expected, "{user:?}");
        }
    }

    #[test]
    fn passwd_entry_with_an_id_out_of_range_does_not_count() {
        let error = resolve("evil", &[], "evil:x:4294967296:0::/:\n", "").unwrap_err();
        assert_eq!(error.to_string(), "unable to find user evil: no matching entries in passwd file");
    }
}
