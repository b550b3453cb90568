"""Any number of pages for a bench: colour JPEG, noisy, each one different."""

from pathlib import Path

from . import batches, scan
from .people import CASES


def pages(out: Path, count: int, dpi: int, seed: str) -> None:
    """`count` pages p0001.jpg ... of the dossiers' papers in turn. A clean sheet is drawn once and scanned
    as often as needed, with other skew and noise each time."""
    out.mkdir(parents=True, exist_ok=True)
    papers = [(f"{n}/{part}", make) for n in ("1-1", "1-2", "1-3", "batch-3") for part, make in batches.dossier(CASES[n])]
    clean = {}
    for i in range(count):
        name, make = papers[i % len(papers)]
        if name not in clean:
            clean[name] = make(dpi, f"{seed}/bench/{name}")
        key = f"{seed}/bench/{dpi}/{i}"
        page = batches.colour(dpi, clean[name], key, grain=2.0, tint=(250, 248, 240) if i % 3 else (255, 255, 255))
        (out / f"p{i + 1:04d}.jpg").write_bytes(scan.jpeg(page, dpi, 78))
