//! What a clerk and a citizen see of a signature: every profile on pages of every shape, rendered by MuPDF and poppler and
//! compared by pixels, and before the judges of signatures and PDF/A (`scripts/judges.py`).
//!
//! `HOSO_LOOKS=DIR` keeps the files and their renderings there, to be looked at.

#[path = "looks/paper.rs"]
mod paper;
#[path = "looks/print.rs"]
mod print;

use hoso::pdf::revise::{Document, Rect, Revision, Value};
use hoso::seal::appearance::{self, AppearanceFacts};
use hoso::seal::key::SoftKey;
use hoso::seal::profile::SignatureProfile;
use hoso::seal::sign::sign;
use jiff::Timestamp;
use paper::{decision, letter, scribble, shapes};
use print::Print;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

/// Profiles with a place of their own on an empty page, and the box in millimetres from the upper left corner of an A4
/// page in which everything they draw has to lie.
const PLACES: &[(&str, [f64; 4])] = &[
    ("intake_scan", [8.0, 8.0, 74.0, 22.0]),
    ("sao_y", [126.0, 8.0, 202.0, 32.0]),
    ("sao_luc", [126.0, 8.0, 202.0, 32.0]),
    ("trich_sao", [126.0, 8.0, 202.0, 32.0]),
    ("annex", [126.0, 8.0, 202.0, 27.0]),
    ("result_person", [130.0, 227.0, 185.0, 252.0]),
    ("result_agency", [91.0, 241.0, 195.0, 277.0]),
];

#[test]
fn every_profile_is_upright_and_in_its_place_on_a_page_of_every_shape() {
    let desk = &*DESK;
    for (profile, place) in PLACES {
        let mut first: Option<[Option<Print>; 2]> = None;
        // The three copies differ in a word alone: one of them is looked at on every shape.
        let shapes = shapes().into_iter().take(if profile.starts_with("sao_l") || *profile == "trich_sao" {
            1
        } else {
            99
        });
        for (shape, pdf) in shapes {
            let name = format!("{profile}-{shape}");
            let signed =
                desk.sign(&pdf, profile, "person", &facts()).unwrap_or_else(|f| panic!("{name}: {f}"));
            sound(&signed, &name);
            let file = desk.file(&format!("{name}.pdf"), &signed);
            let prints = [desk.mutool(&file, 1), desk.poppler(&file, 1)];
            let Some(first) = &first else {
                for print in prints.iter().flatten() {
                    let ink = print.ink().unwrap_or_else(|| panic!("{name}: nothing is seen"));
                    let inside = ink[0] >= place[0] - 0.5
                        && ink[1] >= place[1] - 0.5
                        && ink[2] <= place[2] + 0.5
                        && ink[3] <= place[3] + 0.5;
                    assert!(inside, "{name}: ink at {ink:?}, wanted within {place:?}");
                }
                first = Some(prints);
                continue;
            };
            for (print, plain) in prints.iter().zip(first) {
                let (Some(print), Some(plain)) = (print, plain) else { continue };
                // poppler shows a page with a /UserUnit in its plain units, only smaller.
                if print.size() != plain.size() && shape == "unit" {
                    continue;
                }
                let apart = print.apart(plain);
                assert!(apart < 0.12, "{name}: {:.1}% of the ink is elsewhere", apart * 100.0);
            }
        }
    }
    desk.judge();
}

#[test]
fn person_then_agency_on_one_result_and_nobodys_words_are_covered() {
    let desk = &*DESK;
    for (kind, agency_png) in [("ring", None), ("picture", Some(paper::seal()))] {
        let pdf = decision();
        let facts = AppearanceFacts { seal_png: agency_png, ..facts() };
        let one = desk.sign(&pdf, "result_person", "person", &facts).unwrap();
        let two = desk.sign(&one, "result_agency", "agency", &facts).unwrap();
        assert!(two.starts_with(&one));
        sound(&two, kind);
        let [person, agency] = rects(&two).try_into().unwrap();
        assert!(agency.intersection(&person).is_some());
        let bare = desk.file(&format!("result-{kind}-0.pdf"), &pdf);
        let file = desk.file(&format!("result-{kind}.pdf"), &two);
        let (Some(bare), Some(print)) = (desk.mutool(&bare, 1), desk.mutool(&file, 1)) else { continue };
        // Every dark pixel of the decision is still dark, and the name and the title are bare of red and blue.
        assert_eq!(print.lost(&bare), 0, "{kind}");
        let blue = print.colored(|[r, g, b]| b > 120 && r < 120 && g < 140).unwrap();
        let red = print.colored(|[r, g, b]| r > 150 && g < 110 && b < 110).unwrap();
        // The name's line begins at 247 mm, its title ends at 214; both are centred on 150 mm.
        assert!(blue[1] > 213.0 && blue[3] < 244.0, "{kind}: signature at {blue:?}");
        assert!(((blue[0] + blue[2]) / 2.0 - 150.0).abs() < 3.0, "{kind}: signature at {blue:?}");
        let [from, to] = [person.x0, person.x1].map(|x| x / 72.0 * 25.4);
        let share = (red[2] - from) / (to - from);
        assert!((0.28..0.38).contains(&share), "{kind}: a share of {share}");
        let diameter = red[2] - red[0];
        assert!((32.0..37.0).contains(&diameter), "{kind}: real size, {red:?}");
        assert!(red[0] < blue[0] && red[2] > blue[0] && red[2] < blue[2], "{kind}: {red:?} {blue:?}");
    }
    desk.judge();
}

#[test]
fn a_stamp_goes_around_the_words_of_a_page_and_a_full_page_takes_none() {
    let desk = &*DESK;
    let facts = facts();
    for profile in ["intake_scan", "sao_y", "annex"] {
        let signed = desk.sign(&decision(), profile, "person", &facts).unwrap();
        let bare = desk.file(&format!("words-{profile}-0.pdf"), &decision());
        let file = desk.file(&format!("words-{profile}.pdf"), &signed);
        let (Some(bare), Some(print)) = (desk.mutool(&bare, 1), desk.mutool(&file, 1)) else { continue };
        assert_eq!(print.lost(&bare), 0, "{profile}");
        let added = print.ink().unwrap();
        assert!(added[1] < 20.0, "{profile}: near the top edge, {added:?}");
    }
    // A digitiser's stamp is no signature to be sealed over: the seal finds its own place.
    let one = desk.sign(&letter(290.0), "intake_scan", "person", &facts).unwrap();
    let two = desk.sign(&one, "result_agency", "agency", &facts).unwrap();
    let [stamp, seal] = rects(&two).try_into().unwrap();
    assert!(stamp.intersection(&seal).is_none() && seal.y1 < 421.0, "{seal:?}");
    // A letter that fills its page: a person has to look.
    let full = desk.sign(&letter(2.0), "intake_scan", "person", &facts).unwrap_err();
    assert_eq!(full.code.id, "SEAL-040");
    let qr = AppearanceFacts { occupied: vec![Rect::new(15.0, 750.0, 95.0, 830.0)], ..facts };
    let around = desk.sign(&letter(90.0), "intake_scan", "person", &qr).unwrap();
    let rect = rects(&around)[0];
    assert!(qr.occupied.iter().all(|there| there.intersection(&rect).is_none()));
    desk.file("around-a-qr.pdf", &around);
    desk.judge();
}

#[test]
fn a_long_name_in_any_form_of_unicode_is_the_same_stamp() {
    let desk = &*DESK;
    let pdf = letter(90.0);
    let composed = "Công Tằng Tôn Nữ Thị Nguyễn Phúc Huyền Trân Hoàng Thị Ngọc Diễm";
    let decomposed: String = unicode_normalization::UnicodeNormalization::nfd(composed).collect();
    assert_ne!(composed, decomposed);
    let draw = |name: &str| {
        let facts = AppearanceFacts { name: name.into(), ..facts() };
        let document = Document::open(&pdf).unwrap();
        let look = SignatureProfile::built_in("intake_scan").unwrap().look.unwrap();
        let mut revision = Revision::new(&document).unwrap();
        appearance::draw(&mut revision, &document.page(0).unwrap(), &look, &facts, at())?;
        Ok::<_, hoso::fault::Fault>(revision.finish().unwrap().bytes)
    };
    assert_eq!(draw(composed).unwrap(), draw(&decomposed).unwrap());
    assert_eq!(draw(&composed.repeat(5)).unwrap_err().code.id, "SEAL-041");
    let facts = AppearanceFacts { name: decomposed, ..facts() };
    desk.file("long-name.pdf", &desk.sign(&pdf, "intake_scan", "person", &facts).unwrap());
    desk.judge();
}

#[test]
fn a_prepared_field_is_filled_where_it_is() {
    let desk = &*DESK;
    for (turn, rect) in [(0, [300.0, 100.0, 540.0, 190.0]), (90, [100.0, 200.0, 190.0, 440.0])] {
        let pdf = paper::turned(turn);
        let document = Document::open(&pdf).unwrap();
        let page = document.page(0).unwrap();
        let look = SignatureProfile::built_in("result_agency").unwrap().look.unwrap();
        let mut revision = Revision::new(&document).unwrap();
        let rect = Rect::new(rect[0], rect[1], rect[2], rect[3]);
        let form = appearance::draw_into(&mut revision, &page, rect, &look, &facts(), at()).unwrap();
        let stamp = format!(
            "<</Type/Annot/Subtype/Stamp/F 4/Rect[{} {} {} {}]/AP<</N {}>>>>",
            rect.x0, rect.y0, rect.x1, rect.y1, form
        );
        let stamp = revision.add(stamp.into_bytes());
        revision.add_annotation(&page, stamp).unwrap();
        let whole = [pdf.as_slice(), &revision.finish().unwrap().bytes].concat();
        let file = desk.file(&format!("field-{turn}.pdf"), &whole);
        for print in [desk.mutool(&file, 1), desk.poppler(&file, 1)].iter().flatten() {
            let red = print.colored(|[r, g, b]| r > 150 && g < 110 && b < 110).unwrap();
            let (width, height) = (red[2] - red[0], red[3] - red[1]);
            assert!((width - height).abs() < 1.0 && width > 20.0, "a round seal, {red:?}");
            let ink = print.ink().unwrap();
            assert!(ink[2] - ink[0] > 60.0 && ink[3] - ink[1] < 34.0, "upright, {ink:?}");
        }
    }
}

/// Our own look at every signature widget of a file: PDF/A-2's rules for annotations, and what its appearance needs.
fn sound(pdf: &[u8], name: &str) {
    let document = Document::open(pdf).unwrap();
    for field in document.fields().unwrap() {
        let flags = field.dict.get(b"F").and_then(Value::as_int);
        assert_eq!(flags, Some(4 | 128), "{name}: Print and Locked, neither Hidden nor NoView");
        let Value::Dict(faces) = document.lookup(&field.dict, b"AP").unwrap() else {
            panic!("{name}: no /AP")
        };
        let keys: Vec<&[u8]> = faces.iter().map(|(key, _)| key).collect();
        assert_eq!(keys, [b"N"], "{name}");
        let form = document.lookup(&faces, b"N").unwrap();
        let form = form.as_dict().unwrap();
        assert!(form.get(b"Group").is_none(), "{name}: a transparency group has no blending space here");
        let Value::Dict(resources) = document.lookup(form, b"Resources").unwrap() else { panic!() };
        if let Value::Dict(fonts) = document.lookup(&resources, b"Font").unwrap() {
            for (_, font) in fonts.iter() {
                fonts_are_embedded(&document, font, name);
            }
        }
        let value = document.resolve(field.value.as_ref().unwrap()).unwrap();
        let contents = value.as_dict().unwrap().get(b"Contents").unwrap();
        assert!(contents.as_string().unwrap().len() > 1000, "{name}");
    }
    let holes = pdf.windows(10).enumerate().filter(|(_, w)| *w == b"/Contents ").map(|(at, _)| at + 10);
    for hole in holes.filter(|hole| pdf[*hole] == b'<') {
        let digits = pdf[hole + 1..].iter().position(|b| *b == b'>').unwrap();
        assert_eq!(digits % 2, 0, "{name}: an even number of digits");
    }
}

fn fonts_are_embedded(document: &Document<'_>, font: &Value, name: &str) {
    let font = document.resolve(font).unwrap();
    let font = font.as_dict().unwrap();
    assert!(font.is_name(b"Subtype", b"Type0") && font.is_name(b"Encoding", b"Identity-H"), "{name}");
    assert!(font.get(b"ToUnicode").is_some(), "{name}");
    let below = font.get(b"DescendantFonts").unwrap().as_array().unwrap()[0].clone();
    let below = document.resolve(&below).unwrap();
    let described = document.lookup(below.as_dict().unwrap(), b"FontDescriptor").unwrap();
    let program = document.lookup(described.as_dict().unwrap(), b"FontFile2").unwrap();
    let program = document.stream_data(&program, 1 << 20).unwrap();
    let face = ttf_parser::Face::parse(&program, 0).unwrap();
    let widths = below.as_dict().unwrap().get(b"W").unwrap().as_array().unwrap()[1].clone();
    assert_eq!(widths.as_array().unwrap().len(), usize::from(face.number_of_glyphs()), "{name}: a subset");
    for (glyph, width) in widths.as_array().unwrap().iter().enumerate() {
        let advance = face.glyph_hor_advance(ttf_parser::GlyphId(glyph as u16)).unwrap();
        let real = f64::from(advance) * 1000.0 / f64::from(face.units_per_em());
        assert!((width.as_number().unwrap() - real).abs() < 1.0, "{name}: width of glyph {glyph}");
    }
}

/// The rectangles of the signature fields, in the order of the form.
fn rects(pdf: &[u8]) -> Vec<Rect> {
    let document = Document::open(pdf).unwrap();
    let fields = document.fields().unwrap();
    fields.iter().map(|field| document.rect(&field.dict, b"Rect").unwrap().unwrap()).collect()
}

fn facts() -> AppearanceFacts {
    AppearanceFacts {
        name: "Nguyễn Thị Huệ".into(),
        office: Some("Ủy ban nhân dân xã Hòa Bình".into()),
        number: Some("123/QĐ-UBND".into()),
        signature_png: Some(scribble()),
        ..Default::default()
    }
}

/// One moment for all, so that equal pages look equal.
fn at() -> Timestamp {
    static NOW: LazyLock<Timestamp> = LazyLock::new(Timestamp::now);
    *NOW
}

/// Keys, and a folder of files that are judged.
struct Desk {
    dir: tempfile::TempDir,
    /// Where files are kept, to be looked at.
    kept: Option<PathBuf>,
}

static DESK: LazyLock<Desk> = LazyLock::new(Desk::open);

impl Desk {
    fn open() -> Desk {
        let kept = std::env::var_os("HOSO_LOOKS").map(PathBuf::from);
        let desk = Desk { dir: tempfile::tempdir().unwrap(), kept };
        let ext = "[root]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n\
                   [signer]\nbasicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,nonRepudiation\n\
                   subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";
        std::fs::write(desk.dir.path().join("ext.cnf"), ext).unwrap();
        let request = |name: &str| {
            desk.openssl(&format!(
                "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key \
                 -subj /C=VN/CN=TRAINING-{name} -out {name}.csr"
            ));
        };
        request("root");
        desk.openssl("x509 -req -in root.csr -signkey root.key -extfile ext.cnf -extensions root -days 300 -out root.pem");
        for name in ["person", "agency"] {
            request(name);
            desk.openssl(&format!(
                "x509 -req -in {name}.csr -CA root.pem -CAkey root.key -CAcreateserial -extfile ext.cnf \
                 -extensions signer -days 200 -out {name}.pem"
            ));
            desk.openssl(&format!(
                "pkcs12 -export -inkey {name}.key -in {name}.pem -certfile root.pem -passout pass:x -out {name}.p12"
            ));
        }
        desk
    }

    fn openssl(&self, arguments: &str) {
        let mut command = Command::new("openssl");
        let out = command.current_dir(self.dir.path()).args(arguments.split_whitespace()).output().unwrap();
        assert!(out.status.success(), "{arguments}: {}", text(&out));
    }

    fn sign(
        &self,
        pdf: &[u8],
        profile: &str,
        key: &str,
        facts: &AppearanceFacts,
    ) -> hoso::fault::Outcome<Vec<u8>> {
        let p12 = std::fs::read(self.dir.path().join(format!("{key}.p12"))).unwrap();
        let key = SoftKey::from_pkcs12(&p12, "x").unwrap();
        sign(pdf, &SignatureProfile::built_in(profile)?, &key, None, at(), facts).map(|sealed| sealed.bytes)
    }

    /// Writes a file into the folder of the running test.
    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let folder = self.kept.clone().unwrap_or_else(|| self.dir.path().to_owned()).join(test_name());
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Every judge of `scripts/judges.py` about every signed file of the running test, in one go.
    fn judge(&self) {
        let Some(python) = tool("python").filter(|p| runs(p, "import pikepdf.pdfa, pyhanko, asn1crypto"))
        else {
            eprintln!("skipped: no python with pyHanko and pikepdf");
            return;
        };
        let tools = ["qpdf", "mutool", "pdfsig", "certutil"];
        if let Some(absent) = tools.iter().find(|name| tool(name).is_none()) {
            eprintln!("skipped: no {absent}");
            return;
        }
        let folder = self.kept.clone().unwrap_or_else(|| self.dir.path().to_owned()).join(test_name());
        let work = tempfile::tempdir().unwrap();
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
        let out = Command::new(python)
            .args(["-c", JUDGE])
            .args([&scripts, &self.dir.path().join("root.pem"), work.path(), &folder])
            .output()
            .unwrap();
        assert!(out.status.success() && text(&out).contains("all good"), "{}", text(&out));
    }

    fn mutool(&self, file: &Path, page: usize) -> Option<Print> {
        let out = file.with_extension("mutool.png");
        let mut command = Command::new(tool("mutool").or_else(|| absent("mutool"))?);
        let done = command.args(["draw", "-q", "-r", "100", "-o"]).arg(&out).arg(file).arg(page.to_string());
        let done = done.output().unwrap();
        assert!(done.status.success(), "{}", text(&done));
        Some(Print::read(&out))
    }

    fn poppler(&self, file: &Path, page: usize) -> Option<Print> {
        let stem = file.with_extension("poppler");
        let mut command = Command::new(tool("pdftoppm").or_else(|| absent("pdftoppm"))?);
        let page = page.to_string();
        let done =
            command.args(["-cropbox", "-r", "100", "-png", "-singlefile", "-f", &page]).arg(file).arg(&stem);
        let done = done.output().unwrap();
        assert!(done.status.success(), "{}", text(&done));
        Some(Print::read(&file.with_extension("poppler.png")))
    }
}

fn test_name() -> String {
    std::thread::current().name().unwrap_or("main").replace("::", "-")
}

fn absent(name: &str) -> Option<PathBuf> {
    eprintln!("skipped: no {name}");
    None
}

fn tool(name: &str) -> Option<PathBuf> {
    let venv = std::env::var_os("HOSO_VENV").map(|v| PathBuf::from(v).join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    venv.into_iter().chain(std::env::split_paths(&path)).map(|dir| dir.join(name)).find(|file| file.is_file())
}

fn runs(python: &Path, code: &str) -> bool {
    Command::new(python).args(["-c", code]).output().is_ok_and(|out| out.status.success())
}

fn text(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// Files ending in `-0.pdf` carry no signature.
const JUDGE: &str = "
import sys, pathlib
sys.path.insert(0, sys.argv[1])
import judges
court = judges.Court([pathlib.Path(sys.argv[2])], pathlib.Path(sys.argv[3]), False, True)
files = [f for f in sorted(pathlib.Path(sys.argv[4]).glob('*.pdf')) if not f.name.endswith('-0.pdf')]
bad = [(f.name, who, why) for f in files for who, (mark, why) in court.judge(f, False).items() if mark in ('NO', '-')]
for line in bad[:20]: print(*line)
print('all good' if files and not bad else f'{len(bad)} objections to {len(files)} files')
";
