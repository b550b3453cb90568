//! One page's picture in the archive: its own coded bytes where a PDF reader decodes them, and what its samples mean.

use super::{Note, Writer};
use crate::digest::Blake3;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::page::{Coding, PageHead, PageImage, Recoded};
use crate::pdf::frame::icc_stream;
use crate::pdf::samples::{self, jpeg_frame};
use crate::pdf::{g4, icc};
use pdf_writer::{Filter, Name, Ref, Str};
use std::borrow::Cow;

/// A page as an archive can hold it. Whoever decodes in a box calls it there; a page that is ready is borrowed.
/// A CMYK JPEG without a usable profile is decoded and encoded again in RGB (quality 90): device CMYK has no meaning
/// beside an RGB output intent.
///
/// # Errors
/// As [`samples::decode_jpeg`] and [`samples::encode_jpeg`].
pub fn in_rgb(image: &PageImage) -> Outcome<Cow<'_, PageImage>> {
    let Coding::Jpeg { bytes, components: 4, inverted, icc } = &image.coding else {
        return Ok(Cow::Borrowed(image));
    };
    if usable(icc.as_deref(), 4).is_some() {
        return Ok(Cow::Borrowed(image));
    }
    let bytes = samples::encode_jpeg(&samples::decode_jpeg(bytes, *inverted)?, 90)?;
    // A profile that is broken stays, so that it is told.
    let coding = Coding::Jpeg { bytes, components: 3, inverted: false, icc: icc.clone() };
    let head = PageHead { recoded: Some(Recoded::FromCmyk), ..image.head };
    Ok(Cow::Owned(PageImage { head, coding, profile: image.profile.clone() }))
}

impl Writer<'_> {
    /// Writes the image object of a page.
    pub(super) fn image(&mut self, image: &PageImage, id: Ref, page: usize) -> Outcome<()> {
        let (width, height) = (image.head.width, image.head.height);
        match &image.coding {
            Coding::Jpeg { bytes, components, inverted, icc } => {
                let profile = icc.as_deref().or(image.profile.as_deref());
                return self.jpeg(image, id, page, bytes, *components, *inverted, profile);
            }
            Coding::G4 { bytes, black_is_1 } => self.fax(id, bytes, width, height, *black_is_1)?,
            Coding::Jbig2 { bytes, globals, inverted } => {
                let shared = globals.as_deref().map(|globals| self.shared(globals)).transpose()?;
                self.out.object(id, |chunk| {
                    let mut object = chunk.image_xobject(id, bytes);
                    object.filter(Filter::Jbig2Decode);
                    if let Some(shared) = shared {
                        object.decode_parms().jbig2_globals(shared);
                    }
                    object.width(width as i32).height(height as i32).bits_per_component(1);
                    object.color_space().device_gray();
                    if *inverted {
                        object.decode([1.0, 0.0]);
                    }
                })?;
            }
            Coding::Jpx { bytes, components, icc } => {
                let profile = icc.as_deref().or(image.profile.as_deref());
                let profile = self.fitting(profile, *components, page)?;
                self.out.object(id, |chunk| {
                    let mut object = chunk.image_xobject(id, bytes);
                    object.filter(Filter::JpxDecode);
                    object.width(width as i32).height(height as i32);
                    // Named here, too, although the file tells them: validators ask the dictionary.
                    colours(&mut object, profile, *components, None);
                })?;
            }
            Coding::Png { stream, bits, components, palette } => {
                let channels = if palette.is_some() { 3 } else { *components };
                let profile = self.fitting(image.profile.as_deref(), channels, page)?;
                let palette = palette.as_deref();
                self.predicted(id, stream, (width, height), (*components, *bits), profile, palette)?;
            }
            Coding::Bilevel(rows) => {
                expect_length(rows, u64::from(width.div_ceil(8)) * u64::from(height))?;
                if width > g4::MAX_WIDTH {
                    self.flate_bits(id, rows, width, height)?;
                } else {
                    let strip = g4::encode(rows, width, height).ok_or_else(|| Fault::new(&NOT_PIXELS))?;
                    self.fax(id, &strip, width, height, false)?;
                }
            }
            Coding::Grey(samples) => self.flate(image, id, page, samples, 1)?,
            Coding::Rgb(samples) => self.flate(image, id, page, samples, 3)?,
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one enum variant")]
    fn jpeg(
        &mut self,
        image: &PageImage,
        id: Ref,
        page: usize,
        bytes: &[u8],
        components: u8,
        inverted: bool,
        profile: Option<&[u8]>,
    ) -> Outcome<()> {
        let frame = jpeg_frame(bytes).ok_or_else(|| Fault::new(&JPEG_KIND).detail("no frame header"))?;
        if frame.process > 2 || frame.precision != 8 || !matches!(components, 1 | 3 | 4) {
            let why = format!("process {}, {} bits, {components} components", frame.process, frame.precision);
            return Err(Fault::new(&JPEG_KIND).detail(why));
        }
        if (u32::from(frame.width), u32::from(frame.height), frame.components)
            != (image.head.width, image.head.height, components)
        {
            let why = format!("frame header says {} x {} x {}", frame.width, frame.height, frame.components);
            return Err(Fault::new(&NOT_PIXELS).detail(why));
        }
        let channels = components;
        let profile = self.fitting(profile, channels, page)?;
        self.out.object(id, |chunk| {
            let mut object = chunk.image_xobject(id, bytes);
            object.filter(Filter::DctDecode);
            object.width(image.head.width as i32).height(image.head.height as i32).bits_per_component(8);
            if frame.is_rgb_by_name {
                // Without this a PDF takes three components for YCbCr (ISO 32000-1, 7.4.8).
                object.decode_parms().pair(Name(b"ColorTransform"), 0);
            }
            colours(&mut object, profile, channels, None);
            if channels == 4 && inverted {
                object.decode([1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
            }
        })
    }

    /// A page's profile where it fits its colours; one that does not is noted.
    fn fitting(&mut self, profile: Option<&[u8]>, channels: u8, page: usize) -> Outcome<Option<Ref>> {
        let usable = usable(profile, channels);
        if profile.is_some() && usable.is_none() {
            self.notes.push(Note::ProfileIgnored { page });
        }
        usable.map(|profile| self.profile(profile, channels)).transpose()
    }

    fn profile(&mut self, profile: &[u8], channels: u8) -> Outcome<Ref> {
        let digest = Blake3::of(profile).0;
        if let Some(known) = self.profiles.get(&digest) {
            return Ok(*known);
        }
        let id = self.bump();
        self.out.object(id, |chunk| icc_stream(chunk, id, profile, channels))?;
        self.profiles.insert(digest, id);
        Ok(id)
    }

    /// Segments that pages of one JBIG2 file share, written once.
    fn shared(&mut self, globals: &[u8]) -> Outcome<Ref> {
        let digest = Blake3::of(globals).0;
        if let Some(known) = self.profiles.get(&digest) {
            return Ok(*known);
        }
        let id = self.bump();
        self.out.object(id, |chunk| {
            chunk.stream(id, globals);
        })?;
        self.profiles.insert(digest, id);
        Ok(id)
    }

    fn fax(&mut self, id: Ref, strip: &[u8], width: u32, height: u32, black_is_1: bool) -> Outcome<()> {
        self.out.object(id, |chunk| {
            let mut object = chunk.image_xobject(id, strip);
            object.filter(Filter::CcittFaxDecode);
            object.decode_parms().k(-1).columns(width as i32).rows(height as i32).black_is_1(black_is_1);
            object.width(width as i32).height(height as i32).bits_per_component(1);
            object.color_space().device_gray();
        })
    }

    fn flate(
        &mut self,
        image: &PageImage,
        id: Ref,
        page: usize,
        samples: &[u8],
        channels: u8,
    ) -> Outcome<()> {
        let (width, height) = (image.head.width, image.head.height);
        expect_length(samples, u64::from(width) * u64::from(height) * u64::from(channels))?;
        let stream = samples::deflate(samples, width, height, channels)?;
        let profile = self.fitting(image.profile.as_deref(), channels, page)?;
        self.predicted(id, &stream, (width, height), (channels, 8), profile, None)
    }

    /// A zlib stream with PNG predictors; `sample` is its components and their bits.
    fn predicted(
        &mut self,
        id: Ref,
        stream: &[u8],
        (width, height): (u32, u32),
        (components, bits): (u8, u8),
        profile: Option<Ref>,
        palette: Option<&[u8]>,
    ) -> Outcome<()> {
        self.out.object(id, |chunk| {
            let mut object = chunk.image_xobject(id, stream);
            object.filter(Filter::FlateDecode);
            object
                .decode_parms()
                .predictor(pdf_writer::types::Predictor::PngOptimum)
                .colors(i32::from(components))
                .bits_per_component(i32::from(bits))
                .columns(width as i32);
            object.width(width as i32).height(height as i32).bits_per_component(i32::from(bits));
            colours(&mut object, profile, components, palette);
        })
    }

    /// Bilevel rows wider than Group 4 takes here.
    fn flate_bits(&mut self, id: Ref, rows: &[u8], width: u32, height: u32) -> Outcome<()> {
        let stream = miniz_oxide::deflate::compress_to_vec_zlib(rows, 6);
        self.out.object(id, |chunk| {
            let mut object = chunk.image_xobject(id, &stream);
            object.filter(Filter::FlateDecode);
            object.width(width as i32).height(height as i32).bits_per_component(1).decode([1.0, 0.0]);
            object.color_space().device_gray();
        })
    }
}

/// A profile that fits the number of colours.
fn usable(profile: Option<&[u8]>, components: u8) -> Option<&[u8]> {
    profile.filter(|profile| icc::channels(profile) == Some(components))
}

/// What samples mean: entries of a table of RGB, or colours, by a profile or as the device has them.
fn colours(
    object: &mut pdf_writer::writers::ImageXObject<'_>,
    profile: Option<Ref>,
    components: u8,
    palette: Option<&[u8]>,
) {
    match (palette, profile) {
        (Some(table), profile) => {
            let mut space = object.insert(Name(b"ColorSpace")).array();
            space.item(Name(b"Indexed"));
            match profile {
                Some(stream) => {
                    space.push().array().item(Name(b"ICCBased")).item(stream);
                }
                None => {
                    space.item(Name(b"DeviceRGB"));
                }
            }
            space.item((table.len() / 3) as i32 - 1).item(Str(table));
        }
        (None, Some(stream)) => object.color_space().icc_based(stream),
        (None, None) if components == 1 => object.color_space().device_gray(),
        (None, None) => object.color_space().device_rgb(),
    }
}

fn expect_length(samples: &[u8], expected: u64) -> Outcome<()> {
    if samples.len() as u64 == expected && expected > 0 {
        return Ok(());
    }
    Err(Fault::new(&NOT_PIXELS).detail(format!("{} bytes of samples, expected {expected}", samples.len())))
}

/// Samples that do not fit the size that the page claims.
pub const NOT_PIXELS: Code = Code {
    id: "PDF-028",
    class: Class::Input,
    vi: "Dữ liệu ảnh không khớp với kích thước trang",
    en: "the image data does not fit the size of the page",
    remedy_vi: "Quét lại trang",
    remedy_en: "scan the page again",
};

/// A JPEG that PDF readers cannot decode.
pub const JPEG_KIND: Code = Code {
    id: "PDF-029",
    class: Class::Input,
    vi: "Kiểu JPEG không dùng được trong PDF",
    en: "this kind of JPEG cannot be used in a PDF",
    remedy_vi: "Quét lại trang thành JPEG 8 bit thông thường",
    remedy_en: "scan the page again as an ordinary 8-bit JPEG",
};
