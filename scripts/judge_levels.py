"""What pyHanko thinks of the levels of signed PDFs, with the network off: a line a file, then a line a signature.

  python scripts/judge_levels.py ROOT.pem FILE.pdf...

    FILE FILE.pdf
    SIGNATURE FIELD LEVEL AdES-SUBINDICATION
    STAMP FIELD intact|broken trusted|untrusted

LEVEL is what its own evidence carries: B-B, B-T, B-LT (all of its evidence in the file), B-LTA (and a document time
stamp over that). Ends with 1 where pyHanko finds less than a passed validation of any signature.
"""

import asyncio
import dataclasses
import hashlib
import logging
import socket
import sys
from pathlib import Path

from asn1crypto import crl, ocsp, pem, x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESPassed
from pyhanko.sign.validation import (
    DocumentSecurityStore,
    async_validate_pdf_signature,
    async_validate_pdf_timestamp,
)
from pyhanko.sign.validation.ades import ades_lta_validation, ades_with_time_validation
from pyhanko.sign.validation.policy_decl import (
    LocalKnowledge,
    PdfSignatureValidationSpec,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.revinfo.archival import CRLContainer, OCSPContainer
from pyhanko_certvalidator.registry import SimpleTrustManager


def no_network(*_args, **_kwargs):
    raise OSError("the network is off")


def knowledge(reader) -> LocalKnowledge:
    """What the file carries, and nothing else."""
    if "/DSS" not in reader.root:
        return LocalKnowledge()
    dss = DocumentSecurityStore.read_dss(reader)
    ocsps = [ocsp.OCSPResponse.load(o.get_object().data) for o in dss.ocsps]
    return LocalKnowledge(
        known_ocsps=[one for o in ocsps for one in OCSPContainer.load_multi(o)],
        known_crls=[CRLContainer(crl.CertificateList.load(c.get_object().data)) for c in dss.crls],
        known_certs=list(dss.load_certs()),
    )


async def with_time(signature, spec, reader):
    own = dataclasses.replace(spec.signature_validation_spec, local_knowledge=knowledge(reader))
    return await ades_with_time_validation(
        signature.signed_data, own, raw_digest=signature.compute_digest()
    )


def from_file(root, reader, revocation: str) -> ValidationContext:
    arguments = {"trust_roots": [root], "allow_fetching": False, "revocation_mode": revocation}
    if "/DSS" not in reader.root:
        return ValidationContext(**arguments)
    return DocumentSecurityStore.read_dss(reader).as_validation_context(arguments)


async def unchanged(signature, root, reader) -> bool:
    """Nothing was changed behind it, by the older interface with the evidence of the file."""
    context = from_file(root, reader, "hard-fail")
    status = await async_validate_pdf_signature(signature, signer_validation_context=context)
    print("#", status.summary())
    return status.bottom_line


async def judge(root_file: str, pdf: str) -> int:
    raw = Path(root_file).read_bytes()
    root = x509.Certificate.load(pem.unarmor(raw)[2] if pem.detect(raw) else raw)
    trust = CertValidationPolicySpec(
        trust_manager=SimpleTrustManager.build(trust_roots=[root]),
        revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO),
    )
    spec = PdfSignatureValidationSpec(
        SignatureValidationSpec(
            cert_validation_policy=trust,
            revinfo_gathering_policy=RevocationInfoGatheringSpec(
                online_fetching_rule=RevinfoOnlineFetchingRule.LOCAL_ONLY
            ),
        )
    )
    bad = 0
    with open(pdf, "rb") as file:
        reader = PdfFileReader(file)
        stamps = reader.embedded_timestamp_signatures
        archived = bool(stamps) and "/DSS" in reader.get_historical_root(stamps[-1].signed_revision)
        vri = reader.root["/DSS"]["/VRI"] if "/DSS" in reader.root else {}
        for signature in reader.embedded_regular_signatures:
            unsigned = signature.signer_info["unsigned_attrs"].native or []
            stamped = any(a["type"] == "signature_time_stamp_token" for a in unsigned)
            covered = any(s.signed_revision > signature.signed_revision for s in stamps)
            level = "B-T" if stamped or covered else "B-B"
            if archived and covered:
                result, better = await ades_lta_validation(signature, spec), "B-LTA"
            else:
                result, better = await with_time(signature, spec, reader), "B-LT"
            passed = result.ades_subindic == AdESPassed.OK
            whole = await unchanged(signature, root, reader) if passed else True
            if passed and whole and "/DSS" in reader.root:
                level = better
            bad += not (passed and whole)
            key = "/" + hashlib.sha1(signature.pkcs7_content).hexdigest().upper()
            named = "vri" if key in vri else "no-vri"
            print("SIGNATURE", signature.field_name, level, getattr(result.ades_subindic, "name", "?"), named)
            if result.failure_msg:
                print("#", result.failure_msg)
        context = from_file(root, reader, "soft-fail")
        for stamp in stamps:
            status = await async_validate_pdf_timestamp(stamp, context)
            whole = "intact" if status.intact and status.valid else "broken"
            print("STAMP", stamp.field_name, whole, "trusted" if status.trusted else "untrusted")
            bad += whole != "intact"
    return bad


async def main(root_file: str, *pdfs: str) -> int:
    bad = 0
    for pdf in pdfs:
        print("FILE", pdf)
        bad += await judge(root_file, pdf)
    return 1 if bad else 0


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    socket.socket.connect = no_network
    socket.getaddrinfo = no_network
    sys.exit(asyncio.run(main(*sys.argv[1:])))
