//! Docker's Engine REST API over the engine's services: routes, conversions, streams and connection hand-over.
//!
//! One file per resource; handlers are short and know no policy. `wire` types end here: services see domain types only.
//!
//! ```text
//! serve ─▶ dispatch ─▶ route (pure) ─▶ containers, exec, images, networks, system, events ─▶ services
//!                                           │
//!                                           └─ hijack: 101, then the client's socket itself goes to the service
//! ```

#![forbid(unsafe_code)]

mod archives;
mod bodies;
mod check;
mod commit;
mod containers;
mod convert;
mod df;
mod dispatch;
mod error;
mod events;
mod exec;
mod hijack;
mod host;
mod image_filters;
mod image_prune;
mod images;
mod networks;
mod pull;
mod push;
mod request;
mod respond;
mod route;
mod serve;
mod system;
mod volumes;
mod websocket;

pub use error::Error;
pub use host::System;
pub use serve::{Listener, serve};

use blocking::Blocking;

/// What the handlers work with: one narrow handle per service.
pub struct State {
    /// Containers and execs.
    pub containers: container::Service,
    /// Images on disk.
    pub images: image::Images,
    /// Registries.
    pub registry: registry::Registry,
    /// Events.
    pub events: ::events::Events,
    /// Volumes.
    pub volumes: volume::Volumes,
    /// Networks.
    pub network: network::Network,
    /// Where blocking work on images is done.
    pub disk: Blocking,
    /// Where archives come and go: as slow as the client, so apart from `disk`.
    pub transfers: Blocking,
    /// What `info` and `version` tell about this engine.
    pub system: System,
}

/// The state, and what the API itself keeps count of.
pub(crate) struct Server {
    pub(crate) state: State,
    pub(crate) listeners: events::Listeners,
}
