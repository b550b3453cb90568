"""Makes the first inputs of every target: one small file of each coding that the decoders know.

    .venv/bin/python tests/fuzz/seeds.py        needs scripts/judges.txt and test-data/requirements.txt

What fuzzing finds beyond them is kept in corpus/ by scripts/fuzz and is not committed; what once failed is, in seeds/.
"""

import io
from pathlib import Path

import img2pdf
import segno
from PIL import Image, ImageDraw

ROOT = Path(__file__).parent / "seeds"


def picture(mode: str) -> Image.Image:
    image = Image.new("RGB", (24, 18), (236, 232, 220))
    draw = ImageDraw.Draw(image)
    draw.rectangle((3, 3, 11, 9), fill=(30, 30, 60))
    draw.ellipse((12, 6, 21, 15), outline=(190, 20, 30))
    return image.convert(mode)


def keep(target: str, name: str, data: bytes) -> None:
    folder = ROOT / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def coded(mode: str, kind: str, **how) -> bytes:
    out = io.BytesIO()
    picture(mode).save(out, kind, **how)
    return out.getvalue()


def main() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for name, data in {
        "grey.jpg": coded("L", "JPEG", dpi=(200, 200)), "colour.jpg": coded("RGB", "JPEG", quality=60),
        "progressive.jpg": coded("RGB", "JPEG", progressive=True), "cmyk.jpg": coded("CMYK", "JPEG"),
        "turned.jpg": coded("RGB", "JPEG", exif=exif), "restart.jpg": coded("L", "JPEG", restart_marker_blocks=1),
    }.items():
        keep("jpeg", name, data)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        source = picture("L").convert("I;16") if mode == "I;16" else picture(mode)
        out = io.BytesIO()
        source.save(out, "PNG", dpi=(200, 200))
        keep("png", f"{mode.replace(';', '-')}.png", out.getvalue())
    for mode, how in (("1", "group3"), ("1", "group4"), ("1", "packbits"), ("L", "tiff_lzw"), ("RGB", "tiff_adobe_deflate"),
                      ("RGB", "jpeg"), ("CMYK", "raw"), ("P", "tiff_lzw"), ("RGBA", "raw")):
        keep("tiff", f"{mode}-{how}.tif", coded(mode, "TIFF", compression=how, dpi=(200, 200)))
    out = io.BytesIO()
    picture("L").save(out, "TIFF", save_all=True, append_images=[picture("1"), picture("RGB")], compression="tiff_lzw")
    keep("tiff", "three-pages.tif", out.getvalue())
    for name, how in (("lossy", {"quality": 50}), ("lossless", {"lossless": True})):
        keep("webp", f"{name}.webp", coded("RGB", "WEBP", **how))
    keep("webp", "alpha.webp", coded("RGBA", "WEBP", quality=50))
    keep("webp", "moving.webp", coded("RGB", "WEBP", save_all=True, append_images=[picture("RGB").rotate(90)]))
    keep("jp2", "lossless.jp2", coded("RGB", "JPEG2000"))
    keep("jp2", "lossy.jp2", coded("L", "JPEG2000", quality_mode="rates", quality_layers=[4], irreversible=True))
    keep("jp2", "tiles.j2k", coded("RGB", "JPEG2000", no_jp2=True, tile_size=(16, 16)))
    for name, pages in {"jpeg.pdf": [coded("RGB", "JPEG", dpi=(72, 72))], "png.pdf": [coded("L", "PNG", dpi=(72, 72))],
                        "g4.pdf": [coded("1", "TIFF", compression="group4")],
                        "two.pdf": [coded("L", "JPEG"), coded("1", "PNG")], "jp2.pdf": [coded("RGB", "JPEG2000")]}.items():
        keep("pdf", name, img2pdf.convert(pages))
    for text, kind in (("HOSO-SEP-3", "qr"), ("H49.12.5-250914-0042", "micro")):
        code = segno.make(text[:12], micro=kind == "micro", error="l")
        rows = [bytes(20 if dark else 235 for dark in row) for row in code.matrix_iter(border=4)]
        keep("codes", kind, len(rows[0]).to_bytes(2, "little") + b"\x03" + b"".join(rows))
    bars = b"".join(bytes([20 if bit == "1" else 235]) for bit in "0000000000" + "11010010000110010111001110101110110001110101100011101011" + "0" * 10)
    keep("codes", "bars", len(bars).to_bytes(2, "little") + b"\x03" + bars * 20)


if __name__ == "__main__":
    main()
