//! PDF/A-2b pages of every shape, a decision with title and name, and pictures of a signature and a seal. All drawn here.

use hoso::pdf::font::{Font, Subset};
use std::fmt::Write as _;

/// A4 pages that look alike and are built in every way; the plain one first.
pub(crate) fn shapes() -> Vec<(&'static str, Vec<u8>)> {
    let page = |entries: &str| pdf_a("", entries, "", &[]);
    vec![
        ("plain", page("/MediaBox[0 0 595 842]")),
        ("turned-90", page("/MediaBox[0 0 842 595]/Rotate 90")),
        ("turned-180", page("/MediaBox[0 0 595 842]/Rotate 180")),
        ("turned-270", page("/MediaBox[0 0 842 595]/Rotate 270")),
        ("turned-back", page("/MediaBox[0 0 842 595]/Rotate -90")),
        ("turned-450", page("/MediaBox[0 0 842 595]/Rotate 450")),
        ("inherited", pdf_a("/MediaBox[0 0 842 595]/Rotate 270", "", "", &[])),
        ("crop", page("/MediaBox[0 0 900 1000]/CropBox[100 50 695 892]")),
        ("crop-turned", page("/MediaBox[0 0 1000 900]/CropBox[50 100 892 695]/Rotate 90")),
        ("negative", page("/MediaBox[-300 -400 295 442]")),
        ("swapped", page("/MediaBox[595 842 0 0]")),
        ("unit", page("/MediaBox[0 0 297.5 421]/UserUnit 2")),
    ]
}

/// An empty page, turned.
pub(crate) fn turned(turn: i64) -> Vec<u8> {
    let media = if turn % 180 == 0 { "0 0 595 842" } else { "0 0 842 595" };
    pdf_a("", &format!("/MediaBox[{media}]/Rotate {turn}"), "", &[])
}

/// A page of text from edge to edge that begins this many millimetres from the top.
pub(crate) fn letter(top: f64) -> Vec<u8> {
    let words =
        "Kính gửi Ủy ban nhân dân xã, tôi làm đơn này xin cấp bản sao giấy khai sinh cho con tôi là cháu";
    let rows = ((297.0 - top) / 5.0) as usize;
    let lines: Vec<Words> = (0..rows)
        .map(|row| Words { x: 6.0, y: top + 4.0 + row as f64 * 5.0, size: 12.5, centred: false, says: words })
        .collect();
    set(&lines)
}

/// A decision of one page as Decree 30/2020 sets it: the person signs on the right, recipients stand on the left.
pub(crate) fn decision() -> Vec<u8> {
    let w = |x, y, size, says| Words { x, y, size, centred: true, says };
    let l = |x, y, says| Words { x, y, size: 13.0, centred: false, says };
    let s = |x, y, says| Words { x, y, size: 11.0, centred: false, says };
    set(&[
        w(58.0, 25.0, 12.0, "ỦY BAN NHÂN DÂN XÃ HÒA BÌNH"),
        w(148.0, 25.0, 12.0, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM"),
        w(148.0, 31.0, 13.0, "Độc lập - Tự do - Hạnh phúc"),
        w(58.0, 37.0, 13.0, "Số: 123/QĐ-UBND"),
        w(148.0, 43.0, 13.0, "Hòa Bình, ngày 14 tháng 9 năm 2025"),
        w(110.0, 58.0, 14.0, "QUYẾT ĐỊNH"),
        w(110.0, 65.0, 14.0, "Về việc công nhận kết quả giải quyết thủ tục"),
        l(40.0, 85.0, "Căn cứ Luật Tổ chức chính quyền địa phương;"),
        l(40.0, 92.0, "Theo đề nghị của công chức Tư pháp - Hộ tịch,"),
        w(110.0, 106.0, 14.0, "QUYẾT ĐỊNH:"),
        l(40.0, 118.0, "Điều 1. Công nhận kết quả giải quyết thủ tục hành chính của ông Đinh Quang"),
        l(30.0, 125.0, "Thược theo hồ sơ số H49.12.5-250914-0042."),
        l(40.0, 134.0, "Điều 2. Quyết định này có hiệu lực kể từ ngày ký. Bà Nguyễn Thị Huệ và các"),
        l(30.0, 141.0, "bộ phận có liên quan chịu trách nhiệm thi hành Quyết định này./."),
        s(30.0, 203.0, "Nơi nhận:"),
        s(30.0, 208.0, "- Như Điều 2;"),
        s(30.0, 213.0, "- Sở Tư pháp;"),
        s(30.0, 218.0, "- Lưu: VT, TP."),
        w(150.0, 205.0, 13.0, "TM. ỦY BAN NHÂN DÂN"),
        w(150.0, 212.0, 13.0, "CHỦ TỊCH"),
        w(150.0, 250.0, 14.0, "Nguyễn Thị Huệ"),
    ])
}

/// Words at millimetres from the upper left corner of an A4 page, their base line.
struct Words {
    x: f64,
    y: f64,
    size: f64,
    centred: bool,
    says: &'static str,
}

fn set(lines: &[Words]) -> Vec<u8> {
    let texts: Vec<&str> = lines.iter().map(|line| line.says).collect();
    let subset = Subset::new(Font::serif(), &texts).unwrap();
    let mut content = String::from("BT\n");
    for Words { x, y, size, centred, says } in lines {
        let width = f64::from(Font::serif().layout(says).unwrap().width(*size as f32));
        let left = x * 72.0 / 25.4 - if *centred { width / 2.0 } else { 0.0 };
        let base = 842.0 - y * 72.0 / 25.4;
        let _ = writeln!(
            content,
            "/F1 {size} Tf 1 0 0 1 {left:.3} {base:.3} Tm {} Tj",
            subset.hex(says).unwrap()
        );
    }
    content.push_str("ET");
    let mut next = 7;
    let objects = subset.objects(&mut next).objects;
    pdf_a("", "/MediaBox[0 0 595 842]/Resources<</Font<</F1 7 0 R>>>>", &content, &objects)
}

/// A PDF/A-2b file of one page: what its parent and itself say, what is drawn, and objects from number 7 on.
fn pdf_a(parent: &str, entries: &str, content: &str, more: &[(i32, Vec<u8>)]) -> Vec<u8> {
    let stream = |dict: &str, data: &[u8]| {
        [format!("<<{dict}/Length {}>>\nstream\n", data.len()).as_bytes(), data, b"\nendstream"].concat()
    };
    let icc = hoso::pdf::icc::srgb();
    let mut bodies = vec![
        b"<</Type/Catalog/Pages 2 0 R/Metadata 5 0 R/OutputIntents[<</Type/OutputIntent/S/GTS_PDFA1\
          /OutputConditionIdentifier(sRGB)/DestOutputProfile 6 0 R>>]>>"
            .to_vec(),
        format!("<</Type/Pages/Kids[3 0 R]/Count 1{parent}>>").into_bytes(),
        format!(
            "<</Type/Page/Parent 2 0 R/Contents 4 0 R{entries}{}>>",
            if entries.contains("/Resources") { "" } else { "/Resources<<>>" }
        )
        .into_bytes(),
        stream("", content.as_bytes()),
        stream("/Type/Metadata/Subtype/XML", XMP.as_bytes()),
        stream("/N 3", &icc),
    ];
    bodies.extend(more.iter().map(|(_, body)| body.clone()));
    let mut out = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut offsets = Vec::new();
    for (i, body) in bodies.iter().enumerate() {
        offsets.push(out.len());
        out.extend_from_slice(format!("{} 0 obj\n", i + 1).as_bytes());
        out.extend_from_slice(body);
        out.extend_from_slice(b"\nendobj\n");
    }
    let xref = out.len();
    out.extend_from_slice(format!("xref\n0 {}\n0000000000 65535 f\r\n", bodies.len() + 1).as_bytes());
    for offset in offsets {
        out.extend_from_slice(format!("{offset:010} 00000 n\r\n").as_bytes());
    }
    let id = "<00112233445566778899aabbccddeeff>";
    let size = bodies.len() + 1;
    out.extend_from_slice(
        format!("trailer\n<</Size {size}/Root 1 0 R/ID[{id}{id}]>>\nstartxref\n{xref}\n%%EOF\n").as_bytes(),
    );
    out
}

const XMP: &str = "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n\
    <x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\
    <rdf:Description rdf:about=\"\" xmlns:pdfaid=\"http://www.aiim.org/pdfa/ns/id/\"><pdfaid:part>2</pdfaid:part>\
    <pdfaid:conformance>B</pdfaid:conformance></rdf:Description></rdf:RDF></x:xmpmeta>\n<?xpacket end=\"w\"?>";

/// A handwritten signature, blue on nothing, 300 dots an inch: 42 x 17 mm.
pub(crate) fn scribble() -> Vec<u8> {
    let points = (0..4000).map(|i| {
        let t = f64::from(i) / 4000.0;
        let x = 20.0 + 440.0 * t + 28.0 * (t * 40.0).sin();
        let y = 100.0 - 60.0 * t + 70.0 * (1.0 - t) * (t * 33.0).cos() + 12.0 * (t * 9.0).sin();
        [x, y]
    });
    draw(500, 200, [20, 50, 170], &points.collect::<Vec<_>>(), 2.6)
}

/// A seal, red on nothing, 300 dots an inch: 36 mm.
pub(crate) fn seal() -> Vec<u8> {
    let ring = |radius: f64| {
        (0..6000).map(move |i| {
            let a = f64::from(i) / 6000.0 * std::f64::consts::TAU;
            [212.5 + radius * a.cos(), 212.5 + radius * a.sin()]
        })
    };
    let points: Vec<[f64; 2]> = ring(207.0).chain(ring(130.0)).chain(ring(60.0)).collect();
    draw(425, 425, [215, 0, 20], &points, 3.5)
}

fn draw(width: u32, height: u32, ink: [u8; 3], points: &[[f64; 2]], radius: f64) -> Vec<u8> {
    let mut alpha = vec![0u8; (width * height) as usize];
    for [x, y] in points {
        let reach = radius as i64 + 2;
        for py in *y as i64 - reach..=*y as i64 + reach {
            for px in *x as i64 - reach..=*x as i64 + reach {
                if (0..i64::from(width)).contains(&px) && (0..i64::from(height)).contains(&py) {
                    let away = ((px as f64 - x).powi(2) + (py as f64 - y).powi(2)).sqrt();
                    let cover = ((radius + 0.5 - away).clamp(0.0, 1.0) * 255.0) as u8;
                    let pixel = &mut alpha[(py * i64::from(width) + px) as usize];
                    *pixel = (*pixel).max(cover);
                }
            }
        }
    }
    let pixels: Vec<u8> = alpha.iter().flat_map(|a| [ink[0], ink[1], ink[2], *a]).collect();
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_pixel_dims(Some(png::PixelDimensions { xppu: 11811, yppu: 11811, unit: png::Unit::Meter }));
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    out
}
