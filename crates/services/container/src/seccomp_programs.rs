//! Compiled seccomp programs, each in a sealed file: a profile is compiled once per set of capabilities.

use crate::Error;
use crate::spec::Seccomp;
use seccomp::Profile;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

/// Programs that are kept.
const KEPT: usize = 64;

type Key = (Option<String>, Vec<String>);

/// Compiled programs by profile (none for the default) and capabilities.
#[derive(Debug, Default)]
pub(crate) struct SeccompPrograms {
    programs: Mutex<HashMap<Key, Arc<OwnedFd>>>,
}

impl SeccompPrograms {
    /// Returns the program; none for an unconfined process.
    ///
    /// # Errors
    /// InvalidArgument for a profile that is malformed.
    pub(crate) fn get(
        &self,
        wanted: &Seccomp,
        privileged: bool,
        capabilities: &[String],
        kernel: (u32, u32),
    ) -> Result<Option<Arc<OwnedFd>>, Error> {
        let profile = match wanted {
            Seccomp::Unconfined => return Ok(None),
            Seccomp::Default if privileged => return Ok(None),
            Seccomp::Default => None,
            Seccomp::Profile { json } => Some(json.clone()),
        };
        let key = (profile, capabilities.to_vec());
        if let Some(program) = self.kept().get(&key) {
            return Ok(Some(Arc::clone(program)));
        }
        let bytes = match &key.0 {
            Some(json) => seccomp::compile(&Profile::parse(json)?, capabilities, kernel)?,
            None => seccomp::compile(&seccomp::default_profile(), capabilities, kernel)?,
        };
        let program = Arc::new(sys::memfd::sealed("naru-seccomp", &bytes)?);
        let mut kept = self.kept();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(key, Arc::clone(&program));
        Ok(Some(program))
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Arc<OwnedFd>>> {
        self.programs.lock().unwrap_or_else(PoisonError::into_inner) // each change of the map is one call
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn program_is_compiled_once_per_capabilities() {
        let programs = SeccompPrograms::default();
        let get = |capabilities: &[String]| {
            programs.get(&Seccomp::Default, false, capabilities, (6, 18)).unwrap().unwrap()
        };
        let none: [String; 0] = [];
        assert!(Arc::ptr_eq(&get(&none), &get(&none)));
        assert!(!Arc::ptr_eq(&get(&none), &get(&["CAP_SYS_ADMIN".to_owned()])));
    }

    #[test]
    fn unconfined_and_privileged_have_none_and_a_bad_profile_is_refused() {
        let programs = SeccompPrograms::default();
        assert!(programs.get(&Seccomp::Unconfined, false, &[], (6, 18)).unwrap().is_none());
        assert!(programs.get(&Seccomp::Default, true, &[], (6, 18)).unwrap().is_none());
        let bad = Seccomp::Profile { json: "{".into() };
        assert!(programs.get(&bad, false, &[], (6, 18)).is_err());
    }
}
