//! A delivery: which document it carried, and what its recipient said.

use super::{Source, Work};
use crate::deliver::outbox::delivery_id;
use crate::deliver::portal::SyncReceipt;
use crate::digest::Sha256;
use crate::dossier::Dossier;
use crate::evidence::journal;
use crate::evidence::manifest::{Delivery, Scope, Why};
use crate::fault::Outcome;
use crate::ledger::{ParcelView, RunExtract};
use crate::station::config::{RecipientConfig, ShownCode};

impl Work<'_> {
    /// Puts a delivery's receipt in, or says why there is none; nothing where it is not the recipient's to see.
    pub(super) fn delivery(
        &mut self,
        folder: &str,
        run: &RunExtract,
        record: &Dossier,
        parcel: &ParcelView,
    ) -> Outcome<Option<Delivery>> {
        // It stands in the parcel's row; those of older versions lie among the blobs.
        let kept = |blob| match &parcel.proof {
            Some(proof) => Ok((blob, proof.clone())),
            None => self.blobs.get(&blob).map(|bytes| (blob, bytes)),
        };
        let receipt = parcel.receipt.map(kept).transpose()?;
        let document = pushed(record, parcel);
        let portal = match (&receipt, self.station.config.recipients.get(&parcel.recipient)) {
            (Some((_, bytes)), _) => serde_json::from_slice::<SyncReceipt>(bytes).is_ok(),
            (None, Some(RecipientConfig::Dvcqg { .. })) => true,
            (None, _) => document.is_none(),
        };
        if portal && self.scope == Scope::Recipient {
            return Ok(None);
        }
        let shown = !portal || self.station.config.evidence.code == ShownCode::Plain;
        let (run_id, id) = (run.view.id, parcel.id);
        let name = format!(
            "{folder}/{}-{}.receipt",
            if portal { "portal" } else { "wallet" },
            &id.to_string()[..12]
        );
        let mut delivery = Delivery {
            id,
            recipient: parcel.recipient.clone(),
            by: if portal { "portal" } else { "push" }.into(),
            state: parcel.state.clone(),
            document,
            receipt: None,
            journaled: false,
            reason: parcel.reason.as_ref().filter(|_| parcel.state != "receipted").map(Why::from),
        };
        match receipt {
            Some((blob, bytes)) if shown => {
                let lines = &run.journal;
                delivery.journaled = journal::receipted(lines, &id.0, &blob);
                delivery.receipt = Some(self.put(&name, Source::Bytes(bytes)));
            }
            Some(_) => self.miss("delivery-receipt", run_id, Some(id), false, CODE_HIDDEN),
            None => {
                let vi = format!("chưa có biên nhận của {}: {}", parcel.recipient, parcel.state);
                let en = format!("no receipt of {} yet: {}", parcel.recipient, parcel.state);
                self.miss("delivery-receipt", run_id, Some(id), true, (&vi, &en));
            }
        }
        Ok(Some(delivery))
    }
}

/// The document that a parcel carries, where it is one for a wallet.
fn pushed(record: &Dossier, parcel: &ParcelView) -> Option<Sha256> {
    let handle = record.slip.as_ref()?.wallet.as_deref()?;
    record
        .outgoing()
        .map(|(_, _, digests)| digests.sha256)
        .find(|sha256| delivery_id(&parcel.recipient, handle, sha256, 1) == parcel.id)
}

const CODE_HIDDEN: (&str, &str) = (
    "trả lời của cổng có mã hồ sơ, theo quy định của trạm không đưa ra ngoài",
    "the portal's answers hold the dossier's code, which this station keeps to itself",
);
