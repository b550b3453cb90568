//! The XMP packet of an archive (ISO 16684-1; ISO 19005-2 6.6): what it is, what it is called, when it was made.

use super::archive::Metadata;
use std::fmt::Write as _;

/// A packet that declares PDF/A-2b. Characters that XML cannot hold are left out.
pub fn packet(meta: &Metadata) -> String {
    let mut properties = String::new();
    if let Some(code) = &meta.dossier_code {
        let _ = write!(properties, "<dc:identifier>{}</dc:identifier>\n   ", escaped(code));
    }
    if !meta.title.is_empty() {
        let title = escaped(&meta.title);
        let _ = write!(
            properties,
            "<dc:title><rdf:Alt><rdf:li xml:lang=\"x-default\">{title}</rdf:li></rdf:Alt></dc:title>\n   "
        );
    }
    for name in ["CreateDate", "ModifyDate", "MetadataDate"] {
        if let Some(created) = meta.created {
            let created = created.display_with_offset(jiff::tz::offset(7));
            let _ = write!(properties, "<xmp:{name}>{created:.0}</xmp:{name}>\n   ");
        }
    }
    format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>
<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">
 <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">
  <rdf:Description rdf:about=\"\"
    xmlns:dc=\"http://purl.org/dc/elements/1.1/\"
    xmlns:pdf=\"http://ns.adobe.com/pdf/1.3/\"
    xmlns:pdfaid=\"http://www.aiim.org/pdfa/ns/id/\"
    xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\">
   <pdfaid:part>2</pdfaid:part>
   <pdfaid:conformance>B</pdfaid:conformance>
   <dc:format>application/pdf</dc:format>
   {properties}<dc:language><rdf:Bag><rdf:li>vi-VN</rdf:li></rdf:Bag></dc:language>
   <pdf:Producer>hoso {version}</pdf:Producer>
   <xmp:CreatorTool>{tool}</xmp:CreatorTool>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end=\"r\"?>",
        version = env!("CARGO_PKG_VERSION"),
        tool = escaped(&meta.creator_tool),
    )
}

/// Text inside an XML 1.0 element.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for ch in text.chars() {
        match ch {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\u{fffe}' | '\u{ffff}' => {}
            ch if ch.is_control() => {}
            ch => out.push(ch),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(title: &str) -> Metadata {
        Metadata {
            title: title.into(),
            created: "2025-09-14T01:05:09.25Z".parse().ok(),
            creator_tool: "hoso".into(),
            dossier_code: Some("H49.12.5-250914-0001".into()),
        }
    }

    #[test]
    fn a_title_cannot_break_out_of_its_element() {
        let packet = packet(&meta("Đơn </rdf:li> & \u{0}<b>"));
        assert!(packet.contains(">Đơn &lt;/rdf:li&gt; &amp; &lt;b&gt;</rdf:li>"));
    }

    #[test]
    fn times_are_vietnamese_and_whole_seconds() {
        assert!(packet(&meta("x")).contains("<xmp:CreateDate>2025-09-14T08:05:09+07:00</xmp:CreateDate>"));
    }
}
