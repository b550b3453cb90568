//! Status lists as they are given out: signed anew when a credential was revoked, and before they grow old.

use super::Issuer;
use crate::deliver::credential::refusal::Refusal;
use crate::deliver::credential::register::Register;
use crate::deliver::credential::status_list::{StatusList, TTL};
use crate::deliver::wire_key::SIGNING_FAILED;
use crate::fault::{Fault, Outcome};
use std::sync::Arc;

/// A status list in one of the two forms of the draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `application/statuslist+jwt`
    Jwt,
    /// `application/statuslist+cwt`: the same in half the bytes.
    Cwt,
}

/// A status list that is given out again while nothing changes.
pub(super) struct Signed {
    /// How many revocations it shows.
    count: u64,
    /// When it was signed.
    at: i64,
    jwt: Arc<[u8]>,
    cwt: Arc<[u8]>,
}

impl Signed {
    fn form(&self, form: Form) -> Arc<[u8]> {
        Arc::clone(match form {
            Form::Jwt => &self.jwt,
            Form::Cwt => &self.cwt,
        })
    }
}

impl<R: Register> Issuer<R> {
    /// `GET /status/{list}`: a signed status list.
    ///
    /// # Errors
    /// 404 for a list that does not exist.
    pub async fn status(&self, list: u32, form: Form) -> Result<Arc<[u8]>, Refusal> {
        let later = |fault: Fault| Refusal::later(&fault);
        let now = self.now();
        // Held while a list is signed: who comes meanwhile waits for that one and does not sign another.
        let mut lists = self.lists.lock().await;
        let count = self.register.revocations(list).await.map_err(later)?;
        if let Some(signed) = lists.get(&list)
            && signed.count == count
            && now.saturating_sub(signed.at) < TTL
        {
            return Ok(signed.form(form));
        }
        let unknown = Refusal { status: 404, error: "not_found", why: "there is no such status list" };
        let (count, places) = self.register.revoked(list).await.map_err(later)?.ok_or(unknown)?;
        let (uri, header, key) = (self.status_uri(list), self.header.clone(), self.key.clone());
        // Packing a million bits takes long enough to keep other wallets waiting.
        let signing = move || -> Outcome<_> {
            let packed = StatusList::with_revoked(places).packed();
            Ok((packed.jwt(&uri, now, header.clone(), &key)?, packed.cwt(&uri, now, &header, &key)?))
        };
        let made = tokio::task::spawn_blocking(signing).await;
        let (jwt, cwt) = made.map_err(|_| later(Fault::new(&SIGNING_FAILED)))?.map_err(later)?;
        let signed = Signed { count, at: now, jwt: jwt.into_bytes().into(), cwt: cwt.into() };
        let given = signed.form(form);
        lists.insert(list, signed);
        Ok(given)
    }

    pub(super) fn status_uri(&self, list: u32) -> String {
        format!("{}/status/{list}", self.profile.issuer)
    }
}
