//! The verdict on a card, followed as far as it can be without what was on it.

use super::{CARD_OPEN, CONTRADICTS, Judge, Small};
use crate::evidence::card::{Again, Told};
use crate::evidence::manifest::Run;
use crate::seal::verify::Verdict;

impl Judge<'_> {
    /// Holds what the station says of a card against the issuer's signature, where that came along.
    pub(super) fn card(&mut self, run: &Run, small: &Small<'_>) {
        let Some((name, bytes)) = run.identity.as_deref().and_then(|n| Some((n, small.get(n)?))) else {
            return;
        };
        let sod = |name: &str| small.get(name).map(Vec::as_slice);
        let again = Told::parse(bytes).map_or(Again::Differs, |told| told.again(sod, self.trust.cards));
        match again {
            Again::Same => {}
            Again::Differs => self.say(Verdict::Invalid, Some(name), &CONTRADICTS),
            Again::Untrusted => self.say(Verdict::Indeterminate, Some(name), &CARD_OPEN),
            Again::NoAnchors => self.not_checked(
                "cơ quan cấp thẻ có đáng tin không (không có chứng thư gốc của thẻ, csca/)",
                "whether the card's issuer is to be trusted (no roots for cards were given, csca/)",
            ),
            Again::Nothing => self.not_checked(
                "kết luận về thẻ: không có EF.SOD để kiểm lại",
                "the verdict on the card: there is no EF.SOD to judge it again by",
            ),
        }
        self.not_checked(
            "nội dung chip có đúng người đó không: dữ liệu đã được xóa, chỉ còn giá trị băm",
            "what the chip says of its holder: it is gone, its hashes are here",
        );
    }
}
