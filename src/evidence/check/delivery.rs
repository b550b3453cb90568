//! A delivery: a receiver's signed receipt, or a portal's answers, which nobody signed.

use super::{CONTRADICTS, INCOMPLETE, Judge, JudgedDelivery, PORTAL, RECEIPT_OPEN, RECEIPT_REFUTED, Small};
use crate::deliver::outbox::delivery_id;
use crate::deliver::portal::SyncReceipt;
use crate::deliver::receipt::{self, open_receipt};
use crate::digest::{Blake3, Sha256};
use crate::evidence::journal::{self, Line};
use crate::evidence::manifest::{self, Delivery, Manifest, Named, Run};
use crate::seal::verify::Verdict;

impl Judge<'_> {
    /// Judges a delivery by what its recipient said, and holds that against the journal.
    pub(super) fn delivery(
        &mut self,
        manifest: &Manifest,
        run: &Run,
        delivery: &Delivery,
        lines: Option<&[Line]>,
        small: &Small<'_>,
    ) {
        let mut judged = JudgedDelivery {
            recipient: delivery.recipient.clone(),
            id: delivery.id,
            by: delivery.by.clone(),
            receipt: None,
            received_at: None,
        };
        let kept_back = |m: &manifest::Missing| m.of == Some(delivery.id) && !m.due && delivery.by == PORTAL;
        if delivery.receipt.is_none() && !manifest.missing.iter().any(kept_back) {
            self.say(Verdict::Indeterminate, Some(&format!("delivery {}", delivery.recipient)), &INCOMPLETE);
        }
        let receipt = delivery.receipt.as_deref().and_then(|n| Some((n, small.get(n)?)));
        if let Some((name, bytes)) = receipt {
            if let Some(lines) = lines
                && delivery.journaled != journal::receipted(lines, &delivery.id.0, &Blake3::of(bytes))
            {
                self.say(Verdict::Invalid, Some(name), &CONTRADICTS);
            }
            if delivery.by == PORTAL {
                self.portal(manifest, run, name, bytes);
            } else {
                judged.receipt = Some(self.push(run, delivery, name, bytes, &mut judged.received_at));
            }
        }
        self.report.deliveries.push(judged);
    }

    /// What the journal says was receipted, and the manifest does not know.
    pub(super) fn unlisted(&mut self, run: &Run, lines: &[Line]) {
        for line in lines.iter().filter(|line| line.kind == "receipted") {
            if !run.deliveries.iter().any(|delivery| delivery.id.0 == line.input.0) {
                self.say(Verdict::Invalid, Some(&format!("delivery {}", line.input.short())), &CONTRADICTS);
            }
        }
    }

    fn portal(&mut self, manifest: &Manifest, run: &Run, name: &str, bytes: &[u8]) {
        let Ok(receipt) = serde_json::from_slice::<SyncReceipt>(bytes) else {
            return self.say(Verdict::Invalid, Some(name), &RECEIPT_REFUTED);
        };
        let other = matches!(&manifest.dossier, Named::Code(code) if *code != receipt.dossier);
        let hashed = matches!(&manifest.dossier, Named::CodeSha256(code) if *code != Sha256::of(receipt.dossier.as_bytes()));
        if other || hashed {
            self.say(Verdict::Invalid, Some(name), &CONTRADICTS);
        }
        // The delivery's name follows from status and documents: where it does, the answers are about these very documents.
        let documents: String = run.documents.iter().map(|d| d.digests.sha256.to_string()).collect();
        let content = Sha256::of(format!("{}{documents}", receipt.status).as_bytes());
        let follows = run
            .deliveries
            .iter()
            .filter(|d| d.receipt.as_deref() == Some(name))
            .any(|d| delivery_id(&d.recipient, &receipt.dossier, &content, 1) == d.id);
        if !follows {
            self.not_checked(
                "trả lời của cổng có phải về đúng các tài liệu này",
                "whether the portal's answers are about these very documents",
            );
        }
        self.not_checked(
            "trả lời của cổng: không có chữ ký, chỉ lưu lại",
            "the portal's answers: they are unsigned and only kept",
        );
    }

    fn push(
        &mut self,
        run: &Run,
        delivery: &Delivery,
        name: &str,
        bytes: &[u8],
        received_at: &mut Option<String>,
    ) -> Verdict {
        let receipt = match open_receipt(bytes, self.trust.receivers) {
            Ok(receipt) => receipt,
            Err(fault) if *fault.code == receipt::UNKNOWN_KEY => {
                self.say(Verdict::Indeterminate, Some(name), &RECEIPT_OPEN);
                return Verdict::Indeterminate;
            }
            Err(_) => {
                self.say(Verdict::Invalid, Some(name), &RECEIPT_REFUTED);
                return Verdict::Invalid;
            }
        };
        let document = run.documents.iter().find(|d| Some(d.digests.sha256) == delivery.document);
        let Some(document) = document else {
            self.say(Verdict::Indeterminate, Some(name), &CONTRADICTS);
            return Verdict::Indeterminate;
        };
        let plain = receipt.sha256 == document.digests.sha256 && receipt.size == document.digests.size;
        let inside = document_inside(bytes) == Some(document.digests.sha256);
        if inside && !plain {
            self.not_checked(
                "bản gửi được mã hóa: nơi nhận ký trên bản mã và nhắc lại giá trị băm của tài liệu",
                "it was sent encrypted: the receiver signed for what came and repeats the document's digest as told",
            );
        }
        let about = plain || inside;
        if receipt.delivery_id != delivery.id || !about {
            self.say(Verdict::Invalid, Some(name), &CONTRADICTS);
            return Verdict::Invalid;
        }
        *received_at = Some(receipt.received_at.to_string());
        Verdict::Valid
    }
}

/// The digest of the document inside, where what was sent is encrypted. Only of receipts whose signature holds.
fn document_inside(receipt: &[u8]) -> Option<Sha256> {
    use base64::Engine as _;
    #[derive(serde::Deserialize)]
    struct Envelope {
        payload: String,
    }
    #[derive(serde::Deserialize)]
    struct Payload {
        document_sha256: Option<Sha256>,
    }
    let envelope: Envelope = serde_json::from_slice(receipt).ok()?;
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(envelope.payload).ok()?;
    serde_json::from_slice::<Payload>(&payload).ok()?.document_sha256
}
