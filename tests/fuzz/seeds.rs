//! Writes seeds that need keys: `seeds FOLDER`, a folder a target. `seeds --world` makes
//! `tests/fuzz/world` anew, for when the journal's or the release's form has changed.

// The library is built for libFuzzer, and wants its symbols here too.
use libfuzzer_sys as _;

use std::path::Path;

use anchorite_fuzz::{make_world, seeds};

fn main() {
    let argument = std::env::args().nth(1).expect("seeds FOLDER | --world");
    if argument == "--world" {
        make_world(&Path::new(env!("CARGO_MANIFEST_DIR")).join("world"));
    } else {
        write_seeds(Path::new(&argument));
    }
}

fn write_seeds(folder: &Path) {
    for (target, name, bytes) in seeds() {
        std::fs::create_dir_all(folder.join(target)).unwrap();
        std::fs::write(folder.join(target).join(name), bytes).unwrap();
    }
}
