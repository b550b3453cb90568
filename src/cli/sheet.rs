//! `hoso sheet`: sheets to print and lay between dossiers before a batch is scanned.

use super::target::write_bytes;
use crate::fault::Outcome;
use crate::pdf::archive::Metadata;
use crate::pdf::print;
use crate::scan::separate::{Cover, SheetText, sheet_text};
use crate::scan::sheet;
use std::path::PathBuf;

/// Which sheet to print.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Sheets that go between two dossiers.
    Separator(Separator),
    /// The sheet that goes on top of one dossier and says which one it is.
    Cover(CoverArgs),
}

/// Print separators: A4, large text, Code 128 and QR; lay one before each dossier and scan the pile in one go.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  hoso sheet separator --count 20 -o to-phan-cach.pdf\n  \
    hoso sheet separator --pages 4 -o 4-trang.pdf")]
pub struct Separator {
    /// How many pages follow, the sheet not counted; the batch is checked against it.
    #[arg(long, value_name = "N", value_parser = pages())]
    pages: Option<u32>,
    /// How many sheets.
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    count: u32,
    #[command(flatten)]
    to: To,
}

/// Print the cover of a dossier: its code, procedure and number of pages, as text, Code 128 and QR.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hoso sheet cover --dossier H40.17.5-261121-0001 --procedure 1.004873 --pages 4 -o bia.pdf"
)]
pub struct CoverArgs {
    /// Code of the dossier.
    #[arg(long, value_name = "CODE")]
    dossier: String,
    /// Code of its procedure.
    #[arg(long, value_name = "P")]
    procedure: Option<String>,
    /// How many pages follow, the sheet not counted; the batch is checked against it.
    #[arg(long, value_name = "N", value_parser = pages())]
    pages: Option<u32>,
    #[command(flatten)]
    to: To,
}

/// Where a sheet goes.
#[derive(Debug, clap::Args)]
struct To {
    /// Where the PDF goes; replaced as a whole if it is there.
    #[arg(short, long, value_name = "OUT.pdf")]
    output: PathBuf,
    /// Time of making, RFC 3339; not written without it. The same sheet and time give the same bytes.
    #[arg(long, value_name = "TIME")]
    created: Option<jiff::Timestamp>,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

fn pages() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32)
        .range(i64::from(*sheet_text::PAGES.start())..=i64::from(*sheet_text::PAGES.end()))
}

/// Draws the sheets and writes them.
///
/// # Errors
/// A code that is none; [`sheet::TOO_LONG`]; the output cannot be written (`PDF-031`).
pub fn run(command: &Command) -> Outcome<u8> {
    let (text, title, copies, to) = match command {
        Command::Separator(args) => (SheetText::Separator(args.pages), "Tờ phân cách", args.count, &args.to),
        Command::Cover(args) => {
            let procedure = args.procedure.as_deref().map(str::parse).transpose()?;
            let cover = Cover { dossier: args.dossier.parse()?, procedure, expected_pages: args.pages };
            (SheetText::Cover(cover), "Tờ bìa hồ sơ", 1, &args.to)
        }
    };
    let meta = Metadata {
        title: title.to_owned(),
        created: to.created,
        creator_tool: "hoso sheet".to_owned(),
        dossier_code: match &text {
            SheetText::Cover(cover) => Some(cover.dossier.to_string()),
            SheetText::Separator(_) => None,
        },
    };
    let copies = usize::try_from(copies).unwrap_or(usize::MAX);
    let pdf = print::print(&sheet::draw(&text)?, copies, &meta)?;
    write_bytes(&to.output, &pdf)?;
    if to.json {
        let line = serde_json::json!({
            "output": to.output.display().to_string(),
            "pages": copies,
            "code128": text.bars(),
            "qr": text.qr(),
        });
        println!("{line}");
    } else {
        println!("{}: {copies} tờ / sheets, {} | {}", to.output.display(), text.bars(), text.qr());
    }
    Ok(0)
}
