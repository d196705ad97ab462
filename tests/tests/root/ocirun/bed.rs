//! A bundle of busybox and a directory of containers; both are gone in the end, with all that runs.

use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use testkit::wait_until;

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// What a command said.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Said {
    /// Returns what it printed; it must have succeeded.
    #[track_caller]
    pub(super) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.stdout
    }

    /// Returns what it complained about; it must have failed with this code.
    #[track_caller]
    pub(super) fn fails_with(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        self.stderr
    }
}

/// A bundle, a directory of containers, and a prefix for ids that no other test has.
pub(super) struct Bed {
    pub(super) folder: PathBuf,
    pub(super) prefix: String,
}

impl Bed {
    pub(super) fn new() -> Self {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("naru-oci-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(&prefix);
        let bin = folder.join("bundle/rootfs/bin");
        fs::create_dir_all(&bin).expect("a folder");
        fs::copy("/bin/busybox", bin.join("busybox")).expect("busybox-static is installed");
        for name in [
            "sh", "true", "cat", "ls", "sleep", "stty", "readlink", "grep", "id", "hostname", "test", "mkdir",
        ] {
            symlink("busybox", bin.join(name)).expect("new");
        }
        let bed = Self { folder, prefix };
        bed.run(&["spec", "--bundle", bed.bundle().to_str().expect("text")]).ok();
        bed.configure(|config| {
            config["process"]["terminal"] = json!(false);
            config["linux"]["cgroupsPath"] = json!(format!("/{}", bed.prefix));
            config["root"]["readonly"] = json!(false);
        });
        bed
    }

    pub(super) fn bundle(&self) -> PathBuf {
        self.folder.join("bundle")
    }

    pub(super) fn rootfs(&self) -> PathBuf {
        self.folder.join("bundle/rootfs")
    }

    /// Changes config.json.
    pub(super) fn configure(&self, edit: impl FnOnce(&mut Value)) {
        let path = self.bundle().join("config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).expect("readable")).expect("JSON");
        edit(&mut config);
        fs::write(&path, config.to_string()).expect("writable");
    }

    /// Sets the program to a shell script.
    pub(super) fn script(&self, script: &str) {
        self.configure(|config| config["process"]["args"] = json!(["sh", "-c", script]));
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(testkit::programs().join("naru-run"));
        command.arg("--root").arg(self.folder.join("root")).args(args).current_dir(self.bundle());
        command
    }

    pub(super) fn run(&self, args: &[&str]) -> Said {
        self.run_with_input(args, "")
    }

    pub(super) fn run_with_input(&self, args: &[&str], input: &str) -> Said {
        said(self.command(args), input)
    }

    /// Creates a container whose program sleeps, with its streams at /dev/null.
    pub(super) fn create(&self, id: &str) {
        let log = fs::File::create(self.folder.join("create.log")).expect("writable");
        let mut command = self.command(&["create", id]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let status = command.status().expect("it can be executed");
        assert!(
            status.success(),
            "{}",
            fs::read_to_string(self.folder.join("create.log")).unwrap_or_default()
        );
    }

    /// Creates and starts a container that stays.
    pub(super) fn start(&self, id: &str) {
        self.create(id);
        self.run(&["start", id]).ok();
    }

    pub(super) fn state(&self, id: &str) -> Value {
        serde_json::from_str(&self.run(&["state", id]).ok()).expect("JSON")
    }

    pub(super) fn status(&self, id: &str) -> String {
        self.state(id)["status"].as_str().expect("text").to_owned()
    }

    pub(super) fn await_status(&self, id: &str, status: &str) {
        wait_until(status, || self.status(id) == status);
    }

    /// Returns the cgroup directories of this bed that exist.
    pub(super) fn cgroups(&self) -> Vec<PathBuf> {
        let path = self.prefix.clone();
        let mut found = vec![PathBuf::from("/sys/fs/cgroup").join(&path)];
        for entry in fs::read_dir("/sys/fs/cgroup").expect("cgroups are mounted").flatten() {
            found.push(entry.path().join(&path));
        }
        found.retain(|directory| directory.exists());
        found
    }

    /// Asserts that nothing is left of any container.
    #[track_caller]
    pub(super) fn assert_nothing_left(&self) {
        let left: Vec<_> = fs::read_dir(self.folder.join("root"))
            .map_or_else(|_| Vec::new(), |entries| entries.flatten().map(|entry| entry.path()).collect());
        assert!(left.is_empty(), "containers are left: {left:?}");
        assert!(self.cgroups().is_empty(), "cgroups are left: {:?}", self.cgroups());
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("readable");
        let folder = self.folder.to_str().expect("text");
        assert!(!mounts.contains(folder), "mounts are left");
        assert_eq!(processes_of(&self.rootfs()), Vec::<u32>::new(), "processes are left");
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let ids = self.run(&["list", "-q"]).stdout;
        for id in ids.lines() {
            self.run(&["delete", "--force", id]);
        }
        let _ = fs::remove_dir_all(&self.folder); // A failed test may have left something in it.
    }
}

/// Runs a command to its end.
pub(super) fn said(mut command: Command, input: &str) -> Said {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it can be executed");
    let mut stdin = child.stdin.take().expect("piped");
    let _ = stdin.write_all(input.as_bytes()); // It need not read it.
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    Said {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Returns the processes whose program lies below a directory.
fn processes_of(rootfs: &Path) -> Vec<u32> {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(program) = fs::metadata(rootfs.join("bin/busybox")) else { return Vec::new() };
    let is_one = |pid: &u32| {
        fs::metadata(format!("/proc/{pid}/exe"))
            .is_ok_and(|exe| (exe.dev(), exe.ino()) == (program.dev(), program.ino()))
    };
    let entries = fs::read_dir("/proc").expect("readable").flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_one).collect()
}
