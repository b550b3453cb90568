//! The matcher with its model, where it is there, and against the package that the model comes from.

use super::super::recogniser::Descriptor;
use super::*;
use std::path::PathBuf;
use std::time::Instant;

/// The model, or a reason printed.
fn matcher() -> Option<TinyMatcher> {
    let Some(folder) = std::env::var_os("HOSO_FACE_MODEL") else {
        eprintln!("skipped: HOSO_FACE_MODEL names no folder made by scripts/face-model");
        return None;
    };
    Some(TinyMatcher::load(Path::new(&folder), THRESHOLD).unwrap())
}

/// What the package itself made of some pictures, and the pictures, or a reason printed.
fn judge() -> Option<(PathBuf, serde_json::Map<String, serde_json::Value>)> {
    let Some(folder) = std::env::var_os("HOSO_FACE_JUDGE").map(PathBuf::from) else {
        eprintln!("skipped: HOSO_FACE_JUDGE names no folder made by scripts/face-judge");
        return None;
    };
    let json = std::fs::read(folder.join("judge.json")).unwrap();
    Some((folder, serde_json::from_slice(&json).unwrap()))
}

fn ppm(path: &Path) -> Picture {
    let bytes = std::fs::read(path).unwrap();
    let mut words = bytes.splitn(4, u8::is_ascii_whitespace);
    let mut word = || words.next().unwrap();
    assert_eq!(word(), b"P6");
    let mut number = || std::str::from_utf8(word()).unwrap().parse().unwrap();
    let (width, height) = (number(), number());
    let rgb = words.next().unwrap().strip_prefix(b"255\n").unwrap();
    Picture::new(width, height, rgb.to_vec()).unwrap()
}

fn numbers(json: &serde_json::Value) -> Vec<f64> {
    json.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

/// Every `step`-th pixel of a picture.
fn shrunk(picture: &Picture, step: u32) -> Picture {
    let (width, height) = (picture.width() / step, picture.height() / step);
    let at = |n: u32| picture.pixel(i64::from(n % width * step), i64::from(n / width * step));
    Picture::new(width, height, (0..width * height).flat_map(at).collect()).unwrap()
}

/// Each pixel the mean of a square around it.
fn blurred(picture: &Picture, reach: i64) -> Picture {
    let mean = |x: i64, y: i64| {
        let mut sums = [0_u32; 3];
        for dy in -reach..=reach {
            for dx in -reach..=reach {
                picture
                    .pixel(x + dx, y + dy)
                    .iter()
                    .zip(&mut sums)
                    .for_each(|(v, sum)| *sum += u32::from(*v));
            }
        }
        sums.map(|sum| (sum / (2 * reach as u32 + 1).pow(2)) as u8)
    };
    let (width, height) = (picture.width(), picture.height());
    let all = (0..i64::from(height)).flat_map(|y| (0..i64::from(width)).map(move |x| (x, y)));
    Picture::new(width, height, all.flat_map(|(x, y)| mean(x, y)).collect()).unwrap()
}

#[test]
fn a_file_that_was_not_examined_is_not_loaded() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(TinyMatcher::load(folder.path(), THRESHOLD).err().unwrap().code, &MODEL_ABSENT);
    for (name, ..) in FILES {
        std::fs::write(folder.path().join(name), b"[]").unwrap();
    }
    assert_eq!(TinyMatcher::load(folder.path(), THRESHOLD).err().unwrap().code, &MODEL_CHANGED);
}

#[test]
fn one_bit_in_the_weights_and_the_model_is_not_loaded() {
    let Some(source) = std::env::var_os("HOSO_FACE_MODEL") else {
        eprintln!("skipped: HOSO_FACE_MODEL names no folder made by scripts/face-model");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for (name, ..) in FILES {
        std::fs::copy(Path::new(&source).join(name), folder.path().join(name)).unwrap();
    }
    assert!(TinyMatcher::load(folder.path(), THRESHOLD).is_ok());
    for (name, ..) in FILES {
        let path = folder.path().join(name);
        let whole = std::fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let fault = TinyMatcher::load(folder.path(), THRESHOLD).err().unwrap();
        assert_eq!(fault.code, &MODEL_CHANGED);
        assert!(fault.place.unwrap().contains(name));
        std::fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn the_square_lies_on_the_box_and_no_box_makes_it_endless() {
    let face = Found { score: 0.9, x: 100.0, y: 200.0, width: 300.0, height: 100.0 };
    assert_eq!(square(&face), Square { x: 204, y: 198, side: 92 });
    let wild = Found { score: 0.9, x: -1e300, y: 1e300, width: 1e-9, height: 1e300 };
    assert_eq!(square(&wild), Square { x: -32_768, y: 32_768, side: 16_384 });
}

#[test]
fn a_wall_has_no_face() {
    let Some(matcher) = matcher() else { return };
    let wall = Picture::new(400, 300, vec![180; 360_000]).unwrap();
    let error = matcher.compare(&wall, &wall).err();
    assert_eq!(error, Some(FaceError::NoFace { picture: Which::Portrait }));
    assert_eq!(matcher.model().files.len(), FILES.len());
}

#[test]
fn the_package_itself_finds_the_same_faces_and_describes_them_alike() {
    let (Some(matcher), Some((folder, judged))) = (matcher(), judge()) else { return };
    let (mut places, mut numbers_apart, mut distances) = (0.0_f64, 0.0_f64, 0.0_f64);
    let mut persons: Vec<(String, Descriptor, Vec<f64>)> = Vec::new();
    for (name, theirs) in &judged {
        let picture = ppm(&folder.join(name));
        let (theirs, ours) = (theirs.as_array().unwrap(), matcher.detector.find(&picture));
        assert_eq!(ours.len(), theirs.len(), "{name}");
        for (ours, theirs) in ours.iter().zip(theirs) {
            let box_ = [ours.x, ours.y, ours.width, ours.height, ours.score];
            for (a, b) in box_.iter().zip(numbers(&theirs["box"])) {
                places = places.max((a - b).abs());
            }
            let [x, y, side] = numbers(&theirs["square"])[..] else { panic!("a square") };
            let given = Square { x: x as i64, y: y as i64, side: side as u32 };
            let own = square(ours);
            assert!((own.x - given.x).abs() <= 1 && (own.y - given.y).abs() <= 1, "{own:?} {given:?}");
            let descriptor = matcher.recogniser.describe(&picture, given);
            let theirs = numbers(&theirs["descriptor"]);
            assert_eq!(descriptor.values().len(), theirs.len());
            for (a, b) in descriptor.values().iter().zip(&theirs) {
                numbers_apart = numbers_apart.max((f64::from(*a) - b).abs());
            }
            persons.push((name.clone(), descriptor, theirs));
        }
    }
    let (mut same, mut other) = (Vec::new(), Vec::new());
    // Pictures are named by person, `a-1.ppm`; several faces of one picture are several persons.
    let person = |name: &str| name.split(['-', '.']).next().unwrap_or_default().to_owned();
    for (nth, (a, ours_a, theirs_a)) in persons.iter().enumerate() {
        for (b, ours_b, theirs_b) in &persons[nth + 1..] {
            let theirs = theirs_a.iter().zip(theirs_b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
            let ours = ours_a.distance(ours_b);
            distances = distances.max((ours - theirs).abs());
            if a != b && person(a) == person(b) { same.push(ours) } else { other.push(ours) }
        }
    }
    same.sort_by(f64::total_cmp);
    other.sort_by(f64::total_cmp);
    let near = |all: &[f64], limit: f64| all.iter().filter(|d| **d <= limit).count();
    println!(
        "{} faces; most apart: boxes {places:.1e}, numbers {numbers_apart:.1e}, distances {distances:.1e}",
        persons.len()
    );
    println!("one person: {same:.2?}");
    println!("two persons: {} pairs, nearest {:.2?}", other.len(), &other[..other.len().min(5)]);
    for limit in [THRESHOLD, 0.6] {
        let (a, b) = (near(&same, limit), near(&other, limit));
        println!("at {limit}: {a} of {} near, {b} of {} near though two persons", same.len(), other.len());
    }
    // The order of additions is another; the pictures, the weights and the layers are not.
    assert!(places < 0.01 && numbers_apart < 1e-3 && distances < 1e-3);
    assert!(!persons.is_empty());
}

#[test]
fn each_picture_that_is_not_one_good_face_is_an_outcome_of_its_own() {
    let (Some(matcher), Some((folder, judged))) = (matcher(), judge()) else { return };
    let one = ppm(&folder.join("astronaut.ppm"));
    let picture = Which::Live;
    let against = |live: &Picture| matcher.compare(&one, live).err();
    let (name, many) = judged.iter().find(|(_, faces)| faces.as_array().unwrap().len() > 1).unwrap();
    let found = many.as_array().unwrap().len() as u32;
    assert_eq!(against(&ppm(&folder.join(name))), Some(FaceError::SeveralFaces { picture, found }));
    let wall = Picture::new(300, 300, vec![90; 270_000]).unwrap();
    assert_eq!(against(&wall), Some(FaceError::NoFace { picture }));
    assert!(matches!(against(&shrunk(&one, 3)), Some(FaceError::TooSmall { pixels: 30..50, .. })));
    assert_eq!(against(&blurred(&one, 4)), Some(FaceError::Blurred { picture }));

    let began = Instant::now();
    let itself = matcher.compare(&one, &one).unwrap();
    println!("one comparison takes {:?}", began.elapsed());
    assert_eq!((itself.distance, itself.hint), (0.0, Hint::Near));
    assert_eq!(itself.portrait.notes, [Note::Small]);
    let again = matcher.compare(&one, &shrunk(&one, 1)).unwrap();
    assert_eq!(again, itself);
}
