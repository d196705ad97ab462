//! Programs that were written for Docker: docker-py and docker-compose, as Debian packages them.

use std::path::PathBuf;
use std::process::Command;
use testkit::{Ran, TestEnv, checkout};

fn clients() -> PathBuf {
    checkout().join("tests/clients")
}

/// Runs one function of `tests/clients/docker_py.py`.
fn docker_py(test: &str) {
    let env = TestEnv::with_busybox();
    let script = clients().join("docker_py.py").display().to_string();
    let ran = env.run("/usr/bin/python3", &[&script, test]);
    assert_eq!((ran.code, ran.stdout.trim()), (0, "passed"), "{}", ran.stderr);
}

macro_rules! docker_py_tests {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                docker_py(stringify!($name).strip_prefix("docker_py_").expect("the prefix"));
            }
        )*
    };
}

docker_py_tests! {
    docker_py_containers_run
    docker_py_containers_life
    docker_py_containers_logs
    docker_py_containers_exec
    docker_py_containers_attach
    docker_py_containers_export
    docker_py_containers_prune
    docker_py_images_all
    docker_py_networks_all
    docker_py_volumes_all
    docker_py_ports_all
    docker_py_events_all
    docker_py_system_all
}

/// A project in a folder and under a name of its own.
struct Project<'a> {
    env: &'a TestEnv,
    file: String,
}

impl<'a> Project<'a> {
    fn new(env: &'a TestEnv) -> Self {
        let folder = env.folder().join("project");
        let ran = Command::new("cp")
            .arg("-r")
            .arg(clients().join("compose"))
            .arg(&folder)
            .status()
            .expect("cp runs");
        assert!(ran.success());
        Self { env, file: folder.join("compose.yaml").display().to_string() }
    }

    fn compose(&self, args: &[&str]) -> Ran {
        // Debian's docker-compose speaks API 1.22 unless it is told otherwise, which engines of today refuse.
        let mut command = self.env.command("docker-compose");
        let output = command
            .env("COMPOSE_API_VERSION", "1.41")
            .args(["--ansi", "never", "-f", &self.file, "-p", "project"])
            .args(args)
            .output()
            .expect("docker-compose runs");
        Ran::new(format!("docker-compose {}", args.join(" ")), &output)
    }

    fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.compose(&["ps", "-q"]).ok().lines().map(str::to_owned).collect();
        ids.sort();
        ids
    }
}

#[test]
fn compose_project_lives_through_its_whole_life() {
    let env = TestEnv::with_busybox();
    let project = Project::new(&env);
    let _ = project.compose(&["up", "-d"]).ok();
    let ids = project.ids();
    assert_eq!(ids.len(), 3, "db, app and worker, not the tool");
    let _ = project.compose(&["up", "-d"]).ok();
    assert_eq!(project.ids(), ids, "the second up has created something anew");

    assert_eq!(project.compose(&["exec", "-T", "app", "cat", "/tmp/index.html"]).ok(), "a secret word");
    let asks = "printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | \
                nc -w 10 $(nslookup db | awk '/^Address/ {a = $2} END {print a}') 5432 | tail -n 1";
    assert_eq!(project.compose(&["exec", "-T", "app", "sh", "-c", asks]).ok(), "from the db");
    let foreign = project.compose(&["exec", "-T", "worker", "nslookup", "db"]);
    assert_ne!(foreign.code, 0, "the worker is not in the network of the db: {}", foreign.stdout);

    let port = project.compose(&["port", "app", "80"]).ok();
    let port = port.rsplit(':').next().expect("a port").to_owned();
    let fetch = format!(
        "printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 10 127.0.0.1 {port} | tail -n 1"
    );
    let page = env.run_in_namespace("sh", &["-c", &fetch]);
    assert_eq!(page.ok(), "a secret word");

    assert!(project.compose(&["logs", "worker"]).ok().contains("working"));
    let _ = project.compose(&["up", "-d", "--scale", "worker=3"]).ok();
    assert_eq!(project.ids().len(), 5);
    let _ = project.compose(&["restart", "-t", "1", "worker"]).ok();
    assert_eq!(
        project.compose(&["run", "--rm", "-T", "tool"]).ok().lines().last(),
        Some("only by its profile")
    );
    let _ = project.compose(&["down", "-v", "-t", "1"]).ok();
    assert_eq!(env.naru(&["ps", "-aq"]).ok(), "");
    assert_eq!(env.naru(&["volume", "ls", "-q"]).ok(), "");
    assert_eq!(env.naru(&["network", "ls", "--filter", "name=project", "-q"]).ok(), "");
}
