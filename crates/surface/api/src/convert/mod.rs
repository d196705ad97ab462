//! Between wire types and domain types: plain functions, no IO.

pub(crate) mod changes;
pub(crate) mod commit;
pub(crate) mod create;
pub(crate) mod host;
pub(crate) mod image;
pub(crate) mod inspect;
pub(crate) mod mounts;
pub(crate) mod network;
pub(crate) mod ports;
pub(crate) mod stats;
pub(crate) mod summary;
pub(crate) mod view;
