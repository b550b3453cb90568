"""The bench behind scripts/bench.

What is counted: user + system CPU seconds of the command and of every child that it waited for (wait4), median of the
runs, the tools taking turns within a run. Peak memory is the largest sum over the command and all its children of what
lies in memory, looked at fifty times a second (wait4's own figure starts at the size of whoever started it). Pages are
made before the clock starts and read once, so that nobody pays for a cold disk. ocrmypdf takes PDF: the PDF it gets is
made by img2pdf before its clock starts. Nobody does OCR.

The work is not the same, and the table says so: hoso admits, judges pages, reads barcodes, divides, makes PDF/A-2b,
signs and logs; ocrmypdf makes PDF/A of ready PDFs; img2pdf only wraps the JPEGs.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pikepdf

REPO = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PAGE_KIB = os.sysconf("SC_PAGESIZE") // 1024
DOSSIER = 10  # pages in one folder; the generator puts a cover on every tenth


@dataclass
class Cost:
    cpu: float
    wall: float
    rss_mb: float

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.cpu + other.cpu, self.wall + other.wall, max(self.rss_mb, other.rss_mb))


NOTHING = Cost(0, 0, 0)


def measured(argv: list[object], ok: tuple[int, ...] = (0,), env: dict | None = None, cwd: Path | None = None) -> Cost:
    """Runs a command to its end and tells what it and its children cost."""
    with tempfile.TemporaryFile() as said:
        start = time.monotonic()
        child = subprocess.Popen([str(a) for a in argv], stdout=said, stderr=subprocess.STDOUT, env=os.environ | (env or {}), cwd=cwd)
        peak, over = [0], threading.Event()
        watcher = threading.Thread(target=watch, args=(child.pid, peak, over))
        watcher.start()
        _, status, use = os.wait4(child.pid, 0)
        wall, code = time.monotonic() - start, os.waitstatus_to_exitcode(status)
        over.set()
        watcher.join()
        child.returncode = code
        if code not in ok:
            said.seek(0)
            raise SystemExit(f"bench: {argv[0]} ended with {code}:\n{said.read().decode('utf-8', 'replace')[-2000:]}")
    return Cost(use.ru_utime + use.ru_stime, wall, peak[0] / 1024)


def watch(pid: int, peak: list[int], over: threading.Event) -> None:
    """Keeps the largest sum of resident KiB of a process and its descendants."""
    while not over.wait(0.02):
        total, tree = 0, [pid]
        while tree:
            one = tree.pop()
            try:
                total += int(Path(f"/proc/{one}/statm").read_text().split()[1]) * PAGE_KIB
                for task in Path(f"/proc/{one}/task").iterdir():
                    tree += map(int, (task / "children").read_text().split())
            except (OSError, ValueError):
                continue  # it ended while we looked
        peak[0] = max(peak[0], total)


# --- hoso: everything that knows its command line is here ---------------------------------------------------------
def desk_pipeline(whole: bool) -> str:
    """The intake pipeline; unless `whole`, without the steps that wait for others (time stamp, delivery)."""
    text = (REPO / "pipelines" / "intake-desk.toml").read_text(encoding="utf-8")
    if whole:
        return text
    head, *steps = re.split(r"(?m)^(?=\[\[step\]\])", text)
    steps = [s for s in steps if not re.search(r"(?m)^deliver\b", s)]
    return head + "".join(s.replace("timestamp = true", "timestamp = false") for s in steps)


def hoso(binary: Path, work: Path, folders: list[Path], whole: bool) -> tuple[Cost, Path]:
    station = work / "station"
    shutil.rmtree(station, ignore_errors=True)
    measured([binary, "init", station, "--training"])
    pipeline = station / "pipelines" / "intake-desk.toml"
    pipeline.write_text(desk_pipeline(whole), encoding="utf-8")
    return measured([binary, "--station", station, "run", pipeline, *folders]), station / "out"


# --- peers --------------------------------------------------------------------------------------------------------
def img2pdf(work: Path, folders: list[Path]) -> tuple[Cost, Path]:
    out = fresh(work / "img2pdf")
    cost = NOTHING
    for f in folders:
        cost += measured([BIN / "img2pdf", "-o", out / f"{f.name}.pdf", *sorted(f.glob("*.jpg"))])
    return cost, out


def ocrmypdf(work: Path, folders: list[Path]) -> tuple[Cost, Path]:
    ready, out = work / "img2pdf", fresh(work / "ocrmypdf")
    cost = NOTHING
    for f in folders:
        cost += measured([BIN / "ocrmypdf", "--quiet", "--ocr-engine", "none", "--output-type", "auto", "--optimize", "0",
                          ready / f"{f.name}.pdf", out / f"{f.name}.pdf"], env={"PATH": f"{BIN}:{os.environ['PATH']}"})
    return cost, out


# --- the run ------------------------------------------------------------------------------------------------------
def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def input_folders(work: Path, pages: int, dpi: int, seed: str) -> list[Path]:
    flat, root = work / f"pages-{dpi}-{pages}", fresh(work / f"in-{dpi}")
    if len(list(flat.glob("*.jpg"))) != pages:
        subprocess.run([sys.executable, REPO / "test-data" / "generate.py", "--pages", str(pages), "--dpi", str(dpi), "--out", flat,
                        "--seed", seed], check=True)
    folders = []
    for i, page in enumerate(sorted(flat.glob("*.jpg"))):
        folder = root / f"h{i // DOSSIER + 1:03d}"
        folder.mkdir(exist_ok=True)
        os.link(page, folder / page.name)
        page.read_bytes()
        if folder not in folders:
            folders.append(folder)
    return folders


def weigh(out: Path) -> tuple[int, int]:
    """Pages and bytes of all PDFs below a folder."""
    count = size = 0
    for f in out.rglob("*.pdf"):
        with pikepdf.open(f) as pdf:
            count += len(pdf.pages)
        size += f.stat().st_size
    return count, size


def main() -> int:
    ap = argparse.ArgumentParser(prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--pages", type=int, default=100)
    ap.add_argument("--dpi", type=int, nargs="+", choices=(200, 300), default=[200, 300])
    ap.add_argument("--runs", type=int, default=3)
    ap.add_argument("--hoso", type=Path, default=REPO / "target" / "release" / "hoso")
    ap.add_argument("--whole", action="store_true", help="time stamp and delivery too: their services must run (hoso mock)")
    ap.add_argument("--seed", default="bench-1")
    ap.add_argument("--work", type=Path, help="keep inputs and outputs here (made pages are used again)")
    ap.add_argument("--json", type=Path, help="also write every figure of every run here")
    a = ap.parse_args()
    if not a.hoso.exists():
        print(f"bench: {a.hoso} is not there; cargo build --release", file=sys.stderr)
        return 4
    with tempfile.TemporaryDirectory() as scratch:
        work = a.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        tools = {"hoso": lambda f: hoso(a.hoso.resolve(), work, f, a.whole), "img2pdf": lambda f: img2pdf(work, f),
                 "ocrmypdf": lambda f: ocrmypdf(work, f)}
        figures, broken = [], False
        for dpi in a.dpi:
            folders = input_folders(work, a.pages, dpi, a.seed)
            size_in = sum(p.stat().st_size for f in folders for p in f.iterdir())
            runs: dict[str, list[Cost]] = {name: [] for name in tools}
            made: dict[str, tuple[int, int]] = {}
            for _ in range(a.runs):
                for name, tool in tools.items():
                    cost, out = tool(folders)
                    runs[name].append(cost)
                    made[name] = weigh(out)
            broken |= table(dpi, a.pages, len(folders), size_in, runs, made)
            figures.append({"dpi": dpi, "pages": a.pages, "bytes_in": size_in, "out": made,
                            "runs": {n: [vars(c) for c in cs] for n, cs in runs.items()}})
        if a.json:
            a.json.write_text(json.dumps(figures, indent=1))
    return 1 if broken else 0


def table(dpi: int, pages: int, dossiers: int, size_in: int, runs: dict[str, list[Cost]], made: dict[str, tuple[int, int]]) -> bool:
    print(f"\n{dpi} dpi, {pages} pages in {dossiers} dossiers, {size_in / 1e6:.1f} MB; median of {len(next(iter(runs.values())))}, "
          f"{os.cpu_count()} cores")
    print(f"{'tool':<10}{'CPU s':>9}{'ms/page':>9}{'pages/CPU-s':>13}{'spread':>9}{'wall s':>9}{'peak MB':>9}{'out/in':>8}  hoso is")
    base, broken = statistics.median(c.cpu for c in runs["hoso"]), False
    for name, costs in runs.items():
        cpu = [c.cpu for c in costs]
        mid, (count, size) = statistics.median(cpu), made[name]
        ratio = "" if name == "hoso" else f"{mid / base:.2f} x as fast" if mid >= base else f"{base / mid:.2f} x slower"
        print(f"{name:<10}{mid:>9.2f}{1000 * mid / pages:>9.1f}{pages / mid:>13.2f}{(max(cpu) - min(cpu)) / mid:>9.1%}"
              f"{statistics.median(c.wall for c in costs):>9.2f}{max(c.rss_mb for c in costs):>9.0f}{size / size_in:>8.3f}  {ratio}")
        if count != pages:
            print(f"  {name} put out {count} pages, not {pages}: its figures say nothing")
            broken = True
    return broken


if __name__ == "__main__":
    sys.exit(main())
