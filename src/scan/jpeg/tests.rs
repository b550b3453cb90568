use super::*;
use crate::scan::{Limits, Luma};

const AT_ONCE: &[u8] = include_bytes!("samples/at_once.jpg");
const PROGRESSIVE: [&[u8]; 5] = [
    include_bytes!("samples/progressive.jpg"),
    include_bytes!("samples/progressive_restarts.jpg"),
    include_bytes!("samples/progressive_440.jpg"),
    include_bytes!("samples/progressive_444.jpg"),
    include_bytes!("samples/progressive_grey.jpg"),
];
const CMYK: &[u8] = include_bytes!("samples/progressive_cmyk.jpg");
const ONE_BY_ONE: &[u8] = include_bytes!("samples/one_by_one.jpg");
const ONE_BY_ONE_420: &[u8] = include_bytes!("samples/one_by_one_420.jpg");

fn read(bytes: &[u8]) -> Outcome<Luma> {
    let head = head(bytes)?;
    luma(bytes, &head, head.adobe.is_some(), &Limits::default())
}

/// The mean difference of two planes.
fn apart(a: &Luma, b: &Luma) -> f64 {
    assert_eq!((a.width, a.height), (b.width, b.height));
    let sum: u64 = a.data.iter().zip(&b.data).map(|(x, y)| u64::from(x.abs_diff(*y))).sum();
    sum as f64 / a.data.len() as f64
}

#[test]
fn a_progressive_picture_is_the_one_that_was_coded_at_once() {
    let expected = read(AT_ONCE).unwrap();
    for (i, bytes) in PROGRESSIVE.into_iter().chain([CMYK, ONE_BY_ONE]).enumerate() {
        let apart = apart(&expected, &read(bytes).unwrap());
        assert!(apart < 1.5, "{i}: {apart}");
    }
}

/// Where the codes of each scan begin and end.
fn codes(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut reader = Markers { bytes, at: 2 };
    let mut found = Vec::new();
    loop {
        match reader.next().unwrap() {
            0xD9 => return found,
            0xD0..=0xD7 => {}
            marker => {
                reader.segment().unwrap();
                if marker == 0xDA {
                    let start = reader.at;
                    reader.skip_entropy();
                    found.push((start, reader.at));
                }
            }
        }
    }
}

#[test]
fn a_scan_that_ends_before_its_picture_is_never_filled_with_grey() {
    for (i, bytes) in PROGRESSIVE.into_iter().chain([CMYK, ONE_BY_ONE]).enumerate() {
        for (scan, (start, end)) in codes(bytes).into_iter().enumerate() {
            for lost in [1, 2, 9, (end - start) / 2] {
                let mut cut = bytes[..end.saturating_sub(lost).max(start)].to_vec();
                while cut.last() == Some(&0xFF) {
                    cut.pop();
                }
                cut.extend_from_slice(&bytes[end..]);
                let code = read(&cut).err().map(|fault| fault.code.id);
                assert_eq!(code, Some(BROKEN.id), "{i}, scan {scan}, {lost} bytes");
            }
        }
    }
}

#[test]
fn a_picture_whose_scans_stop_coming_is_cut_off() {
    for bytes in PROGRESSIVE {
        for (start, end) in codes(bytes) {
            let mut cut = bytes[..start].to_vec();
            cut.extend_from_slice(&bytes[start..end]);
            cut.extend_from_slice(&[0xFF, 0xD9]);
            assert!(end + 2 == bytes.len() || read(&cut).is_err());
        }
    }
}

#[test]
fn subsampled_components_in_scans_of_their_own_are_refused_by_name() {
    assert_eq!(read(ONE_BY_ONE_420).err().map(|fault| fault.code.id), Some(CODING.id));
}

#[test]
fn damage_anywhere_in_a_progressive_picture_ends_without_a_crash() {
    let whole = PROGRESSIVE[1];
    for at in (2..whole.len()).step_by(3) {
        let mut bent = whole.to_vec();
        bent[at] ^= 0x5A;
        let _ = scans::whole(&bent);
    }
}

#[test]
fn a_second_page_behind_the_first_is_refused_and_a_smaller_picture_is_not() {
    let two = [AT_ONCE, PROGRESSIVE[0]].concat();
    assert_eq!(head(&two).err().map(|fault| fault.code.id), Some(TWO.id));
    let mut smaller = PROGRESSIVE[0].to_vec();
    let frame = smaller.windows(2).position(|w| w == [0xFF, 0xC2]).unwrap();
    smaller[frame + 5..frame + 9].copy_from_slice(&[0, 100, 0, 100]);
    let with_preview = [AT_ONCE, &smaller].concat();
    let found = head(&with_preview).unwrap();
    assert!(!found.has_another);
    assert_eq!(found.picture(&with_preview), AT_ONCE);
    // A camera that says so has taken several pictures of one page.
    let mpf = [&AT_ONCE[..2], b"\xFF\xE2\0\x08MPF\0\0\0", &AT_ONCE[2..], PROGRESSIVE[0]].concat();
    assert!(head(&mpf).unwrap().has_another);
}
