//! `hoso identity face`: the face of a genuine chip beside a picture taken now. The program gives a distance and steps
//! back; whoever stands at the desk decides.

use super::identity::demands::DemandArgs;
use super::identity::read;
use super::portrait::{boxed, of_reading};
use crate::chip::face::{Comparison, FaceError, FaceMatcher, NoPicture, Note, Picture, Seen};
use crate::chip::{self, Reading};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::original::{Original, UNREADABLE};
use crate::pdf::samples::Samples;
use crate::scan::Limits;
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Two faces and a model.
#[derive(Debug, clap::Args)]
#[command(after_help = "Built with --features face; scripts/face-model fetches the model.\n\
    Exit code: 0 a distance was given, near or far; 1 there was none, because there is not one good face in each picture. \
    No exit code says whether it is the same person: that is for a person to decide. Nothing of a face is written.\n\n\
    Example:\n  hoso identity face citizen.reading.json --anchors anchors/csca --live now.jpg --model face-model")]
pub struct Args {
    /// The reading file.
    #[arg(value_name = "READING")]
    reading: PathBuf,
    /// Folder of trusted country signing certificates and revocation lists.
    #[arg(long, value_name = "DIR")]
    anchors: PathBuf,
    /// The picture taken now, of one person.
    #[arg(long, value_name = "PICTURE")]
    live: PathBuf,
    /// Folder of the model.
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// What the distance is held against, more than 0 and at most 1 [default: 0.5].
    #[arg(long, value_name = "T", value_parser = threshold)]
    threshold: Option<f64>,
    #[command(flatten)]
    demands: DemandArgs,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// Compares the portrait of a genuine reading with a picture.
///
/// # Errors
/// [`NO_MATCHER_BUILT`]; those of the model, of reading the file and the anchors, of [`of_reading`] and of the decoder.
pub fn run(args: &Args) -> Outcome<u8> {
    let matcher = matcher(&args.model, args.threshold)?;
    let reading = Reading::parse(&read(&args.reading, chip::reading::LARGEST_READING)?)
        .map_err(|fault| fault.at(args.reading.display()))?;
    let verdict = args.demands.judge(&reading, &args.anchors)?;
    let reader = boxed();
    let portrait = of_reading(&reading, &verdict, &reader)
        .and_then(picture)
        .map_err(|fault| fault.at(args.reading.display()))?;
    let limits = Limits { file_bytes: 32 << 20, pages: 1, pixels: 50_000_000, ..Limits::default() };
    let live = plain(&args.live)
        .and_then(|file| reader.open(file, &limits)?.drawn(1))
        .and_then(picture)
        .map_err(|fault| fault.at(args.live.display()))?;
    let outcome = matcher.compare(&portrait, &live);
    if args.json {
        println!("{}", record(&outcome, matcher.as_ref()));
    } else {
        print!("{}", describe(&outcome, matcher.as_ref()));
    }
    Ok(u8::from(outcome.is_err()))
}

/// A file that stays where it is until the decoder reads it. A pipe is not even opened: nobody waits for its writer.
fn plain(path: &Path) -> Outcome<Original> {
    let unreadable = |e: std::io::Error| Fault::new(&UNREADABLE).detail(e.kind());
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Fault::new(&UNREADABLE).detail("not a plain file"));
    }
    Original::file(File::open(path).map_err(unreadable)?)
}

#[cfg(feature = "face")]
fn matcher(model: &Path, threshold: Option<f64>) -> Outcome<Box<dyn FaceMatcher>> {
    use crate::chip::face::matcher::{THRESHOLD, TinyMatcher};
    Ok(Box::new(TinyMatcher::load(model, threshold.unwrap_or(THRESHOLD))?))
}

#[cfg(not(feature = "face"))]
fn matcher(_: &Path, _: Option<f64>) -> Outcome<Box<dyn FaceMatcher>> {
    Err(Fault::new(&NO_MATCHER_BUILT))
}

fn picture(samples: Samples) -> Outcome<Picture> {
    let bad = |e: NoPicture| Fault::new(&NO_PICTURE).detail(e);
    Picture::new(samples.width, samples.height, samples.bytes).map_err(bad)
}

fn threshold(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "a number, such as 0.5".to_owned())?;
    if value > 0.0 && value <= 1.0 { Ok(value) } else { Err("more than 0 and at most 1".to_owned()) }
}

type Compared = Result<Comparison, FaceError>;

/// The record: what was compared by which model, or why nothing was. It holds no face.
fn record(outcome: &Compared, matcher: &dyn FaceMatcher) -> serde_json::Value {
    let (vi, en) = sentence(outcome);
    match outcome {
        Ok(comparison) => serde_json::json!({"comparison": comparison, "vi": vi, "en": en}),
        Err(error) => {
            serde_json::json!({"comparison": null, "why": error, "model": matcher.model(), "vi": vi, "en": en})
        }
    }
}

/// For people: what was found, and beneath it always that nothing was decided.
fn describe(outcome: &Compared, matcher: &dyn FaceMatcher) -> String {
    let (vi, en) = sentence(outcome);
    let mut out = format!("{vi}.\n{en}.\n");
    if let Ok(comparison) = outcome {
        let (portrait, live) = (&comparison.portrait, &comparison.live);
        let _ = writeln!(out, "  {:<44} {}", "Ảnh trong chip / portrait of the chip", seen(portrait));
        let _ = writeln!(out, "  {:<44} {}", "Ảnh vừa chụp / picture taken now", seen(live));
    }
    let _ = writeln!(out, "  {:<44} {}", "Mô hình / model", matcher.model().name);
    out
}

fn sentence(outcome: &Compared) -> (String, String) {
    outcome.as_ref().map_or_else(FaceError::sentence, Comparison::sentence)
}

fn seen(face: &Seen) -> String {
    let notes = face.notes.iter().map(|note| match note {
        Note::Small => "ít điểm ảnh / few pixels",
        Note::Soft => "hơi mờ / soft",
        Note::Dark => "quá tối / dark",
        Note::Bright => "quá sáng / glaring",
        Note::CutOff => "bị cắt mép / cut off",
        Note::Unsure => "không chắc là khuôn mặt / not surely a face",
    });
    let notes: Vec<&str> = notes.collect();
    let notes = if notes.is_empty() { "rõ / clear".to_owned() } else { notes.join(", ") };
    format!("{} px, {notes}", face.pixels)
}

/// All faults of this door.
pub const CODES: &[&Code] = &[&NO_MATCHER_BUILT, &NO_PICTURE];

/// This program was built without a matcher.
pub const NO_MATCHER_BUILT: Code = Code {
    id: "FACE-010",
    class: Class::Setup,
    vi: "Bản hoso này được dựng không kèm phần so khuôn mặt",
    en: "this build of hoso has no face matcher",
    remedy_vi: "So hai ảnh bằng mắt (hoso identity portrait), hoặc dùng bản dựng với: cargo build --features face",
    remedy_en: "compare both pictures by eye (hoso identity portrait), or use one built with: cargo build --features face",
};

/// The decoder's picture is none that a matcher takes.
pub const NO_PICTURE: Code = Code {
    id: "FACE-011",
    class: Class::Input,
    vi: "Ảnh quá lớn để so khuôn mặt",
    en: "the picture is too large to look for a face",
    remedy_vi: "Chụp lại với ảnh nhỏ hơn 50 triệu điểm ảnh",
    remedy_en: "take it again with fewer than 50 million pixels",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chip::face::{ASSISTS, Decision, Hint, Liveness, ModelId, Which};

    struct Model(ModelId);

    impl FaceMatcher for Model {
        fn model(&self) -> &ModelId {
            &self.0
        }
        fn compare(&self, _: &Picture, _: &Picture) -> Compared {
            Err(FaceError::NoFace { picture: Which::Live })
        }
    }

    fn model() -> Model {
        Model(ModelId { name: "a model".to_owned(), files: Vec::new(), licence: "MIT".to_owned() })
    }

    fn compared(distance: f64, hint: Hint) -> Compared {
        let seen = Seen { sure: 0.9, pixels: 200, sharpness: 0.3, notes: Vec::new() };
        Ok(Comparison {
            model: model().0,
            distance,
            threshold: 0.5,
            hint,
            portrait: seen.clone(),
            live: Seen { notes: vec![Note::Soft, Note::CutOff], ..seen },
            liveness: Liveness::NotChecked,
            decision: Decision::Person,
        })
    }

    #[test]
    fn a_record_says_model_threshold_and_distance_and_that_a_person_decides() {
        let json = record(&compared(0.42, Hint::Near), &model());
        assert_eq!(json["comparison"]["distance"], 0.42);
        assert_eq!(json["comparison"]["model"]["name"], "a model");
        assert_eq!(json["comparison"]["decision"], "person");
        assert!(json["en"].as_str().unwrap().ends_with(ASSISTS.1));
    }

    #[test]
    fn where_nothing_was_compared_the_record_names_the_reason_and_no_distance() {
        let outcome = Err(FaceError::SeveralFaces { picture: Which::Live, found: 2 });
        let json = record(&outcome, &model());
        assert!(json["comparison"].is_null());
        assert_eq!(json["why"]["outcome"], "several_faces");
        assert_eq!(json["model"]["name"], "a model");
        assert!(!json.to_string().contains("distance"));
    }

    #[test]
    fn a_clerk_reads_what_was_seen_and_that_it_only_assists() {
        for outcome in [compared(0.42, Hint::Near), compared(0.8, Hint::Far)] {
            let text = describe(&outcome, &model());
            assert!(
                text.contains("hơi mờ / soft, bị cắt mép / cut off") && text.contains("rõ / clear"),
                "{text}"
            );
            assert!(text.contains(ASSISTS.0) && text.contains(ASSISTS.1), "{text}");
        }
    }

    #[test]
    fn a_threshold_is_more_than_nothing_and_at_most_one() {
        assert_eq!(threshold("0.45"), Ok(0.45));
        for text in ["0", "-1", "1.01", "NaN", "inf", "", "half"] {
            assert!(threshold(text).is_err(), "{text}");
        }
    }

    #[cfg(not(feature = "face"))]
    #[test]
    fn a_build_without_a_matcher_says_so() {
        assert_eq!(matcher(Path::new("."), None).err().unwrap().code, &NO_MATCHER_BUILT);
    }
}
