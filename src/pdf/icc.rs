//! Colour: the sRGB profile that gives device colours their meaning, and a look at foreign profiles.

/// Colour channels of an ICC profile that a PDF/A-2 image may be based on (ISO 19005-2 6.2.4.2; ICC.1 7.2):
/// version 2 to 4, an input, display, output or colour space profile, grey, RGB or CMYK. `None` for anything else.
pub fn channels(profile: &[u8]) -> Option<u8> {
    let header = profile.get(..128)?;
    let size = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
    let class = &header[12..16];
    let fits = usize::try_from(size).ok()? == profile.len()
        && (2..=4).contains(&header[8])
        && (class == b"scnr" || class == b"mntr" || class == b"prtr" || class == b"spac")
        && &header[36..40] == b"acsp";
    if !fits {
        return None;
    }
    match &header[16..20] {
        b"GRAY" => Some(1),
        b"RGB " => Some(3),
        b"CMYK" => Some(4),
        _ => None,
    }
}

/// A version 4 display profile of sRGB (IEC 61966-2-1), its transfer function as a formula: 0.5 KB, and exact. One goes
/// into every archive, where a curve of points weighs more than all the rest around a small page.
pub fn srgb() -> Vec<u8> {
    // D50-adapted primaries and white as s15Fixed16 (IEC 61966-2-1, Bradford).
    let tags: [(&[u8; 4], Vec<u8>); 8] = [
        (b"desc", text("sRGB")),
        (b"cprt", text("CC0")),
        (b"wtpt", numbers(b"XYZ ", &[0xF6D6, 0x1_0000, 0xD32D])),
        (b"chad", numbers(b"sf32", &ADAPTATION)),
        (b"rXYZ", numbers(b"XYZ ", &[0x6FA2, 0x38F5, 0x0390])),
        (b"gXYZ", numbers(b"XYZ ", &[0x6299, 0xB785, 0x18DA])),
        (b"bXYZ", numbers(b"XYZ ", &[0x24A0, 0x0F84, 0xB6CF])),
        (b"rTRC", numbers(b"para", &TRANSFER)),
    ];
    let entries = tags.len() + 2;
    let mut table = (entries as u32).to_be_bytes().to_vec();
    let mut data = Vec::new();
    let start = 128 + 4 + 12 * entries;
    let mut entry = |name: &[u8; 4], offset: usize, size: usize| {
        table.extend(name);
        table.extend((offset as u32).to_be_bytes());
        table.extend((size as u32).to_be_bytes());
    };
    for (name, bytes) in &tags {
        let offset = start + data.len();
        entry(name, offset, bytes.len());
        if *name == b"rTRC" {
            entry(b"gTRC", offset, bytes.len());
            entry(b"bTRC", offset, bytes.len());
        }
        data.extend(bytes);
        data.resize(data.len().next_multiple_of(4), 0);
    }
    let mut profile = header(start + data.len());
    profile.extend(table);
    profile.extend(data);
    profile
}

/// `parametricCurveType` 3 (ICC.1:2004-10 10.15): its kind, then g, a, b, c, d of `Y = (aX + b)^g` from d on and `Y = cX`
/// below.
const TRANSFER: [u32; 6] = [0x0003_0000, 0x2_6666, 0xF2A7, 0x0D59, 0x13D0, 0x0A5B];
/// Bradford's matrix from D65 to D50, s15Fixed16.
const ADAPTATION: [u32; 9] = [
    0x0001_0C42,
    0x0000_05DE,
    0xFFFF_F325,
    0x0000_0793,
    0x0000_FD90,
    0xFFFF_FBA1,
    0xFFFF_FDA2,
    0x0000_03DC,
    0x0000_C06E,
];

/// ICC.1:2004-10 7.2: size, no CMM, 4.2, display, RGB to XYZ, a fixed date, perceptual, D50.
fn header(size: usize) -> Vec<u8> {
    let mut header = vec![0u8; 128];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &(size as u32).to_be_bytes());
    put(8, &[4, 0x20, 0, 0]);
    put(12, b"mntrRGB XYZ ");
    put(24, &[0x07, 0xE9, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
    put(36, b"acsp");
    put(68, &[0, 0, 0xF6, 0xD6, 0, 1, 0, 0, 0, 0, 0xD3, 0x2D]);
    header
}

/// A tag of numbers behind its type.
fn numbers(kind: &[u8; 4], numbers: &[u32]) -> Vec<u8> {
    let mut tag = [*kind, [0; 4]].concat();
    numbers.iter().for_each(|n| tag.extend(n.to_be_bytes()));
    tag
}

/// `multiLocalizedUnicodeType` (10.13) of one text, English.
fn text(words: &str) -> Vec<u8> {
    let units: Vec<u8> = words.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let mut tag = b"mluc\0\0\0\0\0\0\0\x01\0\0\0\x0cenUS".to_vec();
    tag.extend((units.len() as u32).to_be_bytes());
    tag.extend(28u32.to_be_bytes());
    tag.extend(units);
    tag
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256;

    #[test]
    fn the_srgb_profile_is_small_whole_and_never_changes() {
        let profile = srgb();
        assert_eq!(channels(&profile), Some(3));
        assert!(profile.len() < 600, "{}", profile.len());
        assert_eq!(
            Sha256::of(&profile).to_string(),
            "9c0ea9e9251ec2dcbda80d7af74f00dc101860658144100c274c978008a7a57b"
        );
    }

    #[test]
    fn a_cut_or_foreign_profile_has_no_channels() {
        let profile = srgb();
        assert_eq!(channels(&profile[..profile.len() - 1]), None);
        assert_eq!(channels(&profile[..100]), None);
        let mut link = profile.clone();
        link[12..16].copy_from_slice(b"link");
        assert_eq!(channels(&link), None);
        let mut lab = profile;
        lab[16..20].copy_from_slice(b"Lab ");
        assert_eq!(channels(&lab), None);
    }
}
