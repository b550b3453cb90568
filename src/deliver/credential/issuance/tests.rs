use super::super::offer::{self, code_of};
use super::*;
use crate::deliver::wire_key::SigningKey;

const PIN: &str = "482913";

fn offered() -> (Issuance, String) {
    let made = offer::make(offer::tests::wish(), 0).unwrap();
    (made.issuance, code_of(&made.link).to_string())
}

fn bound(key: &Jwk) -> Bound {
    Bound { key: key.clone(), encrypt: None }
}

fn candidate(text: &str) -> Candidate {
    let new = || secret::mint().unwrap().to_string();
    Candidate { credential: Some(text.to_owned()), transaction: new(), notification: new() }
}

#[test]
fn the_pin_is_judged_under_its_own_code_only() {
    let (mut one, code) = offered();
    let (other, other_code) = offered();
    let pin = one.pin.clone().unwrap();
    assert!(pin.is(PIN, &code) && !pin.is(PIN, &other_code) && !pin.is("482914", &code));
    // The same PIN under the same code looks different each time.
    let again = StoredPin::new(PIN, &code).unwrap();
    assert_ne!(format!("{again:?}"), format!("{pin:?}"));
    assert_ne!(other.code, one.code);
    // A hash moved to another offer opens nothing there.
    one.pin = other.pin;
    assert_eq!(one.redeem(&code, Some(PIN), "t", 1).unwrap_err().error, "invalid_grant");
}

#[test]
fn five_wrong_pins_end_an_offer_and_a_missing_one_counts_as_none() {
    let (mut offer, code) = offered();
    for _ in 0..10 {
        assert_eq!(offer.redeem(&code, None, "t", 1).unwrap_err().error, "invalid_request");
    }
    for _ in 0..TRIES {
        assert_eq!(offer.redeem(&code, Some("000000"), "t", 1).unwrap_err().error, "invalid_grant");
    }
    assert_eq!(offer.redeem(&code, Some(PIN), "t", 1).unwrap_err().error, "invalid_grant");
    assert_eq!(offer.state(1), "dead");
}

#[test]
fn a_revocation_keeps_its_reason_and_ends_an_offer_that_was_not_redeemed() {
    let (mut offer, code) = offered();
    offer.revoke(Some("new".into()), 5).unwrap();
    offer.revoke(Some("new".into()), 6).unwrap();
    assert_eq!(offer.revoked.as_ref().unwrap().at, 5);
    assert_eq!(offer.revoke(None, 7).unwrap_err().code, &ALREADY_REVOKED);
    assert_eq!(offer.revoke(Some("newer".into()), 7).unwrap_err().code, &ALREADY_REVOKED);
    assert_eq!(offer.redeem(&code, Some(PIN), "t", 8).unwrap_err().error, "invalid_grant");
    assert_eq!(offer.state(8), "superseded");
}

#[test]
fn events_do_not_grow_without_end_and_the_first_ones_stay() {
    let (mut offer, code) = offered();
    for at in 0..200 {
        let _ = offer.redeem(&code, None, "t", at);
    }
    assert_eq!(offer.events.len(), MOST_EVENTS);
    assert_eq!((offer.events[0].at, offer.events[MOST_EVENTS - 1].at), (0, 199));
}

/// Whatever comes in whatever order: one token, one key, one credential, nothing after the revocation; and what is stored reads
/// back as it was.
#[test]
fn no_order_of_requests_gives_out_two_credentials() {
    let keys: Vec<Jwk> = (0..3).map(|_| Jwk::of_signer(&SigningKey::mint().unwrap()).unwrap()).collect();
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut dice = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    let mut reached = 0;
    for round in 0..400 {
        let (mut issuance, code) = offered();
        issuance.ready_at = i64::try_from(dice(100)).unwrap();
        let (mut now, mut tokens) = (0, 0);
        let (mut given, mut transactions): (Option<(String, usize)>, Vec<String>) = (None, Vec::new());
        for call in 0..40 {
            now += i64::try_from(dice(12)).unwrap();
            let key = usize::try_from(dice(3)).unwrap();
            let ended = issuance.revoked.is_some();
            let text = format!("credential {round} {call} {key}");
            let answer = match dice(if call < 30 { 9 } else { 10 }) {
                0 => {
                    tokens += u32::from(issuance.redeem(&code, Some("000000"), "x", now).is_ok());
                    continue;
                }
                1 => {
                    tokens += u32::from(issuance.redeem(&code, Some(PIN), "token", now).is_ok());
                    continue;
                }
                2..=5 => {
                    issuance.claim(bound(&keys[key]), candidate(&text), now).map(|answer| (answer, Some(key)))
                }
                6..=7 => {
                    let transaction = transactions.first().cloned().unwrap_or_default();
                    issuance.collect(&transaction, None, candidate(&text), now).map(|answer| (answer, None))
                }
                8 => {
                    let _ = issuance.notify("not it", Told::CredentialDeleted, now);
                    continue;
                }
                _ => {
                    let _ = issuance.revoke(None, now);
                    continue;
                }
            };
            let stored: Issuance = serde_json::from_slice(&serde_json::to_vec(&issuance).unwrap()).unwrap();
            assert_eq!(format!("{stored:?}"), format!("{issuance:?}"));
            match answer {
                Ok((Answer::Pending { transaction }, _)) => {
                    assert!(!ended && given.is_none() && now < issuance.ready_at);
                    transactions.push(transaction);
                    assert!(transactions.iter().all(|t| *t == transactions[0]));
                }
                Ok((Answer::Issued { credential, .. }, by)) => {
                    assert!(!ended && now >= issuance.ready_at);
                    reached += 1;
                    let first = given.get_or_insert_with(|| (credential.clone(), by.unwrap_or(9)));
                    assert_eq!(first.0, credential);
                    if let (Some(by), true) = (by, first.1 != 9) {
                        assert_eq!(first.1, by);
                    }
                }
                Err(_) => {}
            }
        }
        assert!(tokens <= 1);
    }
    assert!(reached > 400, "{reached}");
}
