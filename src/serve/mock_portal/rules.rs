//! What the stand-in's contract takes, in words of its own: it leans on nothing that the sender's side is written with.

use serde_json::Value;

/// Most progress lines in one call.
pub(super) const CHUNK: usize = 10;

/// Which scalars are no strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typing {
    /// None.
    Strings,
    /// Those that the bridge types.
    Bridge,
}

/// A text field; empty where it is none.
pub(super) fn text<'a>(record: &'a Value, name: &str) -> &'a str {
    record[name].as_str().unwrap_or_default()
}

/// The first field of a dossier that breaks the contract.
pub(super) fn wrong_field(dossier: &Value, typing: Typing) -> Option<String> {
    let Some(fields) = dossier.as_object() else { return Some("data".into()) };
    for (name, value) in fields {
        let fits = if LISTS.contains(&name.as_str()) {
            value.is_array()
        } else if name == "MaDoiTuong" && typing == Typing::Bridge {
            value.is_null() != (text(dossier, "KenhThucHien") == "2")
        } else {
            value.is_string()
        };
        if !fits {
            return Some(name.clone());
        }
    }
    if let Some(name) = OBLIGATORY.iter().find(|name| text(dossier, name).is_empty()) {
        return Some((*name).into());
    }
    if let Some(name) = DATES.iter().find(|name| !is_date(text(dossier, name))) {
        return Some((*name).into());
    }
    for (name, allowed) in ENUMS {
        if !allowed.contains(&text(dossier, name)) {
            return Some((*name).into());
        }
    }
    if too_long(dossier, "TrichYeuHoSo", 1_000) {
        return Some("TrichYeuHoSo".into());
    }
    LISTS
        .iter()
        .find_map(|list| dossier[*list].as_array()?.iter().find_map(|item| wrong_item(list, item, typing)))
        .or_else(|| {
            let papers = dossier["TaiLieuNop"].as_array().map(Vec::as_slice).unwrap_or_default();
            let digitised =
                papers.iter().any(|p| text(p, "DuocSoHoa") == "1" && text(p, "IsDeleted") == "False");
            let said = text(dossier, "HoSoCoThanhPhanSoHoa") == "1";
            (said != digitised).then(|| "HoSoCoThanhPhanSoHoa".into())
        })
}

/// Every link to a document in a dossier.
pub(super) fn links(dossier: &Value) -> Vec<String> {
    [("TaiLieuNop", "DuongDanTaiTepTin"), ("DanhSachGiayToKetQua", "DuongDanTepTinKetQua")]
        .iter()
        .flat_map(|(list, field)| {
            dossier[*list].as_array().into_iter().flatten().map(|item| text(item, field))
        })
        .map(str::to_owned)
        .collect()
}

/// The first field of a progress line that breaks the contract.
pub(super) fn wrong_progress(line: &Value) -> Option<String> {
    let Some(fields) = line.as_object() else { return Some("data".into()) };
    if let Some((name, _)) = fields.iter().find(|(_, value)| !value.is_string()) {
        return Some(name.clone());
    }
    let empty = ["MaHoSo", "NguoiXuLy", "ThoiDiemXuLy", "NoiDungXuLy", "TrangThai"];
    if let Some(name) = empty.into_iter().find(|name| text(line, name).is_empty()) {
        return Some(name.into());
    }
    if too_long(line, "NguoiXuLy", 50) {
        return Some("NguoiXuLy".into());
    }
    if !STATUSES.contains(&text(line, "TrangThai")) {
        return Some("TrangThai".into());
    }
    let dates = ["ThoiDiemXuLy", "NgayBatDau", "NgayKetThucTheoQuyDinh"];
    dates.into_iter().find(|name| !is_date(text(line, name))).map(Into::into)
}

/// The first field of an entry of a list that breaks the contract.
fn wrong_item(list: &str, item: &Value, typing: Typing) -> Option<String> {
    let Some(fields) = item.as_object() else { return Some(list.into()) };
    for (name, value) in fields {
        let fits = match (name.as_str(), typing) {
            ("HoSoBoSungId" | "SoLuong" | "LoaiGiayTo", Typing::Bridge) => value.is_u64(),
            ("TrangThaiBoSung", Typing::Bridge) => value.is_boolean(),
            ("NgayBoSung" | "NgayHenTraTruoc" | "NgayHenTraMoi", Typing::Bridge) => {
                value.is_null() || value.as_str().is_some_and(|t| t.parse::<jiff::Timestamp>().is_ok())
            }
            ("NgayBoSung" | "NgayHenTraTruoc" | "NgayHenTraMoi" | "NgayTiepNhanBoSung", _) => {
                value.as_str().is_some_and(is_date)
            }
            ("DanhSachGiayToBoSung" | "DanhSachLePhiBoSung", _) => match value.as_array() {
                Some(inner) => {
                    if let Some(wrong) = inner.iter().find_map(|item| wrong_item(name, item, typing)) {
                        return Some(wrong);
                    }
                    true
                }
                None => false,
            },
            _ => value.is_string(),
        };
        if !fits {
            return Some(name.clone());
        }
    }
    let within =
        |name: &str, allowed: &[&str]| (!allowed.contains(&text(item, name))).then(|| name.to_owned());
    let link = |name: &str| {
        let url = text(item, name).parse::<reqwest::Url>();
        url.is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
            .then_some(())
            .map_or(Some(name.to_owned()), |()| None)
    };
    let long = |name: &str, limit| too_long(item, name, limit).then(|| name.to_owned());
    match list {
        "TaiLieuNop" => within("DuocSoHoa", &["0", "1"])
            .or_else(|| within("DuocLayTuKhoDMQG", &["0", "1"]))
            .or_else(|| within("DuocTaiSuDung", &["0", "1", "2"]))
            .or_else(|| within("IsDeleted", &["True", "False"]))
            .or_else(|| long("TenTepDinhKem", 4_000))
            .or_else(|| link("DuongDanTaiTepTin"))
            .or_else(|| {
                let replaced = text(item, "DuocTaiSuDung") == "2";
                (replaced == text(item, "MaKetQuaThayThe").is_empty()).then(|| "MaKetQuaThayThe".into())
            }),
        "DanhSachGiayToKetQua" => long("TenGiayTo", 1_999).or_else(|| link("DuongDanTepTinKetQua")),
        "DanhSachTepDinhKemKhac" | "DanhSachGiayToBoSung" => long("TenGiayTo", 1_999),
        "DinhDanhCHS" => within("LoaiDinhDanh", &["1", "2"]),
        _ => None,
    }
}

fn too_long(record: &Value, name: &str, limit: usize) -> bool {
    text(record, name).encode_utf16().count() > limit
}

/// Fourteen digits that are a moment, or nothing.
fn is_date(text: &str) -> bool {
    let digits = text.len() == 14 && text.bytes().all(|b| b.is_ascii_digit());
    text.is_empty() || (digits && jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", text).is_ok())
}

const OBLIGATORY: &[&str] = &[
    "MaHoSo",
    "MaTTHC",
    "TenTTHC",
    "MaLinhVuc",
    "TenLinhVuc",
    "SoGiayToChuHoSo",
    "SoDienThoai",
    "TrichYeuHoSo",
    "NgayTiepNhan",
    "NgayHenTra",
    "DonViXuLy",
    "NgayNopHoSo",
];
const DATES: &[&str] =
    &["NgayTiepNhan", "NgayHenTra", "NgayTra", "NgayKetThucXuLy", "NgayTuChoi", "NgayNopHoSo"];
const LISTS: &[&str] = &[
    "TaiLieuNop",
    "DanhSachGiayToKetQua",
    "DanhSachLePhi",
    "DinhDanhCHS",
    "DSKetNoiCSDL",
    "DanhSachTepDinhKemKhac",
    "DanhSachHoSoBoSung",
];
const STATUSES: &[&str] = &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"];
const ENUMS: &[(&str, &[&str])] = &[
    ("TrangThaiHoSo", STATUSES),
    ("KenhThucHien", &["1", "2", "3"]),
    ("LoaiDoiTuong", &["1", "2", "3", "4"]),
    ("HinhThuc", &["0", "1"]),
    ("NoiNopHoSo", &["1", "2"]),
    ("DuocThanhToanTrucTuyen", &["0", "1", "2", "3"]),
    ("HoSoCoThanhPhanSoHoa", &["0", "1"]),
    ("TaiKhoanDuocXacThucVoiVNeID", &["0", "1"]),
];
