"""Every kind of key, shape of file and level of signature, before every judge.

    scripts/matrix [--hoso PROGRAM] [--keep DIR] [--keys rsa2048 ...] [--levels B-B ...]

A world is minted by the OpenSSL command line: a root, an issuing authority with a revocation list and an OCSP responder
on loopback (`openssl ocsp`), signers of each kind of key (files, and a token of SoftHSM where it is installed), a time stamp
authority (`hoso mock tsa`). Files of each shape are made by `hoso assemble`, pikepdf, qpdf and pyHanko. `hoso sign` signs
each with each key at each level. Then qpdf, mutool, pdfsig, pyHanko, openssl and pikepdf's PDF/A validator judge every file;
pyHanko judges those of B-LT and B-LTA once more for long-term validity, without a network; and `hoso verify` has to agree.
Exit code: 0 all say yes, 1 somebody says no.
"""

import argparse
import contextlib
import functools
import http.server
import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import judges
import pikepdf
from pikepdf import Array, Dictionary, Name

REPO = Path(__file__).resolve().parent.parent
LEVELS = ["B-B", "B-T", "B-LT", "B-LTA"]
SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"

WORLD = r"""
ca='basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n'
at="crlDistributionPoints=URI:http://127.0.0.1:$1"
below='authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\nbasicConstraints=critical,CA:FALSE\n'
mkdir trust www; printf matrix >pass
printf '[a]\ndatabase=%s.txt\nserial=%s.srl\ndefault_md=sha256\ndefault_crl_days=30\npolicy=p\nunique_subject=no\nnew_certs_dir=.\n[p]\ncommonName=supplied\n' root root >root.cnf
sed 's/root/inter/g' root.cnf >inter.cnf
touch root.txt inter.txt; echo 1000 >root.srl; echo 2000 >inter.srl
ask() { openssl req -new "${@:2}" -nodes -keyout $1.key -subj "/CN=MATRIX $1" -out $1.csr; }
ask root -newkey rsa:2048; printf "$ca" >x.ext
openssl x509 -req -in root.csr -signkey root.key -days 3650 -extfile x.ext -out root.pem
issue() { printf "$3" >x.ext; openssl ca -batch -notext -config $1.cnf -name a -cert $1.pem -keyfile $1.key -days 900 -extfile x.ext -in $2.csr -out $2.pem; }
ask inter -newkey rsa:2048; issue root inter "${ca}authorityKeyIdentifier=keyid\n$at/root.crl\n"
end() { ask "${@:2}"; issue inter $2 "${below}$1$at/inter.crl\nauthorityInfoAccess=OCSP;URI:http://127.0.0.1:$port,caIssuers;URI:http://127.0.0.1:$www/inter.der\n"; }
www=$1 port=$2
sign='keyUsage=critical,digitalSignature,nonRepudiation\n'
end "$sign" rsa2048 -newkey rsa:2048; end "$sign" rsa3072 -newkey rsa:3072; end "$sign" token -newkey rsa:2048
end "$sign" p256 -newkey ec -pkeyopt ec_paramgen_curve:P-256; end "$sign" first -newkey rsa:2048
end 'keyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n' tsa -newkey rsa:2048
ask ocsp -newkey rsa:2048; issue inter ocsp "${below}keyUsage=critical,digitalSignature\nextendedKeyUsage=OCSPSigning\nnoCheck=ignored\n"
for k in rsa2048 rsa3072 p256 first; do openssl pkcs12 -export -inkey $k.key -in $k.pem -certfile inter.pem -passout pass:matrix -out $k.p12; done
for c in root inter; do openssl ca -gencrl -config $c.cnf -name a -cert $c.pem -keyfile $c.key -out $c.crl.pem; openssl crl -in $c.crl.pem -outform DER -out www/$c.crl; done
openssl x509 -in inter.pem -outform DER -out www/inter.der
cat tsa.pem inter.pem >tsa-chain.pem; cp root.pem inter.pem trust; cat root.pem inter.pem >bundle.pem
if [ -e "$3" ]; then
  mkdir tokens; printf 'directories.tokendir=%s/tokens\nobjectstore.backend=file\n' "$PWD" >softhsm.conf; export SOFTHSM2_CONF=$PWD/softhsm.conf
  softhsm2-util --init-token --free --label matrix --pin 123456 --so-pin 12345678
  openssl pkcs8 -topk8 -nocrypt -in token.key -out token.p8; softhsm2-util --import token.p8 --token matrix --label signkey --id A1 --pin 123456
  openssl x509 -in token.pem -outform DER -out token.der; printf 123456 >pin
  pkcs11-tool --module "$3" --token-label matrix --login --pin 123456 --write-object token.der --type cert --id A1 --label signkey
fi
"""


def free() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def world(folder: Path, hoso: Path):
    """The folder filled, and the services of the world running; gives the address of the time stamp authority."""
    www, ocsp, tsa = free(), free(), free()
    done = subprocess.run(["bash", "-euc", WORLD, "world", str(www), str(ocsp), SOFTHSM], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"matrix: the world could not be minted\n{done.stderr[-2000:]}")
    handler = functools.partial(Quiet, directory=str(folder / "www"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", www), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    children = []
    try:
        with open(folder / "ocsp.log", "w") as log:
            children.append(subprocess.Popen(["openssl", "ocsp", "-port", str(ocsp), "-index", "inter.txt", "-CA", "inter.pem", "-rkey", "ocsp.key",
                                              "-rsigner", "ocsp.pem", "-ndays", "7"], cwd=folder, stdout=log, stderr=log))
        with open(folder / "tsa.log", "w") as log:
            children.append(subprocess.Popen([hoso, "mock", "tsa", "--listen", f"127.0.0.1:{tsa}", "--key", "tsa.key", "--cert", "tsa-chain.pem"],
                                             cwd=folder, stdout=log, stderr=log))
        wait(tsa)
        # The responder takes a connection without a question badly: it is asked when it says that it listens.
        until(lambda: "ACCEPT" in (folder / "ocsp.log").read_text())
        yield f"http://127.0.0.1:{tsa}/"
    finally:
        server.shutdown()
        for child in children:
            child.terminate()
            child.wait()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def wait(port: int) -> None:
    def listens() -> bool:
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    until(listens)


def until(true) -> None:
    for _ in range(200):
        if true():
            return
        time.sleep(0.05)
    sys.exit("matrix: a service of the world does not start")


def shapes(folder: Path, hoso: Path, keys: Path) -> list[Path]:
    """Files of every shape. All but the certified ones are PDF/A-2b."""
    from PIL import Image, ImageDraw

    folder.mkdir()
    scan, mono = folder / "scan.jpg", folder / "mono.png"
    picture = Image.effect_noise((827, 1169), 40).convert("RGB")
    ImageDraw.Draw(picture).rectangle((100, 300, 700, 900), fill="white")
    picture.save(scan, dpi=(100, 100), quality=70)
    picture.convert("1").save(mono, dpi=(100, 100))
    base = folder / "table.pdf"
    assemble(hoso, base, scan, scan)
    assemble(hoso, folder / "g4.pdf", mono)
    for name, change in {"rotate90": 90, "rotate180": 180, "rotate270": 270}.items():
        with pikepdf.open(base) as pdf:
            for page in pdf.pages:
                page.obj.Rotate = change
            pdf.save(folder / f"{name}.pdf")
    with pikepdf.open(base) as pdf:
        for page in pdf.pages:
            x0, y0, x1, y1 = (float(v) for v in page.mediabox)
            page.obj.CropBox = Array([x0 + 30, y0 + 40, x1 - 20, y1 - 50])
        pdf.save(folder / "crop.pdf")
    with pikepdf.open(base) as pdf:
        pdf.save(folder / "objects.pdf", object_stream_mode=pikepdf.ObjectStreamMode.generate)
    with pikepdf.open(base) as pdf:
        pdf.save(folder / "linear.pdf", linearize=True)
    with pikepdf.open(base) as pdf:
        for page in pdf.pages:
            page.obj.Annots = pdf.make_indirect(Array([]))
        pdf.Root.AcroForm = pdf.make_indirect(Dictionary(Fields=pdf.make_indirect(Array([]))))
        pdf.save(folder / "indirect.pdf")
    with pikepdf.open(base) as pdf:
        form = pikepdf.Stream(pdf, b"")
        form.Type, form.Subtype, form.BBox = Name.XObject, Name.Form, Array([0, 0, 180, 60])
        field = pdf.make_indirect(Dictionary(Type=Name.Annot, Subtype=Name.Widget, FT=Name.Sig, T="Waiting", F=4, P=pdf.pages[0].obj,
                                             Rect=Array([60, 60, 240, 120]), AP=Dictionary(N=form)))
        pdf.pages[0].obj.Annots = Array([field])
        pdf.Root.AcroForm = Dictionary(Fields=Array([field]), SigFlags=1)
        pdf.save(folder / "field.pdf")
    signed_by_pyhanko(base, folder / "signed.pdf", keys, None)
    signed_by_pyhanko(base, folder / "certified2.pdf", keys, 2)
    signed_by_pyhanko(base, folder / "certified3.pdf", keys, 3)
    large = folder / "large.pdf"
    with pikepdf.open(base) as pdf:
        # An object that no page shows: what counts is that everything behind it lies beyond 100 MB.
        pdf.Root.PieceInfo = Dictionary(Large=Dictionary(LastModified="D:20260101000000Z", Private=pikepdf.Stream(pdf, os.urandom(105_000_000))))
        pdf.save(large, compress_streams=False)
    return sorted(folder.glob("*.pdf"))


def assemble(hoso: Path, out: Path, *images: Path) -> None:
    subprocess.run([hoso, "assemble", *images, "-o", out], check=True, capture_output=True)


def signed_by_pyhanko(source: Path, target: Path, keys: Path, certified: int | None) -> None:
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign import fields, signers

    signer = signers.SimpleSigner.load_pkcs12(keys / "first.p12", passphrase=b"matrix")
    permission = {None: None, 2: fields.MDPPerm.FILL_FORMS, 3: fields.MDPPerm.ANNOTATE}[certified]
    more = {} if permission is None else {"certify": True, "docmdp_permissions": permission}
    meta = signers.PdfSignatureMetadata(field_name="First", subfilter=fields.SigSeedSubFilter.PADES, md_algorithm="sha256", **more)
    with open(source, "rb") as read, open(target, "wb") as write:
        signers.PdfSigner(meta, signer).sign_pdf(IncrementalPdfFileWriter(read), output=write)


def long_term(root: Path, files: list[Path]) -> dict[Path, dict[str, str]]:
    """What level pyHanko finds in each signature of each file, with nothing but the file and the root."""
    script = Path(__file__).with_name("judge_levels.py")
    done = subprocess.run([sys.executable, script, root, *files], capture_output=True, text=True)
    found: dict[Path, dict[str, str]] = {}
    here: dict[str, str] = {}
    for line in done.stdout.splitlines():
        match line.split():
            case ["FILE", name]:
                here = found.setdefault(Path(name), {})
            case ["SIGNATURE", field, level, said, *_]:
                here[field] = level if said == "OK" else said
            case ["STAMP", field, *said]:
                here[field] = " ".join(said)
    return found


def main() -> int:
    ap = argparse.ArgumentParser(prog="scripts/matrix", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--hoso", type=Path, default=REPO / "target/release/hoso")
    ap.add_argument("--keep", type=Path)
    ap.add_argument("--keys", nargs="*", default=["rsa2048", "rsa3072", "p256", "token"])
    ap.add_argument("--levels", nargs="*", default=LEVELS)
    ap.add_argument("--shapes", nargs="*")
    a = ap.parse_args()
    logging.disable(logging.CRITICAL)
    hoso = a.hoso.resolve()
    if not Path(SOFTHSM).exists():
        print("matrix: no SoftHSM here; the token is left out")
        a.keys = [k for k in a.keys if k != "token"]
    wrong = []
    with tempfile.TemporaryDirectory() as work:
        folder = (a.keep or Path(work)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        with world(folder, hoso) as tsa:
            os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm.conf")
            files = shapes(folder / "shapes", hoso, folder)
            files = [f for f in files if not a.shapes or f.stem in a.shapes]
            counts = sign_all(a, hoso, folder, tsa, files, wrong)
            # pdfsig asks the responder too.
            judge_all(a, hoso, folder, wrong)
    print(f"{counts} files signed: {len(files)} shapes, {len(a.keys)} keys, {len(a.levels)} levels; {len(wrong)} with a no")
    for line in wrong:
        print(" ", line)
    return 1 if wrong else 0


def sign_all(a, hoso: Path, folder: Path, tsa: str, files: list[Path], wrong: list[str]) -> int:
    count = 0
    for key in a.keys:
        who = ["--key", folder / f"{key}.p12", "--passfile", folder / "pass"]
        if key == "token":
            who = ["--pkcs11", f"pkcs11:token=matrix;object=signkey?module-path={SOFTHSM}", "--pinfile", folder / "pin"]
        for level in a.levels:
            out = folder / "out" / key / level
            out.mkdir(parents=True)
            more = [] if level == "B-B" else ["--tsa", tsa]
            # A certified file takes no new field that shows.
            groups = {"intake_scan": [], "invisible": [], "field": []}
            for f in files:
                groups["field" if f.stem == "field" else "invisible" if f.stem.startswith("certified") or level == "B-T" else "intake_scan"].append(f)
            for name, inputs in groups.items():
                if not inputs:
                    continue
                how = ["--profile", "intake_scan", "--field", "Waiting"] if name == "field" else ["--profile", name]
                argv = [hoso, "sign", *inputs, "--out-dir", out, *who, "--level", level, *how, "--trust", folder / "trust", *more]
                done = subprocess.run([str(x) for x in argv], capture_output=True, text=True)
                if done.returncode:
                    wrong.append(f"{key} {level}: exit code {done.returncode}: {done.stderr[-600:]}")
            count += len(list(out.glob("*.pdf")))
            missing = {f.name for f in files} - {f.name for f in out.glob("*.pdf")}
            wrong += [f"{key} {level} {name}: not signed" for name in sorted(missing)]
    return count


def judge_all(a, hoso: Path, folder: Path, wrong: list[str]) -> None:
    (folder / "judges").mkdir()
    for level in a.levels:
        want = "valid" if level in ("B-LT", "B-LTA") else "indeterminate"
        mine = sorted((folder / "out").glob(f"*/{level}/*.pdf"))
        if want == "valid":
            seen = long_term(folder / "root.pem", mine)
            for file in mine:
                levels = {field: said for field, said in seen.get(file, {}).items() if field != "First"}
                if level not in levels.values() or any(said not in (level, "intact trusted") for said in levels.values()):
                    wrong.append(f"{'/'.join(file.parts[-3:])}: pyhanko, long term: {levels}")
        work = folder / "judges" / level
        work.mkdir()
        court = judges.Court([folder / "bundle.pem"], work, level != "B-B", True)
        for file in mine:
            name = "/".join(file.parts[-3:])
            for judge, (mark, reason) in court.judge(file, False).items():
                # pyHanko writes /Version 2.0 into what it signs, which PDF/A-2 forbids.
                if mark == "NO" and not (judge == "pdfa" and file.stem in ("signed", "certified2", "certified3")):
                    wrong.append(f"{name}: {judge}: {reason}")
            done = subprocess.run([hoso, "verify", file, "--trust", folder / "trust", "--json"], capture_output=True, text=True)
            try:
                verdict = json.loads(done.stdout.splitlines()[0])
                ours = [s for s in verdict["signatures"] if s["field"] != "First"]
                if verdict["verdict"] != want or ours[0]["level"] != level:
                    wrong.append(f"{name}: hoso verify: {verdict['verdict']}, {ours[0]['level']}: {[r['en'] for r in verdict['reasons']]}")
            except (IndexError, KeyError, ValueError) as e:
                wrong.append(f"{name}: hoso verify: {e!r}: {done.stdout[:200]} {done.stderr[:200]}")


if __name__ == "__main__":
    sys.exit(main())
