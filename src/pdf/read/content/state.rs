//! The part of the graphics state that decides what is seen of a scan (ISO 32000-1, 8.4).

use super::super::number_of;
use lopdf::{Document, Object};

/// What is in force where an order is met.
#[derive(Clone, Copy)]
pub(super) struct State {
    pub(super) matrix: [f32; 6],
    pub(super) fill: Colour,
    pub(super) stroke: Colour,
    pub(super) unseen_text: bool,
    /// Text becomes a clipping path.
    pub(super) text_cuts: bool,
    /// Clipping paths in force.
    pub(super) clips: usize,
    /// A layer that may be off.
    pub(super) is_optional: bool,
    /// Transparent; through a mask; blended with what lies below; through another transfer curve; or in a form to
    /// which any of this happens as a whole.
    altered: [bool; 5],
}

#[derive(Clone, Copy)]
pub(super) struct Colour {
    space: Space,
    pub(super) paint: Paint,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Paint {
    Black,
    White,
    Other,
}

#[derive(Clone, Copy, PartialEq)]
enum Space {
    Grey,
    Rgb,
    Cmyk,
    Other,
}

impl Default for State {
    fn default() -> Self {
        let black = Colour { space: Space::Grey, paint: Paint::Black };
        State {
            matrix: [1.0, 0.0, 0.0, 1.0, 0.0, 0.0],
            fill: black,
            stroke: black,
            unseen_text: false,
            text_cuts: false,
            clips: 0,
            is_optional: false,
            altered: [false; 5],
        }
    }
}

impl State {
    pub(super) fn is_altered(&self) -> bool {
        self.altered.contains(&true)
    }

    /// The state that a form begins with.
    pub(super) fn in_form(mut self) -> Self {
        self.altered[4] = self.is_altered();
        self
    }

    /// `g`, `cs`, `scn` and their like; `named` is what the resources hold under the order's name.
    pub(super) fn colour(
        &mut self,
        document: &Document,
        order: &[u8],
        numbers: &[f32],
        name: &[u8],
        named: Option<&Object>,
    ) {
        let colour =
            if order.first().is_some_and(u8::is_ascii_uppercase) { &mut self.stroke } else { &mut self.fill };
        let set = |space| Colour { space, paint: paint(space, numbers) };
        *colour = match order.to_ascii_lowercase().as_slice() {
            b"g" => set(Space::Grey),
            b"rg" => set(Space::Rgb),
            b"k" => set(Space::Cmyk),
            b"cs" => {
                let space = space(document, name, named);
                // All spaces that are followed begin black.
                Colour { space, paint: if space == Space::Other { Paint::Other } else { Paint::Black } }
            }
            _ => set(colour.space),
        };
    }

    /// `gs`: values that change nothing are common and stay unnoticed.
    pub(super) fn parameters(&mut self, document: &Document, named: Option<&Object>) {
        let dict = named.and_then(|o| document.dereference(o).ok()).and_then(|(_, o)| o.as_dict().ok());
        let Some(dict) = dict else {
            // What is not known may change everything.
            self.altered[0] = true;
            return;
        };
        let value = |key: &[u8]| dict.get_deref(key, document).ok();
        let is_name =
            |value: &Object, names: [&[u8]; 2]| value.as_name().is_ok_and(|name| names.contains(&name));
        if dict.has(b"ca") {
            self.altered[0] = number_of(document, dict.get(b"ca").ok()) != Some(1.0);
        }
        if let Some(mask) = value(b"SMask") {
            self.altered[1] = !is_name(mask, [b"None", b"None"]);
        }
        if let Some(mode) = value(b"BM") {
            let first = mode.as_array().ok().and_then(|modes| modes.first());
            self.altered[2] = !is_name(first.unwrap_or(mode), [b"Normal", b"Compatible"]);
        }
        if let Some(curve) = value(b"TR2").or_else(|| value(b"TR")) {
            self.altered[3] = !is_name(curve, [b"Identity", b"Default"]);
        }
    }

    /// `Tr` (ISO 32000-1, 9.3.6).
    pub(super) fn text_mode(&mut self, numbers: &[f32]) {
        let mode = numbers.last().copied().unwrap_or(0.0);
        self.unseen_text = mode == 3.0 || mode == 7.0;
        self.text_cuts = mode >= 4.0;
    }
}

fn space(document: &Document, name: &[u8], named: Option<&Object>) -> Space {
    let named = named.and_then(|o| document.dereference(o).ok()).map(|(_, o)| o);
    let parts = match named {
        None => return device(name),
        Some(Object::Name(name)) => return device(name),
        Some(Object::Array(parts)) => parts,
        Some(_) => return Space::Other,
    };
    match parts.first().and_then(|o| o.as_name().ok()) {
        Some(b"ICCBased") => {
            let profile = parts.get(1).and_then(|o| document.dereference(o).ok());
            let profile = profile.and_then(|(_, o)| o.as_stream().ok());
            match profile.and_then(|p| p.dict.get_deref(b"N", document).ok()?.as_i64().ok()) {
                Some(1) => Space::Grey,
                Some(3) => Space::Rgb,
                Some(4) => Space::Cmyk,
                _ => Space::Other,
            }
        }
        Some(name) => device(name),
        None => Space::Other,
    }
}

fn device(name: &[u8]) -> Space {
    match name {
        b"DeviceGray" | b"CalGray" => Space::Grey,
        b"DeviceRGB" | b"CalRGB" => Space::Rgb,
        b"DeviceCMYK" => Space::Cmyk,
        _ => Space::Other,
    }
}

fn paint(space: Space, numbers: &[f32]) -> Paint {
    match (space, numbers) {
        (Space::Grey, [v]) if *v == 0.0 => Paint::Black,
        (Space::Grey, [v]) if *v == 1.0 => Paint::White,
        (Space::Rgb, [r, g, b]) if [r, g, b].iter().all(|v| **v == 0.0) => Paint::Black,
        (Space::Rgb, [r, g, b]) if [r, g, b].iter().all(|v| **v == 1.0) => Paint::White,
        (Space::Cmyk, [_, _, _, k]) if *k == 1.0 => Paint::Black,
        (Space::Cmyk, [c, m, y, k]) if [c, m, y, k].iter().all(|v| **v == 0.0) => Paint::White,
        _ => Paint::Other,
    }
}
