//! A small picture by another program's hand, whole, damaged, and with other figures in its headers.

use super::*;
use crate::scan::limits::{RATIO, TOO_MANY_PIXELS};

/// 24 x 16 grey, 230, a block of 20 from (3, 4) to (11, 11); reversible, two resolutions (OpenJPEG).
const GREY: &str = "0000000c6a5020200d0a870a00000014667479706a703220000000006a7032200000002d6a70326800000016696864\
    7200000010000000180001070700000000000f636f6c7201000000000011000000fb6a703263ff4fff51002900000000001800000010\
    0000000000000000000000180000001000000000000000000001070101ff52000c00000001000104040001ff5c00074040484850ff64\
    0025000143726561746564206279204f70656e4a5045472076657273696f6e20322e352e34ff90000a0000000000860001ff93df8208\
    1ba576b19fd6f6d6a9c5461dbffc45875e00559b1c8b7d95416da629f0c201bd8360dc65b4a2d7803125cf5a354c9a0fbda95f1f4319\
    6d28b6d39207ff3972d2c9c7da231f688c1f5048186de81119f38237ea3328f3d2652360771bbc9c3946b2fbe16ae89e7a8c9c6e7c9f\
    169f8f2bbde2d4bd3fffd9";

/// Where the codestream begins.
const STREAM: usize = 85;

/// The picture as a JP2 file.
pub(in crate::scan) fn file() -> Vec<u8> {
    hex::decode(GREY.replace(char::is_whitespace, "")).unwrap()
}

fn read(bytes: &[u8]) -> Outcome<Luma> {
    head(bytes, &Limits::default()).and_then(|head| luma(bytes, &head))
}

/// The file with four bytes of SIZ changed, counted from Rsiz.
fn with_size(at: usize, value: u32) -> Vec<u8> {
    let mut file = file();
    file[STREAM + 6 + at..][..4].copy_from_slice(&value.to_be_bytes());
    file
}

#[test]
fn a_file_and_a_bare_codestream_give_the_same_pixels() {
    let page = read(&file()).unwrap();
    assert_eq!((page.width, page.height), (24, 16));
    assert_eq!((page.row(0)[0], page.row(4)[3], page.row(11)[11], page.row(12)[12]), (230, 20, 20, 230));
    assert_eq!(read(&file()[STREAM..]).unwrap(), page);
}

#[test]
fn a_file_passes_through_and_a_bare_codestream_gets_its_boxes() {
    let whole = file();
    let Coding::Jpx { bytes, components: 1, .. } =
        coding(&whole, &head(&whole, &Limits::default()).unwrap()).unwrap()
    else {
        panic!()
    };
    assert_eq!(bytes, whole);
    let bare = &whole[STREAM..];
    let Coding::Jpx { bytes, .. } = coding(bare, &head(bare, &Limits::default()).unwrap()).unwrap() else {
        panic!()
    };
    assert_eq!(&bytes[bytes.len() - bare.len()..], bare);
    assert_eq!(read(&bytes).unwrap(), read(bare).unwrap());
}

#[test]
fn colours_that_an_archive_cannot_carry_are_decoded() {
    // A method of telling colours that only JPX readers know.
    let mut other = file();
    other[STREAM - 15] = 3;
    let head = head(&other, &Limits::default()).unwrap();
    assert!(matches!(coding(&other, &head).unwrap(), Coding::Grey(pixels) if pixels.len() == 24 * 16));
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let whole = file();
    for length in 12..whole.len() {
        assert_eq!(read(&whole[..length]).unwrap_err().code.id, BROKEN.id, "{length}");
    }
    // Cut, with the end marker put back and the tile-part shortened to fit.
    let bare = &whole[STREAM..];
    let sot = bare.windows(2).position(|w| w == [0xFF, 0x90]).unwrap();
    for length in (sot + 14..bare.len() - 2).step_by(5) {
        let mut short = bare[..length].to_vec();
        short[sot + 6..sot + 10].copy_from_slice(&((length - sot) as u32).to_be_bytes());
        short.extend([0xFF, 0xD9]);
        // What the decoder makes of it may be blurred, but it is of the declared size, or refused.
        assert!(read(&short).is_ok_and(|page| page.data.len() == 24 * 16) || read(&short).is_err());
    }
}

#[test]
fn what_declares_too_much_is_refused_before_it_is_decoded() {
    let refused = |bytes: &[u8]| read(bytes).unwrap_err().code.id;
    let mut large = with_size(2, 60_000);
    large[STREAM + 12..][..4].copy_from_slice(&60_000u32.to_be_bytes());
    assert_eq!(refused(&large), TOO_MANY_PIXELS.id);
    // 8,000 x 8,000 in tiles of one pixel.
    let mut tiles = with_size(2, 8_000);
    tiles[STREAM + 12..][..4].copy_from_slice(&8_000u32.to_be_bytes());
    tiles[STREAM + 24..][..8].copy_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
    assert_eq!(refused(&tiles), RATIO.id);
    assert_eq!(refused(&with_size(18, 0)), BROKEN.id);
    let empty = crate::scan::limits::NO_PIXELS.id;
    assert_eq!(refused(&with_size(2, 0)), empty);
    assert_eq!(refused(&with_size(10, 24)), empty);
    // Layers without end: the packets would be.
    let mut layers = file();
    let cod = layers.windows(2).position(|w| w == [0xFF, 0x52]).unwrap();
    layers[cod + 6..cod + 8].copy_from_slice(&[0xFF, 0xFF]);
    let refusal = refused(&layers);
    assert!([RATIO.id, BROKEN.id].contains(&refusal), "{refusal}");
}

#[test]
fn every_flipped_byte_is_a_page_or_a_refusal() {
    let whole = file();
    for at in 0..whole.len() {
        for value in [0, 0xFF, whole[at] ^ 0x10] {
            let mut bent = whole.clone();
            bent[at] = value;
            let answer = std::panic::catch_unwind(|| read(&bent));
            // A panic of the decoder is caught by whoever opens the file; here it only must not be the rule.
            if let Ok(Ok(page)) = answer {
                assert_eq!(page.data.len(), page.width * page.height);
            }
        }
    }
}

#[test]
fn the_resolution_box_is_read_in_samples_a_metre() {
    let mut with = file()[..77].to_vec();
    // 300 dpi is 11,811 a metre, as captured.
    with.extend(b"\0\0\0\x1Ares \0\0\0\x12resc\x2E\x23\0\x01\x2E\x23\0\x01\0\0");
    with.extend(&file()[77..]);
    with[32..36].copy_from_slice(&(0x2Du32 + 26).to_be_bytes());
    assert!((head(&with, &Limits::default()).unwrap().dpi.unwrap().x - 300.0).abs() < 0.1);
}
