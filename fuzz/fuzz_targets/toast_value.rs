#![no_main]
use libfuzzer_sys::fuzz_target;
fuzz_target!(|data: &[u8]| pgautopsy_fuzz::toast_value(data));
