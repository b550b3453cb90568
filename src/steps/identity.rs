//! In: a dossier with at most one chip reading, the codes on its pages, what was typed. Out: a verdict, and the three
//! sources held against each other field by field. What can go wrong: no reading, a reading that is malformed or
//! disproved, sources that differ, a card that expired or contradicts itself; the pipeline says what stops the dossier.
//! Unknown never becomes proven.
//!
//! The face that a reading holds is kept only as long as this takes, unless the pipeline says otherwise: what the record
//! says of the reading afterwards decides whether the engine lets go of it.

use super::{Desk, StepOutput};
use crate::chip::card_qr::CardQr;
use crate::chip::caution::{Caution, cautions};
use crate::chip::compare::{Agreement, Typed, compare};
use crate::chip::holder::Holder;
use crate::chip::reading::FileId;
use crate::chip::reason::Overall;
use crate::chip::verdict::Proofs;
use crate::chip::{Policy, Reading, verify};
use crate::digest::{Blake3, Sha256};
use crate::dossier::{Applicant, Dossier, Evidence};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::pipeline::{IdentityConfig, Keep, OnMismatch};
use crate::scan::separate::{Role, role_of};
use crate::station::challenges::Standing;
use zeroize::{Zeroize, Zeroizing};

/// Verifies and compares.
///
/// # Errors
/// `STEP-040` without a reading and `STEP-041` with a disproved one, where the pipeline refuses those; `STEP-042`
/// with more than one; those of [`Reading::parse`] for a file that is no reading; `BLOB-001`, `BLOB-002`.
pub fn run(mut dossier: Dossier, config: &IdentityConfig, desk: &Desk, run: &Blake3) -> Outcome<StepOutput> {
    let mut holder = None;
    match dossier.readings.as_mut_slice() {
        [] if config.on_missing == OnMismatch::Refuse => return Err(Fault::new(&NO_READING)),
        [] => dossier.findings.push(Fault::new(&NO_READING).report()),
        [one] => {
            let bytes = Zeroizing::new(desk.readings.get(&one.digests.blake3)?);
            let mut reading = Reading::parse(&bytes).map_err(|f| f.at(&one.name))?;
            drop(bytes);
            let now = jiff::Timestamp::from_millisecond(desk.clock.now_ms()).unwrap_or_default();
            let trust = desk.trust()?;
            let policy = policy(&reading, dossier.received_at, desk, run)?;
            let verdict = verify(&reading, &trust, now, &policy);
            for (proofs, code) in [(policy.spent, &REPLAYED), (policy.late, &LATE)] {
                if proofs != Proofs::default() {
                    dossier.findings.push(Fault::new(code).at(&one.name).report());
                }
            }
            holder = Holder::of(&reading, &verdict);
            one.evidence = Some(evidence(&reading, config.keep, desk)?);
            reading.files.values_mut().for_each(Zeroize::zeroize);
            dossier.verdict = Some(verdict);
        }
        several => {
            return Err(Fault::new(&SEVERAL)
                .at(several.iter().map(|r| r.name.as_str()).collect::<Vec<_>>().join(" + "))
                .detail(format!("{} readings", several.len())));
        }
    }
    let qr = card_qr(&dossier);
    let typed = dossier.applicant.as_ref().map(typed);
    dossier.comparisons = compare(holder.as_ref(), qr.as_ref(), typed.as_ref());
    look(&mut dossier);
    if let Some(verdict) = &dossier.verdict {
        let disproved = matches!(verdict.overall, Overall::Forged(_) | Overall::Rejected(_));
        if disproved && config.on_forged == OnMismatch::Refuse {
            let fault = Fault::new(&DISPROVED).detail(format!("{} / {}", verdict.vi, verdict.en));
            return Ok(StepOutput::Refuse(dossier, fault.report()));
        }
    }
    Ok(StepOutput::Next(dossier))
}

/// What a person has to see to: in the sources held against each other, and in a card that is not disproved.
fn look(dossier: &mut Dossier) {
    for (outcome, code) in [(Agreement::Differ, &DIFFER), (Agreement::Unclear, &UNCLEAR)] {
        let fields = dossier.comparisons.iter().filter(|c| c.outcome == outcome);
        let fields: Vec<String> =
            fields.map(|c| format!("{:?}: {:?} / {:?}", c.field, c.left, c.right)).collect();
        if !fields.is_empty() {
            dossier.findings.push(Fault::new(code).detail(fields.join(", ")).report());
        }
    }
    let Some(verdict) = &dossier.verdict else { return };
    for caution in cautions(verdict, &[]) {
        let code = if caution == Caution::Expired { &EXPIRED } else { &LOOK };
        let (vi, en) = caution.remedy();
        dossier.findings.push(Fault::new(code).detail(format!("{vi} / {en}")).report());
    }
}

/// The station's demands, with what it knows of the proofs in this reading: whether it asked for them and when, and
/// whether they were this run's. They are used up before they are judged, those of other stations too; a run that repeats
/// the step finds them used by itself.
fn policy(reading: &Reading, handed_in_ms: i64, desk: &Desk, run: &Blake3) -> Outcome<Policy> {
    let challenges = desk.challenges();
    let mut policy = Policy::default();
    if let Some(exchange) = &reading.active_authentication {
        match challenges.spend(&Sha256::of(&exchange.challenge), run, handed_in_ms)? {
            Standing::Ours => policy.challenge = Some(exchange.challenge.clone()),
            Standing::Spent => policy.spent.active = true,
            Standing::Late => policy.late.active = true,
            Standing::Foreign => {}
        }
    }
    if let Some(transcript) = &reading.chip_authentication {
        match challenges.spend(&transcript.digest(), run, handed_in_ms)? {
            Standing::Ours => policy.terminal_key = Some(Sha256::of(&transcript.terminal_key)),
            Standing::Spent => policy.spent.chip = true,
            Standing::Late => policy.late.chip = true,
            Standing::Foreign => {}
        }
    }
    Ok(policy)
}

/// What stays of a reading: hashes, the list of them that was signed, and as much more as the pipeline says.
fn evidence(reading: &Reading, keep: Keep, desk: &Desk) -> Outcome<Evidence> {
    let groups = (1..=16).filter_map(|n| Some((n, Sha256::of(reading.dg(n)?)))).collect();
    let sod = reading.files.get(&FileId::Sod).map(|sod| desk.blobs.put(sod)).transpose()?;
    let without_face = match keep {
        Keep::WithoutFace => {
            let json = Zeroizing::new(reading.without_pictures().to_json());
            Some(desk.blobs.put(json.as_bytes())?.blake3)
        }
        Keep::Verdict | Keep::Reading => None,
    };
    Ok(Evidence { keep, groups, sod: sod.map(|s| s.blake3), without_face })
}

/// The first code on the pages that is a card's.
fn card_qr(dossier: &Dossier) -> Option<CardQr> {
    dossier
        .pages
        .iter()
        .flat_map(|p| &p.codes)
        .filter(|c| matches!(role_of(c.format, &c.text), Role::CardQr))
        .find_map(|c| CardQr::parse(&c.bytes).ok())
}

fn typed(applicant: &Applicant) -> Typed {
    Typed {
        number: applicant.number.clone(),
        name: applicant.name.clone(),
        birth: applicant.birth.clone(),
        sex: applicant.sex.clone(),
        expiry: None,
    }
}

/// There is no reading.
pub const NO_READING: Code = Code {
    id: "STEP-040",
    class: Class::Input,
    vi: "Hồ sơ không có kết quả đọc thẻ",
    en: "the dossier has no chip reading",
    remedy_vi: "Đọc thẻ của người nộp rồi đưa hồ sơ vào lại",
    remedy_en: "read the applicant's card and hand the dossier in again",
};
/// The reading is disproved.
pub const DISPROVED: Code = Code {
    id: "STEP-041",
    class: Class::Input,
    vi: "Kết quả đọc thẻ không đúng với chữ ký của cơ quan cấp thẻ",
    en: "the chip reading contradicts what its issuer signed",
    remedy_vi: "Đọc lại thẻ; nếu vẫn vậy thì báo công an, không tiếp nhận bằng thẻ này",
    remedy_en: "read the card again; if it stays so, tell the police and do not accept this card",
};
/// Several readings.
pub const SEVERAL: Code = Code {
    id: "STEP-042",
    class: Class::Input,
    vi: "Có nhiều kết quả đọc thẻ cho một hồ sơ",
    en: "there is more than one chip reading for one dossier",
    remedy_vi: "Chỉ để lại kết quả đọc của người nộp, đặt tên theo mã hồ sơ nếu lô có nhiều hồ sơ",
    remedy_en: "leave only the applicant's; name it after the dossier code where the batch holds several",
};
/// The sources differ.
pub const DIFFER: Code = Code {
    id: "STEP-043",
    class: Class::Person,
    vi: "Thông tin giữa thẻ, mã QR và phần nhập tay không khớp",
    en: "chip, card QR and typed data differ",
    remedy_vi: "Đối chiếu với thẻ trước mặt và sửa phần nhập tay",
    remedy_en: "compare with the card at hand and mend what was typed",
};
/// The reading was used for another dossier.
pub const REPLAYED: Code = Code {
    id: "STEP-045",
    class: Class::Person,
    vi: "Kết quả đọc thẻ này đã dùng cho một hồ sơ khác, nên không chứng minh thẻ có mặt lúc này",
    en: "this chip reading was used for another dossier, so it does not prove that the card was there now",
    remedy_vi: "Đọc lại thẻ của người nộp cho hồ sơ này",
    remedy_en: "read the applicant's card again for this dossier",
};
/// The reading was handed in too long after this station made it.
pub const LATE: Code = Code {
    id: "STEP-046",
    class: Class::Person,
    vi: "Kết quả đọc thẻ nộp quá 24 giờ sau khi đọc, nên không chứng minh chip không phải bản sao",
    en: "this chip reading was handed in more than 24 hours after it was made, so it does not prove that the chip is no copy",
    remedy_vi: "Đọc lại thẻ của người nộp và nộp kết quả trong ngày",
    remedy_en: "read the applicant's card again and hand the reading in the same day",
};
/// A field could not be compared.
pub const UNCLEAR: Code = Code {
    id: "STEP-047",
    class: Class::Person,
    vi: "Có thông tin không so được với thẻ",
    en: "something could not be held against the card",
    remedy_vi: "Nhập lại cho đúng mẫu (ngày dd/mm/yyyy, giới tính Nam hoặc Nữ), hoặc đối chiếu bằng mắt",
    remedy_en: "type it as it should be (dates dd/mm/yyyy, sex Nam or Nữ), or compare by eye",
};
/// The card has expired.
pub const EXPIRED: Code = Code {
    id: "STEP-048",
    class: Class::Person,
    vi: "Thẻ đã hết hạn",
    en: "the card has expired",
    remedy_vi: "Đề nghị người nộp xuất trình giấy tờ còn hạn",
    remedy_en: "ask the applicant for a document that is still valid",
};
/// The card is not disproved and has something that a person must look at.
pub const LOOK: Code = Code {
    id: "STEP-049",
    class: Class::Person,
    vi: "Thẻ có điểm cần người xem lại",
    en: "there is something about the card that a person must look at",
    remedy_vi: "Làm theo chỉ dẫn ghi kèm trước khi tiếp nhận",
    remedy_en: "do what is said beside it before it is accepted",
};
/// Every code of this file.
pub const CODES: &[&Code] =
    &[&NO_READING, &DISPROVED, &SEVERAL, &DIFFER, &REPLAYED, &LATE, &UNCLEAR, &EXPIRED, &LOOK];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chip::reading::Access;
    use crate::chip::reason::{Flag, Forgery};
    use crate::chip::verdict::{Validity, Verdict};

    fn found(dossier: &mut Dossier) -> Vec<&str> {
        look(dossier);
        dossier.findings.iter().map(|f| f.code.as_str()).collect()
    }

    #[test]
    fn what_was_typed_wrongly_is_a_finding_in_whatever_form() {
        let chip = Holder {
            birth: Some(jiff::civil::date(1991, 5, 20)),
            sex: Some(crate::chip::holder::Sex::Male),
            ..Holder::default()
        };
        for (birth, sex, expected) in [
            ("20/05/1991", "Nam", &[][..]),
            ("1991-05-20", "male", &[]),
            ("1990-01-01", "male", &["STEP-043"]),
            ("20/05/1991", "female", &["STEP-043"]),
            ("20/13/1991", "Nữ", &["STEP-043", "STEP-047"]),
            ("20/05/1991", "?", &["STEP-047"]),
        ] {
            let applicant =
                Applicant { birth: Some(birth.into()), sex: Some(sex.into()), ..Applicant::default() };
            let comparisons = compare(Some(&chip), None, Some(&typed(&applicant)));
            let mut dossier = Dossier { comparisons, ..Dossier::default() };
            assert_eq!(found(&mut dossier), expected, "{birth} {sex}");
            assert!(!dossier.findings.iter().any(|f| format!("{f:?}").contains("1991")));
        }
    }

    #[test]
    fn a_person_is_told_of_a_card_that_expired_or_contradicts_itself() {
        let judged = |overall, change: fn(&mut Verdict)| {
            let (now, policy) = (jiff::Timestamp::UNIX_EPOCH, Policy::default());
            let mut verdict = Verdict::refused(overall, Access::Unknown, now, &policy);
            verdict.validity = Validity::Valid;
            change(&mut verdict);
            Dossier { verdict: Some(verdict), ..Dossier::default() }
        };
        let genuine = |change| judged(Overall::Genuine, change);
        assert!(found(&mut genuine(|_| {})).is_empty());
        assert_eq!(found(&mut genuine(|v| v.validity = Validity::Expired)), ["STEP-048"]);
        assert_eq!(found(&mut genuine(|v| v.validity = Validity::Unknown)), ["STEP-049"]);
        assert_eq!(found(&mut genuine(|v| v.flags = [Flag::DataConflict].into())), ["STEP-049"]);
        assert_eq!(found(&mut genuine(|v| v.pace_downgrade = true)), ["STEP-049"]);
        let mut forged = judged(Overall::Forged(Forgery::DgHash), |v| v.validity = Validity::Expired);
        assert!(found(&mut forged).is_empty(), "that it is forged says it all");
    }
}
