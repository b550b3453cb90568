"""Any number of pages for a bench: colour JPEG, noisy, each one different."""

import dataclasses
from pathlib import Path

from . import batches, forms, scan
from .people import CASES

DOSSIER = 10


def pages(out: Path, count: int, dpi: int, seed: str) -> None:
    """`count` pages p0001.jpg ... Every tenth page from the first on is the cover of a new dossier, with a code of its
    own; between them come other papers without one. A clean sheet of those is drawn once and scanned as often as
    needed, with other skew and noise each time."""
    out.mkdir(parents=True, exist_ok=True)
    names = [n for n in ("1-1", "1-2", "1-3", "batch-3")]
    inside = [(f"{n}/{part}", make) for n in names for part, make in batches.dossier(CASES[n])[1:] if part != "bien-nhan"]
    covers = [forms.marital_declaration, forms.land_application, forms.business_application, forms.birth_declaration]
    clean = {}
    for i in range(count):
        if i % DOSSIER == 0:
            k = i // DOSSIER
            case = dataclasses.replace(CASES[names[k % 4]], serial=1001 + k)
            sheet = covers[k % 4](dpi, case, f"{seed}/bench/cover/{k}")
        else:
            name, make = inside[(i + i // DOSSIER) % len(inside)]
            if name not in clean:
                clean[name] = make(dpi, f"{seed}/bench/{name}")
            sheet = clean[name]
        page = batches.colour(dpi, sheet, f"{seed}/bench/{dpi}/{i}", grain=2.0, tint=(250, 248, 240) if i % 3 else (255, 255, 255))
        (out / f"p{i + 1:04d}.jpg").write_bytes(scan.jpeg(page, dpi, 78))
