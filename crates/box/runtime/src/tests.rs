//! Containers for real: these run as root, in temporary directories and child cgroups `naru-test-*`.

mod fixture;

mod attacks;
mod confinement;
mod execs;
mod failures;
mod fields;
mod filters;
mod hooks;
mod hostile;
mod mounting;
mod programs;
mod streams;
mod users;
