//! What is wrong with a text, in the words that clients match on.

use error::{Fault, Kind};

/// Text that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not 64 lower-case hexadecimal digits.
    #[error("invalid {what} id {text:?}: must be 64 lower-case hexadecimal digits")]
    Id {
        /// `container`, `network`, …
        what: &'static str,
        /// The text.
        text: String,
    },
    /// No `algorithm:hex`.
    #[error("invalid checksum digest format")]
    DigestFormat,
    /// Neither sha256 nor sha512.
    #[error("unsupported digest algorithm")]
    DigestAlgorithm,
    /// The wrong number of digits for the algorithm.
    #[error("invalid checksum digest length")]
    DigestLength,
    /// No image reference.
    #[error("invalid reference format")]
    Reference,
    /// Upper-case letters in a repository's path.
    #[error("invalid reference format: repository name ({name}) must be lowercase")]
    RepositoryUppercase {
        /// The path.
        name: String,
    },
    /// A repository named like an image id.
    #[error("invalid repository name ({name}), cannot specify 64-byte hexadecimal strings")]
    RepositoryIsId {
        /// The text.
        name: String,
    },
    /// A repository's path over 255 bytes.
    #[error("repository name must not be more than 255 characters")]
    RepositoryTooLong,
    /// No tag: `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`.
    #[error("invalid tag format")]
    Tag,
    /// A platform with a component that has characters other than `[A-Za-z0-9_.-]`.
    #[error(
        "{component:?} is an invalid component of {text:?}: platform specifier component must match \
         \"^[A-Za-z0-9_.-]+$\": invalid argument"
    )]
    PlatformComponent {
        /// The component.
        component: String,
        /// The whole text.
        text: String,
    },
    /// A single word that is neither an operating system nor an architecture.
    #[error("{text:?}: unknown operating system or architecture: invalid argument")]
    PlatformUnknown {
        /// The text.
        text: String,
    },
    /// A platform with too many components.
    #[error("{text:?}: cannot parse platform specifier: invalid argument")]
    Platform {
        /// The text.
        text: String,
    },
    /// A size without a number.
    #[error("invalid size: '{text}'")]
    Size {
        /// The text.
        text: String,
    },
    /// A size with an unknown unit.
    #[error("invalid suffix: '{suffix}'")]
    SizeSuffix {
        /// The unit in lower case.
        suffix: String,
    },
    /// No Go duration.
    #[error("time: invalid duration {text:?}")]
    Duration {
        /// The text.
        text: String,
    },
    /// A duration without a unit.
    #[error("time: missing unit in duration {text:?}")]
    DurationUnit {
        /// The text.
        text: String,
    },
    /// A duration with an unknown unit.
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    DurationUnknownUnit {
        /// The unit.
        unit: String,
        /// The text.
        text: String,
    },
    /// No moment in RFC 3339, or one outside of the years 1678 to 2261.
    #[error("parsing time {text:?}: not a moment in RFC 3339")]
    Time {
        /// The text.
        text: String,
    },
    /// No moment in any of the forms that `--since` and `--until` take.
    #[error("failed to parse value as time or duration: {text:?}")]
    Moment {
        /// The text.
        text: String,
    },
    /// Filters that are not JSON of one of the two forms.
    #[error("invalid filter")]
    Filters,
    /// A filter that the command does not know.
    #[error("invalid filter '{name}'")]
    FilterName {
        /// The filter's name.
        name: String,
    },
    /// A filter with a value that it does not take.
    #[error("invalid filter '{name}={value}'")]
    FilterValue {
        /// The filter's name.
        name: String,
        /// The values as Go prints them.
        value: String,
    },
    /// A `--filter` argument without a value.
    #[error(
        "invalid argument {text:?} for \"-f, --filter\" flag: bad format of filter (expected name=value)"
    )]
    FilterArgument {
        /// The argument.
        text: String,
    },
    /// No regular expression, or one with constructs that are not supported.
    #[error("error parsing regexp: {reason}: `{text}`")]
    Pattern {
        /// What is wrong.
        reason: &'static str,
        /// The expression.
        text: String,
    },
    /// Not a container's name.
    #[error("Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")]
    ContainerName {
        /// The name.
        name: String,
    },
    /// No signal.
    #[error("invalid signal: {text}")]
    Signal {
        /// The text.
        text: String,
    },
    /// A signal number that Linux does not have.
    #[error("The linux daemon does not support signal {number}")]
    SignalNumber {
        /// The number.
        number: i64,
    },
    /// An environment entry without a name.
    #[error("invalid environment variable: {text}")]
    Environment {
        /// The entry.
        text: String,
    },
    /// A name in an environment file that contains white space.
    #[error("variable '{name}' contains whitespaces")]
    EnvironmentWhitespace {
        /// The name.
        name: String,
    },
    /// A line of an environment file without a name.
    #[error("no variable name on line '{line}'")]
    EnvironmentNoName {
        /// The line.
        line: String,
    },
    /// A label without a name.
    #[error("invalid label '{text}': empty name")]
    Label {
        /// The label.
        text: String,
    },
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        Kind::InvalidArgument
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::RepositoryUppercase { name } => Some(format!("try {:?}", name.to_lowercase())),
            Self::Signal { .. } => {
                Some("give a name such as SIGTERM or HUP, or a number from 1 to 64".into())
            }
            _ => None,
        }
    }
}
