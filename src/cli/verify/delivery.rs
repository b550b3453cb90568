//! Receipts of deliveries: what a wallet signed for, held against the documents beside it.

use crate::deliver::receipt;
use crate::deliver::wire_key::VerifyingKey;
use crate::digest::{Sha256, of_reader};
use crate::fault::{Fault, Outcome};
use crate::log::UNREADABLE;
use crate::seal::verify::Verdict as Conclusion;
use serde::Serialize;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// How receipts of deliveries end.
pub(super) const EXTENSION: &str = "receipt";

/// What a receipt proves.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    /// A wallet that is trusted signed that it has a document that lies beside it.
    Proven {
        /// That document.
        sha256: Sha256,
        /// When the wallet had it.
        received_at: String,
    },
    /// The wallet's signature holds, and its document is not here.
    DocumentMissing,
    /// The signature does not hold, or is of a key that is not trusted.
    Refused,
    /// No wallet's key was given to hold it against.
    NoKey,
    /// The portal's answers, kept as they came: its contract signs nothing.
    Unsigned,
}

impl Verdict {
    /// Whether it proves anything.
    pub(super) fn proven(&self) -> bool {
        matches!(self, Verdict::Proven { .. })
    }

    /// Whether it could be judged at all.
    pub(super) fn judged(&self) -> bool {
        !matches!(self, Verdict::NoKey | Verdict::Unsigned)
    }

    /// The conclusion. What nobody could check does not count: a receipt adds to a document and takes nothing away.
    pub(super) fn verdict(&self) -> Conclusion {
        match self {
            Verdict::Proven { .. } | Verdict::NoKey | Verdict::Unsigned => Conclusion::Valid,
            Verdict::DocumentMissing => Conclusion::Indeterminate,
            Verdict::Refused => Conclusion::Invalid,
        }
    }

    /// A word for the table, a sentence for below it.
    pub(super) fn words(&self) -> (&'static str, &'static str) {
        match self {
            Verdict::Proven { .. } => ("đúng / proven", ""),
            Verdict::DocumentMissing => (
                "THIẾU TÀI LIỆU / NO DOCUMENT",
                "tài liệu của biên nhận không nằm cùng thư mục / the receipt's document does not lie beside it",
            ),
            Verdict::Refused => (
                "KHÔNG ĐẠT / NOT PROVEN",
                "chữ ký của ví sai hoặc khóa chưa được tin cậy / the wallet's signature fails, or its key is not trusted",
            ),
            Verdict::NoKey => (
                "chưa kiểm tra / not checked",
                "biên nhận của ví (không có khóa để đối chiếu, --receipt-keys) / the wallet's receipts (no key to hold them against, --receipt-keys)",
            ),
            Verdict::Unsigned => (
                "không ký / unsigned",
                "trả lời của cổng không có chữ ký, chỉ lưu lại / the portal's answers are unsigned and only kept",
            ),
        }
    }
}

/// Judges one receipt.
pub(super) fn judge(file: &Path, keys: &[VerifyingKey]) -> Outcome<Verdict> {
    let unreadable = |e: std::io::Error| Fault::new(&UNREADABLE).detail(e.kind()).at(file.display());
    if fs::metadata(file).map_err(unreadable)?.len() > LARGEST {
        return Ok(Verdict::Refused);
    }
    let bytes = fs::read(file).map_err(unreadable)?;
    if is_sync_receipt(&bytes) {
        return Ok(Verdict::Unsigned);
    }
    if keys.is_empty() {
        return Ok(Verdict::NoKey);
    }
    let Ok(receipt) = receipt::open_receipt(&bytes, keys) else { return Ok(Verdict::Refused) };
    let folder = file.parent().unwrap_or(Path::new("."));
    for entry in fs::read_dir(folder).map_err(unreadable)?.flatten() {
        let path = entry.path();
        let fits = entry.metadata().is_ok_and(|m| m.is_file() && m.len() == receipt.size);
        if fits
            && of_reader(File::open(&path).map_err(unreadable)?).map_err(unreadable)?.sha256 == receipt.sha256
        {
            return Ok(Verdict::Proven {
                sha256: receipt.sha256,
                received_at: receipt.received_at.to_string(),
            });
        }
    }
    Ok(Verdict::DocumentMissing)
}

/// Reads the keys of wallets: PEM files, or folders of them.
pub(super) fn load_keys(paths: &[PathBuf]) -> Outcome<Vec<VerifyingKey>> {
    let mut keys = Vec::new();
    for path in paths {
        let unreadable = |e: std::io::Error| Fault::new(&UNREADABLE).detail(e.kind()).at(path.display());
        let files: Vec<PathBuf> = if path.is_dir() {
            fs::read_dir(path).map_err(unreadable)?.flatten().map(|e| e.path()).collect()
        } else {
            vec![path.clone()]
        };
        for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "pem")) {
            keys.push(
                VerifyingKey::from_pem(&fs::read(file).map_err(unreadable)?)
                    .map_err(|f| f.at(file.display()))?,
            );
        }
    }
    Ok(keys)
}

fn is_sync_receipt(bytes: &[u8]) -> bool {
    serde_json::from_slice::<crate::deliver::portal::SyncReceipt>(bytes).is_ok()
}

const LARGEST: u64 = 4 << 20;
