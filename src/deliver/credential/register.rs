//! The register of issuances: what the issuer needs of a store. Every answer that a wallet may hold rests on a change that
//! was durable before the answer left.

use super::issuance::Issuance;
use super::proof::Mark;
use crate::digest::Sha256;
use crate::fault::{Class, Code, Outcome};

/// How an issuance is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handle {
    /// Its id.
    Id(String),
    /// The digest of the offer's link.
    Link(Sha256),
    /// The digest of the pre-authorized code.
    Code(Sha256),
    /// The digest of the access token.
    Token(Sha256),
    /// The digest of the document's link.
    Document(Sha256),
}

/// Keys that the register keeps and that nobody outside has to know.
pub struct Secrets {
    /// For nonces ([`super::proof::Nonces`]).
    pub nonces: [u8; 32],
    /// Private key (PKCS#8, DER) for requests that wallets encrypt.
    pub requests: zeroize::Zeroizing<Vec<u8>>,
}

/// A durable, transactional store of issuances.
pub trait Register: Send + Sync + 'static {
    /// Puts in a new issuance and gives it its place on a status list.
    fn add(&self, issuance: Issuance) -> impl Future<Output = Outcome<Issuance>> + Send;

    /// An issuance as it is now.
    fn look(&self, by: Handle) -> impl Future<Output = Outcome<Option<Issuance>>> + Send;

    /// Changes an issuance: `change` gets it, or nothing where there is none, and whether `mark` had not been used before; it
    /// is used then. One transaction, durable when this returns.
    fn change<T: Send + 'static>(
        &self,
        by: Handle,
        mark: Option<Mark>,
        change: impl FnOnce(Option<&mut Issuance>, bool) -> T + Send + 'static,
    ) -> impl Future<Output = Outcome<T>> + Send;

    /// Which places of a status list are revoked, and a number that grows with each; `None` where there is no such list.
    fn revoked(&self, list: u32) -> impl Future<Output = Outcome<Option<(u64, Vec<u32>)>>> + Send;

    /// That number alone.
    fn revocations(&self, list: u32) -> impl Future<Output = Outcome<u64>> + Send;

    /// Whether it can be read and written.
    fn ready(&self) -> impl Future<Output = Outcome<()>> + Send;
}

/// The register cannot be used.
pub const UNAVAILABLE: Code = Code {
    id: "SEND-074",
    class: Class::Later,
    vi: "Chưa truy cập được sổ cấp chứng nhận",
    en: "the register of credentials cannot be used",
    remedy_vi: "Kiểm tra dung lượng đĩa và quyền ghi tệp var/issuer.db; hệ thống sẽ thử lại",
    remedy_en: "look at free space and the right to write var/issuer.db; it is tried again by itself",
};

/// The register was made by another version.
pub const OTHER_VERSION: Code = Code {
    id: "SEND-075",
    class: Class::Setup,
    vi: "Sổ cấp chứng nhận do phiên bản khác của chương trình tạo ra",
    en: "the register of credentials was made by another version of this program",
    remedy_vi: "Dùng đúng phiên bản đã tạo tệp var/issuer.db",
    remedy_en: "use the version that made var/issuer.db",
};

/// There is no such issuance.
pub const UNKNOWN: Code = Code {
    id: "SEND-076",
    class: Class::Input,
    vi: "Không có chứng nhận hoặc đề nghị cấp nào mang mã này",
    en: "there is no credential or offer of this id",
    remedy_vi: "Xem mã trong kết quả của `hoso offer`",
    remedy_en: "look the id up in what `hoso offer` printed",
};
