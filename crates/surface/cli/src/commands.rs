//! The commands, one file each, and the menus that they stand in.

mod accompany;
mod attach;
mod check;
mod commit;
mod create;
mod df;
mod dial_stdio;
pub(crate) mod each;
mod events;
mod exec;
mod explain;
mod export;
mod history;
mod images;
mod import;
mod info;
mod inspect;
mod kill;
mod load;
mod logs;
mod network;
mod port;
pub(crate) mod prune;
mod ps;
mod pull;
mod push;
pub(crate) mod registry;
mod rename;
mod rm;
mod rmi;
mod run;
mod save;
mod start;
mod stats;
pub(crate) mod stop;
mod tag;
mod top;
mod update;
mod version;
mod volume;
mod wait;

use crate::command::{Entry, Menu};
use crate::completion;
use crate::flags::Missing;

/// Everything that can stand behind `naru`.
pub(crate) const ROOT: Menu = Menu {
    about: "",
    entries: &[
        Entry::command("attach", &attach::ATTACH),
        Entry::command("commit", &commit::COMMIT),
        Entry::menu("completion", &completion::MENU),
        Entry::menu("container", &CONTAINER),
        Entry::command("create", &create::CREATE),
        Entry::command("events", &events::EVENTS),
        Entry::command("exec", &exec::EXEC),
        Entry::command("explain", &explain::EXPLAIN),
        Entry::command("export", &export::EXPORT),
        Entry::command("history", &history::HISTORY),
        Entry::menu("image", &IMAGE),
        Entry::command("images", &images::IMAGES),
        Entry::command("import", &import::IMPORT),
        Entry::command("info", &info::INFO),
        Entry::command("inspect", &inspect::INSPECT),
        Entry::command("kill", &kill::KILL),
        Entry::command("load", &load::LOAD),
        Entry::command("logs", &logs::LOGS),
        Entry::menu("network", &network::MENU),
        Entry::command("pause", &each::PAUSE),
        Entry::command("port", &port::PORT),
        Entry::command("ps", &ps::PS),
        Entry::command("pull", &pull::PULL),
        Entry::command("push", &push::PUSH),
        Entry::menu("registry", &registry::MENU),
        Entry::command("rename", &rename::RENAME),
        Entry::command("restart", &stop::RESTART),
        Entry::command("rm", &rm::RM),
        Entry::command("rmi", &rmi::RMI),
        Entry::command("run", &run::RUN),
        Entry::command("save", &save::SAVE),
        Entry::command("start", &start::START),
        Entry::command("stats", &stats::STATS),
        Entry::command("stop", &stop::STOP),
        Entry::menu("system", &SYSTEM),
        Entry::command("tag", &tag::TAG),
        Entry::command("top", &top::TOP),
        Entry::command("unpause", &each::UNPAUSE),
        Entry::command("update", &update::UPDATE),
        Entry::command("version", &version::VERSION),
        Entry::menu("volume", &volume::MENU),
        Entry::command("wait", &wait::WAIT),
    ],
};

/// The commands that help lists first.
pub(crate) const COMMON: &[&str] = &["run", "exec", "ps", "pull", "images", "version", "info"];

const CONTAINER: Menu = Menu {
    about: "Manage containers",
    entries: &[
        Entry::command("attach", &attach::ATTACH),
        Entry::command("commit", &commit::COMMIT),
        Entry::command("create", &create::CREATE),
        Entry::command("exec", &exec::EXEC),
        Entry::command("export", &export::EXPORT),
        Entry::command("inspect", &inspect::CONTAINER_INSPECT),
        Entry::command("kill", &kill::KILL),
        Entry::command("logs", &logs::LOGS),
        Entry::command("ls", &ps::PS).hidden(&["list", "ps"]),
        Entry::command("pause", &each::PAUSE),
        Entry::command("port", &port::PORT),
        Entry::command("prune", &prune::CONTAINER_PRUNE),
        Entry::command("rename", &rename::RENAME),
        Entry::command("restart", &stop::RESTART),
        Entry::command("rm", &rm::RM).hidden(&["remove"]),
        Entry::command("run", &run::RUN),
        Entry::command("start", &start::START),
        Entry::command("stats", &stats::STATS),
        Entry::command("stop", &stop::STOP),
        Entry::command("top", &top::TOP),
        Entry::command("unpause", &each::UNPAUSE),
        Entry::command("update", &update::UPDATE),
        Entry::command("wait", &wait::WAIT),
    ],
};

const IMAGE: Menu = Menu {
    about: "Manage images",
    entries: &[
        Entry::command("history", &history::HISTORY),
        Entry::command("import", &import::IMPORT),
        Entry::command("inspect", &inspect::IMAGE_INSPECT),
        Entry::command("load", &load::LOAD),
        Entry::command("ls", &images::IMAGES).hidden(&["list"]),
        Entry::command("prune", &prune::IMAGE_PRUNE),
        Entry::command("pull", &pull::PULL),
        Entry::command("push", &push::PUSH),
        Entry::command("rm", &rmi::RMI).hidden(&["remove"]),
        Entry::command("save", &save::SAVE),
        Entry::command("tag", &tag::TAG),
        Entry::command("verify", &check::VERIFY),
    ],
};

const SYSTEM: Menu = Menu {
    about: "Manage Naru",
    entries: &[
        Entry::command("check", &check::CHECK),
        Entry::command("df", &df::DF),
        Entry::command("events", &events::EVENTS),
        Entry::command("dial-stdio", &dial_stdio::DIAL_STDIO),
        Entry::command("info", &info::INFO),
        Entry::command("prune", &prune::SYSTEM_PRUNE),
        Entry::command("version", &version::VERSION),
    ],
};

const BUILD: &str = "images cannot be built yet";
const SWARM: &str = "there are no clusters yet";
const LOGIN: &str = "it does not exist yet; `naru pull` uses the logins in ~/.docker/config.json";

/// Commands of Docker that are refused by name.
pub(crate) const NOT_YET: &[(&str, &str)] = &[
    ("build", BUILD),
    ("builder", BUILD),
    ("buildx", BUILD),
    ("checkpoint", "containers cannot be frozen to disk"),
    ("compose", "it does not exist yet"),
    ("config", SWARM),
    ("context", "contexts do not exist yet; name the engine with -H or DOCKER_HOST"),
    ("cp", "files cannot be copied yet; `naru exec` with tar can"),
    ("df", "it is called `naru system df`"),
    ("diff", "it does not exist yet"),
    ("login", LOGIN),
    ("logout", LOGIN),
    ("manifest", "it does not exist yet"),
    ("node", SWARM),
    ("plugin", "there are no plugins"),
    ("prune", "it does not exist yet; `naru container prune` and `naru system prune` do"),
    ("search", "it does not exist yet"),
    ("secret", SWARM),
    ("service", SWARM),
    ("stack", SWARM),
    ("swarm", SWARM),
    ("trust", "content trust does not exist"),
];

const TLS: &str = "TLS without verification helps nobody; use --tlsverify";

/// Global flags of Docker that are refused by name.
pub(crate) const MISSING_GLOBALS: &[Missing] = &[
    Missing::new("context", "contexts do not exist yet; name the engine with -H or DOCKER_HOST").short('c'),
    Missing::new("log-level", "use --debug to see more").short('l'),
    Missing::new("tls", TLS),
];
