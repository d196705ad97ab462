//! Containers for real: these run as root, in temporary directories and child cgroups `naru-test-*`.

mod fixture;

mod confinement;
mod execs;
mod failures;
mod filters;
mod hooks;
mod hostile;
mod mounting;
mod streams;
mod users;
