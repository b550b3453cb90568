#![no_main]
mod decode;

libfuzzer_sys::fuzz_target!(|data: &[u8]| -> libfuzzer_sys::Corpus { decode::decode(data, hoso::scan::Kind::Webp) });
