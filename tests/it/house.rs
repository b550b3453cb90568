//! The rules of the house, read off its source and its output: arrows point down, every fault says what to do, every
//! step says what enters and leaves, and personal data stays where it belongs.

use crate::playground::{Playground, files, samples};
use hoso::pipeline::Pipeline;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Lowest first; a file may use what lies on its own floor or below.
const FLOORS: &[(&str, &[&str])] = &[
    (
        "ground",
        &[
            "answer", "blobs", "clock", "cms", "codes", "commit", "cose", "der", "digest", "fault",
            "original", "page", "profile", "sandbox", "shown", "staged", "worker",
        ],
    ),
    ("crafts", &["chip", "deliver", "log", "pdf", "scan", "seal"]),
    ("station", &["station", "training"]),
    ("steps", &["dossier", "pipeline", "steps"]),
    ("engine", &["courier", "engine", "evidence", "ledger", "publish", "watch", "work", "workshop"]),
    ("doors", &["cli", "serve", "main"]),
];
/// Inside the crafts only so.
const BETWEEN_CRAFTS: &[(&str, &str)] =
    &[("seal", "pdf"), ("scan", "pdf"), ("log", "seal"), ("deliver", "seal"), ("deliver", "log")];
/// Arrows that run up and are known; an entry that is no longer true fails the test.
const DEBTS: &[(&str, &str)] = &[];

#[test]
fn arrows_point_down_only() {
    let floor = |module: &str| FLOORS.iter().position(|(_, modules)| modules.contains(&module));
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let place = path.to_string_lossy().into_owned();
        let from = place.split(['/', '.']).next().unwrap();
        if from == "lib" {
            continue;
        }
        let Some(from_floor) = floor(from) else {
            wrong.push(format!("{place}: `{from}` has no floor"));
            continue;
        };
        let mut debt_seen = false;
        for (line, to) in arrows(&text) {
            let Some(to_floor) = floor(&to) else {
                wrong.push(format!("{place}:{line}: `{to}` has no floor"));
                continue;
            };
            let sideways = from != to && FLOORS[from_floor].0 == "crafts" && from_floor == to_floor;
            let allowed =
                to_floor <= from_floor && (!sideways || BETWEEN_CRAFTS.contains(&(from, to.as_str())));
            if DEBTS.contains(&(place.as_str(), to.as_str())) {
                debt_seen = true;
            } else if !allowed {
                wrong.push(format!(
                    "{place}:{line}: {from} ({}) uses {to} ({})",
                    FLOORS[from_floor].0, FLOORS[to_floor].0
                ));
            }
        }
        if DEBTS.iter().any(|(p, _)| *p == place) && !debt_seen {
            wrong.push(format!("{place}: its arrow up is gone; take it off the list of debts"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_fault_has_its_own_number_and_says_in_two_languages_what_to_do() {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let mut wrong = Vec::new();
    let all = sources();
    for (path, text) in &all {
        for block in text.split(": Code = Code {").skip(1) {
            let block = block.split("\n};").next().unwrap();
            let field = |name: &str| string_after(block, &format!("{name}: "));
            let id = field("id");
            let place = format!("{} {id}", path.display());
            let (room, number) = id.split_once('-').unwrap_or(("", ""));
            if !(3..=4).contains(&room.len())
                || !room.bytes().all(|b| b.is_ascii_uppercase())
                || number.len() != 3
                || number.parse::<u16>().is_err()
            {
                wrong.push(format!("{place}: not of the form ROOM-NNN"));
            }
            if let Some(other) = seen.insert(id.clone(), place.clone()) {
                wrong.push(format!("{place}: the number is taken by {other}"));
            }
            let [vi, en, remedy_vi, remedy_en] = ["vi", "en", "remedy_vi", "remedy_en"].map(field);
            if [&vi, &en, &remedy_vi, &remedy_en].iter().any(|t| t.trim().is_empty())
                || vi == en
                || remedy_vi == remedy_en
            {
                wrong.push(format!("{place}: a sentence is missing or in one language only"));
            }
            if vi.ends_with('.') || en.ends_with('.') {
                wrong.push(format!("{place}: a full stop of its own"));
            }
        }
        for name in text.lines().filter_map(|l| l.strip_suffix(": Code = Code {")?.strip_prefix("pub const "))
        {
            let room = path.components().next().unwrap().as_os_str().to_string_lossy().replace(".rs", "");
            let listed = all.iter().any(|(p, t)| {
                p.to_string_lossy().starts_with(&room)
                    && t.split_once("const CODES").is_some_and(|(_, after)| after.contains(name))
            });
            if !listed {
                wrong.push(format!("{}: {name} is in no list of codes", path.display()));
            }
        }
    }
    assert!(seen.len() > 100, "only {} codes found", seen.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_step_has_a_file_that_says_what_enters_and_what_can_go_wrong() {
    let schema: serde_json::Value = serde_json::from_str(&Pipeline::schema()).unwrap();
    let variants = schema["$defs"]["StepConfig"]["oneOf"].as_array().unwrap();
    let names: BTreeSet<&str> = variants
        .iter()
        .flat_map(|v| v["properties"].as_object().unwrap().keys().map(String::as_str))
        .collect();
    assert!(names.contains("seal") && names.len() >= 8, "{names:?}");
    for name in names {
        let path = root().join(format!("src/steps/{name}.rs"));
        let text = fs::read_to_string(&path).unwrap_or_default();
        let head: Vec<&str> = text.lines().take_while(|l| l.starts_with("//!")).collect();
        let head = head.join(" ");
        assert!(text.starts_with("//! In:"), "{name} has no file that opens with `//! In:`");
        assert!(head.contains("Out:") && head.contains("can go wrong"), "{name}: {head}");
    }
}

#[test]
fn personal_data_stays_where_it_belongs() {
    let ground = Playground::new(&[]);
    let input = ground.input().join("intake");
    copy_folder(&samples().join("intake"), &input);
    let readings = mint_readings(&ground, &input);
    // A slip with a mistake in it: what was typed must not come back in the message.
    fs::create_dir_all(input.join("batch-9")).unwrap();
    fs::copy(input.join("batch-4/p01.jpg"), input.join("batch-9/p01.jpg")).unwrap();
    fs::write(
        input.join("batch-9/dossier.toml"),
        "procedure = \"1.001193\"\n[applicant]\nnumber = 036088999204\nname = \"Đinh Quang Thược\"\n",
    )
    .unwrap();

    let archive = samples().join("archive");
    let results = samples().join("results");
    let mut said = Vec::new();
    for (args, codes) in [
        (vec!["run", "intake-desk", input.to_str().unwrap()], 0..=1),
        (vec!["run", "archive-backfill", archive.to_str().unwrap()], 0..=1),
        (vec!["run", "result-delivery", results.to_str().unwrap()], 0..=0),
        (vec!["run", "intake-desk", input.to_str().unwrap(), "--json"], 0..=1),
        (vec!["status"], 0..=0),
        (vec!["status", "--json"], 0..=0),
        (vec!["check"], 0..=1),
    ] {
        let output: Output = ground.hoso(&args).env("RUST_LOG", "trace").output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(codes.contains(&output.status.code().unwrap_or(99)), "{args:?}: {}\n{text}", output.status);
        said.push((args.join(" "), text));
    }

    let values = personal_values();
    assert!(values.len() > 40, "{values:?}");
    // The work was truly done on these people: the ledger, which stays inside, knows them.
    let ledger = ["var/ledger.db", "var/ledger.db-wal"]
        .map(|n| fs::read(ground.station().join(n)).unwrap_or_default())
        .concat();
    let known = values.iter().filter(|v| holds(&ledger, v)).count();
    assert!(known > 20, "only {known} of {} values were worked on", values.len());

    let mut leaks = Vec::new();
    let mut judge = |place: &str, bytes: &[u8]| {
        for value in values.iter().filter(|v| holds(bytes, v)) {
            leaks.push(format!("{place}: {value}"));
        }
    };
    for (command, text) in &said {
        judge(&format!("output of {command}"), text.as_bytes());
    }
    for path in files(&ground.station()) {
        let name = path.strip_prefix(ground.station()).unwrap().to_string_lossy().into_owned();
        judge("a file's name", name.as_bytes());
        let public =
            name.starts_with("var/log/") || name.ends_with(".tlog-proof") || name.ends_with(".receipt");
        let mock = name.starts_with("var/mock/")
            && (name.ends_with(".jsonl") || name.ends_with(".log") || name.ends_with(".url"));
        if public || mock {
            judge(&name, &fs::read(&path).unwrap());
        }
    }
    for (command, text) in &said {
        for number in twelve_digits(text) {
            leaks.push(format!("output of {command}: a number of twelve digits, {number}"));
        }
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
    eprintln!("{} values looked for; {readings} readings; {known} of them in the ledger", values.len());
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Every product file below `src/`, by its path there, without its tests and comments.
fn sources() -> Vec<(PathBuf, String)> {
    let src = root().join("src");
    let mut sources = Vec::new();
    for path in files(&src) {
        let below = path.strip_prefix(&src).unwrap().to_owned();
        let tests =
            below.components().any(|c| ["tests", "tests.rs"].contains(&&*c.as_os_str().to_string_lossy()));
        if !tests && below.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            sources.push((below, without_tests(&text)));
        }
    }
    assert!(sources.len() > 80);
    sources
}

fn without_tests(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let module = lines.peek().is_some_and(|l| l.contains("mod ") && l.trim_end().ends_with('{'));
        if line.trim() == "#[cfg(test)]" && module {
            break;
        }
        kept.push_str(if line.trim_start().starts_with("//") { "" } else { line });
        kept.push('\n');
    }
    kept
}

/// Every `crate::NAME`, by its line.
fn arrows(text: &str) -> Vec<(usize, String)> {
    let mut arrows = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for after in line.split("crate::").skip(1) {
            let names: String =
                after.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            let grouped = after
                .strip_prefix('{')
                .map(|g| g.split(['}', ',']).map(|n| n.split("::").next().unwrap_or("").trim().to_owned()));
            match grouped {
                Some(group) => arrows.extend(
                    group.filter(|n| n.starts_with(|c: char| c.is_ascii_lowercase())).map(|n| (at + 1, n)),
                ),
                None => arrows.push((at + 1, names)),
            }
        }
    }
    arrows
}

/// The string literal after a key; empty where there is none.
fn string_after(block: &str, key: &str) -> String {
    let Some((_, rest)) = block.split_once(&format!(" {key}")) else { return String::new() };
    let Some(rest) = rest.trim_start().strip_prefix('"') else { return String::new() };
    let mut text = String::new();
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => text.extend(chars.next()),
            c => text.push(c),
        }
    }
    text
}

/// What is typed on the slips and written on the chips: names in three spellings, numbers, birthdays, phones, places.
pub(crate) fn personal_values() -> BTreeSet<String> {
    let mut values = BTreeSet::new();
    for path in files(&samples()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".toml") {
            for line in fs::read_to_string(&path).unwrap().lines() {
                for key in ["name = ", "number = ", "birth = ", "phone = "] {
                    if let Some(value) = line.strip_prefix(key) {
                        values.insert(value.trim_matches('"').to_owned());
                    }
                }
            }
        } else if name == "DG13.bin" {
            values.extend(utf8_strings(&fs::read(&path).unwrap()));
        }
    }
    let mut all = BTreeSet::new();
    for value in values.into_iter().filter(|v| v.chars().count() >= 8) {
        let folded = folded(&value);
        all.insert(value.to_uppercase());
        all.insert(folded.to_uppercase().replace(' ', "<"));
        all.insert(folded);
        all.insert(value);
    }
    all
}

/// DER UTF8String and PrintableString values, wherever they lie.
fn utf8_strings(bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for at in 0..bytes.len().saturating_sub(2) {
        let length = usize::from(bytes[at + 1]);
        if [0x0c, 0x13].contains(&bytes[at]) && (8..128).contains(&length)
            && let Some(value) = bytes.get(at + 2..at + 2 + length)
            && let Ok(text) = std::str::from_utf8(value)
            && text.chars().all(|c| !c.is_control())
            // "Căn cước công dân" and the like are on every card.
            && (text.chars().any(|c| c.is_ascii_digit()) || text.contains(','))
        {
            found.push(text.to_owned());
        }
    }
    found
}

/// Without diacritics.
fn folded(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    text.replace('đ', "d").replace('Đ', "D").nfd().filter(char::is_ascii).collect()
}

pub(crate) fn holds(bytes: &[u8], value: &str) -> bool {
    bytes.windows(value.len()).any(|w| w == value.as_bytes())
}

/// Numbers of exactly twelve digits that stand by themselves; personal numbers begin with a zero.
fn twelve_digits(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|w| w.len() == 12 && w.starts_with('0') && w.bytes().all(|b| b.is_ascii_digit()))
        .collect()
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    for path in files(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&path, target).unwrap();
    }
}

/// Chip readings for the three people whose cards are in the samples; needs the openssl command line.
pub(crate) fn mint_readings(ground: &Playground, input: &Path) -> usize {
    let keys = ground.station().join("keys");
    let mut minted = 0;
    for batch in ["batch-3", "batch-4", "batch-5"] {
        let mut command = Command::new(root().join("scripts/mint-reading"));
        command.arg("--dgs").arg(samples().join("chip").join(batch)).arg("--ds").arg(keys.join("ds.pem"));
        command
            .arg("--key")
            .arg(keys.join("ds.key"))
            .arg("-o")
            .arg(input.join(batch).join("card.reading.json"));
        if batch == "batch-4" {
            command.args(["--tamper", "13"]);
        }
        match command.output() {
            Ok(output) if output.status.success() => minted += 1,
            other => eprintln!("skipped: no reading for {batch}: {other:?}"),
        }
    }
    minted
}
