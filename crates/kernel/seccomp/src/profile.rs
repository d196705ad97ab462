//! The JSON of a profile.

use crate::Error;
use serde::Deserialize;

/// A profile in Docker's form: OCI's `linux.seccomp` with conditions on rules and a map of architectures.
///
/// # Source
/// OCI runtime-spec v1.3 config-linux.md#seccomp; moby/profiles `seccomp/seccomp.go`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Profile {
    /// What happens to system calls without a rule.
    pub default_action: String,
    /// The errno of the default action; EPERM if it is missing.
    pub default_errno_ret: Option<u32>,
    /// The architectures as OCI has them; the native one is always included.
    #[serde(deserialize_with = "null_as_default")]
    pub architectures: Vec<String>,
    /// Per native architecture, which further ones are included; excludes `architectures`.
    #[serde(deserialize_with = "null_as_default")]
    pub arch_map: Vec<ArchMap>,
    /// `SECCOMP_FILTER_FLAG_…`.
    #[serde(deserialize_with = "null_as_default")]
    pub flags: Vec<String>,
    /// The socket for SCMP_ACT_NOTIFY.
    pub listener_path: String,
    /// The rules.
    #[serde(deserialize_with = "null_as_default")]
    pub syscalls: Vec<Syscall>,
}

/// Which further architectures a native one brings along.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ArchMap {
    /// The native architecture, `SCMP_ARCH_X86_64`.
    pub architecture: String,
    /// The further ones.
    #[serde(deserialize_with = "null_as_default")]
    pub sub_architectures: Vec<String>,
}

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Syscall {
    /// The system call, in an old form of the profile.
    pub name: String,
    /// The system calls.
    #[serde(deserialize_with = "null_as_default")]
    pub names: Vec<String>,
    /// What happens.
    pub action: String,
    /// The errno (or the tracer's message) of the action; EPERM if it is missing.
    pub errno_ret: Option<u32>,
    /// Conditions on arguments, which must all hold; several on one argument are alternatives.
    #[serde(deserialize_with = "null_as_default")]
    pub args: Vec<Argument>,
    /// The rule applies only if all of this holds.
    #[serde(deserialize_with = "null_as_default")]
    pub includes: Filter,
    /// The rule does not apply if any of this holds.
    #[serde(deserialize_with = "null_as_default")]
    pub excludes: Filter,
}

/// A condition on one argument.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Argument {
    /// The argument's number, 0 to 5.
    pub index: u32,
    /// The value; the mask for SCMP_CMP_MASKED_EQ.
    pub value: u64,
    /// The value for SCMP_CMP_MASKED_EQ.
    pub value_two: u64,
    /// `SCMP_CMP_…`.
    pub op: String,
}

/// When a rule applies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Filter {
    /// Capabilities in the bounding set.
    #[serde(deserialize_with = "null_as_default")]
    pub caps: Vec<String>,
    /// Architectures under Go's names (`amd64`).
    #[serde(deserialize_with = "null_as_default")]
    pub arches: Vec<String>,
    /// The kernel is this version, `4.8`, or newer; empty for any.
    #[serde(deserialize_with = "null_as_default")]
    pub min_kernel: String,
}

impl Profile {
    /// Parses a profile from JSON.
    ///
    /// # Errors
    /// InvalidArgument if it is not a profile.
    pub fn parse(json: &str) -> Result<Self, Error> {
        serde_json::from_str(json).map_err(Error::Json)
    }
}

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_reads_both_forms_of_a_rule() {
        let profile = Profile::parse(
            r#"{"defaultAction":"SCMP_ACT_ERRNO","archMap":[{"architecture":"SCMP_ARCH_RISCV64","subArchitectures":null}],
                "syscalls":[{"name":"read","action":"SCMP_ACT_ALLOW","args":null},
                            {"names":["clone"],"action":"SCMP_ACT_ALLOW","comment":"x","includes":{"caps":["CAP_SYS_ADMIN"]},
                             "args":[{"index":1,"value":5,"valueTwo":7,"op":"SCMP_CMP_MASKED_EQ"}]}]}"#,
        )
        .expect("the profile is valid");
        assert_eq!((profile.syscalls[0].name.as_str(), profile.syscalls[0].args.len()), ("read", 0));
        assert_eq!(profile.syscalls[1].includes.caps, ["CAP_SYS_ADMIN"]);
        let want = Argument { index: 1, value: 5, value_two: 7, op: "SCMP_CMP_MASKED_EQ".into() };
        assert_eq!(profile.syscalls[1].args, [want]);
    }

    #[test]
    fn parse_error_begins_as_dockers() {
        let error = Profile::parse("{").expect_err("incomplete");
        assert!(error::chain(&error).starts_with("decoding seccomp profile failed: "), "{error}");
    }
}
