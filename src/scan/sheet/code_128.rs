//! Code 128 (ISO/IEC 15417), written: ASCII in code set B, runs of digits two by two in code set C.

/// The modules of a symbol from its start to its stop pattern, bar is true; no quiet zone (10 modules on both sides
/// belong there, 4.3.6). `None` for a text that is empty, too long to print or not of the characters 32 to 126.
pub(super) fn modules(text: &str) -> Option<Vec<bool>> {
    let bytes = text.as_bytes();
    if bytes.is_empty() || bytes.len() > MOST_CHARACTERS || !bytes.iter().all(|b| (32..=126).contains(b)) {
        return None;
    }
    let mut symbols = symbols(bytes);
    let check = symbols.iter().zip(0usize..).map(|(symbol, at)| symbol * at.max(1)).sum::<usize>() % 103;
    symbols.extend([check, STOP]);
    let mut row = Vec::with_capacity(symbols.len() * 11 + 2);
    for symbol in symbols {
        for (at, width) in WIDTHS.get(symbol)?.bytes().enumerate() {
            row.extend(std::iter::repeat_n(at % 2 == 0, usize::from(width - b'0')));
        }
    }
    Some(row)
}

/// Values from the start character on, without check and stop.
fn symbols(bytes: &[u8]) -> Vec<usize> {
    let digits = |at: usize| bytes.iter().skip(at).take_while(|b| b.is_ascii_digit()).count();
    let pair = |at: usize| {
        bytes.get(at..at + 2).map_or(0, |p| usize::from(p[0] - b'0') * 10 + usize::from(p[1] - b'0'))
    };
    let mut in_c = digits(0) >= 4;
    let mut out = vec![if in_c { START_C } else { START_B }];
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let run = digits(at);
        if in_c {
            if run >= 2 {
                out.push(pair(at));
                at += 2;
                continue;
            }
            in_c = false;
            out.push(TO_B);
        } else if run % 2 == 0 && (run >= 6 || (run >= 4 && at + run == bytes.len())) {
            // Annex E: a change pays from six digits on, from four at the end; an odd one stays in set B.
            in_c = true;
            out.push(TO_C);
            continue;
        }
        out.push(usize::from(byte - 32));
        at += 1;
    }
    out
}

/// More would be wider than a sheet of paper.
const MOST_CHARACTERS: usize = 80;

const TO_C: usize = 99;
const TO_B: usize = 100;
const START_B: usize = 104;
const START_C: usize = 105;
const STOP: usize = 106;

/// Widths of bars and spaces by value (table 1); the last one is the stop pattern with its final bar.
const WIDTHS: [&str; 107] = [
    "212222", "222122", "222221", "121223", "121322", "131222", "122213", "122312", "132212", "221213",
    "221312", "231212", "112232", "122132", "122231", "113222", "123122", "123221", "223211", "221132",
    "221231", "213212", "223112", "312131", "311222", "321122", "321221", "312212", "322112", "322211",
    "212123", "212321", "232121", "111323", "131123", "131321", "112313", "132113", "132311", "211313",
    "231113", "231311", "112133", "112331", "132131", "113123", "113321", "133121", "313121", "211331",
    "231131", "213113", "213311", "213131", "311123", "311321", "331121", "312113", "312311", "332111",
    "314111", "221411", "431111", "111224", "111422", "121124", "121421", "141122", "141221", "112214",
    "112412", "122114", "122411", "142112", "142211", "241211", "221114", "413111", "241112", "134111",
    "111242", "121142", "121241", "114212", "124112", "124211", "411212", "421112", "421211", "212141",
    "214121", "412121", "111143", "111341", "131141", "114113", "114311", "411113", "411311", "113141",
    "114131", "311141", "411131", "211412", "211214", "211232", "2331112",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_are_those_of_the_standard() {
        // B: H, O, S, O, -, S, E, P.
        assert_eq!(symbols(b"HOSO-SEP"), [104, 40, 47, 51, 47, 13, 51, 37, 48]);
        assert_eq!(symbols(b"1234"), [105, 12, 34]);
        assert_eq!(symbols(b"12345A"), [105, 12, 34, 100, 21, 33]);
        assert_eq!(symbols(b"A1234567"), [104, 33, 17, 99, 23, 45, 67]);
        assert_eq!(symbols(b"A12345B"), [104, 33, 17, 18, 19, 20, 21, 34]);
        assert_eq!(symbols(b"-250914-0042"), [104, 13, 99, 25, 9, 14, 100, 13, 99, 0, 42]);
    }

    #[test]
    fn every_symbol_has_eleven_modules_and_the_stop_has_two_more() {
        for text in ["PATCHT", "HOSO-SEP-12", "HOSO-COV-9999-000.00.01.H22-250914-000042"] {
            let row = modules(text).unwrap();
            assert_eq!((row.len() - 2) % 11, 0);
            assert!(row[0] && row[row.len() - 1]);
        }
        let mut seen: Vec<&str> = WIDTHS.to_vec();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 107);
        let sum = |widths: &&str| widths.bytes().map(|b| b - b'0').sum::<u8>();
        assert!(WIDTHS[..106].iter().map(sum).all(|n| n == 11) && sum(&WIDTHS[106]) == 13);
    }

    #[test]
    fn what_cannot_be_written_is_not_written() {
        for text in ["", "tờ", "a\n", &"1".repeat(81)] {
            assert_eq!(modules(text), None);
        }
    }
}
