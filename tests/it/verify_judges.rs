//! Our verdicts beside pyHanko's, on good papers and on every mutant of the generator.
//!
//! Of the programs at hand only pyHanko looks at what was appended (`pdfsig` and `mutool` call a page painted over after
//! signing valid), so it alone is asked here. All files go through one process. Where both are asked the answers must be
//! equal, but for the deliberate differences of [`DIFFERENCES`]; ours is the stricter one in each of them, and a difference
//! that is no longer there fails the test as a missing one does.

/// What the mint takes from the library.
mod ground {
    pub(super) use hoso::cms::Parts;
    pub(super) use hoso::der;
    pub(super) use hoso::digest::Sha256;
}
#[expect(dead_code, reason = "unit tests use more of it")]
#[path = "../../src/seal/verify/tests/mint.rs"]
mod mint;
#[path = "../../src/seal/verify/tests/mutants.rs"]
mod mutants;

use hoso::seal::verify::{Anchors, Report, Verdict, verify_pdf};
use mint::{NOW, Pki};
use mutants::Case;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where pyHanko 0.38 accepts and we do not: class and a part of the name, and why.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    (
        "ISA",
        "objects without cross-references",
        "bytes that belong to no revision: nobody knows what they are for",
    ),
    ("coverage", "after the end", "as above; white space of up to eight bytes is taken"),
    ("flip", "padding", "what follows the signature data in its hole must be zeros (ISO 32000-2, 12.8.1)"),
    ("CMS", "something in the padding", "as above"),
    ("CMS", "no signed attributes", "PAdES demands them (EN 319 142-1 6.3)"),
    ("CMS", "no certificate named", "PAdES demands signing-certificate-v2 (EN 319 142-1 6.3)"),
    ("CMS", "indefinite length", "PAdES demands DER (EN 319 142-1 4.1)"),
    ("CMS", "a time stamp from the future", "a time stamp cannot be younger than the clock that judges it"),
    (
        "flip",
        "CMS version",
        "RFC 5652 5.1 says which version it is; nothing else shows that this byte was touched",
    ),
    ("flip", "CMS hashes", "the list of hashes names the signer's (RFC 5652 5.1), for the same reason"),
    ("ISA", "another title", "of the document information only producer and date may change"),
    ("form", "looks asked for", "NeedAppearances lets the reader draw what nobody signed"),
    (
        "shadow hide-and-replace",
        "the signed end",
        "a revision is what its own bytes say: pyHanko reads its objects in the longer file",
    ),
    ("form", "a signature field with an action", "a field that does something by itself is no signature"),
    ("SSA", "widget without a signature that draws", "what looks like a signature must be one"),
    ("SSA", "widget with a background", "as above"),
    (
        "DSS",
        "store ",
        "what was there to prove a signature with stays there; pyHanko lets single entries go, and stores",
    ),
    ("DSS", "lists removed", "as above"),
    ("DSS", "a list exchanged", "as above"),
    ("shadow replace", "a field shows", "what is drawn must be the value, in letters of the reader's own"),
    ("shadow replace", "a field in white", "as above"),
    ("shadow replace", "a font that draws other letters", "as above"),
    (
        "permission",
        "locked by its field alone",
        "the lock of a field counts without FieldMDP in the signature",
    ),
    ("certificate", "for time stamps", "an authority's certificate is for time stamps alone (RFC 3161 2.3)"),
];

#[test]
fn verdicts_equal_pyhankos_but_for_the_listed_differences() {
    let Some(python) = python() else {
        eprintln!("skipped: no python with pyhanko (HOSO_VENV)");
        return;
    };
    let pki = Pki::mint();
    let mut anchors = Anchors::default();
    anchors.add(pki.root.certificate.clone());
    anchors.add(pki.inter.certificate.clone());
    pki.lists().iter().for_each(|list| anchors.add_crl(list).unwrap());
    let now = jiff::Timestamp::from_second(NOW).unwrap();
    let (good, bad) = (mutants::good(&pki), mutants::bad(&pki));
    let dir = tempfile::tempdir().unwrap();
    let theirs = ask(&python, dir.path(), &pki, good.iter().chain(&bad));
    let (mut wrong, mut met) = (Vec::new(), BTreeSet::new());
    for (number, case) in good.iter().chain(&bad).enumerate() {
        let ours = Report::of(&verify_pdf(&case.bytes, &anchors, now), anchors.policy());
        let ours = ours.verdict == Verdict::Valid;
        let (accepted, said) = &theirs[&number];
        let listed =
            DIFFERENCES.iter().position(|(class, part, _)| case.class == *class && case.name.contains(part));
        let fits = match (ours, *accepted, listed) {
            (false, true, Some(place)) => {
                met.insert(place);
                true
            }
            (a, b, _) => a == b,
        };
        if !fits {
            wrong.push(format!("{} {}: ours {ours}, pyHanko {accepted} ({said})", case.class, case.name));
        }
    }
    for (place, (class, part, _)) in DIFFERENCES.iter().enumerate() {
        if !met.contains(&place) {
            wrong.push(format!("the difference {class} {part} is none any more"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// pyHanko's answer for each file: whether all is well, and its words.
fn ask<'c>(
    python: &Path,
    dir: &Path,
    pki: &Pki,
    cases: impl Iterator<Item = &'c Case>,
) -> BTreeMap<usize, (bool, String)> {
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.join(name), bytes).unwrap();
    write("root.der", &pki.root.certificate.to_der().unwrap());
    write("inter.der", &pki.inter.certificate.to_der().unwrap());
    for (list, name) in pki.lists().iter().zip(["root.crl", "inter.crl"]) {
        write(name, list);
    }
    for (number, case) in cases.enumerate() {
        write(&format!("{number}.pdf"), &case.bytes);
    }
    let out = Command::new(python).args(["-c", JUDGE]).arg(dir).arg(NOW.to_string()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let line = |line: &str| {
        let answer: serde_json::Value = serde_json::from_str(line).unwrap();
        let number = usize::try_from(answer["file"].as_u64().unwrap()).unwrap();
        (number, (answer["good"].as_bool().unwrap(), answer["said"].as_str().unwrap().to_owned()))
    };
    text.lines().map(line).collect()
}

fn python() -> Option<PathBuf> {
    let venv = std::env::var_os("HOSO_VENV").map(|v| PathBuf::from(v).join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = venv.into_iter().chain(std::env::split_paths(&path)).map(|dir| dir.join("python"));
    places.filter(|file| file.is_file()).find(|python| {
        Command::new(python)
            .args(["-c", "import pyhanko.sign.validation"])
            .output()
            .is_ok_and(|o| o.status.success())
    })
}

/// One process for all files. Every signature and document time stamp has to be well; no signature is not well.
const JUDGE: &str = r#"
import sys, json, logging, datetime, pathlib
from asn1crypto import x509, crl
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature, validate_pdf_timestamp
from pyhanko_certvalidator import ValidationContext
logging.disable(logging.CRITICAL)
folder = pathlib.Path(sys.argv[1])
at = datetime.datetime.fromtimestamp(int(sys.argv[2]), datetime.timezone.utc)
load = lambda kind, name: kind.load((folder / name).read_bytes())
root, inter = (load(x509.Certificate, n) for n in ('root.der', 'inter.der'))
lists = [load(crl.CertificateList, n) for n in ('root.crl', 'inter.crl')]
def context():
    return ValidationContext(trust_roots=[root], other_certs=[inter], crls=lists, moment=at, revocation_mode='require')
def judge(path):
    words = []
    try:
        with open(path, 'rb') as file:
            reader = PdfFileReader(file)
            good = len(reader.embedded_regular_signatures) > 0
            for signature in reader.embedded_signatures:
                if signature.sig_object_type == '/DocTimeStamp':
                    status = validate_pdf_timestamp(signature, validation_context=context())
                    fine = status.bottom_line if hasattr(status, 'bottom_line') else status.valid and status.intact and status.trusted
                else:
                    status = validate_pdf_signature(signature, signer_validation_context=context(), ts_validation_context=context())
                    fine = status.bottom_line
                good = good and bool(fine)
                words.append(status.summary())
    except Exception as e:
        good = False
        words.append(type(e).__name__ + ': ' + str(e)[:120])
    return good, ' | '.join(words)
for path in sorted(folder.glob('*.pdf')):
    good, said = judge(path)
    print(json.dumps({'file': int(path.stem), 'good': good, 'said': said}))
"#;
