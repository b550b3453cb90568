//! `hoso identity anchors`: the authorities that this station believes about chip cards, imported and shown.

use super::identity::FILE_UNREADABLE;
use super::table::Table;
use crate::chip::trust::install::{Installed, Listed, install};
use crate::chip::trust::{Anchor, NOT_AN_ANCHOR, Provenance};
use crate::chip::{Policy, Trust};
use crate::cms::KeyFacts;
use crate::fault::{Class, Code, Fault, Outcome};
use serde_json::json;
use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// What can be done with a folder of anchors.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Import a master list of country signing certificates, signed by ICAO or a state.
    #[command(
        after_help = "The list is believed under --root only, a certificate that you have compared with its publisher over \
        another channel; the root inside the list is no trust. A list that is older than the one installed is refused.\n\n\
        Example:\n  hoso identity anchors import DE_ML_2026-05-28.ml --root DE_CSCA07.cer --anchors anchors/csca"
    )]
    Import(ImportArgs),
    /// Show who is trusted: country, name, validity, key, from which list.
    #[command(after_help = "Example:\n  hoso identity anchors list --anchors anchors/csca --country VN")]
    List(ListArgs),
}

/// Arguments of `hoso identity anchors import`.
#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// The master list (CMS, DER or BER).
    #[arg(value_name = "LIST")]
    list: PathBuf,
    /// The publisher's country signing certificate, PEM or DER; may be given several times.
    #[arg(long, required = true, value_name = "CERT")]
    root: Vec<PathBuf>,
    /// Folder of anchors; made where it is missing.
    #[arg(long, value_name = "DIR")]
    anchors: PathBuf,
    /// Judge as of this time (RFC 3339) in place of now.
    #[arg(long, value_name = "TIME")]
    at: Option<jiff::Timestamp>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Arguments of `hoso identity anchors list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Folder of anchors.
    #[arg(long, value_name = "DIR")]
    anchors: PathBuf,
    /// Only this country, two letters.
    #[arg(long, value_name = "CC")]
    country: Option<String>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Runs a command on anchors.
///
/// # Errors
/// The fault that stopped it.
pub fn run(command: &Command) -> Outcome<u8> {
    match command {
        Command::Import(args) => import(args),
        Command::List(args) => list(args),
    }
}

fn import(args: &ImportArgs) -> Outcome<u8> {
    let mut roots = Vec::new();
    for path in &args.root {
        let mut pinned = Trust::default();
        pinned
            .add_file(&path.display().to_string(), &read(path, LARGEST_ROOT)?)
            .map_err(|f| f.at(path.display()))?;
        if pinned.is_empty() {
            return Err(Fault::new(&NOT_AN_ANCHOR).at(path.display()));
        }
        roots.extend(pinned.into_anchors());
    }
    let bytes = read(&args.list, LARGEST_LIST)?;
    let now = args.at.unwrap_or_else(jiff::Timestamp::now);
    let curves = Policy::default().curves;
    let command = concat!("hoso ", env!("CARGO_PKG_VERSION"), " identity anchors import");
    let done = install(&args.anchors, &bytes, &roots, now, &curves, command)
        .map_err(|f| f.at(args.list.display()))?;
    if args.json {
        println!("{}", told(&done));
    } else {
        print!("{}", describe(&done, &args.anchors));
    }
    Ok(0)
}

/// One object: what was imported and what changed.
fn told(done: &Installed) -> serde_json::Value {
    let Installed { provenance, file, countries, added, removed, replaced, unchanged } = done;
    json!({
        "file": file, "certificates": provenance.certificates, "countries": countries, "unchanged": unchanged,
        "added": added, "removed": removed, "replaced": replaced, "provenance": provenance,
    })
}

fn describe(done: &Installed, folder: &Path) -> String {
    let Provenance { list_sha256, signed_at, publisher, signer, root_sha256, certificates, refused, .. } =
        &done.provenance;
    let mut out = String::new();
    let mut say = |line: String| {
        out.push_str(&line);
        out.push('\n');
    };
    let countries = done.countries.len();
    say(format!("{publisher}: {certificates} chứng thư, {countries} quốc gia / certificates, countries"));
    say(format!("  ký lúc / signed      {signed_at}, {signer}"));
    say(format!("  danh sách / list     SHA-256 {list_sha256}"));
    say(format!("  gốc / pinned root    SHA-256 {root_sha256}"));
    say(format!("  tệp / file           {}", folder.join(&done.file).display()));
    if done.unchanged {
        say("  không đổi / unchanged: this list is installed already".to_owned());
    } else {
        let since = done
            .replaced
            .map_or_else(|| "lần đầu / first import".to_owned(), |t| format!("so với / since {t}"));
        say(format!("  thay đổi / changes   +{} -{} ({since})", done.added.len(), done.removed.len()));
    }
    if done.replaced.is_some() {
        for (sign, listed) in [("+", &done.added), ("-", &done.removed)] {
            listed.iter().take(SHOWN).for_each(|one| say(format!("    {sign} {}", name(one))));
            if listed.len() > SHOWN {
                say(format!("    {sign} ... {} nữa / more (--json)", listed.len() - SHOWN));
            }
        }
    }
    for one in refused {
        let name = [one.country.as_deref(), one.name.as_deref()].into_iter().flatten().collect::<Vec<_>>();
        say(format!("  bỏ qua / refused     {}: {}", name.join(", "), one.why));
    }
    out
}

fn name(listed: &Listed) -> String {
    let country = listed.country.as_deref().unwrap_or("??");
    format!("{country} {} ({})", listed.name.as_deref().unwrap_or("?"), &listed.sha256.to_string()[..16])
}

fn list(args: &ListArgs) -> Outcome<u8> {
    let trust = Trust::load(&args.anchors)?;
    let mut anchors = Vec::new();
    for anchor in trust.anchors() {
        // What a start passes over silently until it is asked for is looked at here, all of it.
        anchors.push(anchor.ok_or_else(|| Fault::new(&ANCHOR_DAMAGED).at(args.anchors.display()))?);
    }
    let wanted = args.country.as_ref().map(|c| c.to_ascii_uppercase());
    let country = |a: &Anchor| a.country().unwrap_or_default().trim().to_ascii_uppercase();
    anchors.retain(|a| wanted.as_ref().is_none_or(|c| *c == country(a)));
    anchors.sort_by_key(|a| (country(a), a.parts.not_before, a.sha256));
    if args.json {
        for (file, provenance) in trust.imports() {
            println!("{}", json!({ "import": file, "provenance": provenance }));
        }
        for anchor in &anchors {
            let (from, to) = (anchor.parts.not_before, anchor.parts.not_after);
            println!(
                "{}",
                json!({ "country": anchor.country(), "name": anchor.name(), "from": from, "to": to, "key": anchor.facts,
                    "sha256": anchor.sha256, "file": anchor.file })
            );
        }
        return Ok(0);
    }
    let mut table =
        Table::new(&["nước/country", "tên/name", "từ/from", "đến/to", "khóa/key", "SHA-256", "tệp/file"]);
    for anchor in &anchors {
        let day = |time: Option<jiff::Timestamp>| {
            time.map_or_else(|| "?".to_owned(), |t| t.strftime("%Y-%m-%d").to_string())
        };
        table.row(vec![
            country(anchor),
            anchor.name().unwrap_or_default(),
            day(anchor.parts.not_before),
            day(anchor.parts.not_after),
            key(&anchor.facts),
            anchor.sha256.to_string()[..16].to_owned(),
            anchor.file.clone(),
        ]);
    }
    print!("{}", table.render());
    for (file, provenance) in trust.imports() {
        let Provenance { publisher, signed_at, imported_at, certificates, list_sha256, .. } = provenance;
        println!("{file}: {publisher}, {certificates} chứng thư / certificates");
        println!("  ký lúc / signed {signed_at}, nhập lúc / imported {imported_at}, SHA-256 {list_sha256}");
    }
    let countries: BTreeSet<String> = anchors.iter().map(|a| country(a)).collect();
    println!(
        "{} chứng thư, {} quốc gia, {} danh sách thu hồi / certificates, countries, revocation lists",
        anchors.len(),
        countries.len(),
        trust.revocation_lists()
    );
    Ok(0)
}

fn key(facts: &KeyFacts) -> String {
    let weak = if facts.is_weak() { " yếu/weak" } else { "" };
    match facts {
        KeyFacts::Rsa { bits, .. } => format!("RSA {bits}{weak}"),
        KeyFacts::Ec { bits, curve, .. } => {
            format!("{}{weak}", curve.clone().unwrap_or(format!("EC {bits}")))
        }
        KeyFacts::Other => format!("?{weak}"),
    }
}

/// A whole file, refused above `largest` bytes before memory is taken for it.
fn read(path: &Path, largest: u64) -> Outcome<Vec<u8>> {
    let unreadable = |e: std::io::Error| Fault::new(&FILE_UNREADABLE).at(path.display()).detail(e.kind());
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    // One byte more tells a file that is too large; what reads it refuses it.
    file.take(largest + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

const LARGEST_ROOT: u64 = 64 << 10;
const LARGEST_LIST: u64 = 8 << 20;
/// Certificates that came or went are shown by name up to here.
const SHOWN: usize = 20;

/// All faults of this door.
pub const CODES: &[&Code] = &[&ANCHOR_DAMAGED];

/// A certificate of an imported list is not as it was written.
pub const ANCHOR_DAMAGED: Code = Code {
    id: "CHIP-040",
    class: Class::Setup,
    vi: "Có chứng thư trong tệp đã nhập bị hỏng",
    en: "a certificate of an imported list is damaged",
    remedy_vi: "Xóa tệp .anchors trong thư mục rồi nhập lại danh sách",
    remedy_en: "remove the .anchors file from the folder and import the list again",
};
