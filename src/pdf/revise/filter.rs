//! Stream filters (ISO 32000-1, 7.4), decoded into memory of a stated size at most.

use super::value::{Dict, Value};
use super::{FILTER, STREAM_BROKEN, TOO_LARGE};
use crate::fault::{Fault, Outcome};
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};

/// One filter of a stream with its parameters, references already resolved.
pub(crate) struct Filter {
    pub(crate) name: Vec<u8>,
    pub(crate) parms: Dict,
}

/// Undoes the filters one after the other; no intermediate result is larger than `limit` bytes.
pub(crate) fn decode(raw: &[u8], filters: &[Filter], limit: usize) -> Outcome<Vec<u8>> {
    if filters.len() > MAX_FILTERS {
        return Err(Fault::new(&TOO_LARGE).detail(format!("{} filters on one stream", filters.len())));
    }
    let Some((first, rest)) = filters.split_first() else {
        if raw.len() > limit {
            return Err(too_large(limit));
        }
        return Ok(raw.to_vec());
    };
    let mut data = one(raw, first, limit)?;
    for filter in rest {
        data = one(&data, filter, limit)?;
    }
    Ok(data)
}

fn one(raw: &[u8], filter: &Filter, limit: usize) -> Outcome<Vec<u8>> {
    match filter.name.as_slice() {
        b"FlateDecode" | b"Fl" => unpredict(inflate(raw, limit)?, &filter.parms),
        b"ASCIIHexDecode" | b"AHx" => ascii_hex(raw, limit),
        b"ASCII85Decode" | b"A85" => old(raw, "ASCII85Decode", filter, limit),
        b"RunLengthDecode" | b"RL" => old(raw, "RunLengthDecode", filter, limit),
        b"LZWDecode" | b"LZW" => unpredict(old(raw, "LZWDecode", filter, limit)?, &filter.parms),
        _ => Err(Fault::new(&FILTER)),
    }
}

fn inflate(raw: &[u8], limit: usize) -> Outcome<Vec<u8>> {
    decompress_to_vec_zlib_with_limit(raw, limit).map_err(|e| match e.status {
        TINFLStatus::HasMoreOutput => too_large(limit),
        _ => Fault::new(&STREAM_BROKEN).detail(format!("deflate data broken after {} bytes", e.output.len())),
    })
}

/// Filters that the content of older pages comes in; lopdf knows them and keeps to the limit.
fn old(raw: &[u8], name: &str, filter: &Filter, limit: usize) -> Outcome<Vec<u8>> {
    let mut dict = lopdf::dictionary! { "Filter" => name };
    if let Some(early) = filter.parms.get(b"EarlyChange").and_then(Value::as_int) {
        dict.set("DecodeParms", lopdf::dictionary! { "EarlyChange" => early });
    }
    let data = lopdf::Stream::new(dict, raw.to_vec()).decompressed_content_with_limit(limit);
    data.map_err(|_| Fault::new(&STREAM_BROKEN).detail(format!("{name} data broken or too large")))
}

fn ascii_hex(raw: &[u8], limit: usize) -> Outcome<Vec<u8>> {
    if raw.len() / 2 > limit {
        return Err(too_large(limit));
    }
    let broken = || Fault::new(&STREAM_BROKEN).detail("not hexadecimal digits");
    let digits = raw.iter().copied().take_while(|b| *b != b'>').filter(|b| !super::parse::is_space(*b));
    let mut out = Vec::new();
    let mut high = None;
    for b in digits {
        let digit = char::from(b).to_digit(16).ok_or_else(broken)? as u8;
        match high.take() {
            None => high = Some(digit),
            Some(h) => out.push(h << 4 | digit),
        }
    }
    out.extend(high.map(|h: u8| h << 4));
    Ok(out)
}

/// Undoes PNG and TIFF predictors (7.4.4.4).
fn unpredict(data: Vec<u8>, parms: &Dict) -> Outcome<Vec<u8>> {
    let number = |key: &[u8], default: i64, range: std::ops::RangeInclusive<i64>| {
        let n = parms.get(key).and_then(Value::as_int).unwrap_or(default);
        if range.contains(&n) {
            usize::try_from(n).map_err(|_| Fault::new(&STREAM_BROKEN))
        } else {
            Err(Fault::new(&STREAM_BROKEN).detail("predictor parameters out of range"))
        }
    };
    let predictor = number(b"Predictor", 1, 1..=15)?;
    if predictor == 1 {
        return Ok(data);
    }
    let colors = number(b"Colors", 1, 1..=32)?;
    let bits = number(b"BitsPerComponent", 8, 1..=16)?;
    let columns = number(b"Columns", 1, 1..=1_000_000)?;
    let row = (columns * colors * bits).div_ceil(8);
    let step = (colors * bits).div_ceil(8);
    match predictor {
        2 if bits == 8 => Ok(tiff(data, row, step)),
        10..=15 => png(&data, row, step),
        _ => Err(Fault::new(&FILTER).detail(format!("predictor {predictor} at {bits} bits"))),
    }
}

fn tiff(mut data: Vec<u8>, row: usize, step: usize) -> Vec<u8> {
    for line in data.chunks_mut(row) {
        for i in step..line.len() {
            line[i] = line[i].wrapping_add(line[i - step]);
        }
    }
    data
}

fn png(data: &[u8], row: usize, step: usize) -> Outcome<Vec<u8>> {
    let mut out: Vec<u8> = Vec::with_capacity(data.len());
    let mut above = vec![0u8; row];
    for line in data.chunks(row + 1) {
        let Some((&kind, coded)) = line.split_first() else { break };
        let mut plain = coded.to_vec();
        plain.resize(row, 0);
        for i in 0..row {
            let left = if i >= step { plain[i - step] } else { 0 };
            let up = above[i];
            let corner = if i >= step { above[i - step] } else { 0 };
            let guess = match kind {
                0 => 0,
                1 => left,
                2 => up,
                3 => ((u16::from(left) + u16::from(up)) / 2) as u8,
                4 => paeth(left, up, corner),
                _ => return Err(Fault::new(&STREAM_BROKEN).detail("unknown PNG row filter")),
            };
            plain[i] = plain[i].wrapping_add(guess);
        }
        out.extend_from_slice(&plain[..coded.len()]);
        above = plain;
    }
    Ok(out)
}

fn paeth(left: u8, up: u8, corner: u8) -> u8 {
    let (a, b, c) = (i16::from(left), i16::from(up), i16::from(corner));
    let p = a + b - c;
    let (pa, pb, pc) = ((p - a).abs(), (p - b).abs(), (p - c).abs());
    if pa <= pb && pa <= pc {
        left
    } else if pb <= pc {
        up
    } else {
        corner
    }
}

fn too_large(limit: usize) -> Fault {
    Fault::new(&TOO_LARGE).detail(format!("a stream of more than {limit} bytes decoded"))
}

const MAX_FILTERS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use miniz_oxide::deflate::compress_to_vec_zlib;

    fn flate(pairs: &[(&str, i64)]) -> Vec<Filter> {
        let mut parms = Dict::new();
        for (key, n) in pairs {
            parms.set(key.as_bytes(), Value::Int(*n));
        }
        vec![Filter { name: b"FlateDecode".to_vec(), parms }]
    }

    #[test]
    fn png_rows_are_undone() {
        let rows = [2u8, 1, 2, 3, 2, 1, 1, 1, 1, 5, 1, 1];
        let raw = compress_to_vec_zlib(&rows, 6);
        let out = decode(&raw, &flate(&[("Predictor", 12), ("Columns", 3)]), 100).unwrap();
        assert_eq!(out, [1, 2, 3, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn filters_of_older_pages_are_undone_within_the_limit() {
        let named = |name: &str| vec![Filter { name: name.as_bytes().to_vec(), parms: Dict::new() }];
        assert_eq!(decode(b"87cURD]i,\"Ebo80~>", &named("ASCII85Decode"), 100).unwrap(), b"Hello World!");
        assert_eq!(decode(&[2, 1, 2, 3, 254, 9, 128], &named("RL"), 100).unwrap(), [1, 2, 3, 9, 9, 9]);
        let lzw = [0x80, 0x0B, 0x60, 0x50, 0x22, 0x0C, 0x0C, 0x85, 0x01];
        assert_eq!(decode(&lzw, &named("LZWDecode"), 100).unwrap(), [45, 45, 45, 45, 45, 65, 45, 45, 45, 66]);
        assert!(decode(&[129, 7].repeat(1000), &named("RunLengthDecode"), 100).is_err());
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let raw = compress_to_vec_zlib(&vec![0u8; 10_000_000], 9);
        assert!(raw.len() < 20_000);
        assert_eq!(decode(&raw, &flate(&[]), 100_000).unwrap_err().code.id, TOO_LARGE.id);
    }

    #[test]
    fn hostile_predictors_are_refused() {
        let raw = compress_to_vec_zlib(&[0u8; 100], 6);
        assert!(decode(&raw, &flate(&[("Predictor", 12), ("Columns", i64::MAX)]), 1000).is_err());
        assert!(decode(&raw, &flate(&[("Predictor", 12), ("Columns", 0)]), 1000).is_err());
        assert!(decode(b"nonsense", &flate(&[]), 1000).is_err());
    }
}
