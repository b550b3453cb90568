"""Signatures: CPU of one signature and of its verification beside pyHanko, and peak memory, on the same files in one run.

    .venv/bin/python scripts/bench_sign.py [--rounds 100] [--hoso PROGRAM] [--no-cargo] [--keep DIR]

Files are scans wrapped by img2pdf: ten pages of 0.63 MB, one page, and as many as make 202 MB. Keys are minted by the
OpenSSL command line. pyHanko signs within one process, its key loaded once (PdfSigner.sign_pdf, 16,384 octets reserved,
file in and file out); so does the bench of this program (`cargo bench --bench sign`). CPU is user and system time, the
median of the rounds. Floor: SHA-256 of the bytes and one signature of the key, in the same process. Peak memory is that
of one process of the command line that signs the large file (`hoso sign`, `pyhanko sign addsig`).
"""

import argparse
import io
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
PASSWORD = "bench"

WORLD = r"""
ca='basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n'
leaf='basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature,nonRepudiation\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n'
printf '%b' "$ca" >ca.ext; printf '%b' "$leaf" >leaf.ext
openssl req -new -newkey rsa:2048 -nodes -keyout root.key -subj '/CN=BENCH ROOT' -out root.csr
openssl x509 -req -in root.csr -signkey root.key -days 3650 -extfile ca.ext -out root.pem
openssl req -new -newkey rsa:2048 -nodes -keyout inter.key -subj '/CN=BENCH CA' -out inter.csr
openssl x509 -req -in inter.csr -CA root.pem -CAkey root.key -CAcreateserial -days 3000 -extfile ca.ext -out inter.pem
end() { openssl req -new "${@:2}" -nodes -keyout $1.key -subj "/CN=BENCH $1" -out $1.csr
  openssl x509 -req -in $1.csr -CA inter.pem -CAkey inter.key -CAcreateserial -days 900 -extfile leaf.ext -out $1.pem
  openssl pkcs12 -export -inkey $1.key -in $1.pem -certfile inter.pem -passout pass:bench -out $1.p12; }
end rsa2048 -newkey rsa:2048
end rsa3072 -newkey rsa:3072
end p256 -newkey ec -pkeyopt ec_paramgen_curve:P-256
printf bench >pass; mkdir trust; cp root.pem inter.pem trust
"""

# Started by a small process, since a child's peak begins with the size of whoever started it.
PEAK = """import os, resource, sys
_, status = os.waitpid(os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]), 0)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, os.waitstatus_to_exitcode(status), file=sys.stderr)"""


def page(size: int, seed: int) -> bytes:
    """A page of noise, A4 at 200 dpi, of about so many bytes of JPEG."""
    from PIL import Image

    chance = random.Random(seed)
    coarse = Image.frombytes("L", (827, 1170), chance.randbytes(827 * 1170)).resize((1654, 2339), Image.Resampling.BICUBIC)
    low, high, best = 5, 95, b""
    while low <= high:
        quality = (low + high) // 2
        out = io.BytesIO()
        coarse.convert("RGB").save(out, "JPEG", quality=quality, dpi=(200, 200))
        best = out.getvalue()
        low, high = (quality + 1, high) if len(best) < size else (low, quality - 1)
    return best


def make(folder: Path) -> dict[str, Path]:
    import img2pdf

    subprocess.run(["bash", "-euc", WORLD], cwd=folder, check=True, capture_output=True)
    pages = [page(630_000, seed) for seed in range(10)]
    files = {}
    for name, count in [("one page", 1), ("ten pages", 10), ("320 pages", 320)]:
        files[name] = folder / f"{name.replace(' ', '-')}.pdf"
        # Every page is an object of its own: a comment tells the repeated ones apart.
        jpegs = [p[:2] + b"\xff\xfe\x00\x06" + n.to_bytes(4, "big") + p[2:] for n, p in ((n, pages[n % 10]) for n in range(count))]
        files[name].write_bytes(img2pdf.convert(jpegs))
    return files


def pyhanko(file: Path, p12: Path, root: Path, rounds: int) -> tuple[float, float]:
    from asn1crypto import pem, x509
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign import fields, signers
    from pyhanko.sign.validation import validate_pdf_signature
    from pyhanko_certvalidator import ValidationContext

    signer = signers.SimpleSigner.load_pkcs12(p12, passphrase=PASSWORD.encode())
    meta = signers.PdfSignatureMetadata(field_name="Sig1", subfilter=fields.SigSeedSubFilter.PADES, md_algorithm="sha256")
    out = file.with_suffix(".pyhanko.pdf")

    def sign() -> None:
        with open(file, "rb") as source, open(out, "wb") as target:
            writer = IncrementalPdfFileWriter(source)
            signers.PdfSigner(meta, signer).sign_pdf(writer, output=target, bytes_reserved=16384)

    trust = x509.Certificate.load(pem.unarmor(root.read_bytes())[2])

    def verify() -> None:
        with open(out, "rb") as source:
            context = ValidationContext(trust_roots=[trust], allow_fetching=False, revocation_mode="soft-fail")
            status = validate_pdf_signature(PdfFileReader(source).embedded_signatures[0], context)
            assert status.bottom_line, status.summary()

    return cpu(sign, rounds), cpu(verify, rounds)


def cpu(work, rounds: int) -> float:
    work()
    took = []
    for _ in range(rounds):
        before = time.process_time()
        work()
        took.append((time.process_time() - before) * 1000)
    return statistics.median(took)


def peak(argv: list) -> float:
    """MB of the largest resident set of a process that must end well."""
    done = subprocess.run([sys.executable, "-S", "-E", "-c", PEAK, *map(str, argv)], capture_output=True, text=True, check=True)
    size, code = done.stderr.split()[-2:]
    if code != "0":
        sys.exit(f"bench_sign: exit code {code}: {' '.join(map(str, argv))}\n{done.stderr}")
    return int(size) / 1024


def main() -> None:
    ap = argparse.ArgumentParser(prog="scripts/bench sign", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rounds", type=int, default=100)
    ap.add_argument("--hoso", type=Path, default=REPO / "target/release/hoso")
    ap.add_argument("--no-cargo", type=Path, help="a built bench instead of `cargo bench`")
    ap.add_argument("--keep", type=Path, help="make the files there and leave them")
    a = ap.parse_args()
    with tempfile.TemporaryDirectory() as work:
        folder = a.keep or Path(work)
        folder.mkdir(parents=True, exist_ok=True)
        files = make(folder)
        print(f"{'file':<11}{'key':<9}{'MB':>6}  {'pyHanko':>9}{'hoso':>8}{'ratio':>7}{'floor':>8}{'share':>7}  {'visible':>8}  "
              f"{'pyHanko verifies':>17}{'hoso':>8}{'ratio':>7}   (ms of CPU, medians)")
        for name, key in [("ten pages", "rsa2048"), ("one page", "rsa2048"), ("one page", "p256"), ("ten pages", "p256"), ("one page", "rsa3072")]:
            file = files[name]
            bench = [a.no_cargo] if a.no_cargo else ["cargo", "bench", "--quiet", "--bench", "sign", "--"]
            argv = [*bench, "--p12", folder / f"{key}.p12", "--password", PASSWORD, "--trust", folder / "trust", "--rounds", a.rounds, file]
            out = subprocess.run([str(x) for x in argv], cwd=REPO, check=True, capture_output=True, text=True).stdout
            ours = {row["what"]: row["median_ms"] for row in map(json.loads, out.splitlines())}
            sign, verify = pyhanko(file, folder / f"{key}.p12", folder / "root.pem", a.rounds)
            mine, floor, seen = ours["sign, invisible"], ours["floor"], ours["verify, invisible"]
            print(f"{name:<11}{key:<9}{file.stat().st_size / 1e6:>6.2f}  {sign:>9.1f}{mine:>8.2f}{sign / mine:>6.1f}x{floor:>8.2f}{floor / mine:>7.0%}  "
                  f"{ours['sign, intake_scan']:>8.2f}  {verify:>17.1f}{seen:>8.2f}{verify / seen:>6.1f}x", flush=True)
        large = files["320 pages"]
        command = [a.hoso, "sign", large, "-o", folder / "large.pdf", "--key", folder / "rsa2048.p12", "--passfile", folder / "pass"]
        mine = peak(command)
        theirs = peak([Path(sys.executable).parent / "pyhanko", "sign", "addsig", "--field", "Sig1", "--use-pades", "pkcs12", "--passfile",
                       folder / "pass", large, folder / "large.pyhanko.pdf", folder / "rsa2048.p12"])
        print(f"peak memory, {large.stat().st_size / 1e6:.0f} MB: pyHanko {theirs:.0f} MB, hoso {mine:.0f} MB")


if __name__ == "__main__":
    main()
