//! Labels of Linux security modules: AppArmor profiles and SELinux labels.

use super::text::c_text;
use crate::Error;
use oci::runtime::Process;
use std::ffi::CString;
use std::path::Path;
use sys::child::Op;

/// A label that a program gets when it is executed.
#[derive(Debug, Clone)]
pub(crate) struct Label {
    files: [CString; 2],
    value: CString,
}

impl Label {
    pub(crate) fn op(&self) -> Op {
        Op::Label { files: self.files.clone(), value: self.value.clone() }
    }
}

/// Plans the labels of a process. A label whose module this kernel does not run is refused.
pub(crate) fn plan(process: &Process, field: &str) -> Result<Vec<Label>, Error> {
    let mut labels = Vec::new();
    if let Some(profile) = process.apparmor_profile.as_ref().filter(|profile| !profile.is_empty()) {
        let field = format!("{field}.apparmorProfile");
        if !apparmor() {
            return Err(Error::not_supported(field, format!("AppArmor, for the profile {profile:?}")));
        }
        labels.push(Label {
            files: [c"attr/apparmor/exec".into(), c"attr/exec".into()],
            value: c_text(&field, &format!("exec {profile}"))?,
        });
    }
    if let Some(label) = process.selinux_label.as_ref().filter(|label| !label.is_empty()) {
        let field = format!("{field}.selinuxLabel");
        if !selinux() {
            return Err(Error::not_supported(field, format!("SELinux, for the label {label:?}")));
        }
        labels
            .push(Label { files: [c"attr/exec".into(), c"attr/exec".into()], value: c_text(&field, label)? });
    }
    Ok(labels)
}

/// Returns the mount option that labels a file system, for `linux.mountLabel`.
pub(crate) fn mount_option(label: Option<&String>) -> Result<Option<String>, Error> {
    let Some(label) = label.filter(|label| !label.is_empty()) else { return Ok(None) };
    if selinux() {
        return Ok(Some(format!("context={label}")));
    }
    Err(Error::not_supported("linux.mountLabel", format!("SELinux, for the label {label:?}")))
}

fn apparmor() -> bool {
    std::fs::read("/sys/module/apparmor/parameters/enabled").is_ok_and(|text| text.starts_with(b"Y"))
}

fn selinux() -> bool {
    Path::new("/sys/fs/selinux/enforce").exists()
}
