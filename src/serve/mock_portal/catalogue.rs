//! The catalogues that the portal shares: a few procedures, fields and agencies as they are spelt on that wire, and the
//! TechID of an owner. Catalogues answer with the number 0 and a `result`.

use super::rules::text;
use crate::digest::Sha256;
use serde_json::{Value, json};

/// A service of the share address: its name and answer, or the field that is wrong.
pub(super) fn share(call: &Value) -> Result<(&'static str, Value), &'static str> {
    let result = |what, list: Vec<Value>| Ok((what, json!({ "error_code": 0, "result": list })));
    match call["service"].as_str() {
        Some("LayDanhSachTTHC") => result("LayDanhSachTTHC", PROCEDURES.iter().map(in_list).collect()),
        Some("LayDanhMucCoQuan") => {
            let agency = |(code, name, level): &(&str, &str, &str)| json!({ "MADONVI": code, "TENDONVI": name, "CAPDONVI": level });
            result("LayDanhMucCoQuan", AGENCIES.iter().map(agency).collect())
        }
        Some("LayDanhMucLinhVuc") => {
            let mut fields: Vec<Value> = Vec::new();
            for (_, _, code, name) in PROCEDURES {
                let field = json!({ "MALINHVUC": code, "TENLINHVUC": name, "MANGANH": &code[..3] });
                if !fields.contains(&field) {
                    fields.push(field);
                }
            }
            result("LayDanhMucLinhVuc", fields)
        }
        Some("TraCuuTechID") => {
            if call["provider"] != "wso2is" {
                return Err("provider");
            }
            let number = text(call, "mstorcmnd");
            // Numbers of persons have 9 or 12 digits, tax numbers 10 or 13.
            if ![9, 10, 12, 13].contains(&number.len()) || !number.bytes().all(|b| b.is_ascii_digit()) {
                return Err("mstorcmnd");
            }
            let id = &Sha256::of(number.as_bytes()).to_string()[..32];
            result("TraCuuTechID", vec![json!({ "TECHNICALID": id })])
        }
        _ => Err("service"),
    }
}

/// `LayThuTuc`: one procedure, or none; or the field that is wrong.
pub(super) fn procedure(call: &Value) -> Result<Value, &'static str> {
    let code = text(call, "maTTHC");
    if code.is_empty() {
        return Err("maTTHC");
    }
    let found: Vec<Value> = PROCEDURES.iter().filter(|p| p.0 == code).map(in_list).collect();
    Ok(json!({ "error_code": 0, "result": found }))
}

fn in_list((code, name, field, field_name): &(&str, &str, &str, &str)) -> Value {
    json!({ "MATTHC": code, "TENTTHC": name, "MALINHVUC": field, "TENLINHVUC": field_name })
}

/// Code, name, field and its name: those of the sample dossiers.
const PROCEDURES: &[(&str, &str, &str, &str)] = &[
    ("1.001193", "Đăng ký khai sinh", "G15-HT01", "Hộ tịch"),
    ("1.004873", "Cấp Giấy xác nhận tình trạng hôn nhân", "G15-HT01", "Hộ tịch"),
    ("1.001612", "Đăng ký thành lập hộ kinh doanh", "G05-KD02", "Thành lập và hoạt động của hộ kinh doanh"),
];

/// Code, name and level: 1 ministry, 2 province, 3 commune.
const AGENCIES: &[(&str, &str, &str)] = &[
    ("H40", "UBND tỉnh Ninh Bình", "2"),
    ("H40.17", "Trung tâm Phục vụ hành chính công tỉnh Ninh Bình", "2"),
    ("H40.17.5", "UBND xã Ngọc Lâm", "3"),
];
