"""Judges evidence bundles (`hoso evidence`) with code that shares nothing with ours: zipfile and hashlib of Python, Ed25519
and ECDSA from the `cryptography` package, BLAKE3 from PyPI, log paths as RFC 9162 2.1.3.2 has them (receipts.py). The PDFs
inside go to the judges of PDFs.

Alone:  evidence.py BUNDLE.zip --log-key K --receipt-key F     (tells yes, NO or - of every question; exit 1 for a NO)
"""

import argparse
import base64
import hashlib
import json
import sys
import tempfile
import zipfile
from pathlib import Path

import receipts
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

NAMES = ["zip", "listed", "sums", "signed", "log", "receipts", "journal", "links", "whole"]
YES, NO_LOOK = ("yes", ""), ("-", "not reached")
OWN = {"manifest.json", "manifest.note"}


def receiver_keys(paths: list[Path]) -> list:
    """Public keys or certificates, PEM files or folders of them."""
    files = [f for p in paths for f in (sorted(p.glob("*.pem")) if p.is_dir() else [p])]
    keys = []
    for data in (f.read_bytes() for f in files):
        certificate = b"BEGIN CERTIFICATE" in data
        keys.append(x509.load_pem_x509_certificate(data).public_key() if certificate else serialization.load_pem_public_key(data))
    return keys


def unpack(file: Path, into: Path) -> None:
    """Unpacks what is safe to unpack, for those who judge single files."""
    with zipfile.ZipFile(file) as z:
        for info in z.infolist():
            target = into / info.filename
            if into.resolve() not in target.resolve().parents or info.file_size > 1 << 29:
                raise ValueError(f"unsafe entry {info.filename}")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(z.read(info))


def judge(file: Path, logs: dict, receivers: list) -> dict[str, tuple[str, str]]:
    says = {name: NO_LOOK for name in NAMES}
    try:
        with zipfile.ZipFile(file) as z:
            broken = z.testzip()
            names = z.namelist()
            if broken or len(set(names)) != len(names):
                return says | {"zip": ("NO", f"broken or twice: {broken}")}
            entries = {name: z.read(name) for name in names}
    except (zipfile.BadZipFile, OSError, ValueError) as e:
        return says | {"zip": ("NO", f"{type(e).__name__} {e}")}
    says["zip"] = YES
    try:
        manifest = json.loads(entries["manifest.json"])
        says["listed"] = listed(entries, manifest)
        says["sums"] = sums(entries)
        says["signed"] = signed(entries, logs)
        says["log"] = log(entries, manifest, logs)
        says["receipts"] = wallets(entries, manifest, receivers)
        says["journal"] = journal(entries, manifest)
        says["links"] = links(entries, manifest)
        due = [m["what"] for m in manifest["missing"] if m["due"]]
        says["whole"] = YES if not due else ("NO", f"the station says that these are missing: {', '.join(due)}")
    except (KeyError, ValueError, TypeError, IndexError) as e:
        says["listed"] = ("NO", f"the manifest cannot be followed: {type(e).__name__} {e}")
    return says


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def listed(entries: dict, manifest: dict) -> tuple[str, str]:
    told = {e["name"]: e for e in manifest["entries"]}
    for name in told.keys() | (entries.keys() - OWN):
        if name not in entries:
            return ("NO", f"{name} was taken out")
        if name not in told:
            return ("NO", f"{name} was put in")
        if told[name]["sha256"] != sha256(entries[name]) or told[name]["size"] != len(entries[name]):
            return ("NO", f"{name} was changed")
    return YES


def sums(entries: dict) -> tuple[str, str]:
    lines = [line.split("  ", 1) for line in entries["SHA256SUMS"].decode().splitlines()]
    want = sorted((sha256(data), name) for name, data in entries.items() if name not in OWN | {"SHA256SUMS"})
    return YES if sorted(map(tuple, lines)) == want else ("NO", "SHA256SUMS does not list these files")


def signed(entries: dict, logs: dict) -> tuple[str, str]:
    text, signatures = entries["manifest.note"].decode().split("\n\n", 1)
    if text != f"hoso-evidence-manifest@v1\n{sha256(entries['manifest.json'])}  manifest.json":
        return ("NO", "the note is not over this manifest")
    for line in signatures.splitlines():
        _, name, blob = line.split(" ")
        raw = base64.b64decode(blob, validate=True)
        if key := logs.get((name, raw[:4])):
            try:
                key.verify(raw[4:], (text + "\n").encode())
                return YES
            except InvalidSignature:
                return ("NO", "the station's signature is bad")
    return ("NO", "no trusted key signed the manifest")


def log(entries: dict, manifest: dict, logs: dict) -> tuple[str, str]:
    seen = False
    for document in (d for run in manifest["runs"] for d in run["documents"] if d.get("log_receipt")):
        with tempfile.TemporaryDirectory() as work:
            proof = Path(work) / "x.tlog-proof"
            proof.write_bytes(entries[document["log_receipt"]])
            proof.with_suffix(".pdf").write_bytes(entries[document["entry"]])
            for name, (mark, why) in receipts.judge(proof, logs).items():
                if mark == "NO" or (mark != "yes" and name != "stamp"):
                    return ("NO", f"{document['log_receipt']}: {name}: {why}")
        seen = True
    return YES if seen else ("-", "no receipt of the log")


def b64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def wallets(entries: dict, manifest: dict, receivers: list) -> tuple[str, str]:
    seen = False
    for run in manifest["runs"]:
        documents = {d["digests"]["sha256"]: d["digests"]["size"] for d in run["documents"]}
        for delivery in (d for d in run["deliveries"] if d["by"] == "push" and d.get("receipt")):
            jws = json.loads(entries[delivery["receipt"]])
            says = json.loads(b64url(jws["payload"]))
            if not any(verifies(key, f"{jws['protected']}.{jws['payload']}".encode(), b64url(jws["signature"])) for key in receivers):
                return ("NO", f"{delivery['receipt']}: no trusted receiver signed it")
            if says["delivery_id"] != delivery["id"] or documents.get(says["sha256"]) != says["size"] or says["sha256"] != delivery["document"]:
                return ("NO", f"{delivery['receipt']}: it is about something else")
            seen = True
    return YES if seen else ("-", "no signed receipt")


def verifies(key: object, message: bytes, raw: bytes) -> bool:
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(raw, message)
        else:
            r, s = (int.from_bytes(half, "big") for half in (raw[:32], raw[32:]))
            key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
        return True
    except InvalidSignature:
        return False


def chains(manifest: dict) -> list[dict]:
    return [c for c in [*(r["chain"] for r in manifest["runs"]), *manifest.get("batches", [])] if c.get("journal")]


def journal(entries: dict, manifest: dict) -> tuple[str, str]:
    try:
        from blake3 import blake3
    except ImportError:
        return ("-", "the blake3 package is not installed")
    told = chains(manifest)
    for chain in told:
        prev, count = "00" * 32, 0
        for line in map(json.loads, entries[chain["journal"]].splitlines()):
            parts = [
                b"hoso journal v1",
                bytes.fromhex(line["run"]),
                line["entry"].to_bytes(4, "big"),
                line["kind"].encode(),
                line["step"].to_bytes(4, "big"),
                bytes.fromhex(line["input"]),
                bytes.fromhex(line["output"]),
                line["at"].to_bytes(8, "big", signed=True),
                line["worker"].encode(),
                bytes.fromhex(line["prev"]),
            ]
            digest = blake3(b"".join(len(p).to_bytes(8, "big") + p for p in parts)).hexdigest()
            if (line["run"], line["entry"], line["prev"], line["digest"]) != (chain["run"], count, prev, digest):
                return ("NO", f"{chain['journal']}: entry {count} does not follow")
            prev, count = digest, count + 1
        if (prev, count) != (chain["journal_end"], chain["journal_entries"]):
            return ("NO", f"{chain['journal']}: it ends elsewhere")
    return YES if told else ("-", "no journal")


def links(entries: dict, manifest: dict) -> tuple[str, str]:
    """Manifest, journal and receipts speak of the same documents and deliveries."""
    try:
        from blake3 import blake3
    except ImportError:
        return ("-", "the blake3 package is not installed")
    for run in manifest["runs"]:
        for document in run["documents"]:
            data, digests = entries[document["entry"]], document["digests"]
            if (sha256(data), blake3(data).hexdigest(), len(data)) != (digests["sha256"], digests["blake3"], digests["size"]):
                return ("NO", f"{document['entry']} is not the one that the run made")
        name = run["chain"].get("journal")
        for delivery in (d for d in run["deliveries"] if d.get("receipt") and name):
            receipt = blake3(entries[delivery["receipt"]]).hexdigest()
            lines = map(json.loads, entries[name].splitlines())
            entered = any((e["kind"], e["input"], e["output"]) == ("receipted", delivery["id"], receipt) for e in lines)
            if entered != delivery["journaled"]:
                return ("NO", f"{delivery['receipt']} is not the one that the journal names")
    return YES


def main() -> int:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("bundle", type=Path)
    ap.add_argument("--log-key", type=Path, required=True)
    ap.add_argument("--receipt-key", type=Path, action="append", default=[])
    a = ap.parse_args()
    logs = receipts.keys(a.log_key.read_text())
    says = judge(a.bundle, logs, receiver_keys(a.receipt_key))
    for name, (mark, why) in says.items():
        print(f"{name:10} {mark:4} {why}")
    return 1 if any(mark == "NO" for mark, _ in says.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
