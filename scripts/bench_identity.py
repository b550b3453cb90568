"""Chip readings: CPU of one verification with many anchors, and of a master list, beside openssl and asn1crypto.

    .venv/bin/python scripts/bench_identity.py [--anchors 600] [--rounds 15] [--hoso PROGRAM] [--keep DIR] [--no-cargo]

A world is minted by the OpenSSL command line: an authority, a document signer, one reading, and a master list of --anchors
certificates (those of ../shared/data/identity/master-list-de or HOSO_SHARED_DATA where present, and minted ones), signed
and imported by the command under test. Every program runs on the same files in the same run, in turns; the cost is user
and system time of the whole process, the least of --rounds. The curve is named, as openssl's own chain building
refuses one that is written out. Needs a release build of hoso; `cargo bench` is run for what happens inside the process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("HOSO_SHARED_DATA", REPO / "../shared/data"))
GERMAN = SHARED / "identity/master-list-de"

WORLD = r"""
curve() { openssl ecparam -name "$1" -genkey -noout -out "$2.key"; }
ca='basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n'
ds='keyUsage=critical,digitalSignature\nauthorityKeyIdentifier=keyid\n'
root() { printf '%b' "$ca" >"$1.ext"; openssl req -new -key "$1.key" -subj "$2" -out "$1.csr"
  openssl x509 -req -in "$1.csr" -signkey "$1.key" -sha384 -days 3650 -extfile "$1.ext" -out "$1.pem"; }
leaf() { printf '%b' "$4" >"$2.ext"; openssl req -new -key "$2.key" -subj "$3" -out "$2.csr"
  openssl x509 -req -in "$2.csr" -CA "$1.pem" -CAkey "$1.key" -CAcreateserial -sha384 -days 900 -extfile "$2.ext" -out "$2.pem"; }
curve brainpoolP384r1 csca; root csca '/C=VN/O=TEST ONLY/CN=TEST CSCA'
curve brainpoolP256r1 ds; leaf csca ds '/C=VN/O=TEST ONLY/CN=TEST DS 1' "$ds"
curve brainpoolP384r1 publisher; root publisher '/C=DE/O=TEST ONLY/CN=TEST PUBLISHER'
curve brainpoolP256r1 lister; leaf publisher lister '/C=DE/O=TEST ONLY/CN=TEST LISTER' "${ds}extendedKeyUsage=critical,2.23.136.1.1.3\n"
curve prime256v1 aa
for n in $(seq 1 "$1"); do curve prime256v1 f; root f "/C=ZZ/O=TEST ONLY/CN=FILLER $n"; openssl x509 -in f.pem -outform DER -out "filler-$n.der"; done
"""


def tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else (lambda b: bytes([0x80 | len(b)]) + b)(size.to_bytes((size.bit_length() + 7) // 8, "big"))
    return bytes([tag]) + length + content


def parts(content: bytes) -> list[bytes]:
    """The DER elements that lie end to end in some bytes."""
    found, at = [], 0
    while at < len(content):
        first, head = content[at + 1], 2
        size = first
        if first & 0x80:
            head += first & 0x7F
            size = int.from_bytes(content[at + 2 : at + head], "big")
        found.append(content[at : at + head + size])
        at += head + size
    return found


def inside(element: bytes) -> bytes:
    return element[2 + (element[1] & 0x7F if element[1] & 0x80 else 0) :]


def sh(script: str, cwd: Path, *args: str) -> None:
    subprocess.run(["bash", "-euc", script, "world", *args], cwd=cwd, check=True, capture_output=True)


def german() -> list[bytes]:
    lists = sorted(GERMAN.glob("*.ml"))
    if not lists:
        return []
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run(["openssl", "cms", "-verify", "-noverify", "-inform", "DER", "-in", lists[-1], "-out", out.name],
                       check=True, capture_output=True)
        _, certificates = parts(inside(Path(out.name).read_bytes()))
    return parts(inside(certificates))


def cost(argv: list, good: tuple[int, ...] = (0,)) -> float:
    """CPU milliseconds of one process, children included."""
    with open(os.devnull, "w") as null:
        child = subprocess.Popen([str(a) for a in argv], stdout=null, stderr=null)
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in good:
        sys.exit(f"bench_identity: exit code {child.returncode}: {' '.join(map(str, argv))}")
    return (usage.ru_utime + usage.ru_stime) * 1000


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--anchors", type=int, default=600)
    args.add_argument("--rounds", type=int, default=15)
    args.add_argument("--hoso", type=Path, default=REPO / "target/release/hoso")
    args.add_argument("--no-cargo", action="store_true", help="only whole processes")
    args.add_argument("--keep", type=Path, metavar="DIR", help="make the world here, and leave it")
    args = args.parse_args()
    if not args.hoso.exists():
        sys.exit(f"bench_identity: no {args.hoso}; cargo build --release")
    if args.keep:
        args.keep.mkdir(parents=True)
        bench(args.keep.resolve(), args)
        return
    with tempfile.TemporaryDirectory() as folder:
        bench(Path(folder), args)


def bench(world: Path, args: argparse.Namespace) -> None:
    published = german()[: args.anchors - 1]
    sh(WORLD, world, str(max(0, args.anchors - 1 - len(published))))
    der = lambda name: subprocess.run(["openssl", "x509", "-in", world / name, "-outform", "DER"], check=True, capture_output=True).stdout
    members = published + [p.read_bytes() for p in world.glob("filler-*.der")] + [der("csca.pem")]
    (world / "list.bin").write_bytes(tlv(0x30, tlv(2, b"\0") + tlv(0x31, b"".join(sorted(members)))))
    sh("openssl cms -sign -nodetach -binary -nosmimecap -econtent_type 2.23.136.1.1.2 -signer lister.pem -inkey lister.key "
       "-certfile publisher.pem -md sha256 -in list.bin -outform DER -out list.ml", world)
    dgs = REPO / "test-data/chip"
    dgs = next((d for d in sorted(dgs.glob("*")) if (d / "DG1.bin").exists()), None) if dgs.exists() else None
    if dgs is None:
        dgs = world / "dgs"
        dgs.mkdir()
        (dgs / "DG1.bin").write_bytes(tlv(0x61, b"\x5f\x1f" + tlv(0, b"I<VNM" + b"<" * 85)[1:]))
        (dgs / "DG2.bin").write_bytes(tlv(0x75, os.urandom(15_000)))
    subprocess.run([REPO / "scripts/mint-reading", "--dgs", dgs, "--ds", "ds.pem", "--key", "ds.key", "--aa-key", "aa.key", "-o", "card.reading.json"],
                   cwd=world, check=True, capture_output=True)
    import base64

    sod = base64.b64decode(json.loads((world / "card.reading.json").read_text())["files"]["SOD"])
    (world / "sod.cms").write_bytes(inside(sod))
    pem = b"".join(subprocess.run(["openssl", "x509", "-inform", "DER"], input=m, check=True, capture_output=True).stdout for m in members)
    (world / "all.pem").write_bytes(pem)
    (world / "csca").mkdir()
    hoso = [args.hoso, "identity"]
    imported = subprocess.run([*hoso, "anchors", "import", world / "list.ml", "--root", world / "publisher.pem", "--anchors", world / "csca", "--json"],
                              check=True, capture_output=True, text=True)
    said = json.loads(imported.stdout)
    print(f"{len(members)} certificates in the list ({len(published)} published), {said['certificates']} of {len(said['countries'])} countries imported")

    verify = ["openssl", "cms", "-verify", "-inform", "DER", "-in", world / "sod.cms", "-out", os.devnull]
    python = [sys.executable, "-c"]
    asn1 = ("import sys; from asn1crypto import cms, core, x509\n"
            "class Set(core.SetOf): _child_spec = x509.Certificate\n"
            "data = cms.ContentInfo.load(open(sys.argv[1], 'rb').read())['content']\n"
            "found = Set.load(core.Sequence.load(data['encap_content_info']['content'].native)[1].dump())\n"
            "print(sum(1 for c in found if c.subject.native and c.public_key.native))\n")
    programs = {
        "hoso identity verify": ([*hoso, "verify", world / "card.reading.json", "--anchors", world / "csca", "--json"], (0, 1, 3, 4)),
        "hoso identity verify, no anchors": ([*hoso, "verify", world / "card.reading.json", "--json"], (0, 1, 4)),
        "hoso --version (an empty start)": ([args.hoso, "--version"], (0,)),
        "openssl version (an empty start)": (["openssl", "version"], (0,)),
        "openssl cms -verify, all anchors in one file": ([*verify, "-CAfile", world / "all.pem", "-purpose", "any"], (0,)),
        "openssl cms -verify, its one anchor": ([*verify, "-CAfile", world / "csca.pem", "-purpose", "any"], (0,)),
        "openssl cms -verify -noverify, no chain": ([*verify, "-noverify"], (0,)),
        "openssl verify, all anchors in one file": (["openssl", "verify", "-CAfile", world / "all.pem", world / "ds.pem"], (0,)),
        "openssl cms -verify of the list, no chain": (["openssl", "cms", "-verify", "-noverify", "-inform", "DER", "-in", world / "list.ml", "-out", os.devnull], (0,)),
        "asn1crypto reads the list": ([*python, asn1, world / "list.ml"], (0,)),
        "asn1crypto, an empty start": ([*python, "from asn1crypto import cms, core, x509"], (0,)),
    }
    best = dict.fromkeys(programs, float("inf"))
    fresh = 0
    imports = float("inf")
    for _ in range(args.rounds):
        for name, (argv, good) in programs.items():
            best[name] = min(best[name], cost(argv, good))
        fresh += 1
        argv = [*hoso, "anchors", "import", world / "list.ml", "--root", world / "publisher.pem", "--anchors", world / f"csca-{fresh}"]
        imports = min(imports, cost(argv))
    best["hoso identity anchors import"] = imports
    print(f"\nCPU of a whole process, least of {args.rounds}")
    for name, ms in best.items():
        print(f"  {name:48} {ms:8.2f} ms")
    ours, list_ms = best["hoso identity verify"], best["hoso identity anchors import"]
    print("\nratios (hoso = 1)")
    for name in ("openssl cms -verify, all anchors in one file", "openssl cms -verify, its one anchor", "openssl verify, all anchors in one file"):
        print(f"  {name:48} {best[name] / ours:8.2f}")
    for name in ("openssl cms -verify of the list, no chain", "asn1crypto reads the list"):
        print(f"  {name:48} {best[name] / list_ms:8.2f}")
    if not args.no_cargo:
        print("\ninside the process", flush=True)
        inner = ["--anchors", world / "csca", "--reading", world / "card.reading.json", "--list", world / "list.ml", "--root", world / "publisher.pem"]
        subprocess.run(["cargo", "bench", "--quiet", "--bench", "identity", "--", *map(str, inner)], cwd=REPO, check=True)


if __name__ == "__main__":
    main()
