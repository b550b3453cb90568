//! Conclusions, reasons and flags of a verdict, each with its sentence for the clerk.

use serde::{Deserialize, Serialize};

/// The conclusion on a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "class", content = "reason", rename_all = "snake_case")]
pub enum Overall {
    /// Signature, chain and hashes hold, and the chip is no copy.
    Genuine,
    /// The same without proof that the chip is no copy.
    GenuineCloneUnchecked,
    /// Nothing is disproved and not everything is proven.
    Unverifiable(Unproven),
    /// A check that must hold is false.
    Forged(Forgery),
    /// Malformed or over a limit; nothing was concluded.
    Rejected(Refusal),
}

/// Why a reading proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unproven {
    /// No trusted authority signed the document signer.
    NoAnchor,
    /// There are claims of a vendor's reader and no files of the chip.
    NoRawFiles,
    /// The certificate of the signer is not in the file.
    SignerMissing,
    /// The document signer is revoked.
    DscRevoked,
    /// The chain breaks a rule.
    ChainPolicy,
    /// A hash or key is too weak.
    WeakAlgorithm,
    /// An algorithm that this program does not know.
    UnknownAlgorithm,
    /// A data group that is required is not there, is unsigned or cannot be read.
    DgMissing,
}

/// Why a reading is false.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forgery {
    /// The signature does not hold.
    Signature,
    /// Nobody signed.
    NoSigner,
    /// The signed digest is not that of the list, is missing or repeated.
    MessageDigest,
    /// The signed type is not that of the list, is missing or repeated.
    ContentType,
    /// A data group is not the one that was signed.
    DgHash,
    /// The list names a data group twice or one that does not exist.
    DgList,
    /// A data group's file is another one, or something follows it.
    DgTag,
    /// One country's authority under another's document.
    Country,
    /// The chip does not hold the key that the card was issued with.
    ActiveAuthentication,
}

/// Why nothing was concluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Not the structure it should be.
    Malformed,
    /// Over a limit of size, depth or count.
    Limit,
    /// A key with curve parameters that belong to no known curve.
    EcParams,
    /// The portrait declares too many pixels.
    ImageLimit,
}

/// The conclusion for lists and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Short {
    /// Genuine, with or without clone check.
    Verified,
    /// Unchanged since it was signed, by whom is not known.
    IntegrityOnly,
    /// Forged.
    Failed,
    /// All else.
    Unverified,
}

/// What else a clerk or an auditor should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// SHA-1, MD5, a short key or a small exponent is in the proof.
    WeakAlgorithm,
    /// The document signer has expired since.
    DscExpired,
    /// The authority has expired since.
    CscaExpired,
    /// The document signer lacks extensions that the standard requires.
    DscProfile,
    /// EF.COM lists other data groups than were signed.
    ComDiffers,
    /// A content type of the years before the standard settled.
    LegacyOid,
    /// Signed attributes were sent out of order and hold in order.
    AttributesReordered,
    /// The signature is over the list itself.
    NoSignedAttributes,
    /// A revocation list came with the card; it was not believed.
    CrlInSodIgnored,
    /// The time of signing is known from the signer alone.
    SigningTimeSelfAsserted,
    /// The claimed time of signing is outside the signer's validity.
    SignedOutsideValidity,
    /// The issuing state could not be compared with the authority's country.
    CountryUnchecked,
    /// A key that could prove the chip to be no copy was signed and is not there.
    CloneCheckStripped,
    /// The key of the clone check is not one that was signed.
    AaKeyUnsigned,
    /// The key of the clone check is too weak.
    AaKeyWeak,
    /// The chip answered another challenge than this station's.
    AaReplay,
    /// Whether the challenge was this station's is not known.
    AaChallengeUnproven,
    /// A chip authentication transcript is there; this version does not judge it.
    ChipAuthenticationNotJudged,
    /// A vendor's reader makes claims, which are not judged.
    AssertedByReader,
    /// A check digit of the machine readable zone is wrong.
    MrzCheck,
    /// DG1 and DG13 disagree about the holder.
    DataConflict,
    /// DG1 has another form than expected.
    Dg1Unreadable,
    /// DG13 has another form than expected.
    Dg13Unreadable,
    /// No portrait is found in DG2.
    PortraitUnreadable,
}

impl Overall {
    /// The conclusion as one sentence: Vietnamese, English.
    pub fn sentence(self) -> (&'static str, &'static str) {
        match self {
            Overall::Genuine => (
                "Dữ liệu chip là thật, còn nguyên vẹn, và chip không phải bản sao.",
                "The chip's data are genuine and unchanged, and the chip is no copy.",
            ),
            Overall::GenuineCloneUnchecked => (
                "Dữ liệu chip là thật và còn nguyên vẹn; chưa kiểm tra chip có phải bản sao hay không.",
                "The chip's data are genuine and unchanged; whether the chip is a copy was not checked.",
            ),
            Overall::Unverifiable(reason) => reason.sentence(),
            Overall::Forged(reason) => reason.sentence(),
            Overall::Rejected(reason) => reason.sentence(),
        }
    }

    /// `intact`: the signature holds and no data group differs.
    pub(crate) fn short(self, intact: bool) -> Short {
        match self {
            Overall::Genuine | Overall::GenuineCloneUnchecked => Short::Verified,
            Overall::Unverifiable(Unproven::NoAnchor) if intact => Short::IntegrityOnly,
            Overall::Forged(_) => Short::Failed,
            Overall::Unverifiable(_) | Overall::Rejected(_) => Short::Unverified,
        }
    }
}

impl Unproven {
    /// Vietnamese, English.
    pub fn sentence(self) -> (&'static str, &'static str) {
        match self {
            Unproven::NoAnchor => (
                "Không xác minh được nguồn gốc: trạm này không có chứng thư gốc của cơ quan cấp thẻ.",
                "The origin cannot be verified: no authority that this station trusts signed for the issuer.",
            ),
            Unproven::NoRawFiles => (
                "Không xác minh được: đầu đọc chỉ gửi thông tin đã xử lý, không gửi tệp gốc của chip.",
                "It cannot be verified: the reader sent processed fields and no files of the chip.",
            ),
            Unproven::SignerMissing => (
                "Không xác minh được: EF.SOD thiếu chứng thư của đơn vị ký.",
                "It cannot be verified: EF.SOD lacks the certificate of its signer.",
            ),
            Unproven::DscRevoked => (
                "Không xác minh được: chứng thư của đơn vị ký thẻ đã bị thu hồi.",
                "It cannot be verified: the document signer's certificate is revoked.",
            ),
            Unproven::ChainPolicy => (
                "Không xác minh được: chuỗi chứng thư vi phạm quy định.",
                "It cannot be verified: the chain of certificates breaks a rule.",
            ),
            Unproven::WeakAlgorithm => (
                "Không xác minh được: chữ ký trên thẻ dùng thuật toán đã quá yếu.",
                "It cannot be verified: the card is signed with an algorithm that is too weak today.",
            ),
            Unproven::UnknownAlgorithm => (
                "Không xác minh được: chữ ký trên thẻ dùng thuật toán chưa được hỗ trợ.",
                "It cannot be verified: the card is signed with an algorithm that is not supported.",
            ),
            Unproven::DgMissing => (
                "Không xác minh được: thiếu nhóm dữ liệu bắt buộc hoặc không đọc được.",
                "It cannot be verified: a required data group is missing or cannot be read.",
            ),
        }
    }
}

impl Forgery {
    /// Vietnamese, English.
    pub fn sentence(self) -> (&'static str, &'static str) {
        match self {
            Forgery::Signature => {
                ("Dữ liệu giả mạo: chữ ký của thẻ không đúng.", "Forged: the card's signature does not hold.")
            }
            Forgery::NoSigner => ("Dữ liệu giả mạo: không có ai ký.", "Forged: nobody signed."),
            Forgery::MessageDigest => (
                "Dữ liệu giả mạo: danh sách nhóm dữ liệu không phải danh sách đã ký.",
                "Forged: the list of data groups is not the one that was signed.",
            ),
            Forgery::ContentType => (
                "Dữ liệu giả mạo: nội dung được ký không phải danh sách nhóm dữ liệu của thẻ.",
                "Forged: what was signed is not a card's list of data groups.",
            ),
            Forgery::DgHash => (
                "Dữ liệu giả mạo: có nhóm dữ liệu đã bị sửa sau khi ký.",
                "Forged: a data group was changed after it was signed.",
            ),
            Forgery::DgList => (
                "Dữ liệu giả mạo: danh sách nhóm dữ liệu bị trùng hoặc sai số thứ tự.",
                "Forged: the list names a data group twice, or one that does not exist.",
            ),
            Forgery::DgTag => (
                "Dữ liệu giả mạo: tệp của một nhóm dữ liệu bị tráo hoặc bị nối thêm.",
                "Forged: a data group's file was swapped, or something was appended to it.",
            ),
            Forgery::Country => (
                "Dữ liệu giả mạo: quốc gia của đơn vị ký khác quốc gia cấp giấy tờ.",
                "Forged: the signer's country is not the one that issued the document.",
            ),
            Forgery::ActiveAuthentication => (
                "Chip giả mạo: chip không có khóa riêng được cấp cùng thẻ.",
                "Forged: the chip does not hold the private key that the card was issued with.",
            ),
        }
    }
}

impl Refusal {
    /// Vietnamese, English.
    pub fn sentence(self) -> (&'static str, &'static str) {
        match self {
            Refusal::Malformed => (
                "Từ chối: dữ liệu đọc được không đúng cấu trúc; hãy đọc lại thẻ.",
                "Refused: the files are malformed; read the card again.",
            ),
            Refusal::Limit => {
                ("Từ chối: dữ liệu vượt giới hạn an toàn.", "Refused: the files exceed a safety limit.")
            }
            Refusal::EcParams => (
                "Từ chối: khóa của đơn vị ký dùng tham số đường cong không rõ nguồn gốc.",
                "Refused: the signer's key has curve parameters of no known curve.",
            ),
            Refusal::ImageLimit => (
                "Từ chối: ảnh chân dung khai kích thước quá lớn.",
                "Refused: the portrait declares too many pixels.",
            ),
        }
    }
}

impl Flag {
    /// Vietnamese, English.
    pub fn sentence(self) -> (&'static str, &'static str) {
        match self {
            Flag::WeakAlgorithm => ("thuật toán ký đã yếu", "a weak algorithm is in the proof"),
            Flag::DscExpired => ("chứng thư đơn vị ký đã hết hạn", "the document signer has expired"),
            Flag::CscaExpired => ("chứng thư gốc đã hết hạn", "the authority has expired"),
            Flag::DscProfile => (
                "chứng thư đơn vị ký thiếu phần mở rộng bắt buộc",
                "the document signer lacks required extensions",
            ),
            Flag::ComDiffers => {
                ("EF.COM khác danh sách đã ký", "EF.COM lists other data groups than were signed")
            }
            Flag::LegacyOid => ("kiểu nội dung đời cũ", "a content type of older documents"),
            Flag::AttributesReordered => {
                ("thuộc tính ký sai thứ tự", "signed attributes were sent out of order")
            }
            Flag::NoSignedAttributes => ("không có thuộc tính ký", "there are no signed attributes"),
            Flag::CrlInSodIgnored => {
                ("bỏ qua danh sách thu hồi kèm trong thẻ", "a revocation list on the card was not believed")
            }
            Flag::SigningTimeSelfAsserted => {
                ("thời điểm ký do bên ký tự khai", "the time of signing is the signer's own claim")
            }
            Flag::SignedOutsideValidity => (
                "thời điểm ký ngoài thời hạn của chứng thư",
                "the claimed time of signing is outside the certificate's validity",
            ),
            Flag::CountryUnchecked => ("chưa đối chiếu quốc gia cấp", "the issuing country was not compared"),
            Flag::CloneCheckStripped => {
                ("khóa chống sao chép bị lược bỏ", "the key of the clone check was left out")
            }
            Flag::AaKeyUnsigned => (
                "khóa chống sao chép không nằm trong dữ liệu đã ký",
                "the key of the clone check is not signed",
            ),
            Flag::AaKeyWeak => ("khóa chống sao chép quá yếu", "the key of the clone check is too weak"),
            Flag::AaReplay => (
                "chip trả lời một câu hỏi khác, có thể bị phát lại",
                "the chip answered another challenge; it may be replayed",
            ),
            Flag::AaChallengeUnproven => (
                "không rõ câu hỏi có phải của trạm này",
                "whether the challenge was this station's is not known",
            ),
            Flag::ChipAuthenticationNotJudged => (
                "chưa xét bằng chứng Chip Authentication",
                "the chip authentication transcript was not judged",
            ),
            Flag::AssertedByReader => {
                ("có thông tin do đầu đọc tự khai", "the reader makes claims that are not judged")
            }
            Flag::MrzCheck => ("số kiểm tra của vùng MRZ sai", "a check digit of the zone is wrong"),
            Flag::DataConflict => {
                ("DG1 và DG13 không khớp, cần người xem lại", "DG1 and DG13 disagree; a person must look")
            }
            Flag::Dg1Unreadable => ("không đọc được DG1", "DG1 cannot be read"),
            Flag::Dg13Unreadable => ("không đọc được DG13", "DG13 cannot be read"),
            Flag::PortraitUnreadable => ("không tìm thấy ảnh chân dung", "no portrait is found"),
        }
    }
}
