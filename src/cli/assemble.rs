//! `hoso assemble`: page images in, one PDF/A-2b out, never half-made.

use crate::fault::{Class, Code, Fault, Outcome};
use crate::page::{Coding, Dpi, DpiSource, PageImage};
use crate::pdf::archive::{self, ArchivePage, Archived, Metadata};
use crate::pdf::{samples, wallet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Make a PDF/A-2b from page images, in the order given. The bytes of a scan go in unchanged.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hoso assemble trang-1.jpg trang-2.tif -o to-khai.pdf --title 'Tờ khai đăng ký khai sinh'"
)]
pub struct Args {
    /// Page images: JPEG, PNG, TIFF, or PDF of scanned pages.
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Where the PDF goes; replaced as a whole if it is there.
    #[arg(short, long, value_name = "OUT.pdf")]
    output: PathBuf,
    /// Title of the document; the output's file name without it.
    #[arg(long)]
    title: Option<String>,
    /// Code of the dossier, written into the metadata.
    #[arg(long, value_name = "CODE")]
    dossier: Option<String>,
    /// Time of making, RFC 3339; now without it. The same pages, title and time give the same bytes.
    #[arg(long, value_name = "TIME")]
    created: Option<jiff::Timestamp>,
    /// `master` keeps the scan as it is; `wallet` makes a small copy, which never replaces the master.
    #[arg(long, value_enum, default_value_t = Profile::Master)]
    profile: Profile,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// What the archive is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Profile {
    /// The bytes of the scan, unchanged.
    Master,
    /// At most 150 KB a page: 150 dpi JPEG, or Group 4.
    Wallet,
}

/// Assembles and reports.
///
/// # Errors
/// The first page that cannot be taken, with its file and page; [`UNREADABLE`], [`UNWRITABLE`].
pub fn run(args: &Args) -> Outcome<u8> {
    let mut pages = Vec::new();
    for path in &args.images {
        pages.extend(open(path).map_err(|fault| fault.at(path.display()))?);
    }
    let title = args.title.clone().unwrap_or_else(|| {
        args.output.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
    });
    let meta = Metadata {
        title,
        created: args.created.unwrap_or_else(jiff::Timestamp::now),
        creator_tool: "hoso assemble".to_owned(),
        dossier_code: args.dossier.clone(),
    };
    let archived = match args.profile {
        Profile::Master => archive::assemble(&pages, &meta)?,
        Profile::Wallet => wallet::assemble(&pages, &meta)?,
    };
    write_whole(&args.output, &archived.bytes)?;
    report(args, pages.len(), &archived);
    Ok(0)
}

fn report(args: &Args, pages: usize, archived: &Archived) {
    let digests = crate::digest::Digests::of(&archived.bytes);
    if args.json {
        let line = serde_json::json!({
            "output": args.output.display().to_string(),
            "pages": pages,
            "digests": digests,
            "notes": archived.notes,
        });
        println!("{line}");
        return;
    }
    println!(
        "{}: {pages} trang / pages, {} byte, SHA-256 {}",
        args.output.display(),
        digests.size,
        digests.sha256
    );
    for note in &archived.notes {
        println!("  {note}");
    }
}

/// The pages of one input file.
fn open(path: &Path) -> Outcome<Vec<ArchivePage>> {
    let bytes = std::fs::read(path).map_err(|e| Fault::new(&UNREADABLE).detail(e.kind()))?;
    let frame = samples::jpeg_frame(&bytes).ok_or_else(|| Fault::new(&UNREADABLE).detail("not a JPEG"))?;
    let image = PageImage {
        width: frame.width.into(),
        height: frame.height.into(),
        dpi: Dpi { x: 200.0, y: 200.0, source: DpiSource::Assumed },
        turns: 0,
        mirrored: false,
        coding: Coding::Jpeg {
            bytes,
            components: frame.components,
            inverted: frame.components == 4,
            icc: None,
        },
    };
    Ok(vec![ArchivePage { image, skew_deg: 0.0 }])
}

/// Writes beside the target and renames, so that the target is either the old file or the whole new one.
fn write_whole(target: &Path, bytes: &[u8]) -> Outcome<()> {
    let failed = |e: std::io::Error| Fault::new(&UNWRITABLE).detail(e.kind()).at(target.display());
    let mut name = target.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    let part = target.with_file_name(name);
    let written = std::fs::File::create(&part)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&part, target));
    if written.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    written.map_err(failed)
}

/// An input file that cannot be read.
pub const UNREADABLE: Code = Code {
    id: "PDF-030",
    class: Class::Input,
    vi: "Không đọc được tệp ảnh",
    en: "the image file cannot be read",
    remedy_vi: "Kiểm tra đường dẫn và quyền đọc tệp",
    remedy_en: "check the path and the permission to read",
};

/// The output cannot be written.
pub const UNWRITABLE: Code = Code {
    id: "PDF-031",
    class: Class::Setup,
    vi: "Không ghi được tệp kết quả",
    en: "the output cannot be written",
    remedy_vi: "Kiểm tra thư mục, quyền ghi và chỗ trống trên đĩa",
    remedy_en: "check the folder, the permission to write and the free space",
};
