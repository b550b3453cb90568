//! Signature profiles: who signs what, where it is seen and what it says, as data.

use crate::fault::{Class, Code, Fault, Outcome};
use serde::{Deserialize, Serialize};

/// The legal parameters of one kind of signature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignatureProfile {
    /// What it is called by: `intake_scan`.
    pub id: String,
    /// Counted up whenever the law or its reading changes.
    pub version: u32,
    /// `/Reason` of the signature.
    pub reason: String,
    /// What a person sees; nothing where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<Look>,
}

/// What a person sees of a signature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// On which page.
    pub page: OnPage,
    /// From which corner of the displayed page the free place is looked for.
    pub anchor: Anchor,
    /// Distance from the corner, millimetres, across and down or up.
    pub margin_mm: [f64; 2],
    /// Width and height, millimetres.
    pub size_mm: [f64; 2],
    /// What is drawn beside the text.
    pub image: Image,
    /// Lines with `{name}`, `{office}` and `{time}`; a line whose fact is missing is left out.
    pub text: Vec<String>,
    /// Points; smaller where the text would not fit otherwise, never below 5.
    pub font_size: f64,
    /// Red, green, blue of the text, 0 to 1.
    pub color: [f64; 3],
    /// How `{time}` is written, in strftime's letters, always in Vietnam's zone.
    pub time_format: String,
}

/// Which page carries the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnPage {
    /// The first.
    First,
    /// The last.
    Last,
}

/// A corner of the page as it is displayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Anchor {
    /// Top left.
    TopLeft,
    /// Top right.
    TopRight,
    /// Bottom left.
    BottomLeft,
    /// Bottom right.
    BottomRight,
}

/// What is drawn beside the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Image {
    /// Text alone.
    None,
    /// The agency's round red seal.
    Seal,
}

impl SignatureProfile {
    /// A profile that the program brings along: `intake_scan`, `result_agency` or `invisible`.
    ///
    /// # Errors
    /// [`UNKNOWN_PROFILE`].
    pub fn built_in(id: &str) -> Outcome<Self> {
        let (_, text) = BUILT_IN.iter().find(|(name, _)| *name == id).ok_or_else(|| {
            Fault::new(&UNKNOWN_PROFILE).detail("known are intake_scan, result_agency, invisible")
        })?;
        SignatureProfile::from_toml(text)
    }

    /// A profile from its TOML text, its figures within sense.
    ///
    /// # Errors
    /// [`BROKEN_PROFILE`] with the place.
    pub fn from_toml(text: &str) -> Outcome<Self> {
        let broken = |what: &str| Fault::new(&BROKEN_PROFILE).detail(what);
        let profile: SignatureProfile = toml::from_str(text).map_err(|e| broken(e.message()))?;
        if let Some(look) = &profile.look {
            let figures = look.margin_mm.iter().chain(&look.size_mm).chain([&look.font_size]);
            if figures.clone().any(|x| !x.is_finite() || *x < 0.0 || *x > 2000.0) {
                return Err(broken("a figure is negative or beyond 2000"));
            }
            if look.size_mm.iter().any(|x| *x < 1.0) || look.font_size < 5.0 {
                return Err(broken("size_mm below 1 or font_size below 5"));
            }
            if look.color.iter().any(|x| !(0.0..=1.0).contains(x)) {
                return Err(broken("color outside 0 to 1"));
            }
        }
        Ok(profile)
    }
}

const BUILT_IN: &[(&str, &str)] = &[
    ("intake_scan", include_str!("profiles/intake_scan.toml")),
    ("result_agency", include_str!("profiles/result_agency.toml")),
    ("invisible", include_str!("profiles/invisible.toml")),
];

/// No profile of that name.
pub const UNKNOWN_PROFILE: Code = Code {
    id: "SEAL-030",
    class: Class::Setup,
    vi: "Không có bộ quy định chữ ký mang tên này",
    en: "no signature profile of this name",
    remedy_vi: "Chọn một tên có trong danh sách",
    remedy_en: "choose one of the names listed",
};

/// A profile that cannot be used.
pub const BROKEN_PROFILE: Code = Code {
    id: "SEAL-031",
    class: Class::Setup,
    vi: "Bộ quy định chữ ký sai cú pháp hoặc sai số liệu",
    en: "the signature profile is malformed",
    remedy_vi: "Sửa tệp TOML của bộ quy định",
    remedy_en: "correct the profile's TOML file",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_profile_can_be_used() {
        for (id, _) in BUILT_IN {
            assert_eq!(SignatureProfile::built_in(id).unwrap().id, *id);
        }
        assert_eq!(SignatureProfile::built_in("sao_y").unwrap_err().code.id, UNKNOWN_PROFILE.id);
    }

    #[test]
    fn unknown_keys_and_senseless_figures_are_refused() {
        assert!(SignatureProfile::from_toml("id='a'\nversion=1\nreason='r'\nlok=1").is_err());
        let text = include_str!("profiles/intake_scan.toml");
        for bad in [("62.0", "-1.0"), ("62.0", "nan"), ("0.0, 0.0]", "7.0, 0.0]"), ("top-left", "middle")] {
            let broken = SignatureProfile::from_toml(&text.replacen(bad.0, bad.1, 1));
            assert_eq!(broken.unwrap_err().code.id, BROKEN_PROFILE.id, "{bad:?}");
        }
    }
}
