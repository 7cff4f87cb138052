#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| anchorite_fuzz::object(data));
