//! One JPEG (ISO/IEC 10918-1): its markers read without decoding, its grey plane decoded once.
//!
//! Refused by name: 12-bit, arithmetic, lossless and hierarchical coding, and whatever was cut off before
//! its end marker. A decoder that fills the missing part with grey is never believed.

mod decode;
mod extras;
mod markers;
mod scans;
mod sent;

pub use decode::luma;

use crate::fault::{Class, Code, Fault, Outcome};
use crate::page::Dpi;
use extras::Extras;
use markers::Markers;
use sent::Sent;

/// What the markers of a JPEG say.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// Pixels across, as stored.
    pub width: u32,
    /// Pixels down, as stored.
    pub height: u32,
    /// 1 grey, 3 colour, 4 CMYK.
    pub components: u8,
    /// Colour transform of the Adobe APP14 marker, if there is one: 0 none, 1 YCbCr, 2 YCCK.
    pub adobe: Option<u8>,
    /// Resolution from JFIF or EXIF, as written.
    pub dpi: Option<Dpi>,
    /// Quarter turns clockwise that show the picture upright (EXIF).
    pub turns: u8,
    /// Mirrored left to right before turning (EXIF).
    pub mirrored: bool,
    /// The ICC profile of the APP2 markers, put together.
    pub icc: Option<Vec<u8>>,
    /// True where components are coded one for one with the ids `R`, `G`, `B`.
    pub(super) rgb_ids: bool,
    /// Where the APP14 transform byte lies.
    adobe_at: Option<usize>,
    /// Where the component ids of SOF and of all SOS markers lie.
    ids: Vec<(usize, u8)>,
    /// A bit for each quantisation table that a component is coded with.
    quantised_by: u8,
    /// How many scans bring it.
    scans: usize,
    progressive: bool,
    /// The most blocks of an MCU, across and down.
    mcu: (u8, u8),
    /// Where the end marker lies.
    end: usize,
    /// Behind the end a camera keeps another picture as large as this one (MPO).
    pub has_another: bool,
}

impl Head {
    /// The picture alone, without what a camera keeps behind its end.
    pub fn picture<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(..self.end + 2).unwrap_or(bytes)
    }
}

/// Reads the markers up to the end of the picture and checks that it has an end.
///
/// # Errors
/// [`BROKEN`], [`CUT`], [`CODING`], [`TWO`].
pub fn head(bytes: &[u8]) -> Outcome<Head> {
    if !bytes.starts_with(b"\xFF\xD8") {
        return Err(Fault::new(&BROKEN).detail("no start marker"));
    }
    let mut reader = Markers { bytes, at: 2 };
    let mut head: Option<Head> = None;
    let mut extras = Extras::default();
    let mut scans = 0usize;
    let mut sent = Sent::default();
    let mut is_a_set = false;
    loop {
        let marker = reader.next()?;
        match marker {
            0xD9 if scans > 0 => break,
            0xD9 => return Err(Fault::new(&BROKEN).detail("no scan before the end marker")),
            0x01 | 0xD0..=0xD8 => continue,
            _ => {}
        }
        let (start, body) = reader.segment()?;
        match marker {
            0xC0..=0xC2 if head.is_none() => {
                head = Some(frame(start, body)?);
                sent.progressive = marker == 0xC2;
            }
            0xC0..=0xC2 => return Err(Fault::new(&BROKEN).detail("two frames")),
            0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCC..=0xCF | 0xDE | 0xDF => {
                return Err(Fault::new(&CODING).detail(coding_name(marker)));
            }
            0xDA => {
                let Some(head) = head.as_mut() else {
                    return Err(Fault::new(&BROKEN).detail("scan before frame"));
                };
                scans += 1;
                if scans > MAX_SCANS {
                    return Err(Fault::new(&CODING).detail(format!("more than {MAX_SCANS} scans")));
                }
                let count = body.first().map_or(0, |&n| usize::from(n));
                head.ids.extend(
                    (0..count).filter_map(|i| body.get(1 + 2 * i).map(|&id| (start + 1 + 2 * i, id))),
                );
                sent.scan(body);
                reader.skip_entropy();
            }
            0xDB => sent.tables(body),
            0xE0 => extras.jfif(body),
            0xE1 => extras.exif(body),
            0xE2 => {
                is_a_set |= body.starts_with(b"MPF\0");
                extras.icc(body);
            }
            0xEE if body.starts_with(b"Adobe") && body.len() >= 12 => {
                extras.adobe = Some((start + 11, body[11]));
            }
            _ => {}
        }
    }
    let mut head = head.ok_or_else(|| Fault::new(&BROKEN).detail("no frame"))?;
    extras.into_head(&mut head);
    (head.scans, head.progressive) = (scans, sent.progressive);
    head.end = reader.at - 2;
    let first = usize::from(head.components);
    if let Some(missing) = sent.missing(&head.ids[..first]) {
        return Err(Fault::new(&CUT).detail(format!("the {missing} of a component never come")));
    }
    if head.quantised_by & !sent.tables != 0 {
        return Err(Fault::new(&BROKEN).detail("a quantisation table never comes"));
    }
    if another(bytes.get(reader.at..).unwrap_or(&[]), &head) {
        // What no camera says that it is may be a page.
        if !is_a_set {
            return Err(Fault::new(&TWO));
        }
        head.has_another = true;
    }
    Ok(head)
}

/// True where a picture begins in the bytes that is not smaller than the first: no preview and no map of depths.
fn another(bytes: &[u8], first: &Head) -> bool {
    let starts =
        bytes.windows(3).enumerate().filter(|(_, three)| *three == b"\xFF\xD8\xFF").map(|(at, _)| at);
    let pixels = |head: &Head| u64::from(head.width) * u64::from(head.height);
    starts.take(MAX_BEHIND).any(|start| {
        let mut reader = Markers { bytes, at: start + 2 };
        while let Ok(marker) = reader.next() {
            match (marker, reader.segment()) {
                (0xC0..=0xC2, Ok((at, body))) => {
                    return frame(at, body).is_ok_and(|head| pixels(&head) >= pixels(first));
                }
                (0xD8..=0xDA, _) | (_, Err(_)) => return false,
                _ => {}
            }
        }
        false
    })
}

fn frame(start: usize, body: &[u8]) -> Outcome<Head> {
    let broken = || Fault::new(&BROKEN).detail("frame header");
    let [precision, h1, h0, w1, w0, components, rest @ ..] = body else { return Err(broken()) };
    if *precision != 8 {
        return Err(Fault::new(&CODING).detail(format!("{precision} bits a sample")));
    }
    if !matches!(components, 1 | 3 | 4) {
        return Err(Fault::new(&CODING).detail(format!("{components} components")));
    }
    let ids: Vec<(usize, u8)> = (0..usize::from(*components))
        .filter_map(|i| rest.get(3 * i).map(|&id| (start + 6 + 3 * i, id)))
        .collect();
    if ids.len() != usize::from(*components) {
        return Err(broken());
    }
    let parts = || rest.chunks_exact(3).take(ids.len());
    // A component has one to four blocks of an MCU each way, its own name, and one of four tables (B.2.2).
    let fits = |part: &[u8]| matches!((part[1] >> 4, part[1] & 15, part[2]), (1..=4, 1..=4, 0..=3));
    let named_twice = (1..ids.len()).any(|i| ids[..i].iter().any(|known| known.1 == ids[i].1));
    if parts().count() != ids.len() || !parts().all(fits) || named_twice {
        return Err(broken());
    }
    let mcu = parts()
        .fold((1, 1), |(across, down): (u8, u8), part| (across.max(part[1] >> 4), down.max(part[1] & 15)));
    let quantised_by = parts().fold(0, |tables, part| tables | 1 << part[2]);
    Ok(Head {
        width: u32::from(u16::from_be_bytes([*w1, *w0])),
        height: u32::from(u16::from_be_bytes([*h1, *h0])),
        components: *components,
        adobe: None,
        dpi: None,
        turns: 0,
        mirrored: false,
        icc: None,
        rgb_ids: ids.iter().map(|(_, id)| *id).eq(*b"RGB"),
        adobe_at: None,
        ids,
        quantised_by,
        scans: 0,
        progressive: false,
        mcu,
        end: 0,
        has_another: false,
    })
}

fn coding_name(marker: u8) -> &'static str {
    match marker {
        0xC3 => "lossless",
        0xC5..=0xC7 | 0xDE | 0xDF => "hierarchical",
        0xCB | 0xCF => "lossless arithmetic",
        _ => "arithmetic",
    }
}

/// Cameras keep one or two; each preview has one more in its own head.
const MAX_BEHIND: usize = 64;

/// Progressive files have about ten; each one costs a pass over the whole picture.
const MAX_SCANS: usize = 64;

/// The bytes are a JPEG that no decoder should trust.
pub const BROKEN: Code = Code {
    id: "SCAN-020",
    class: Class::Input,
    vi: "Tệp JPEG bị hỏng",
    en: "the JPEG is damaged",
    remedy_vi: "Quét lại trang này",
    remedy_en: "scan the page again",
};

/// The file ends before the picture does.
pub const CUT: Code = Code {
    id: "SCAN-021",
    class: Class::Input,
    vi: "Tệp JPEG bị cắt cụt, chưa ghi xong",
    en: "the JPEG is cut off before its end",
    remedy_vi: "Đợi máy quét ghi xong, hoặc quét lại trang này",
    remedy_en: "wait until it is written, or scan the page again",
};

/// A JPEG of a process that archives and readers do not take.
pub const CODING: Code = Code {
    id: "SCAN-022",
    class: Class::Input,
    vi: "Kiểu mã hoá JPEG không được hỗ trợ (12 bit, số học, không mất dữ liệu, quá nhiều lượt quét hoặc mỗi màu một lượt)",
    en: "the JPEG is of an unsupported process (12-bit, arithmetic, lossless, too many scans, or a scan for each colour)",
    remedy_vi: "Quét lại ra JPEG thông thường (baseline, 8 bit)",
    remedy_en: "scan to ordinary baseline JPEG, 8 bits",
};

/// A second picture lies behind the end of the first, where nothing shows it.
pub const TWO: Code = Code {
    id: "SCAN-023",
    class: Class::Input,
    vi: "Tệp chứa hai ảnh nối nhau, ảnh sau không hiện ra",
    en: "the file holds two pictures, one behind the other, and only the first is shown",
    remedy_vi: "Gửi mỗi trang trong một tệp riêng, hoặc ra PDF hay TIFF nhiều trang",
    remedy_en: "send each page in a file of its own, or all in a PDF or TIFF",
};

#[cfg(test)]
mod tests;
