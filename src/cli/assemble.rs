//! `hoso assemble`: page images in, one PDF/A-2b out, never half-made.
//!
//! One refused page refuses the whole: an archive that silently lacks a page is worse than none.

use super::target::{self, write_whole};
use crate::digest::Digests;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::original::Original;
use crate::pdf::archive::{self, ArchivePage, Metadata, Note};
use crate::pdf::wallet;
use crate::sandbox::{self, Pool};
use crate::scan::{Limits, Reader, Sheaf};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Make a PDF/A-2b from page images, in the order given. The bytes of a scan go in unchanged.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hoso assemble trang-1.jpg trang-2.tif -o to-khai.pdf --title 'Tờ khai đăng ký khai sinh'"
)]
pub struct Args {
    /// Page images: JPEG, PNG, TIFF, WebP, JPEG 2000, or PDF of scanned pages.
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Where the PDF goes; replaced as a whole if it is there.
    #[arg(short, long, value_name = "OUT.pdf")]
    output: PathBuf,
    /// Title of the document; none is written without it.
    #[arg(long)]
    title: Option<String>,
    /// Code of the dossier, written into the metadata.
    #[arg(long, value_name = "CODE")]
    dossier: Option<String>,
    /// Time of making, RFC 3339; none is written without it. The same pages, title and time give the same bytes.
    #[arg(long, value_name = "TIME")]
    created: Option<jiff::Timestamp>,
    /// Turn crooked pages straight where the lines on them show it (0.3° to 8°); the scan itself stays as it is.
    #[arg(long)]
    straighten: bool,
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
/// The first page that cannot be taken, with its file and page; [`UNREADABLE`], [`SIGNED`],
/// [`target::ONTO_INPUT`], [`target::UNWRITABLE`].
pub fn run(args: &Args) -> Outcome<u8> {
    run_with(args, &Reader::boxed(Arc::new(Pool::new(1, sandbox::Policy::default()))))
}

fn run_with(args: &Args, reader: &Reader) -> Outcome<u8> {
    target::refuse_input(&args.output, &args.images)?;
    // Nothing of the clock or of a file's name: the same pages give the same bytes, today and under another name.
    let meta = Metadata {
        title: args.title.clone().unwrap_or_default(),
        created: args.created,
        creator_tool: "hoso assemble".to_owned(),
        dossier_code: args.dossier.clone(),
    };
    // Pages are made one at a time, as the archive asks for them.
    let (mut count, mut texts) = (0, Vec::new());
    let pages = args.images.iter().flat_map(|path| pages(path, args, reader)).map(|page| {
        count += 1;
        page.map(|(page, has_text)| {
            texts.extend(has_text.then_some(Note::TextLeft { page: count }));
            page
        })
    });
    let (digests, mut notes) = write_whole(&args.output, |sink| match args.profile {
        Profile::Master => archive::write_each(pages, &meta, sink),
        Profile::Wallet => wallet::write_each(pages, &meta, sink),
    })?;
    notes.extend(texts);
    let scans =
        args.images.iter().filter_map(|path| std::fs::metadata(path).ok()).map(|file| file.len()).sum();
    notes.extend(Note::of_growth(scans, digests.size));
    report(args, count, &digests, &notes);
    Ok(0)
}

fn report(args: &Args, pages: usize, digests: &Digests, notes: &[Note]) {
    if args.json {
        let line = serde_json::json!({
            "output": args.output.display().to_string(),
            "pages": pages,
            "digests": digests,
            "notes": notes,
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
    for note in notes {
        println!("  {note}");
    }
}

/// The pages of one input file, each made when it is asked for, and whether it had text to search.
fn pages<'a>(
    path: &'a Path,
    args: &'a Args,
    reader: &Reader,
) -> Box<dyn Iterator<Item = Outcome<(ArchivePage, bool)>> + 'a> {
    let place = move |fault: Fault| fault.at(path.display());
    match open(path, reader) {
        Err(fault) => Box::new(std::iter::once(Err(place(fault)))),
        Ok(sheaf) => {
            let count = sheaf.pages().len();
            Box::new((1..=count).map(move |number| page(&sheaf, number, args).map_err(place)))
        }
    }
}

fn open(path: &Path, reader: &Reader) -> Outcome<Sheaf> {
    let unreadable = |e: std::io::Error| Fault::new(&UNREADABLE).detail(e.kind());
    // A pipe is not even opened: nobody waits for its writer.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Fault::new(&UNREADABLE).detail("not a plain file"));
    }
    let file = File::open(path).map_err(unreadable)?;
    let sheaf = reader.open(Original::file(file)?, &Limits::default())?;
    if sheaf.signed() {
        return Err(Fault::new(&SIGNED));
    }
    Ok(sheaf)
}

fn page(sheaf: &Sheaf, number: usize, args: &Args) -> Outcome<(ArchivePage, bool)> {
    let image = match args.profile {
        Profile::Master => sheaf.page_image(number)?,
        Profile::Wallet => sheaf.wallet_image(number)?,
    };
    let skew_deg = if args.straighten {
        let profile = crate::scan::Profile::default();
        let quality = sheaf.judge(number, &profile, None)?.quality;
        if quality.skew_confidence >= profile.skew_confidence { quality.skew_deg } else { 0.0 }
    } else {
        0.0
    };
    let info = number.checked_sub(1).and_then(|i| sheaf.pages().get(i)?.as_ref().ok());
    Ok((ArchivePage { image, skew_deg }, info.is_some_and(|info| info.has_text)))
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

/// A PDF that somebody has signed.
pub const SIGNED: Code = Code {
    id: "PDF-032",
    class: Class::Input,
    vi: "Tệp PDF đã có chữ ký số nên không được lập lại",
    en: "the PDF carries a signature and must not be made anew",
    remedy_vi: "Giữ nguyên tệp đã ký và nộp kèm hồ sơ",
    remedy_en: "keep the signed file as it is and hand it in beside the others",
};

/// Every fault of this door.
pub const CODES: &[&Code] = &[&UNREADABLE, &SIGNED];

#[cfg(test)]
mod tests {
    use super::*;

    fn args(images: Vec<PathBuf>, output: PathBuf) -> Args {
        let profile = Profile::Master;
        Args {
            images,
            output,
            title: None,
            dossier: None,
            created: None,
            straighten: false,
            profile,
            json: true,
        }
    }

    fn jpeg(path: &Path) {
        let samples =
            crate::pdf::samples::Samples { bytes: vec![230; 4096], width: 64, height: 64, channels: 1 };
        std::fs::write(path, crate::pdf::samples::encode_jpeg(&samples, 80).unwrap()).unwrap();
    }

    #[test]
    fn a_refused_page_leaves_the_old_output_and_no_remains() {
        let dir = tempfile::tempdir().unwrap();
        let (good, bad, out) = (dir.path().join("1.jpg"), dir.path().join("2.jpg"), dir.path().join("o.pdf"));
        jpeg(&good);
        std::fs::write(&bad, b"not a picture").unwrap();
        assert_eq!(run_with(&args(vec![good.clone()], out.clone()), &Reader::here()), Ok(0));
        let before = std::fs::read(&out).unwrap();
        assert!(before.starts_with(b"%PDF-1.7"));
        let fault = run_with(&args(vec![good, bad], out.clone()), &Reader::here()).unwrap_err();
        assert!(fault.place.unwrap().ends_with("2.jpg"));
        assert_eq!(std::fs::read(&out).unwrap(), before);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
    }

    #[test]
    fn an_original_is_never_written_over_whatever_name_it_is_called_by() {
        let dir = tempfile::tempdir().unwrap();
        let (page, link, hard) = (dir.path().join("1.jpg"), dir.path().join("l"), dir.path().join("h"));
        jpeg(&page);
        let before = std::fs::read(&page).unwrap();
        std::os::unix::fs::symlink(&page, &link).unwrap();
        std::fs::hard_link(&page, &hard).unwrap();
        for output in [page.clone(), dir.path().join("./1.jpg"), link, hard] {
            let fault = run_with(&args(vec![page.clone()], output), &Reader::here()).unwrap_err();
            assert_eq!(fault.code, &target::ONTO_INPUT);
            assert_eq!(std::fs::read(&page).unwrap(), before);
        }
    }

    #[test]
    fn a_page_with_text_to_search_is_known_by_it() {
        use lopdf::{Document, Object, Stream, dictionary};
        let text = |orders: &str| {
            let mut file = Document::with_version("1.7");
            let tree = file.new_object_id();
            let image = dictionary! {
                "Subtype" => "Image", "Width" => 20, "Height" => 40, "BitsPerComponent" => 8,
                "ColorSpace" => "DeviceGray"
            };
            let image = file.add_object(Stream::new(image, vec![9; 800]));
            let orders = format!("q 144 0 0 288 0 0 cm /Im0 Do Q {orders}");
            let orders = file.add_object(Stream::new(dictionary! {}, orders.into_bytes()));
            let page = file.add_object(dictionary! {
                "Type" => "Page", "Parent" => tree, "Contents" => orders,
                "MediaBox" => vec![0.into(), 0.into(), 144.into(), 288.into()],
                "Resources" => dictionary! { "XObject" => dictionary! { "Im0" => image } }
            });
            let kids: Vec<Object> = vec![page.into()];
            let nodes = dictionary! { "Type" => "Pages", "Kids" => kids, "Count" => 1 };
            file.objects.insert(tree, Object::Dictionary(nodes));
            let root = file.add_object(dictionary! { "Type" => "Catalog", "Pages" => tree });
            file.trailer.set("Root", root);
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("1.pdf");
            file.save(&path).unwrap();
            let asked = args(vec![path.clone()], dir.path().join("o.pdf"));
            pages(&path, &asked, &Reader::here()).map(|page| page.unwrap().1).collect::<Vec<_>>()
        };
        assert_eq!(text("BT 3 Tr (layer) Tj ET"), [true]);
        assert_eq!(text(""), [false]);
    }

    #[test]
    fn an_output_folder_that_is_not_there_is_a_fault_of_the_setup() {
        let dir = tempfile::tempdir().unwrap();
        let page = dir.path().join("1.jpg");
        jpeg(&page);
        let fault = run_with(&args(vec![page], dir.path().join("none/o.pdf")), &Reader::here()).unwrap_err();
        assert_eq!(fault.code, &target::UNWRITABLE);
    }
}
