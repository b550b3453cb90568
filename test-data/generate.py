#!/usr/bin/env python3
"""Makes the sample papers of this folder again, or any number of pages for a bench.

    python3 test-data/generate.py                       # intake/ chip/ archive/ results/ beside this file
    python3 test-data/generate.py --pages 100 --dpi 300 --out /tmp/pages
"""

import argparse
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from maker import batches, bench  # noqa: E402

HERE = Path(__file__).resolve().parent


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--seed", default="hoso-1", help="another seed makes other wobble, skew and noise, the same people")
    ap.add_argument("--pages", type=int, help="make this many noisy JPEG pages instead")
    ap.add_argument("--dpi", type=int, choices=(200, 300), default=200)
    ap.add_argument("--out", type=Path, help="where to write (default: beside this file; needed with --pages)")
    ap.add_argument("--only", choices=("intake", "chip", "archive", "results"))
    a = ap.parse_args()
    if a.pages is not None:
        if a.out is None:
            ap.error("--pages needs --out")
        return bench.pages(a.out, a.pages, a.dpi, a.seed)
    root = a.out or HERE
    for name, make in [("intake", lambda p: batches.intake(p, a.seed)), ("chip", batches.chips),
                       ("archive", lambda p: __import__("maker.archive").archive.box(p, a.seed)),
                       ("results", lambda p: __import__("maker.results").results.write(p))]:
        if a.only in (None, name):
            shutil.rmtree(root / name, ignore_errors=True)
            make(root / name)
            print(f"{name}: {sum(f.stat().st_size for f in (root / name).rglob('*') if f.is_file()):,} bytes")


if __name__ == "__main__":
    main()
