//! The service through real supervisors, in private network namespaces. Needs root and busybox-static.

mod support;

mod lifecycle;
mod recovery;
