//! What the supervisor leaves on disk: the exit record and its part of the birth record.

use crate::Error;
use shimwire::{BIRTH_FILE, EXIT_FILE, ExitRecord, Step};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Writes the exit record so that it is there as a whole or not at all, also after a power cut.
pub(crate) fn write_exit(run_directory: &Path, record: &ExitRecord) -> Result<(), Error> {
    let path = run_directory.join(EXIT_FILE);
    let temporary = run_directory.join(".exit.json.new");
    let write = || -> io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(&serde_json::to_vec(record)?)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        File::open(run_directory)?.sync_all()
    };
    write().map_err(|source| Error::File { what: "write exit record", path: path.clone(), source })
}

/// Removes the exit record.
pub(crate) fn remove_exit(run_directory: &Path) {
    let _ = fs::remove_file(run_directory.join(EXIT_FILE)); // The engine removes the directory anyway.
}

/// Appends steps to the birth record. It explains; nothing depends on it: failures are told and ignored.
pub(crate) fn append_birth(directory: &Path, steps: &[Step]) {
    let path = directory.join(BIRTH_FILE);
    let append = || -> io::Result<()> {
        let mut lines = Vec::new();
        for step in steps {
            serde_json::to_writer(&mut lines, step)?;
            lines.push(b'\n');
        }
        OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?.write_all(&lines)
    };
    if let Err(source) = append() {
        crate::complain(
            &Error::File { what: "write birth record", path, source },
            "the birth record has a gap",
        );
    }
}
