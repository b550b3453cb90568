#![no_main]
//! Any grey picture: the first two bytes say how wide it is, the third how large a dot of it is drawn.

use hoso::scan::Luma;
use hoso::scan::barcode::{Policy, read_page};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let [low, high, scale, dots @ ..] = data else { return };
    let across = usize::from(u16::from_le_bytes([*low, *high]) % 300) + 1;
    let (down, scale) = (dots.len() / across, usize::from(scale % 4) + 1);
    let (width, height) = (across * scale, down * scale);
    let dot = |at: usize| dots[(at / width / scale) * across + at % width / scale];
    if let Some(luma) = Luma::new(width, height, (0..width * height).map(dot).collect()) {
        read_page(&luma, None, &Policy::default());
    }
});
