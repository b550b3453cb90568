//! The wire: a typed dossier becomes the JSON that the portal's adapter takes.
//!
//! Scalars are strings but where the bridge's are typed; a missing text or date is `""`; dates are `yyyyMMddHHmmss` in
//! Vietnam's time without a mark of the zone. Lengths count UTF-16 code units after NFC, as the known client does. What is
//! missing, does not look like a code or has no word in the adapter's tables stops the sync by name: nothing is invented.

use super::adapter::Adapter;
use super::dialect::Dialect;
use super::record::{Channel, OtherPaper, PortalDossier, Progress, Reuse, Supplement};
use super::{FIELD_MISSING, FIELD_WRONG};
use crate::digest::Blake3;
use crate::fault::{Fault, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Under what terms a dossier is written.
pub struct Terms<'a> {
    /// The adapter's tables.
    pub adapter: &'a Adapter,
    /// The envelope, which types some scalars.
    pub dialect: Dialect,
    /// Obligatory fields that this adapter is known to take empty.
    pub waived: &'a BTreeSet<String>,
    /// Makes the link to a document.
    pub link: &'a dyn Fn(&Blake3) -> Outcome<String>,
}

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

/// Maps a dossier.
///
/// # Errors
/// [`FIELD_MISSING`] with the names of all missing fields, [`FIELD_WRONG`] with those that cannot be sent; what making a
/// link says.
pub fn map(dossier: &PortalDossier, terms: &Terms<'_>) -> Outcome<Mapped> {
    let mut pen = Pen { terms, missing: Vec::new(), wrong: Vec::new(), cuts: Vec::new() };
    let mapped = pen.dossier(dossier)?;
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
    written(unix, "%Y%m%d%H%M%S")
}

/// A moment as the bridge's own date fields have it: ISO 8601 with Vietnam's offset.
pub fn native_date(unix: i64) -> Option<String> {
    written(unix, "%Y-%m-%dT%H:%M:%S+07:00")
}

fn written(unix: i64, format: &str) -> Option<String> {
    let moment = jiff::Timestamp::from_second(unix).ok()?;
    let local = jiff::tz::Offset::constant(7).to_datetime(moment);
    (1..=9_999).contains(&local.year()).then(|| local.strftime(format).to_string())
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
    terms: &'a Terms<'a>,
    missing: Vec<String>,
    wrong: Vec<String>,
    cuts: Vec<Cut>,
}

impl Pen<'_> {
    fn dossier(&mut self, d: &PortalDossier) -> Outcome<Value> {
        let mut out = Map::new();
        let mut put = |name: &str, value: String| drop(out.insert(name.to_owned(), Value::String(value)));
        put("MaHoSo", self.code("MaHoSo", "MaHoSo", &d.code));
        put("MaTTHC", self.code("MaTTHC", "MaTTHC", &d.procedure.code));
        put("TenTTHC", self.must("TenTTHC", &d.procedure.name));
        put("MaLinhVuc", self.code("MaLinhVuc", "MaLinhVuc", &d.field.code));
        put("TenLinhVuc", self.must("TenLinhVuc", &d.field.name));
        put("KenhThucHien", self.word("KenhThucHien", "KenhThucHien", d.channel.key()));
        put("SoGiayToChuHoSo", self.must("SoGiayToChuHoSo", or_empty(&d.owner_number)));
        put("ChuHoSo", plain(&d.owner_name));
        put("LoaiDoiTuong", self.word("LoaiDoiTuong", "LoaiDoiTuong", d.owner_kind.key()));
        put("MaDoiTuong", plain(&d.account));
        put("ThongTinKhac", plain(&d.other));
        put("Email", plain(&d.email));
        put("Fax", plain(&d.fax));
        put("SoDienThoai", self.must("SoDienThoai", or_empty(&d.phone)));
        let summary = self.must("TrichYeuHoSo", &d.summary);
        put("TrichYeuHoSo", self.fit("TrichYeuHoSo".into(), "TrichYeuHoSo", &summary));
        put("NgayTiepNhan", self.must_date("NgayTiepNhan", d.received));
        put("NgayHenTra", self.must_date("NgayHenTra", d.due));
        put("TrangThaiHoSo", self.word("TrangThaiHoSo", "TrangThaiHoSo", d.status.key()));
        put("NgayTra", self.may_date("NgayTra", d.returned));
        put("ThongTinTra", plain(&d.returned_how));
        put("HinhThuc", self.word("HinhThuc", "HinhThuc", d.handover.key()));
        put("NgayKetThucXuLy", self.may_date("NgayKetThucXuLy", d.finished));
        put("DonViXuLy", self.must("DonViXuLy", &d.unit));
        put("GhiChu", plain(&d.note));
        put("NoiNopHoSo", self.word("NoiNopHoSo", "NoiNopHoSo", d.filed_at.key()));
        let digitised = d.papers.iter().any(|paper| paper.digitisation.is_some() && !paper.deleted);
        put("HoSoCoThanhPhanSoHoa", flag(digitised));
        put("TaiKhoanDuocXacThucVoiVNeID", flag(d.account_proof.is_some()));
        put(
            "DuocThanhToanTrucTuyen",
            self.word("DuocThanhToanTrucTuyen", "DuocThanhToanTrucTuyen", d.payment.key()),
        );
        put("NgayTuChoi", self.may_date("NgayTuChoi", d.refused));
        put("NgayNopHoSo", self.must_date("NgayNopHoSo", d.filed));
        put("UrlDetail", plain(&d.url));
        // The bridge says null where the owner did not come through a portal account.
        if self.terms.dialect == Dialect::Bridge && d.channel != Channel::Online {
            out.insert("MaDoiTuong".into(), Value::Null);
        }
        out.insert("TaiLieuNop".into(), self.papers(d)?);
        out.insert("DanhSachGiayToKetQua".into(), self.results(d)?);
        let fees = d.fees.iter().map(|fee| {
            json!({ "TenPhiLePhi": nfc(&fee.name), "MaPhiLePhi": nfc(&fee.code), "HinhThucThu": nfc(&fee.collection),
                    "Gia": fee.price.to_string(), "LoaiPhiLePhi": nfc(&fee.kind) })
        });
        out.insert("DanhSachLePhi".into(), fees.collect());
        out.insert("DinhDanhCHS".into(), self.identities(d));
        let databases = d.databases.iter().map(|code| json!({ "MaCSDL": nfc(code) }));
        out.insert("DSKetNoiCSDL".into(), databases.collect());
        out.insert("DanhSachTepDinhKemKhac".into(), self.others("DanhSachTepDinhKemKhac", &d.others));
        let supplements =
            d.supplements.iter().enumerate().map(|(at, s)| self.supplement(at + 1, s)).collect();
        out.insert("DanhSachHoSoBoSung".into(), Value::Array(supplements));
        Ok(Value::Object(out))
    }

    fn papers(&mut self, d: &PortalDossier) -> Outcome<Value> {
        let mut list = Vec::with_capacity(d.papers.len());
        for (at, paper) in d.papers.iter().enumerate() {
            let place = |name: &str| format!("TaiLieuNop {} {name}", at + 1);
            let (reuse, replaced) = match &paper.reuse {
                Reuse::No => ("no", String::new()),
                Reuse::Reused => ("reused", String::new()),
                Reuse::ReplacedByResult(code) => {
                    ("replaced-by-result", self.code(&place("MaKetQuaThayThe"), "MaGiayToKetQua", code))
                }
            };
            let name = self.must(&place("TenTepDinhKem"), &paper.file_name);
            list.push(json!({
                "TepDinhKemId": self.must(&place("TepDinhKemId"), &paper.id),
                "TenTepDinhKem": self.fit(place("TenTepDinhKem"), "TenTepDinhKem", &name),
                "IsDeleted": if paper.deleted { "True" } else { "False" },
                "MaThanhPhanHoSo": plain(&paper.component),
                "DuongDanTaiTepTin": (self.terms.link)(&paper.document)?,
                "DuocSoHoa": flag(paper.digitisation.is_some()),
                "DuocTaiSuDung": self.word(&place("DuocTaiSuDung"), "DuocTaiSuDung", reuse),
                "DuocLayTuKhoDMQG": flag(paper.from_national_store),
                "MaKetQuaThayThe": replaced,
            }));
        }
        Ok(Value::Array(list))
    }

    fn results(&mut self, d: &PortalDossier) -> Outcome<Value> {
        let mut list = Vec::with_capacity(d.results.len());
        for (at, paper) in d.results.iter().enumerate() {
            let place = |name: &str| format!("DanhSachGiayToKetQua {} {name}", at + 1);
            let title = self.must(&place("TenGiayTo"), &paper.title);
            list.push(json!({
                "TenGiayTo": self.fit(place("TenGiayTo"), "TenGiayTo", &title),
                "MaThanhPhanHoSo": plain(&paper.component),
                "GiayToId": self.must(&place("GiayToId"), &paper.id),
                "DuongDanTepTinKetQua": (self.terms.link)(&paper.document)?,
                "MaGiayToKetQua": self.code(&place("MaGiayToKetQua"), "MaGiayToKetQua", &paper.result_code),
            }));
        }
        Ok(Value::Array(list))
    }

    fn identities(&mut self, d: &PortalDossier) -> Value {
        use super::record::IdentityKind;
        let mut list = Vec::with_capacity(d.identities.len());
        for (at, identity) in d.identities.iter().enumerate() {
            let length = match identity.kind {
                IdentityKind::Personal12 => 12,
                IdentityKind::Old9 => 9,
            };
            let place = |name: &str| format!("DinhDanhCHS {} {name}", at + 1);
            if identity.number.len() != length || !identity.number.bytes().all(|b| b.is_ascii_digit()) {
                self.wrong.push(place("SoDinhDanh"));
            }
            let kind = self.word(&place("LoaiDinhDanh"), "LoaiDinhDanh", identity.kind.key());
            list.push(json!({ "LoaiDinhDanh": kind, "SoDinhDanh": identity.number }));
        }
        Value::Array(list)
    }

    fn others(&mut self, list: &str, papers: &[OtherPaper]) -> Value {
        let mut out = Vec::with_capacity(papers.len());
        for (at, paper) in papers.iter().enumerate() {
            let place = format!("{list} {} TenGiayTo", at + 1);
            let title = self.must(&place, &paper.title);
            out.push(json!({
                "TenGiayTo": self.fit(place, "TenGiayTo", &title),
                "SoLuong": self.number(u64::from(paper.count)),
                "LoaiGiayTo": self.number(u64::from(paper.kind)),
            }));
        }
        Value::Array(out)
    }

    fn supplement(&mut self, at: usize, s: &Supplement) -> Value {
        let place = |name: &str| format!("DanhSachHoSoBoSung {at} {name}");
        let papers = self.others(&place("DanhSachGiayToBoSung"), &s.papers);
        json!({
            "HoSoBoSungId": self.number(s.id),
            "NguoiYeuCauBoSung": self.must(&place("NguoiYeuCauBoSung"), &s.asked_by),
            "NoiDungBoSung": self.must(&place("NoiDungBoSung"), &s.what),
            "NgayBoSung": self.own_date(&place("NgayBoSung"), s.asked_at),
            "NguoiTiepNhanBoSung": plain(&s.taken_by),
            "ThongTinTiepNhan": plain(&s.taken_note),
            "NgayTiepNhanBoSung": self.may_date(&place("NgayTiepNhanBoSung"), s.taken_at),
            "TrangThaiBoSung": if self.typed() { json!(s.given) } else { flag(s.given).into() },
            "DanhSachGiayToBoSung": papers,
            "DanhSachLePhiBoSung": [],
            "NgayHenTraTruoc": self.own_date(&place("NgayHenTraTruoc"), s.due_before),
            "NgayHenTraMoi": self.own_date(&place("NgayHenTraMoi"), s.due_now),
        })
    }

    fn progress(&mut self, code: &str, at: usize, p: &Progress) -> Value {
        let place = |name: &str| format!("progress {} {name}", at + 1);
        let officer = self.must(&place("NguoiXuLy"), &p.officer);
        json!({
            "MaHoSo": nfc(code),
            "NguoiXuLy": self.fit(place("NguoiXuLy"), "NguoiXuLy", &officer),
            "ChucDanh": plain(&p.title),
            "ThoiDiemXuLy": self.must_date(&place("ThoiDiemXuLy"), Some(p.at)),
            "PhongBanXuLy": plain(&p.department),
            "NoiDungXuLy": self.must(&place("NoiDungXuLy"), &p.what),
            "TrangThai": self.word(&place("TrangThai"), "TrangThaiHoSo", p.status.key()),
            "NgayBatDau": self.may_date(&place("NgayBatDau"), p.started),
            "NgayKetThucTheoQuyDinh": self.may_date(&place("NgayKetThucTheoQuyDinh"), p.due),
        })
    }

    /// The bridge types a few scalars; everything else is a string everywhere.
    fn typed(&self) -> bool {
        self.terms.dialect == Dialect::Bridge
    }

    fn number(&self, number: u64) -> Value {
        if self.typed() { json!(number) } else { Value::String(number.to_string()) }
    }

    /// One of the three dates that the bridge has as dates of its own.
    fn own_date(&mut self, name: &str, unix: Option<i64>) -> Value {
        if !self.typed() {
            return self.may_date(name, unix).into();
        }
        let Some(unix) = unix else { return Value::Null };
        native_date(unix).map_or_else(
            || {
                self.wrong.push(name.to_owned());
                Value::Null
            },
            Value::String,
        )
    }

    fn must(&mut self, name: &str, text: &str) -> String {
        if text.trim().is_empty() && !self.terms.waived.contains(name) {
            self.missing.push(name.to_owned());
        }
        nfc(text)
    }

    /// A code: it must be there and look like one.
    fn code(&mut self, name: &str, field: &str, text: &str) -> String {
        let code = self.must(name, text);
        if !code.trim().is_empty() && !self.terms.adapter.fits(field, &code) {
            self.wrong.push(name.to_owned());
        }
        code
    }

    /// The adapter's word for a value.
    fn word(&mut self, name: &str, field: &str, key: &str) -> String {
        let word = self.terms.adapter.value(field, key).map(str::to_owned);
        word.unwrap_or_else(|| {
            self.wrong.push(format!("{name}: no word for {key}"));
            String::new()
        })
    }

    fn fit(&mut self, place: String, field: &str, text: &str) -> String {
        let (kept, was) = clamp(text, self.terms.adapter.limit(field).unwrap_or(usize::MAX));
        let length = kept.encode_utf16().count();
        if length < was {
            self.cuts.push(Cut { field: place, was, kept: length });
        }
        kept
    }

    fn must_date(&mut self, name: &str, unix: Option<i64>) -> String {
        if unix.is_none() && !self.terms.waived.contains(name) {
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
mod tests;
