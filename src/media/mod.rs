//! Sticks and durable files: the only door to the disk but the token's.
//!
//! Nothing that lies on a stick is trusted: not its names, its links, its file
//! types or its sizes, nor that it stays plugged in.

pub mod durable;
mod file;
pub mod loaded;
mod names;
pub mod read;
pub mod write;

pub use names::check_names;
pub use read::{Limits, MediaFinding, Stick, StickFile, read_paths};
pub use write::{Output, check_output, same_place};
