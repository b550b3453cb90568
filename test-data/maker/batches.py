"""The batches of the intake desk: which sheets, how scanned, in which files."""

import datetime
import io
from collections.abc import Callable
from pathlib import Path

import img2pdf
import pikepdf
from PIL import Image

from . import chip, forms, papers, scan
from .people import CASES, OFFICE, PEOPLE, Case
from .sheet import Sheet, rng

Maker = Callable[[int, object], Sheet]


def skew(key: object) -> float:
    return round(rng("skew", key).uniform(-1.5, 1.5), 2)


def colour(dpi: int, sheet: Sheet, key: object, **more) -> Image.Image:
    turn = more.pop("skew", skew(key))
    return scan.flatbed(sheet.image, key, skew=turn, **({"grain": 0.9, "blur": 0.55 * dpi / 200} | more))


def dossier(case: Case) -> list[tuple[str, Maker]]:
    """The papers of a dossier by its procedure, cover (with the code sticker) first."""
    c = case
    match c.kind:
        case "khai_sinh":
            return [("to-khai", lambda d, k: forms.birth_declaration(d, c, k)), ("chung-sinh", lambda d, k: forms.birth_notice(d, c, k)),
                    ("ket-hon", lambda d, k: papers.marriage_certificate(d, c, k)), ("danh-muc", lambda d, k: papers.check_list(
                        d, c, k, ["Tờ khai đăng ký khai sinh", "Giấy chứng sinh", "Giấy chứng nhận kết hôn", "Bản sao căn cước"])),
                    ("bien-lai", lambda d, k: papers.payment(d, c, k))]
        case "hon_nhan":
            return [("to-khai", lambda d, k: forms.marital_declaration(d, c, k)), ("cam-doan", lambda d, k: forms.marital_pledge(d, c, k)),
                    ("mat-sau", papers.blank), ("bien-nhan", lambda d, k: papers.receipt(d, c, k))]
        case "dat_dai":
            return [("don", lambda d, k: forms.land_application(d, c, k)), ("gcn", lambda d, k: forms.land_certificate(d, c, k)),
                    ("danh-muc", lambda d, k: papers.check_list(d, c, k, ["Đơn đăng ký biến động", "Giấy chứng nhận QSDĐ", "Trích lục bản đồ"])),
                    ("bien-lai", lambda d, k: papers.payment(d, c, k)), ("bien-nhan", lambda d, k: papers.receipt(d, c, k))]
        case _:
            return [("giay-de-nghi", lambda d, k: forms.business_application(d, c, k)), ("thue", lambda d, k: forms.tax_sheet(d, c, k)),
                    ("hop-dong", lambda d, k: forms.lease(d, c, k)), ("bien-nhan", lambda d, k: papers.receipt(d, c, k))]


def batch_1(out: Path, seed: str) -> None:
    """Colour JPEG, 200 dpi, three dossiers behind separators that tell how many pages follow."""
    dpi, n = 200, 0

    def put(sheet: Sheet, key: str, **more) -> None:
        nonlocal n
        n += 1
        (out / f"scan_{n:04d}.jpg").write_bytes(scan.jpeg(colour(dpi, sheet, key, **more), dpi))

    for name in ("1-1", "1-2", "1-3"):
        pages = dossier(CASES[name])
        put(papers.separator(dpi, f"{seed}/{name}/sep", len(pages)), f"{seed}/{name}/sep")
        before = None
        for part, make in pages:
            key = f"{seed}/{name}/{part}"
            sheet = make(dpi, key)
            if part == "mat-sau":
                put(sheet, key, back=before.image)
            elif part == "gcn":  # people hand in a photocopy of the certificate
                sheet.image = scan.photocopy(sheet.image, key, skew=0.4)
                put(sheet, key, grain=0.8)
            else:
                put(sheet, key)
            before = sheet
    slips(out, ("1-1", "1-2", "1-3"))


def batch_2(out: Path, seed: str) -> None:
    """One bilevel G4 TIFF at 300 dpi: two dossiers, separators inside, a page with nothing but a note in pen."""
    dpi, pages = 300, []
    for name in ("2-1", "2-2"):
        parts = dossier(CASES[name])
        if name == "2-1":
            parts.insert(4, ("ghi-chu", lambda d, k: papers.hand_note(d, k, [
                "Gửi chị Ngần (một cửa),", "cháu bổ sung giấy chứng sinh", "bản chính, mai nhà cháu ra lấy", "giấy hẹn. Cảm ơn chị!"])))
        else:
            parts.pop()
        pages.append((papers.separator(dpi, f"{seed}/{name}/sep", len(parts)), f"{seed}/{name}/sep"))
        pages += [(make(dpi, f"{seed}/{name}/{part}"), f"{seed}/{name}/{part}") for part, make in parts]
    (out / "fax_20261121_0815.tif").write_bytes(scan.g4_tiff(
        [scan.bilevel(s.image, k, skew=skew(k) * 0.7, threshold=168) for s, k in pages], dpi))
    slips(out, ("2-1", "2-2"))


def desk(out: Path, seed: str, name: str, dpi: int, card_dpi: int, mixed: bool) -> None:
    """One dossier with the copy of an ID card; `mixed` also brings PNG files and a PDF of scans."""
    case, key = CASES[name], f"{seed}/{name}"
    parts = dossier(case)
    made = [(part, make(dpi, f"{key}/{part}")) for part, make in parts]
    card = papers.card_copy(card_dpi, f"{key}/card", case.who, chip.mrz(case.who))
    card_scan = scan.jpeg(colour(card_dpi, card, f"{key}/card", skew=round(skew(key) * 0.6, 2)), card_dpi, 78)
    if not mixed:
        for i, (part, sheet) in enumerate(made, 1):
            (out / f"p{i:02d}.jpg").write_bytes(scan.jpeg(colour(dpi, sheet, f"{key}/{part}"), dpi))
        (out / f"p{len(made) + 1:02d}.jpg").write_bytes(card_scan)
    else:
        for i, (part, sheet) in enumerate(made[:2], 1):
            (out / f"p{i:02d}.jpg").write_bytes(scan.jpeg(colour(dpi, sheet, f"{key}/{part}", grain=1.0), dpi, 72))
        (out / "p03-card.jpg").write_bytes(card_scan)
        part, sheet = made[2]
        (out / "p04.png").write_bytes(scan.palette_png(colour(dpi, sheet, part, grain=0, tint=(255, 255, 255)), dpi))
        part, sheet = made[3]
        (out / "p05.png").write_bytes(scan.grey_png(scan.photocopy(sheet.image, part, skew=skew(part)), dpi, 8))
        jpegs = []
        for part, make in [parts[4], ("bien-nhan", lambda d, k: papers.receipt(d, case, k)), ("ghi-chu-2", lambda d, k: papers.hand_note(
                d, k, ["Xin làm 02 bản sao trích lục", "khai sinh, trả qua bưu điện."]))]:
            jpegs.append(scan.jpeg(colour(200, make(200, f"{key}/{part}"), f"{key}/{part}"), 200))
        (out / "p06.pdf").write_bytes(pdf_of_scans(jpegs))
    (out / "dossier.toml").write_text(slip(case), encoding="utf-8")


def slip(case: Case) -> str:
    """What the clerk typed when the dossier got its code."""
    p = case.who
    return (f'procedure = "{case.procedure[0]}"\noffice = "{OFFICE}"\n'
            f'received = "2026-11-21T08:15:00+07:00"\ndue = "2026-11-24T15:00:00+07:00"\n\n'
            f'[applicant]\nname = "{p.name}"\nnumber = "{p.number}"\nbirth = "{p.birth}"\nsex = "{p.sex}"\n'
            f'phone = "{p.phone}"\n')


def slips(out: Path, names: tuple[str, ...]) -> None:
    """One slip a dossier, named after its code, where a batch holds several."""
    for name in names:
        (out / f"{CASES[name].code}.dossier.toml").write_text(slip(CASES[name]), encoding="utf-8")


def pdf_of_scans(jpegs: list[bytes]) -> bytes:
    day = datetime.datetime(2026, 11, 21, 8, 15, tzinfo=datetime.timezone.utc)
    out = io.BytesIO()
    img2pdf.convert(jpegs, outputstream=out, creationdate=day, moddate=day, producer="scanner", nodate=False)
    settled = io.BytesIO()
    with pikepdf.open(out) as pdf:  # the converter draws a random identifier
        pdf.save(settled, deterministic_id=True)
    return settled.getvalue()


def intake(root: Path, seed: str) -> None:
    for name, make in [("batch-1", batch_1), ("batch-2", batch_2), ("batch-3", lambda o, s: desk(o, s, "batch-3", 300, 300, True)),
                       ("batch-4", lambda o, s: desk(o, s, "batch-4", 200, 200, False)),
                       ("batch-5", lambda o, s: desk(o, s, "batch-5", 200, 300, False))]:
        out = root / name
        out.mkdir(parents=True, exist_ok=True)
        make(out, f"{seed}/{name}")


def chips(root: Path) -> None:
    for name in ("batch-3", "batch-4", "batch-5"):
        out = root / name
        out.mkdir(parents=True, exist_ok=True)
        for file, data in chip.files(PEOPLE[name]).items():
            (out / file).write_bytes(data)
