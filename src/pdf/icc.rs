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

/// A version 2 display profile of sRGB (IEC 61966-2-1): matrix and one shared curve of 1024 points, 2.6 KB.
pub fn srgb() -> Vec<u8> {
    // D50-adapted primaries and white as s15Fixed16 (IEC 61966-2-1, Bradford).
    let xyz = |x: u32, y: u32, z: u32| {
        let mut tag = b"XYZ \0\0\0\0".to_vec();
        [x, y, z].iter().for_each(|v| tag.extend(v.to_be_bytes()));
        tag
    };
    let text = |words: &[u8]| [b"text\0\0\0\0", words, b"\0"].concat();
    let tags: [(&[u8; 4], Vec<u8>); 7] = [
        (b"desc", description(b"sRGB")),
        (b"cprt", text(b"CC0, no copyright")),
        (b"wtpt", xyz(0xF6D6, 0x1_0000, 0xD32D)),
        (b"rXYZ", xyz(0x6FA2, 0x38F5, 0x0390)),
        (b"gXYZ", xyz(0x6299, 0xB785, 0x18DA)),
        (b"bXYZ", xyz(0x24A0, 0x0F84, 0xB6CF)),
        (b"rTRC", curve()),
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

/// ICC.1:2001-04 6.1: size, no CMM, 2.1, display, RGB to XYZ, a fixed date, perceptual, D50.
fn header(size: usize) -> Vec<u8> {
    let mut header = vec![0u8; 128];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &(size as u32).to_be_bytes());
    put(8, &[2, 0x10, 0, 0]);
    put(12, b"mntrRGB XYZ ");
    put(24, &[0x07, 0xE9, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
    put(36, b"acsp");
    put(68, &[0, 0, 0xF6, 0xD6, 0, 1, 0, 0, 0, 0, 0xD3, 0x2D]);
    header
}

/// `textDescriptionType` (6.5.17): ASCII, no Unicode, no script code.
fn description(words: &[u8]) -> Vec<u8> {
    let mut tag = b"desc\0\0\0\0".to_vec();
    tag.extend((words.len() as u32 + 1).to_be_bytes());
    tag.extend(words);
    tag.extend([0; 1 + 4 + 4 + 2 + 1 + 67]);
    tag
}

/// `curveType` (6.5.3) of 1024 points of the sRGB transfer function.
fn curve() -> Vec<u8> {
    const POINTS: u32 = 1024;
    let mut tag = b"curv\0\0\0\0".to_vec();
    tag.extend(POINTS.to_be_bytes());
    for point in 0..POINTS {
        let v = f64::from(point) / f64::from(POINTS - 1);
        let linear = if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) };
        tag.extend(((linear * 65_535.0).round() as u16).to_be_bytes());
    }
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
        assert!(profile.len() < 4096);
        assert_eq!(
            Sha256::of(&profile).to_string(),
            "4ee9c024470bc701f95123cde62a3ec3ed3356372440e5083e4bf43548241508"
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
