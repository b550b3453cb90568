//! The agency's seal where there is no picture of it: a plain ring with star and name.

use super::n;
use crate::fault::Outcome;
use crate::pdf::font::{Font, Subset};
use crate::pdf::revise::Rect;
use std::f64::consts::{PI, TAU};
use std::fmt::Write as _;

/// Draws two rings, a five-pointed star and the name along the upper arc, as large as the box allows.
pub(super) fn ring(
    content: &mut String,
    place: &Rect,
    [r, g, b]: [f64; 3],
    name: &str,
    subset: &Subset,
) -> Outcome<()> {
    let side = place.width().min(place.height());
    let center = [(place.x0 + place.x1) / 2.0, (place.y0 + place.y1) / 2.0];
    // The outer edge of the line is the real size.
    let radius = side * (0.5 - RING / 2.0);
    let red = [r, g, b].map(n).join(" ");
    let _ = writeln!(content, "q {red} RG {red} rg");
    circle(content, center, radius, side * RING);
    circle(content, center, radius * 0.64, side * 0.01);
    for i in 0..10 {
        let reach = radius * if i % 2 == 0 { 0.44 } else { 0.168 };
        let angle = PI / 2.0 + f64::from(i) * TAU / 10.0;
        let verb = if i == 0 { "m" } else { "l" };
        let _ = writeln!(
            content,
            "{} {} {verb}",
            n(center[0] + reach * angle.cos()),
            n(center[1] + reach * angle.sin())
        );
    }
    content.push_str("h f\n");
    arc_text(content, center, radius * 0.74, radius * 0.19, name, subset)?;
    content.push_str("Q\n");
    Ok(())
}

/// Letters on a circle of `radius`, centred at the top, at most five sixths of the way around.
fn arc_text(
    content: &mut String,
    center: [f64; 2],
    radius: f64,
    size: f64,
    text: &str,
    subset: &Subset,
) -> Outcome<()> {
    let font = Font::serif();
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
        let x = center[0] + radius * middle.cos() - half * cos;
        let y = center[1] + radius * middle.sin() - half * sin;
        let matrix = [cos, sin, -sin, cos, x, y].map(n).join(" ");
        let _ = writeln!(content, "BT /F1 {} Tf {matrix} Tm {} Tj ET", n(size), subset.hex(&letter)?);
        angle -= turn;
    }
    Ok(())
}

fn circle(content: &mut String, center: [f64; 2], radius: f64, line: f64) {
    const BEND: f64 = 0.552_284_75;
    let bend = radius * BEND;
    let at = |x: f64, y: f64| format!("{} {}", n(center[0] + x), n(center[1] + y));
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

/// Breadth of the outer ring, of the whole.
const RING: f64 = 0.028;
