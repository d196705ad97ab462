//! Blobs: immutable bytes under the name of their digest.
//!
//! ```text
//! content/blobs/sha256/<hex>     whole, verified, durable: what is visible under its digest was checked
//! content/ingest/sha256-<hex>    what has arrived so far of a blob; the next ingest goes on at its end
//! content/index.json, oci-layout  what makes it an OCI image layout; the image store writes them
//! content/ingest/new-…          a blob whose digest is not known yet; gone at the next start
//! ```
//! Not for what the bytes mean, nor for which of them are needed: that is the image store's.

#![forbid(unsafe_code)]

mod content;
mod error;
mod hash;
mod ingest;
mod staging;

pub use content::{Begin, Content, Partial};
pub use error::Error;
pub use hash::{Hasher, digest_of};
pub use ingest::Ingest;
pub use staging::Staging;
