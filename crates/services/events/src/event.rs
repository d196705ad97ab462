//! What happened, to what, when.

use refs::Timestamp;
use std::collections::BTreeMap;
use std::fmt;

/// The scope of all our events.
pub const SCOPE: &str = "local";

/// Something that happened to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What kind of object.
    pub kind: Type,
    /// What happened: `create`, `start`, `exec_create: sh -c true`.
    pub action: String,
    /// The object's id, or its name if it has none.
    pub actor: String,
    /// Labels, `image`, `name`, and what belongs to the action (`exitCode`).
    pub attributes: BTreeMap<String, String>,
    /// When.
    pub time: Timestamp,
}

/// What kind of object an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Type {
    /// A container.
    Container,
    /// An image.
    Image,
    /// A network.
    Network,
    /// A volume.
    Volume,
    /// The engine itself.
    Daemon,
}

impl Type {
    const ALL: [Self; 5] = [Self::Container, Self::Image, Self::Network, Self::Volume, Self::Daemon];

    /// Returns the name that clients see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Image => "image",
            Self::Network => "network",
            Self::Volume => "volume",
            Self::Daemon => "daemon",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
