//! Whether a stranger's PDF is encrypted, for whoever takes documents in: it costs next to nothing where nothing in it looks like
//! encryption, and time that follows from its length otherwise.

use super::parse::is_regular;
use super::source::Source;
use super::xref;
use crate::fault::Outcome;

/// Whether nobody could show this without a password: a trailer on the cross-reference chain names `/Encrypt` (ISO 32000-1, 7.6.1).
/// The word in a text, in a stream, or at the beginning of another name is none.
///
/// A file whose chain cannot be followed is damaged, and programs that repair it look for its trailers by their words: it counts as
/// encrypted where the name stands before a reference or a dictionary, as it does in a trailer, and as a clear one where it does not.
pub fn is_locked(bytes: &[u8]) -> bool {
    let mut keys =
        memchr::memchr_iter(b'/', bytes).filter_map(|at| behind_key(bytes.get(at + 1..)?)).peekable();
    if keys.peek().is_none() {
        return false;
    }
    trailers_say(bytes).unwrap_or_else(|_| keys.any(is_reference_or_dictionary))
}

fn trailers_say(bytes: &[u8]) -> Outcome<bool> {
    let source = Source::Memory(bytes);
    source.check_header()?;
    xref::names_a_key(source, source.last_startxref()?)
}

/// What follows the name `Encrypt`, however it is written (7.3.5: `#45` is an E), where that is the whole name.
fn behind_key(name: &[u8]) -> Option<&[u8]> {
    let mut rest = name;
    for letter in b"Encrypt" {
        let (read, after) = match rest {
            [b'#', high, low, after @ ..] => {
                let mut byte = [0u8];
                hex::decode_to_slice([*high, *low], &mut byte).ok()?;
                (byte[0], after)
            }
            [plain, after @ ..] => (*plain, after),
            [] => return None,
        };
        if read != *letter {
            return None;
        }
        rest = after;
    }
    (!rest.first().is_some_and(|byte| is_regular(*byte))).then_some(rest)
}

/// `9 0 R` or `<<`.
fn is_reference_or_dictionary(value: &[u8]) -> bool {
    let value = value.trim_ascii_start();
    let number = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let reference = || {
        let (digits, rest) = value.split_at(number(value));
        let (generation, rest) = rest.trim_ascii_start().split_at(number(rest.trim_ascii_start()));
        !digits.is_empty() && !generation.is_empty() && rest.trim_ascii_start().starts_with(b"R")
    };
    value.starts_with(b"<<") || reference()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PDF of one object and one section, with `content` in the object and `trailer` in its trailer.
    fn pdf(content: &str, trailer: &str) -> Vec<u8> {
        let mut bytes = format!("%PDF-1.7\n1 0 obj\n({content})\nendobj\n").into_bytes();
        let at = bytes.len();
        let section = format!(
            "xref\n0 2\n0000000000 65535 f \n0000000009 00000 n \ntrailer\n<</Size 2{trailer}>>\nstartxref\n{at}\n%%EOF\n"
        );
        bytes.extend_from_slice(section.as_bytes());
        bytes
    }

    /// The same with a cross-reference stream, whose dictionary is the trailer.
    fn pdf_with_stream(more: &str) -> Vec<u8> {
        let mut bytes = b"%PDF-1.7\n".to_vec();
        let at = bytes.len();
        let section = format!(
            "1 0 obj\n<</Type/XRef/W[1 2 1]/Size 2/Length 8{more}>>\nstream\n\0\0\0\0\x01\0\x09\0\nendstream\nendobj\nstartxref\n{at}\n%%EOF\n"
        );
        bytes.extend_from_slice(section.as_bytes());
        bytes
    }

    #[test]
    fn the_key_in_a_trailer_is_seen_however_it_is_written() {
        for key in
            ["/Encrypt 9 0 R", "/Encrypt<</Filter/Standard>>", "/#45ncrypt 9 0 R", "/E#6e#63ryp#74 9 0 R"]
        {
            assert!(is_locked(&pdf("", key)), "{key}");
            assert!(is_locked(&pdf_with_stream(key)), "{key}");
            // A later revision that leaves it out makes nothing readable.
            let mut longer = pdf("", key);
            let (older, at) = (memchr::memmem::rfind(&longer, b"xref\n0 2").unwrap(), longer.len());
            let newer = format!("xref\n0 0\ntrailer\n<</Size 2/Prev {older}>>\nstartxref\n{at}\n%%EOF\n");
            longer.extend_from_slice(newer.as_bytes());
            assert!(is_locked(&longer), "{key}");
        }
    }

    #[test]
    fn the_word_where_it_means_nothing_locks_nobody_out() {
        for text in ["/Encrypt 9 0 R", "/EncryptMetadata true", "<</Encrypt 9 0 R>>", "/#45ncrypt"] {
            assert!(!is_locked(&pdf(text, "")), "{text}");
        }
        for other in ["/EncryptMetadata true", "/Encrypt null", "/X(/Encrypt 9 0 R)", "/#45ncrypted 9 0 R"] {
            assert!(!is_locked(&pdf("", other)), "{other}");
            assert!(!is_locked(&pdf_with_stream(other)), "{other}");
        }
        assert!(!is_locked(&pdf("", "")) && !is_locked(b"") && !is_locked(b"%PDF-1.7\n/"));
    }

    #[test]
    fn of_a_damaged_file_only_what_looks_like_a_trailers_key_counts() {
        for locked in [
            &b"%PDF-1.7 trailer << /Encrypt 9 0 R >>"[..],
            b"%PDF-1.7 trailer << /Encrypt<</V 4>> >> startxref\n9999999\n%%EOF",
            b"%PDF-1.7 << /#45ncrypt\n9\n0\nR >>",
        ] {
            assert!(is_locked(locked), "{}", String::from_utf8_lossy(locked));
        }
        for clear in [
            &b"%PDF-1.7 (see /Encrypt in the standard)"[..],
            b"%PDF-1.7 << /EncryptMetadata 9 0 R >>",
            b"%PDF-1.7 << /Encrypt 9 0 obj >>",
            b"%PDF-1.7 /Encrypt",
        ] {
            assert!(!is_locked(clear), "{}", String::from_utf8_lossy(clear));
        }
        // Twice in one trailer: programs differ in which counts.
        assert!(is_locked(&pdf("", "/Encrypt null/Encrypt 9 0 R")));
    }

    /// A thousand sections, each with a stream that would unpack to a thousand times its length: none is unpacked.
    #[test]
    fn a_chain_made_to_cost_time_costs_none_and_ends() {
        let mut bomb = miniz_oxide::deflate::compress_to_vec_zlib(&vec![0; 1 << 20], 9);
        bomb.extend_from_slice(b"\nendstream\nendobj\n");
        let (mut bytes, mut before) = (b"%PDF-1.7\n(/Encrypt)\n".to_vec(), None);
        for number in 1..1000 {
            let at = bytes.len();
            let prev = before.map_or(String::new(), |at| format!("/Prev {at}"));
            let head = format!(
                "{number} 0 obj\n<</Type/XRef/W[1 2 1]/Size 2/Filter/FlateDecode/Length {}{prev}>>\nstream\n",
                bomb.len() - 18
            );
            bytes.extend_from_slice(head.as_bytes());
            bytes.extend_from_slice(&bomb);
            before = Some(at);
        }
        bytes.extend_from_slice(format!("startxref\n{}\n%%EOF\n", before.unwrap()).as_bytes());
        let begun = std::time::Instant::now();
        assert!(!is_locked(&bytes));
        eprintln!("{} sections: {:?}", 999, begun.elapsed());
        // One that points at itself is damaged, and ends.
        let at = memchr::memmem::find(&pdf("", ""), b"xref").unwrap();
        assert!(!is_locked(&pdf("", &format!("/Prev {at}/Encrypt null"))));
    }
}
