//! The end-to-end tests lie in `tests/`; this library is empty.

#![forbid(unsafe_code)]
