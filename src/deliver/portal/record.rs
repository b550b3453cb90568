//! A dossier as the national portal wants to hear of it: typed inside, strings only on the wire ([`super::wire`]).
//!
//! Nothing here has a default that asserts something: a flag is what the office knows to be true, since the flags
//! feed the published ratios of Decision 766/QD-TTg. Times are Unix seconds.

use serde::{Deserialize, Serialize};

macro_rules! wire_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $wire:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// All of them, in the order of the table.
            pub const ALL: &[$name] = &[$($name::$variant),+];

            /// The value in the national adapter's table.
            pub fn wire(self) -> &'static str {
                match self { $($name::$variant => $wire),+ }
            }
        }
    };
}

wire_enum! {
    /// `TrangThaiHoSo`, `TrangThai`.
    Status {
        /// Newly registered.
        Registered = "1",
        /// Accepted.
        Accepted = "2",
        /// Not accepted.
        NotAccepted = "3",
        /// Being processed.
        Processing = "4",
        /// A supplement was asked for.
        SupplementRequested = "5",
        /// A fee or tax is to be paid first.
        FinancialObligation = "6",
        /// The citizen withdraws it.
        Withdrawn = "7",
        /// Stopped.
        Stopped = "8",
        /// Done.
        Done = "9",
        /// The result was handed over.
        Returned = "10",
    }
}

wire_enum! {
    /// `KenhThucHien`: how it was filed.
    Channel {
        /// At the desk.
        Direct = "1",
        /// Online.
        Online = "2",
        /// By post.
        Postal = "3",
    }
}

wire_enum! {
    /// `LoaiDoiTuong`: who the owner is.
    OwnerKind {
        /// A citizen.
        Citizen = "1",
        /// A business.
        Business = "2",
        /// A state body.
        StateBody = "3",
        /// Another organisation.
        Other = "4",
    }
}

wire_enum! {
    /// `HinhThuc`: how the result is handed over.
    Handover {
        /// At the desk.
        Desk = "0",
        /// By post.
        Post = "1",
    }
}

wire_enum! {
    /// `NoiNopHoSo`: where it was filed.
    FiledAt {
        /// On the national portal.
        NationalPortal = "1",
        /// With the province.
        Local = "2",
    }
}

wire_enum! {
    /// `DuocThanhToanTrucTuyen`.
    Payment {
        /// No fee is due online.
        None = "0",
        /// Paid on the national portal.
        NationalPortal = "1",
        /// Paid through a local gateway.
        LocalGateway = "2",
        /// A fee is due and not paid.
        Unpaid = "3",
    }
}

wire_enum! {
    /// `LoaiDinhDanh`.
    IdentityKind {
        /// The personal number, 12 digits.
        Personal12 = "1",
        /// The old number, 9 digits.
        Old9 = "2",
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
    /// `DuongDanTaiTepTin`: where the portal fetches it.
    pub link: String,
    /// `DuocSoHoa`: digitised here.
    pub digitised: bool,
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
    /// `DuongDanTepTinKetQua`: where the portal fetches it.
    pub link: String,
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
    /// `TaiKhoanDuocXacThucVoiVNeID`.
    pub account_verified_by_vneid: bool,
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

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("kind", &self.kind).finish_non_exhaustive()
    }
}
