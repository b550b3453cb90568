//! (portal)
use crate::fault::{Class, Code};
/// x
pub const FIELD_MISSING: Code =
    Code { id: "SEND-040", class: Class::Person, vi: "", en: "", remedy_vi: "", remedy_en: "" };
/// x
pub const FIELD_WRONG: Code =
    Code { id: "SEND-041", class: Class::Person, vi: "", en: "", remedy_vi: "", remedy_en: "" };
/// x
pub const LOGIN_REFUSED: Code =
    Code { id: "SEND-042", class: Class::Setup, vi: "", en: "", remedy_vi: "", remedy_en: "" };
/// x
pub const ANSWER_UNREADABLE: Code =
    Code { id: "SEND-043", class: Class::Later, vi: "", en: "", remedy_vi: "", remedy_en: "" };
/// x
pub const ANSWER_UNKNOWN: Code =
    Code { id: "SEND-044", class: Class::Later, vi: "", en: "", remedy_vi: "", remedy_en: "" };
