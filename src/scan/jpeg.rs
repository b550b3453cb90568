//! One JPEG (ISO/IEC 10918-1): its markers read without decoding, its grey plane decoded once.
//!
//! Refused by name: 12-bit, arithmetic, lossless and hierarchical coding, and whatever was cut off before
//! its end marker. A decoder that fills the missing part with grey is never believed.

use crate::fault::{Class, Code, Fault, Outcome};
use crate::page::{Dpi, DpiSource};
use crate::scan::luma::{self, Luma};
use crate::scan::{Limits, ifd};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

mod scans;

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
            0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCC..=0xCF => {
                return Err(Fault::new(&CODING).detail(coding_name(marker)));
            }
            0xDA => {
                let Some(head) = head.as_mut() else {
                    return Err(Fault::new(&BROKEN).detail("scan before frame"));
                };
                scans += 1;
                if scans > MAX_SCANS {
                    return Err(Fault::new(&BROKEN).detail(format!("more than {MAX_SCANS} scans")));
                }
                let count = body.first().map_or(0, |&n| usize::from(n));
                head.ids.extend(
                    (0..count).filter_map(|i| body.get(1 + 2 * i).map(|&id| (start + 1 + 2 * i, id))),
                );
                sent.scan(body);
                reader.skip_entropy();
            }
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

/// Decodes a JPEG to luma, as stored (not turned). `inverted` says how CMYK is written; ignored for others.
///
/// # Errors
/// [`BROKEN`] where the decoder meets damage anywhere, whatever it could save.
pub fn luma(bytes: &[u8], head: &Head, inverted: bool, limits: &Limits) -> Outcome<Luma> {
    let (width, height) = (head.width as usize, head.height as usize);
    let size = || Fault::new(&BROKEN).detail("pixels do not fit the declared size");
    match head.components {
        1 => decode(bytes, head, ColorSpace::Luma, limits)
            .and_then(|data| Luma::new(width, height, data).ok_or_else(size)),
        // Of a progressive picture with more rows of light than of colour alone the decoder loses every other block.
        3 if head.adobe != Some(0) && !head.rgb_ids && !(head.progressive && head.mcu.1 > head.mcu.0) => {
            decode(bytes, head, ColorSpace::Luma, limits)
                .and_then(|data| Luma::new(width, height, data).ok_or_else(size))
        }
        3 => luma::from_rgb(width, height, &rgb(bytes, head, limits)?).ok_or_else(size),
        _ => {
            // The decoder converts YCCK by Adobe's habit only; asked for raw samples it converts nothing.
            let ycck = head.adobe == Some(2);
            let raw = match head.adobe_at {
                Some(at) if ycck => decode(&patched(bytes, &[(at, 0)]), head, ColorSpace::CMYK, limits)?,
                _ => decode(bytes, head, ColorSpace::CMYK, limits)?,
            };
            if !ycck {
                return luma::from_cmyk(width, height, &raw, inverted).ok_or_else(size);
            }
            let flip = if inverted { 0 } else { 255 };
            let data = raw
                .chunks_exact(4)
                .map(|p| (u32::from(p[0] ^ flip) * u32::from(p[3] ^ flip) / 255) as u8)
                .collect();
            Luma::new(width, height, data).ok_or_else(size)
        }
    }
}

/// Decodes a colour JPEG to RGB, as stored. Only for three components.
fn rgb(bytes: &[u8], head: &Head, limits: &Limits) -> Outcome<Vec<u8>> {
    if head.adobe == Some(0) && !head.rgb_ids {
        // Adobe's "no transform" on three components: the decoder knows RGB by the component ids alone,
        // and would take the marker for CMYK.
        let mut changes: Vec<(usize, u8)> = Vec::new();
        for (at, id) in &head.ids {
            let order = head.ids.iter().take(3).position(|(_, first)| first == id).unwrap_or(0);
            changes.push((*at, b"RGB"[order.min(2)]));
        }
        changes.extend(head.adobe_at.map(|at| (at, 1)));
        return decode(&patched(bytes, &changes), head, ColorSpace::RGB, limits);
    }
    decode(bytes, head, ColorSpace::RGB, limits)
}

fn decode(bytes: &[u8], head: &Head, to: ColorSpace, limits: &Limits) -> Outcome<Vec<u8>> {
    if !head.progressive && head.scans > 1 && head.mcu.1 > 1 && head.components > 1 {
        // The decoder would put the rows of its scans in the wrong places, and say nothing.
        return Err(Fault::new(&CODING).detail("subsampled components in scans of their own"));
    }
    // Given the end marker, the decoder would go on with zeros where the picture's data end before it, and
    // say nothing; without it, strict decoding ends with an error. But it reads ahead: a picture of few bits a row
    // and the last of several scans end with one too. Whether those are whole their own codes must say.
    let cut = bytes.get(..head.end).unwrap_or(bytes);
    if !head.progressive
        && head.scans == 1
        && let Ok(data) = decode_exactly(cut, head, to, limits)
    {
        return Ok(data);
    }
    scans::whole(bytes)?;
    decode_exactly(head.picture(bytes), head, to, limits)
}

fn decode_exactly(bytes: &[u8], head: &Head, to: ColorSpace, limits: &Limits) -> Outcome<Vec<u8>> {
    let options = DecoderOptions::default()
        .set_max_width(limits.side as usize)
        .set_max_height(limits.side as usize)
        .set_strict_mode(true)
        .jpeg_set_max_scans(MAX_SCANS)
        .jpeg_set_out_colorspace(to);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let data = decoder.decode().map_err(|e| Fault::new(&BROKEN).detail(reason(&e)))?;
    let expected =
        (head.width as usize).saturating_mul(head.height as usize).saturating_mul(to.num_components());
    if data.len() != expected {
        return Err(Fault::new(&BROKEN).detail(format!("{} samples, expected {expected}", data.len())));
    }
    Ok(data)
}

/// The decoder's own words, cut short: they hold positions and marker names only.
fn reason(error: &zune_jpeg::errors::DecodeErrors) -> String {
    format!("{error:?}").chars().filter(|c| !c.is_control()).take(120).collect()
}

fn patched(bytes: &[u8], changes: &[(usize, u8)]) -> Vec<u8> {
    let mut copy = bytes.to_vec();
    for &(at, value) in changes {
        if let Some(byte) = copy.get_mut(at) {
            *byte = value;
        }
    }
    copy
}

/// Which coefficients of which component the scans have sent in full (G.1.1.1).
#[derive(Default)]
struct Sent {
    progressive: bool,
    /// Component id and one bit for each of its 64 coefficients.
    complete: Vec<(u8, u64)>,
}

impl Sent {
    fn scan(&mut self, body: &[u8]) {
        let count = body.first().map_or(0, |&n| usize::from(n));
        let tail = body.get(1 + 2 * count..).unwrap_or(&[]);
        let band = match (self.progressive, tail) {
            (false, _) => u64::MAX,
            // The lowest bit of the band's coefficients comes with Al = 0.
            (true, &[from, to, ahal, ..]) if from <= to && to < 64 && ahal & 0x0F == 0 => {
                (u64::MAX >> (63 - to)) & (u64::MAX << from)
            }
            _ => 0,
        };
        for i in 0..count {
            if let Some(&id) = body.get(1 + 2 * i) {
                match self.complete.iter_mut().find(|(known, _)| *known == id) {
                    Some((_, bits)) => *bits |= band,
                    None => self.complete.push((id, band)),
                }
            }
        }
    }

    /// What no scan has sent: every component needs its mean values, the first all its detail.
    fn missing(&self, ids: &[(usize, u8)]) -> Option<&'static str> {
        for (i, (_, id)) in ids.iter().enumerate() {
            let bits = self.complete.iter().find(|(known, _)| known == id).map_or(0, |(_, bits)| *bits);
            if bits & 1 == 0 {
                return Some("mean values");
            }
            if i == 0 && bits != u64::MAX {
                return Some("details");
            }
        }
        None
    }
}

/// A walk over marker segments (B.1.1.2).
struct Markers<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Markers<'a> {
    /// The next marker code; fill bytes and stray bytes before it are passed over.
    fn next(&mut self) -> Outcome<u8> {
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or(&[]);
            let Some(gap) = rest.iter().position(|&b| b == 0xFF) else { return Err(self.cut()) };
            self.at += gap + 1;
            match self.bytes.get(self.at) {
                None => return Err(self.cut()),
                Some(0xFF) => {}
                Some(0) => self.at += 1,
                Some(&marker) => {
                    self.at += 1;
                    return Ok(marker);
                }
            }
        }
    }

    /// Position and content of the segment after a marker.
    fn segment(&mut self) -> Outcome<(usize, &'a [u8])> {
        let length = match self.bytes.get(self.at..self.at + 2) {
            Some(pair) => usize::from(u16::from_be_bytes([pair[0], pair[1]])),
            None => return Err(self.cut()),
        };
        if length < 2 {
            return Err(Fault::new(&BROKEN).detail(format!("segment of length {length} at {}", self.at)));
        }
        let start = self.at + 2;
        let end = self.at + length;
        let Some(body) = self.bytes.get(start..end) else { return Err(self.cut()) };
        self.at = end;
        Ok((start, body))
    }

    /// Passes entropy-coded data: up to the next marker that is neither stuffing nor a restart.
    fn skip_entropy(&mut self) {
        while let Some(rest) = self.bytes.get(self.at..) {
            let Some(gap) = rest.iter().position(|&b| b == 0xFF) else {
                self.at = self.bytes.len();
                return;
            };
            match rest.get(gap + 1) {
                Some(0x00 | 0xD0..=0xD7) => self.at += gap + 2,
                Some(0xFF) => self.at += gap + 1,
                _ => {
                    self.at += gap;
                    return;
                }
            }
        }
    }

    fn cut(&self) -> Fault {
        Fault::new(&CUT).detail(format!("{} bytes, no end marker", self.bytes.len()))
    }
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
    let mcu = rest
        .chunks_exact(3)
        .take(ids.len())
        .fold((1, 1), |(across, down): (u8, u8), part| (across.max(part[1] >> 4), down.max(part[1] & 15)));
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
        0xC5..=0xC7 => "hierarchical",
        0xCB | 0xCF => "lossless arithmetic",
        _ => "arithmetic",
    }
}

/// What the application markers add.
#[derive(Default)]
struct Extras<'a> {
    jfif: Option<Dpi>,
    exif: Option<(u8, bool, Option<Dpi>)>,
    icc: Vec<(u8, u8, &'a [u8])>,
    adobe: Option<(usize, u8)>,
}

impl<'a> Extras<'a> {
    /// JFIF density (T.871, 10.1); unit 0 is an aspect ratio and says nothing of size.
    fn jfif(&mut self, body: &[u8]) {
        let [b'J', b'F', b'I', b'F', 0, _, _, unit, x1, x0, y1, y0, ..] = body else { return };
        let scale = match unit {
            1 => 1.0,
            2 => 2.54,
            _ => return,
        };
        let x = f32::from(u16::from_be_bytes([*x1, *x0])) * scale;
        let y = f32::from(u16::from_be_bytes([*y1, *y0])) * scale;
        self.jfif = Some(Dpi { x, y, source: DpiSource::Header });
    }

    fn exif(&mut self, body: &[u8]) {
        if let Some(block) = body.strip_prefix(b"Exif\0\0") {
            self.exif = self.exif.take().or_else(|| ifd::exif(block));
        }
    }

    /// ICC.1:2022, annex B.4: numbered chunks.
    fn icc(&mut self, body: &'a [u8]) {
        if let Some([number, count, chunk @ ..]) = body.strip_prefix(b"ICC_PROFILE\0") {
            self.icc.push((*number, *count, chunk));
        }
    }

    fn into_head(mut self, head: &mut Head) {
        if let Some((turns, mirrored, dpi)) = self.exif {
            head.turns = turns;
            head.mirrored = mirrored;
            head.dpi = dpi;
        }
        // Scanners write JFIF; cameras write 72 into EXIF without meaning it.
        head.dpi = self.jfif.filter(|d| d.x > 1.0 && d.y > 1.0).or(head.dpi);
        head.adobe = self.adobe.map(|(_, transform)| transform);
        head.adobe_at = self.adobe.map(|(at, _)| at);
        self.icc.sort_by_key(|(number, ..)| *number);
        let whole = !self.icc.is_empty()
            && self.icc.iter().enumerate().all(|(i, (number, count, _))| {
                usize::from(*number) == i + 1 && usize::from(*count) == self.icc.len()
            });
        if whole {
            head.icc = Some(self.icc.iter().flat_map(|(.., chunk)| chunk.iter().copied()).collect());
        }
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
    vi: "Kiểu mã hoá JPEG không được hỗ trợ (12 bit, số học, không mất dữ liệu)",
    en: "the JPEG is of an unsupported process (12-bit, arithmetic, lossless)",
    remedy_vi: "Quét lại ra JPEG thông thường (baseline, 8 bit)",
    remedy_en: "scan to ordinary baseline JPEG, 8 bits",
};

/// A second picture lies behind the end of the first, where nothing shows it.
pub const TWO: Code = Code {
    id: "SCAN-023",
    class: Class::Input,
    vi: "Tệp JPEG chứa hai ảnh nối nhau, ảnh sau không hiện ra",
    en: "the JPEG holds two pictures, one behind the other, and only the first is shown",
    remedy_vi: "Gửi mỗi trang trong một tệp riêng, hoặc ra PDF hay TIFF nhiều trang",
    remedy_en: "send each page in a file of its own, or all in a PDF or TIFF",
};

#[cfg(test)]
mod tests;
