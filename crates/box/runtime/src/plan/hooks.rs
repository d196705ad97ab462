//! Hooks: which there are, and what they get.

use super::text::{c_text, path_text};
use crate::Error;
use oci::runtime::Hook;
use std::ffi::CString;

/// A hook, planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) path: CString,
    pub(crate) args: Vec<CString>,
    pub(crate) env: Vec<CString>,
    pub(crate) timeout_s: Option<u32>,
}

/// The hooks of a specification that run before its program.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    /// In the runtime's namespaces: prestart and then createRuntime.
    pub(crate) runtime: Vec<(&'static str, Planned)>,
    pub(crate) create_container: Vec<Planned>,
    pub(crate) start_container: Vec<Planned>,
}

/// Plans the hooks, those of poststart and poststop too, so that a wrong one shows before anything is made.
pub(crate) fn plan(hooks: Option<&oci::runtime::Hooks>) -> Result<Hooks, Error> {
    let Some(hooks) = hooks else { return Ok(Hooks::default()) };
    let named = |name, list: &[Hook]| {
        let planned = of_list(&format!("hooks.{name}"), list)?;
        Ok::<_, Error>(planned.into_iter().map(move |planned| (name, planned)))
    };
    of_list("hooks.poststart", &hooks.poststart)?;
    of_list("hooks.poststop", &hooks.poststop)?;
    let prestart = named("prestart", &hooks.prestart)?;
    Ok(Hooks {
        runtime: prestart.chain(named("createRuntime", &hooks.create_runtime)?).collect(),
        create_container: of_list("hooks.createContainer", &hooks.create_container)?,
        start_container: of_list("hooks.startContainer", &hooks.start_container)?,
    })
}

/// Plans the hooks of one list. `field` is where it stands.
pub(crate) fn of_list(field: &str, list: &[Hook]) -> Result<Vec<Planned>, Error> {
    let one = |(index, hook): (usize, &Hook)| {
        let field = format!("{field}[{index}]");
        if !hook.path.is_absolute() {
            let reason = format!("{:?} is not absolute", hook.path.display().to_string());
            return Err(Error::invalid(format!("{field}.path"), reason));
        }
        let timeout_s = match hook.timeout {
            None => None,
            Some(seconds) => {
                let fine = u32::try_from(seconds).ok().filter(|seconds| *seconds > 0);
                let wrong =
                    || Error::invalid(format!("{field}.timeout"), format!("{seconds} is not above 0"));
                Some(fine.ok_or_else(wrong)?)
            }
        };
        let path = path_text(&format!("{field}.path"), &hook.path)?;
        let texts = |name: &str, list: &[String]| {
            let field = format!("{field}.{name}");
            list.iter().map(|text| c_text(&field, text)).collect::<Result<Vec<_>, _>>()
        };
        let mut args = texts("args", &hook.args)?;
        if args.is_empty() {
            args.push(path.clone()); // A program without a zeroth argument is none that anybody expects.
        }
        Ok(Planned { env: texts("env", &hook.env)?, path, args, timeout_s })
    };
    list.iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_hooks_are_refused_by_field() {
        let hook = |path: &str, timeout| Hook { path: path.into(), timeout, ..Hook::default() };
        for (hook, want) in [
            (hook("bin/x", None), "hooks.poststop[1].path: \"bin/x\" is not absolute"),
            (hook("/bin/x", Some(0)), "hooks.poststop[1].timeout: 0 is not above 0"),
        ] {
            let hooks = oci::runtime::Hooks {
                poststop: vec![Hook { path: "/fine".into(), ..Hook::default() }, hook],
                ..oci::runtime::Hooks::default()
            };
            assert_eq!(plan(Some(&hooks)).map(drop).map_err(|e| e.to_string()), Err(want.into()));
        }
    }

    #[test]
    fn prestart_comes_before_create_runtime() {
        let hook = |path: &str| Hook { path: path.into(), ..Hook::default() };
        let hooks = oci::runtime::Hooks {
            create_runtime: vec![hook("/b")],
            prestart: vec![hook("/a")],
            ..oci::runtime::Hooks::default()
        };
        let planned = plan(Some(&hooks)).expect("fine");
        let names: Vec<_> = planned.runtime.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["prestart", "createRuntime"]);
    }
}
