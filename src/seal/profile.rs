//! Signature profiles: who signs what, where it is seen and what it says, as data.

use crate::fault::{Class, Code, Fault, Outcome};
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// The legal parameters of one kind of signature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignatureProfile {
    /// What it is called by: `intake_scan`.
    pub id: String,
    /// Counted up whenever the law or its reading changes.
    pub version: u32,
    /// `/Reason` of the signature; by it a later signature finds this one.
    pub reason: String,
    /// What a person sees; nothing where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<Look>,
}

/// Who signs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Signer {
    /// An officer with the personal certificate.
    #[default]
    Person,
    /// The agency; `{office}` is then `{name}` where no office is given.
    Agency,
}

/// What a person sees of a signature. Lengths are millimetres of the page as it is displayed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// Who signs.
    #[serde(default)]
    pub signer: Signer,
    /// On which page, where neither `above` nor `over` finds a better one.
    pub page: OnPage,
    /// From which corner of the displayed page the free place is looked for.
    pub anchor: Anchor,
    /// Distance from the corner, millimetres, across and down or up.
    pub margin_mm: [f64; 2],
    /// Width and height that it takes at most, millimetres; less where the text needs less.
    pub size_mm: [f64; 2],
    /// Above a line that the page shows, centred on it: the handwritten signature between title and name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<Above>,
    /// Over an earlier signature: the agency's seal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Over>,
    /// What is drawn beside the text.
    pub image: Image,
    /// The picture (PNG, transparent), relative to the profile's file. One that is given at signing goes before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// Width and height that the picture has at most, millimetres; without it the picture's own resolution counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture_mm: Option<[f64; 2]>,
    /// Lines with `{name}`, `{office}`, `{title}`, `{number}`, `{copy_form}` and `{time}`; a line whose fact is missing
    /// is left out.
    #[serde(default)]
    pub text: Vec<String>,
    /// Facts without which nothing is signed: `["number"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<String>,
    /// `{copy_form}` where none is given at signing: `Sao y`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_form: Option<String>,
    /// Points.
    pub font_size: f64,
    /// Points; letters are made smaller down to this before lines are broken.
    #[serde(default = "least")]
    pub least_font_size: f64,
    /// Red, green, blue of the text, 0 to 1.
    pub color: [f64; 3],
    /// Red, green, blue of the seal that is drawn where there is no picture of it.
    #[serde(default = "seal_red")]
    pub seal_color: [f64; 3],
    /// How `{time}` is written, in strftime's letters, always in Vietnam's zone.
    pub time_format: String,
    /// The bytes of `picture`.
    #[serde(skip)]
    #[schemars(skip)]
    pub picture_png: Option<Arc<Vec<u8>>>,
}

/// Above a line of the page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Above {
    /// The line to look for, with facts: `{name}`.
    pub line: String,
    /// The least height between that line and the one above it.
    pub least_gap_mm: f64,
}

/// Over an earlier signature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Over {
    /// The profile under which that one was made; where none was, the last signature that is seen counts.
    pub profile: String,
    /// How much of its width is covered, 0 to 1.
    pub share: f64,
    /// From which side.
    pub side: Side,
    /// Where there is no earlier signature: the least and the greatest height of the gap between title and name that
    /// stands for it, millimetres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap_mm: Option<[f64; 2]>,
    /// How far the picture may slide up or down to spare the page's text.
    #[serde(default)]
    pub slide_mm: f64,
    /// On which sides of the picture the text may stand, the best first.
    pub text: Vec<Side>,
}

/// A side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Left.
    Left,
    /// Right.
    Right,
    /// Above.
    Above,
    /// Below.
    Below,
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
    /// The agency's round red seal; drawn plainly where no picture of it is given.
    Seal,
    /// The handwritten signature; only ever a picture.
    Signature,
}

impl SignatureProfile {
    /// The names of the profiles that the program brings along.
    pub fn names() -> Vec<&'static str> {
        BUILT_IN.iter().map(|(name, _)| *name).collect()
    }

    /// The `/Reason` of every built-in profile, by its name.
    pub(crate) fn reasons() -> &'static [(&'static str, String)] {
        static REASONS: LazyLock<Vec<(&str, String)>> = LazyLock::new(|| {
            let reason =
                |id| SignatureProfile::built_in(id).map(|profile| profile.reason).unwrap_or_default();
            SignatureProfile::names().into_iter().map(|id| (id, reason(id))).collect()
        });
        &REASONS
    }

    /// A profile that the program brings along, one of [`SignatureProfile::names`].
    ///
    /// # Errors
    /// [`UNKNOWN_PROFILE`].
    pub fn built_in(id: &str) -> Outcome<Self> {
        let (_, text) = BUILT_IN.iter().find(|(name, _)| *name == id).ok_or_else(|| {
            Fault::new(&UNKNOWN_PROFILE).detail(format!("known are {}", SignatureProfile::names().join(", ")))
        })?;
        SignatureProfile::from_toml(text)
    }

    /// A built-in profile by its name, or one from a file by its path (`*.toml`).
    ///
    /// # Errors
    /// [`UNKNOWN_PROFILE`], and those of [`SignatureProfile::from_file`].
    pub fn named(name: &str) -> Outcome<Self> {
        match Path::new(name).extension() {
            Some(extension) if extension == "toml" => SignatureProfile::from_file(Path::new(name)),
            _ => SignatureProfile::built_in(name),
        }
    }

    /// A profile from its file; its picture lies where `picture` says, from the file's folder on.
    ///
    /// # Errors
    /// [`BROKEN_PROFILE`] with the path: unreadable, too large, malformed, or without its picture.
    pub fn from_file(path: &Path) -> Outcome<Self> {
        let text = read(path, MAX_FILE)?;
        let text = String::from_utf8(text)
            .map_err(|_| Fault::new(&BROKEN_PROFILE).detail("not UTF-8").at(path.display()))?;
        let mut profile = SignatureProfile::from_toml(&text).map_err(|fault| fault.at(path.display()))?;
        if let Some(look) = &mut profile.look
            && let Some(picture) = &look.picture
        {
            let picture = path.parent().unwrap_or(Path::new("")).join(picture);
            look.picture_png = Some(Arc::new(read(&picture, MAX_PICTURE)?));
        }
        Ok(profile)
    }

    /// A profile from its TOML text, its figures within sense.
    ///
    /// # Errors
    /// [`BROKEN_PROFILE`] with the place.
    pub fn from_toml(text: &str) -> Outcome<Self> {
        let broken = |what: &str| Fault::new(&BROKEN_PROFILE).detail(what);
        let profile: SignatureProfile = toml::from_str(text).map_err(|e| broken(e.message()))?;
        if let Some(what) = profile.look.as_ref().and_then(senseless) {
            return Err(broken(&what));
        }
        Ok(profile)
    }
}

/// Why a look cannot be meant.
fn senseless(look: &Look) -> Option<String> {
    let picture = look.picture_mm.unwrap_or([MIN_SIZE; 2]);
    let mut lengths = vec![look.font_size, look.least_font_size];
    lengths.extend(look.margin_mm.iter().chain(&look.size_mm).chain(&picture));
    lengths.extend(look.above.as_ref().map(|above| above.least_gap_mm));
    lengths.extend(look.over.as_ref().map(|over| over.slide_mm));
    lengths.extend(look.over.as_ref().and_then(|over| over.gap_mm).unwrap_or_default());
    if lengths.iter().any(|x| !(0.0..=2000.0).contains(x)) {
        return Some("a figure is negative or beyond 2000".into());
    }
    if look.size_mm.iter().chain(&picture).any(|x| *x < MIN_SIZE) {
        return Some(format!("size_mm or picture_mm below {MIN_SIZE}"));
    }
    if look.least_font_size < SMALLEST || look.font_size < look.least_font_size {
        return Some(format!("font_size below least_font_size, or that below {SMALLEST}"));
    }
    if look.color.iter().chain(&look.seal_color).any(|x| !(0.0..=1.0).contains(x)) {
        return Some("color outside 0 to 1".into());
    }
    if look.over.as_ref().is_some_and(|over| !(0.0..=1.0).contains(&over.share)) {
        return Some("over.share outside 0 to 1".into());
    }
    if look.text.is_empty() && look.image == Image::None {
        return Some("neither text nor image".into());
    }
    if look.text.len() > MAX_LINES {
        return Some(format!("more than {MAX_LINES} lines of text"));
    }
    let unknown = look.required.iter().find(|fact| !FACTS.contains(&fact.as_str()));
    if let Some(fact) = unknown {
        return Some(format!("required: no fact is called {fact}; known are {}", FACTS.join(", ")));
    }
    let lines = look.text.iter().chain(look.above.as_ref().map(|above| &above.line));
    for line in lines {
        for word in line.split('{').skip(1).map(|rest| rest.split('}').next().unwrap_or("")) {
            if !FACTS.contains(&word) {
                return Some(format!("text: no fact is called {{{word}}}; known are {}", FACTS.join(", ")));
            }
        }
    }
    jiff::fmt::strtime::format(&look.time_format, &jiff::Zoned::default())
        .is_err()
        .then(|| "time_format".into())
}

fn read(path: &Path, limit: u64) -> Outcome<Vec<u8>> {
    let broken = |what: &dyn std::fmt::Display| Fault::new(&BROKEN_PROFILE).detail(what).at(path.display());
    let file = std::fs::File::open(path).map_err(|e| broken(&e.kind()))?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|e| broken(&e.kind()))?;
    if bytes.len() as u64 > limit {
        return Err(broken(&format!("more than {limit} bytes")));
    }
    Ok(bytes)
}

fn least() -> f64 {
    SMALLEST
}

fn seal_red() -> [f64; 3] {
    [0.8, 0.0, 0.0]
}

/// What a profile's text may name in braces.
pub const FACTS: &[&str] = &["name", "office", "title", "number", "copy_form", "time"];

const BUILT_IN: &[(&str, &str)] = &[
    ("intake_scan", include_str!("profiles/intake_scan.toml")),
    ("sao_y", include_str!("profiles/sao_y.toml")),
    ("sao_luc", include_str!("profiles/sao_luc.toml")),
    ("trich_sao", include_str!("profiles/trich_sao.toml")),
    ("annex", include_str!("profiles/annex.toml")),
    ("result_person", include_str!("profiles/result_person.toml")),
    ("result_agency", include_str!("profiles/result_agency.toml")),
    ("invisible", include_str!("profiles/invisible.toml")),
];

const MIN_SIZE: f64 = 1.0;
/// Points; nobody reads less on paper.
const SMALLEST: f64 = 5.0;
const MAX_LINES: usize = 20;
const MAX_FILE: u64 = 1 << 20;
const MAX_PICTURE: u64 = 4 << 20;

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
    vi: "Bộ quy định chữ ký sai cú pháp, sai số liệu hoặc thiếu ảnh",
    en: "the signature profile is malformed or lacks its picture",
    remedy_vi: "Sửa tệp TOML của bộ quy định và kiểm tra tệp ảnh đi kèm",
    remedy_en: "correct the profile's TOML file and look whether its picture lies beside it",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_profile_can_be_used() {
        for id in SignatureProfile::names() {
            assert_eq!(SignatureProfile::built_in(id).unwrap().id, id);
        }
        let unknown = SignatureProfile::named("sao_y.tom").unwrap_err();
        assert_eq!(unknown.code.id, UNKNOWN_PROFILE.id);
        assert!(unknown.detail.unwrap().contains("trich_sao"));
    }

    #[test]
    fn the_copies_differ_in_their_form_alone() {
        let [one, two, three] = ["sao_y", "sao_luc", "trich_sao"].map(|id| {
            let profile = SignatureProfile::built_in(id).unwrap();
            let mut look = profile.look.unwrap();
            (look.copy_form.take().unwrap(), look)
        });
        assert_eq!([&one.0, &two.0, &three.0], ["Sao y", "Sao lục", "Trích sao"]);
        assert!(one.1 == two.1 && two.1 == three.1);
    }

    #[test]
    fn unknown_keys_and_senseless_figures_are_refused() {
        assert!(SignatureProfile::from_toml("id='a'\nversion=1\nreason='r'\nlok=1").is_err());
        let text = include_str!("profiles/intake_scan.toml");
        for bad in [
            ("[66.0", "[-1.0"),
            ("[66.0", "[nan"),
            ("0.0, 0.0]", "7.0, 0.0]"),
            ("top-left", "middle"),
            ("{name}", "{nam}"),
            ("\"name\"", "\"nam\""),
            ("%S", "%!"),
            ("font_size = 10.0", "font_size = 4.0"),
        ] {
            assert!(text.contains(bad.0), "{bad:?}");
            let broken = SignatureProfile::from_toml(&text.replacen(bad.0, bad.1, 1));
            assert_eq!(broken.unwrap_err().code.id, BROKEN_PROFILE.id, "{bad:?}");
        }
    }

    #[test]
    fn a_profile_of_the_offices_own_brings_its_picture_and_says_where_it_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.toml");
        let text = include_str!("profiles/result_person.toml");
        std::fs::write(&path, text.replace("[look]", "[look]\npicture = 'ky.png'")).unwrap();
        let missing = SignatureProfile::named(path.to_str().unwrap()).unwrap_err();
        assert_eq!(missing.code.id, BROKEN_PROFILE.id);
        assert!(missing.place.unwrap().contains("ky.png"));
        std::fs::write(folder.path().join("ky.png"), b"bytes").unwrap();
        let profile = SignatureProfile::named(path.to_str().unwrap()).unwrap();
        assert_eq!(profile.look.unwrap().picture_png.unwrap().as_slice(), b"bytes");
        std::fs::write(folder.path().join("ky.png"), vec![0; (4 << 20) + 1]).unwrap();
        assert!(SignatureProfile::from_file(&path).is_err());
    }
}
