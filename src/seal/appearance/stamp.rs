//! The agency's seal: a plain red ring with star and name, or the agency's own picture.

use super::{PICTURE, n};
use crate::fault::{Fault, Outcome};
use crate::pdf::font::{Font, Subset};
use crate::pdf::revise::{Dict, ObjectId, Revision, Value};
use miniz_oxide::deflate::compress_to_vec_zlib;
use std::f64::consts::{PI, TAU};
use std::fmt::Write as _;
use std::io::Cursor;

/// Draws two rings, a five-pointed star and the name along the upper arc into a square of `side` points.
pub(super) fn ring(content: &mut String, side: f64, name: &str, font: &Font, subset: &Subset) -> Outcome<()> {
    let center = side / 2.0;
    let radius = center - side * 0.03;
    let _ = writeln!(content, "q {RED} RG {RED} rg");
    circle(content, center, radius, side * 0.028);
    circle(content, center, radius * 0.64, side * 0.01);
    for i in 0..10 {
        let reach = radius * if i % 2 == 0 { 0.44 } else { 0.168 };
        let angle = PI / 2.0 + f64::from(i) * TAU / 10.0;
        let verb = if i == 0 { "m" } else { "l" };
        let (x, y) = (center + reach * angle.cos(), center + reach * angle.sin());
        let _ = writeln!(content, "{} {} {verb}", n(x), n(y));
    }
    content.push_str("h f\n");
    arc_text(content, center, radius * 0.74, radius * 0.19, name, font, subset)?;
    content.push_str("Q\n");
    Ok(())
}

/// Letters on a circle of `radius`, centred at the top, at most five sixths of the way around.
fn arc_text(
    content: &mut String,
    center: f64,
    radius: f64,
    size: f64,
    text: &str,
    font: &Font,
    subset: &Subset,
) -> Outcome<()> {
    let length = f64::from(font.layout(text)?.width(size as f32));
    let fit = (radius * TAU * 5.0 / 6.0 / length.max(1e-6)).min(1.0);
    let size = size * fit;
    let mut angle = PI / 2.0 + length * fit / radius / 2.0;
    for letter in text.chars() {
        let letter = letter.to_string();
        let turn = f64::from(font.layout(&letter)?.width(size as f32)) / radius;
        let middle = angle - turn / 2.0;
        let (sin, cos) = ((middle - PI / 2.0).sin(), (middle - PI / 2.0).cos());
        let half = turn * radius / 2.0;
        let x = center + radius * middle.cos() - half * cos;
        let y = center + radius * middle.sin() - half * sin;
        let matrix = [cos, sin, -sin, cos, x, y].map(n).join(" ");
        let _ = writeln!(content, "BT /F1 {} Tf {matrix} Tm {} Tj ET", n(size), subset.hex(&letter)?);
        angle -= turn;
    }
    Ok(())
}

fn circle(content: &mut String, center: f64, radius: f64, line: f64) {
    const BEND: f64 = 0.552_284_75;
    let bend = radius * BEND;
    let at = |x: f64, y: f64| format!("{} {}", n(center + x), n(center + y));
    let _ = writeln!(content, "{} w {} m", n(line), at(radius, 0.0));
    let quarters = [
        [(radius, bend), (bend, radius), (0.0, radius)],
        [(-bend, radius), (-radius, bend), (-radius, 0.0)],
        [(-radius, -bend), (-bend, -radius), (0.0, -radius)],
        [(bend, -radius), (radius, -bend), (radius, 0.0)],
    ];
    for quarter in quarters {
        let points = quarter.map(|(x, y)| at(x, y)).join(" ");
        let _ = writeln!(content, "{points} c");
    }
    content.push_str("h S\n");
}

/// Adds a picture as an image XObject; its transparency becomes a soft mask (PDF/A-2 allows it, PDF/A-1 does not).
pub(super) fn picture(revision: &mut Revision<'_, '_>, png: &[u8]) -> Outcome<ObjectId> {
    let broken = |what: &str| Fault::new(&PICTURE).detail(what);
    if png.len() > MAX_BYTES {
        return Err(broken("too many bytes"));
    }
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(png), png::Limits { bytes: 8 * MAX_PIXELS });
    decoder.set_transformations(png::Transformations::normalize_to_color8() | png::Transformations::ALPHA);
    let mut reader = decoder.read_info().map_err(|_| broken("not a PNG"))?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    if width.saturating_mul(height) > MAX_PIXELS || width == 0 || height == 0 {
        return Err(broken("too many pixels"));
    }
    let size =
        reader.output_buffer_size().filter(|s| *s <= 4 * MAX_PIXELS).ok_or_else(|| broken("too large"))?;
    let mut pixels = vec![0; size];
    let frame = reader.next_frame(&mut pixels).map_err(|_| broken("broken PNG"))?;
    let samples = frame.color_type.samples();
    let pixels = pixels.get(..frame.buffer_size()).unwrap_or_default();
    let mut color = Vec::with_capacity(width * height * 3);
    let mut alpha = Vec::with_capacity(width * height);
    for pixel in pixels.chunks_exact(samples) {
        match *pixel {
            [g, a] => (color.extend([g, g, g]), alpha.push(a)),
            [r, g, b, a] => (color.extend([r, g, b]), alpha.push(a)),
            _ => return Err(broken("an unusual pixel format")),
        };
    }
    let mask = image(revision, [width, height], "DeviceGray", &alpha, None);
    Ok(image(revision, [width, height], "DeviceRGB", &color, Some(mask)))
}

fn image(
    revision: &mut Revision<'_, '_>,
    [width, height]: [usize; 2],
    space: &str,
    samples: &[u8],
    mask: Option<ObjectId>,
) -> ObjectId {
    let int = |n: usize| Value::Int(i64::try_from(n).unwrap_or(0));
    let mut dict = Dict::new();
    dict.set(b"Type", Value::name("XObject"));
    dict.set(b"Subtype", Value::name("Image"));
    dict.set(b"Width", int(width));
    dict.set(b"Height", int(height));
    dict.set(b"ColorSpace", Value::name(space));
    dict.set(b"BitsPerComponent", Value::Int(8));
    dict.set(b"Filter", Value::name("FlateDecode"));
    if let Some(mask) = mask {
        dict.set(b"SMask", Value::Ref(mask));
    }
    revision.add_stream(dict, &compress_to_vec_zlib(samples, 9))
}

const RED: &str = "0.8 0 0";
const MAX_BYTES: usize = 4 << 20;
const MAX_PIXELS: usize = 4_000_000;
