//! The pixels of a JPEG, decoded once: its light alone where the decoder gives it, else by way of RGB or CMYK.

use super::{BROKEN, CODING, Head, MAX_SCANS, scans};
use crate::fault::{Fault, Outcome};
use crate::scan::Limits;
use crate::scan::luma::{self, Luma};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

/// Decodes a JPEG to luma, as stored (not turned). `inverted` says how CMYK is written; ignored for others.
///
/// # Errors
/// [`BROKEN`] where the decoder meets damage anywhere, whatever it could save.
pub fn luma(bytes: &[u8], head: &Head, inverted: bool, limits: &Limits) -> Outcome<Luma> {
    let (width, height) = (head.width as usize, head.height as usize);
    let plane = match head.components {
        1 => Luma::new(width, height, decode(bytes, head, ColorSpace::Luma, limits)?),
        3 if has_light_of_its_own(head) => {
            Luma::new(width, height, decode(bytes, head, ColorSpace::Luma, limits)?)
        }
        3 => luma::from_rgb(width, height, &rgb(bytes, head, limits)?),
        _ if head.adobe == Some(2) => Luma::new(width, height, ycck(bytes, head, inverted, limits)?),
        _ => luma::from_cmyk(width, height, &decode(bytes, head, ColorSpace::CMYK, limits)?, inverted),
    };
    plane.ok_or_else(|| Fault::new(&BROKEN).detail("pixels do not fit the declared size"))
}

/// True where the first of three components is light, and the decoder gives it alone.
fn has_light_of_its_own(head: &Head) -> bool {
    // Of a progressive picture with more rows of light than of colour alone the decoder loses every other block.
    let loses_blocks = head.progressive && head.mcu.1 > head.mcu.0;
    head.adobe != Some(0) && !head.rgb_ids && !loses_blocks
}

/// The light of a YCCK JPEG, darkened by its black.
fn ycck(bytes: &[u8], head: &Head, inverted: bool, limits: &Limits) -> Outcome<Vec<u8>> {
    // The decoder converts YCCK by Adobe's habit only; asked for raw samples it converts nothing.
    let raw = match head.adobe_at {
        Some(at) => decode(&patched(bytes, &[(at, 0)]), head, ColorSpace::CMYK, limits)?,
        None => decode(bytes, head, ColorSpace::CMYK, limits)?,
    };
    let flip = if inverted { 0 } else { 255 };
    let darkened = |p: &[u8]| (u32::from(p[0] ^ flip) * u32::from(p[3] ^ flip) / 255) as u8;
    Ok(raw.chunks_exact(4).map(darkened).collect())
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
