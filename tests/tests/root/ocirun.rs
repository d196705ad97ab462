//! `naru-run` as an OCI runtime: every command through its command line, as containerd and podman call it.

mod attacks;
mod bed;
mod commands;
mod failures;
mod terminals;
