"""What a scanner, a photocopier and the years do to a clean sheet."""

import hashlib
import io

import numpy as np
from PIL import Image, ImageDraw, ImageFilter


def noise(key: object) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(str(key).encode()).digest()[:8], "big"))


def _field(g: np.random.Generator, size: tuple[int, int], cells: int, low: float, high: float) -> np.ndarray:
    """A slow random field over the page, values low..high."""
    grid = Image.fromarray((g.random((cells, cells)) * 255).astype(np.uint8))
    return low + (high - low) * np.asarray(grid.resize(size, Image.BICUBIC), np.float32) / 255


def flatbed(page: Image.Image, key: object, *, tint=(251, 250, 246), skew: float = 0.0, grain: float = 1.6,
            back: Image.Image | None = None, blur: float = 0.55) -> Image.Image:
    """A colour scan: paper tint, uneven light, a slight turn, bleed-through of `back`, sensor noise."""
    g = noise(key)
    if back is not None:
        ghost = back.transpose(Image.FLIP_LEFT_RIGHT).filter(ImageFilter.GaussianBlur(2.2))
        page = Image.blend(page, Image.composite(page, ghost, page.convert("L").point(lambda v: 255 if v < 128 else 0)), 0.06)
    if skew:
        page = page.rotate(skew, Image.BICUBIC, fillcolor="white")
    page = page.filter(ImageFilter.GaussianBlur(blur))
    a = np.asarray(page, np.float32)
    light = _field(g, page.size, 5, 0.975, 1.0)[..., None]
    a = a * (np.array(tint, np.float32) / 255) * light
    # sensor noise, softened a little by the scanner's optics, so that it costs the JPEG what it costs a real one
    n = g.standard_normal(a.shape[:2]).astype(np.float32) * grain
    n = (n + np.roll(n, 1, 0) + np.roll(n, 1, 1)) * 0.62
    return Image.fromarray(np.clip(a + n[..., None] + 0.5, 0, 255).astype(np.uint8))


def photocopy(page: Image.Image, key: object, *, skew: float = 0.0, specks: int = 160, contrast: float = 1.35) -> Image.Image:
    """A grey photocopy laid on the page: hard contrast, toner specks, a shadow at one edge."""
    g = noise(("copy", key))
    grey = page.convert("L").filter(ImageFilter.GaussianBlur(0.5))
    a = 255 - (255 - np.asarray(grey, np.float32)) * contrast
    h, w = a.shape
    shadow = np.clip(1 - np.arange(w) / (w * 0.02), 0, 1) * 46
    a -= shadow[None, :]
    img = Image.fromarray(np.clip(a, 0, 255).astype(np.uint8))
    d = ImageDraw.Draw(img)
    for _ in range(specks):
        x, y, r = g.integers(0, w), g.integers(0, h), g.random() * w / 1600
        d.ellipse([x - r, y - r, x + r, y + r], fill=int(g.integers(40, 170)))
    if skew:
        img = img.rotate(skew, Image.BICUBIC, fillcolor=252)
    return img.convert("RGB")


def bilevel(page: Image.Image, key: object, *, skew: float = 0.0, specks: int = 60, border: bool = False,
            threshold: int = 150) -> Image.Image:
    """A fax-grade 1-bit page; with `border` the black frame of an overhanging scanner lid."""
    g = noise(("bilevel", key))
    grey = page.convert("L")
    if skew:
        grey = grey.rotate(skew, Image.BICUBIC, fillcolor=0 if border else 255)
    a = np.asarray(grey.filter(ImageFilter.GaussianBlur(0.7)), np.float32)
    a += _field(g, grey.size, 40, -9, 9)
    img = Image.fromarray(np.clip(a, 0, 255).astype(np.uint8))
    d = ImageDraw.Draw(img)
    w, h = img.size
    for _ in range(specks):
        x, y, r = g.integers(0, w), g.integers(0, h), 0.6 + g.random() * 1.4
        d.ellipse([x - r, y - r, x + r, y + r], fill=0)
    if border:
        left, top = int(w * 0.022), int(h * 0.012)
        d.rectangle([0, 0, left, h], fill=0)
        d.polygon([(0, 0), (w, 0), (w, top // 2), (0, top)], fill=0)
        d.polygon([(w, 0), (w, h), (w - left // 2, h), (w - left, 0)], fill=0)
    return img.point(lambda v: 255 if v >= threshold else 0).convert("1", dither=Image.NONE)


def aged(page: Image.Image, key: object, *, stains: int = 3, holes: bool = True, fold: bool = True, streak: bool = False,
         tint=(236, 220, 182), fade: float = 0.8, skew: float = 0.0) -> Image.Image:
    """Decades in a box: yellow paper, browned edges, water stains, punch holes, a fold, rust of a staple."""
    g = noise(("aged", key))
    if skew:
        page = page.rotate(skew, Image.BICUBIC, fillcolor="white")
    w, h = page.size
    page = Image.blend(Image.new("RGB", page.size, "white"), page, fade).filter(ImageFilter.GaussianBlur(0.7))
    a = np.asarray(page, np.float32) * (np.array(tint, np.float32) / 255)
    a *= _field(g, (w, h), 9, 0.93, 1.02)[..., None]
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
    edge = np.minimum(np.minimum(xx, w - xx), np.minimum(yy, h - yy)) / w
    a *= (1 - 0.16 * np.exp(-edge * 28))[..., None] ** np.array([0.6, 0.9, 1.5], np.float32)
    for _ in range(stains):
        cx, cy, r = g.random() * w, g.random() * h, (0.05 + g.random() * 0.12) * w
        wob = _field(g, (w, h), 24, -0.14, 0.14)
        dist = np.hypot(xx - cx, yy - cy) / r + wob
        ring = 0.10 * np.exp(-((dist - 1) / 0.06) ** 2) + 0.05 * (dist < 1)
        a *= (1 - ring)[..., None] ** np.array([0.8, 1.1, 1.7], np.float32)
    if fold:
        y = int(h * (0.5 + (g.random() - 0.5) * 0.05))
        a *= (1 - 0.12 * np.exp(-((yy - y) / (h * 0.0012)) ** 2) + 0.05 * np.exp(-((yy - y - h * 0.003) / (h * 0.002)) ** 2))[..., None]
    if streak:
        for _ in range(2):
            x = int(w * (0.2 + 0.6 * g.random()))
            a[:, x:x + max(1, w // 900)] *= 0.72
    a += (g.standard_normal((h, w)).astype(np.float32) * 0.9)[..., None]
    img = Image.fromarray(np.clip(a, 0, 255).astype(np.uint8))
    d = ImageDraw.Draw(img)
    if holes:
        r, x = int(w * 0.0143), int(w * 0.057)
        for y in (int(h / 2 - w * 0.19), int(h / 2 + w * 0.19)):
            d.ellipse([x - r, y - r, x + r, y + r], fill=(58, 54, 50))
    # a rusty staple, top left
    x, y = int(w * 0.045), int(h * 0.028)
    d.line([x, y, x + int(w * 0.03), y + int(h * 0.012)], fill=(120, 74, 42), width=max(1, w // 550))
    return img


def jpeg(page: Image.Image, dpi: int, quality: int = 72) -> bytes:
    out = io.BytesIO()
    page.save(out, "JPEG", quality=quality, dpi=(dpi, dpi), subsampling="4:2:0")
    return out.getvalue()


def grey_png(page: Image.Image, dpi: int, levels: int = 16) -> bytes:
    """Grey in few levels, as office scanners write it; 256 keeps them all."""
    out, grey = io.BytesIO(), page.convert("L")
    if levels < 256:
        step = 255 / (levels - 1)
        grey = grey.point(lambda v: int(round(round(v / step) * step)))
    grey.save(out, "PNG", dpi=(dpi, dpi), optimize=True)
    return out.getvalue()


# paper and toner in eight steps, pen blue in three, seal red in four, and the grey of a pencil
INKS = [v for g in range(8) for v in (20 + g * 33,) * 3] + [30, 50, 150, 110, 125, 190, 190, 198, 222,
        200, 30, 40, 214, 90, 96, 228, 150, 154, 240, 206, 208, 90, 90, 96]


def palette_png(page: Image.Image, dpi: int) -> bytes:
    """Sixteen fixed colours, four bits a pixel."""
    out, inks = io.BytesIO(), Image.new("P", (1, 1))
    inks.putpalette(INKS)
    page.quantize(palette=inks, dither=Image.NONE).save(out, "PNG", dpi=(dpi, dpi), optimize=True, bits=4)
    return out.getvalue()


def g4_tiff(pages: list[Image.Image], dpi: int) -> bytes:
    out = io.BytesIO()
    pages[0].save(out, "TIFF", compression="group4", dpi=(dpi, dpi), save_all=True, append_images=pages[1:])
    return out.getvalue()
