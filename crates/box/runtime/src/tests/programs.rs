//! Programs that cannot be executed: each cause is told apart, with Docker's words in front.

use super::fixture::Bed;
use error::Kind;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

/// Returns the beginning of an ELF program for a machine, with a loader if one is given.
fn elf(machine: u16, loader: Option<&str>) -> Vec<u8> {
    let mut bytes = vec![0u8; 64];
    bytes[..8].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0]);
    bytes[16..18].copy_from_slice(&2u16.to_le_bytes());
    bytes[18..20].copy_from_slice(&machine.to_le_bytes());
    bytes[20..24].copy_from_slice(&1u32.to_le_bytes());
    bytes[32..40].copy_from_slice(&64u64.to_le_bytes());
    bytes[52..54].copy_from_slice(&64u16.to_le_bytes());
    bytes[54..56].copy_from_slice(&56u16.to_le_bytes());
    bytes[56..58].copy_from_slice(&1u16.to_le_bytes());
    let Some(loader) = loader else { return bytes };
    let mut header = vec![0u8; 56];
    header[..4].copy_from_slice(&3u32.to_le_bytes());
    header[8..16].copy_from_slice(&120u64.to_le_bytes());
    header[32..40].copy_from_slice(&(loader.len() as u64 + 1).to_le_bytes());
    bytes.extend(header);
    bytes.extend(loader.bytes());
    bytes.push(0);
    bytes.resize(4096, 0);
    bytes
}

#[test]
fn causes_are_told_apart() {
    let own = if cfg!(target_arch = "x86_64") { 62 } else { 183 };
    let other = if own == 62 { 183 } else { 62 };
    let name = if own == 62 { "aarch64, not for x86_64" } else { "x86_64, not for aarch64" };
    let cases: Vec<(Vec<u8>, String, Kind)> = vec![
        (
            b"#!/bin/bash -e\necho".to_vec(),
            "exec /p: no such file or directory: its first line names the interpreter \"/bin/bash\", which is not there".into(),
            Kind::CommandNotFound,
        ),
        (
            b"#!/bin/sh\r\necho\r\n".to_vec(),
            "exec /p: no such file or directory: its first line names \"/bin/sh\" with a carriage return behind it: the file has Windows line ends".into(),
            Kind::CommandNotFound,
        ),
        (
            b"#!/etc/notexec\n".to_vec(),
            "exec /p: permission denied: its first line names the interpreter \"/etc/notexec\", which cannot be executed".into(),
            Kind::CommandNotExecutable,
        ),
        (
            elf(own, Some("/lib/ld-nowhere.so.1")),
            "exec /p: no such file or directory: it needs the dynamic loader \"/lib/ld-nowhere.so.1\", which is not there".into(),
            Kind::CommandNotFound,
        ),
        (
            elf(other, None),
            format!("exec /p: exec format error: it is a program for {name}"),
            Kind::CommandNotExecutable,
        ),
        (
            b"echo hello\n".to_vec(),
            "exec /p: exec format error: it is neither a program nor a script with a first line like #!/bin/sh".into(),
            Kind::CommandNotExecutable,
        ),
    ];
    for (content, want, kind) in cases {
        let mut bed = Bed::new("");
        let path = bed.lower().join("p");
        fs::write(&path, content).expect("file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("mode");
        bed.process().args = vec!["/p".into()];
        assert_eq!(bed.failure(), (want, kind));
        assert!(!bed.cgroup().exists());
    }
}

#[test]
fn cause_is_left_out_where_the_file_cannot_be_read() {
    let mut bed = Bed::new("");
    let path = bed.lower().join("p");
    fs::write(&path, "#!/bin/bash\n").expect("file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o711)).expect("mode");
    bed.process().args = vec!["/p".into()];
    bed.process().user.uid = 1000;
    bed.process().capabilities = None;
    let (text, _) = bed.failure();
    assert!(text.starts_with("exec /p: "), "{text}");
    assert!(!text.contains("/bin/bash"), "{text}");
}
