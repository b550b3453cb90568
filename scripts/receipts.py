"""Judges `c2sp.org/tlog-proof@v1` receipts with code that shares nothing with ours: RFC 9162 section 2.1.3.2 as it is
written there, Ed25519 from the `cryptography` package, SHA-256 from Python, time stamps by `openssl ts`.

As a program it judges a log's folder or copy: `receipts.py LOG KEY-FILE`, the root of its entries by pymerkle."""

import base64
import hashlib
import json
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

NAMES = ["form", "signed", "path", "file", "stamp"]
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


def unpack(extra: bytes) -> tuple[bytes, bytes | None]:
    """What was logged and the time stamp token: JSON alone, or 0x02, eight bytes of SHA-256 over the rest, raw DEFLATE of
    JSON, newline, token (empty while it is awaited)."""
    if extra[:1] != b"\x02":
        return extra, None
    if hashlib.sha256(extra[9:]).digest()[:8] != extra[1:9]:
        raise ValueError("the sum of the packed statement")
    logged, _, token = zlib.decompress(extra[9:], wbits=-15).partition(b"\n")
    return logged, token


def stamped(token: bytes | None, text: str, roots: list[Path], helpers: list[Path]) -> tuple[str, str]:
    """What `openssl ts -verify` says of a token over the checkpoint's text; `helpers` are certificates that it may have left out."""
    if token is None:
        return "-", "the log asks no authority"
    if not token:
        return "-", "awaited"
    if not roots:
        return "-", "no trusted roots"
    with tempfile.TemporaryDirectory() as room:
        data, tst, ca = (Path(room) / name for name in ("checkpoint.txt", "token.tst", "roots.pem"))
        data.write_text(text, encoding="utf-8")
        tst.write_bytes(token)
        ca.write_bytes(b"\n".join(root.read_bytes() for root in roots))
        ask = ["openssl", "ts", "-verify", "-data", data, "-in", tst, "-token_in", "-CAfile", ca]
        if helpers:
            above = Path(room) / "above.pem"
            above.write_bytes(b"\n".join(helper.read_bytes() for helper in helpers))
            ask += ["-untrusted", above]
        said = subprocess.run(ask, capture_output=True, text=True)
    return ("yes", "") if said.returncode == 0 else ("NO", said.stderr.strip().splitlines()[-1][:200])


def judge(file: Path, trusted: dict, roots: list[Path] = (), helpers: list[Path] = ()) -> dict[str, tuple[str, str]]:
    says = {name: NO_LOOK for name in NAMES}
    try:
        proof, note = file.read_text(encoding="utf-8").split("\n\n", 1)
        head, extra, index, *path = proof.split("\n")
        assert head == "c2sp.org/tlog-proof@v1" and extra.startswith("extra ") and index.startswith("index ")
        statement, token = unpack(base64.b64decode(extra[6:], validate=True))
        place, path = int(index[6:]), [base64.b64decode(p, validate=True) for p in path]
        text, signatures = note.split("\n\n", 1)
        origin, size, top = text.split("\n")[:3]
        size, top = int(size), base64.b64decode(top, validate=True)
        facts = json.loads(statement)
        says["form"] = ("yes", "")
    except (ValueError, AssertionError, zlib.error) as e:
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

    says["stamp"] = stamped(token, text + "\n", roots, helpers)
    document = file.with_suffix(".pdf")
    if not document.exists():
        says["file"] = ("NO", "no document beside it")
    else:
        data = document.read_bytes()
        same = facts.get("sha256") == hashlib.sha256(data).hexdigest() and facts.get("size") == len(data)
        says["file"] = ("yes", "") if same else ("NO", "the document is not the one that was logged")
    return says


def entries(log: Path, size: int) -> list[bytes]:
    """The entries of a folder or copy, from its bundles (C2SP tlog-tiles)."""
    out = []
    for n in range((size + 255) // 256):
        width = min(256, size - 256 * n)
        groups = [f"{n % 1000:03}"]
        rest = n // 1000
        while rest:
            groups.insert(0, f"x{rest % 1000:03}")
            rest //= 1000
        whole = log / "tile" / "entries" / "/".join(groups)
        part = Path(f"{whole}.p") / str(width)
        data = (part if width < 256 and part.exists() else whole).read_bytes()
        for _ in range(width):
            length = int.from_bytes(data[:2], "big")
            out.append(data[2 : 2 + length])
            data = data[2 + length :]
    return out


def main() -> int:
    from pymerkle import InmemoryTree

    log, trusted = Path(sys.argv[1]), keys(Path(sys.argv[2]).read_text())
    text, lines = (log / "checkpoint").read_text(encoding="utf-8").split("\n\n", 1)
    origin, size, top = text.split("\n")[:3]
    name, blob = lines.splitlines()[0].split(" ")[1:]
    raw = base64.b64decode(blob)
    trusted[name, raw[:4]].verify(raw[4:], (text + "\n").encode())
    assert name == origin
    tree = InmemoryTree(algorithm="sha256")
    for entry in entries(log, int(size)):
        tree.append_entry(entry)
    same = int(size) == 0 or tree.get_root() == base64.b64decode(top)
    print(f"pymerkle: {size} leaves, root {'as signed' if same else 'DIFFERS'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
