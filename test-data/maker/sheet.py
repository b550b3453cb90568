"""A sheet of paper measured in millimetres: print, handwriting, seals, signatures, codes."""

import hashlib
import math
import random
import unicodedata

from PIL import Image, ImageDraw, ImageFont

from . import barcode
from .fonts import font

BLACK, BLUE, RED = (24, 24, 28), (28, 48, 150), (206, 30, 40)
A4 = (210.0, 297.0)


def rng(*key: object) -> random.Random:
    """A generator that depends on its key alone, so that pages do not disturb each other."""
    return random.Random(hashlib.sha256("/".join(map(str, key)).encode()).digest())


class Sheet:
    def __init__(self, dpi: int, key: object, size: tuple[float, float] = A4):
        self.dpi, self.mm, self.rng = dpi, dpi / 25.4, rng(key)
        self.size = size
        self.image = Image.new("RGB", (round(size[0] * self.mm), round(size[1] * self.mm)), "white")
        self.draw = ImageDraw.Draw(self.image)

    def px(self, mm: float) -> int:
        return round(mm * self.mm)

    def font(self, style: str, pt: float) -> ImageFont.FreeTypeFont:
        return font(style, max(6, round(pt * self.dpi / 72)))

    def width(self, s: str, style: str, pt: float) -> float:
        return self.font(style, pt).getlength(s) / self.mm

    # --- print ---------------------------------------------------------------
    def text(self, x: float, y: float, s: str, pt: float = 12, style: str = "serif", align: str = "l",
             ink=BLACK, underline: bool = False) -> float:
        """Text whose baseline is at y; align l, m or r. Returns the x after it."""
        f = self.font(style, pt)
        w = f.getlength(s) / self.mm
        left = x - {"l": 0, "m": w / 2, "r": w}[align]
        self.draw.text((left * self.mm, y * self.mm), s, font=f, fill=ink, anchor="ls")
        if underline:
            self.line(left, y + 1.2, left + w, y + 1.2, 0.25)
        return left + w

    def para(self, x: float, y: float, s: str, width: float, pt: float = 12, style: str = "serif",
             lead: float = 1.35, indent: float = 0, ink=BLACK) -> float:
        """Wrapped text; returns the baseline of the next line."""
        step, cur, left = pt * 0.3528 * lead, "", x + indent
        for word in s.split():
            trial = f"{cur} {word}".strip()
            if cur and self.width(trial, style, pt) > x + width - left:
                self.text(left, y, cur, pt, style, ink=ink)
                y, cur, left = y + step, word, x
            else:
                cur = trial
        self.text(left, y, cur, pt, style, ink=ink)
        return y + step

    def line(self, x0, y0, x1, y1, w=0.2, ink=BLACK):
        self.draw.line([x0 * self.mm, y0 * self.mm, x1 * self.mm, y1 * self.mm], fill=ink, width=max(1, self.px(w)))

    def rect(self, x, y, w, h, line=0.2, ink=BLACK, fill=None):
        self.draw.rectangle([x * self.mm, y * self.mm, (x + w) * self.mm, (y + h) * self.mm],
                            outline=ink if line else None, width=max(1, self.px(line)) if line else 0, fill=fill)

    def dots(self, x0: float, y: float, x1: float):
        """The dotted rule that a value is written on."""
        f, step = self.font("serif", 11), self.width(".", "serif", 11)
        n = max(0, int((x1 - x0) / step))
        self.draw.text((x0 * self.mm, y * self.mm), "." * n, font=f, fill=(90, 90, 95), anchor="ls")

    def table(self, x: float, y: float, widths: list[float], rows: list[list[str]], pt: float = 10.5,
              height: float = 7.5, hand_from: int | None = None, head: bool = True) -> float:
        """A ruled table; columns from `hand_from` on are filled in by hand below the head."""
        for r, row in enumerate(rows):
            cx, top = x, y + r * height
            for c, cell in enumerate(row):
                self.rect(cx, top, widths[c], height)
                bold = head and r == 0
                if hand_from is not None and c >= hand_from and not bold:
                    self.hand(cx + 1.5, top + height * 0.7, cell, pt + 2)
                elif bold:
                    self.text(cx + widths[c] / 2, top + height * 0.66, cell, pt, "bold", "m")
                else:
                    self.text(cx + 1.2, top + height * 0.66, cell, pt)
                cx += widths[c]
        return y + len(rows) * height

    # --- handwriting ---------------------------------------------------------
    def hand(self, x: float, y: float, s: str, pt: float = 15, ink=BLUE, wobble: float = 1.0) -> float:
        """Pen writing: letters of a script face, Vietnamese marks as pen strokes (the face has none)."""
        up, r = 3, self.rng
        f = font("hand", max(8, round(pt * self.dpi / 72 * up)))
        em = f.size
        pad, n = em, unicodedata.normalize("NFD", s)
        w = int(f.getlength("".join(c for c in n if not unicodedata.combining(c))) * 1.06) + 2 * pad
        mask = Image.new("L", (w, 3 * em), 0)
        d, cx, base = ImageDraw.Draw(mask), float(pad), 2 * em
        pen = max(2, round(em * 0.045))
        i = 0
        while i < len(n):
            ch, marks = n[i], []
            i += 1
            while i < len(n) and unicodedata.combining(n[i]):
                marks.append(n[i])
                i += 1
            glyph = {"đ": "d", "Đ": "D"}.get(ch, ch)
            dy = r.gauss(0, em * 0.012 * wobble)
            d.text((cx, base + dy), glyph, font=f, fill=255, anchor="ls")
            box = f.getbbox(glyph, anchor="ls")
            top, mid, adv = base + dy + box[1], cx + (box[0] + box[2]) / 2, f.getlength(glyph)
            if ch in "đĐ":
                h = top + em * 0.14 if ch == "đ" else base - em * 0.32
                at = mid + em * 0.08 if ch == "đ" else cx + em * 0.05
                d.line([at - em * 0.14, h, at + em * 0.17, h - em * 0.02], fill=255, width=pen)
            self._marks(d, marks, mid, top, base + dy, cx + box[2], em, pen)
            cx += adv * (1 + r.gauss(0, 0.008 * wobble))
        tilt = r.gauss(0, 0.25 * wobble)
        mask = mask.rotate(tilt, Image.BICUBIC, center=(pad, base)).resize((w // up, 3 * em // up), Image.LANCZOS)
        mask = mask.point(lambda v: int(v * 0.9))
        self.image.paste(ink, (round(x * self.mm - pad / up), round(y * self.mm - base / up)), mask)
        return x + (cx - pad) / up / self.mm

    def _marks(self, d, marks, mid, top, base, right, em, pen):
        r, lift = self.rng, em * 0.06
        for m in marks:
            j = lambda a: a + r.gauss(0, em * 0.01)  # noqa: E731
            t = top - lift
            if m == "\u0323":
                d.ellipse([mid - pen * 0.8, base + em * 0.14, mid + pen * 0.8, base + em * 0.14 + pen * 1.6], fill=255)
            elif m == "\u031b":
                d.line([right - em * 0.06, top + em * 0.08, right + em * 0.03, j(top + em * 0.02),
                        right + em * 0.02, top - em * 0.07], fill=255, width=pen, joint="curve")
            elif m == "\u0302":
                d.line([mid - em * 0.12, t, mid, j(t - em * 0.1), mid + em * 0.12, t], fill=255, width=pen, joint="curve")
                top = t - em * 0.07
            elif m == "\u0306":
                d.arc([mid - em * 0.12, t - em * 0.14, mid + em * 0.12, t], 10, 170, fill=255, width=pen)
                top = t - em * 0.05
            elif m == "\u0301":
                d.line([mid, j(t), mid + em * 0.13, j(t - em * 0.15)], fill=255, width=pen)
            elif m == "\u0300":
                d.line([mid - em * 0.1, j(t - em * 0.15), mid + em * 0.03, j(t)], fill=255, width=pen)
            elif m == "\u0303":
                d.line([mid - em * 0.15, t, mid - em * 0.06, t - em * 0.09, mid + em * 0.05, t - em * 0.02,
                        mid + em * 0.15, t - em * 0.11], fill=255, width=pen, joint="curve")
            elif m == "\u0309":
                d.arc([mid - em * 0.06, t - em * 0.19, mid + em * 0.08, t - em * 0.05], 200, 80, fill=255, width=pen)
                d.line([mid + em * 0.01, t - em * 0.06, mid, t], fill=255, width=pen)

    def field(self, x: float, y: float, label: str, value: str, to: float, pt: float = 12, hand: float = 16) -> None:
        """`Label: ..... value .....` as on a form that was filled in with a pen."""
        at = self.text(x, y, label + " ", pt)
        self.dots(at, y + 0.6, to)
        if value:
            self.hand(at + 2.5, y - 0.2, value, hand)

    def signature(self, x: float, y: float, w: float = 34, ink=BLUE, key: object = None):
        """A pen scribble centred at (x, y); the same key draws the same hand."""
        r = rng("signature", key) if key is not None else self.rng
        up, points = 3, []
        n, loops = r.randint(5, 12), r.uniform(0.02, 0.16)
        for i in range(n + 3):
            tall = (0.30 if i == 0 else 0.08 + 0.16 * r.random()) * (1 if i < n else 0.4)
            points.append((w * (i / (n + 2) - 0.5) + r.uniform(-1, 1) * w * loops, (-1) ** i * tall * w * r.uniform(0.5, 1)))
        path = _curve(points)
        if r.random() < 0.7:
            path += _curve([points[-1], (r.uniform(-0.2, 0.3) * w, r.uniform(0.1, 0.26) * w),
                            (-w * r.uniform(0.3, 0.6), w * r.uniform(0.08, 0.2)), (w * r.uniform(0.4, 0.65), w * r.uniform(0.02, 0.14))])
        side = int((w * 1.6) * self.mm * up)
        mask = Image.new("L", (side, side), 0)
        d = ImageDraw.Draw(mask)
        pts = [(side / 2 + px * self.mm * up, side / 2 + py * self.mm * up) for px, py in path]
        for i in range(len(pts) - 1):
            d.line([pts[i], pts[i + 1]], fill=235, width=max(2, int((0.32 + 0.16 * math.sin(i / 9)) * self.mm * up)))
        mask = mask.resize((side // up, side // up), Image.LANCZOS)
        self.image.paste(ink, (round(x * self.mm) - side // up // 2, round(y * self.mm) - side // up // 2), mask)

    # --- seals and codes -----------------------------------------------------
    def seal(self, x: float, y: float, ring: str, core: str, mm: float = 36, ink=RED, alpha: float = 0.72,
             tilt: float | None = None):
        """A round seal: two rings, words along the ring, a star and the office in the middle."""
        up, r = 2, self.rng
        side = int(mm * self.mm * up)
        m = Image.new("L", (side, side), 0)
        d, c, rad = ImageDraw.Draw(m), side / 2, side / 2 - 2
        d.ellipse([c - rad, c - rad, c + rad, c + rad], outline=255, width=max(2, int(side * 0.022)))
        inner = rad * 0.9
        d.ellipse([c - inner, c - inner, c + inner, c + inner], outline=255, width=max(1, int(side * 0.008)))
        core_r = rad * 0.6
        d.ellipse([c - core_r, c - core_r, c + core_r, c + core_r], outline=255, width=max(1, int(side * 0.008)))
        f = font("bold", max(8, int(side * 0.075)))
        span = min(300, 11.5 * len(ring))
        for i, ch in enumerate(ring):
            a = math.radians(-90 - span / 2 + span * (i + 0.5) / len(ring))
            g = Image.new("L", (f.size * 2, f.size * 2), 0)
            ImageDraw.Draw(g).text((f.size, f.size), ch, font=f, fill=255, anchor="mm")
            g = g.rotate(-math.degrees(a) - 90, Image.BICUBIC)
            rr = (inner + core_r) / 2
            m.paste(255, (int(c + rr * math.cos(a)) - f.size, int(c + rr * math.sin(a)) - f.size), g)
        self._star(d, c, c + (inner + core_r) / 2, side * 0.035)
        words = core.split("/")
        for i, wd in enumerate(words):
            size = int(side * 0.095)
            while font("bold", size).getlength(wd) > core_r * 1.7 and size > 8:
                size -= 1
            d.text((c, c + (i - (len(words) - 1) / 2) * side * 0.105), wd, font=font("bold", size), fill=255, anchor="mm")
        m = m.rotate(r.uniform(-14, 14) if tilt is None else tilt, Image.BICUBIC)
        # uneven ink: coarse random patches thin the print
        patch = Image.new("L", (9, 9))
        patch.putdata([int(255 * min(1.0, r.uniform(0.72, 1.12))) for _ in range(81)])
        m = Image.composite(m, Image.new("L", m.size, 0), patch.resize(m.size, Image.BICUBIC))
        self._multiply(m.resize((side // up, side // up), Image.LANCZOS), x - mm / 2, y - mm / 2, ink, alpha)

    @staticmethod
    def _star(d, x, y, r):
        pts = []
        for k in range(10):
            a, q = -math.pi / 2 + k * math.pi / 5, r if k % 2 == 0 else r * 0.4
            pts.append((x + q * math.cos(a), y + q * math.sin(a)))
        d.polygon(pts, fill=255)

    def _multiply(self, mask: Image.Image, x: float, y: float, ink, alpha: float):
        """Ink over print: what lies below shows through."""
        at = (round(x * self.mm), round(y * self.mm))
        box = (*at, at[0] + mask.width, at[1] + mask.height)
        under = self.image.crop(box)
        flat = Image.new("RGB", mask.size, ink)
        dark = Image.blend(under, Image.composite(flat, under, Image.new("L", mask.size, 255)), 0.0)
        mixed = Image.blend(dark, flat, alpha)
        keep = Image.eval(under.convert("L"), lambda v: 255 if v > 110 else 70)
        self.image.paste(mixed, at, Image.composite(mask, Image.new("L", mask.size, 0), keep))

    def code(self, x_right: float | None, y: float, text: str, module_mm: float = 0.33, height: float = 9, pt: float = 8.5):
        """A Code128 sticker, right edge at x_right (centred without one); modules are whole pixels of at least module_mm."""
        module = math.ceil(module_mm * self.mm - 0.05)
        bars = barcode.code128(text, module, self.px(height))
        left = (self.image.width - bars.width) // 2 if x_right is None else self.px(x_right) - bars.width
        self.image.paste(bars, (left, self.px(y)))
        self.text((left + bars.width / 2) / self.mm, y + height + pt * 0.36, text, pt, "mono", "m")

    def qr(self, x: float, y: float, mm: float, text: str, error: str = "m", quiet: int = 4):
        """A QR code whose modules fill mm x mm at (x, y); the quiet zone lies outside."""
        self.image.paste(barcode.qr(text, self.px(mm), error, 0), (self.px(x), self.px(y)))


def _curve(points: list[tuple[float, float]], steps: int = 14) -> list[tuple[float, float]]:
    """Catmull-Rom through the points."""
    p = [points[0], *points, points[-1]]
    out = []
    for i in range(1, len(p) - 2):
        for s in range(steps):
            t = s / steps
            out.append(tuple(
                0.5 * (2 * p[i][k] + (p[i + 1][k] - p[i - 1][k]) * t
                       + (2 * p[i - 1][k] - 5 * p[i][k] + 4 * p[i + 1][k] - p[i + 2][k]) * t * t
                       + (3 * p[i][k] - p[i - 1][k] - 3 * p[i + 1][k] + p[i + 2][k]) * t ** 3)
                for k in (0, 1)))
    return out
