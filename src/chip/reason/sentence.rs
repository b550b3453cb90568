//! Conclusions, reasons and flags as sentences: Vietnamese, English.

use super::{Flag, Forgery, Overall, Refusal, Unproven};

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
}

/// In place of [`Overall::Genuine`]'s own where the chip proved itself to a question of which nobody knows whose it was.
pub const ASKED_BY_ANYONE: (&str, &str) = (
    "Dữ liệu chip là thật và còn nguyên vẹn; chip đã trả lời đúng một câu hỏi chống sao chép, nhưng không rõ ai đã hỏi và hỏi lúc nào.",
    "The chip's data are genuine and unchanged; the chip answered a question as no copy could, but who asked it, and when, is not known.",
);

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
            Unproven::SignedInFuture => (
                "Không xác minh được: thời điểm ký ghi trên thẻ nằm ở tương lai so với thời điểm kiểm tra.",
                "It cannot be verified: the card says that it was signed later than the time it is judged as of.",
            ),
            Unproven::IssuerDefect => (
                "Không xác minh được: cơ quan cấp ký sai quy cách, khóa và chữ ký thuộc hai đường cong khác nhau.",
                "It cannot be verified: the issuer's key is on one curve and its signature was made on another.",
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
                "Chip giả mạo: chip không có khóa riêng được cấp cùng thẻ (Active Authentication sai).",
                "Forged: the chip does not hold the private key that the card was issued with (active authentication).",
            ),
            Forgery::ChipAuthentication => (
                "Chip giả mạo: chip không có khóa riêng được cấp cùng thẻ (Chip Authentication sai).",
                "Forged: the chip does not hold the private key that the card was issued with (chip authentication).",
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
            Flag::SignedOutsideKeyPeriod => (
                "thời điểm ký ngoài thời gian dùng khóa của đơn vị ký",
                "the claimed time of signing is outside the signer's key usage period",
            ),
            Flag::IssuedOutsideKeyPeriod => (
                "chứng thư đơn vị ký được cấp ngoài thời gian dùng khóa của chứng thư gốc",
                "the signer's certificate was issued outside the authority's key usage period",
            ),
            Flag::SodFrameUnusual => (
                "phần không được ký của EF.SOD khác quy cách, nên không kết luận là thật hoàn toàn",
                "the unsigned frame of EF.SOD is not as prescribed, so that the reading is not called genuine",
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
            Flag::AaWeak => (
                "khóa hoặc hàm băm chống sao chép yếu so với mức nên dùng ngày nay (dưới RSA 2048, dưới ECDSA 250 bit, SHA-1); vẫn được tính",
                "key or hash of the clone check is weak by today's measure (below RSA 2048 or ECDSA 250 bit, SHA-1); it counts",
            ),
            Flag::AaReplay => (
                "chip trả lời một câu hỏi khác, có thể bị phát lại",
                "the chip answered another challenge; it may be replayed",
            ),
            Flag::AaSpent => (
                "kết quả đọc thẻ này đã dùng cho hồ sơ khác: bằng chứng chống sao chép không được tính lần nữa",
                "replayed: this reading was used for another dossier, and its clone check does not count again",
            ),
            Flag::AaLate => (
                "kết quả đọc thẻ nộp quá lâu sau khi trạm hỏi chip: bằng chứng chống sao chép không được tính",
                "the reading was handed in too long after this station asked the chip; its clone check does not count",
            ),
            Flag::AaUnanswered => (
                "câu trả lời chống sao chép của chip trống hoặc sai dạng: không chứng minh được gì, hãy đọc lại thẻ",
                "the answer of active authentication is empty or malformed; it proves nothing: read the card again",
            ),
            Flag::AaHashUnknown => (
                "không rõ chip trả lời chống sao chép bằng hàm băm nào (DG14 chưa đọc được): không chứng minh được gì, hãy đọc lại thẻ kèm DG14",
                "by which hash the chip answers active authentication is not known (no readable DG14); it proves nothing: read the card again with DG14",
            ),
            Flag::AaChallengeUnproven => (
                "không rõ câu hỏi có phải của trạm này",
                "whether the challenge was this station's is not known",
            ),
            Flag::CaKeyUnsigned => (
                "khóa Chip Authentication không nằm trong dữ liệu đã ký",
                "the key of chip authentication is not signed",
            ),
            Flag::CaKeyInvalid => (
                "khóa Chip Authentication không hợp lệ, không tính",
                "a key of chip authentication is invalid; it does not count",
            ),
            Flag::CaReplay => (
                "Chip Authentication dùng khóa của trạm khác, có thể bị phát lại",
                "chip authentication was done with another station's key; it may be replayed",
            ),
            Flag::CaSpent => (
                "kết quả đọc thẻ này đã dùng cho hồ sơ khác: Chip Authentication không được tính lần nữa",
                "replayed: this reading was used for another dossier, and its chip authentication does not count again",
            ),
            Flag::CaLate => (
                "kết quả đọc thẻ nộp quá lâu sau khi đọc: Chip Authentication không được tính",
                "the reading was handed in too long after it was made; its chip authentication does not count",
            ),
            Flag::CaUnanswered => (
                "sau Chip Authentication chip không trả lời bằng khóa mới: không chứng minh được gì, hãy đọc lại thẻ",
                "after chip authentication there is no answer under the new keys; it proves nothing: read the card again",
            ),
            Flag::CaKeyUnproven => (
                "không rõ khóa Chip Authentication có phải do trạm này tạo, nên không tính",
                "whether this station made the key of chip authentication is not known; it does not count",
            ),
            Flag::ChipAuthenticationNotJudged => (
                "chưa xét bằng chứng Chip Authentication",
                "the chip authentication transcript was not judged",
            ),
            Flag::AssertedByReader => {
                ("có thông tin do đầu đọc tự khai", "the reader makes claims that are not judged")
            }
            Flag::MrzCheck => ("số kiểm tra của vùng MRZ sai", "a check digit of the zone is wrong"),
            Flag::DataConflict => (
                "DG1 và DG13 (hoặc DG11) không khớp, cần người xem lại",
                "DG1 and DG13 (or DG11) disagree; a person must look",
            ),
            Flag::Dg1Unreadable => ("không đọc được DG1", "DG1 cannot be read"),
            Flag::Dg13Unreadable => ("không đọc được DG13", "DG13 cannot be read"),
            Flag::Dg11Unreadable => ("không đọc được DG11", "DG11 cannot be read"),
            Flag::Dg12Unreadable => ("không đọc được DG12", "DG12 cannot be read"),
            Flag::PortraitUnreadable => ("không tìm thấy ảnh chân dung", "no portrait is found"),
            Flag::PortraitTrailing => (
                "có dữ liệu thừa sau ảnh chân dung; chỉ hiển thị ảnh đã mã hóa lại",
                "something follows the portrait; show it re-encoded only",
            ),
        }
    }
}
