//! The transparency log: an append-only record of document hashes (RFC 6962 Merkle tree, C2SP tlog-tiles) and
//! the offline proofs made from it.
//!
//! [`store::Log`] is a folder that takes [`statement::Statement`]s and gives [`receipt::Receipt`]s;
//! [`receipt::verify`] judges a receipt with nothing but the document and the log's public key.

pub mod audit;
pub mod awaiting;
pub mod check;
pub mod copy;
pub mod cose_receipt;
pub mod mark;
pub mod note;
pub mod notice;
pub mod outcome;
pub mod proof;
pub mod receipt;
pub mod statement;
pub mod store;
pub mod tiles;
pub mod tree;
pub mod witness;

pub use note::{Signer, VerifierKey};
pub use outcome::{ReceiptOutcome, ReceiptVerdict};
pub use receipt::Receipt;
pub use statement::{Statement, StatementFacts};
pub use store::Log;

use crate::fault::{Class, Code};

/// Every fault of this room.
pub const CODES: &[&Code] = &[
    &note::BAD_KEY,
    &note::BAD_NOTE,
    &note::BAD_NAME,
    &note::KEY_REFUSED,
    &receipt::BAD_RECEIPT,
    &statement::BAD_STATEMENT,
    &store::FOLDER,
    &store::ROLLED_BACK,
    &store::FORKED,
    &store::CHECKPOINT_LOST,
    &store::OTHER_ORIGIN,
    &store::NOT_LOGGED,
    &store::TOO_LARGE,
    &tiles::NO_SUBTREE,
    &witness::STATE,
    &witness::client::SILENT,
    &witness::client::REFUSED,
    &witness::client::AHEAD,
    &witness::client::ADDRESS,
    &UNREADABLE,
    &NO_RECEIPT,
];

/// A file that cannot be read or written.
pub const UNREADABLE: Code = Code {
    id: "LOG-020",
    class: Class::Input,
    vi: "Không đọc hoặc ghi được tệp",
    en: "the file cannot be read or written",
    remedy_vi: "Kiểm tra đường dẫn và quyền truy cập",
    remedy_en: "check the path and the permissions",
};
/// A document without a receipt.
pub const NO_RECEIPT: Code = Code {
    id: "LOG-021",
    class: Class::Input,
    vi: "Không thấy biên nhận bên cạnh tài liệu",
    en: "there is no receipt beside the document",
    remedy_vi: "Đặt tệp .tlog-proof cùng thư mục và cùng tên với tài liệu",
    remedy_en: "put the .tlog-proof file beside the document under the same name",
};
