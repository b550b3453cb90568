//! Links under which a recipient fetches a document: signed, ending, for one recipient, without a word about a person.
//!
//! `BASE/files/RECIPIENT/UNTIL/MAC/BLAKE3.pdf`: the document's digest, the name that the station gives the recipient, the Unix
//! second at which the link ends, and HMAC-SHA-256 over the three, base64url. Whoever changes a part has no link.

use crate::digest::Blake3;
use crate::fault::{Class, Code, Fault, Outcome};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use zeroize::Zeroizing;

/// The key that links are signed with; who has it can fetch every document of the station.
#[derive(Clone)]
pub struct LinkKey(Zeroizing<Vec<u8>>);

impl LinkKey {
    /// A key of 32 bytes or more.
    ///
    /// # Errors
    /// [`BAD_KEY`].
    pub fn new(bytes: Vec<u8>) -> Outcome<Self> {
        if (32..=1_024).contains(&bytes.len()) {
            Ok(LinkKey(Zeroizing::new(bytes)))
        } else {
            Err(Fault::new(&BAD_KEY).detail("32 bytes at least"))
        }
    }

    /// 32 random bytes.
    ///
    /// # Errors
    /// [`BAD_KEY`] where the random source fails.
    pub fn mint() -> Outcome<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(vec![0u8; 32]);
        openssl::rand::rand_bytes(&mut bytes).map_err(|_| Fault::new(&BAD_KEY).detail("random source"))?;
        Ok(bytes)
    }

    fn mac(&self, recipient: &str, until: i64, document: &Blake3) -> Outcome<[u8; 32]> {
        let failed = |_| Fault::new(&BAD_KEY).detail("HMAC");
        let key = openssl::pkey::PKey::hmac(&self.0).map_err(failed)?;
        let mut signer =
            openssl::sign::Signer::new(openssl::hash::MessageDigest::sha256(), &key).map_err(failed)?;
        for part in [b"hoso file link v1".as_slice(), recipient.as_bytes(), &until.to_be_bytes(), &document.0]
        {
            signer.update(&(part.len() as u64).to_be_bytes()).map_err(failed)?;
            signer.update(part).map_err(failed)?;
        }
        let mut mac = [0u8; 32];
        signer.sign(&mut mac).map_err(failed)?;
        Ok(mac)
    }

    /// Judges the parts of a link as they stand in its path.
    ///
    /// # Errors
    /// [`BAD_KEY`] where OpenSSL refuses.
    pub fn judge(&self, recipient: &str, until: &str, mac: &str, file: &str, now: i64) -> Outcome<Judged> {
        let document = file.strip_suffix(".pdf").filter(|hex| hex.bytes().all(|b| !b.is_ascii_uppercase()));
        let document = document.and_then(|hex| hex.parse::<Blake3>().ok());
        let second = until.parse::<i64>().ok().filter(|second| second.to_string() == until);
        let given = BASE64URL.decode(mac).ok().filter(|mac| mac.len() == 32);
        let (Some(document), Some(second), Some(given)) = (document, second, given) else {
            return Ok(Judged::Forged);
        };
        if !openssl::memcmp::eq(&self.mac(recipient, second, &document)?, &given) {
            return Ok(Judged::Forged);
        }
        Ok(if now < second { Judged::Good(document) } else { Judged::Ended(document) })
    }
}

impl std::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkKey(…)")
    }
}

/// What a link is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// It leads to this document.
    Good(Blake3),
    /// It led to this document until its time was over.
    Ended(Blake3),
    /// It is none of ours.
    Forged,
}

/// Makes the links of one recipient.
#[derive(Debug, Clone)]
pub struct Links {
    base: String,
    recipient: String,
    key: LinkKey,
    life: i64,
}

/// A link and when it ends, Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLink {
    /// The address.
    pub url: String,
    /// The second at which it ends.
    pub until: i64,
}

impl Links {
    /// Links below a public base address, good for so many days.
    ///
    /// # Errors
    /// [`BAD_RECIPIENT`]: the name stands in the link, so it is letters, digits, `-` and `_`.
    pub fn new(base: &str, recipient: &str, key: LinkKey, days: u32) -> Outcome<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if recipient.is_empty() || recipient.len() > 64 || !recipient.bytes().all(plain) {
            return Err(Fault::new(&BAD_RECIPIENT));
        }
        let base = base.trim_end_matches('/').to_owned();
        Ok(Links { base, recipient: recipient.into(), key, life: i64::from(days.clamp(1, 3_650)) * DAY })
    }

    /// The link to a document: the same all day (UTC), so that the same sync sent twice is the same bytes.
    ///
    /// # Errors
    /// [`BAD_KEY`] where OpenSSL refuses.
    pub fn make(&self, document: &Blake3, now: i64) -> Outcome<FileLink> {
        let until = self.until(now);
        let mac = BASE64URL.encode(self.key.mac(&self.recipient, until, document)?);
        let url = format!("{}/files/{}/{until}/{mac}/{document}.pdf", self.base, self.recipient);
        Ok(FileLink { url, until })
    }

    /// When a link that is made now ends.
    pub fn until(&self, now: i64) -> i64 {
        now.div_euclid(DAY).saturating_add(1).saturating_mul(DAY).saturating_add(self.life)
    }

    /// Whether links that end then are to be renewed now: a third of their life before their end.
    pub fn due(&self, until: i64, now: i64) -> bool {
        until.saturating_sub(now) <= self.life / 3
    }
}

const DAY: i64 = 86_400;

/// A key for links that cannot be used.
pub const BAD_KEY: Code = Code {
    id: "SEND-141",
    class: Class::Setup,
    vi: "Không dùng được khóa ký đường dẫn tệp",
    en: "the key that signs links to files cannot be used",
    remedy_vi: "Kiểm tra var/file-link.key và quyền đọc; xóa tệp thì khóa mới được tạo và mọi đường dẫn cũ hết hiệu lực",
    remedy_en: "look at var/file-link.key and whether it can be read; without the file a new key is made and all old links end",
};

/// A recipient whose name cannot stand in a link.
pub const BAD_RECIPIENT: Code = Code {
    id: "SEND-142",
    class: Class::Setup,
    vi: "Tên nơi nhận không dùng được trong đường dẫn",
    en: "the recipient's name cannot stand in a link",
    remedy_vi: "Đặt tên nơi nhận trong hoso.toml chỉ gồm chữ không dấu, số, gạch nối",
    remedy_en: "name it with letters, digits, dashes and underscores only in hoso.toml",
};

#[cfg(test)]
mod tests {
    use super::*;

    fn links() -> Links {
        Links::new("https://x.example/tai-lieu/", "portal", LinkKey::new(vec![7; 32]).unwrap(), 30).unwrap()
    }

    fn parts(url: &str) -> [&str; 4] {
        let path = url.strip_prefix("https://x.example/tai-lieu/files/").unwrap();
        path.split('/').collect::<Vec<_>>().try_into().unwrap()
    }

    #[test]
    fn a_link_holds_for_its_document_recipient_and_time_and_for_nothing_else() {
        let (key, document, now) = (LinkKey::new(vec![7; 32]).unwrap(), Blake3::of(b"x"), 1_790_000_000);
        let link = links().make(&document, now).unwrap();
        let [recipient, until, mac, file] = parts(&link.url);
        let judge = |r: &str, u: &str, m: &str, f: &str, now| key.judge(r, u, m, f, now).unwrap();
        assert_eq!(judge(recipient, until, mac, file, now), Judged::Good(document));
        assert_eq!(judge(recipient, until, mac, file, link.until - 1), Judged::Good(document));
        assert_eq!(judge(recipient, until, mac, file, link.until), Judged::Ended(document));
        let later = (link.until + 1).to_string();
        let other = format!("{}.pdf", Blake3::of(b"y"));
        let short = &mac[..42];
        for (r, u, m, f) in [
            ("other", until, mac, file),
            (recipient, later.as_str(), mac, file),
            (recipient, until, mac, other.as_str()),
            (recipient, until, short, file),
            (recipient, until, "", file),
            (recipient, &format!("0{until}"), mac, file),
            (recipient, &format!("+{until}"), mac, file),
            (recipient, until, mac, file.trim_end_matches(".pdf")),
            (recipient, until, mac, &file.to_uppercase()),
        ] {
            assert_eq!(judge(r, u, m, f, now), Judged::Forged, "{r} {u} {m} {f}");
        }
        let stranger = LinkKey::new(vec![8; 32]).unwrap();
        assert_eq!(stranger.judge(recipient, until, mac, file, now).unwrap(), Judged::Forged);
    }

    #[test]
    fn a_link_is_the_same_all_day_lives_as_long_as_promised_and_is_renewed_in_time() {
        let (links, document) = (links(), Blake3::of(b"x"));
        let midnight = 1_790_000_000 / DAY * DAY;
        let first = links.make(&document, midnight).unwrap();
        assert_eq!(links.make(&document, midnight + DAY - 1).unwrap(), first);
        assert_ne!(links.make(&document, midnight + DAY).unwrap(), first);
        assert!(first.until - (midnight + DAY - 1) >= 30 * DAY);
        assert!(!links.due(first.until, midnight + 15 * DAY));
        assert!(links.due(first.until, midnight + 22 * DAY));
    }

    #[test]
    fn a_short_key_and_a_name_with_a_slash_are_refused() {
        assert_eq!(LinkKey::new(vec![1; 31]).unwrap_err().code, &BAD_KEY);
        let key = LinkKey::new(vec![1; 32]).unwrap();
        assert_eq!(Links::new("https://x", "a/b", key, 1).unwrap_err().code, &BAD_RECIPIENT);
    }
}
