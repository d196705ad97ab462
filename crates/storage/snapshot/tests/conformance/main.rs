//! What every snapshot driver must do, with real mounts (needs root). A new driver is one more line in `place::DRIVERS`.

mod contents;
mod place;
mod snapshots;
mod switch;
