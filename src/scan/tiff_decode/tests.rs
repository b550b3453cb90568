use super::*;
use crate::scan::tiff_pages;

/// A page of 8 x 1 with these tags beside those that every page has; two values of 16 bits stand in one number.
fn file(bits: u32, samples: u32, photometric: u32, more: &[(u16, u16, u32, u32)], strip: &[u8]) -> Vec<u8> {
    let mut tags: Vec<(u16, u16, u32, u32)> = vec![
        (256, 4, 1, 8),
        (257, 4, 1, 1),
        (258, 4, 1, bits),
        (259, 3, 1, 1),
        (262, 3, 1, photometric),
        (273, 4, 1, 400),
        (277, 3, 1, samples),
        (278, 4, 1, 1),
        (279, 4, 1, strip.len() as u32),
    ];
    tags.retain(|(tag, ..)| more.iter().all(|(other, ..)| other != tag));
    tags.extend_from_slice(more);
    tags.sort_unstable();
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    bytes.extend_from_slice(&(tags.len() as u16).to_le_bytes());
    for (tag, kind, count, value) in tags {
        bytes.extend_from_slice(&tag.to_le_bytes());
        bytes.extend_from_slice(&kind.to_le_bytes());
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    bytes.resize(400, 0);
    bytes.extend_from_slice(strip);
    bytes
}

fn read(bytes: &[u8]) -> Outcome<Coding> {
    let limits = Limits::default();
    coding(bytes, tiff_pages::pages(bytes, &limits)?[0].as_ref().map_err(Clone::clone)?, &limits)
}

fn rgb_of_page(bytes: &[u8]) -> Vec<u8> {
    match read(bytes) {
        Ok(Coding::Rgb(data)) => data,
        other => panic!("{other:?}"),
    }
}

/// A colour map behind the strip: colour i is (i, 2 i, 255 - i).
fn with_map(bits: u32, wide: bool, strip: &[u8]) -> Vec<u8> {
    let colours = 1u32 << bits;
    let mut bytes = file(bits, 1, 3, &[(320, 3, 3 * colours, 500)], strip);
    bytes.resize(500, 0);
    let planes: [fn(u32) -> u32; 3] = [|i| i, |i| 2 * i % 256, |i| 255 - i];
    for plane in planes {
        for colour in 0..colours {
            let value = plane(colour) * if wide { 257 } else { 1 };
            bytes.extend_from_slice(&(value as u16).to_le_bytes());
        }
    }
    bytes
}

#[test]
fn a_palette_of_any_depth_gives_its_colours() {
    let cases: [(u32, &[u8], [u8; 8]); 3] = [
        (1, &[0b0101_0011], [0, 1, 0, 1, 0, 0, 1, 1]),
        (4, &[0x01, 0x23, 0xEF, 0x77], [0, 1, 2, 3, 14, 15, 7, 7]),
        (8, &[0, 1, 2, 3, 100, 200, 254, 255], [0, 1, 2, 3, 100, 200, 254, 255]),
    ];
    for (bits, strip, indices) in cases {
        let expected: Vec<u8> = indices.iter().flat_map(|&i| [i, i.wrapping_mul(2), 255 - i]).collect();
        for wide in [true, false] {
            assert_eq!(rgb_of_page(&with_map(bits, wide, strip)), expected, "{bits} bits, wide: {wide}");
        }
    }
}

#[test]
fn bits_that_run_the_other_way_are_turned_before_anything_else() {
    let turned = |bytes: &[u8]| bytes.iter().map(|b| b.reverse_bits()).collect::<Vec<u8>>();
    let order = (266, 3, 1, 2);
    let Ok(Coding::Grey(grey)) = read(&file(4, 1, 1, &[order], &turned(&[0x01, 0x23, 0xEF, 0x77]))) else {
        panic!()
    };
    assert_eq!(grey, [0, 17, 34, 51, 238, 255, 119, 119]);
    let pixels: Vec<u8> = (0..24).map(|i| i * 10).collect();
    assert_eq!(rgb_of_page(&file(8, 3, 2, &[order], &turned(&pixels))), pixels);
    // PackBits: 24 bytes as they are.
    let packed: Vec<u8> = std::iter::once(23).chain(pixels.iter().copied()).collect();
    assert_eq!(rgb_of_page(&file(8, 3, 2, &[order, (259, 3, 1, 32_773)], &turned(&packed))), pixels);
}

#[test]
fn opacity_is_laid_over_white_once() {
    let strip = [40, 20, 0, 128].repeat(8);
    let shown = |more: &[(u16, u16, u32, u32)]| rgb_of_page(&file(8, 4, 2, more, &strip))[..3].to_vec();
    assert_eq!(shown(&[(338, 3, 1, 1)]), [167, 147, 127]);
    assert_eq!(shown(&[(338, 3, 1, 2)]), [over_white(40, 128), over_white(20, 128), over_white(0, 128)]);
    assert_eq!(shown(&[]), [40, 20, 0]);
}

#[test]
fn what_is_only_unsupported_is_not_called_damaged() {
    // YCbCr with half the colour (tag 530 left out).
    assert_eq!(read(&file(8, 3, 6, &[], &[0; 24])).err().map(|fault| fault.code.id), Some(CODING.id));
    assert_eq!(read(&file(16, 1, 3, &[], &[0; 16])).err().map(|fault| fault.code.id), Some(CODING.id));
}
