"""The judges of one PDF. Each looks by itself and says (mark, reason): yes, NO or -."""

import re
import subprocess
import tempfile
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path

import pikepdf
from asn1crypto import cms as asn1_cms
from asn1crypto import pem, x509
from pikepdf import pdfa
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature, validate_pdf_timestamp
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

NAMES = ["qpdf", "mutool", "pdfsig", "pyhanko", "openssl", "pdfa"]
Mark = tuple[str, str]


def run(*argv: object) -> tuple[int, str]:
    done = subprocess.run([str(a) for a in argv], capture_output=True, timeout=180)
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")


class Court:
    def __init__(self, trust: list[Path], work: Path, need_time: bool, need_pdfa: bool):
        self.work, self.need_time, self.need_pdfa = work, need_time, need_pdfa
        certs = [x509.Certificate.load(der) for f in trust for _, _, der in pem.unarmor(f.read_bytes(), multiple=True)]
        self.roots = [c for c in certs if c.issuer == c.subject]
        self.others = [c for c in certs if c.issuer != c.subject]
        self.nss, self.bundle = work / "nss", work / "roots.pem"
        self.bundle.write_bytes(b"".join(pem.armor("CERTIFICATE", c.dump()) for c in certs))
        self.nss.mkdir()
        run("certutil", "-N", "-d", f"sql:{self.nss}", "--empty-password")
        for i, c in enumerate(certs):
            one = work / f"c{i}.pem"
            one.write_bytes(pem.armor("CERTIFICATE", c.dump()))
            run("certutil", "-A", "-d", f"sql:{self.nss}", "-n", f"c{i}", "-t", "CT,CT,CT" if c in self.roots else ",,", "-i", one)

    def judge(self, file: Path, unsigned_ok: bool) -> dict[str, Mark]:
        data = file.read_bytes()
        ranges = [tuple(int(n) for n in m.split()) for m in re.findall(rb"/ByteRange\s*\[([\d\s]+)\]", data)]
        says: dict[str, Mark] = {"qpdf": qpdf(file)}
        if not ranges:
            says["sigs"] = ("0", "") if unsigned_ok else ("NO", "no signature in it")
            says["mutool"] = mutool_info(file)
            says |= {j: ("-", "no signature") for j in ("pdfsig", "pyhanko", "openssl")}
            says["pdfa"] = self.flat_pdfa(file)
            return says
        counts = {}
        for name, look in [("mutool", self.mutool), ("pdfsig", self.pdfsig), ("pyhanko", self.pyhanko), ("openssl", self.openssl)]:
            try:
                says[name], counts[name] = look(file, data, ranges)
            except Exception as e:  # a judge that falls over has not said yes
                says[name], counts[name] = ("NO", f"{type(e).__name__}: {e}"), len(ranges)
        agree = len(set(counts.values()) | {len(ranges)}) == 1
        says["sigs"] = (str(len(ranges)), "") if agree else ("NO", f"{len(ranges)} byte ranges, but {counts}")
        says["pdfa"] = self.flat_pdfa(file) if self.need_pdfa else ("-", "not asked")
        return says

    # --- signatures ----------------------------------------------------------
    def mutool(self, file: Path, data: bytes, ranges) -> tuple[Mark, int]:
        info = mutool_info(file)
        _, text = run("mutool", "sign", "-v", file)
        text = re.sub(r"(?m)^\s*Certificate .*$", "", text)  # it knows no anchors: trust is the others' to judge
        words = re.findall(r"unchanged since signing|invalidated by change|Digest error|there have been edits|not signed|error:.*", text)
        good = sum("unchanged" in w or "there have been edits" in w for w in words)  # later revisions are pyHanko's to judge
        # mutool cannot verify a document time stamp: it says "not signed", and openssl ts judges that one
        stamps = data.count(b"/ETSI.RFC3161")
        bad = [w for w in words if "edits" not in w and "unchanged" not in w]
        bad = bad[min(stamps, sum("not signed" in w for w in bad)):] if stamps else bad
        seen = len(re.findall(r"verifying signature|Verifying signature", text, re.I)) or good + stamps
        # Validation data is written behind what it is about: pyHanko judges whether that is all that was.
        if "there have been edits" in text and len(ranges) == 1 and b"/DSS" not in data:
            bad.append("edited after the only signature")
        if info[0] == "NO":
            bad.append(info[1])
        return (("yes", "") if not bad and good + stamps >= len(ranges) else ("NO", "; ".join(bad) or tail(text))), seen

    def pdfsig(self, file: Path, data: bytes, ranges) -> tuple[Mark, int]:
        _, text = run("pdfsig", "-nssdir", f"sql:{self.nss}", file)
        parts = re.split(r"(?m)^Signature #\d+:", text)[1:]
        bad, known = [], set()
        for i, part in enumerate(parts, 1):
            if "ETSI.RFC3161" in part or "not yet been verified" in part and b"/ETSI.RFC3161" in data:
                continue  # it knows no document time stamps: openssl ts judges those
            who = re.search(r"full Distinguished Name: (.*)", part)
            if "Certificate is Trusted." in part:
                known.add(who and who.group(1))
            elif "Unknown issue with Certificate" in part and (who and who.group(1)) in known:
                # pdfsig 22.12 says this of a certificate that it has just called trusted in the same file
                part += "Certificate is Trusted."
            for want in ("Signature is Valid.", "Certificate is Trusted."):
                if want not in part:
                    m = re.search(r"(Signature|Certificate) Validation: *(.*)" if "Sig" in want else r"Certificate Validation: *(.*)", part)
                    bad.append(f"#{i}: {m.group(m.lastindex) if m else 'no ' + want}")
        if parts and b"/DSS" not in data and not any("Total document signed" in p and "Not total" not in p for p in parts):
            bad.append("no signature covers the whole file")
        return (("yes", "") if parts and not bad else ("NO", "; ".join(bad) or tail(text))), len(parts)

    def pyhanko(self, file: Path, data: bytes, ranges) -> tuple[Mark, int]:
        bad, stamped, whole, n = [], False, False, 0
        with open(file, "rb") as f:
            reader = PdfFileReader(f, strict=True)
            for sig in reader.embedded_signatures:
                n += 1
                context = self.context()
                stamp = sig.sig_object_type == "/DocTimeStamp"
                if stamp:
                    status = validate_pdf_timestamp(sig, context)
                else:
                    status = validate_pdf_signature(sig, context, ts_validation_context=self.context())
                    token = status.timestamp_validity
                    if token is not None:
                        stamped = True
                        if not (token.intact and token.valid and token.trusted):
                            bad.append(f"#{n} time stamp {token.summary()}")
                good = status.intact and status.valid if stamp else status.bottom_line
                if not good or not status.trusted:
                    bad.append(f"#{n} {status.summary()}")
                whole = whole or status.coverage == SignatureCoverageLevel.ENTIRE_FILE
        if n and not whole and b"/DSS" not in data:
            bad.append("no signature covers the entire file")
        if self.need_time and not stamped:
            bad.append("no time stamp")
        return (("yes", "") if n and not bad else ("NO", "; ".join(bad) or "no signature seen")), n

    def context(self) -> ValidationContext:
        return ValidationContext(trust_roots=self.roots, other_certs=self.others, allow_fetching=False, revocation_mode="soft-fail",
                                 moment=datetime.now(timezone.utc))

    def openssl(self, file: Path, data: bytes, ranges) -> tuple[Mark, int]:
        bad = []
        for i, r in enumerate(ranges, 1):
            if len(r) != 4 or r[0] != 0 or r[2] + r[3] > len(data):
                bad.append(f"#{i} odd byte range {r}")
                continue
            der = bytes.fromhex(data[r[1] + 1:r[2] - 1].decode("ascii"))
            token = asn1_cms.ContentInfo.load(der, strict=False)
            signed, p7s = self.work / "x.data", self.work / "x.p7s"
            signed.write_bytes(data[:r[1]] + data[r[2]:r[2] + r[3]])
            p7s.write_bytes(token.dump())
            if token["content"]["encap_content_info"]["content_type"].native == "tst_info":
                code, text = run("openssl", "ts", "-verify", "-data", signed, "-in", p7s, "-token_in", "-CAfile", self.bundle)
                good = code == 0 and "Verification: OK" in text
            else:
                code, text = run("openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", p7s, "-content", signed,
                                 "-CAfile", self.bundle, "-purpose", "any", "-cades", "-out", "/dev/null")
                good = code == 0 and "Verification successful" in text
            if not good:
                bad.append(f"#{i} {tail(text)}")
        return (("yes", "") if not bad else ("NO", "; ".join(bad))), len(ranges)

    # --- PDF/A ---------------------------------------------------------------
    def flat_pdfa(self, file: Path) -> Mark:
        """PDF/A-2b of the flat projection: the validator knows no form fields, so the appearance of every signature
        is moved into its page and the fields are dropped. Judges what is seen, not the widget itself."""
        if not self.need_pdfa:
            return "-", "not asked"
        with tempfile.NamedTemporaryFile(dir=self.work, suffix=".pdf") as out:
            try:
                with pikepdf.open(file) as pdf:
                    flatten(pdf)
                    pdf.save(out.name)
                verdict = pdfa.validate_written(out.name, "2b")
            except (pikepdf.PdfError, ValueError) as e:
                return "NO", str(e)
            findings = [str(x) for x in verdict.findings]
            if findings and all(x.startswith("[unsupported]") for x in findings):
                return "-", "does not know: " + "; ".join(findings[:4])
            return ("yes", "") if verdict.passed else ("NO", "; ".join(findings[:4]))


def qpdf(file: Path) -> Mark:
    code, text = run("qpdf", "--check", file)
    return ("yes", "") if code == 0 and "WARNING" not in text else ("NO", tail(text))


def mutool_info(file: Path) -> Mark:
    code, text = run("mutool", "info", file)
    trouble = re.findall(r"(?m)^(?:error|warning):.*", text)
    return ("yes", "") if code == 0 and not trouble else ("NO", "; ".join(trouble[:3]) or tail(text))


def tail(text: str) -> str:
    lines = [x.strip() for x in text.splitlines() if x.strip()]
    return " / ".join(lines[-2:])[:240] if lines else "says nothing"


def flatten(pdf: pikepdf.Pdf) -> None:
    """Moves every signature widget's normal appearance into its page, in place."""
    for page in pdf.pages:
        keep = []
        for k, widget in enumerate(page.obj.get("/Annots", [])):
            if widget.get("/Subtype") != "/Widget":
                keep.append(widget)
                continue
            form, rect = widget.get("/AP", {}).get("/N"), [float(v) for v in widget.get("/Rect", [0, 0, 0, 0])]
            if not isinstance(form, pikepdf.Stream) or rect[0] == rect[2] or rect[1] == rect[3]:
                continue
            name = f"/HosoFlat{k}"
            if "/Resources" not in page.obj:
                page.obj.Resources = page.resources
            page.add_resource(form, pikepdf.Name.XObject, pikepdf.Name(name))
            matrix = " ".join(f"{v:.5f}" for v in placement(form, rect))
            page.contents_add(b"q Q ", prepend=True)
            page.contents_add(f"q {matrix} cm {name} Do Q".encode())
        if "/Annots" in page.obj:
            del page.obj["/Annots"]
            if keep:
                page.obj.Annots = pikepdf.Array(keep)
    for key in ("/AcroForm", "/DSS", "/Perms", "/Extensions"):
        if key in pdf.Root:
            del pdf.Root[key]


def placement(form: pikepdf.Stream, rect: list[float]) -> Iterable[float]:
    """ISO 32000-1, 12.5.5: the matrix that lays the appearance box over the widget's rectangle."""
    x0, y0, x1, y1 = (float(v) for v in form.BBox)
    a, b, c, d, e, f = (float(v) for v in form.get("/Matrix", [1, 0, 0, 1, 0, 0]))
    corners = [(a * x + c * y + e, b * x + d * y + f) for x in (x0, x1) for y in (y0, y1)]
    left, right = min(p[0] for p in corners), max(p[0] for p in corners)
    low, high = min(p[1] for p in corners), max(p[1] for p in corners)
    rx0, rx1, ry0, ry1 = min(rect[0], rect[2]), max(rect[0], rect[2]), min(rect[1], rect[3]), max(rect[1], rect[3])
    sx = (rx1 - rx0) / (right - left) if right > left else 1.0
    sy = (ry1 - ry0) / (high - low) if high > low else 1.0
    return sx, 0, 0, sy, rx0 - left * sx, ry0 - low * sy
