//! The matcher that can be had: detector and recogniser of the npm package `@vladmandic/face-api`, which
//! `scripts/face-model` fetches. Their weights are on a list of digests; nothing else is loaded.
//!
//! The package's landmark networks stay out: it does not say which pictures they were trained on, and the usual ones may
//! not be used commercially. The square for the recogniser is taken from the detector's box instead.

use super::crop::Square;
use super::detector::{Detector, Found};
use super::quality::quality;
use super::recogniser::{INPUT, Recogniser};
use super::weights::{Broken, MOST_MANIFEST, MOST_NUMBERS, Weights};
use super::{
    Comparison, Decision, FaceError, FaceMatcher, Hint, Liveness, MODEL_ABSENT, MODEL_BROKEN, MODEL_CHANGED,
    ModelFile, ModelId, Note, Picture, Seen, Which,
};
use crate::digest::Sha256;
use crate::fault::{Fault, Outcome};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Detector and recogniser, ready.
pub struct TinyMatcher {
    detector: Detector,
    recogniser: Recogniser,
    model: ModelId,
    threshold: f64,
}

/// What distances are held against where nobody says otherwise. The makers of the recogniser name 0.6 for faces that were
/// cut out by landmarks; with squares from the box the few pictures of two persons that were tried reached down to 0.5,
/// and a wrong "near" does more harm at a desk than a wrong "far".
pub const THRESHOLD: f64 = 0.5;

/// The files of the model with their digests (`@vladmandic/face-api` 1.7.15, folder `model`), the networks in order.
const FILES: [(&str, u64, &str); 4] = [
    (
        "tiny_face_detector_model-weights_manifest.json",
        MOST_MANIFEST,
        "5d1af4849ac48d5b985f4a9b16010c512353ddd6fcc63d50fd0bc9e9e64296e5",
    ),
    (
        "tiny_face_detector_model.bin",
        MOST_NUMBERS,
        "b7503ce7df31039b1c43316a9b865cab6a70dd748cc602d3fa28b551503c3871",
    ),
    (
        "face_recognition_model-weights_manifest.json",
        MOST_MANIFEST,
        "cbaffa501b0b9275a12b63357a6843e7e30c054e1c9151e1a5f879b26e32986b",
    ),
    (
        "face_recognition_model.bin",
        MOST_NUMBERS,
        "b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589",
    ),
];
const NAME: &str = "@vladmandic/face-api 1.7.15: tiny_face_detector, face_recognition; square from the box";
const LICENCE: &str = "MIT";

/// The square of a face, measured against its box: its side in heights of the box, and how far its centre lies above
/// that of the box. What the package's own landmarks give on pictures where both were tried, in the middle.
const SIDE: f64 = 0.92;
const ABOVE: f64 = 0.065;

/// Least pixels across a face. With fewer the recogniser looks at pixels that were made up.
const LEAST_PIXELS: u32 = 60;
/// Least detail, and what is still soft. Good portraits had 0.2 to 0.6; blurred (Gauss) by 2 % of the face's height they
/// had 0.04 to 0.06, and the distance of one and the same picture to itself was 0.4.
const LEAST_SHARPNESS: f64 = 0.05;
const SOFT: f64 = 0.1;
/// Part of a face that may be black or white before it is noted.
const DARK: f64 = 0.5;
const BRIGHT: f64 = 0.25;
/// The detector is not very sure below this.
const UNSURE: f64 = 0.6;

impl TinyMatcher {
    /// Loads the model from a folder. `threshold` is what distances are held against.
    ///
    /// # Errors
    /// A file is absent ([`MODEL_ABSENT`]) or not the one that was examined ([`MODEL_CHANGED`]).
    pub fn load(folder: &Path, threshold: f64) -> Outcome<TinyMatcher> {
        let [a, b, c, d] = FILES.map(|file| examined(folder, file));
        let broken = |e: Broken| Fault::new(&MODEL_BROKEN).detail(e);
        let detector = Weights::parse(&a?, &b?).and_then(Detector::new).map_err(broken)?;
        let recogniser = Weights::parse(&c?, &d?).and_then(Recogniser::new).map_err(broken)?;
        let files = FILES.iter().filter_map(|(name, _, digest)| {
            Some(ModelFile { name: (*name).to_owned(), sha256: digest.parse().ok()? })
        });
        let model = ModelId { name: NAME.to_owned(), files: files.collect(), licence: LICENCE.to_owned() };
        Ok(TinyMatcher { detector, recogniser, model, threshold })
    }

    /// The one face of a picture.
    fn face(&self, picture: &Picture, which: Which) -> Result<(Square, Seen), FaceError> {
        let found = self.detector.find(picture);
        let face = match found[..] {
            [] => return Err(FaceError::NoFace { picture: which }),
            [face] => face,
            _ => {
                return Err(FaceError::SeveralFaces {
                    picture: which,
                    found: u32::try_from(found.len()).unwrap_or(u32::MAX),
                });
            }
        };
        let pixels = face.width.min(face.height).max(0.0) as u32;
        if pixels < LEAST_PIXELS {
            return Err(FaceError::TooSmall { picture: which, pixels, least: LEAST_PIXELS });
        }
        let square = square(&face);
        let measured = quality(picture, square);
        if measured.sharpness < LEAST_SHARPNESS {
            return Err(FaceError::Blurred { picture: which });
        }
        let outside = square.x < 0
            || square.y < 0
            || square.x + i64::from(square.side) > i64::from(picture.width())
            || square.y + i64::from(square.side) > i64::from(picture.height());
        let notes = [
            (square.side < INPUT as u32, Note::Small),
            (measured.sharpness < SOFT, Note::Soft),
            (measured.dark > DARK, Note::Dark),
            (measured.bright > BRIGHT, Note::Bright),
            (outside, Note::CutOff),
            (face.score < UNSURE, Note::Unsure),
        ];
        let notes = notes.into_iter().filter_map(|(holds, note)| holds.then_some(note)).collect();
        Ok((square, Seen { sure: face.score, pixels, sharpness: measured.sharpness, notes }))
    }
}

impl FaceMatcher for TinyMatcher {
    fn model(&self) -> &ModelId {
        &self.model
    }

    fn compare(&self, portrait: &Picture, live: &Picture) -> Result<Comparison, FaceError> {
        let (a, seen_a) = self.face(portrait, Which::Portrait)?;
        let (b, seen_b) = self.face(live, Which::Live)?;
        let distance = self.recogniser.describe(portrait, a).distance(&self.recogniser.describe(live, b));
        Ok(Comparison {
            model: self.model.clone(),
            distance,
            threshold: self.threshold,
            hint: if distance <= self.threshold { Hint::Near } else { Hint::Far },
            portrait: seen_a,
            live: seen_b,
            liveness: Liveness::NotChecked,
            decision: Decision::Person,
        })
    }
}

/// The square that the recogniser looks at. Height counts and not width: a box around a head that is turned is wide.
fn square(face: &Found) -> Square {
    // No picture has 16,385 pixels on a side; a box may say so.
    let side = (face.height * SIDE).round().clamp(1.0, 16_384.0);
    let edge = |centre: f64| (centre - side / 2.0).round().clamp(-32_768.0, 32_768.0) as i64;
    Square {
        x: edge(face.x + face.width / 2.0),
        y: edge(face.y + face.height * (0.5 - ABOVE)),
        side: side as u32,
    }
}

/// A file of the model, whose digest is the expected one.
fn examined(folder: &Path, (name, most, digest): (&str, u64, &str)) -> Outcome<Vec<u8>> {
    let path = folder.join(name);
    let mut bytes = Vec::new();
    File::open(&path)
        .and_then(|file| file.take(most + 1).read_to_end(&mut bytes))
        .map_err(|e| Fault::new(&MODEL_ABSENT).detail(e.kind()).at(path.display()))?;
    if digest.parse() == Ok(Sha256::of(&bytes)) {
        Ok(bytes)
    } else {
        Err(Fault::new(&MODEL_CHANGED).at(path.display()))
    }
}

#[cfg(test)]
mod tests;
