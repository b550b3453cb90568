"""Deliveries, credentials and the log: what was asked for beside what was measured, and what the machine itself can do.

    scripts/bench deliver [--only rate,latency] [--backlog 100000] [--duplicates 100000] [--kills 1000] [--flows 4000]

The program under test is the release build (--hoso), its receivers are processes of their own, everything is flushed at both
ends; `cargo bench --bench deliver` drives them and measures the floor of the machine in the same run. --kills N runs the test
that kills both ends of a bad line N times. Credentials come from `cargo bench --bench issuer`, the log from `cargo bench
--bench log`, where the checkout has it. Rates want a quiet machine.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent


def show(row: dict) -> None:
    def number(value: float) -> str:
        return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.2f}"

    asked = "" if row["asked"] in (0, None) and row["unit"] else number(row["asked"])
    verdict = ""
    if asked:
        more_is_better = row["unit"] == "/s"
        verdict = "reached" if (row["measured"] >= row["asked"] if more_is_better else row["measured"] <= row["asked"]) else "MISSED"
    print(f"{row['what']:<46}{asked:>10}{number(row['measured']):>12} {row['unit']:<4}{verdict:<9}{row['note']}", flush=True)


def cargo(bench: str, *args: str) -> subprocess.Popen:
    command = ["cargo", "bench", "--quiet", "--bench", bench, "--", *args]
    return subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, text=True)


def deliver(a: argparse.Namespace) -> int:
    options = ["--hoso", str(a.hoso), "--backlog", str(a.backlog), "--duplicates", str(a.duplicates), "--seconds", str(a.seconds)]
    if a.only:
        options += ["--only", a.only]
    if a.folder:
        options += ["--folder", str(a.folder)]
    run = cargo("deliver", *options) if not a.no_cargo else subprocess.Popen([a.no_cargo, *options], stdout=subprocess.PIPE, text=True)
    for line in run.stdout:
        show(json.loads(line))
    return run.wait()


def issuer(flows: int) -> int:
    run = cargo("issuer", str(flows))
    text = run.stdout.read()
    for line in text.splitlines():
        if found := re.match(r"flows\s.*?([\d,.]+)\s*(?:/s|a second|per second)", line):
            show({"what": "OpenID4VCI flows", "asked": 400, "measured": float(found[1].replace(",", "")), "unit": "/s", "note": "wallets in the same process"})
        else:
            print(f"  {line}")
    return run.wait()


def log() -> int:
    if not (REPO / "benches/log.rs").exists():
        print("log: this checkout has no benches/log.rs")
        return 0
    run = cargo("log")
    for line in run.stdout:
        try:
            show(json.loads(line))
        except (ValueError, KeyError, TypeError):
            print(f"  {line.rstrip()}")
    return run.wait()


def kills(count: int) -> int:
    command = ["cargo", "test", "--release", "--test", "it", "--", "--nocapture", "outbox::kill_minus_nine"]
    run = subprocess.run(command, cwd=REPO, env={**os.environ, "HOSO_KILLS": str(count)}, capture_output=True, text=True)
    told = next((line for line in run.stderr.splitlines() if line.startswith("kills ")), run.stdout[-400:])
    print(f"{'lost under kill -9, both ends of a bad line':<46}{0:>10}{'0' if run.returncode == 0 else '?':>12}     "
          f"{'reached' if run.returncode == 0 else 'MISSED':<9}{told}")
    return run.returncode


def main() -> None:
    ap = argparse.ArgumentParser(prog="scripts/bench deliver", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--hoso", type=Path, default=REPO / "target/release/hoso")
    ap.add_argument("--only", help="of floor,rate,latency,backlog,duplicates,kills,issuer,log; all but kills where it is left out")
    ap.add_argument("--seconds", type=int, default=15, help="how long a rate is measured")
    ap.add_argument("--backlog", type=int, default=100_000)
    ap.add_argument("--duplicates", type=int, default=100_000)
    ap.add_argument("--kills", type=int, default=0)
    ap.add_argument("--flows", type=int, default=4_000)
    ap.add_argument("--folder", type=Path, help="where the worlds are made: a folder on the disk that is to be measured")
    ap.add_argument("--no-cargo", type=Path, help="a built bench instead of `cargo bench`")
    a = ap.parse_args()
    if not a.hoso.exists():
        sys.exit(f"bench: no program at {a.hoso}; cargo build --release")
    only = set(a.only.split(",")) if a.only else set()
    wanted = lambda what: not only or what in only
    ours = only & {"floor", "rate", "latency", "backlog", "duplicates"}
    print(f"{'what':<46}{'asked':>10}{'measured':>12}")
    codes = []
    if not only or ours:
        a.only = ",".join(sorted(ours))
        codes.append(deliver(a))
    if a.kills or "kills" in only:
        codes.append(kills(a.kills or 1_000))
    if wanted("issuer"):
        codes.append(issuer(a.flows))
    if wanted("log"):
        codes.append(log())
    sys.exit(max(codes, default=0))


if __name__ == "__main__":
    main()
