use super::*;
use unicode_normalization::UnicodeNormalization;

fn of(body: &str) -> Option<Reply> {
    parse(&Adapter::national(), Dialect::Session, body.as_bytes())
}

fn of_bridge(body: &str) -> Option<Reply> {
    parse(&Adapter::national(), Dialect::Bridge, body.as_bytes())
}

fn said(text: &str) -> Option<Reply> {
    parse_text(&Adapter::national(), Dialect::Bridge, text.as_bytes())
}

#[test]
fn zero_comes_as_number_and_as_two_texts() {
    for code in ["0", "\"0\"", "\"00\""] {
        assert_eq!(of(&format!(r#"{{"error_code":{code}}}"#)), Some(Reply::Taken), "{code}");
    }
}

#[test]
fn a_duplicate_is_known_by_its_words_even_under_code_zero_and_in_decomposed_letters() {
    let decomposed: String = "Hồ sơ ĐÃ TỒN TẠI".nfd().collect();
    for code in ["0", "\"0\"", "\"00\"", "3", "\"3\"", "-3", "\"-3\""] {
        for message in ["Hồ sơ đã tồn tại trên hệ thống", decomposed.as_str()] {
            let body = serde_json::json!({ "message": message }).to_string();
            let body = body.replace('{', &format!("{{\"error_code\":{code},"));
            assert_eq!(of(&body), Some(Reply::Duplicate), "{body}");
            assert_eq!(of_bridge(&body), Some(Reply::Duplicate), "{body}");
        }
    }
    assert_eq!(of(r#"{"error_code":7,"message":"đã tồn tại"}"#), Some(Reply::Other(Some(7))));
}

#[test]
fn nothing_else_is_ever_success() {
    for body in [
        r#"{"error_code":1}"#,
        r#"{"error_code":"01"}"#,
        r#"{"error_code":3}"#,
        r#"{"error_code":"-3","message":"lỗi"}"#,
        r#"{"error_code":""}"#,
        r#"{"error_code":"0x0"}"#,
        r#"{"error_code":" 0"}"#,
        r#"{"error_code":"abc","message":"thành công"}"#,
        r#"{"error_code":null,"message":"thành công"}"#,
        r#"{"error_code":false}"#,
        r#"{"error_code":0.5}"#,
        r#"{"error_code":[]}"#,
        r#"{"error_code":0,"message":"Hồ sơ không tồn tại"}"#,
    ] {
        assert!(!matches!(of(body), Some(Reply::Taken | Reply::Duplicate)), "{body}");
        assert!(!matches!(of_bridge(body), Some(Reply::Taken | Reply::Duplicate)), "{body}");
    }
    for body in ["", "{}", "[]", "0", "\"00\"", "<html>0</html>", "thành công", r#"{"error":"0"}"#] {
        assert_eq!(of(body), None, "{body}");
        assert_eq!(of_bridge(body), None, "{body}");
    }
}

#[test]
fn a_bridge_has_to_say_in_words_that_it_succeeded() {
    let decomposed: String = "Đồng bộ THÀNH CÔNG".nfd().collect();
    for (message, taken) in [
        ("Đồng bộ thành công", true),
        (decomposed.as_str(), true),
        ("Đồng bộ không thành công", false),
        ("Chưa thành công", false),
        ("OK", false),
        ("", false),
    ] {
        for code in ["0", "\"0\"", "\"00\""] {
            let body = format!(r#"{{"error_code":{code},"message":"{message}"}}"#);
            assert_eq!(of_bridge(&body) == Some(Reply::Taken), taken, "{body}");
        }
    }
    assert_eq!(of_bridge(r#"{"error_code":"0"}"#), Some(Reply::Other(Some(0))));
    assert_eq!(of_bridge(r#"{"error_code":"5","message":"thành công"}"#), Some(Reply::Other(Some(5))));
}

#[test]
fn progress_of_a_bridge_is_answered_in_plain_text() {
    let decomposed: String = "Cập nhật thành công".nfd().collect();
    for good in ["Cập nhật thành công", "\"Cập nhật thành công\"", decomposed.as_str(), " THÀNH CÔNG\r\n"]
    {
        assert_eq!(said(good), Some(Reply::Taken), "{good}");
    }
    assert_eq!(said(r#"{"error_code":"0","message":"thành công"}"#), Some(Reply::Taken));
    assert_eq!(said("Hồ sơ không tồn tại"), Some(Reply::Absent));
    for bad in ["Cập nhật không thành công", "Lỗi", "0", r#"{"error_code":"0"}"#] {
        assert!(!matches!(said(bad), Some(Reply::Taken)), "{bad}");
    }
    for page in ["", "<html>thành công</html>", "{}", "[\"thành công\"]"] {
        assert_eq!(said(page), None, "{page}");
    }
}

#[test]
fn a_dossier_is_found_only_in_a_list_that_holds_it() {
    let asked = |body: &[u8]| found(&Adapter::national(), body, "H40-1");
    assert_eq!(asked(br#"{"error_code":0,"result":[{}]}"#), Some(Found::There(Holding::default())));
    let there = br#"{"error_code":0,"result":[{"MaHoSo":"H40-2","TrangThaiHoSo":"1"},{"MaHoSo":"H40-1","TrangThaiHoSo":9}]}"#;
    assert_eq!(asked(there), Some(Found::There(Holding { state: Some("9".into()), ..Holding::default() })));
    for other in [
        r#"{"error_code":0,"result":[{"MaHoSo":"H40-2"}]}"#,
        r#"{"error_code":9,"result":[{}]}"#,
        r#"{"error_code":0}"#,
        r#"{"error_code":0,"result":null}"#,
        r#"{"error_code":0,"result":"x"}"#,
        r#"{"error_code":0,"result":{}}"#,
        "<html>",
        "{}",
        "[]",
        "",
    ] {
        assert_eq!(asked(other.as_bytes()), None, "{other}");
    }
}

#[test]
fn an_empty_list_is_absence_under_any_code_unless_the_session_or_the_portal_failed() {
    let asked = |body: &str| found(&Adapter::national(), body.as_bytes(), "H40-1");
    let decomposed: String = "Không tìm thấy HỒ SƠ".nfd().collect();
    for absent in [
        r#"{"result":[]}"#.to_owned(),
        r#"{"error_code":0,"result":[]}"#.into(),
        r#"{"error_code":"00","result":[]}"#.into(),
        r#"{"error_code":"1","message":"Không tìm thấy hồ sơ","result":[]}"#.into(),
        r#"{"error_code":1,"message":"Lỗi hệ thống: hồ sơ không tồn tại","result":[]}"#.into(),
        r#"{"error_code":"4","message":"Hồ sơ không tồn tại"}"#.into(),
        r#"{"error_code":9,"result":[]}"#.into(),
        format!(r#"{{"error_code":"1","message":"{decomposed}","result":[]}}"#),
    ] {
        assert_eq!(asked(&absent), Some(Found::Nothing), "{absent}");
    }
    for unsure in [
        r#"{"error_code":"9","message":"Phiên làm việc không tồn tại","result":[]}"#,
        r#"{"error_code":0,"message":"Vui lòng đăng nhập lại","result":[]}"#,
        r#"{"error_code":"401","message":"Session expired","result":[]}"#,
        r#"{"error_code":"-1","message":"Lỗi hệ thống","result":[]}"#,
        r#"{"message":"Hệ thống đang bận","result":[]}"#,
        r#"{"error_code":"1","message":"Phiên hết hạn"}"#,
    ] {
        assert_eq!(asked(unsure), None, "{unsure}");
    }
}

#[test]
fn a_session_needs_code_zero_and_a_text() {
    assert_eq!(session(br#"{"error_code":0,"session":"s"}"#).as_deref(), Some("s"));
    for bad in
        [r#"{"error_code":1,"session":"s"}"#, r#"{"error_code":0,"session":""}"#, r#"{"session":"s"}"#, "x"]
    {
        assert_eq!(session(bad.as_bytes()), None, "{bad}");
    }
}
