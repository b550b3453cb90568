//! A judged reading for the clerk at the desk: what it comes to, what to do next, then check by check. Vietnamese first.

use crate::chip::compare::{Agreement, Comparison, Field, Source};
use crate::chip::number::Note;
use crate::chip::reading::Access;
use crate::chip::reason::{ASKED_BY_ANYONE, Overall};
use crate::chip::report::{ChainState, Conclusion, GroupState, HolderReport, Method, Report, SignatureState};
use crate::chip::trust::Revocation;
use crate::chip::verdict::{Trial, Validity};
use crate::shown::plain;
use std::fmt::Write as _;

/// The whole table, ending in a line feed.
pub(super) fn describe(report: &Report) -> String {
    let (table, notes) = (&report.comparison, &report.notes);
    let mut out = Table::default();
    let (vi, en) = match report.overall {
        Conclusion::Genuine => ("THẬT", "genuine"),
        Conclusion::GenuineCloneUnchecked => ("THẬT, CHƯA KIỂM TRA SAO CHÉP", "genuine, clone not checked"),
        Conclusion::Unverifiable => ("CHƯA XÁC MINH ĐƯỢC", "could not be verified"),
        Conclusion::Forged => ("GIẢ MẠO", "forged"),
    };
    out.line(&format!("{}: {vi} / {en}", plain(report.file.as_deref().unwrap_or("-"))));
    summary(&mut out, report);
    out.heading("Kiểm tra", "checks");
    checks(&mut out, report);
    if let Some(holder) = &report.holder {
        let (vi, en) = match (holder.verified, holder.signed) {
            (true, _) => ("Người mang thẻ, đã xác minh", "holder, verified"),
            (false, true) => (
                "Người mang thẻ, dữ liệu có ký, chưa loại trừ sao chép",
                "holder, signed, copy not ruled out",
            ),
            (false, false) => ("Người mang thẻ, CHƯA XÁC MINH", "holder, UNVERIFIED"),
        };
        out.heading(vi, en);
        person(&mut out, holder);
        // A date that is read makes a document valid or expired; valid without one is valid without a limit.
        if report.validity == Validity::Valid && holder.expiry.is_none() {
            out.row("Ngày hết hạn", "expiry", "không thời hạn / does not expire");
        }
    }
    if !table.is_empty() || !notes.is_empty() {
        out.heading("Đối chiếu", "cross-check");
        let proven = matches!(report.overall, Conclusion::Genuine | Conclusion::GenuineCloneUnchecked);
        crosses(&mut out, table, notes, proven);
    }
    out.text
}

#[derive(Default)]
struct Table {
    text: String,
}

impl Table {
    /// Lines of text, each of which may hold what came from outside.
    fn line(&mut self, text: &str) {
        for line in text.split('\n') {
            self.text.push_str(&plain(line));
            self.text.push('\n');
        }
    }

    fn heading(&mut self, vi: &str, en: &str) {
        let _ = writeln!(self.text, "  {vi} / {en}");
    }

    /// A row whose values stand below each other, whatever the letters.
    fn row(&mut self, vi: &str, en: &str, value: &str) {
        let name = format!("{vi} / {en}");
        let pad = NAME_WIDTH.saturating_sub(name.chars().count());
        let _ = writeln!(self.text, "    {name}{:pad$} {}", "", plain(value));
    }
}

fn summary(out: &mut Table, report: &Report) {
    match (report.overall, report.reasons.is_empty()) {
        (Conclusion::Genuine, _) => {
            let asked_by_anyone = report.asked_by_anyone();
            let (vi, en) = if asked_by_anyone { ASKED_BY_ANYONE } else { Overall::Genuine.sentence() };
            out.line(&format!("  {vi}\n  {en}"));
        }
        (Conclusion::GenuineCloneUnchecked, _) => {
            out.line(
                "  Dữ liệu chip là thật và còn nguyên vẹn; chưa chứng minh được chip không phải bản sao.",
            );
            out.line("  The chip's data are genuine and unchanged; that the chip is no copy is not proven.");
            for reason in report.reasons.iter().filter(|r| r.code != "clone_not_checked") {
                out.line(&format!("  - {} / {}", reason.vi, reason.en));
            }
        }
        _ => {
            for reason in &report.reasons {
                out.line(&format!("  {}\n  {}", reason.vi, reason.en));
            }
        }
    }
    out.line("  Cần làm / what to do:");
    let mut told = vec![(report.next.vi.as_str(), report.next.en.as_str())];
    for reason in &report.reasons {
        if !told.iter().any(|(vi, _)| vi.contains(&reason.remedy_vi)) {
            told.push((&reason.remedy_vi, &reason.remedy_en));
        }
    }
    for (vi, en) in told {
        out.line(&format!("    → {vi}\n      {en}"));
    }
}

fn checks(out: &mut Table, report: &Report) {
    let signature = match report.sod.signature {
        SignatureState::Valid => "đúng / holds",
        SignatureState::Invalid => "SAI / fails",
        SignatureState::Unsupported => "chưa kiểm tra được / not checked",
    };
    let algorithm = report.sod.algorithm.as_deref().map(|a| format!(" ({a})")).unwrap_or_default();
    out.row("Chữ ký", "signature", &format!("{signature}{algorithm}"));
    if report.sod.weak {
        out.row("Thuật toán yếu", "weak", &report.sod.weak_algorithms.join(", "));
    }
    let chain = match report.chain.status {
        ChainState::Trusted => "tin cậy / trusted",
        ChainState::NoAnchor => "không có chứng thư gốc / no anchor",
        ChainState::Untrusted => "KHÔNG tin cậy / not trusted",
        ChainState::Expired => "tin cậy, chứng thư đã hết hạn / trusted, a certificate has expired",
    };
    out.row("Cơ quan cấp", "issuer", chain);
    if !report.chain.broken.is_empty() {
        out.row("Quy định bị vi phạm", "broken rules", &report.chain.broken.join(", "));
    }
    if let Some(issuer) = &report.chain.issuer {
        out.row("Tên cơ quan ký", "its name", issuer);
    }
    if let Some(anchor) = &report.chain.anchor {
        out.row("Chứng thư gốc", "anchor", anchor);
    }
    out.row("Nhóm dữ liệu", "data groups", &groups(report));
    let method = match report.clone_check.method {
        Method::ActiveAuthentication => "AA ",
        Method::ChipAuthentication => "CA ",
        Method::None => "",
    };
    let clone = match report.clone_check.status {
        Trial::NotDone => "chưa làm / not done",
        Trial::Passed if report.asked_by_anyone() => {
            "đúng, không rõ ai đã hỏi / holds, asked by whom is not known"
        }
        Trial::Passed => "đúng, không phải bản sao / holds, no copy",
        Trial::Failed => "SAI, có thể là bản sao / FAILS, it may be a copy",
        Trial::UntrustedKey => "không tính: khóa không được tin cậy / does not count: its key is not trusted",
    };
    out.row("Chống sao chép", "clone check", &format!("{method}{clone}"));
    let validity = match report.validity {
        Validity::Valid => "còn hạn / valid",
        Validity::Expired => "HẾT HẠN / expired",
        Validity::Unknown => "không rõ / unknown",
    };
    out.row("Thời hạn thẻ", "validity", validity);
    let revocation = match report.revocation {
        Revocation::Fresh => "không bị thu hồi / not revoked",
        Revocation::Stale => "danh sách thu hồi đã cũ / list out of date",
        Revocation::Revoked => "ĐÃ BỊ THU HỒI / revoked",
        Revocation::Unknown => "không rõ, không có danh sách / unknown, no list",
    };
    out.row("Thu hồi", "revocation", revocation);
    let access = match report.access {
        Access::PaceCan => "PACE, số CAN / with CAN",
        Access::PaceMrz => "PACE, vùng MRZ / with the zone",
        Access::Bac => "BAC",
        Access::Unknown => "không rõ / unknown",
    };
    out.row("Cách mở chip", "access", access);
    if report.pace_downgrade {
        out.row(
            "Lưu ý",
            "note",
            "mở bằng BAC dù thẻ có PACE / opened with BAC although the card offers PACE",
        );
    }
    for flag in &report.flags {
        let (vi, en) = flag.sentence();
        out.row("Lưu ý", "note", &format!("{vi} / {en}"));
    }
}

/// `DG1 DG2 đúng/match; DG3 cần quyền/protected`.
fn groups(report: &Report) -> String {
    let mut by_state: Vec<(GroupState, Vec<String>)> = Vec::new();
    for (name, state) in &report.groups {
        match by_state.iter_mut().find(|(s, _)| s == state) {
            Some((_, names)) => names.push(name.to_string()),
            None => by_state.push((*state, vec![name.to_string()])),
        }
    }
    let word = |state: GroupState| match state {
        GroupState::Match => "đúng/match",
        GroupState::Mismatch => "SAI/mismatch",
        GroupState::Missing => "thiếu/missing",
        GroupState::Unlisted => "không được ký/not signed",
        GroupState::Protected => "được bảo vệ, không đọc/protected, not read",
    };
    let parts: Vec<String> =
        by_state.iter().map(|(state, names)| format!("{} {}", names.join(" "), word(*state))).collect();
    if parts.is_empty() { "-".to_owned() } else { parts.join("; ") }
}

fn person(out: &mut Table, holder: &HolderReport) {
    let date = |date: Option<jiff::civil::Date>| date.map(|d| d.strftime("%d/%m/%Y").to_string());
    let sex = holder.sex.map(|sex| match sex {
        crate::chip::holder::Sex::Male => "Nam".to_owned(),
        crate::chip::holder::Sex::Female => "Nữ".to_owned(),
    });
    let rows = [
        ("Số định danh", "number", "number", holder.number.clone()),
        ("Số giấy tờ", "document", "document", holder.document.clone()),
        ("Họ tên", "name", "name", holder.name.clone()),
        ("Ngày sinh", "birth", "birth", date(holder.birth)),
        ("Giới tính", "sex", "sex", sex),
        ("Quốc tịch", "nationality", "nationality", holder.nationality.clone()),
        ("Quê quán", "origin", "origin", holder.origin.clone()),
        ("Nơi cư trú", "residence", "residence", holder.residence.clone()),
        ("Ngày cấp", "issued", "issued", date(holder.issued)),
        ("Ngày hết hạn", "expiry", "expiry", date(holder.expiry)),
    ];
    for (vi, en, key, value) in rows {
        let Some(value) = value else { continue };
        let group = holder.from.get(key).map(|g| format!("  [{g}]")).unwrap_or_default();
        out.row(vi, en, &format!("{value}{group}"));
    }
}

/// Without values. `proven`: the chip's data are, so that they may be believed over the others.
fn crosses(out: &mut Table, table: &[Comparison], notes: &[Note], proven: bool) {
    let source = |source: Source| match source {
        Source::Chip => "chip",
        Source::Qr => "QR",
        Source::Typed => "khai/typed",
    };
    let fields = if table.is_empty() { [].as_slice() } else { FIELDS.as_slice() };
    for name in fields.iter().copied() {
        let pairs: Vec<String> = table
            .iter()
            .filter(|c| c.field == name && c.outcome != Agreement::Absent)
            .map(|c| {
                let word = match c.outcome {
                    Agreement::Agree => "khớp/agree",
                    Agreement::Unclear => "KHÔNG SO ĐƯỢC/unclear",
                    Agreement::Differ | Agreement::Absent => "KHÁC/differ",
                };
                format!("{}–{} {word}", source(c.left), source(c.right))
            })
            .collect();
        let (vi, en) = field(name);
        out.row(
            vi,
            en,
            &if pairs.is_empty() { "chỉ một nguồn/one source".to_owned() } else { pairs.join("; ") },
        );
    }
    for note in notes {
        let (vi, en) = note.sentence();
        out.row("Lưu ý", "note", &format!("{}: {vi} / {en}", source(note.source)));
    }
    let differ = |left: Source, right: Source| {
        let mut pairs = table.iter().filter(|c| c.outcome == Agreement::Differ);
        pairs.any(|c| c.left == left && c.right == right)
    };
    let (chip_typed, chip_qr) = (differ(Source::Chip, Source::Typed), differ(Source::Chip, Source::Qr));
    if (chip_typed || chip_qr) && !proven {
        out.line("    → Chip chưa được xác minh nên không tin bên nào hơn: nhìn thẻ trước mặt, hỏi lại người nộp, chuyển người phụ trách.");
        out.line("      The chip is not verified, so believe neither over the other: look at the card, ask the applicant, let the person in charge decide.");
    }
    if chip_typed && proven {
        out.line("    → Phần khai khác chip: nhìn thẻ trước mặt, hỏi lại người nộp và sửa phần khai.");
        out.line("      What was typed differs from the chip: look at the card, ask the applicant, mend what was typed.");
    }
    if chip_qr && proven {
        out.line("    → Mã QR khác chip: quét lại; nếu vẫn khác, mặt thẻ có thể bị sửa hoặc không cùng một thẻ. Tin chip, không tin mã QR.");
        out.line("      The QR code differs from the chip: scan again; then the card's face may be altered or be another card's. Believe the chip.");
    }
    if differ(Source::Qr, Source::Typed) && !chip_typed && !chip_qr {
        out.line("    → Phần khai khác mã QR (mã QR không có chữ ký): nhìn thẻ trước mặt và sửa phần khai.");
        out.line("      What was typed differs from the QR code, which nobody signed: look at the card and mend what was typed.");
    }
}

fn field(field: Field) -> (&'static str, &'static str) {
    match field {
        Field::Number => ("Số định danh", "number"),
        Field::Name => ("Họ tên", "name"),
        Field::Birth => ("Ngày sinh", "birth"),
        Field::Sex => ("Giới tính", "sex"),
        Field::Expiry => ("Ngày hết hạn", "expiry"),
        Field::Issued => ("Ngày cấp", "issued"),
    }
}

const FIELDS: [Field; 6] =
    [Field::Number, Field::Name, Field::Birth, Field::Sex, Field::Expiry, Field::Issued];
const NAME_WIDTH: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chip::reading::Reading;
    use crate::chip::verdict::{CloneCheck, Flag, Forgery, Policy, Refusal, Unproven, Verdict};

    fn told(overall: Overall) -> String {
        let mut verdict =
            Verdict::refused(overall, Access::Unknown, jiff::Timestamp::UNIX_EPOCH, &Policy::default());
        verdict.validity = Validity::Valid;
        describe(&Report::of(None::<&Reading>, &verdict))
    }

    #[test]
    fn every_conclusion_says_what_it_is_and_what_to_do_in_both_languages() {
        use Forgery::*;
        use Unproven::*;
        let all = [Overall::Genuine, Overall::GenuineCloneUnchecked]
            .into_iter()
            .chain(
                [
                    NoAnchor,
                    NoRawFiles,
                    SignerMissing,
                    DscRevoked,
                    ChainPolicy,
                    WeakAlgorithm,
                    UnknownAlgorithm,
                    DgMissing,
                    IssuerDefect,
                ]
                .map(Overall::Unverifiable),
            )
            .chain(
                [
                    Signature,
                    NoSigner,
                    MessageDigest,
                    ContentType,
                    DgHash,
                    DgList,
                    DgTag,
                    Country,
                    ActiveAuthentication,
                    ChipAuthentication,
                ]
                .map(Overall::Forged),
            )
            .chain(
                [Refusal::Malformed, Refusal::Limit, Refusal::EcParams, Refusal::ImageLimit]
                    .map(Overall::Rejected),
            );
        let mut seen = std::collections::BTreeSet::new();
        for overall in all {
            let text = told(overall);
            let (vi, en) = overall.remedy();
            assert!(text.contains(&format!("→ {vi}\n")) && text.contains(en), "{text}");
            let proven = matches!(overall, Overall::Genuine | Overall::GenuineCloneUnchecked);
            let (vi, en) = overall.sentence();
            assert!(proven || (text.contains(vi) && text.contains(en)), "{text}");
            assert!(seen.insert(text.lines().skip(1).take(2).map(str::to_owned).collect::<Vec<_>>()));
        }
    }

    #[test]
    fn a_forged_card_is_never_called_genuine_in_any_line() {
        let text = told(Overall::Forged(Forgery::DgHash));
        assert!(text.starts_with("-: GIẢ MẠO / forged\n"));
        assert!(!text.contains("genuine") && !text.contains("là thật"));
    }

    #[test]
    fn a_question_that_anybody_may_have_asked_does_not_make_a_chip_no_copy() {
        let (access, now, policy) = (Access::Unknown, jiff::Timestamp::UNIX_EPOCH, Policy::default());
        let mut verdict = Verdict::refused(Overall::Genuine, access, now, &policy);
        for (proof, asked, reserved) in [
            (CloneCheck::ActiveAuthentication, false, false),
            (CloneCheck::ActiveAuthentication, true, true),
            // The other proof, which was this station's, suffices.
            (CloneCheck::ChipAuthentication, true, false),
        ] {
            verdict.clone_check = Some(proof);
            verdict.flags = asked.then_some(Flag::AaChallengeUnproven).into_iter().collect();
            let text = describe(&Report::of(None::<&Reading>, &verdict));
            assert_eq!(text.contains("không phải bản sao"), !reserved, "{text}");
            assert_eq!(text.contains("không rõ ai đã hỏi"), reserved, "{text}");
        }
    }

    #[test]
    fn the_chip_is_believed_over_the_card_only_where_it_is_proven() {
        use crate::chip::report::Sentence;
        let (access, now, policy) = (Access::Unknown, jiff::Timestamp::UNIX_EPOCH, Policy::default());
        for (overall, believed) in [
            (Overall::Genuine, true),
            (Overall::GenuineCloneUnchecked, true),
            (Overall::Unverifiable(Unproven::NoAnchor), false),
            (Overall::Unverifiable(Unproven::ChainPolicy), false),
            (Overall::Forged(Forgery::DgHash), false),
        ] {
            let verdict = Verdict::refused(overall, access, now, &policy);
            let mut report = Report::of(None::<&Reading>, &verdict);
            for right in [Source::Qr, Source::Typed] {
                let (field, left, outcome) = (Field::Name, Source::Chip, Agreement::Differ);
                report.comparison = vec![Comparison { field, left, right, outcome }];
                report.next = Sentence::next(&verdict, &report.comparison);
                let text = describe(&report);
                let says = |vi: &str, en: &str| text.to_lowercase().contains(vi) || text.contains(en);
                assert_eq!(says("; tin chip", "elieve the chip"), believed, "{text}");
                assert_eq!(says("không tin bên nào hơn", "elieve neither"), !believed, "{text}");
            }
        }
    }

    #[test]
    fn no_remedy_is_told_twice_and_that_of_every_reason_once() {
        let (access, now, policy) = (Access::Unknown, jiff::Timestamp::UNIX_EPOCH, Policy::default());
        let unproven = [Unproven::NoAnchor, Unproven::WeakAlgorithm];
        let mut verdict = Verdict::refused(Overall::Unverifiable(unproven[0]), access, now, &policy);
        verdict.unproven = unproven.to_vec();
        verdict.validity = Validity::Expired;
        let text = describe(&Report::of(None::<&Reading>, &verdict));
        for reason in unproven {
            assert_eq!(text.matches(reason.remedy().0).count(), 1, "{text}");
        }
    }

    #[test]
    fn control_characters_of_a_chip_do_not_reach_the_terminal() {
        let verdict = Verdict::refused(
            Overall::GenuineCloneUnchecked,
            Access::Bac,
            jiff::Timestamp::UNIX_EPOCH,
            &Policy::default(),
        );
        let mut report = Report::of(None::<&Reading>, &verdict);
        report.flags.insert(Flag::DataConflict);
        let made = HolderReport {
            verified: false,
            signed: true,
            number: None,
            document: None,
            name: Some("A\u{1b}[2JB\nC".to_owned()),
            name_cut: false,
            birth: None,
            sex: None,
            expiry: None,
            nationality: None,
            origin: None,
            residence: Some("X\u{202e}Y".to_owned()),
            issued: None,
            from: std::collections::BTreeMap::new(),
        };
        report.holder = Some(made);
        report.chain.issuer = Some("CN=\u{202e}TEST\u{2066} CSCA".to_owned());
        report.chain.broken = vec!["a\u{1b}]0;rule".to_owned()];
        report.file = Some("x\u{202e}\u{7}\nnosj.gnidaer".to_owned());
        let text = describe(&report);
        assert!(!text.chars().any(|c| c != '\n' && plain(&c.to_string()).is_empty()), "{text:?}");
        assert!(text.contains("A[2JBC") && text.contains("CN=TEST CSCA") && text.starts_with("xnosj"));
    }
}
