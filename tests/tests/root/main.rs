//! The engine through its real doors, as root: the `naru` CLI, the real `docker` CLI, the REST API.
//!
//! Every test has an engine of its own (see `testkit`), so that tests run in parallel.

#![forbid(unsafe_code)]

mod attach;
mod clients;
mod confinement;
mod crash;
mod dns;
mod docker_cli;
mod events;
mod exec;
mod golden;
mod health;
mod images;
mod lifecycle;
mod logdrivers;
mod logs;
mod malformed;
mod mounts;
mod network;
mod networks;
mod networks_cli;
mod ocirun;
mod on_demand;
mod ports;
mod push;
mod registryd;
mod resources;
mod rest;
mod run;
mod ship;
mod storage;
mod tls;
mod update;
mod volumes;
