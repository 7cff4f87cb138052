//! The fuzz targets, which the suite runs too (`tests/fuzz.rs`), on what they found before.

mod targets;

pub use targets::*;

/// For input that is made of lines: every other mutation drops one, doubles one or swaps
/// two, which bytes changed at random hardly ever do.
pub fn mutate_lines(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut lines: Vec<Vec<u8>> = data[..size].split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    if seed % 2 == 0 || lines.len() < 2 {
        return libfuzzer_sys::fuzzer_mutate(data, size, max_size);
    }
    let (a, b) = ((seed >> 3) as usize % lines.len(), (seed >> 16) as usize % lines.len());
    match (seed >> 1) % 3 {
        0 => drop(lines.remove(a)),
        1 => lines.insert(b, lines[a].clone()),
        _ => lines.swap(a, b),
    }
    let all = lines.concat();
    let size = all.len().min(max_size);
    data[..size].copy_from_slice(&all[..size]);
    size
}
