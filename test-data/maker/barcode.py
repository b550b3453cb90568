"""Code128, Code39 and QR as bitmaps with whole-pixel modules."""

import segno
from PIL import Image

# ISO/IEC 15417 table: bar and space widths of symbol values 0 to 105, then the stop pattern.
CODE128 = """212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232
122132 122231 113222 123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212
322112 322211 212123 212321 232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133
112331 132131 113123 113321 133121 313121 211331 231131 213113 213311 213131 311123 311321 331121 312113
312311 332111 314111 221411 431111 111224 111422 121124 121421 141122 141221 112214 112412 122114 122411
142112 142211 241211 221114 413111 241112 134111 111242 121142 121241 114212 124112 124211 411212 421112
421211 212141 214121 412121 111143 111341 131141 114113 114311 411113 411311 113141 114131 311141 411131
211412 211214 211232 2331112""".split()
START_B, STOP = 104, 106

CODE39 = dict(zip(
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%*",
    """000110100 100100001 001100001 101100000 000110001 100110000 001110000 000100101 100100100
    001100100 100001001 001001001 101001000 000011001 100011000 001011000 000001101 100001100 001001100
    000011100 100000011 001000011 101000010 000010011 100010010 001010010 000000111 100000110 001000110
    000010110 110000001 011000001 111000000 010010001 110010000 011010000 010000101 110000100 011000100
    010101000 010100010 010001010 000101010 010010100""".split(), strict=True))


def _bars(widths: str, module: int, height: int, quiet: int) -> Image.Image:
    total = sum(map(int, widths)) + 2 * quiet
    image = Image.new("L", (total * module, height), 255)
    x = quiet
    for i, w in enumerate(map(int, widths)):
        if i % 2 == 0:
            image.paste(0, (x * module, 0, (x + w) * module, height))
        x += w
    return image


def code128(text: str, module: int, height: int) -> Image.Image:
    """Code set B: ASCII 32 to 126. `module` and `height` in pixels; quiet zone of ten modules."""
    values = [ord(c) - 32 for c in text]
    check = (START_B + sum(i * v for i, v in enumerate(values, 1))) % 103
    return _bars("".join(CODE128[v] for v in [START_B, *values, check, STOP]), module, height, 10)


def code39(text: str, module: int, height: int) -> Image.Image:
    """Wide to narrow is 3 to 1 and the gap between two characters is one module."""
    widths = ["".join("3" if b == "1" else "1" for b in CODE39[c]) for c in f"*{text}*"]
    return _bars("1".join(widths), module, height, 10)


def qr(text: str, pixels: int, error: str = "m", quiet: int = 4) -> Image.Image:
    """A QR code (byte mode, UTF-8) scaled to `pixels` a side, quiet zone included.
    Scaling is by area, so modules need not be whole pixels: that is how print and scan make them."""
    code = segno.make_qr(text, error=error, encoding="utf-8", eci=False, boost_error=False, mode="byte")
    rows = [[0 if m else 255 for m in row] for row in code.matrix_iter(border=quiet)]
    image = Image.new("L", (len(rows), len(rows)))
    image.putdata([v for row in rows for v in row])
    up = image.resize((len(rows) * 16, len(rows) * 16), Image.NEAREST)
    return up.resize((pixels, pixels), Image.BOX)
