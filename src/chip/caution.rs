//! What a clerk has to see to before a card is accepted whose data are not disproved.

use super::compare::{Agreement, Comparison};
use super::reason::{Flag, Overall};
use super::verdict::{DgState, Validity, Verdict};

/// One such thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caution {
    /// The document has expired.
    Expired,
    /// Until when it is valid cannot be read.
    NoDate,
    /// The data groups disagree about the holder.
    Conflict,
    /// It was opened with the older protocol though it offers the newer.
    Downgrade,
    /// The zone contradicts itself: a check digit of it is wrong.
    Zone,
    /// There is no portrait in the chip that could be shown.
    NoPortrait,
    /// What a Vietnamese card says of its holder in DG13 cannot be read.
    NoDetails,
    /// Chip, QR code and what was typed differ, and the chip's data are proven.
    Differ,
    /// They differ, and nobody vouches for any of them.
    DifferUnproven,
    /// Some of it could not be compared.
    Unclear,
}

/// All of a verdict and of the sources held against each other, the weightiest first; none of a card that is disproved.
pub fn cautions(verdict: &Verdict, table: &[Comparison]) -> Vec<Caution> {
    if matches!(verdict.overall, Overall::Forged(_) | Overall::Rejected(_)) {
        return Vec::new();
    }
    let found = |outcome| table.iter().any(|c| c.outcome == outcome);
    let flagged = |flag| verdict.flags.contains(&flag);
    let proven = is_proven(verdict.overall);
    let all = [
        (verdict.validity == Validity::Expired, Caution::Expired),
        (verdict.validity == Validity::Unknown && proven, Caution::NoDate),
        (flagged(Flag::MrzCheck), Caution::Zone),
        (flagged(Flag::DataConflict), Caution::Conflict),
        (verdict.pace_downgrade, Caution::Downgrade),
        (has_no_portrait(verdict), Caution::NoPortrait),
        (flagged(Flag::Dg13Unreadable), Caution::NoDetails),
        (found(Agreement::Differ) && proven, Caution::Differ),
        (found(Agreement::Differ) && !proven, Caution::DifferUnproven),
        (found(Agreement::Unclear), Caution::Unclear),
    ];
    all.into_iter().filter(|(is, _)| *is).map(|(_, caution)| caution).collect()
}

/// What to do next: Vietnamese, English. Nobody is told to go on while there is something to see to.
pub fn next(verdict: &Verdict, table: &[Comparison]) -> (String, String) {
    let overall = verdict.overall;
    let cautions = cautions(verdict, table);
    let last = remedy(verdict, &cautions);
    let sentences: Vec<_> = if is_proven(overall) {
        cautions.into_iter().map(Caution::remedy).chain([last]).collect()
    } else {
        [last].into_iter().chain(cautions.into_iter().map(Caution::remedy)).collect()
    };
    let (vi, en): (Vec<_>, Vec<_>) = sentences.into_iter().unzip();
    (vi.join(" "), en.join(" "))
}

/// What the conclusion alone asks for: Vietnamese, English. Nobody is sent to a portrait that is not there.
pub fn remedy(verdict: &Verdict, cautions: &[Caution]) -> (&'static str, &'static str) {
    match (verdict.overall, has_no_portrait(verdict)) {
        (Overall::Genuine, true) => SETTLED_UNSEEN,
        (Overall::Genuine, false) if !cautions.is_empty() => SETTLED,
        (Overall::GenuineCloneUnchecked, true) => READ_AGAIN,
        (overall, _) => overall.remedy(),
    }
}

fn is_proven(overall: Overall) -> bool {
    matches!(overall, Overall::Genuine | Overall::GenuineCloneUnchecked)
}

/// Nothing in DG2 that could be shown; or, of a card whose data are proven, no signed DG2.
fn has_no_portrait(verdict: &Verdict) -> bool {
    verdict.flags.contains(&Flag::PortraitUnreadable)
        || (is_proven(verdict.overall) && !verdict.dg.is_empty() && verdict.dg.get(&2) != Some(&DgState::Ok))
}

impl Caution {
    /// What to do about it: Vietnamese, English.
    pub fn remedy(self) -> (&'static str, &'static str) {
        match self {
            Caution::Expired => (
                "Thẻ đã hết hạn: không tiếp nhận bằng thẻ này, đề nghị người nộp xuất trình giấy tờ còn hạn.",
                "The card has expired: do not accept it, ask for a document that is still valid.",
            ),
            Caution::NoDate => (
                "Không đọc được thời hạn trong chip: xem thời hạn in trên thẻ.",
                "The chip's date of expiry cannot be read: look at the one printed on the card.",
            ),
            Caution::Conflict => (
                "Các nhóm dữ liệu trong chip không khớp nhau (DG1 với DG13 hoặc DG11): đối chiếu với mặt thẻ và chuyển người phụ trách xem lại.",
                "The chip's data groups disagree (DG1 with DG13 or DG11): compare with the card's face and let the person in charge decide.",
            ),
            Caution::Downgrade => (
                "Chip được mở bằng BAC dù thẻ có PACE: đọc lại bằng số CAN; nếu vẫn vậy, chuyển người phụ trách xem lại.",
                "The chip was opened with BAC though it offers PACE: read it again with the CAN; if it stays so, let the person in charge decide.",
            ),
            Caution::Zone => (
                "Số kiểm tra trong vùng MRZ của chip sai, chip tự mâu thuẫn: chưa tiếp nhận, đối chiếu với vùng MRZ in trên thẻ và chuyển người phụ trách xem lại.",
                "A check digit of the chip's zone is wrong, so that the document contradicts itself: do not go on, compare with the zone printed on the card and let the person in charge decide.",
            ),
            Caution::NoPortrait => (
                "Chip không có ảnh đọc được: so người trước mặt với ảnh in trên thẻ, và ghi rõ là chưa so với ảnh trong chip.",
                "The chip has no portrait that can be read: compare the person with the one printed on the card, and note that the chip's was not seen.",
            ),
            Caution::NoDetails => (
                "Không đọc được DG13 (quê quán, nơi cư trú, ngày cấp): đọc lại thẻ; nếu vẫn vậy, lấy các thông tin này từ mặt thẻ.",
                "DG13 (origin, residence, issue date) cannot be read: read the card again; if it stays so, take these from the card's face.",
            ),
            Caution::DifferUnproven => (
                "Chip, mã QR hoặc phần khai khác nhau, mà chip chưa được xác minh: không tin bên nào hơn; kiểm tra thẻ bằng mắt, hỏi lại người nộp và chuyển người phụ trách.",
                "Chip, QR code or what was typed differ, and the chip is not verified: believe neither over the other; check the card by eye, ask the applicant and let the person in charge decide.",
            ),
            Caution::Differ => (
                "Chip, mã QR hoặc phần khai khác nhau: xem phần đối chiếu, nhìn thẻ trước mặt và hỏi lại người nộp; tin chip, không tin mã QR.",
                "Chip, QR code or what was typed differ: see the cross-check, look at the card and ask the applicant; believe the chip, not the QR code.",
            ),
            Caution::Unclear => (
                "Có thông tin không so được: gõ lại cho đúng mẫu (ngày dd/mm/yyyy, giới tính Nam hoặc Nữ), hoặc đối chiếu bằng mắt.",
                "Some of it could not be compared: type it as it should be (dates dd/mm/yyyy, sex Nam or Nữ), or compare by eye.",
            ),
        }
    }
}

const SETTLED: (&str, &str) = (
    "So ảnh trong chip với người trước mặt; chỉ tiếp nhận khi những điểm trên đã rõ.",
    "Compare the portrait with the person at the desk; go on only when the points above are settled.",
);

const SETTLED_UNSEEN: (&str, &str) =
    ("Chỉ tiếp nhận khi những điểm trên đã rõ.", "Go on only when the points above are settled.");

const READ_AGAIN: (&str, &str) = (
    "Nếu đầu đọc hỗ trợ, đọc lại thẻ kèm kiểm tra chống sao chép.",
    "Where the reader can, read the card again with the clone check.",
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chip::compare::{Field, Source};
    use crate::chip::reading::Access;
    use crate::chip::reason::{Forgery, Unproven};
    use crate::chip::verdict::Policy;

    fn verdict(overall: Overall, change: impl Fn(&mut Verdict)) -> Verdict {
        let (now, policy) = (jiff::Timestamp::UNIX_EPOCH, Policy::default());
        let mut verdict = Verdict::refused(overall, Access::Unknown, now, &policy);
        verdict.validity = Validity::Valid;
        change(&mut verdict);
        verdict
    }

    fn table(outcome: Agreement) -> [Comparison; 1] {
        [Comparison { field: Field::Name, left: Source::Chip, right: Source::Qr, outcome }]
    }

    #[test]
    fn nobody_is_told_to_go_on_while_something_is_to_be_seen_to() {
        let goes_on = |(vi, en): (String, String)| vi.contains("rồi tiếp nhận") || en.contains("then go on");
        let plain = verdict(Overall::Genuine, |_| {});
        assert!(goes_on(next(&plain, &table(Agreement::Agree))));
        type Change = fn(&mut Verdict);
        let changes: [(Caution, Change, Agreement); 10] = [
            (Caution::Expired, |v| v.validity = Validity::Expired, Agreement::Agree),
            (Caution::NoDate, |v| v.validity = Validity::Unknown, Agreement::Absent),
            (Caution::Conflict, |v| v.flags = [Flag::DataConflict].into(), Agreement::Agree),
            (Caution::Downgrade, |v| v.pace_downgrade = true, Agreement::Agree),
            (Caution::Zone, |v| v.flags = [Flag::MrzCheck].into(), Agreement::Agree),
            (Caution::NoPortrait, |v| v.flags = [Flag::PortraitUnreadable].into(), Agreement::Agree),
            (
                Caution::NoPortrait,
                |v| v.dg = [(1, DgState::Ok), (2, DgState::Missing)].into(),
                Agreement::Agree,
            ),
            (Caution::NoDetails, |v| v.flags = [Flag::Dg13Unreadable].into(), Agreement::Agree),
            (Caution::Differ, |_| {}, Agreement::Differ),
            (Caution::Unclear, |_| {}, Agreement::Unclear),
        ];
        for (caution, change, outcome) in changes {
            for overall in [Overall::Genuine, Overall::GenuineCloneUnchecked] {
                let verdict = verdict(overall, change);
                assert_eq!(cautions(&verdict, &table(outcome)), [caution]);
                let (vi, en) = next(&verdict, &table(outcome));
                assert!(!goes_on((vi.clone(), en.clone())), "{vi}");
                assert!(vi.starts_with(caution.remedy().0) && en.starts_with(caution.remedy().1));
                let portrait = vi.contains("ảnh trong chip với") || en.contains("Compare the portrait");
                assert_eq!(portrait, caution != Caution::NoPortrait, "{vi}");
            }
        }
    }

    #[test]
    fn a_chip_that_nobody_verified_is_not_believed_over_the_card() {
        use Unproven::*;
        for reason in [NoAnchor, ChainPolicy, DscRevoked, WeakAlgorithm, UnknownAlgorithm, DgMissing] {
            let verdict = verdict(Overall::Unverifiable(reason), |_| {});
            assert_eq!(cautions(&verdict, &table(Agreement::Differ)), [Caution::DifferUnproven]);
            let (vi, en) = next(&verdict, &table(Agreement::Differ));
            assert!(!vi.to_lowercase().contains("tin chip") && !en.contains("believe the chip"), "{vi}");
            assert!(vi.contains("không tin bên nào hơn") && en.contains("believe neither"));
        }
    }

    #[test]
    fn a_worse_conclusion_comes_first_and_a_forged_card_needs_no_other_reason() {
        let expired = |v: &mut Verdict| v.validity = Validity::Expired;
        let unproven = Overall::Unverifiable(Unproven::NoAnchor);
        let (vi, _) = next(&verdict(unproven, expired), &[]);
        assert!(vi.starts_with(unproven.remedy().0) && vi.ends_with(Caution::Expired.remedy().0));
        let forged = Overall::Forged(Forgery::DgHash);
        assert_eq!(next(&verdict(forged, expired), &[]).0, forged.remedy().0);
        let blank = verdict(unproven, |v| v.validity = Validity::Unknown);
        assert_eq!(cautions(&blank, &[]), []);
    }
}
