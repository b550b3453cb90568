//! What a clerk does next, for every conclusion and reason: Vietnamese, English.

use super::{Forgery, Overall, Refusal, Unproven};

impl Overall {
    /// What to do next: Vietnamese, English.
    pub fn remedy(self) -> (&'static str, &'static str) {
        match self {
            Overall::Genuine => (
                "So ảnh trong chip với người trước mặt, rồi tiếp nhận.",
                "Compare the portrait with the person at the desk, then go on.",
            ),
            Overall::GenuineCloneUnchecked => (
                "So ảnh trong chip với người và thẻ trước mặt; nếu đầu đọc hỗ trợ, đọc lại thẻ kèm kiểm tra chống sao chép.",
                "Compare the portrait with the person and the card at hand; where the reader can, read again with the clone check.",
            ),
            Overall::Unverifiable(reason) => reason.remedy(),
            Overall::Forged(reason) => reason.remedy(),
            Overall::Rejected(reason) => reason.remedy(),
        }
    }
}

impl Unproven {
    /// What to do next: Vietnamese, English.
    pub fn remedy(self) -> (&'static str, &'static str) {
        match self {
            Unproven::NoAnchor => (
                "Báo người quản trị đặt chứng thư gốc (CSCA) của cơ quan cấp vào thư mục --anchors; trong lúc chờ, kiểm tra thẻ bằng mắt và không ghi là đã xác minh.",
                "Ask the keeper to put the issuer's CSCA into --anchors; until then check the card by eye and do not call it verified.",
            ),
            Unproven::NoRawFiles => (
                "Đọc lại thẻ bằng `hoso card read`, hoặc đặt đầu đọc gửi kèm tệp gốc (EF.SOD và các DG).",
                "Read the card with `hoso card read`, or set the reader to send the raw files (EF.SOD and data groups).",
            ),
            Unproven::SignerMissing => (
                "Đọc lại thẻ; nếu vẫn vậy, chuyển sang kiểm tra giấy tờ bằng mắt và báo cơ quan cấp.",
                "Read the card again; if it stays so, check the document by eye and tell its issuer.",
            ),
            Unproven::DscRevoked => (
                "Không tiếp nhận dựa vào chip; hỏi cơ quan cấp thẻ về giấy tờ này.",
                "Do not rely on the chip; ask the issuer about this document.",
            ),
            Unproven::ChainPolicy => (
                "Báo người quản trị xem chứng thư trong thư mục --anchors và giờ của máy; không ghi là đã xác minh.",
                "Ask the keeper to look at the certificates in --anchors and at the clock; do not call it verified.",
            ),
            Unproven::WeakAlgorithm => (
                "Giấy tờ đời cũ: kiểm tra bằng mắt; chỉ người quản trị mới được cho phép thuật toán yếu (--allow-weak).",
                "An older document: check it by eye; only the keeper may allow weak algorithms (--allow-weak).",
            ),
            Unproven::UnknownAlgorithm => (
                "Kiểm tra giấy tờ bằng mắt và gửi báo lỗi kèm tên thuật toán (không kèm tệp của thẻ).",
                "Check the document by eye and report the algorithm's name (never the card's files).",
            ),
            Unproven::DgMissing => (
                "Đọc lại thẻ và giữ yên cho đến khi đọc xong mọi nhóm dữ liệu.",
                "Read the card again and keep it still until every data group is read.",
            ),
            Unproven::SignedInFuture => (
                "Kiểm tra đồng hồ của máy và thời điểm --at; nếu đều đúng, không dùng thẻ này làm bằng chứng và chuyển người phụ trách xem lại.",
                "Check the machine's clock and --at; if both are right, do not rely on this card and let the person in charge decide.",
            ),
            Unproven::IssuerDefect => (
                "Lỗi của cơ quan cấp, không phải của người mang thẻ: kiểm tra bằng mắt và hỏi cơ quan cấp.",
                "The issuer's mistake, not the holder's: check the document by eye and ask the issuer.",
            ),
        }
    }
}

impl Forgery {
    /// What to do next: Vietnamese, English.
    pub fn remedy(self) -> (&'static str, &'static str) {
        match self {
            Forgery::DgHash | Forgery::DgTag | Forgery::Signature => (
                "Đọc lại thẻ một lần bằng đầu đọc của trạm; nếu vẫn vậy, không tiếp nhận và báo công an.",
                "Read the card once more with this station's reader; if it stays so, do not accept it and tell the police.",
            ),
            Forgery::ActiveAuthentication | Forgery::ChipAuthentication => (
                "Có thể là chip sao chép: đọc lại một lần; nếu vẫn vậy, giữ nguyên hồ sơ, không tiếp nhận và báo công an.",
                "It may be a copied chip: read it once more; if it stays so, do not accept it and tell the police.",
            ),
            Forgery::Country => (
                "Không tiếp nhận; báo công an và ghi lại cơ quan ký nêu ở dòng Cơ quan cấp.",
                "Do not accept it; tell the police and note the signer named in the issuer's line.",
            ),
            Forgery::NoSigner | Forgery::MessageDigest | Forgery::ContentType | Forgery::DgList => {
                ("Không tiếp nhận bằng thẻ này; báo công an.", "Do not accept this card; tell the police.")
            }
        }
    }
}

impl Refusal {
    /// What to do next: Vietnamese, English.
    pub fn remedy(self) -> (&'static str, &'static str) {
        match self {
            Refusal::Malformed => (
                "Lau thẻ và đọc lại; nếu vẫn vậy, kiểm tra bằng mắt và không ghi là đã xác minh.",
                "Wipe the card and read it again; if it stays so, check it by eye and do not call it verified.",
            ),
            Refusal::Limit | Refusal::ImageLimit => (
                "Không mở tệp này ở nơi khác; đọc lại thẻ bằng đầu đọc của trạm và báo người quản trị.",
                "Do not open the file elsewhere; read the card with this station's reader and tell the keeper.",
            ),
            Refusal::EcParams => (
                "Không tiếp nhận dựa vào chip; báo người quản trị và cơ quan cấp.",
                "Do not rely on the chip; tell the keeper and the issuer.",
            ),
        }
    }
}
