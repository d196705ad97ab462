//! Cold pulls of a large image: 28 000 files in six layers, some 600 MB, from a registry on loopback to a fresh ext4.
//!
//! Each round has a file system of its own on a loop device, because ext4 is ten times slower at making files where many were
//! removed a moment ago.

use super::table::{Samples, print_line, time};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use testkit::{EnvOptions, TestEnv};

const ROUNDS: usize = 3;
const LAYERS: u64 = 6;
const FILES_PER_LAYER: u64 = 4_700;
const REFERENCE: &str = "127.0.0.1:5001/bench:1";

/// Pulls with each driver and prints how long it took, and how long removing did.
pub(crate) fn run() {
    let work = std::env::temp_dir().join(format!("naru-bench-pull-{}", std::process::id()));
    fs::create_dir_all(&work).expect("the temporary directory is writable");
    let archive = image(&work);
    let mut columns = Vec::new();
    let mut removals = Vec::new();
    for driver in ["erofs", "overlay2"] {
        let (mut pulls, mut removed) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (pull, remove) = round(&work, &archive, driver);
            pulls.push(pull);
            removed.push(remove);
        }
        columns.push((driver, Samples::new(pulls)));
        removals.push((driver, Samples::new(removed)));
    }
    print_line("pull, 28 000 files, cold", &columns);
    print_line("rmi of it", &removals);
    let _ = fs::remove_dir_all(&work); // ours
}

fn round(work: &Path, archive: &Path, driver: &str) -> (std::time::Duration, std::time::Duration) {
    let flags = vec!["--storage-driver".to_owned(), driver.to_owned()];
    let mut env = TestEnv::with(EnvOptions { flags, without_engine: true, ..EnvOptions::default() });
    let disk = Disk::mount(&work.join("disk"), &env.data_root());
    let registry = Registry::start(&env, work, archive);
    env.start_engine();
    let pull = time(|| drop(env.naru(&["pull", "-q", REFERENCE]).ok()));
    let remove = time(|| drop(env.naru(&["rmi", REFERENCE]).ok()));
    env.stop_engine();
    drop(registry);
    drop(disk);
    (pull, remove)
}

/// A fresh ext4 on a loop device.
struct Disk {
    file: PathBuf,
    target: PathBuf,
}

impl Disk {
    fn mount(file: &Path, target: &Path) -> Self {
        fs::create_dir_all(target).expect("a directory");
        let made = fs::File::create(file).and_then(|file| file.set_len(4 << 30));
        made.expect("a sparse file");
        ok(Command::new("mkfs.ext4")
            .args(["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"])
            .arg(file));
        ok(Command::new("mount").args(["-o", "loop"]).arg(file).arg(target));
        Self { file: file.to_owned(), target: target.to_owned() }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-R", "-l"]).arg(&self.target).status(); // the removal tells if it failed
        let _ = fs::remove_file(&self.file);
    }
}

/// A registry with the image.
struct Registry(Child);

impl Registry {
    fn start(env: &TestEnv, work: &Path, archive: &Path) -> Self {
        let config = work.join("registry.yml");
        let storage = work.join("registry").display().to_string();
        let text = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage: {{filesystem: {{rootdirectory: {storage}}}}}\n\
             http: {{addr: '127.0.0.1:5001'}}\n"
        );
        fs::write(&config, text).expect("written");
        let namespace = format!("--net=/proc/{}/ns/net", env.namespace_pid());
        let mut command = Command::new("nsenter");
        command
            .args([&namespace, "docker-registry", "serve"])
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let registry = Self(command.spawn().expect("docker-registry runs"));
        testkit::wait_until("the registry answers", || {
            let mut skopeo = Command::new("nsenter");
            let source = format!("docker-archive:{}", archive.display());
            skopeo.args([
                &namespace,
                "skopeo",
                "--insecure-policy",
                "copy",
                "-q",
                "--dest-tls-verify=false",
                &source,
            ]);
            let done = skopeo.arg(format!("docker://{REFERENCE}")).stderr(Stdio::null()).status();
            done.is_ok_and(|status| status.success())
        });
        registry
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.0.kill(); // it may have ended by itself
        let _ = self.0.wait();
    }
}

/// Makes the image as a docker-archive and returns its path.
fn image(work: &Path) -> PathBuf {
    let folder = work.join("image");
    let mut diff_ids = String::new();
    let mut names = String::new();
    for layer in 0..LAYERS {
        let files = work.join("files");
        write_files(&files, layer);
        fs::create_dir_all(&folder).expect("a directory");
        let name = format!("{layer}.tar");
        let tar = folder.join(&name);
        ok(Command::new("tar").arg("-C").arg(&files).arg("-cf").arg(&tar).arg("."));
        let sum = Command::new("sha256sum").arg(&tar).output().expect("sha256sum runs").stdout;
        let hex = String::from_utf8_lossy(&sum).split(' ').next().unwrap_or_default().to_owned();
        let comma = if layer == 0 { "" } else { "," };
        write!(diff_ids, "{comma}\"sha256:{hex}\"").expect("text");
        write!(names, "{comma}\"{name}\"").expect("text");
        fs::remove_dir_all(&files).expect("ours");
    }
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","config":{{}},"rootfs":{{"type":"layers","diff_ids":[{diff_ids}]}}}}"#
    );
    fs::write(folder.join("config.json"), config).expect("written");
    let manifest = format!(r#"[{{"Config":"config.json","RepoTags":["bench:1"],"Layers":[{names}]}}]"#);
    fs::write(folder.join("manifest.json"), manifest).expect("written");
    let archive = work.join("image.tar");
    ok(Command::new("tar").arg("-C").arg(&folder).arg("-cf").arg(&archive).arg("."));
    fs::remove_dir_all(&folder).expect("ours");
    archive
}

/// Writes a layer's files: from a few bytes to 100 KB, about as compressible as programs are.
fn write_files(folder: &Path, layer: u64) {
    let mut state = 0x9E37_79B9_7F4A_7C15 ^ (layer + 1);
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        u64::wrapping_mul(state, 0x2545_F491_4F6C_DD1D)
    };
    for number in 0..FILES_PER_LAYER {
        let directory = folder.join(format!("l{layer}/d{}", number / 40));
        fs::create_dir_all(&directory).expect("a directory");
        let size = (next() % 300 * (next() % 300) / 2) as usize;
        let mut bytes = Vec::with_capacity(size + 64);
        while bytes.len() < size {
            bytes.extend_from_slice(&next().to_le_bytes()[..5]);
            let word = next() % 60;
            for _ in 0..3 {
                let _ = write!(bytes, "word{word} "); // into memory
            }
        }
        fs::write(directory.join(format!("f{number}")), bytes).expect("written");
    }
}

fn ok(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}
