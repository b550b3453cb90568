//! Text on a PDF page: a serif with full Vietnamese, laid out, cut to the glyphs used and embedded.
//!
//! | ISO 19005-2 clause | where it is met |
//! |---|---|
//! | 6.2.11.3.1, .3.2 composite fonts, CIDFonts | `Identity-H` over `Adobe-Identity-0`, `/CIDToGIDMap /Identity` |
//! | 6.2.11.4.1 embedding | `/FontFile2` of every font, always |
//! | 6.2.11.4.2 subsets | every glyph that [`Subset::encode`] can name is in the program; no `/CIDSet` |
//! | 6.2.11.5 widths | `/W` comes from the same `hmtx` that is embedded, scaled to 1000 units an em |
//! | 6.2.11.7 Unicode (2u) | `/ToUnicode` for every glyph |
//! | 6.2.11.8 `.notdef` | a character without a glyph is a [`Fault`], never glyph 0 |

use crate::digest::Blake3;
use crate::fault::{Class, Code, Fault, Outcome};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;
use ttf_parser::Face;
use unicode_normalization::UnicodeNormalization;

/// A typeface in the binary.
pub struct Font {
    name: &'static str,
    data: &'static [u8],
    face: Face<'static>,
    stem_v: i32,
}

/// One line of text, laid out; sizes are in points once multiplied by a type size.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Glyph of the whole font and the character it shows, in order.
    pub glyphs: Vec<(u16, char)>,
    /// Sum of the advances over units an em.
    ems: f32,
}

/// The glyphs of a font that some texts need, ready to be embedded.
pub struct Subset {
    base_font: String,
    /// Character to its CID, which is its glyph in the cut program.
    cids: BTreeMap<char, u16>,
    #[cfg(test)]
    program: Vec<u8>,
    /// The font program as a stream object, packed once.
    file: Vec<u8>,
    /// Width of each CID from 0, thousandths of an em.
    widths: Vec<f32>,
    descriptor: Descriptor,
}

/// The indirect objects that embed a [`Subset`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FontObjects {
    /// The Type0 font, for a `/Resources /Font` entry.
    pub font_ref: i32,
    /// Object number and the bytes between `obj` and `endobj`.
    pub objects: Vec<(i32, Vec<u8>)>,
}

impl Font {
    /// The upright serif; as wide as Times New Roman.
    pub fn serif() -> &'static Font {
        static FONT: LazyLock<Font> =
            LazyLock::new(|| built_in("Tinos", include_bytes!("fonts/Tinos-Regular.ttf"), 84));
        &FONT
    }

    /// The bold serif.
    pub fn serif_bold() -> &'static Font {
        static FONT: LazyLock<Font> =
            LazyLock::new(|| built_in("Tinos-Bold", include_bytes!("fonts/Tinos-Bold.ttf"), 140));
        &FONT
    }

    /// Lays out one line, in NFC (a decomposed `ê` + dot below becomes one letter).
    ///
    /// # Errors
    /// [`NO_GLYPH`] for a character that the font does not draw, control characters and line ends among them.
    pub fn layout(&self, text: &str) -> Outcome<Run> {
        let mut glyphs = Vec::with_capacity(text.len());
        let mut units = 0u32;
        for (index, ch) in text.nfc().enumerate() {
            // The place, not the character: a text may be somebody's name.
            let glyph = self.face.glyph_index(ch).filter(|glyph| glyph.0 != 0).ok_or_else(|| {
                Fault::new(&NO_GLYPH).detail(format!("character {} of the text", index + 1))
            })?;
            units = units.saturating_add(u32::from(self.face.glyph_hor_advance(glyph).unwrap_or(0)));
            glyphs.push((glyph.0, ch));
        }
        Ok(Run { glyphs, ems: units as f32 / f32::from(self.face.units_per_em()) })
    }

    /// Height of the highest letters over the base line at a type size, points.
    pub fn ascent(&self, size: f32) -> f32 {
        f32::from(self.face.ascender()) / f32::from(self.face.units_per_em()) * size
    }

    /// Depth of the lowest letters under the base line at a type size, points, positive.
    pub fn descent(&self, size: f32) -> f32 {
        -f32::from(self.face.descender()) / f32::from(self.face.units_per_em()) * size
    }

    fn per_mille(&self, units: i32) -> f32 {
        units as f32 * 1000.0 / f32::from(self.face.units_per_em())
    }
}

impl Run {
    /// Advance width at a type size, points.
    pub fn width(&self, size: f32) -> f32 {
        self.ems * size
    }
}

impl Subset {
    /// Cuts a font to the glyphs that these texts need. The same texts in any order give the same bytes.
    ///
    /// # Errors
    /// [`NO_GLYPH`] as in [`Font::layout`]; [`CUT`] where the font program cannot be cut.
    pub fn new(font: &Font, texts: &[&str]) -> Outcome<Subset> {
        let mut used = BTreeMap::new();
        for text in texts {
            used.extend(font.layout(text)?.glyphs.into_iter().map(|(glyph, ch)| (ch, glyph)));
        }
        let mut remapper = subsetter::GlyphRemapper::new();
        let cids: BTreeMap<char, u16> =
            used.iter().map(|(ch, glyph)| (*ch, remapper.remap(*glyph))).collect();
        let program = subsetter::subset(font.data, 0, &remapper).map_err(|e| Fault::new(&CUT).detail(e))?;
        let cut = Face::parse(&program, 0).map_err(|e| Fault::new(&CUT).detail(e))?;
        // Widths are read back from the cut program: the reader of the file compares with that one.
        let widths = (0..cut.number_of_glyphs())
            .map(|glyph| {
                font.per_mille(i32::from(cut.glyph_hor_advance(ttf_parser::GlyphId(glyph)).unwrap_or(0)))
            })
            .collect();
        Ok(Subset {
            base_font: format!("{}+{}", tag(&program), font.name),
            cids,
            widths,
            descriptor: Descriptor::of(font),
            file: deflated(&program, &format!("/Length1 {}", program.len())),
            #[cfg(test)]
            program,
        })
    }

    /// The bytes of a `Tj` string: two a character, big-endian CIDs.
    ///
    /// # Errors
    /// [`NO_GLYPH`] for a character that was not among the texts of [`Subset::new`].
    pub fn encode(&self, text: &str) -> Outcome<Vec<u8>> {
        let mut bytes = Vec::with_capacity(text.len() * 2);
        for (index, ch) in text.nfc().enumerate() {
            let cid = self.cids.get(&ch).ok_or_else(|| {
                Fault::new(&NO_GLYPH).detail(format!("character {} of the text", index + 1))
            })?;
            bytes.extend_from_slice(&cid.to_be_bytes());
        }
        Ok(bytes)
    }

    /// [`Subset::encode`] as the hexadecimal string of a content stream, angle brackets included.
    ///
    /// # Errors
    /// As [`Subset::encode`].
    pub fn hex(&self, text: &str) -> Outcome<String> {
        Ok(format!("<{}>", hex::encode(self.encode(text)?)))
    }

    /// The five objects of the font, numbered from `next_ref`, which is left at the first free number.
    pub fn objects(&self, next_ref: &mut i32) -> FontObjects {
        let font_ref = *next_ref;
        *next_ref = next_ref.saturating_add(5);
        let [cid_font, descriptor, file, to_unicode] = [1, 2, 3, 4].map(|n| font_ref.saturating_add(n));
        let name = &self.base_font;
        let type0 = format!(
            "<</Type/Font/Subtype/Type0/BaseFont/{name}/Encoding/Identity-H/DescendantFonts[{cid_font} 0 R]/ToUnicode {to_unicode} 0 R>>"
        );
        let mut widths = String::new();
        for width in &self.widths {
            let _ = write!(widths, "{} ", number(*width));
        }
        let cid = format!(
            "<</Type/Font/Subtype/CIDFontType2/BaseFont/{name}/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>\
             /FontDescriptor {descriptor} 0 R/CIDToGIDMap/Identity/DW 0/W[0[{}]]>>",
            widths.trim_end()
        );
        let d = &self.descriptor;
        let described = format!(
            "<</Type/FontDescriptor/FontName/{name}/Flags 6/FontBBox[{}]/ItalicAngle 0/Ascent {}/Descent {}/CapHeight {}/StemV {}/FontFile2 {file} 0 R>>",
            d.bbox.map(number).join(" "),
            number(d.ascent),
            number(d.descent),
            number(d.cap_height),
            d.stem_v
        );
        FontObjects {
            font_ref,
            objects: vec![
                (font_ref, type0.into_bytes()),
                (cid_font, cid.into_bytes()),
                (descriptor, described.into_bytes()),
                (file, self.file.clone()),
                (to_unicode, deflated(self.to_unicode().as_bytes(), "")),
            ],
        }
    }

    /// CMap from CID to text (ISO 32000-1 9.10.3). Where two characters share a glyph (space and no-break
    /// space), the lower code point stands: what one searches for.
    fn to_unicode(&self) -> String {
        let mut texts: BTreeMap<u16, char> = BTreeMap::new();
        for (ch, cid) in &self.cids {
            texts.entry(*cid).or_insert(*ch);
        }
        let mut map = String::from(
            "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n\
             /CIDSystemInfo <</Registry(Adobe)/Ordering(UCS)/Supplement 0>> def\n\
             /CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n\
             1 begincodespacerange\n<0000> <ffff>\nendcodespacerange\n",
        );
        let texts: Vec<_> = texts.into_iter().collect();
        for block in texts.chunks(100) {
            let _ = writeln!(map, "{} beginbfchar", block.len());
            for (cid, ch) in block {
                let mut units = [0u16; 2];
                let _ = write!(map, "<{cid:04x}> <");
                for unit in ch.encode_utf16(&mut units) {
                    let _ = write!(map, "{unit:04x}");
                }
                map.push_str(">\n");
            }
            map.push_str("endbfchar\n");
        }
        map.push_str("endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n");
        map
    }
}

/// Figures of a FontDescriptor (ISO 32000-1 table 122), thousandths of an em.
struct Descriptor {
    bbox: [f32; 4],
    ascent: f32,
    descent: f32,
    cap_height: f32,
    stem_v: i32,
}

impl Descriptor {
    fn of(font: &Font) -> Self {
        let face = &font.face;
        let bbox = face.global_bounding_box();
        let scale = |units: i16| font.per_mille(i32::from(units));
        Descriptor {
            bbox: [scale(bbox.x_min), scale(bbox.y_min), scale(bbox.x_max), scale(bbox.y_max)],
            ascent: scale(face.ascender()),
            descent: scale(face.descender()),
            cap_height: scale(face.capital_height().unwrap_or(face.ascender())),
            stem_v: font.stem_v,
        }
    }
}

#[expect(clippy::expect_used, reason = "the bytes are part of the program; a test opens both fonts")]
fn built_in(name: &'static str, data: &'static [u8], stem_v: i32) -> Font {
    Font { name, data, face: Face::parse(data, 0).expect("a font of this program"), stem_v }
}

/// Six capitals from the digest of the cut program (ISO 32000-1 9.6.4): stable, and different for different subsets.
fn tag(program: &[u8]) -> String {
    Blake3::of(program).0.iter().take(6).map(|byte| char::from(b'A' + byte % 26)).collect()
}

/// A number as PDF writes it: no exponent, at most three decimals, none where it is whole.
fn number(value: f32) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn deflated(bytes: &[u8], entries: &str) -> Vec<u8> {
    let packed = miniz_oxide::deflate::compress_to_vec_zlib(bytes, 9);
    let mut out = format!("<</Length {}/Filter/FlateDecode{entries}>>\nstream\n", packed.len()).into_bytes();
    out.extend_from_slice(&packed);
    out.extend_from_slice(b"\nendstream");
    out
}

/// A character that the built-in fonts do not draw.
pub const NO_GLYPH: Code = Code {
    id: "PDF-020",
    class: Class::Input,
    vi: "Văn bản có ký tự mà phông chữ không có",
    en: "the text has a character that the font does not draw",
    remedy_vi: "Bỏ ký tự lạ, ký tự điều khiển hoặc dấu xuống dòng khỏi văn bản",
    remedy_en: "take foreign letters, control characters and line ends out of the text",
};

/// The font program could not be cut to a subset.
pub const CUT: Code = Code {
    id: "PDF-021",
    class: Class::Inner,
    vi: "Không rút gọn được phông chữ để nhúng",
    en: "the font could not be cut for embedding",
    remedy_vi: "Báo cho người bảo trì chương trình",
    remedy_en: "report it to the maintainers",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vietnamese_letter_has_a_glyph_in_both_weights() {
        let bases = "aăâeêioôơuưyAĂÂEÊIOÔƠUƯY";
        let mut text = String::from("đĐ₫0123456789 -–—“”‘’…:/+%№");
        for base in bases.chars() {
            for tone in ['\u{300}', '\u{301}', '\u{303}', '\u{309}', '\u{323}'] {
                text.push(base);
                text.push(tone);
            }
        }
        for font in [Font::serif(), Font::serif_bold()] {
            let run = font.layout(&text).unwrap();
            assert!(run.glyphs.iter().all(|(_, ch)| !('\u{300}'..='\u{36f}').contains(ch)), "NFC joins them");
        }
    }

    #[test]
    fn widths_are_those_of_times() {
        // Times-Roman AFM: digits 500, space 250, T 611, i 278, m 778, e 444, s 389.
        let run = Font::serif().layout("Times 25").unwrap();
        assert!((run.width(1000.0) - (611.0 + 278.0 + 778.0 + 444.0 + 389.0 + 250.0 + 1000.0)).abs() < 3.0);
    }

    #[test]
    fn a_character_without_a_glyph_is_a_fault_that_does_not_name_it() {
        for text in ["Nguyễn 字", "a\nb", "\u{0}", "😀"] {
            let fault = Font::serif().layout(text).unwrap_err();
            assert_eq!(fault.code, &NO_GLYPH);
            assert!(!fault.to_string().contains("Nguyễn"));
        }
    }

    #[test]
    fn a_subset_is_small_tagged_and_the_same_for_the_same_letters() {
        let one = Subset::new(Font::serif(), &["Nguyễn Thị Huệ", "2025"]).unwrap();
        let two = Subset::new(Font::serif(), &["2025", "Nguyễn Thị Huệ"]).unwrap();
        assert_eq!(one.objects(&mut 7), two.objects(&mut 7));
        let mut next = 7;
        let objects = one.objects(&mut next);
        assert_eq!((objects.font_ref, next, objects.objects.len()), (7, 12, 5));
        let bytes: usize = objects.objects.iter().map(|(_, body)| body.len()).sum();
        assert!(bytes < 6_000, "{bytes} bytes");
        let other = Subset::new(Font::serif(), &["khác"]).unwrap();
        assert_ne!(one.base_font, other.base_font);
        assert_eq!(one.base_font.find('+'), Some(6));
    }

    #[test]
    fn text_outside_the_subset_is_refused_and_inside_is_two_bytes_a_letter() {
        let subset = Subset::new(Font::serif(), &["Huệ"]).unwrap();
        assert_eq!(subset.encode("eệ").unwrap_err().code, &NO_GLYPH);
        let composed = subset.encode("ệuH").unwrap();
        assert_eq!(composed.len(), 6);
        assert_eq!(subset.encode("e\u{302}\u{323}uH").unwrap(), composed);
        assert!(composed.chunks(2).all(|cid| cid != [0, 0]));
    }

    #[test]
    fn the_embedded_widths_are_those_of_the_embedded_program() {
        let subset = Subset::new(Font::serif(), &["Ướ", "Wi"]).unwrap();
        let face = Face::parse(&subset.program, 0).unwrap();
        for (ch, cid) in &subset.cids {
            let whole = Font::serif().layout(&ch.to_string()).unwrap().width(1000.0);
            assert!((subset.widths[usize::from(*cid)] - whole).abs() < 0.01);
            assert!(face.glyph_hor_advance(ttf_parser::GlyphId(*cid)).is_some());
        }
    }
}
