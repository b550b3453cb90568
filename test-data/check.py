#!/usr/bin/env python3
"""Asks readers of others whether the sample papers are what README.md says: zxing-cpp for every code,
Pillow for every page, pikepdf for every PDF. Exit code 1 and one line for each thing that is not so."""

import csv
import io
import sys
import tomllib
from pathlib import Path

import pikepdf
import zxingcpp
from PIL import Image, UnidentifiedImageError
from pikepdf import pdfa

sys.path.insert(0, str(Path(__file__).resolve().parent))
from maker.people import CASES, PEOPLE  # noqa: E402

HERE, bad = Path(__file__).resolve().parent, []


def pages(file: Path):
    if file.suffix == ".pdf":
        with pikepdf.open(file) as pdf:
            for page in pdf.pages:
                for image in page.get_images().values():
                    yield Image.open(io.BytesIO(image.read_raw_bytes()))
        return
    with Image.open(file) as image:
        for k in range(getattr(image, "n_frames", 1)):
            image.seek(k)
            yield image.convert("L")


def codes(image: Image.Image) -> list[tuple[str, str]]:
    return [(b.format.name, b.text) for b in zxingcpp.read_barcodes(image.convert("L"), text_mode=zxingcpp.TextMode.Plain)]


def expect(ok: bool, what: str) -> None:
    if not ok:
        bad.append(what)


total, dossiers = 0, 0
for batch in sorted((HERE / "intake").iterdir()):
    seen, left = [], None
    for file in sorted(f for f in batch.iterdir() if f.suffix in (".jpg", ".png", ".tif", ".pdf")):
        for image in pages(file):
            total += 1
            found = codes(image)
            texts = {t for _, t in found}
            sep = [t for t in texts if t.startswith("HOSO-SEP")]
            if sep:
                expect(sum(t == sep[0] for _, t in found) == 2, f"{file.name}: a separator with both codes, got {found}")
                expect(not left, f"{batch.name}: {left} pages missing before {file.name}")
                left = int(sep[0].rsplit("-", 1)[1])
            elif left is not None:
                left -= 1
            seen += [t for t in texts if t.startswith("H40.") or "|" in t]
    expect(not left, f"{batch.name}: the last separator counts {left} more pages than there are")
    wanted = [c for n, c in CASES.items() if n == batch.name or n.startswith(batch.name[-1] + "-")]
    dossiers += len(wanted)
    for c in wanted:
        expect(seen.count(c.code) == 1, f"{batch.name}: code {c.code} read {seen.count(c.code)} times")
        if (batch / "dossier.toml").exists():
            expect(c.who.card_qr() in seen, f"{batch.name}: the QR of the ID card does not read")
            expect(tomllib.loads((batch / "dossier.toml").read_text())["applicant"]["number"] == c.who.number, f"{batch.name}: dossier.toml")
expect(total >= 42 and dossiers >= 7, f"intake: {total} pages, {dossiers} dossiers")

listed = {r["file"]: r for r in csv.DictReader(open(HERE / "archive" / "manifest.csv", encoding="utf-8"))}
broken, contents = 0, {}
for file in sorted((HERE / "archive").glob("h01_*")):
    expect(file.name in listed, f"archive: {file.name} is not in the manifest")
    contents.setdefault(file.read_bytes(), []).append(file.name)
    try:
        n = sum(1 for _ in pages(file))
        expect(n == int(listed[file.name]["pages"]), f"archive: {file.name} has {n} pages")
    except (OSError, UnidentifiedImageError):
        broken += 1
expect(broken == 1 and sum(len(v) == 2 for v in contents.values()) == 1, "archive: one broken file and one twin")

for file in sorted((HERE / "results").glob("*.pdf")):
    expect(pdfa.validate_written(file, "2b").passed, f"results: {file.name} is not PDF/A-2b")
    expect(file.with_suffix(".toml").exists(), f"results: {file.name} has no toml")
    slip = tomllib.loads(file.with_suffix(".toml").read_text()) if file.with_suffix(".toml").exists() else {}
    owner_kind = "business" if "hộ kinh doanh" in slip.get("procedure_name", "") else None
    expect(slip.get("filing", {}).get("owner_kind") == owner_kind, f"results: {file.stem}.toml says another kind of owner")
for name in ("batch-3", "batch-4", "batch-5"):
    zone = (HERE / "chip" / name / "DG1.bin").read_bytes()
    expect(PEOPLE[name].number.encode() in zone, f"chip: {name}")

print(f"{total} pages in {dossiers} dossiers, {len(listed)} archive files; {len(bad)} things wrong", *bad, sep="\n")
sys.exit(bool(bad))
