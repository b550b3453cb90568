//! In: sealed and logged documents. Out: parcels for the outbox, each with its idempotency key; and, when the engine
//! asks, one attempt at sending one of them. What can go wrong: a recipient that is silent, refuses, or answers without
//! a receipt: never delivered, always tried again by the outbox's rules, and a dead letter says why. A recipient that
//! requires consent gets parcels that say what for; the ledger holds them until it is given.

use super::{Desk, StepOutput};
use crate::deliver::outbox::delivery_id;
use crate::deliver::portal::record::{
    Channel, Digitisation, FiledAt, Handover, Identity, IdentityKind, Named, OwnerKind, Payment,
    PortalDossier, Progress, ResultPaper, Reuse, Said, Status, SubmittedPaper,
};
use crate::deliver::push::RecipientHandle;
use crate::digest::{Digests, Sha256};
use crate::dossier::{Applicant, Dossier, Paper};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::pipeline::DeliverConfig;
use crate::station::config::RecipientConfig;
use serde::{Deserialize, Serialize};

/// One thing for one recipient.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// Made of sink, recipient, content and revision (delivery notes, section 2): the same thing has the same id.
    pub id: Sha256,
    /// Name in the station's configuration.
    pub recipient: String,
    /// What it is about: news of one dossier reach one recipient in the order in which they were made.
    pub subject: String,
    body: Body,
}

/// What whoever sends it needs; stored in the outbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// The national sync contract.
    Portal(Box<PortalDossier>),
    /// Push v1.
    Push {
        /// The citizen's handle as the wallet knows it.
        handle: String,
        /// The sealed PDF.
        document: Digests,
        /// What the citizen has to have agreed to before it goes, where the recipient requires consent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        purpose: Option<String>,
        /// The public key that the citizen's wallet wants it encrypted to (a JWK on P-256), where it gave one with a
        /// consent; the ledger puts it in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<serde_json::Value>,
    },
}

impl Parcel {
    /// A document for a recipient that speaks push v1. `purpose`: what the citizen has to have agreed to.
    pub fn push(
        recipient: &str,
        handle: &RecipientHandle,
        document: Digests,
        revision: u32,
        purpose: Option<String>,
    ) -> Self {
        let id = delivery_id(recipient, handle.as_str(), &document.sha256, revision);
        let body = Body::Push { handle: handle.as_str().into(), document, purpose, key: None };
        Parcel { id, recipient: recipient.to_owned(), subject: format!("{recipient} {id}"), body }
    }

    /// As the outbox keeps it.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(&self.body).unwrap_or_default()
    }
}

/// Makes the parcels of a dossier. A citizen without a wallet gets none, and that is said.
///
/// # Errors
/// `STAT-003`, `STAT-004` for a recipient that is not configured; `STEP-050` for a dossier without a code.
pub fn run(mut dossier: Dossier, config: &DeliverConfig, desk: &Desk) -> Outcome<StepOutput> {
    let mut parcels = Vec::new();
    for name in &config.to {
        match desk.recipient(name)? {
            RecipientConfig::Dvcqg { unit, .. } => {
                parcels.push(portal(&dossier, name, unit, desk)?);
            }
            config @ RecipientConfig::Push { .. } => {
                match dossier.slip.as_ref().and_then(|s| s.wallet.as_deref()) {
                    Some(handle) => {
                        let handle = RecipientHandle::parse(handle)?;
                        let purpose = config.needs_consent();
                        parcels.extend(dossier.outgoing().map(|(_, _, document)| {
                            Parcel::push(name, &handle, *document, 1, purpose.map(str::to_owned))
                        }));
                    }
                    None => dossier.findings.push(Fault::new(&NO_WALLET).report()),
                }
            }
        }
    }
    Ok(StepOutput::Send(dossier, parcels))
}

fn portal(dossier: &Dossier, name: &str, unit: &str, desk: &Desk) -> Outcome<Parcel> {
    let code = dossier.code.clone().ok_or(&NO_CODE)?;
    let record = portal_record(dossier, code, unit, desk)?;
    let mut content = record.status.key().to_owned();
    for (_, _, document) in dossier.outgoing() {
        content.push_str(&document.sha256.to_string());
    }
    let id = delivery_id(name, &record.code, &Sha256::of(content.as_bytes()), 1);
    let subject = format!("{name} {}", record.code);
    Ok(Parcel { id, recipient: name.to_owned(), subject, body: Body::Portal(Box::new(record)) })
}

/// What this run knows, and nothing else: what the portal insists on and nobody said stops the sync by name. What the portal
/// was told of the dossier before is added when it is sent ([`crate::deliver::portal::whole`]).
fn portal_record(dossier: &Dossier, code: String, unit: &str, desk: &Desk) -> Outcome<PortalDossier> {
    let slip = dossier.slip.as_ref();
    let filing = slip.map_or(&dossier.filing, |slip| &slip.filing).clone();
    let filing = filing.unwrap_or_default();
    let owner = slip.map(|s| &s.owner).or(dossier.applicant.as_ref()).cloned().unwrap_or_default();
    let procedure = dossier.procedure.clone().unwrap_or_default();
    let mut known = desk.procedures()?.get(&procedure).cloned().unwrap_or_default();
    if let Some(slip) = slip {
        known.name = slip.procedure_name.clone().unwrap_or(known.name);
        known.field = slip.field.clone().unwrap_or(known.field);
        known.field_name = slip.field_name.clone().unwrap_or(known.field_name);
    }
    let short = |d: &Digests| d.sha256.to_string()[..16].to_owned();
    let sealed_at = dossier.papers.iter().filter_map(|p| p.sealed.as_ref()).map(|s| s.at / 1000).max();
    let event = |at, what: &str, status| Progress {
        officer: desk.shown_signer(slip.is_some()),
        title: None,
        at,
        department: None,
        what: what.into(),
        status,
        started: None,
        due: None,
    };
    let received = dossier.dates.received.or((slip.is_none()).then_some(dossier.received_at / 1000));
    let (status, progress) = match sealed_at.filter(|_| slip.is_some()) {
        Some(at) => (Status::Done, vec![event(at, "Ký số kết quả giải quyết", Status::Done)]),
        None => (
            Status::Accepted,
            vec![event(dossier.received_at / 1000, "Tiếp nhận và số hóa hồ sơ", Status::Accepted)],
        ),
    };
    let documents: Vec<Digests> = dossier.outgoing().map(|(_, _, d)| *d).collect();
    Ok(PortalDossier {
        code,
        procedure: Named { code: procedure, name: known.name.clone() },
        field: Named { code: known.field.clone(), name: known.field_name.clone() },
        channel: filing.channel.unwrap_or(Channel::Direct),
        owner_number: owner.number.clone(),
        owner_name: owner.name.clone(),
        owner_kind: filing.owner_kind.unwrap_or(OwnerKind::Citizen),
        account: filing.account,
        other: None,
        email: None,
        fax: None,
        phone: owner.phone.clone(),
        summary: dossier.title.clone().unwrap_or(known.name),
        received,
        due: dossier.dates.due,
        status,
        returned: None,
        returned_how: None,
        handover: filing.handover.unwrap_or(Handover::Desk),
        finished: sealed_at.filter(|_| slip.is_some()),
        unit: unit.into(),
        note: None,
        filed_at: filing.filed_at.unwrap_or(FiledAt::Local),
        // Nothing that is handed in proves it today: a card proves who someone is, not what their account is.
        account_proof: None,
        payment: filing.payment.unwrap_or(Payment::None),
        refused: None,
        filed: received,
        url: None,
        papers: match slip {
            Some(_) => Vec::new(),
            None => dossier
                .outgoing()
                .enumerate()
                .map(|(i, (_, paper, d))| submitted(i, d, short(d), digitisation(dossier, paper)))
                .collect(),
        },
        results: match slip {
            None => Vec::new(),
            Some(slip) => documents
                .iter()
                .map(|d| ResultPaper {
                    title: slip.title.clone(),
                    component: None,
                    id: short(d),
                    document: d.blake3,
                    result_code: slip.result_code.clone(),
                })
                .collect(),
        },
        fees: Vec::new(),
        identities: identities(&owner),
        databases: Vec::new(),
        others: Vec::new(),
        supplements: Vec::new(),
        said: Said {
            channel: filing.channel.is_some(),
            owner_kind: filing.owner_kind.is_some(),
            handover: filing.handover.is_some(),
            filed_at: filing.filed_at.is_some(),
            payment: filing.payment.is_some(),
        },
        progress,
    })
}

fn submitted(
    index: usize,
    document: &Digests,
    id: String,
    digitisation: Option<Digitisation>,
) -> SubmittedPaper {
    SubmittedPaper {
        id,
        file_name: format!("giay-to-{:02}-{}.pdf", index + 1, &document.sha256.to_string()[..8]),
        deleted: false,
        component: None,
        document: document.blake3,
        digitisation,
        reuse: Reuse::No,
        from_national_store: false,
    }
}

/// What shows that a paper was digitised here: every page of it was scanned, an archive was made of the scans, it was signed,
/// and it stands in the log. What came as a signed or drawn PDF was never paper here.
fn digitisation(dossier: &Dossier, paper: &Paper) -> Option<Digitisation> {
    let mut scans = Vec::with_capacity(paper.pages.len());
    for page in &paper.pages {
        let page = dossier.pages.get(*page)?;
        let file = dossier.files.get(page.file)?;
        let scanned = page.fault.is_none() && file.fault.is_none() && !file.signed && file.kept.is_none();
        scans.push(scanned.then_some(file.digests.sha256)?);
    }
    let (document, sealed) = (paper.document.as_ref()?, paper.sealed.as_ref()?);
    Some(Digitisation {
        scan: *scans.first().filter(|_| document.archived)?,
        pages: u32::try_from(scans.len()).ok()?,
        signed: sealed.digests.sha256,
        logged: paper.receipt?,
    })
}

fn identities(owner: &Applicant) -> Vec<Identity> {
    let kind = |number: &String| match number.len() {
        12 => Some(IdentityKind::Personal12),
        9 => Some(IdentityKind::Old9),
        _ => None,
    };
    owner.number.iter().filter_map(|n| Some(Identity { kind: kind(n)?, number: n.clone() })).collect()
}

/// A dossier without a code cannot be named to the portal.
pub const NO_CODE: Code = Code {
    id: "STEP-050",
    class: Class::Input,
    vi: "Hồ sơ chưa có mã nên không đồng bộ được",
    en: "the dossier has no code, so it cannot be synced",
    remedy_vi: "Đặt tờ bìa có mã hồ sơ, hoặc ghi mã vào phiếu (dossier.toml; với kết quả: TÊN.toml cạnh TÊN.pdf), rồi đưa vào lại",
    remedy_en: "add a cover sheet with the code or write it into the slip (dossier.toml; for a result NAME.toml beside NAME.pdf), then hand it in again",
};
/// No wallet.
pub const NO_WALLET: Code = Code {
    id: "STEP-051",
    class: Class::Person,
    vi: "Công dân chưa có ví điện tử: trả kết quả bằng bản giấy và đường dẫn",
    en: "the citizen has no e-wallet: hand over paper and a link",
    remedy_vi: "In kết quả tại quầy",
    remedy_en: "print the result at the desk",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[&NO_CODE, &NO_WALLET];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Blake3;
    use crate::dossier::{Document, FileRecord, PageRecord, SealedDocument};

    fn scanned() -> Dossier {
        let file = |name: &str| FileRecord {
            name: name.into(),
            digests: Digests::of(name.as_bytes()),
            fault: None,
            signed: false,
            kept: None,
        };
        let page = |file| PageRecord {
            file,
            number: 1,
            width: 1,
            height: 1,
            dpi: None,
            quality: None,
            codes: Vec::new(),
            fault: None,
        };
        let sealed = SealedDocument {
            digests: Digests::of(b"signed"),
            level: "B-T".into(),
            profile: "intake_scan".into(),
            at: 0,
            awaits_stamp: false,
        };
        Dossier {
            files: vec![file("p1.jpg"), file("p2.jpg")],
            pages: vec![page(0), page(1)],
            papers: vec![Paper {
                pages: vec![0, 1],
                document: Some(Document { digests: Digests::of(b"pdf"), archived: true }),
                sealed: Some(sealed),
                receipt: Some(Blake3::of(b"receipt")),
            }],
            ..Dossier::default()
        }
    }

    #[test]
    fn a_paper_counts_as_digitised_only_while_scan_signature_and_log_all_show_it() {
        let of = |dossier: &Dossier| digitisation(dossier, &dossier.papers[0]);
        let evidence = of(&scanned()).unwrap();
        assert_eq!((evidence.pages, evidence.signed), (2, Sha256::of(b"signed")));
        assert_eq!(evidence.scan, Sha256::of(b"p1.jpg"));
        type Change = fn(&mut Dossier);
        let without: [(&str, Change); 8] = [
            ("no signature", |d| d.papers[0].sealed = None),
            ("not in the log", |d| d.papers[0].receipt = None),
            ("no pages", |d| d.papers[0].pages.clear()),
            ("a page that is not there", |d| d.papers[0].pages.push(9)),
            ("kept as it came", |d| d.papers[0].document.as_mut().unwrap().archived = false),
            ("no document", |d| d.papers[0].document = None),
            ("signed elsewhere", |d| d.files[1].signed = true),
            ("drawn, not scanned", |d| d.files[1].kept = Some("text".into())),
        ];
        for (why, change) in without {
            let mut dossier = scanned();
            change(&mut dossier);
            assert_eq!(of(&dossier), None, "{why}");
        }
    }
}
