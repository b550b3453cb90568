//! `hoso init`: a station folder, empty or with a whole training world in it.

use crate::blobs::write_whole;
use crate::codes::OfficeCode;
use crate::digest::Blake3;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::log::note::Signer;
use crate::training;
use std::fs;
use std::path::{Path, PathBuf};

/// `hoso init DIR`
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hoso init /srv/hoso --training\n  hoso init /srv/hoso --office H40.17.5")]
pub struct Args {
    /// The folder to make; it may exist and be empty.
    dir: PathBuf,
    /// Mint a training world: authorities, officer, agency, timestamp authority, chip signer, log key, every
    /// certificate named as training.
    #[arg(long)]
    training: bool,
    /// The office's identifier code.
    #[arg(long, default_value = "H40.17.5")]
    office: String,
}

/// The pipelines every station begins with.
pub const PIPELINES: &[(&str, &str)] = &[
    ("intake-desk.toml", include_str!("../../pipelines/intake-desk.toml")),
    ("archive-backfill.toml", include_str!("../../pipelines/archive-backfill.toml")),
    ("result-delivery.toml", include_str!("../../pipelines/result-delivery.toml")),
    ("schema.json", include_str!("../../pipelines/schema.json")),
];

/// Runs it.
///
/// # Errors
/// `INIT-020` where the folder holds a station already, `INIT-021` where it cannot be written; those of
/// [`training::mint`].
pub fn run(args: &Args) -> Outcome<u8> {
    let root = &args.dir;
    args.office.parse::<OfficeCode>().map_err(|f| f.at("--office"))?;
    if root.join("hoso.toml").exists() {
        return Err(Fault::new(&THERE).at(root.display()));
    }
    for folder in [
        "pipelines",
        "profiles",
        "anchors/csca",
        "anchors/signing",
        "anchors/log",
        "anchors/receipts",
        "keys",
        "var",
        "out",
    ] {
        fs::create_dir_all(root.join(folder))
            .map_err(|e| Fault::new(&UNWRITABLE).at(root.display()).detail(e.kind()))?;
    }
    for (name, text) in PIPELINES {
        write_whole(&root.join("pipelines").join(name), text.as_bytes())?;
    }
    write_whole(&root.join("profiles/procedures.toml"), PROCEDURES.as_bytes())?;
    let origin = format!("hoso.invalid/{}", args.office);
    if args.training {
        training::mint(&root.join("keys"), &root.join("anchors"), jiff::Timestamp::now())?;
        let receipts =
            fs::read(root.join("keys/wallet.pem")).map_err(|e| Fault::new(&UNWRITABLE).detail(e.kind()))?;
        write_whole(&root.join("anchors/receipts/wallet.pem"), &receipts)?;
    } else {
        write_secret(&root.join("keys/log.key"), &Signer::generate(&origin)?.to_pem()?)?;
    }
    let pem = fs::read(root.join("keys/log.key")).map_err(|e| Fault::new(&UNWRITABLE).detail(e.kind()))?;
    let verifier = Signer::from_pem(&origin, &pem)?.verifier();
    let name = format!("{}.vkey", Blake3::of(origin.as_bytes()).short());
    write_whole(&root.join("anchors/log").join(name), format!("{verifier}\n").as_bytes())?;
    // Last: a folder without hoso.toml is no station, so a crash half-way leaves nothing that looks like one.
    let template = if args.training { TRAINING } else { EMPTY };
    write_whole(&root.join("hoso.toml"), template.replace("@OFFICE@", &args.office).as_bytes())?;
    println!("đã tạo trạm / station made: {}", root.display());
    Ok(0)
}

fn write_secret(path: &Path, bytes: &[u8]) -> Outcome<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut f| f.write_all(bytes).and_then(|()| f.sync_all()))
        .map_err(|e| Fault::new(&UNWRITABLE).at(path.display()).detail(e.kind()))
}

const TRAINING: &str = include_str!("init/training.toml");
const PROCEDURES: &str = include_str!("init/procedures.toml");
const EMPTY: &str = include_str!("init/station.toml");

/// There is a station already.
pub const THERE: Code = Code {
    id: "INIT-020",
    class: Class::Setup,
    vi: "Thư mục này đã là một trạm",
    en: "this folder is a station already",
    remedy_vi: "Chọn thư mục khác; khóa và sổ không bao giờ bị ghi đè",
    remedy_en: "choose another folder; keys and ledger are never overwritten",
};
/// The folder cannot be written.
pub const UNWRITABLE: Code = Code {
    id: "INIT-021",
    class: Class::Setup,
    vi: "Không ghi được vào thư mục trạm",
    en: "the station folder cannot be written",
    remedy_vi: "Kiểm tra quyền ghi và dung lượng đĩa",
    remedy_en: "check the right to write and the free space",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[&THERE, &UNWRITABLE];
