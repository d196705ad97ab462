//! The process of an exec.

use super::{capability_sets, environment};
use crate::facts::HostFacts;
use crate::options::ExecSpec;
use crate::spec::{Config, HostConfig};
use crate::user::Identity;
use oci::runtime::{ConsoleSize, Process, User};

/// All that an exec's process is made of.
#[derive(Debug)]
pub(crate) struct ExecInput<'a> {
    pub(crate) spec: &'a ExecSpec,
    pub(crate) config: &'a Config,
    pub(crate) host: &'a HostConfig,
    pub(crate) hostname: &'a str,
    pub(crate) identity: &'a Identity,
    pub(crate) facts: &'a HostFacts,
    pub(crate) ulimits: &'a [crate::spec::Ulimit],
}

/// Returns the process: the container's, changed by what the exec asks for.
pub(crate) fn build(input: &ExecInput<'_>) -> Process {
    let ExecInput { spec, config, host, identity, facts, .. } = input;
    let capabilities = if spec.privileged {
        facts.capabilities.names().map(str::to_owned).collect()
    } else {
        super::bounding(host, facts.capabilities)
    };
    // The terminal's variable belongs to this process, not to the container's.
    let own = Config { tty: spec.tty, env: refs::env::merge(&config.env, &spec.env), ..(*config).clone() };
    let cwd = [&spec.working_dir, &config.working_dir].into_iter().find(|path| !path.is_empty());
    Process {
        terminal: spec.tty,
        console_size: spec
            .console_size
            .filter(|(rows, columns)| spec.tty && *rows > 0 && *columns > 0)
            .map(|(height, width)| ConsoleSize { height, width }),
        user: User {
            uid: identity.uid,
            gid: identity.gid,
            umask: None,
            additional_gids: identity.groups.clone(),
        },
        args: spec.cmd.clone(),
        env: environment(&own, input.hostname, &identity.home),
        cwd: cwd.map_or_else(|| "/".to_owned(), |path| (*path).clone()),
        capabilities: Some(capability_sets(capabilities)),
        rlimits: super::rlimits_of(host, input.ulimits, facts),
        no_new_privileges: host.no_new_privileges,
        oom_score_adj: Some(super::oom_score_adj(host.oom_score_adj, facts)),
        ..Process::default()
    }
}
