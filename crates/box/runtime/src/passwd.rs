//! The home directory of a user, from the container's own /etc/passwd.

use std::fs::File;
use std::io::Read as _;

/// More than this of a passwd file is not read: it comes from an image.
const MAX_BYTES: u64 = 1024 * 1024;

/// Returns the home directory of a user in a passwd file; `/` if there is none, as runc.
pub(crate) fn home_of(file: Option<File>, uid: u32) -> String {
    let mut bytes = Vec::new();
    if let Some(file) = file {
        // What cannot be read has no entry.
        let _ = file.take(MAX_BYTES).read_to_end(&mut bytes);
    }
    home_in(&String::from_utf8_lossy(&bytes), uid).unwrap_or_else(|| "/".to_owned())
}

fn home_in(passwd: &str, uid: u32) -> Option<String> {
    let uid = uid.to_string();
    let line = passwd.lines().find(|line| line.split(':').nth(2) == Some(&uid))?;
    line.split(':').nth(5).filter(|home| !home.is_empty() && !home.contains('\0')).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn home_is_that_of_the_first_line_with_the_id() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\nbad line\na:x:10:1::/home/a:\nb:x:10:1::/home/b:\nc:x:11:1:::\n";
        assert_eq!(home_in(passwd, 0), Some("/root".into()));
        assert_eq!(home_in(passwd, 10), Some("/home/a".into()));
        assert_eq!(home_in(passwd, 11), None);
        assert_eq!(home_in(passwd, 1), None);
        assert_eq!(home_of(None, 0), "/");
    }
}
