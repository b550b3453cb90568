//! What is logged about a document: its digests and what kind of paper it is, never who it is about.
//!
//! The log holds only SHA-256 of these bytes. The salt keeps anyone who sees the log from testing guesses of a
//! templated paper; it is derived from a secret of the station, so that logging the same facts twice gives the same leaf.

use super::note::Signer;
use super::tree::{Hash, leaf_hash};
use crate::digest::{Blake3, Digests, Sha256};
use crate::fault::{Class, Code, Fault, Outcome};
use serde::{Deserialize, Serialize};

/// Longest statement that is read.
pub const MAX_STATEMENT: usize = 4096;

/// What the secret behind the salts is derived for ([`Signer::derive`]).
pub(super) const SALT: &str = "hoso 2026 transparency log statement salt";

/// What the office says of a document when it logs it. No names, no identity or dossier numbers: checked by shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementFacts {
    /// For instance `application/pdf`.
    pub media_type: String,
    /// The office's identifier code, such as `H49.12.5`.
    pub office: String,
    /// The kind of document, a code of the profile such as `result` or `intake_scan`.
    pub doc_type: String,
    /// RFC 3339 with offset; part of the leaf, so a second attempt must give the same.
    pub issued_at: String,
    /// SHA-256 of the document that this one replaces.
    pub supersedes: Option<Sha256>,
}

/// A statement: facts, digests, salt. Its canonical form is JSON with keys in this (alphabetical) order and no spaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Store address of the document.
    pub blake3: Blake3,
    /// See [`StatementFacts::doc_type`].
    pub doc_type: String,
    /// See [`StatementFacts::issued_at`].
    pub issued_at: String,
    /// See [`StatementFacts::media_type`].
    pub media_type: String,
    /// See [`StatementFacts::office`].
    pub office: String,
    /// 16 bytes in hexadecimal digits.
    pub salt: String,
    /// SHA-256 of the document.
    pub sha256: Sha256,
    /// Length of the document in bytes.
    pub size: u64,
    /// See [`StatementFacts::supersedes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<Sha256>,
    /// Always 1.
    pub v: u8,
}

impl Statement {
    /// The statement of one document, salted by the log's own secret.
    ///
    /// # Errors
    /// [`BAD_STATEMENT`] for facts that a statement cannot carry, [`super::note::KEY_REFUSED`].
    pub fn new(document: &Digests, facts: &StatementFacts, signer: &Signer) -> Outcome<Statement> {
        Statement::salted(document, facts, &*signer.derive(SALT)?)
    }

    /// As [`Statement::new`], with the log's secret ([`SALT`]) at hand.
    pub(super) fn salted(
        document: &Digests,
        facts: &StatementFacts,
        secret: &[u8; 32],
    ) -> Outcome<Statement> {
        let salt = blake3::keyed_hash(secret, &document.sha256.0);
        let statement = Statement {
            blake3: document.blake3,
            doc_type: facts.doc_type.clone(),
            issued_at: facts.issued_at.clone(),
            media_type: facts.media_type.clone(),
            office: facts.office.clone(),
            salt: hex::encode(&salt.as_bytes()[..16]),
            sha256: document.sha256,
            size: document.size,
            supersedes: facts.supersedes,
            v: 1,
        };
        statement.check()?;
        Ok(statement)
    }

    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        // A struct of strings and numbers always has a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads canonical bytes and no other spelling of the same statement.
    ///
    /// # Errors
    /// [`BAD_STATEMENT`].
    pub fn parse(bytes: &[u8]) -> Outcome<Statement> {
        if bytes.len() > MAX_STATEMENT {
            return Err(Fault::new(&BAD_STATEMENT).detail(format!("{} bytes", bytes.len())));
        }
        let statement: Statement = serde_json::from_slice(bytes)
            .map_err(|_| Fault::new(&BAD_STATEMENT).detail("not a statement"))?;
        statement.check()?;
        if statement.to_bytes() != bytes {
            return Err(Fault::new(&BAD_STATEMENT).detail("not in canonical form"));
        }
        Ok(statement)
    }

    /// What is stored in the log: SHA-256 of the canonical bytes.
    pub fn entry(&self) -> Hash {
        Sha256::of(&self.to_bytes()).0
    }

    /// SHA-256(0x00 ‖ entry).
    pub fn leaf(&self) -> Hash {
        leaf_hash(&self.entry())
    }

    /// Whether the document with these digests is the one it speaks of.
    pub fn is_about(&self, document: &Digests) -> bool {
        self.sha256 == document.sha256 && self.blake3 == document.blake3 && self.size == document.size
    }

    fn check(&self) -> Outcome<()> {
        let bad = |field: &str| Err(Fault::new(&BAD_STATEMENT).detail(format!("field {field}")));
        if self.v != 1 {
            return bad("v");
        }
        if self.salt.len() != 32
            || !self.salt.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        {
            return bad("salt");
        }
        for (field, text) in
            [("doc_type", &self.doc_type), ("media_type", &self.media_type), ("office", &self.office)]
        {
            // Codes only: free text is where names would slip in, a run of nine digits is where identity numbers would.
            let code = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-+/".contains(&b));
            let digits = text.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
            if text.is_empty() || text.len() > 100 || !code || digits >= 9 {
                return bad(field);
            }
        }
        if self.issued_at.len() > 40 || self.issued_at.parse::<jiff::Timestamp>().is_err() {
            return bad("issued_at");
        }
        Ok(())
    }
}

/// A statement that is none.
pub const BAD_STATEMENT: Code = Code {
    id: "LOG-005",
    class: Class::Input,
    vi: "Nội dung ghi nhật ký không hợp lệ",
    en: "the statement to be logged is not valid",
    remedy_vi: "Chỉ dùng mã đơn vị, mã loại giấy tờ và thời điểm RFC 3339, không dùng tên hay số giấy tờ",
    remedy_en: "use office and document type codes and an RFC 3339 time only, no names and no identity numbers",
};

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn facts() -> StatementFacts {
        StatementFacts {
            media_type: "application/pdf".into(),
            office: "H49.12.5".into(),
            doc_type: "result".into(),
            issued_at: "2026-03-02T08:15:09+07:00".into(),
            supersedes: None,
        }
    }

    #[test]
    fn the_same_facts_give_the_same_leaf_and_another_key_another() {
        let (one, two) = (Signer::generate("a").unwrap(), Signer::generate("a").unwrap());
        let document = Digests::of(b"paper");
        let statement = Statement::new(&document, &facts(), &one).unwrap();
        assert_eq!(statement.leaf(), Statement::new(&document, &facts(), &one).unwrap().leaf());
        assert_ne!(statement.leaf(), Statement::new(&document, &facts(), &two).unwrap().leaf());
        assert!(statement.is_about(&document));
        assert!(!statement.is_about(&Digests::of(b"Paper")));
    }

    #[test]
    fn only_the_canonical_spelling_is_read() {
        let signer = Signer::generate("a").unwrap();
        let statement = Statement::new(&Digests::of(b"paper"), &facts(), &signer).unwrap();
        let bytes = statement.to_bytes();
        assert_eq!(Statement::parse(&bytes).unwrap(), statement);
        let text = String::from_utf8(bytes).unwrap();
        for bad in [
            text.replace(":", ": "),
            text.replace("\"v\":1", "\"v\":2"),
            text.replace("\"v\":1", "\"v\":1,\"name\":\"x\""),
            text.to_uppercase(),
            text.replace("\"v\":1", "\"v\":1,\"v\":1"),
        ] {
            assert_eq!(Statement::parse(bad.as_bytes()).unwrap_err().code.id, "LOG-005", "{bad}");
        }
    }

    #[test]
    fn names_and_identity_numbers_do_not_get_in() {
        let signer = Signer::generate("a").unwrap();
        for field in ["Trần Thị B", "001099012345", "a b", ""] {
            for place in 0..3 {
                let mut facts = facts();
                *[&mut facts.doc_type, &mut facts.office, &mut facts.media_type][place] = field.to_owned();
                assert!(Statement::new(&Digests::of(b"p"), &facts, &signer).is_err(), "{field} {place}");
            }
        }
    }
}
