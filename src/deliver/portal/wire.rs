//! The national wire: a typed dossier becomes the JSON that the portal's adapter takes, dialect A.
//!
//! Scalars are strings; a missing text or date is `""`; dates are `yyyyMMddHHmmss` in Vietnam's time without a mark
//! of the zone. Lengths count UTF-16 code units after NFC, as the known client does.

use super::record::{PortalDossier, Progress, Reuse};
use super::{FIELD_MISSING, FIELD_WRONG};
use crate::fault::{Fault, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Longest `TrichYeuHoSo`, UTF-16 code units.
pub const SUMMARY: usize = 1_000;
/// Longest `TenTepDinhKem`.
pub const FILE_NAME: usize = 4_000;
/// Longest `TenGiayTo`; the known client cuts already at 2000, so the longest that passes is one less.
pub const PAPER_TITLE: usize = 1_999;
/// Longest `NguoiXuLy`.
pub const OFFICER: usize = 50;
/// Most progress lines in one call.
pub const CHUNK: usize = 10;

/// A text that was longer than the portal takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The field, with its place in a list.
    pub field: String,
    /// Its length, UTF-16 code units after NFC.
    pub was: usize,
    /// What is left.
    pub kept: usize,
}

/// A dossier ready for the wire.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// The dossier, one element of `data`.
    pub dossier: Value,
    /// Its progress, in order.
    pub progress: Vec<Value>,
    /// What had to be cut.
    pub cuts: Vec<Cut>,
}

/// Maps a dossier. Fields in `waived` may be missing although the contract marks them as obligatory.
///
/// # Errors
/// [`FIELD_MISSING`] with the names of all missing fields, [`FIELD_WRONG`] with those that cannot be sent.
pub fn map(dossier: &PortalDossier, waived: &BTreeSet<String>) -> Outcome<Mapped> {
    let mut pen = Pen { waived, missing: Vec::new(), wrong: Vec::new(), cuts: Vec::new() };
    let mapped = pen.dossier(dossier);
    let mut progress = Vec::with_capacity(dossier.progress.len());
    for (at, event) in dossier.progress.iter().enumerate() {
        progress.push(pen.progress(&dossier.code, at, event));
    }
    if dossier.progress.windows(2).any(|pair| pair[0].at > pair[1].at) {
        pen.wrong.push("ThoiDiemXuLy: not in order".into());
    }
    if !pen.missing.is_empty() {
        return Err(Fault::new(&FIELD_MISSING).detail(pen.missing.join(", ")));
    }
    if !pen.wrong.is_empty() {
        return Err(Fault::new(&FIELD_WRONG).detail(pen.wrong.join(", ")));
    }
    Ok(Mapped { dossier: mapped, progress, cuts: pen.cuts })
}

/// A moment as the portal writes it; `None` outside the years 1 to 9999.
pub fn date(unix: i64) -> Option<String> {
    let moment = jiff::Timestamp::from_second(unix).ok()?;
    let local = jiff::tz::Offset::constant(7).to_datetime(moment);
    (1..=9_999).contains(&local.year()).then(|| local.strftime("%Y%m%d%H%M%S").to_string())
}

/// Cuts a text to so many UTF-16 code units after NFC, never within a character or before its marks.
pub fn clamp(text: &str, limit: usize) -> (String, usize) {
    let whole: String = text.nfc().collect();
    let was = whole.encode_utf16().count();
    if was <= limit {
        return (whole, was);
    }
    let chars: Vec<char> = whole.chars().collect();
    let mut units = 0;
    let mut end = 0;
    for (at, c) in chars.iter().enumerate() {
        units += c.len_utf16();
        if units > limit {
            break;
        }
        end = at + 1;
    }
    while end > 0 && chars.get(end).copied().is_some_and(is_combining_mark) {
        end -= 1;
    }
    (chars.into_iter().take(end).collect(), was)
}

/// Writes fields and remembers what is amiss.
struct Pen<'a> {
    waived: &'a BTreeSet<String>,
    missing: Vec<String>,
    wrong: Vec<String>,
    cuts: Vec<Cut>,
}

impl Pen<'_> {
    fn dossier(&mut self, d: &PortalDossier) -> Value {
        let mut out = Map::new();
        let mut put = |name: &str, value: String| drop(out.insert(name.to_owned(), Value::String(value)));
        put("MaHoSo", self.must("MaHoSo", &d.code));
        put("MaTTHC", self.must("MaTTHC", &d.procedure.code));
        put("TenTTHC", self.must("TenTTHC", &d.procedure.name));
        put("MaLinhVuc", self.must("MaLinhVuc", &d.field.code));
        put("TenLinhVuc", self.must("TenLinhVuc", &d.field.name));
        put("KenhThucHien", d.channel.wire().into());
        put("SoGiayToChuHoSo", self.must("SoGiayToChuHoSo", or_empty(&d.owner_number)));
        put("ChuHoSo", plain(&d.owner_name));
        put("LoaiDoiTuong", d.owner_kind.wire().into());
        put("MaDoiTuong", plain(&d.account));
        put("ThongTinKhac", plain(&d.other));
        put("Email", plain(&d.email));
        put("Fax", plain(&d.fax));
        put("SoDienThoai", self.must("SoDienThoai", or_empty(&d.phone)));
        let summary = self.must("TrichYeuHoSo", &d.summary);
        put("TrichYeuHoSo", self.fit("TrichYeuHoSo".into(), &summary, SUMMARY));
        put("NgayTiepNhan", self.must_date("NgayTiepNhan", d.received));
        put("NgayHenTra", self.must_date("NgayHenTra", d.due));
        put("TrangThaiHoSo", d.status.wire().into());
        put("NgayTra", self.may_date("NgayTra", d.returned));
        put("ThongTinTra", plain(&d.returned_how));
        put("HinhThuc", d.handover.wire().into());
        put("NgayKetThucXuLy", self.may_date("NgayKetThucXuLy", d.finished));
        put("DonViXuLy", self.must("DonViXuLy", &d.unit));
        put("GhiChu", plain(&d.note));
        put("NoiNopHoSo", d.filed_at.wire().into());
        let digitised = d.papers.iter().any(|paper| paper.digitised && !paper.deleted);
        put("HoSoCoThanhPhanSoHoa", flag(digitised));
        put("TaiKhoanDuocXacThucVoiVNeID", flag(d.account_verified_by_vneid));
        put("DuocThanhToanTrucTuyen", d.payment.wire().into());
        put("NgayTuChoi", self.may_date("NgayTuChoi", d.refused));
        put("NgayNopHoSo", self.must_date("NgayNopHoSo", d.filed));
        put("UrlDetail", plain(&d.url));
        out.insert("TaiLieuNop".into(), self.papers(d));
        out.insert("DanhSachGiayToKetQua".into(), self.results(d));
        let fees = d.fees.iter().map(|fee| {
            json!({ "TenPhiLePhi": nfc(&fee.name), "MaPhiLePhi": nfc(&fee.code), "HinhThucThu": nfc(&fee.collection),
                    "Gia": fee.price.to_string(), "LoaiPhiLePhi": nfc(&fee.kind) })
        });
        out.insert("DanhSachLePhi".into(), fees.collect());
        out.insert("DinhDanhCHS".into(), self.identities(d));
        out.insert("DSKetNoiCSDL".into(), json!([]));
        out.insert("DanhSachTepDinhKemKhac".into(), json!([]));
        out.insert("DanhSachHoSoBoSung".into(), json!([]));
        Value::Object(out)
    }

    fn papers(&mut self, d: &PortalDossier) -> Value {
        let mut list = Vec::with_capacity(d.papers.len());
        for (at, paper) in d.papers.iter().enumerate() {
            let at = at + 1;
            let (reuse, replaced) = match &paper.reuse {
                Reuse::No => ("0", String::new()),
                Reuse::Reused => ("1", String::new()),
                Reuse::ReplacedByResult(code) => {
                    ("2", self.must(&format!("TaiLieuNop {at} MaKetQuaThayThe"), code))
                }
            };
            let name = self.must(&format!("TaiLieuNop {at} TenTepDinhKem"), &paper.file_name);
            list.push(json!({
                "TepDinhKemId": self.must(&format!("TaiLieuNop {at} TepDinhKemId"), &paper.id),
                "TenTepDinhKem": self.fit(format!("TaiLieuNop {at} TenTepDinhKem"), &name, FILE_NAME),
                "IsDeleted": if paper.deleted { "True" } else { "False" },
                "MaThanhPhanHoSo": plain(&paper.component),
                "DuongDanTaiTepTin": self.must(&format!("TaiLieuNop {at} DuongDanTaiTepTin"), &paper.link),
                "DuocSoHoa": flag(paper.digitised),
                "DuocTaiSuDung": reuse,
                "DuocLayTuKhoDMQG": flag(paper.from_national_store),
                "MaKetQuaThayThe": replaced,
            }));
        }
        Value::Array(list)
    }

    fn results(&mut self, d: &PortalDossier) -> Value {
        let mut list = Vec::with_capacity(d.results.len());
        for (at, paper) in d.results.iter().enumerate() {
            let at = at + 1;
            let title = self.must(&format!("DanhSachGiayToKetQua {at} TenGiayTo"), &paper.title);
            let link = self.must(&format!("DanhSachGiayToKetQua {at} DuongDanTepTinKetQua"), &paper.link);
            let code = self.must(&format!("DanhSachGiayToKetQua {at} MaGiayToKetQua"), &paper.result_code);
            list.push(json!({
                "TenGiayTo": self.fit(format!("DanhSachGiayToKetQua {at} TenGiayTo"), &title, PAPER_TITLE),
                "MaThanhPhanHoSo": plain(&paper.component),
                "GiayToId": self.must(&format!("DanhSachGiayToKetQua {at} GiayToId"), &paper.id),
                "DuongDanTepTinKetQua": link,
                "MaGiayToKetQua": code,
            }));
        }
        Value::Array(list)
    }

    fn identities(&mut self, d: &PortalDossier) -> Value {
        use super::record::IdentityKind;
        let mut list = Vec::with_capacity(d.identities.len());
        for (at, identity) in d.identities.iter().enumerate() {
            let length = match identity.kind {
                IdentityKind::Personal12 => 12,
                IdentityKind::Old9 => 9,
            };
            if identity.number.len() != length || !identity.number.bytes().all(|b| b.is_ascii_digit()) {
                self.wrong.push(format!("DinhDanhCHS {} SoDinhDanh", at + 1));
            }
            list.push(json!({ "LoaiDinhDanh": identity.kind.wire(), "SoDinhDanh": identity.number }));
        }
        Value::Array(list)
    }

    fn progress(&mut self, code: &str, at: usize, p: &Progress) -> Value {
        let place = |name: &str| format!("progress {} {name}", at + 1);
        let officer = self.must(&place("NguoiXuLy"), &p.officer);
        json!({
            "MaHoSo": nfc(code),
            "NguoiXuLy": self.fit(place("NguoiXuLy"), &officer, OFFICER),
            "ChucDanh": plain(&p.title),
            "ThoiDiemXuLy": self.must_date(&place("ThoiDiemXuLy"), Some(p.at)),
            "PhongBanXuLy": plain(&p.department),
            "NoiDungXuLy": self.must(&place("NoiDungXuLy"), &p.what),
            "TrangThai": p.status.wire(),
            "NgayBatDau": self.may_date(&place("NgayBatDau"), p.started),
            "NgayKetThucTheoQuyDinh": self.may_date(&place("NgayKetThucTheoQuyDinh"), p.due),
        })
    }

    fn must(&mut self, name: &str, text: &str) -> String {
        if text.trim().is_empty() && !self.waived.contains(name) {
            self.missing.push(name.to_owned());
        }
        nfc(text)
    }

    fn fit(&mut self, field: String, text: &str, limit: usize) -> String {
        let (kept, was) = clamp(text, limit);
        if was > limit {
            self.cuts.push(Cut { field, was, kept: kept.encode_utf16().count() });
        }
        kept
    }

    fn must_date(&mut self, name: &str, unix: Option<i64>) -> String {
        if unix.is_none() && !self.waived.contains(name) {
            self.missing.push(name.to_owned());
        }
        self.may_date(name, unix)
    }

    fn may_date(&mut self, name: &str, unix: Option<i64>) -> String {
        let Some(unix) = unix else { return String::new() };
        date(unix).unwrap_or_else(|| {
            self.wrong.push(name.to_owned());
            String::new()
        })
    }
}

fn or_empty(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
}

fn plain(text: &Option<String>) -> String {
    nfc(or_empty(text))
}

fn nfc(text: &str) -> String {
    text.nfc().collect()
}

fn flag(yes: bool) -> String {
    if yes { "1" } else { "0" }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::portal::sample;

    fn mapped(d: &PortalDossier) -> Mapped {
        map(d, &BTreeSet::new()).unwrap()
    }

    #[test]
    fn dates_are_fourteen_digits_of_vietnams_time() {
        assert_eq!(date(1_757_811_909).as_deref(), Some("20250914080509"));
        assert_eq!(date(0).as_deref(), Some("19700101070000"));
        assert_eq!(date(i64::MAX), None);
        let m = mapped(&sample());
        assert_eq!(
            (m.dossier["NgayTra"].as_str(), m.dossier["NgayTiepNhan"].as_str()),
            (Some(""), Some("20250914080509"))
        );
    }

    #[test]
    fn every_scalar_is_a_string() {
        let m = mapped(&sample());
        let scalars =
            |value: &Value| value.as_object().unwrap().values().all(|v| v.is_string() || v.is_array());
        assert!(scalars(&m.dossier));
        assert!(m.progress.iter().all(scalars));
        assert!(m.dossier["TaiLieuNop"].as_array().unwrap().iter().all(scalars));
    }

    #[test]
    fn a_text_at_its_limit_is_kept_and_one_beyond_is_cut_and_recorded() {
        for (length, cut) in [(1_000, false), (1_001, true)] {
            let m = mapped(&PortalDossier { summary: "x".repeat(length), ..sample() });
            assert_eq!(m.dossier["TrichYeuHoSo"].as_str().unwrap().len(), 1_000);
            assert_eq!(!m.cuts.is_empty(), cut);
        }
        for (length, cut) in [(50, false), (51, true)] {
            let mut d = sample();
            d.progress[0].officer = "ệ".repeat(length);
            let m = mapped(&d);
            assert_eq!(m.progress[0]["NguoiXuLy"].as_str().unwrap().chars().count(), 50);
            assert_eq!(!m.cuts.is_empty(), cut);
        }
        for (length, cut) in [(1_999, false), (2_000, true)] {
            let mut d = sample();
            d.results[0].title = "x".repeat(length);
            assert_eq!(!mapped(&d).cuts.is_empty(), cut);
        }
        for (length, cut) in [(4_000, false), (4_001, true)] {
            let mut d = sample();
            d.papers[0].file_name = "x".repeat(length);
            let expected = Cut { field: "TaiLieuNop 1 TenTepDinhKem".into(), was: 4_001, kept: 4_000 };
            assert_eq!(mapped(&d).cuts, if cut { vec![expected] } else { Vec::new() });
        }
    }

    #[test]
    fn lengths_are_utf16_after_nfc_and_characters_stay_whole() {
        assert_eq!(clamp("e\u{302}\u{323}e\u{302}\u{323}", 2), ("ệệ".into(), 2));
        assert_eq!(clamp("a\u{1F600}b", 2), ("a".into(), 4));
        assert_eq!(clamp("ab\u{325}\u{30D}c", 2), ("a".into(), 5), "marks go with their letter");
        assert_eq!(clamp("", 0), (String::new(), 0));
    }

    #[test]
    fn all_missing_fields_are_named_at_once_and_nothing_is_invented() {
        let d = PortalDossier { phone: None, summary: " ".into(), due: None, owner_number: None, ..sample() };
        let fault = map(&d, &BTreeSet::new()).unwrap_err();
        assert_eq!(fault.code, &FIELD_MISSING);
        assert_eq!(fault.detail.as_deref(), Some("SoGiayToChuHoSo, SoDienThoai, TrichYeuHoSo, NgayHenTra"));
        let d = PortalDossier { phone: None, ..sample() };
        let m = map(&d, &BTreeSet::from(["SoDienThoai".to_owned()])).unwrap();
        assert_eq!(m.dossier["SoDienThoai"], "");
    }

    #[test]
    fn flags_say_what_is_true() {
        let mut d = sample();
        d.papers[0].digitised = false;
        assert_eq!(mapped(&d).dossier["HoSoCoThanhPhanSoHoa"], "0");
        d.papers[0].digitised = true;
        assert_eq!(mapped(&d).dossier["HoSoCoThanhPhanSoHoa"], "1");
        d.papers[0].reuse = Reuse::ReplacedByResult(String::new());
        assert_eq!(map(&d, &BTreeSet::new()).unwrap_err().detail.unwrap(), "TaiLieuNop 1 MaKetQuaThayThe");
    }

    #[test]
    fn a_wrong_number_and_progress_out_of_order_are_refused_without_showing_them() {
        let mut d = sample();
        d.identities[0].number = "00109900000".into();
        d.progress[0].at = i64::from(u32::MAX);
        let fault = map(&d, &BTreeSet::new()).unwrap_err();
        assert_eq!(fault.detail.as_deref(), Some("DinhDanhCHS 1 SoDinhDanh, ThoiDiemXuLy: not in order"));
    }
}
