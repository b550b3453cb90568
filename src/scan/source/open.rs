//! The pages of each kind of file, listed from its headers: no pixel is decoded.

use super::resolution::believed;
use super::{Coded, Inner, PageInfo, guarded};
use crate::fault::Outcome;
use crate::original::Original;
use crate::page::{Dpi, DpiSource};
use crate::pdf::read::{self, Body, Filter, Foreign, Pdf};
use crate::scan::{Kind, Limits, jp2_page, jpeg, pdf_page, png_page, tiff_pages, webp_page};

/// The pages, what they are decoded from, and whether a signature lies in the file.
pub(super) type Opened = (Vec<Outcome<PageInfo>>, Inner, bool);

/// Lists the pages of a file of this kind; a PDF is read from its `original`, whose `bytes` nobody holds.
pub(super) fn pages(kind: Kind, original: &Original, bytes: &[u8], limits: &Limits) -> Outcome<Opened> {
    match kind {
        Kind::Jpeg => open_jpeg(bytes, limits),
        Kind::Png => open_png(bytes, limits),
        Kind::Webp => open_webp(bytes, limits),
        Kind::Jp2 => open_jpeg2000(bytes, limits),
        Kind::Tiff => open_tiff(bytes, limits),
        Kind::Pdf => open_pdf(original, limits),
    }
}

fn open_jpeg(bytes: &[u8], limits: &Limits) -> Outcome<Opened> {
    let head = jpeg::head(bytes)?;
    let bits = 8 * u64::from(head.components);
    limits.page(head.width, head.height, bits, bytes.len() as u64)?;
    let info = PageInfo {
        turns: head.turns,
        mirrored: head.mirrored,
        ..plain(1, head.width, head.height, head.dpi, Coded::Jpeg)
    };
    Ok((vec![Ok(info)], Inner::Jpeg(Box::new(head)), false))
}

fn open_png(bytes: &[u8], limits: &Limits) -> Outcome<Opened> {
    let head = png_page::head(bytes)?;
    limits.page(head.width, head.height, head.pixel_bits(), bytes.len() as u64)?;
    let info = PageInfo {
        turns: head.turns,
        mirrored: head.mirrored,
        bilevel: head.bilevel(),
        ..plain(1, head.width, head.height, head.dpi, Coded::Png)
    };
    Ok((vec![Ok(info)], Inner::Png(head), false))
}

fn open_webp(bytes: &[u8], limits: &Limits) -> Outcome<Opened> {
    let head = webp_page::head(bytes)?;
    limits.page(head.width, head.height, 32, bytes.len() as u64)?;
    let info = PageInfo {
        turns: head.turns,
        mirrored: head.mirrored,
        ..plain(1, head.width, head.height, head.dpi, Coded::Webp)
    };
    Ok((vec![Ok(info)], Inner::Webp(head), false))
}

fn open_jpeg2000(bytes: &[u8], limits: &Limits) -> Outcome<Opened> {
    let head = jp2_page::head(bytes, limits)?;
    let info = plain(1, head.width, head.height, head.dpi, Coded::Jpeg2000);
    Ok((vec![Ok(info)], Inner::Jpeg2000(Box::new(head)), false))
}

fn open_tiff(bytes: &[u8], limits: &Limits) -> Outcome<Opened> {
    let mut infos = Vec::new();
    let mut heads = Vec::new();
    for (i, page) in tiff_pages::pages(bytes, limits)?.into_iter().enumerate() {
        let info = page.as_ref().map_err(|f| f.clone().at(format!("page {}", i + 1))).map(|head| PageInfo {
            turns: head.turns,
            mirrored: head.mirrored,
            bilevel: head.bilevel(),
            ..plain(i + 1, head.width, head.height, head.dpi, tiff_coding(head.compression))
        });
        infos.push(info);
        heads.push(page.ok());
    }
    Ok((infos, Inner::Tiff(heads), false))
}

fn open_pdf(original: &Original, limits: &Limits) -> Outcome<Opened> {
    let bounds = read::Bounds { pages: limits.pages, stream_bytes: limits.stream_bytes };
    let pdf = Pdf::open(original.clone(), &bounds)?;
    let mut infos = Vec::new();
    let mut images = Vec::new();
    for number in 1..=pdf.pages() {
        // A page alone may be what the parser panics at.
        let (info, image) = match guarded(|| pdf_info(&pdf, number, limits)) {
            Ok((info, image)) => (Ok(info), image),
            Err(fault) => (Err(fault.at(format!("page {number}"))), None),
        };
        infos.push(info);
        images.push(image);
    }
    let signed = pdf.signed();
    Ok((infos, Inner::Pdf(Box::new(pdf), images), signed))
}

fn pdf_info(pdf: &Pdf, number: usize, limits: &Limits) -> Outcome<(PageInfo, Option<read::Image>)> {
    let mut page = pdf.page(number)?;
    if let Body::Image(image) = &page.body
        && pdf_page::is_transformed(pdf, image)?
    {
        page.body = Body::Foreign(Foreign::Coding);
    }
    Ok(match page.body {
        Body::Foreign(why) => {
            let info = PageInfo {
                dpi: Dpi { x: 0.0, y: 0.0, source: DpiSource::Assumed },
                foreign: Some(why),
                has_text: page.has_text,
                size_pt: Some(page.size),
                ..plain(number, 0, 0, None, Coded::Foreign)
            };
            (info, None)
        }
        Body::Image(image) => {
            let bits = u64::from(image.bits) * u64::from(image.colour.samples());
            limits.page(image.width, image.height, bits, image.encoded)?;
            let coding = match image.filter {
                Filter::Jpeg => Coded::Jpeg,
                Filter::G4 { .. } => Coded::G4,
                Filter::Jbig2 => Coded::Jbig2,
                Filter::Jpx => Coded::Jpeg2000,
                Filter::Samples => Coded::Deflate,
            };
            let image_as_such = plain(number, image.width, image.height, Some(image.dpi), coding);
            let info = PageInfo {
                turns: image.turns,
                mirrored: image.mirrored,
                tilt_deg: image.tilt_deg,
                // What is not as large as the PDF says is not with all of its page.
                window: image.window.map(|window| window.times(image.dpi.x / image_as_such.dpi.x)),
                bilevel: image.bits == 1 && image.colour.samples() == 1,
                has_text: page.has_text,
                size_pt: Some(page.size),
                ..image_as_such
            };
            (info, Some(*image))
        }
    })
}

fn plain(number: usize, width: u32, height: u32, dpi: Option<Dpi>, coding: Coded) -> PageInfo {
    PageInfo {
        number,
        width,
        height,
        dpi: believed(dpi, width, height),
        turns: 0,
        mirrored: false,
        tilt_deg: 0.0,
        window: None,
        bilevel: false,
        coding,
        foreign: None,
        has_text: false,
        size_pt: None,
    }
}

fn tiff_coding(compression: u32) -> Coded {
    match compression {
        2 | 3 => Coded::G3,
        4 => Coded::G4,
        5 => Coded::Lzw,
        7 => Coded::Jpeg,
        8 | 32_946 => Coded::Deflate,
        32_773 => Coded::Packbits,
        _ => Coded::Raw,
    }
}
