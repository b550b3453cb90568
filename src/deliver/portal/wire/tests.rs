use super::*;
use crate::deliver::portal::record::{OwnerKind, Status, VneidProof};
use crate::deliver::portal::sample;
use crate::digest::Sha256;

fn mapped(d: &PortalDossier) -> Mapped {
    mapped_for(d, Dialect::Session, &[]).unwrap()
}

fn mapped_for(d: &PortalDossier, dialect: Dialect, waived: &[&str]) -> Outcome<Mapped> {
    let waived = waived.iter().map(|&name| name.to_owned()).collect();
    let link = |document: &Blake3| Ok(format!("https://tram.example/{document}"));
    map(d, &Terms { adapter: &Adapter::national(), dialect, waived: &waived, link: &link })
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
    let scalars = |value: &Value| value.as_object().unwrap().values().all(|v| v.is_string() || v.is_array());
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
    let fault = mapped_for(&d, Dialect::Session, &[]).unwrap_err();
    assert_eq!(fault.code, &FIELD_MISSING);
    assert_eq!(fault.detail.as_deref(), Some("SoGiayToChuHoSo, SoDienThoai, TrichYeuHoSo, NgayHenTra"));
    let d = PortalDossier { phone: None, ..sample() };
    let m = mapped_for(&d, Dialect::Session, &["SoDienThoai"]).unwrap();
    assert_eq!(m.dossier["SoDienThoai"], "");
}

#[test]
fn a_flag_changes_with_its_evidence_and_with_nothing_else() {
    let mut d = sample();
    let flags = |d: &PortalDossier| {
        let m = mapped(d);
        let of = |name: &str| m.dossier[name].as_str().unwrap().to_owned();
        let paper = m.dossier["TaiLieuNop"][0]["DuocSoHoa"].as_str().unwrap().to_owned();
        [paper, of("HoSoCoThanhPhanSoHoa"), of("TaiKhoanDuocXacThucVoiVNeID")]
    };
    assert_eq!(flags(&d), ["1", "1", "0"]);
    let evidence = d.papers[0].digitisation.take();
    assert_eq!(flags(&d), ["0", "0", "0"]);
    d.papers[0].digitisation = evidence;
    d.papers[0].deleted = true;
    assert_eq!(flags(&d), ["1", "0", "0"], "a paper that was taken away is no part of the dossier");
    d.account_proof = Some(VneidProof { assertion: Sha256::of(b"assertion"), at: 1_757_811_909 });
    assert_eq!(flags(&d), ["1", "0", "1"]);
    d.papers[0].reuse = Reuse::ReplacedByResult(String::new());
    let missing = mapped_for(&d, Dialect::Session, &[]).unwrap_err();
    assert_eq!(missing.detail.unwrap(), "TaiLieuNop 1 MaKetQuaThayThe");
}

#[test]
fn the_states_that_others_tell_as_done_stay_what_they_are() {
    for (status, wire) in
        [(Status::SupplementRequested, "5"), (Status::FinancialObligation, "6"), (Status::Stopped, "8")]
    {
        let mut d = PortalDossier { status, ..sample() };
        d.progress[0].status = status;
        let m = mapped(&d);
        assert_eq!((&m.dossier["TrangThaiHoSo"], &m.progress[0]["TrangThai"]), (&json!(wire), &json!(wire)));
    }
}

#[test]
fn nothing_is_added_to_what_the_office_said() {
    let d = PortalDossier { results: Vec::new(), progress: Vec::new(), due: None, ..sample() };
    let m = mapped_for(&d, Dialect::Session, &["NgayHenTra"]).unwrap();
    assert_eq!(m.dossier["DanhSachGiayToKetQua"], json!([]), "what was handed in is no result");
    assert_eq!(
        (m.progress.len(), &m.dossier["NgayHenTra"]),
        (0, &json!("")),
        "no line for a date that is not there"
    );
    let many = PortalDossier { papers: vec![sample().papers[0].clone(); 3], ..sample() };
    assert_eq!(mapped(&many).dossier["TaiLieuNop"].as_array().unwrap().len(), 3, "each paper, not the first");
    let mut nameless = sample();
    nameless.papers[0].file_name = String::new();
    let fault = mapped_for(&nameless, Dialect::Session, &[]).unwrap_err();
    assert_eq!(fault.detail.as_deref(), Some("TaiLieuNop 1 TenTepDinhKem"));
}

#[test]
fn a_code_that_is_none_is_not_sent() {
    let mut d = sample();
    d.code = "H49-1".into();
    d.procedure.code = "khai sinh".into();
    d.field.code = "G15".into();
    d.results[0].result_code = "KQ.G15.31".into();
    let fault = mapped_for(&d, Dialect::Session, &[]).unwrap_err();
    assert_eq!(fault.code, &FIELD_WRONG);
    assert_eq!(
        fault.detail.as_deref(),
        Some("MaHoSo, MaTTHC, MaLinhVuc, DanhSachGiayToKetQua 1 MaGiayToKetQua")
    );
}

#[test]
fn a_value_that_the_adapter_has_no_word_for_is_never_told_as_another() {
    let text = include_str!("../adapter/dvcqg.toml").replace("state-body = \"3\"\n", "");
    let (adapter, none) = (Adapter::parse(&text).unwrap(), BTreeSet::new());
    let link = |_: &Blake3| Ok("https://x".to_owned());
    let terms = Terms { adapter: &adapter, dialect: Dialect::Session, waived: &none, link: &link };
    let d = PortalDossier { owner_kind: OwnerKind::StateBody, ..sample() };
    let fault = map(&d, &terms).unwrap_err();
    assert_eq!(
        (fault.code, fault.detail.as_deref()),
        (&FIELD_WRONG, Some("LoaiDoiTuong: no word for state-body"))
    );
}

#[test]
fn the_bridge_types_what_the_others_write_as_strings() {
    let other = OtherPaper { title: "Đơn".into(), count: 2, kind: 1 };
    let supplement = Supplement {
        id: 7,
        asked_by: "Cán bộ tập huấn".into(),
        what: "Bổ sung đơn".into(),
        asked_at: Some(1_757_811_909),
        taken_by: None,
        taken_note: None,
        taken_at: Some(1_757_811_909),
        given: true,
        papers: vec![other.clone()],
        due_before: None,
        due_now: Some(1_757_811_909),
    };
    let d = PortalDossier {
        others: vec![other],
        supplements: vec![supplement],
        databases: vec!["7".into()],
        ..sample()
    };
    let typed = mapped_for(&d, Dialect::Bridge, &[]).unwrap().dossier;
    assert_eq!(
        typed["DanhSachTepDinhKemKhac"],
        json!([{ "TenGiayTo": "Đơn", "SoLuong": 2, "LoaiGiayTo": 1 }])
    );
    let s = &typed["DanhSachHoSoBoSung"][0];
    assert_eq!((&s["HoSoBoSungId"], &s["TrangThaiBoSung"]), (&json!(7), &json!(true)));
    assert_eq!(
        (&s["NgayBoSung"], &s["NgayHenTraTruoc"]),
        (&json!("2025-09-14T08:05:09+07:00"), &Value::Null)
    );
    assert_eq!(s["NgayTiepNhanBoSung"], "20250914080509", "not one of the three");
    assert_eq!(typed["MaDoiTuong"], Value::Null);
    let online = PortalDossier { channel: Channel::Online, account: Some("tech-id".into()), ..d.clone() };
    assert_eq!(mapped_for(&online, Dialect::Bridge, &[]).unwrap().dossier["MaDoiTuong"], "tech-id");
    for dialect in [Dialect::Session, Dialect::OlderBridge] {
        let plain = mapped_for(&d, dialect, &[]).unwrap().dossier;
        assert_eq!(plain["DanhSachTepDinhKemKhac"][0]["SoLuong"], "2");
        let s = &plain["DanhSachHoSoBoSung"][0];
        assert_eq!((&s["HoSoBoSungId"], &s["TrangThaiBoSung"]), (&json!("7"), &json!("1")));
        assert_eq!((&s["NgayBoSung"], &s["NgayHenTraTruoc"]), (&json!("20250914080509"), &json!("")));
        assert_eq!((&plain["MaDoiTuong"], &plain["DSKetNoiCSDL"]), (&json!(""), &json!([{ "MaCSDL": "7" }])));
    }
}

#[test]
fn a_wrong_number_and_progress_out_of_order_are_refused_without_showing_them() {
    let mut d = sample();
    d.identities[0].number = "00109900000".into();
    d.progress[0].at = i64::from(u32::MAX);
    let fault = mapped_for(&d, Dialect::Session, &[]).unwrap_err();
    assert_eq!(fault.detail.as_deref(), Some("DinhDanhCHS 1 SoDinhDanh, ThoiDiemXuLy: not in order"));
}
