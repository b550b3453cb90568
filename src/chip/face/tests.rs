//! What the seam promises whatever model stands behind it.

use super::*;

fn comparison(distance: f64, hint: Hint) -> Comparison {
    let seen = || Seen { sure: 0.9, pixels: 200, sharpness: 0.3, notes: vec![Note::Soft] };
    let files = vec![ModelFile { name: "weights.bin".to_owned(), sha256: Sha256::of(b"weights") }];
    Comparison {
        model: ModelId { name: "test".to_owned(), files, licence: "MIT".to_owned() },
        distance,
        threshold: 0.6,
        hint,
        portrait: seen(),
        live: seen(),
        liveness: Liveness::NotChecked,
        decision: Decision::Person,
    }
}

#[test]
fn every_outcome_says_that_it_assists_that_a_person_decides_and_that_liveness_was_not_checked() {
    let picture = Which::Live;
    let mut all = vec![comparison(0.42, Hint::Near).sentence(), comparison(0.7, Hint::Far).sentence()];
    all.extend(
        [
            FaceError::NoFace { picture },
            FaceError::SeveralFaces { picture, found: 2 },
            FaceError::TooSmall { picture, pixels: 20, least: 60 },
            FaceError::Blurred { picture: Which::Portrait },
        ]
        .map(|e| e.sentence()),
    );
    for (vi, en) in all {
        assert!(vi.contains("chỉ là gợi ý") && vi.contains("quyết định"), "{vi}");
        assert!(vi.contains("Chưa kiểm tra đây có phải người thật"), "{vi}");
        assert!(en.contains("only assists") && en.contains("decides"), "{en}");
        assert!(en.contains("living person who is present was not checked"), "{en}");
        for word in ["khớp", "trùng khớp", "match", "same person", "genuine"] {
            assert!(!vi.contains(word) && !en.contains(word), "{word}");
        }
    }
}

#[test]
fn a_comparison_records_distance_threshold_model_and_who_decides() {
    let json = serde_json::to_value(comparison(0.42, Hint::Near)).unwrap();
    assert_eq!(json["distance"], 0.42);
    assert_eq!(json["threshold"], 0.6);
    assert_eq!(json["hint"], "near");
    assert_eq!(json["liveness"], "not_checked");
    assert_eq!(json["decision"], "person");
    assert_eq!(json["model"]["files"][0]["sha256"], hex::encode(Sha256::of(b"weights").0));
    let back: Comparison = serde_json::from_value(json).unwrap();
    assert_eq!(back, comparison(0.42, Hint::Near));
}

#[test]
fn what_cannot_be_compared_holds_no_distance() {
    let error = FaceError::SeveralFaces { picture: Which::Live, found: 3 };
    let json = serde_json::to_value(error).unwrap();
    assert_eq!(json, serde_json::json!({"outcome": "several_faces", "picture": "live", "found": 3}));
}

#[test]
fn a_picture_that_does_not_fit_its_bytes_is_refused_and_none_shows_its_pixels() {
    assert!(Picture::new(2, 2, vec![0; 12]).is_ok());
    for (width, height, bytes) in
        [(2, 2, 11), (2, 2, 13), (0, 0, 0), (0, 5, 0), (16_385, 1, 49_155), (u32::MAX, u32::MAX, 3)]
    {
        assert!(Picture::new(width, height, vec![0; bytes]).is_err(), "{width} x {height}");
    }
    let picture = Picture::new(1, 1, vec![201, 202, 203]).unwrap();
    assert_eq!(format!("{picture:?}"), "Picture(1 x 1)");
    assert_eq!(
        (picture.pixel(0, 0), picture.pixel(1, 0), picture.pixel(0, -1)),
        ([201, 202, 203], [0; 3], [0; 3])
    );
}
