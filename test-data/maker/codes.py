"""Pages with codes for benches of barcode readers, each with what it says.

    python -m maker.codes OUT --seeds tune --count 80

A seed belongs to one of two ranges. `tune` is looked at while a reader is written; `report` differs in more than its
numbers (other encoders, another way of putting modules on paper, other fonts and layouts, another blur) and is only ever
counted. Every page is grey, as PGM, so that each reader gets the same pixels and nobody pays for decoding.
"""

import argparse
import io
import json
import math
import multiprocessing
from functools import lru_cache
from pathlib import Path

import numpy as np
import segno
import zxingcpp
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from . import barcode
from .scan import noise

VERSION = 3
MM = 25.4
BIG = 2  # drawn at twice the resolution it is scanned at

FONTS = {
    "tune": ["Tinos-Regular.ttf", "Arimo-Regular.ttf", "Tinos-Bold.ttf", "LiberationSans-Regular.ttf"],
    "report": ["DejaVuSans.ttf", "FreeSerif.ttf", "C059-Roman.otf", "P052-Bold.otf", "Cousine-Regular.ttf", "DejaVuSerif.ttf"],
}
WORDS = """Cộng hòa xã hội chủ nghĩa Việt Nam Độc lập Tự do Hạnh phúc tờ khai đăng ký kết hôn Kính gửi Ủy ban nhân dân
phường họ chữ đệm tên ngày tháng năm sinh giới tính dân tộc quốc tịch nơi thường trú giấy tờ tùy thân số định danh cá nhân
hồ sơ gồm biên bản quyết định căn cứ Luật đất đai nghị định thửa diện tích mục đích sử dụng thời hạn cấp lại bản sao
chứng thực người yêu cầu cam đoan những nội dung khai trên đây là đúng sự thật và chịu trách nhiệm trước pháp luật""".split()
NAMES = ["NGUYỄN THỊ HỒNG ÁNH", "TRẦN VĂN BÌNH", "LÊ HOÀNG PHƯỚC THỊNH", "PHẠM THỊ MỸ DUYÊN", "ĐẶNG QUỐC VƯỢNG"]
PLACES = ["Số 12 ngõ 34 Phường Trường Thi, Thành phố Vinh, Nghệ An", "Ấp Mỹ Lợi, Xã Mỹ Thạnh An, Bến Tre",
          "Tổ 5, Khối Hưng Phúc, Phường Hưng Dũng, Nghệ An", "Thôn Đông Thượng, Xã Nghi Ân, Nghệ An"]
FORMATS = ["QRCode", "Code128", "Code39", "PDF417", "DataMatrix"]


@lru_cache(maxsize=64)
def font(name: str, pixels: int) -> ImageFont.FreeTypeFont:
    for root in [Path("/usr/share/fonts"), Path("/usr/local/share/fonts")]:
        for found in sorted(root.rglob(name)) if root.exists() else []:
            return ImageFont.truetype(str(found), pixels)
    return ImageFont.load_default(pixels)


def card_text(g) -> str:
    """What a card of nobody says: about 150 bytes."""
    day = f"{g.integers(1, 28):02}{g.integers(1, 12):02}"
    old = "" if g.random() < 0.3 else f"{g.integers(0, 10**9):09}"
    tail = "||||" if g.random() < 0.3 else ""
    sex = "Nữ" if g.random() < 0.5 else "Nam"
    return (f"{g.integers(0, 10**12):012}|{old}|{NAMES[g.integers(0, 5)]}|{day}{g.integers(1940, 2008)}|{sex}|"
            f"{PLACES[g.integers(0, 4)]}|{day}2021{tail}")


def some_text(g, kind: str) -> str:
    number = int(g.integers(1, 9999))
    code = f"H49.{g.integers(1, 60)}.{g.integers(1, 9)}-25{g.integers(1, 12):02}{g.integers(1, 28):02}-{number:04}"
    if kind == "Code128":
        return ["PATCHT", code, f"{g.integers(10**9, 10**10)}", f"HS-{number}"][g.integers(0, 4)]
    if kind == "Code39":
        return ["PATCHT", f"HOSO-{number}", f"SEP-{number % 100}", f"A{number}-{number % 7}"][g.integers(0, 4)]
    if kind == "DataMatrix":
        return [code, f"HOSO/{number}/2025", "|".join(NAMES[: 1 + number % 2]), f"https://example.vn/t/{number}"][g.integers(0, 4)]
    if kind == "PDF417":
        return [code + "|" + "HO SO DAT DAI " * 2, card_text(g), code][g.integers(0, 3)]
    return [code, f"hoso:1;d={code};n={number % 50}", f"https://example.vn/tra-cuu?ma={code}", card_text(g)][g.integers(0, 4)]


def matrix(kind: str, text: str, g, seeds: str) -> np.ndarray:
    """Modules of a code, True where dark, no quiet zone. Bars are as high as a code is used to be."""
    high = int(g.integers(28, 60))
    if kind == "QRCode" and seeds == "tune":
        code = segno.make_qr(text, error="lmq"[g.integers(0, 3)], encoding="utf-8", eci=False, boost_error=False, mode=None)
        return np.array([[bool(m) for m in row] for row in code.matrix_iter(border=0)])
    if kind in ("Code128", "Code39") and seeds == "tune":
        made = barcode.code128(text, 1, high) if kind == "Code128" else barcode.code39(text, 1, high)
        return np.asarray(made)[:, 10:-10] < 128
    options = {"QRCode": {"ec_level": "LMQ"[g.integers(0, 3)]}, "PDF417": {"columns": int(g.integers(3, 8))}}.get(kind, {})
    made = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, kind), **options)
    bits = np.array(made.to_image(scale=1, add_quiet_zones=False)) < 128
    if kind in ("Code128", "Code39"):
        bits = np.repeat(bits[:1], high, 0)
    return bits


def printed(bits: np.ndarray, module: float, g, seeds: str) -> Image.Image:
    """Ink of a code at `module` pixels, 0 where there is ink; the two ranges put it on paper in different ways."""
    h, w = bits.shape
    fat = float(g.uniform(-0.12, 0.18))  # ink spread, in modules
    if seeds == "tune":
        up = Image.fromarray(np.where(bits, 0, 255).astype(np.uint8)).resize((w * 12, h * 12), Image.NEAREST)
        if abs(fat) > 0.06:
            up = up.filter(ImageFilter.MinFilter(3) if fat > 0 else ImageFilter.MaxFilter(3))
        return up.resize((max(1, round(w * module)), max(1, round(h * module))), Image.BOX)
    # a laser's grid: every edge on a dot of 600 dpi, round corners
    dots = 3
    image = Image.new("L", (math.ceil(w * module * dots), math.ceil(h * module * dots)), 255)
    d = ImageDraw.Draw(image)
    edge = lambda at: round(at * module * dots)
    grow = round(fat * module * dots / 2)
    for y in range(h):
        x = 0
        while x < w:
            if not bits[y, x]:
                x += 1
                continue
            start = x
            while x < w and bits[y, x]:
                x += 1
            d.rectangle([edge(start) - grow, edge(y), edge(x) - 1 + grow, edge(y + 1) - 1], fill=0)
    image = image.filter(ImageFilter.GaussianBlur(0.9)).point(lambda v: 255 if v > 140 else 0)
    return image.resize((math.ceil(w * module), math.ceil(h * module)), Image.BOX)


class Sheet:
    """A page at twice its resolution, and the codes on it."""

    def __init__(self, dpi: int, g, seeds: str):
        self.unit = dpi * BIG / MM  # pixels a millimetre
        self.g, self.seeds, self.dpi = g, seeds, dpi
        self.size = (round(210 * self.unit), round(297 * self.unit))
        self.image = Image.new("L", self.size, 255)
        self.draw = ImageDraw.Draw(self.image)
        self.codes: list[dict] = []
        self.taken: list[tuple] = []

    def px(self, *mm: float) -> list[int]:
        return [round(v * self.unit) for v in mm]

    def font(self, mm: float) -> ImageFont.FreeTypeFont:
        names = FONTS[self.seeds]
        return font(names[self.g.integers(0, len(names))], max(6, round(mm * self.unit)))

    def words(self, n: int) -> str:
        return " ".join(WORDS[i] for i in self.g.integers(0, len(WORDS), n))

    def text(self, x: float, y: float, wide: float, tall: float, size: float = 3.7) -> None:
        f, line = self.font(size), size * float(self.g.uniform(1.2, 1.7))
        at = y
        while at + size < y + tall:
            if self.g.random() < 0.9:
                words = self.words(30)
                while f.getlength(words) > wide * self.unit:
                    words = words.rsplit(" ", 1)[0]
                self.draw.text(self.px(x, at), words, font=f, fill=int(self.g.integers(0, 60)))
            at += line

    def table(self, x: float, y: float, wide: float, rows: int, columns: int, high: float = 8) -> None:
        pen = max(1, round(0.25 * self.unit))
        f = self.font(3.2)
        for r in range(rows + 1):
            self.draw.line(self.px(x, y + r * high, x + wide, y + r * high), fill=20, width=pen)
        for c in range(columns + 1):
            self.draw.line(self.px(x + c * wide / columns, y, x + c * wide / columns, y + rows * high), fill=20, width=pen)
        for r in range(rows):
            for c in range(columns):
                self.draw.text(self.px(x + c * wide / columns + 1.5, y + r * high + 2), self.words(2)[:14], font=f, fill=30)

    def guilloche(self, x: float, y: float, wide: float, tall: float, ink: int) -> None:
        """The wavy lines of papers of value."""
        t = np.linspace(0, 1, 220)
        for k in range(int(tall / 0.8)):
            wave = y + k * 0.8 + 1.1 * np.sin(t * 19 + k * 0.35) + 0.5 * np.sin(t * 51 - k)
            points = [(float(a), float(b)) for a, b in zip((x + t * wide) * self.unit, np.clip(wave, y, y + tall) * self.unit)]
            self.draw.line(points, fill=ink, width=max(1, round(0.12 * self.unit)))

    def photo(self, x: float, y: float, wide: float, tall: float) -> None:
        """A portrait, halftoned or not."""
        w, h = self.px(wide, tall)
        cells = self.g.random((12, 9)) * 200 + 30
        img = Image.fromarray(cells.astype(np.uint8)).resize((w, h), Image.BICUBIC)
        if self.g.random() < 0.5:
            small = img.resize((max(1, w // 3), max(1, h // 3))).convert("1").convert("L")
            img = small.resize((w, h), Image.NEAREST)
        self.image.paste(img, tuple(self.px(x, y)))

    def stamp(self, x: float, y: float, r: float, strength: float) -> None:
        """A red seal: in grey it darkens paper to `strength` and leaves ink."""
        layer = Image.new("L", self.size, 255)
        d = ImageDraw.Draw(layer)
        shade = int(255 * strength)
        for ring in (r, r * 0.72):
            d.ellipse(self.px(x - ring, y - ring, x + ring, y + ring), outline=shade, width=max(2, round(0.7 * self.unit)))
        f = font(FONTS[self.seeds][0], round(3.4 * self.unit))
        for k, c in enumerate("ỦY BAN NHÂN DÂN PHƯỜNG TRƯỜNG THI * "):
            a = k / 36 * 2 * math.pi
            d.text(self.px(x + r * 0.84 * math.sin(a) - 1.2, y - r * 0.84 * math.cos(a) - 1.7), c, font=f, fill=shade)
        star = [(x + (r * 0.4 if k % 2 == 0 else r * 0.16) * math.sin(k * math.pi / 5),
                 y - (r * 0.4 if k % 2 == 0 else r * 0.16) * math.cos(k * math.pi / 5)) for k in range(10)]
        d.polygon([(a * self.unit, b * self.unit) for a, b in star], fill=shade)
        self.image = ImageChops.multiply(self.image, layer)
        self.draw = ImageDraw.Draw(self.image)

    def code(self, kind: str, text: str, x: float, y: float, mm: float, turn: int = 0, snug: bool = False) -> tuple[float, float]:
        """Places a code by its top left corner, with its quiet zone cleared; gives its sides in mm."""
        bits = matrix(kind, text, self.g, self.seeds)
        module = mm * self.unit
        ink = printed(bits, module, self.g, self.seeds)
        quiet = {"QRCode": 4, "Code128": 10, "Code39": 10, "PDF417": 2, "DataMatrix": 1}[kind]
        if snug:
            quiet = {"QRCode": 3, "Code128": 8, "Code39": 8}.get(kind, quiet)
        q = round(quiet * module)
        full = Image.new("L", (ink.width + 2 * q, ink.height + (2 * q if kind in ("QRCode", "DataMatrix", "PDF417") else 0)), 255)
        full.paste(ink, (q, (full.height - ink.height) // 2))
        if turn:
            full = full.rotate(90 * turn, expand=True)
        at = self.px(x, y)
        self.image.paste(full, tuple(at))
        self.codes.append({"format": kind, "text": text, "mm": round(mm, 3),
                           "centre": [(at[0] + full.width / 2) / BIG, (at[1] + full.height / 2) / BIG]})
        return full.width / self.unit, full.height / self.unit

    def fits(self, kind: str, text: str, x: float, mm: float) -> bool:
        bits = matrix(kind, text, noise((kind, text)), self.seeds)
        return x + (bits.shape[1] + 20) * mm < 205


def cards(s: Sheet) -> None:
    """Both sides, or two people's cards, copied on one page."""
    g = s.g
    s.text(25, 15, 160, 18)
    for row in range(2):
        x, y = float(g.uniform(25, 85)), 45 + row * 90 + float(g.uniform(-6, 6))
        s.draw.rounded_rectangle(s.px(x, y, x + 85.6, y + 54), radius=round(3 * s.unit), fill=int(g.integers(205, 245)), outline=150)
        s.guilloche(x + 1, y + 1, 83.6, 52, int(g.integers(165, 205)))
        s.photo(x + 4, y + 20, 20, 28)
        s.text(x + 28, y + 22, 54, 30, 2.6)
        s.text(x + 28, y + 4, 36, 12, 2.4)
        text = card_text(g)
        side = float(g.uniform(13, 17))
        modules = matrix("QRCode", text, noise(text), "tune").shape[0]
        s.code("QRCode", text, x + 85.6 - side - 3, y + 3, max(0.25, side / (modules + 8)), snug=True)
    s.text(25, 240, 160, 35)


def form(s: Sheet) -> None:
    g = s.g
    x, y = float(g.uniform(18, 40)), float(g.uniform(12, 24))
    kind = FORMATS[g.integers(0, 5)]
    text = some_text(g, kind)
    mm = float(g.uniform(0.25, 0.5))
    while not s.fits(kind, text, x, mm):
        mm *= 0.8
    if s.seeds == "tune":
        s.text(22, 60, 165, 180)
    else:
        s.text(15, 62, 86, 200, 3.3)
        s.text(108, 62, 86, 200, 3.3)
    w, h = s.code(kind, text, x, y, max(mm, 0.25), 2 if g.random() < 0.15 else 0)
    s.text(x, y + h + 0.6, max(w, 30), 5, 3.2)
    if x + w < 150:
        s.text(x + w + 1.0, y, 195 - x - w, 30)
    if g.random() < 0.45:
        strength = float(g.uniform(0.45, 0.7))
        off = float(g.uniform(0.2, 1.1)) * 17
        s.stamp(min(190, x + w / 2 + off), y + h / 2 + float(g.uniform(-6, 14)), 17, strength)
    if g.random() < 0.5:
        s.table(25, 245, 160, 3, 4)


def cells(s: Sheet) -> None:
    """Codes in the cells of a table, text and rules 1 to 2 mm off."""
    g = s.g
    y = 20.0
    for row in range(4):
        kind = FORMATS[(row + int(g.integers(0, 5))) % 5]
        text = some_text(g, kind)
        mm = float(g.uniform(0.25, 0.42))
        while not s.fits(kind, text, 24, mm) and mm > 0.25:
            mm = max(0.25, mm * 0.85)
        if not s.fits(kind, text, 24, mm):
            continue
        w, h = s.code(kind, text, 24, y + 3, mm)
        pen = max(1, round(0.3 * s.unit))
        s.draw.rectangle(s.px(22, y + 1.2, 195, y + h + 4.5), outline=15, width=pen)
        s.draw.line(s.px(24 + w + 1.2, y + 1.2, 24 + w + 1.2, y + h + 4.5), fill=15, width=pen)
        if 24 + w < 160:
            s.text(26 + w + 1, y + 3, 190 - 27 - w, h)
        y += h + 7
    s.text(22, y + 5, 165, 270 - y)


def cover(s: Sheet) -> None:
    """Several codes, equal ones too, some standing upright."""
    g = s.g
    pair = [("Code128", some_text(g, "Code128")), ("QRCode", some_text(g, "QRCode"))]
    equal = g.random() < 0.6
    mm = float(g.uniform(0.3, 0.45))
    s.draw.text(s.px(40, 14), "PHIẾU TÁCH HỒ SƠ", font=s.font(9), fill=0)
    s.code("Code128", pair[0][1], 25, 32, mm)
    s.code("QRCode", pair[1][1], 25, 62, mm)
    if equal:
        s.code("QRCode", pair[1][1], 120, 62 if s.seeds == "tune" else 190, mm)
        s.code("Code128", pair[0][1], 25, 265, mm)
    s.code("Code39", "SEP-7", 25, 140, max(0.25, mm - 0.05))
    kind = ["DataMatrix", "PDF417"][g.integers(0, 2)]
    text = some_text(g, "DataMatrix" if kind == "DataMatrix" else "Code128")
    s.code(kind, text, 110, 135, max(0.25, mm - 0.05))
    s.text(25, 165, 80, 60)
    s.code("Code128", some_text(g, "Code128"), 165, 165, 0.33, 1)


def plain(s: Sheet) -> None:
    """Papers without a code, with what is often taken for one."""
    g = s.g
    what = int(g.integers(0, 6))
    if what == 0:
        s.text(22, 25, 165, 245)
    elif what == 1:
        s.table(18, 30, 175, 26, 6 if s.seeds == "tune" else 9)
    elif what == 2:
        s.guilloche(12, 12, 186, 60, 170)
        s.text(22, 30, 165, 200, 4.6)
        s.photo(25, 225, 30, 40)
    elif what == 3:
        s.text(15, 20, 86, 250, 2.8)
        s.text(108, 20, 86, 250, 2.8)
    elif what == 4:
        s.photo(20, 30, 170, 110)
        s.text(22, 150, 165, 120)
    else:
        s.text(22, 25, 165, 120, 5.5)
        s.table(22, 160, 160, 8, 4)
    if g.random() < 0.6:
        s.stamp(140, 235, 17, float(g.uniform(0.45, 0.7)))


LAYOUTS = [form, form, cards, cells, cover]


def scanned(s: Sheet, tilt: float, turn: int) -> np.ndarray:
    """What print, copier and scanner do. Moves the codes' centres along."""
    g, seeds = s.g, s.seeds
    page = s.image
    low = g.random() < 0.2
    ink, paper = (int(g.integers(85, 120)), int(g.integers(185, 215))) if low else (int(g.integers(20, 60)), int(g.integers(228, 252)))
    page = page.rotate(-tilt, Image.BICUBIC, fillcolor=255)
    page = page.resize((page.width // BIG, page.height // BIG), Image.BOX)
    blur = float(g.uniform(0.35, 0.85)) * (s.dpi / 200) ** 0.7
    if seeds == "tune":
        page = page.filter(ImageFilter.GaussianBlur(blur))
    else:
        page = page.filter(ImageFilter.GaussianBlur(blur * 0.7)).filter(ImageFilter.BoxBlur(blur * 0.6))
    a = ink + np.asarray(page, np.float32) * ((paper - ink) / 255)
    field = Image.fromarray((g.random((5, 5)) * 255).astype(np.uint8)).resize(page.size, Image.BICUBIC)
    a *= 0.94 + 0.06 * np.asarray(field, np.float32) / 255
    n = g.standard_normal(a.shape).astype(np.float32) * float(g.uniform(1.0, 5.0))
    a = np.clip(a + (n + np.roll(n, 1, 1)) * 0.7, 0, 255).astype(np.uint8)
    if g.random() < 0.18:
        a = np.where(a > (ink + paper) / 2 + float(g.uniform(-12, 12)), 255, 0).astype(np.uint8)
    else:
        out = io.BytesIO()
        Image.fromarray(a).save(out, "JPEG", quality=int(g.integers(68, 88)))
        a = np.asarray(Image.open(out))
    h, w = a.shape
    c, si = math.cos(math.radians(tilt)), math.sin(math.radians(tilt))
    for code in s.codes:
        x, y = code["centre"][0] - w / 2, code["centre"][1] - h / 2
        x, y = x * c - y * si + w / 2, x * si + y * c + h / 2
        for _ in range(turn):  # against the clock
            x, y = y, w - x
            w, h = h, w
        w, h = a.shape[1], a.shape[0]
        code["centre"] = [round(x, 1), round(y, 1)]
    return np.ascontiguousarray(np.rot90(a, turn))


def page(seeds: str, number: int) -> tuple[np.ndarray, dict]:
    """One page of a range; every third holds no code."""
    g = noise((VERSION, seeds, number))
    dpi = 200 if number % 5 < 3 else 300
    s = Sheet(dpi, g, seeds)
    layout = plain if number % 3 == 2 else LAYOUTS[(number // 3 * 2 + number % 3) % len(LAYOUTS)]
    layout(s)
    tilt = float(g.choice([0.0, g.uniform(-1.5, 1.5), g.uniform(-4, 4), g.uniform(-8, 8)]))
    turn = int(g.choice([0, 0, 0, 1, 2, 3]))
    pixels = scanned(s, tilt, turn)
    facts = {"dpi": dpi, "layout": layout.__name__, "tilt": round(tilt, 2), "turn": turn, "codes": s.codes}
    return pixels, facts


def write(job: tuple[Path, str, int]) -> None:
    out, seeds, number = job
    name = out / f"{seeds}-{number:04}.pgm"
    if name.with_suffix(".json").exists():
        return
    pixels, facts = page(seeds, number)
    name.write_bytes(b"P5\n%d %d\n255\n" % (pixels.shape[1], pixels.shape[0]) + pixels.tobytes())
    name.with_suffix(".json").write_text(json.dumps(facts, ensure_ascii=False))


def pages(out: Path, seeds: str, count: int) -> list[Path]:
    """Makes what is missing of the first `count` pages of a range."""
    out = out / f"v{VERSION}"
    out.mkdir(parents=True, exist_ok=True)
    with multiprocessing.Pool() as pool:
        pool.map(write, [(out, seeds, n) for n in range(count)], chunksize=2)
    return [out / f"{seeds}-{n:04}.pgm" for n in range(count)]


if __name__ == "__main__":
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("out", type=Path)
    args.add_argument("--seeds", choices=["tune", "report"], default="tune")
    args.add_argument("--count", type=int, default=90)
    args = args.parse_args()
    print(len(pages(args.out, args.seeds, args.count)), "pages")
