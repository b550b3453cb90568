//! A citizen's store as far as it can be read: the results that the portal was told of and has fetched, by owner, and each
//! file in base64. Requests and answers come in the national spelling (`SoDinhDanhChuSoHuu`) or, through one provincial
//! facade, with a small first letter; whoever asks gets the spelling that they asked in.
//!
//! It holds whose the results are, as a store does: `store.jsonl` and `files/` are no place for anything but training data.

use super::rules::text;
use crate::digest::Sha256;
use crate::fault::Outcome;
use crate::serve::effects::EffectLog;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Mutex;

/// The store of everybody.
#[derive(Clone)]
pub(super) struct Store {
    files: PathBuf,
    log: EffectLog,
    held: Arc<Mutex<Vec<Held>>>,
}

/// A result in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    owner: String,
    code: String,
    title: String,
    symbol: String,
    agency: String,
    name: String,
    sha256: Sha256,
}

impl Store {
    /// What a folder holds.
    pub(super) fn open(state: &Path) -> Outcome<Self> {
        let (log, held) = EffectLog::open_file::<Held>(&state.join("store.jsonl"))?;
        Ok(Store { files: state.join("files"), log, held: Arc::new(Mutex::new(held)) })
    }

    /// Keeps what was fetched where it is a result of the dossier.
    pub(super) async fn keep(&self, dossier: &Value, link: &str, bytes: &[u8]) {
        let results = dossier["DanhSachGiayToKetQua"].as_array().map(Vec::as_slice).unwrap_or_default();
        let Some(result) = results.iter().find(|r| text(r, "DuongDanTepTinKetQua") == link) else { return };
        let sha256 = Sha256::of(bytes);
        let held = Held {
            owner: text(dossier, "SoGiayToChuHoSo").into(),
            code: text(result, "MaGiayToKetQua").into(),
            title: text(result, "TenGiayTo").into(),
            symbol: text(result, "GiayToId").into(),
            agency: text(dossier, "DonViXuLy").into(),
            name: format!("{}.pdf", text(result, "GiayToId")),
            sha256,
        };
        let written = std::fs::create_dir_all(&self.files)
            .and_then(|()| std::fs::write(self.files.join(sha256.to_string()), bytes));
        let mut all = self.held.lock().await;
        if written.is_ok() && !all.contains(&held) && self.log.append(&held).await.is_ok() {
            all.push(held);
        }
    }

    /// The results of one owner, of the kinds that were asked for; or the field that is wrong.
    pub(super) async fn search(&self, call: &Value) -> Result<Value, &'static str> {
        let spelling = Spelling::of(call);
        let owner = spelling.text(call, "SoDinhDanhChuSoHuu");
        for name in
            ["SoDinhDanhChuSoHuu", "HoTenNguoiYeuCau", "KenhThucHien", "SoDinhDanhNguoiYeuCau", "MaThuTuc"]
        {
            if spelling.text(call, name).is_empty() {
                return Err(name);
            }
        }
        let Some(kinds) = call[spelling.name("DanhSachDanhMucKetQua")].as_array() else {
            return Err("DanhSachDanhMucKetQua");
        };
        let wanted = |held: &Held| {
            kinds.iter().any(|kind| {
                let symbol = spelling.text(kind, "SoKyHieu");
                spelling.text(kind, "MaKetQua") == held.code && (symbol.is_empty() || symbol == held.symbol)
            })
        };
        let all = self.held.lock().await;
        let papers = all.iter().filter(|held| held.owner == owner && wanted(held)).map(|held| {
            let file = spelling.object(&[
                ("TenTep", held.name.clone().into()),
                ("DuongDan", held.sha256.to_string().into()),
            ]);
            spelling.object(&[
                ("MaKetQua", held.code.clone().into()),
                ("TenGiayTo", held.title.clone().into()),
                ("SoKyHieu", held.symbol.clone().into()),
                ("CoQuanChuQuan", held.agency.clone().into()),
                ("DanhSachTepDinhKem", json!([file])),
            ])
        });
        let result = spelling.object(&[("DanhSachGiayToKetQua", papers.collect())]);
        Ok(json!({ "errorCode": 0, "message": "Thành công", "signature": "", "result": result }))
    }

    /// One file by its agency and path: its digest and its bytes in base64.
    pub(super) async fn file(&self, call: &Value) -> Option<(String, String)> {
        let spelling = Spelling::of(call);
        let (agency, path) = (spelling.text(call, "CoQuanChuQuan"), spelling.text(call, "DuongDan"));
        let all = self.held.lock().await;
        let held = all.iter().find(|held| held.agency == agency && held.sha256.to_string() == path)?;
        let bytes = std::fs::read(self.files.join(path)).ok()?;
        Some((held.sha256.to_string(), BASE64.encode(bytes)))
    }
}

/// How names begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    National,
    SmallFirstLetter,
}

impl Spelling {
    fn of(call: &Value) -> Self {
        let small =
            call.as_object().is_some_and(|fields| fields.keys().any(|k| k.starts_with(char::is_lowercase)));
        if small { Spelling::SmallFirstLetter } else { Spelling::National }
    }

    fn name(self, name: &str) -> String {
        let mut letters = name.chars();
        match (self, letters.next()) {
            (Spelling::SmallFirstLetter, Some(first)) => first.to_lowercase().chain(letters).collect(),
            _ => name.to_owned(),
        }
    }

    fn text(self, record: &Value, name: &str) -> String {
        text(record, &self.name(name)).to_owned()
    }

    fn object(self, fields: &[(&str, Value)]) -> Value {
        Value::Object(
            fields.iter().map(|(name, value)| (self.name(name), value.clone())).collect::<Map<_, _>>(),
        )
    }
}
