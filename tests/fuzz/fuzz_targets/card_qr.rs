#![no_main]
//! Any text of a card's QR code, as a scanner types it.

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = hoso::chip::card_qr::CardQr::parse(data);
});
