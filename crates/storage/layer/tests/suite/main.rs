//! Tests of layers that need root: owners, devices, `trusted` attributes, mounts.

mod common;
mod file;

mod formats;
mod hostile;
mod layers;
mod overlay;
mod pack;
mod random;
