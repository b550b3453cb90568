//! The main header of a JPEG 2000 codestream (ISO/IEC 15444-1, annex A), and what decoding it would take.

use super::{BROKEN, CODING};
use crate::fault::{Fault, Outcome};
use crate::scan::Limits;
use crate::scan::limits::{RATIO, TOO_MANY_PIXELS};

/// SOC and SIZ: how every codestream begins.
pub(super) const START: &[u8] = b"\xFF\x4F\xFF\x51";

/// What the main header declares.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Main {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) components: u16,
    /// Bits of the deepest component.
    pub(super) bits: u8,
    /// All components have one depth, one size and no sign.
    pub(super) is_even: bool,
    tiles: u64,
    /// Layers times precincts, and code-blocks, of all components.
    packets: u64,
    blocks: u64,
}

/// Bytes that the decoder takes for a sample, in its coefficients and its planes.
const SAMPLE: u64 = 8;
/// Most bytes for all of them: an A4 page at 600 dpi in colour needs 0.84 GB, and no desk scans more.
const MEMORY: u64 = 1 << 30;
/// Tiles, code-blocks and packets that a picture may have; a page in 128 x 128 tiles has 600, a page in the
/// usual blocks of 64 x 64 has some thousand.
const MAX_TILES: u64 = 16_384;
const MAX_BLOCKS: u64 = 1 << 20;
const MAX_PACKETS: u64 = 1 << 20;
/// Marker segments of a main header.
const MAX_SEGMENTS: usize = 4_096;

impl Main {
    /// Checks what decoding would take, before it is taken.
    pub(super) fn affordable(&self, limits: &Limits) -> Outcome<()> {
        let pixels = u64::from(self.width) * u64::from(self.height);
        let memory = pixels.saturating_mul(u64::from(self.components)).saturating_mul(SAMPLE);
        if pixels > limits.pixels || memory > MEMORY {
            return Err(Fault::new(&TOO_MANY_PIXELS)
                .detail(format!("{memory} bytes to decode JPEG 2000, at most {MEMORY}")));
        }
        if self.tiles > MAX_TILES || self.blocks > MAX_BLOCKS || self.packets > MAX_PACKETS {
            return Err(Fault::new(&RATIO).detail(format!(
                "{} tiles, {} code-blocks, {} packets",
                self.tiles, self.blocks, self.packets
            )));
        }
        Ok(())
    }
}

/// Reads the main header; gives it and where the tile-parts begin.
pub(super) fn read(stream: &[u8]) -> Outcome<(Main, usize)> {
    let broken = |what: &str| Fault::new(&BROKEN).detail(what);
    if !stream.starts_with(START) {
        return Err(broken("no start of a codestream"));
    }
    let mut at = 2usize;
    let mut main: Option<Main> = None;
    let mut styles: Vec<Style> = Vec::new();
    for _ in 0..MAX_SEGMENTS {
        let marker = two(stream, at).ok_or_else(|| broken("cut off in the main header"))?;
        if marker == SOT {
            let mut main = main.ok_or_else(|| broken("no SIZ"))?;
            if styles.is_empty() {
                return Err(broken("no COD"));
            }
            // The finest style that any component has, taken for all of them.
            for style in &styles {
                let (blocks, packets) = style.cost(&main);
                main.blocks = main.blocks.max(blocks);
                main.packets = main.packets.max(packets);
            }
            return Ok((main, at));
        }
        let length = usize::from(two(stream, at + 2).ok_or_else(|| broken("cut off in the main header"))?);
        let body = at.checked_add(4).and_then(|from| stream.get(from..from + length.checked_sub(2)?));
        let body = body.ok_or_else(|| broken("marker segment"))?;
        match marker {
            0xFF51 if main.is_none() => main = Some(size(body)?),
            0xFF51 => return Err(broken("two SIZ")),
            0xFF52 => styles.push(Style::cod(body).ok_or_else(|| broken("COD"))?),
            0xFF53 => {
                let wide = main.as_ref().is_some_and(|main| main.components > 256);
                let layers = styles.first().map_or(1, |style| style.layers);
                styles.push(Style::coc(body, wide, layers).ok_or_else(|| broken("COC"))?);
            }
            0xFF00..=0xFF4F | 0xFFD0..=0xFFFF => return Err(broken("unknown marker")),
            _ => {}
        }
        at += 2 + length;
    }
    Err(broken("main header without end"))
}

const SOT: u16 = 0xFF90;

fn two(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn four(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// SIZ (A.5.1).
fn size(body: &[u8]) -> Outcome<Main> {
    let broken = |what: &str| Fault::new(&BROKEN).detail(what);
    let field = |index: usize| four(body, 2 + 4 * index).ok_or_else(|| broken("SIZ"));
    let (x, y, x0, y0) = (field(0)?, field(1)?, field(2)?, field(3)?);
    let (tile_x, tile_y, tile_x0, tile_y0) = (field(4)?, field(5)?, field(6)?, field(7)?);
    let components = two(body, 34).ok_or_else(|| broken("SIZ"))?;
    let (Some(width), Some(height)) = (x.checked_sub(x0), y.checked_sub(y0)) else {
        return Err(broken("picture before its origin"));
    };
    if tile_x == 0 || tile_y == 0 || tile_x0 > x0 || tile_y0 > y0 {
        return Err(broken("tiles of no size, or beside the picture"));
    }
    let list = body.get(36..).unwrap_or(&[]);
    if components == 0 || list.len() != 3 * usize::from(components) {
        return Err(broken("components"));
    }
    if components > 5 {
        return Err(Fault::new(&CODING).detail(format!("{components} components")));
    }
    let (mut bits, mut is_even) = (0u8, true);
    for component in list.chunks_exact(3) {
        let &[depth, dx, dy] = component else { return Err(broken("components")) };
        if dx == 0 || dy == 0 {
            return Err(broken("component of no size"));
        }
        let depth_bits = (depth & 0x7F) + 1;
        if depth_bits > 16 {
            return Err(Fault::new(&CODING).detail(format!("{depth_bits} bits a sample")));
        }
        bits = bits.max(depth_bits);
        is_even &= component == list.get(..3).unwrap_or(&[]) && depth & 0x80 == 0 && dx == 1 && dy == 1;
    }
    let across = |to: u32, from: u32, step: u32| u64::from(to - from).div_ceil(u64::from(step));
    let tiles = if width == 0 || height == 0 {
        0
    } else {
        across(x, tile_x0, tile_x).saturating_mul(across(y, tile_y0, tile_y))
    };
    Ok(Main { width, height, components, bits, is_even, tiles, packets: 0, blocks: 0 })
}

/// What COD and COC say of code-blocks and precincts (A.6.1, A.6.2).
struct Style {
    layers: u64,
    /// Decomposition levels.
    levels: u32,
    /// Bits of the sides of a code-block.
    block: (u32, u32),
    /// Bits of the sides of a precinct, lowest resolution first.
    precincts: Vec<(u32, u32)>,
}

impl Style {
    fn cod(body: &[u8]) -> Option<Style> {
        let &[style, _, l1, l0, _, ref rest @ ..] = body else { return None };
        Style::of(rest, style & 1 != 0, u64::from(u16::from_be_bytes([l1, l0])))
    }

    fn coc(body: &[u8], wide: bool, layers: u64) -> Option<Style> {
        let body = body.get(if wide { 2 } else { 1 }..)?;
        let (style, rest) = body.split_first()?;
        Style::of(rest, style & 1 != 0, layers)
    }

    fn of(body: &[u8], has_precincts: bool, layers: u64) -> Option<Style> {
        let &[levels, x, y, _, _, ref rest @ ..] = body else { return None };
        if levels > 32 {
            return None;
        }
        let block = (u32::from(x & 0x0F) + 2, u32::from(y & 0x0F) + 2);
        let count = usize::from(levels) + 1;
        let precincts = match has_precincts {
            true => rest.get(..count)?.iter().map(|b| (u32::from(b & 0x0F), u32::from(b >> 4))).collect(),
            false => vec![(15, 15); count],
        };
        Some(Style { layers: layers.max(1), levels: levels.into(), block, precincts })
    }

    /// Code-blocks and packets of all components, reckoned high: each tile and each level begins new ones.
    fn cost(&self, main: &Main) -> (u64, u64) {
        let components = u64::from(main.components);
        let tiles = main.tiles.max(1);
        let (mut blocks, mut precincts) = (0u64, 0u64);
        for (level, &(px, py)) in (0u32..).zip(&self.precincts) {
            let shrunk = self.levels.saturating_sub(level).min(31);
            let side = |length: u32, bits: u32| (u64::from(length) >> shrunk >> bits.min(63)) + 1;
            let here = side(main.width, px).saturating_mul(side(main.height, py));
            precincts = precincts.saturating_add(here.saturating_add(tiles));
            // Precincts cut code-blocks.
            let (bx, by) = (self.block.0.min(px), self.block.1.min(py));
            let here = side(main.width, bx).saturating_mul(side(main.height, by));
            blocks = blocks.saturating_add(here.saturating_add(tiles));
        }
        (blocks.saturating_mul(components), precincts.saturating_mul(components).saturating_mul(self.layers))
    }
}

/// Walks the tile-parts one after the other (A.4.2): they must end at the end marker and leave no tile out.
pub(super) fn whole(stream: &[u8], first: usize, main: &Main) -> Outcome<()> {
    let cut = |what: &str| Fault::new(&BROKEN).detail(what);
    let count = usize::try_from(main.tiles.min(1 << 16)).unwrap_or(0);
    let mut seen = vec![false; count];
    let mut at = first;
    loop {
        match two(stream, at) {
            Some(SOT) => {}
            Some(0xFFD9) => break,
            _ => return Err(cut("cut off between tile-parts")),
        }
        let index = usize::from(two(stream, at + 4).ok_or_else(|| cut("cut off in a tile-part"))?);
        let length = four(stream, at + 6).ok_or_else(|| cut("cut off in a tile-part"))? as usize;
        *seen.get_mut(index).ok_or_else(|| cut("a tile that is not in the picture"))? = true;
        // The last may leave its length open: it runs to the end marker.
        let end = match length {
            0 => stream.len().checked_sub(2),
            1..14 => None,
            _ => at.checked_add(length),
        };
        at =
            end.filter(|&end| end > at && end < stream.len()).ok_or_else(|| cut("cut off in a tile-part"))?;
    }
    match seen.iter().all(|&seen| seen) {
        true => Ok(()),
        false => Err(cut("a tile is missing")),
    }
}
