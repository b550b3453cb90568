//! `hoso identity portrait`: the face of a chip, shown only where the chip's own signature stands behind it.

use super::identity::demands::DemandArgs;
use super::identity::read;
use super::target::refuse_input;
use crate::chip::portrait::{self, PortraitError};
use crate::chip::reason::Overall;
use crate::chip::verdict::Verdict;
use crate::chip::{self, Reading};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::pdf::samples::Samples;
use crate::sandbox::{self, Pool};
use crate::scan::{Limits, Reader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whose face, and where it goes.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The picture is decoded in the decoder's box and coded anew as PNG: nothing else that the chip \
    carried beside its pixels reaches the file. It is personal data; remove it when the check is done.\n\n\
    Example:\n  hoso identity portrait citizen.reading.json --anchors anchors/csca -o face.png"
)]
pub struct Args {
    /// The reading file.
    #[arg(value_name = "READING")]
    reading: PathBuf,
    /// Folder of trusted country signing certificates and revocation lists.
    #[arg(long, value_name = "DIR")]
    anchors: PathBuf,
    #[command(flatten)]
    demands: DemandArgs,
    /// Where to write the picture, PNG.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
}

/// Writes the portrait of a genuine reading.
///
/// # Errors
/// [`NOT_GENUINE`], [`NO_PORTRAIT`]; those of reading the file and the anchors, of the decoder, and of writing.
pub fn run(args: &Args) -> Outcome<u8> {
    refuse_input(&args.out, std::slice::from_ref(&args.reading))?;
    let reading = Reading::parse(&read(&args.reading, chip::reading::LARGEST_READING)?)
        .map_err(|fault| fault.at(args.reading.display()))?;
    let verdict = args.demands.judge(&reading, &args.anchors)?;
    let drawn = of_reading(&reading, &verdict, &boxed()).map_err(|f| f.at(args.reading.display()))?;
    write_png(&drawn, &args.out)?;
    println!("{}: {} x {} px", args.out.display(), drawn.width, drawn.height);
    Ok(0)
}

/// The decoder's box for one picture after another.
pub(super) fn boxed() -> Reader {
    Reader::boxed(Arc::new(Pool::new(1, sandbox::Policy::default())))
}

/// The face in DG2 as RGB.
///
/// # Errors
/// [`NOT_GENUINE`] unless signature, chain and hash hold; [`NO_PORTRAIT`]; the decoder's.
pub(super) fn of_reading(reading: &Reading, verdict: &Verdict, reader: &Reader) -> Outcome<Samples> {
    let genuine = matches!(verdict.overall, Overall::Genuine | Overall::GenuineCloneUnchecked);
    let file = reading.dg(2).filter(|_| genuine && verdict.intact(2));
    let file =
        file.ok_or_else(|| Fault::new(&NOT_GENUINE).detail(format_args!("{} / {}", verdict.vi, verdict.en)))?;
    let face = portrait::find(file).map_err(|error| {
        let fault = Fault::new(&NO_PORTRAIT);
        // Other errors would quote the place in a file that no clerk sees.
        if matches!(error, PortraitError::TooLarge { .. }) { fault.detail(error) } else { fault }
    })?;
    let picture = file.get(face.range).unwrap_or_default().to_vec();
    let limits = Limits { file_bytes: 1 << 20, pages: 1, pixels: portrait::MOST_PIXELS, ..Limits::default() };
    let drawn = reader.open(picture, &limits).and_then(|opened| opened.drawn(1));
    // A decoder's own remedy is for a page on a scanner, and a card has none.
    drawn.map_err(|fault| match fault.code.class {
        Class::Input => Fault::new(&PORTRAIT_DAMAGED).detail(fault.code.id),
        _ => fault,
    })
}

/// RGB samples as a PNG file, whole or not at all.
fn write_png(samples: &Samples, out: &Path) -> Outcome<()> {
    let failed = |e: png::EncodingError| Fault::new(&crate::pdf::samples::PACKING).detail(e);
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, samples.width, samples.height);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&samples.bytes).map_err(failed)?;
    writer.finish().map_err(failed)?;
    super::card::write(out, &file)
}

/// All faults of this door.
pub const CODES: &[&Code] = &[&NOT_GENUINE, &NO_PORTRAIT, &PORTRAIT_DAMAGED];

/// Nothing stands behind the face.
pub const NOT_GENUINE: Code = Code {
    id: "CHIP-070",
    class: Class::Input,
    vi: "Không hiển thị ảnh chân dung: dữ liệu chip chưa được xác minh là thật",
    en: "the portrait is not shown: the chip's data are not verified",
    remedy_vi: "Xử lý nguyên nhân nêu trên rồi đọc lại thẻ; không dùng ảnh từ chip chưa xác minh",
    remedy_en: "mend the cause that is named and read the card again; no face from an unverified chip is used",
};

/// DG2 holds no face that can be shown.
pub const NO_PORTRAIT: Code = Code {
    id: "CHIP-071",
    class: Class::Input,
    vi: "Không tìm thấy ảnh chân dung trong DG2",
    en: "no portrait is found in DG2",
    remedy_vi: "Đọc lại thẻ; nếu vẫn vậy thì đối chiếu với ảnh in trên thẻ",
    remedy_en: "read the card again; if it stays so, compare with the picture printed on the card",
};

/// The picture in DG2 cannot be decoded.
pub const PORTRAIT_DAMAGED: Code = Code {
    id: "CHIP-072",
    class: Class::Input,
    vi: "Ảnh chân dung trong DG2 không giải mã được",
    en: "the portrait in DG2 cannot be decoded",
    remedy_vi: "Đọc lại thẻ; nếu vẫn vậy thì đối chiếu với ảnh in trên thẻ và báo cơ quan cấp",
    remedy_en: "read the card again; if it stays so, compare with the picture printed on the card and tell the issuer",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chip::verdict::tests::judge;
    use crate::chip::verdict::tests::world::world;

    #[test]
    fn a_damaged_portrait_is_read_again_from_the_card_and_not_scanned_again() {
        // The head of a JPEG and nothing behind it.
        let reading = world().mint("ds", &[]);
        let fault = of_reading(&reading, &judge(&reading, "anchors"), &Reader::here()).unwrap_err();
        assert_eq!(fault.code, &PORTRAIT_DAMAGED);
    }
}
