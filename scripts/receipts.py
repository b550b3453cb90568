"""Judges `c2sp.org/tlog-proof@v1` receipts with code that shares nothing with ours: RFC 9162 section 2.1.3.2 as it is
written there, Ed25519 from the `cryptography` package, SHA-256 from Python."""

import base64
import hashlib
import json
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

NAMES = ["form", "signed", "path", "file"]
NO_LOOK = ("-", "not reached")


def keys(text: str) -> dict[tuple[str, bytes], Ed25519PublicKey]:
    """Verifier key lines `name+id+base64(0x01 key)`; the id must follow from name and key (C2SP signed-note)."""
    out = {}
    for line in text.split():
        name, ident, blob = line.split("+", 2)
        raw = base64.b64decode(blob, validate=True)
        if raw[0] != 1 or hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4].hex() != ident:
            raise SystemExit(f"judge: not a verifier key: {name}")
        out[name, bytes.fromhex(ident)] = Ed25519PublicKey.from_public_bytes(raw[1:])
    return out


def root(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    if index >= size:
        return None
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            r = hashlib.sha256(b"\x01" + p + r).digest()
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = hashlib.sha256(b"\x01" + r + p).digest()
        fn, sn = fn >> 1, sn >> 1
    return r if sn == 0 else None


def judge(file: Path, trusted: dict) -> dict[str, tuple[str, str]]:
    says = {name: NO_LOOK for name in NAMES}
    try:
        proof, note = file.read_text(encoding="utf-8").split("\n\n", 1)
        head, extra, index, *path = proof.split("\n")
        assert head == "c2sp.org/tlog-proof@v1" and extra.startswith("extra ") and index.startswith("index ")
        statement = base64.b64decode(extra[6:], validate=True)
        place, path = int(index[6:]), [base64.b64decode(p, validate=True) for p in path]
        text, signatures = note.split("\n\n", 1)
        origin, size, top = text.split("\n")[:3]
        size, top = int(size), base64.b64decode(top, validate=True)
        facts = json.loads(statement)
        says["form"] = ("yes", "")
    except (ValueError, AssertionError) as e:
        return says | {"form": ("NO", f"{type(e).__name__} {e}")}

    good = False
    for line in signatures.splitlines():
        _, name, blob = line.split(" ")
        raw = base64.b64decode(blob)
        key = trusted.get((name, raw[:4]))
        if key is None or name != origin:
            continue
        try:
            key.verify(raw[4:], (text + "\n").encode())
            good = True
        except InvalidSignature:
            return says | {"signed": ("NO", "the log's signature is bad")}
    says["signed"] = ("yes", "") if good else ("NO", "no trusted key signed it")

    leaf = hashlib.sha256(b"\x00" + hashlib.sha256(statement).digest()).digest()
    says["path"] = ("yes", "") if root(leaf, place, size, path) == top else ("NO", "the path does not lead to the signed root")

    document = file.with_suffix(".pdf")
    if not document.exists():
        says["file"] = ("NO", "no document beside it")
    else:
        data = document.read_bytes()
        same = facts.get("sha256") == hashlib.sha256(data).hexdigest() and facts.get("size") == len(data)
        says["file"] = ("yes", "") if same else ("NO", "the document is not the one that was logged")
    return says
