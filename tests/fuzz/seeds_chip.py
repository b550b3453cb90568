"""Makes the first inputs of the chip targets: readings, EF.SOD, data groups, QR texts, lists and certificates, all minted.

    python3 tests/fuzz/seeds_chip.py        needs bash and openssl

Keys and times are fresh each run, so the files differ from run to run; their kinds do not.
"""

import base64
import json
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
REPO = HERE.parent.parent

WORLD = r"""
root() { openssl ecparam -name "$2" -param_enc "$3" -genkey -noout -out "$1.key"; printf 'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n' >"$1.ext"
  openssl req -new -key "$1.key" -subj "/C=VN/O=TEST ONLY/CN=$1" -out "$1.csr"; openssl x509 -req -in "$1.csr" -signkey "$1.key" -days 900 -extfile "$1.ext" -out "$1.pem"; }
leaf() { [ -f "$2.key" ] || openssl ecparam -name prime256v1 -genkey -noout -out "$2.key"; printf '%b' "keyUsage=critical,digitalSignature\nauthorityKeyIdentifier=keyid\n$3" >"$2.ext"
  openssl req -new -key "$2.key" -subj "/C=VN/O=TEST ONLY/CN=$2" -out "$2.csr"; openssl x509 -req -in "$2.csr" -CA "$1.pem" -CAkey "$1.key" -CAcreateserial -days 300 -extfile "$2.ext" -out "$2.pem"; }
root csca brainpoolP256r1 explicit; root named prime256v1 named_curve
openssl genrsa -out rsa.key 2048; leaf csca rsa ''; leaf csca ds ''; leaf csca lister 'extendedKeyUsage=critical,2.23.136.1.1.3\n'
openssl ecparam -name prime256v1 -genkey -noout -out aa.key
mkdir db; touch db/index; echo 01 >db/number
printf '[ca]\ndefault_ca=d\n[d]\ndatabase=db/index\ncrlnumber=db/number\ndefault_md=sha256\ndefault_crl_days=30\n' >ca.cnf
openssl ca -config ca.cnf -keyfile csca.key -cert csca.pem -revoke rsa.pem
openssl ca -config ca.cnf -keyfile csca.key -cert csca.pem -gencrl -out crl.pem
openssl crl -in crl.pem -outform DER -out crl.der
for n in csca named; do openssl x509 -in $n.pem -outform DER -out $n.der; done
"""


def tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + length + content


def keep(target: str, name: str, data: bytes) -> None:
    folder = HERE / "seeds" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def main() -> None:
    with tempfile.TemporaryDirectory() as world:
        make(Path(world))


def make(world: Path) -> None:
    run = lambda *argv: subprocess.run([str(a) for a in argv], cwd=world, check=True, capture_output=True)
    run("bash", "-euc", WORLD)
    dgs = REPO / "test-data/chip/batch-3"
    small = world / "dgs"
    small.mkdir()
    for name in ("DG1.bin", "DG13.bin"):
        (small / name).write_bytes((dgs / name).read_bytes())
    (small / "DG2.bin").write_bytes(tlv(0x75, b"\x7f\x61\x03\x02\x01\x00"))
    for signer, md in (("ds", "sha256"), ("rsa", "sha512")):
        run(REPO / "scripts/mint-reading", "--dgs", small, "--ds", f"{signer}.pem", "--key", f"{signer}.key", "--aa-key", "aa.key", "--md", md,
            "-o", world / "r.json")
        text = (world / "r.json").read_bytes()
        files = {n: base64.b64decode(b) for n, b in json.loads(text)["files"].items()}
        keep("reading", f"{signer}.json", text)
        keep("sod", signer, files["SOD"])
        for name in ("COM", "DG1", "DG13", "DG15"):
            keep("dg", name, files[name])
    keep("dg", "DG2", (dgs / "DG2.bin").read_bytes()[:2000])
    keep("dg", "DG14", tlv(0x6E, tlv(0x31, tlv(0x30, bytes.fromhex("060a04007f00070202030202020101")))))
    keep("dg", "MRZ", b"IDVNM0901234567001090123456<<<9001151M3501159VNM<<<<<<<<<<<4NGUYEN<<VAN<AN<<<<<<<<<<<<<<<<")
    keep("card_qr", "2021", "001090123456||Nguyễn Văn An|15011990|Nam|Phường Cửa Nam, Hà Nội|15042021".encode())
    keep("card_qr", "2024", "001090123456|012345678|Nguyễn Thị Bình|1990-01-15|Nữ|Hà Nội|15/04/2025||||".encode())
    keep("card_qr", "mojibake", "001090123456||Nguyễn Văn An|15011990|Nam|Hà Nội|15042021".encode().decode("latin-1").encode())
    for name in ("csca.der", "named.der", "crl.der", "crl.pem", "named.pem"):
        keep("master_list", name, (world / name).read_bytes())
    content = tlv(0x30, tlv(2, b"\0") + tlv(0x31, (world / "csca.der").read_bytes() + (world / "named.der").read_bytes()))
    keep("master_list", "content", content)
    (world / "content").write_bytes(content)
    run("openssl", "cms", "-sign", "-nodetach", "-binary", "-nosmimecap", "-econtent_type", "2.23.136.1.1.2", "-signer", "lister.pem",
        "-inkey", "lister.key", "-certfile", "csca.pem", "-md", "sha256", "-in", "content", "-outform", "DER", "-out", "list.ml")
    keep("master_list", "list.ml", (world / "list.ml").read_bytes())


if __name__ == "__main__":
    main()
