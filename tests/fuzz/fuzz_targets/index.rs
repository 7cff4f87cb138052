#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| anchorite_fuzz::index(data));
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    anchorite_fuzz::mutate_lines(data, size, max_size, seed)
});
