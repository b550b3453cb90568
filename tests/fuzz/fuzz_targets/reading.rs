#![no_main]
//! Any file that claims to be a reading.

use hoso::chip::Reading;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(reading) = Reading::parse(data) {
        let again = Reading::parse(reading.to_json().as_bytes());
        assert!(again.is_ok_and(|again| again.files == reading.files));
    }
});
