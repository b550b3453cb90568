"""The bench behind `scripts/bench scan`: pages judged, searched for codes, hashed and made an archive, beside peers.

`hoso scan` judges every page from one decode, looks for codes on it and takes both digests; `hoso assemble` makes a
PDF/A-2b of the same files. Their CPU seconds, all children included, are one figure. One page in ten carries a code.
ocrmypdf makes PDF/A of PDFs that img2pdf made before its clock started; img2pdf only wraps. Nobody does OCR.
What is counted and how: scripts/bench.py.
"""

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

import bench
from bench import NOTHING, Cost, fresh, input_folders, measured, weigh


PARTS = ("pages", "hard", "long", "bombs", "codes")


def hoso(binary: Path, work: Path, folders: list[Path]) -> tuple[Cost, Path]:
    out = fresh(work / "hoso")
    pages = [p for f in folders for p in sorted(f.glob("*.jpg"))]
    cost = measured([binary, "scan", "--json", "--jobs", "1", *pages])
    for f in folders:
        cost += measured([binary, "assemble", *sorted(f.glob("*.jpg")), "-o", out / f"{f.name}.pdf"])
    return cost, out


def pages_table(a: argparse.Namespace, work: Path) -> None:
    tools = {"hoso": lambda f: hoso(a.hoso, work, f), "img2pdf": lambda f: bench.img2pdf(work, f)}
    if not a.no_ocrmypdf:
        tools["ocrmypdf"] = lambda f: bench.ocrmypdf(work, f)
    for dpi, reach in ((200, 40), (300, 20)):
        folders = input_folders(work, a.pages, dpi, a.seed)
        size_in = sum(p.stat().st_size for f in folders for p in f.iterdir())
        runs: dict[str, list[Cost]] = {name: [] for name in tools}
        made = {}
        for _ in range(a.runs):
            for name, tool in tools.items():
                cost, out = tool(folders)
                runs[name].append(cost)
                made[name] = weigh(out)
        bench.table(dpi, a.pages, len(folders), size_in, runs, made)
        cpu = {name: statistics.median(c.cpu for c in costs) for name, costs in runs.items()}
        print(f"  scan + hash + assemble: {a.pages / cpu['hoso']:.1f} pages per CPU second (to reach: {reach})", end="")
        print(f"; {cpu['ocrmypdf'] / cpu['hoso']:.1f} x ocrmypdf (to reach: 34)" if "ocrmypdf" in cpu else "")
        every = [p for f in folders for p in sorted(f.iterdir())]
        floor = decode_alone(every)
        print(f"  the floor, libjpeg-turbo decoding the luma and nothing else: {1 / floor:.0f} pages per CPU second; "
              f"hoso reaches {100 * floor * a.pages / cpu['hoso']:.0f} % of it")
        latency(a.hoso, every)


def decode_alone(pages: list[Path]) -> float:
    """CPU seconds a page, the better of two rounds."""
    best = float("inf")
    for _ in range(2):
        began = time.process_time()
        for path in pages:
            with Image.open(path) as picture:
                picture.draft("L", picture.size)
                picture.load()
        best = min(best, (time.process_time() - began) / len(pages))
    return best


def latency(binary: Path, pages: list[Path]) -> None:
    """Milliseconds a page as the command itself tells them, a page at a time."""
    said = subprocess.run([binary, "scan", "--json", "--jobs", "1", *pages], stdout=subprocess.PIPE, check=True).stdout
    ms = sorted(json.loads(line)["ms"] for line in said.splitlines())
    print(f"  a page takes {statistics.median(ms):.1f} ms, p95 {ms[len(ms) * 95 // 100]:.1f} ms (to reach: 300), worst {ms[-1]:.1f} ms")


def long_file(a: argparse.Namespace, work: Path) -> None:
    """Memory for one PDF of many pages, two at a time."""
    pages = [p for f in input_folders(work, 20, 300, a.seed) for p in sorted(f.iterdir())]
    many = (pages * (a.long // len(pages) + 1))[: a.long]
    pdf = work / f"long-{a.long}.pdf"
    subprocess.run([bench.BIN / "img2pdf", "-o", pdf, *many], check=True)
    size = pdf.stat().st_size / 1e6
    print(f"\none PDF of {a.long} pages at 300 dpi, {size:.0f} MB")
    scan = measured([a.hoso, "scan", "--json", "--jobs", "2", pdf])
    print(f"  scan, 2 jobs: peak {scan.rss_mb:.0f} MB of all processes (to reach: 150), {scan.cpu:.1f} CPU s, {scan.wall:.1f} s")
    made = measured([a.hoso, "assemble", pdf, "-o", work / "long-out.pdf"])
    share = (work / "long-out.pdf").stat().st_size / pdf.stat().st_size
    print(f"  assemble: peak {made.rss_mb:.0f} MB, {made.cpu:.1f} CPU s, {made.wall:.1f} s, out/in {share:.4f} (to reach: 1.01)")


def hard_pages(a: argparse.Namespace, work: Path) -> None:
    """What no office scans and a search for codes could lose itself in: A4 at 200 and 600 dpi."""
    folder, rng = fresh(work / "hard"), np.random.default_rng(11)
    ring = np.full((9, 9), 255)
    ring[1:8, 1:8], ring[2:7, 2:7], ring[3:6, 3:6] = 0, 255, 0
    print("\npages that are hard to search (p95 of all pages to reach: 300 ms)")
    for dpi, dot in ((200, 3), (600, 6)):
        high, wide = round(dpi * 11.69), round(dpi * 8.27)

        def fill(cell: np.ndarray) -> np.ndarray:
            return np.tile(cell, (high // cell.shape[0] + 1, wide // cell.shape[1] + 1))[:high, :wide]

        def grown(cells: np.ndarray) -> np.ndarray:
            return np.kron(cells, np.ones((dot, dot)))[:high, :wide]

        y, x = np.mgrid[0:high, 0:wide]
        pages = {
            "noise": rng.integers(0, 256, (high, wide)),
            "dots like a code": grown(rng.integers(0, 2, (high // dot + 1, wide // dot + 1)) * 255),
            "bars like a code": grown(np.repeat(rng.integers(0, 2, (1, wide // dot + 1)) * 255, high // dot + 1, axis=0)),
            "finder patterns": fill(np.kron(ring, np.ones((dot, dot)))),
            "halftone": np.where(np.sin(x * 2.7 / dot) + np.sin(y * 2.7 / dot) > rng.normal(0, 0.5, (high, wide)), 255, 0),
        }
        for name, pixels in pages.items():
            path = folder / f"{name.replace(' ', '-')}-{dpi}.jpg"
            Image.fromarray(pixels.astype(np.uint8)).save(path, quality=85, dpi=(dpi, dpi))
            said = [subprocess.run([a.hoso, "scan", "--json", "--jobs", "1", path], stdout=subprocess.PIPE).stdout for _ in range(3)]
            ms = min(json.loads(text)["ms"] for text in said)
            print(f"  {name + f', {dpi} dpi':<28}{path.stat().st_size / 1e6:>6.1f} MB {1000 * decode_alone([path]):>7.1f} ms to decode alone {ms:>8.1f} ms in all")


# --- bombs --------------------------------------------------------------------------------------------------------
def tiff(entries: list[tuple[int, int, int, int]], data: bytes, next_at: int = 0) -> bytes:
    """A little-endian TIFF of one directory behind its data."""
    at = 8 + len(data)
    body = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *e) for e in entries) + struct.pack("<I", next_at)
    return b"II*\0" + struct.pack("<I", at) + data + body


def tiff_of_a_gibibyte() -> bytes:
    """256 strips of 4 MiB that all lie on the same few bytes."""
    strip = zlib.compress(bytes(4 << 20), 9)
    offsets, counts = struct.pack("<I", 8) * 256, struct.pack("<I", len(strip)) * 256
    at = 8 + len(strip)
    return tiff([(256, 4, 1, 32768), (257, 4, 1, 32768), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (273, 4, 256, at),
                 (277, 3, 1, 1), (278, 4, 1, 128), (279, 4, 256, at + 1024)], strip + offsets + counts)


def png(width: int, height: int, bits: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    packer, parts, row = zlib.compressobj(9), [], bytes(1 + (width * bits + 7) // 8)
    for _ in range(height):
        parts.append(packer.compress(row))
    parts.append(packer.flush())
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)) + chunk(b"IDAT", b"".join(parts)) + chunk(b"IEND", b"")


def pdf_of_half_a_gibibyte() -> bytes:
    """A page content that is deflated twice."""
    packer, parts = zlib.compressobj(9), []
    for _ in range(512):
        parts.append(packer.compress(bytes(1 << 20)))
    parts.append(packer.flush())
    body = zlib.compress(b"".join(parts), 9)
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
               b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R>>",
               b"<</Length %d/Filter[/FlateDecode/FlateDecode]>>\nstream\n" % len(body) + body + b"\nendstream"]
    out, offsets = b"%PDF-1.5\n", []
    for number, text in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n" % number + text + b"\nendobj\n"
    start = len(out)
    return out + b"xref\n0 5\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % o for o in offsets) + \
        b"trailer\n<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % start


def tiff_of_many_pages() -> bytes:
    """65,535 directories in a chain, each a page of 8 x 8."""
    out, size = bytearray(b"II*\0" + struct.pack("<I", 16) + bytes(8)), 2 + 8 * 12 + 4
    for page in range(65535):
        entries = [(256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 0), (278, 4, 1, 8), (279, 4, 1, 64)]
        after = len(out) + size if page < 65534 else 0
        out += struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *e) for e in entries) + struct.pack("<I", after)
    return bytes(out)


def bombs(a: argparse.Namespace, work: Path) -> None:
    folder = fresh(work / "bombs")
    made = {"tiff-1-GiB.tif": tiff_of_a_gibibyte(), "png-400-MiB.png": png(20480, 20480, 8), "pdf-512-MiB.pdf": pdf_of_half_a_gibibyte(),
            "page-35000-square.png": png(35000, 35000, 1), "tiff-65535-pages.tif": tiff_of_many_pages()}
    page = next(p for f in input_folders(work, 20, 200, a.seed) for p in sorted(f.iterdir()))
    plain = statistics.median(measured([a.hoso, "scan", "--json", "--jobs", "1", work / "none"], ok=(0, 1, 3)).wall for _ in range(7))
    base = measured([a.hoso, "scan", "--json", "--jobs", "1", page])
    print(f"\nbombs (a command that finds no file takes {1000 * plain:.0f} ms; an honest page has a peak of {base.rss_mb:.0f} MB)")
    for name, data in made.items():
        (folder / name).write_bytes(data)
        runs = [measured([a.hoso, "scan", "--json", "--jobs", "1", folder / name], ok=(0, 1, 3)) for _ in range(5)]
        said = subprocess.run([a.hoso, "scan", "--json", "--jobs", "1", folder / name], stdout=subprocess.PIPE).stdout.splitlines()
        lines = [json.loads(line) for line in said]
        verdict = ", ".join(sorted({line["error"]["code"] if "error" in line else "TAKEN: " + ",".join(f["code"] for f in line["flags"]) for line in lines}))
        wall = statistics.median(r.wall for r in runs)
        print(f"  {name:<24}{len(data) / 1000:>9.1f} KB  {verdict:<20}{1000 * (wall - plain):>7.0f} ms more (to reach: 60), peak {max(r.rss_mb for r in runs):.0f} MB")


def main() -> int:
    ap = argparse.ArgumentParser(prog="scripts/bench scan", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--pages", type=int, default=100)
    ap.add_argument("--runs", type=int, default=3)
    ap.add_argument("--long", type=int, default=500, help="pages of the long PDF")
    ap.add_argument("--only", choices=PARTS, nargs="+", default=PARTS)
    ap.add_argument("--no-ocrmypdf", action="store_true", help="leave the slowest peer out")
    ap.add_argument("--hoso", type=Path, default=bench.REPO / "target" / "release" / "hoso")
    ap.add_argument("--seed", default="bench-1")
    ap.add_argument("--work", type=Path, help="keep inputs and outputs here (made pages are used again)")
    a = ap.parse_args()
    if not a.hoso.exists():
        print(f"bench: {a.hoso} is not there; cargo build --release", file=sys.stderr)
        return 4
    a.hoso = a.hoso.resolve()
    with tempfile.TemporaryDirectory() as scratch:
        work = a.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        for part, run in (("pages", pages_table), ("hard", hard_pages), ("long", long_file), ("bombs", bombs)):
            if part in a.only:
                run(a, work)
    if "codes" in a.only:
        return subprocess.run([sys.executable, Path(__file__).with_name("bench_codes.py"), "--seeds", "report", "--pages", a.work / "codes"] if a.work
                              else [sys.executable, Path(__file__).with_name("bench_codes.py"), "--seeds", "report"]).returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
