//! Pulls over real sockets into a real store.

mod misbehaving;
mod real;
mod support;
