//! What is offered: a PDF from a file, or the sealed results of a dossier of this station, found through its ledger.

use super::{NOT_A_PDF, UNREADABLE};
use crate::blobs::Blobs;
use crate::cli::deliver::{TOO_LARGE, readable};
use crate::clock::Clock;
use crate::deliver::credential::jose::Object;
use crate::digest::Digests;
use crate::dossier::{Dossier, ResultSlip, is_plain_code};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::ledger::{RunView, SqliteLedger};
use crate::serve::issuer::store::Store;
use crate::station::Station;
use crate::work::RECORD_UNREADABLE;
use std::io::Read as _;
use std::path::Path;

/// One document that a credential is to bind.
#[derive(Debug)]
pub(super) struct Subject {
    /// Its bytes, which lie among the blobs.
    pub(super) digests: Digests,
    /// The dossier whose result it is.
    pub(super) dossier: Option<String>,
    /// What it is called.
    pub(super) title: Option<String>,
    /// What the office says of it, for the holder to show.
    pub(super) fields: Object,
}

/// The documents that `what` means. A name with a folder or a suffix of PDFs, and whatever lies there, is a file.
///
/// # Errors
/// A file that is no PDF; a dossier that has no result here, or one that is not sealed, or that was superseded.
pub(super) async fn find(
    what: &str,
    only: Option<usize>,
    station: &Station,
    blobs: &Blobs,
    store: &Store,
) -> Outcome<Vec<Subject>> {
    let path = Path::new(what);
    let is_file = what.contains('/') || what.to_ascii_lowercase().ends_with(".pdf") || path.is_file();
    let all = if is_file { vec![file(path, blobs)?] } else { dossier(what, station, store).await? };
    let Some(only) = only else { return Ok(all) };
    let count = all.len();
    let one = only.checked_sub(1).and_then(|at| all.into_iter().nth(at));
    one.map(|one| vec![one])
        .ok_or_else(|| Fault::new(&NO_SUCH_DOCUMENT).at(what).detail(format!("1-{count}")))
}

fn file(path: &Path, blobs: &Blobs) -> Outcome<Subject> {
    let unreadable = |e: std::io::Error| Fault::new(&UNREADABLE).detail(e.kind()).at(path.display());
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(LARGEST_PDF + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST_PDF {
        return Err(Fault::new(&TOO_LARGE).detail(format!("limit {LARGEST_PDF} bytes")).at(path.display()));
    }
    if !bytes.starts_with(b"%PDF-") {
        return Err(Fault::new(&NOT_A_PDF).at(path.display()));
    }
    // A credential for what nobody can open would be worth nothing, and could not be taken back silently.
    let digests = readable(&bytes).and_then(|()| blobs.put(&bytes)).map_err(|f| f.at(path.display()))?;
    Ok(Subject { digests, dossier: None, title: None, fields: Object::new() })
}

async fn dossier(code: &str, station: &Station, store: &Store) -> Outcome<Vec<Subject>> {
    let unknown = || Fault::new(&NO_RESULT).at(code);
    let ledger = station.path("var/ledger.db");
    // Asking must not make a ledger where there never was one.
    if !is_plain_code(code) || !ledger.is_file() {
        return Err(unknown());
    }
    let runs = SqliteLedger::open(&ledger, Clock::System)?.runs_of(code.to_owned()).await?;
    let mut found: Vec<Subject> = Vec::new();
    let mut unsealed = None;
    for run in &runs {
        let record: Dossier =
            serde_json::from_slice(&run.record).map_err(|_| Fault::new(&RECORD_UNREADABLE).at(code))?;
        let Some(slip) = &record.slip else { continue };
        if record.papers.is_empty() {
            unsealed = Some(waiting(run));
        }
        for paper in &record.papers {
            match &paper.sealed {
                Some(sealed) if sealed.awaits_stamp => {
                    unsealed = Some("chờ dấu thời gian / awaits its time stamp");
                }
                None => unsealed = Some(waiting(run)),
                Some(sealed) if found.iter().any(|s| s.digests.sha256 == sealed.digests.sha256) => {}
                Some(sealed) => found.push(Subject {
                    digests: sealed.digests,
                    dossier: Some(code.to_owned()),
                    title: Some(slip.title.clone()),
                    fields: fields(slip),
                }),
            }
        }
    }
    if found.is_empty() {
        return Err(unsealed.map_or_else(unknown, |why| Fault::new(&NOT_SEALED).at(code).detail(why)));
    }
    let mut current = Vec::new();
    for subject in found {
        let before = store.of_document(subject.digests.sha256).await?;
        if !before.iter().any(|old| old.revoked.as_ref().is_some_and(|end| end.superseded_by.is_some())) {
            current.push(subject);
        }
    }
    if current.is_empty() { Err(Fault::new(&SUPERSEDED).at(code)) } else { Ok(current) }
}

fn waiting(run: &RunView) -> &'static str {
    run.state.vi()
}

/// What the office's slip says of a result, as far as a holder may want to show it.
fn fields(slip: &ResultSlip) -> Object {
    let said = [
        ("ten_ket_qua", Some(&slip.title)),
        ("ma_ket_qua", Some(&slip.result_code)),
        ("so_ky_hieu", slip.symbol.as_ref()),
        ("ma_thu_tuc", Some(&slip.procedure)),
        ("ten_thu_tuc", slip.procedure_name.as_ref()),
        ("ho_ten", slip.owner.name.as_ref()),
        ("ngay_sinh", slip.owner.birth.as_ref()),
    ];
    let said = said.into_iter().filter_map(|(name, value)| Some((name, value?)));
    said.map(|(name, value)| (name.to_owned(), value.as_str().into())).collect()
}

/// Bytes of the largest PDF that is offered.
const LARGEST_PDF: u64 = 256 << 20;

/// A dossier without a result here.
pub const NO_RESULT: Code = Code {
    id: "HTTP-070",
    class: Class::Input,
    vi: "Trạm này không có kết quả nào của hồ sơ đã nêu",
    en: "this station has no result of that dossier",
    remedy_vi: "Xem lại mã hồ sơ bằng `hoso status`, hoặc nêu tệp PDF",
    remedy_en: "look the dossier's code up with `hoso status`, or name a PDF file",
};

/// A result that is not sealed yet.
pub const NOT_SEALED: Code = Code {
    id: "HTTP-071",
    class: Class::Input,
    vi: "Kết quả của hồ sơ chưa được ký số xong",
    en: "the dossier's result is not sealed yet",
    remedy_vi: "Xem `hoso status`, đợi ký xong rồi làm lại",
    remedy_en: "look at `hoso status`, wait for the seal and try again",
};

/// Every result of the dossier was superseded.
pub const SUPERSEDED: Code = Code {
    id: "HTTP-072",
    class: Class::Input,
    vi: "Kết quả của hồ sơ đã được thay thế bằng kết quả khác",
    en: "the dossier's result was superseded by another",
    remedy_vi: "Cấp kết quả mới: nêu hồ sơ hoặc tệp đã thay thế nó",
    remedy_en: "offer the new result: name the dossier or the file that took its place",
};

/// A number that none of the results has.
pub const NO_SUCH_DOCUMENT: Code = Code {
    id: "HTTP-073",
    class: Class::Input,
    vi: "Hồ sơ không có kết quả mang số thứ tự này",
    en: "the dossier has no result of that number",
    remedy_vi: "Bỏ --document để cấp mọi kết quả, hoặc nêu số trong khoảng được chỉ ra",
    remedy_en: "leave --document out to offer all of them, or name a number in the range that is given",
};

/// Every code of this file.
pub const CODES: &[&Code] = &[&NO_RESULT, &NOT_SEALED, &SUPERSEDED, &NO_SUCH_DOCUMENT];
