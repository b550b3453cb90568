//! What the portal took: dossiers and their progress, held to their order, and one line of effect for each change.

use super::rules::{self, Typing, text};
use super::voice::End;
use super::{Portal, Told};
use crate::digest::Sha256;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};

/// One line of `effects.jsonl`: no names, only codes and digests of what was sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Effect {
    pub(super) service: String,
    pub(super) code: String,
    pub(super) op: String,
    pub(super) status: String,
    /// `ThoiDiemXuLy`, of progress.
    pub(super) at: String,
    pub(super) sha256: Sha256,
    /// `DuocSoHoa`, of a dossier: how many papers say so.
    #[serde(default)]
    pub(super) digitised: usize,
    /// `TepDinhKemId` of the papers of a dossier, with `DuocSoHoa`.
    #[serde(default)]
    pub(super) papers: BTreeMap<String, bool>,
    /// `GiayToId` of its results.
    #[serde(default)]
    pub(super) results: Vec<String>,
    /// Progress of before the last that is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) late: bool,
    /// `KenhThucHien`, `LoaiDoiTuong`, `DuocThanhToanTrucTuyen`, `HinhThuc` and `NoiNopHoSo`, of a dossier.
    #[serde(default)]
    pub(super) filing: Vec<String>,
}

#[derive(Default)]
pub(super) struct Kept {
    dossiers: HashMap<String, Known>,
}

struct Known {
    status: String,
    sha256: Sha256,
    progress: HashSet<Sha256>,
    last: String,
    papers: BTreeMap<String, bool>,
    results: Vec<String>,
    /// It was asked about since progress last came.
    asked: bool,
}

impl Kept {
    pub(super) fn apply(&mut self, effect: Effect) {
        let Effect { code, op, status, at, sha256, papers, results, .. } = effect;
        let known = self.dossiers.entry(code).or_insert_with(|| Known {
            status: String::new(),
            sha256,
            progress: HashSet::new(),
            last: String::new(),
            papers: BTreeMap::new(),
            results: Vec::new(),
            asked: false,
        });
        match op.as_str() {
            "duplicate" => {}
            "progress" => {
                known.progress.insert(sha256);
                known.last = at.max(std::mem::take(&mut known.last));
            }
            _ => {
                known.status = status;
                known.sha256 = sha256;
                known.papers = papers;
                known.results = results;
            }
        }
    }
}

impl Known {
    /// What it says to whoever asks.
    fn answer(&mut self, code: &str) -> Value {
        self.asked = true;
        let paper = |(id, digitised): (&String, &bool)| json!({ "TepDinhKemId": id, "DuocSoHoa": if *digitised { "1" } else { "0" } });
        let result = |id: &String| json!({ "GiayToId": id });
        json!({ "MaHoSo": code, "TrangThaiHoSo": self.status,
            "TaiLieuNop": self.papers.iter().map(paper).collect::<Vec<_>>(),
            "DanhSachGiayToKetQua": self.results.iter().map(result).collect::<Vec<_>>() })
    }
}

impl Portal {
    pub(super) async fn look_up(&self, call: &Value) -> Told {
        let Some(code) = call["mahoso"].as_str() else {
            return Told::new("TraCuuHoSo", "", End::Wrong("mahoso".into()));
        };
        let mut kept = self.kept.lock().await;
        let found: Vec<Value> =
            kept.dossiers.get_mut(code).map(|known| known.answer(code)).into_iter().collect();
        Told::new("TraCuuHoSo", code, End::Said(json!({ "error_code": 0, "result": found }), true))
    }

    pub(super) async fn take_dossier(&self, updating: Option<&str>, data: &Value, typing: Typing) -> Told {
        let wrong = |id: &str, field: &str| Told::new("DongBoHoSoMC", id, End::Wrong(field.into()));
        let new = match updating {
            Some("False") => true,
            Some("True") => false,
            _ => return wrong("", "isUpdating"),
        };
        let Some([dossier]) = data.as_array().map(Vec::as_slice) else { return wrong("", "data") };
        let code = text(dossier, "MaHoSo").to_owned();
        if let Some(field) = rules::wrong_field(dossier, typing) {
            return wrong(&code, &field);
        }
        let sha256 = Sha256::of(dossier.to_string().as_bytes());
        let mut kept = self.kept.lock().await;
        let end = match kept.dossiers.get(&code) {
            Some(_) if new => End::Duplicate,
            None if !new => End::Absent,
            // The same update again changes nothing.
            Some(known) if known.sha256 == sha256 => End::Taken(false),
            _ => {
                let papers = dossier["TaiLieuNop"].as_array().map(Vec::as_slice).unwrap_or_default();
                let effect = Effect {
                    service: "DongBoHoSoMC".into(),
                    code: code.clone(),
                    op: if new { "create" } else { "update" }.into(),
                    status: text(dossier, "TrangThaiHoSo").into(),
                    at: String::new(),
                    sha256,
                    digitised: papers.iter().filter(|paper| text(paper, "DuocSoHoa") == "1").count(),
                    papers: papers
                        .iter()
                        .filter(|paper| text(paper, "IsDeleted") != "True")
                        .map(|paper| (text(paper, "TepDinhKemId").into(), text(paper, "DuocSoHoa") == "1"))
                        .collect(),
                    results: dossier["DanhSachGiayToKetQua"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .map(|result| text(result, "GiayToId").to_owned())
                        .collect(),
                    late: false,
                    filing: FILING.iter().map(|name| text(dossier, name).to_owned()).collect(),
                };
                self.commit(&mut kept, vec![effect]).await
            }
        };
        if let (End::Taken(true), Some(fetcher)) = (&end, &self.fetched) {
            tokio::spawn(fetcher.clone().fetch(dossier.clone()));
        }
        Told::new("DongBoHoSoMC", &code, end)
    }

    pub(super) async fn take_progress(&self, data: &Value) -> Told {
        let id = data[0]["MaHoSo"].as_str().unwrap_or_default().to_owned();
        let mut repeated = 0;
        let end = self.progress_end(data, &mut repeated).await;
        Told { repeated, ..Told::new("CapNhatTienDoHoSoMC", &id, end) }
    }

    async fn progress_end(&self, data: &Value, repeated: &mut usize) -> End {
        let lines = match data.as_array() {
            Some(lines) if (1..=rules::CHUNK).contains(&lines.len()) => lines,
            _ => return End::Wrong("data".into()),
        };
        let mut kept = self.kept.lock().await;
        let mut effects: Vec<Effect> = Vec::new();
        for line in lines {
            if let Some(field) = rules::wrong_progress(line) {
                return End::Wrong(field);
            }
            let (code, at) = (text(line, "MaHoSo"), text(line, "ThoiDiemXuLy"));
            let Some(known) = kept.dossiers.get(code) else { return End::Absent };
            let sha256 = Sha256::of(line.to_string().as_bytes());
            let in_this_call = effects.iter().any(|effect| effect.sha256 == sha256);
            let there = known.progress.contains(&sha256) || in_this_call;
            if there {
                *repeated += 1;
            }
            if there && known.asked && !in_this_call {
                continue;
            }
            if effects.iter().rev().find(|effect| effect.code == code).is_some_and(|e| *at < *e.at) {
                return End::Wrong("ThoiDiemXuLy".into());
            }
            effects.push(Effect {
                service: "CapNhatTienDoHoSoMC".into(),
                code: code.into(),
                op: if there { "duplicate" } else { "progress" }.into(),
                status: text(line, "TrangThai").into(),
                at: at.into(),
                sha256,
                digitised: 0,
                papers: BTreeMap::new(),
                results: Vec::new(),
                late: !there && *at < *known.last,
                filing: Vec::new(),
            });
        }
        for line in lines {
            if let Some(known) = kept.dossiers.get_mut(text(line, "MaHoSo")) {
                known.asked = false;
            }
        }
        self.commit(&mut kept, effects).await
    }

    async fn commit(&self, kept: &mut Kept, effects: Vec<Effect>) -> End {
        let changes = !effects.is_empty();
        for effect in effects {
            if self.log.append(&effect).await.is_err() {
                return End::Failed;
            }
            kept.apply(effect);
        }
        End::Taken(changes)
    }
}

const FILING: [&str; 5] =
    ["KenhThucHien", "LoaiDoiTuong", "DuocThanhToanTrucTuyen", "HinhThuc", "NoiNopHoSo"];
