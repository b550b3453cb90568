//! PEM (RFC 7468): several things in one text file, with words between them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The bytes are text with at least one block.
pub(super) fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(BEGIN.len()).any(|w| w == BEGIN.as_bytes())
}

/// Every block's label and contents; `None` where a block does not end or its Base64 is broken.
pub(super) fn blocks(bytes: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    // Words between the blocks may be of any encoding.
    let text = String::from_utf8_lossy(bytes);
    let mut found = Vec::new();
    let mut open: Option<(&str, String)> = None;
    for line in text.lines().map(str::trim) {
        if let Some(label) = line.strip_prefix(BEGIN).and_then(|l| l.strip_suffix("-----")) {
            if open.replace((label, String::new())).is_some() {
                return None;
            }
        } else if let Some(label) = line.strip_prefix("-----END ").and_then(|l| l.strip_suffix("-----")) {
            let (begun, base64) = open.take()?;
            if begun != label {
                return None;
            }
            found.push((label.to_owned(), STANDARD.decode(base64).ok()?));
        } else if let Some((_, base64)) = &mut open {
            base64.push_str(line);
        }
    }
    open.is_none().then_some(found)
}

const BEGIN: &str = "-----BEGIN ";
