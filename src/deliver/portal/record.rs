//! A dossier as the national portal wants to hear of it: typed inside, strings only on the wire ([`super::wire`]).
//!
//! Nothing here has a default that asserts something. A flag is no field but the evidence that it follows from, since
//! the flags feed the published ratios of Decision 766/QD-TTg. What a value is called on the wire stands in the adapter's tables
//! ([`super::adapter`]). Times are Unix seconds.

use crate::digest::{Blake3, Sha256};
use serde::{Deserialize, Serialize};

macro_rules! wire_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $key:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// All of them.
            pub const ALL: &[$name] = &[$($name::$variant),+];

            /// What it is called in the adapter's tables.
            pub fn key(self) -> &'static str {
                match self { $($name::$variant => $key),+ }
            }
        }
    };
}

wire_enum! {
    /// `TrangThaiHoSo`, `TrangThai`.
    Status {
        /// Newly registered.
        Registered = "registered",
        /// Accepted.
        Accepted = "accepted",
        /// Not accepted.
        NotAccepted = "not-accepted",
        /// Being processed.
        Processing = "processing",
        /// A supplement was asked for.
        SupplementRequested = "supplement-requested",
        /// A fee or tax is to be paid first.
        FinancialObligation = "financial-obligation",
        /// The citizen withdraws it.
        Withdrawn = "withdrawn",
        /// Stopped.
        Stopped = "stopped",
        /// Done.
        Done = "done",
        /// The result was handed over.
        Returned = "returned",
    }
}

wire_enum! {
    /// `KenhThucHien`: how it was filed.
    Channel {
        /// At the desk.
        Direct = "direct",
        /// Online.
        Online = "online",
        /// By post.
        Postal = "postal",
    }
}

wire_enum! {
    /// `LoaiDoiTuong`: who the owner is.
    OwnerKind {
        /// A citizen.
        Citizen = "citizen",
        /// A business.
        Business = "business",
        /// A state body.
        StateBody = "state-body",
        /// Another organisation.
        Other = "other",
    }
}

wire_enum! {
    /// `HinhThuc`: how the result is handed over.
    Handover {
        /// At the desk.
        Desk = "desk",
        /// By post.
        Post = "post",
    }
}

wire_enum! {
    /// `NoiNopHoSo`: where it was filed.
    FiledAt {
        /// On the national portal.
        NationalPortal = "national-portal",
        /// With the province.
        Local = "local",
    }
}

wire_enum! {
    /// `DuocThanhToanTrucTuyen`.
    Payment {
        /// No fee is due online.
        None = "none",
        /// Paid on the national portal.
        NationalPortal = "national-portal",
        /// Paid through a local gateway.
        LocalGateway = "local-gateway",
        /// A fee is due and not paid.
        Unpaid = "unpaid",
    }
}

wire_enum! {
    /// `LoaiDinhDanh`.
    IdentityKind {
        /// The personal number, 12 digits.
        Personal12 = "personal12",
        /// The old number, 9 digits.
        Old9 = "old9",
    }
}

/// `DuocTaiSuDung`: whether a paper was digitised earlier and used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reuse {
    /// No.
    No,
    /// Yes.
    Reused,
    /// Yes, through the result with this code (`MaKetQuaThayThe`).
    ReplacedByResult(String),
}

/// A code and what it is called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// The code.
    pub code: String,
    /// What it is called.
    pub name: String,
}

/// What shows that a paper was digitised here, all three or nothing: it was scanned, the scan was signed, and what was
/// signed stands in the log (Circular 01/2023/TT-VPCP, Art 7 to 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digitisation {
    /// SHA-256 of the first scan that it was made of, as it came from the scanner.
    pub scan: Sha256,
    /// How many pages were scanned.
    pub pages: u32,
    /// SHA-256 of the signed PDF.
    pub signed: Sha256,
    /// The log's receipt for it.
    pub logged: Blake3,
}

/// What shows that the owner's portal account was verified through VNeID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VneidProof {
    /// SHA-256 of the assertion of the identity provider that the office keeps.
    pub assertion: Sha256,
    /// When it was given.
    pub at: i64,
}

/// `TaiLieuNop`: a paper that was handed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmittedPaper {
    /// `TepDinhKemId`.
    pub id: String,
    /// `TenTepDinhKem`.
    pub file_name: String,
    /// `IsDeleted`.
    pub deleted: bool,
    /// `MaThanhPhanHoSo`.
    pub component: Option<String>,
    /// The document that `DuongDanTaiTepTin` leads to; the link itself is made when it is sent.
    pub document: Blake3,
    /// What shows that it was digitised here; `DuocSoHoa` follows from it.
    pub digitisation: Option<Digitisation>,
    /// `DuocTaiSuDung`, `MaKetQuaThayThe`.
    pub reuse: Reuse,
    /// `DuocLayTuKhoDMQG`: taken from the national store.
    pub from_national_store: bool,
}

/// `DanhSachGiayToKetQua`: a paper that was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultPaper {
    /// `TenGiayTo`.
    pub title: String,
    /// `MaThanhPhanHoSo`.
    pub component: Option<String>,
    /// `GiayToId`.
    pub id: String,
    /// The document that `DuongDanTepTinKetQua` leads to; the link itself is made when it is sent.
    pub document: Blake3,
    /// `MaGiayToKetQua`.
    pub result_code: String,
}

/// `DinhDanhCHS`: a number of the owner.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// `LoaiDinhDanh`.
    pub kind: IdentityKind,
    /// `SoDinhDanh`.
    pub number: String,
}

/// `DanhSachLePhi`: a fee, its wire values as the procedure's own catalogue has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fee {
    /// `TenPhiLePhi`.
    pub name: String,
    /// `MaPhiLePhi`.
    pub code: String,
    /// `HinhThucThu`.
    pub collection: String,
    /// `Gia`, đồng.
    pub price: u64,
    /// `LoaiPhiLePhi`.
    pub kind: String,
}

/// `DanhSachTepDinhKemKhac`: something that was handed in besides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherPaper {
    /// `TenGiayTo`.
    pub title: String,
    /// `SoLuong`.
    pub count: u32,
    /// `LoaiGiayTo`, as the procedure's own catalogue numbers it.
    pub kind: u32,
}

/// `DanhSachHoSoBoSung`: the office asked for more.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Supplement {
    /// `HoSoBoSungId`.
    pub id: u64,
    /// `NguoiYeuCauBoSung`: who asked.
    pub asked_by: String,
    /// `NoiDungBoSung`: for what.
    pub what: String,
    /// `NgayBoSung`: when.
    pub asked_at: Option<i64>,
    /// `NguoiTiepNhanBoSung`: who took it.
    pub taken_by: Option<String>,
    /// `ThongTinTiepNhan`.
    pub taken_note: Option<String>,
    /// `NgayTiepNhanBoSung`.
    pub taken_at: Option<i64>,
    /// `TrangThaiBoSung`: it was given.
    pub given: bool,
    /// `DanhSachGiayToBoSung`.
    pub papers: Vec<OtherPaper>,
    /// `NgayHenTraTruoc`: the date that was promised before.
    pub due_before: Option<i64>,
    /// `NgayHenTraMoi`: the date that is promised now.
    pub due_now: Option<i64>,
}

/// `CapNhatTienDoHoSoMC`: one thing that was done.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// `NguoiXuLy`: who did it.
    pub officer: String,
    /// `ChucDanh`.
    pub title: Option<String>,
    /// `ThoiDiemXuLy`.
    pub at: i64,
    /// `PhongBanXuLy`.
    pub department: Option<String>,
    /// `NoiDungXuLy`.
    pub what: String,
    /// `TrangThai`.
    pub status: Status,
    /// `NgayBatDau`.
    pub started: Option<i64>,
    /// `NgayKetThucTheoQuyDinh`.
    pub due: Option<i64>,
}

/// Which of the fields that are never empty somebody spoke of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Said {
    /// [`PortalDossier::channel`].
    pub channel: bool,
    /// [`PortalDossier::owner_kind`].
    pub owner_kind: bool,
    /// [`PortalDossier::handover`].
    pub handover: bool,
    /// [`PortalDossier::filed_at`].
    pub filed_at: bool,
    /// [`PortalDossier::payment`].
    pub payment: bool,
}

/// One dossier and what was done with it. What the portal insists on and is `None` or empty here stops the sync
/// with the names of the fields; it is never filled in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortalDossier {
    /// `MaHoSo`.
    pub code: String,
    /// `MaTTHC`, `TenTTHC`.
    pub procedure: Named,
    /// `MaLinhVuc`, `TenLinhVuc`.
    pub field: Named,
    /// `KenhThucHien`.
    pub channel: Channel,
    /// `SoGiayToChuHoSo`.
    pub owner_number: Option<String>,
    /// `ChuHoSo`.
    pub owner_name: Option<String>,
    /// `LoaiDoiTuong`.
    pub owner_kind: OwnerKind,
    /// `MaDoiTuong`: the TechID of the owner's portal account.
    pub account: Option<String>,
    /// `ThongTinKhac`.
    pub other: Option<String>,
    /// `Email`.
    pub email: Option<String>,
    /// `Fax`.
    pub fax: Option<String>,
    /// `SoDienThoai`.
    pub phone: Option<String>,
    /// `TrichYeuHoSo`.
    pub summary: String,
    /// `NgayTiepNhan`.
    pub received: Option<i64>,
    /// `NgayHenTra`.
    pub due: Option<i64>,
    /// `TrangThaiHoSo`.
    pub status: Status,
    /// `NgayTra`.
    pub returned: Option<i64>,
    /// `ThongTinTra`.
    pub returned_how: Option<String>,
    /// `HinhThuc`.
    pub handover: Handover,
    /// `NgayKetThucXuLy`.
    pub finished: Option<i64>,
    /// `DonViXuLy`.
    pub unit: String,
    /// `GhiChu`.
    pub note: Option<String>,
    /// `NoiNopHoSo`.
    pub filed_at: FiledAt,
    /// What shows that the owner's account was verified; `TaiKhoanDuocXacThucVoiVNeID` follows from it.
    pub account_proof: Option<VneidProof>,
    /// `DuocThanhToanTrucTuyen`.
    pub payment: Payment,
    /// `NgayTuChoi`.
    pub refused: Option<i64>,
    /// `NgayNopHoSo`.
    pub filed: Option<i64>,
    /// `UrlDetail`.
    pub url: Option<String>,
    /// `TaiLieuNop`. `HoSoCoThanhPhanSoHoa` follows from it.
    pub papers: Vec<SubmittedPaper>,
    /// `DanhSachGiayToKetQua`.
    pub results: Vec<ResultPaper>,
    /// `DanhSachLePhi`.
    pub fees: Vec<Fee>,
    /// `DinhDanhCHS`.
    pub identities: Vec<Identity>,
    /// `DSKetNoiCSDL`: codes of the national databases that were asked (`MaCSDL`).
    #[serde(default)]
    pub databases: Vec<String>,
    /// `DanhSachTepDinhKemKhac`.
    #[serde(default)]
    pub others: Vec<OtherPaper>,
    /// `DanhSachHoSoBoSung`.
    #[serde(default)]
    pub supplements: Vec<Supplement>,
    /// What somebody said of how it was filed; the rest of it is what is usual, and never overrules what was said.
    #[serde(default)]
    pub said: Said,
    /// What was done, oldest first.
    pub progress: Vec<Progress>,
}

/// Shows the code and counts; the rest is about a person.
impl std::fmt::Debug for PortalDossier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PortalDossier")
            .field("code", &self.code)
            .field("status", &self.status)
            .field("papers", &self.papers.len())
            .field("results", &self.results.len())
            .field("progress", &self.progress.len())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").field("at", &self.at).field("status", &self.status).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Supplement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supplement").field("id", &self.id).field("given", &self.given).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("kind", &self.kind).finish_non_exhaustive()
    }
}
