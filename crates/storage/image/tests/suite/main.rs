//! Tests of the image store that need root and a real disk.

mod check;
mod common;

mod crash;
mod images;
