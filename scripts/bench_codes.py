"""Barcodes: right and wrong texts and CPU milliseconds beside zxing-cpp, on the same grey pixels.

    .venv/bin/python scripts/bench_codes.py [--seeds tune|report] [--count 90] [--pages DIR] [--reader PROGRAM] [--list]

Pages come from test-data/maker/codes.py; `tune` is what thresholds were set on, `report` is only counted. Photographs
come from ../shared/data/barcodes (or HOSO_SHARED_DATA), where present. The reader is `cargo bench --bench codes` unless a
program is given. Every reader runs on one thread; its cost is the best of three runs of a page, nothing but decoding.
zxing-cpp runs with its defaults and in a cheap mode (no inverted and no smaller picture), five formats, plain text.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import zxingcpp
from PIL import Image

REPO = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPO / "test-data"))
from maker import codes  # noqa: E402

FORMATS = ["QRCode", "Code128", "Code39", "PDF417", "DataMatrix"]
FOLDERS = {"qrcode-3": "QRCode", "code128-1": "Code128", "code39-1": "Code39", "pdf417-1": "PDF417", "datamatrix-1": "DataMatrix",
           "falsepositives-2": None}
STAGES = ["finders", "cells", "corners", "whole"]
ROUNDS = 3


def pgm(path: Path) -> np.ndarray:
    _, size, _, pixels = path.read_bytes().split(b"\n", 3)
    w, h = map(int, size.split())
    return np.frombuffer(pixels, np.uint8).reshape(h, w)


def hoso(reader: list[str], files: list[Path], dpi: int | None) -> dict[str, dict]:
    said = {}
    for at in range(0, len(files), 100):
        argv = [*reader, *(["--dpi", str(dpi)] if dpi else []), *map(str, files[at : at + 100])]
        out = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
        for line in out.splitlines():
            if line.startswith("{"):
                page = json.loads(line)
                page["codes"] = [(c["format"], c["text"], bytes(c["bytes"]), c["found_by"]) for c in page["codes"]]
                said[page["file"]] = page
    return said


def zxing(path: Path, cheap: bool) -> dict:
    pixels, best, found = pgm(path), 1e9, []
    options = {"try_invert": False, "try_downscale": False} if cheap else {}
    f = zxingcpp.BarcodeFormat
    formats = [f.QRCode, f.Code128, f.Code39, f.PDF417, f.DataMatrix]
    for _ in range(ROUNDS):
        began = time.thread_time()
        found = zxingcpp.read_barcodes(pixels, formats=formats, text_mode=zxingcpp.TextMode.Plain, **options)
        best = min(best, time.thread_time() - began)
    name = lambda b: str(b.format).replace(" ", "").split(".")[-1]
    return {"ms": best * 1000, "codes": [(name(b), b.text, b.bytes, "") for b in found]}


def kept(path: Path, cheap: bool, store: Path, again: bool) -> dict:
    """zxing-cpp's answer; with --quick from an earlier run where there is one, but then its cost is of another hour."""
    at = store / f"{path.stem}-{'cheap' if cheap else 'default'}.json"
    if again or not at.exists():
        answer = zxing(path, cheap)
        answer["codes"] = [(f, t, b.hex(), s) for f, t, b, s in answer["codes"]]
        at.write_text(json.dumps(answer))
    answer = json.loads(at.read_text())
    answer["codes"] = [(f, t, bytes.fromhex(b), s) for f, t, b, s in answer["codes"]]
    return answer


class Count:
    """What one reader made of some pages."""

    def __init__(self) -> None:
        self.right, self.wanted, self.wrong, self.extra = Counter(), Counter(), Counter(), Counter()
        self.by, self.ms = Counter(), defaultdict(list)
        self.missed: list[str] = []

    def page(self, path: Path, want: list[dict], answer: dict) -> None:
        self.ms["with" if want else "without"].append(answer["ms"])
        left = list(want)
        known = {(c["format"], c["text"]) for c in want}
        for form, text, raw, by in answer["codes"]:
            hit = next((c for c in left if c["format"] == form and (c["text"] == text or c.get("raw") == raw)), None)
            if hit is not None:
                left.remove(hit)
                self.right[form] += 1
                self.by[by] += 1
            elif (form, text) in known:
                self.extra[form] += 1
            else:
                self.wrong[form] += 1
                print(f"  WRONG {path.name}: {form} {text[:60]!r}")
        for c in want:
            self.wanted[c["format"]] += 1
        for c in left:
            self.missed.append(f"{path.stem} {c['format']} {c.get('mm', '')} {len(c['text'])}")

    def line(self, name: str) -> None:
        cells = [f"{self.right[f]}/{self.wanted[f]}" for f in FORMATS]
        all_, of = sum(self.right.values()), sum(self.wanted.values())
        mean = lambda v: f"{np.mean(v):8.2f}" if v else "       -"
        most = max([m for v in self.ms.values() for m in v], default=0)
        print(f"{name:<18}" + "".join(f"{c:>11}" for c in cells) + f"{all_:>6}/{of} {100 * all_ / max(of, 1):5.1f}%"
              f"{sum(self.wrong.values()):>5}{sum(self.extra.values()):>6}{mean(self.ms['with'])}{mean(self.ms['without'])}{most:9.1f}")


def table(title: str, pages: list[tuple[Path, list[dict], int | None]], reader: list[str], store: Path, args: argparse.Namespace) -> None:
    print(f"\n{title}: {len(pages)} pages")
    print(f"{'':<18}" + "".join(f"{f:>11}" for f in FORMATS) + f"{'right':>16}{'wrong':>5}{'extra':>6}{'ms with':>8}{' without':>8}{'worst':>9}")
    answers = {}
    ours, default, cheap = Count(), Count(), Count()
    batches = defaultdict(list)
    for page in pages:
        batches[page[2]].append(page)
    for dpi, some in batches.items():
        for at in range(0, len(some), 10):  # the readers take turns, so that a busy machine is busy for all
            part = some[at : at + 10]
            said = hoso(reader, [p[0] for p in part], dpi)
            answers |= said
            for path, want, _ in part:
                ours.page(path, want, said[str(path)])
                default.page(path, want, kept(path, False, store, not args.quick))
                cheap.page(path, want, kept(path, True, store, not args.quick))
    ours.line("hoso")
    default.line("zxing-cpp")
    cheap.line("zxing-cpp cheap")
    mean = lambda v: float(np.mean(v)) if v else float("nan")
    print(f"CPU: {mean(ours.ms['with']) / mean(default.ms['with']):.2f} of zxing-cpp's on pages with codes, "
          f"{mean(ours.ms['without']) / mean(cheap.ms['without']):.2f} of its cheap mode's on pages without; found by: {dict(ours.by)}")
    for stage in STAGES if args.ablate else []:
        less, spent = Count(), {}
        for dpi, some in batches.items():
            spent |= hoso([*reader, "--without", stage], [p[0] for p in some], dpi)
        for path, want, _ in pages:
            less.page(path, want, spent[str(path)])
        less.line(f"without {stage}")
    if args.list:
        print("missed here, found by zxing-cpp:", *sorted(set(ours.missed) - set(default.missed)), sep="\n  ")
        print("missed by both:", *sorted(set(ours.missed) & set(default.missed)), sep="\n  ")


def grey(path: Path) -> np.ndarray:
    """What a picture looks like on white paper."""
    image = Image.open(path)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("L"))


def write(to: Path, pixels: np.ndarray) -> None:
    to.write_bytes(b"P5\n%d %d\n255\n" % (pixels.shape[1], pixels.shape[0]) + pixels.tobytes())


def photographs(shared: Path, store: Path) -> list[tuple[Path, list[dict], None]]:
    out = []
    for folder, form in FOLDERS.items():
        for png in sorted((shared / "barcodes" / folder).glob("*.png")):
            to = store / f"{folder}-{png.stem}.pgm"
            write(to, grey(png))
            text, raw = png.with_suffix(".txt"), png.with_suffix(".bin")
            want = []
            if form:
                want = [{"format": form, "text": text.read_bytes().decode("utf-8", "replace") if text.exists() else ""}]
                if raw.exists():
                    want[0]["raw"] = raw.read_bytes()
            out.append((to, want, None))
    return out


def scans(shared: Path, store: Path) -> list[tuple[Path, list[dict], None]]:
    out = []
    for name in sorted((shared / "scans").glob("lept-*")):
        to = store / f"{name.stem}.pgm"
        write(to, grey(name))
        out.append((to, [], None))
    return out


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--seeds", choices=["tune", "report"], default="tune")
    args.add_argument("--count", type=int, default=90)
    args.add_argument("--pages", type=Path, default=Path(tempfile.gettempdir()) / "hoso-code-pages")
    args.add_argument("--reader", help="a built bench program; cargo bench otherwise")
    args.add_argument("--list", action="store_true", help="name what was missed")
    args.add_argument("--ablate", action="store_true", help="again without each stage: what it finds and costs")
    args.add_argument("--quick", action="store_true", help="take zxing-cpp's answers and cost from an earlier run")
    args.add_argument("--only", choices=["pages", "photographs", "scans"])
    args = args.parse_args()
    reader = [args.reader] if args.reader else ["cargo", "bench", "-q", "--bench", "codes", "--"]
    made = [] if args.only in ("photographs", "scans") else codes.pages(args.pages, args.seeds, args.count)
    store = args.pages / "kept"
    store.mkdir(parents=True, exist_ok=True)
    if made:
        wanted = []
        for path in made:
            facts = json.loads(path.with_suffix(".json").read_text())
            wanted.append((path, facts["codes"], facts["dpi"]))
        keep = store / f"v{codes.VERSION}"
        keep.mkdir(exist_ok=True)
        table(f"pages of the {args.seeds} seeds", wanted, reader, keep, args)
    shared = Path(os.environ.get("HOSO_SHARED_DATA", REPO.parent / "shared" / "data"))
    for what, folder, make in (("photographs", "barcodes", photographs), ("scans", "scans", scans)):
        if args.only in (None, what):
            if (shared / folder).is_dir():
                table(f"real {what}", make(shared, store), reader, store, args)
            else:
                print(f"\nreal {what}: skipped, no shared data beside the checkout")


if __name__ == "__main__":
    main()
