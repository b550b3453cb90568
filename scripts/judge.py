"""Outside judges of signed PDFs, log receipts and evidence bundles; see scripts/judge.

Exit code: 0 every judge says yes; 1 somebody says no or two judges see different things; 3 nothing to judge; 4 a judge
is missing. A judge that has nothing to look at says "-"; one that falls over while looking says NO.
"""

import argparse
import json
import logging
import shutil
import sys
import tempfile
from pathlib import Path

import evidence
import judges
import receipts


def main() -> int:
    ap = argparse.ArgumentParser(prog="scripts/judge", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("paths", nargs="+", type=Path, help="folders (searched through) or files")
    ap.add_argument("--trust", type=Path, action="append", default=[], help="PEM of trusted roots (and intermediates); may be repeated")
    ap.add_argument("--log-key", type=Path, help="file of verifier keys of the log, one name+id+key a line")
    ap.add_argument("--authorities", type=Path, help="folder of time stamp authorities' certificates, *.pem, that long receipts leave out")
    ap.add_argument("--receipt-key", type=Path, action="append", default=[], help="PEM of receivers' keys, or a folder of them; may be repeated")
    ap.add_argument("--unsigned", action="store_true", help="also accept PDFs without a signature (judged by qpdf, mutool and PDF/A alone)")
    ap.add_argument("--require-timestamp", action="store_true", help="every document needs a trusted time stamp (B-T)")
    ap.add_argument("--skip-pdfa", action="store_true", help="do not ask for PDF/A-2b (papers kept as they came)")
    ap.add_argument("--json", action="store_true", help="one JSON object a line")
    a = ap.parse_args()
    logging.disable(logging.CRITICAL)  # what a judge says goes into the table

    missing = [t for t in ("qpdf", "mutool", "pdfsig", "certutil", "openssl") if not shutil.which(t)]
    if missing:
        print(f"judge: not installed: {', '.join(missing)}; see scripts/packages.txt [test]", file=sys.stderr)
        return 4
    found = [f for p in a.paths for f in (sorted(p.rglob("*")) if p.is_dir() else [p])]
    pdfs = [f for f in found if f.suffix.lower() == ".pdf"]
    proofs = [f for f in found if f.suffix == ".tlog-proof"]
    bundles = [f for f in found if f.suffix == ".zip"]
    if not pdfs and not proofs and not bundles:
        print("judge: no PDF, receipt or bundle there", file=sys.stderr)
        return 3
    if (pdfs or bundles) and not a.trust and not a.unsigned:
        print("judge: --trust is needed to judge signatures", file=sys.stderr)
        return 4

    wrong = 0
    with tempfile.TemporaryDirectory() as work:
        court = judges.Court(a.trust, Path(work), a.require_timestamp, not a.skip_pdfa)
        if pdfs:
            rows = [(f, court.judge(f, a.unsigned)) for f in pdfs]
            wrong += report(rows, ["sigs", *judges.NAMES], a.json)
        if bundles:
            wrong += judge_bundles(bundles, a, court, Path(work))
    if proofs:
        if a.log_key is None:
            print("receipts: not judged, --log-key is missing")
            wrong += 1
        else:
            keys = receipts.keys(a.log_key.read_text())
            helpers = sorted(a.authorities.glob("*.pem")) if a.authorities else []
            wrong += report([(f, receipts.judge(f, keys, a.trust, helpers)) for f in proofs], receipts.NAMES, a.json)
    bare = {f.with_suffix(".pdf") for f in proofs}
    print(f"{len(bundles)} bundles, " if bundles else "", end="")
    print(f"{len(pdfs)} PDF ({len([f for f in pdfs if f not in bare])} without a receipt beside them), {len(proofs)} receipts, {wrong} with a no")
    return 1 if wrong else 0


def judge_bundles(bundles: list[Path], a: argparse.Namespace, court: judges.Court, work: Path) -> int:
    if a.log_key is None:
        print("bundles: not judged, --log-key is missing")
        return len(bundles)
    logs, receivers = receipts.keys(a.log_key.read_text()), evidence.receiver_keys(a.receipt_key)
    rows = [(f, evidence.judge(f, logs, receivers)) for f in bundles]
    wrong, inside = report(rows, evidence.NAMES, a.json), []
    for number, (file, says) in enumerate(rows):
        if says["zip"] == evidence.YES:
            folder = work / f"bundle-{number}" / file.stem
            evidence.unpack(file, folder)
            inside += [(f, court.judge(f, a.unsigned)) for f in sorted(folder.rglob("*.pdf"))]
    return wrong + (report(inside, ["sigs", *judges.NAMES], a.json) if inside else 0)


def report(rows: list[tuple[Path, dict]], columns: list[str], as_json: bool) -> int:
    """Prints verdicts; a verdict is a column -> (mark, reason). Returns how many rows hold a no."""
    bad = [(f, v) for f, v in rows if any(mark == "NO" for mark, _ in v.values())]
    if as_json:
        for f, v in rows:
            print(json.dumps({"file": str(f)} | {c: {"mark": m, "says": r} for c, (m, r) in v.items()}, ensure_ascii=False))
        return len(bad)
    width = max([len(short(f)) for f, _ in rows] + [4])
    sizes = [max(len(c), 4) for c in columns]
    print("file".ljust(width), *(c.ljust(s) for c, s in zip(columns, sizes)), sep="  ")
    for f, v in rows:
        print(short(f).ljust(width), *(v.get(c, ("-", ""))[0].ljust(s) for c, s in zip(columns, sizes)), sep="  ")
    for f, v in bad:
        for c, (mark, reason) in v.items():
            if mark == "NO":
                print(f"  {short(f)}: {c}: {reason}")
    return len(bad)


def short(f: Path) -> str:
    return "/".join(f.parts[-2:])


if __name__ == "__main__":
    sys.exit(main())
