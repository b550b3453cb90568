"""Results as an office makes them on a computer: one page PDF/A-2b with an embedded face, room left for the
signature of the person and the seal of the agency; beside each a small TOML that says to whom it goes."""

import datetime
import hashlib
import io
import re
from pathlib import Path

import pikepdf
from fpdf import FPDF
from pikepdf import pdfa

from .fonts import path
from .people import CASES, Case

FIELDS = {"khai_sinh": ("G15-HT01", "Hộ tịch"), "hon_nhan": ("G15-HT01", "Hộ tịch"),
          "ho_kinh_doanh": ("G05-KD02", "Thành lập và hoạt động của hộ kinh doanh")}
# The portal tells citizens from businesses, and a household business registers as a business.
OWNER_KINDS = {"ho_kinh_doanh": "business"}
WHEN = datetime.datetime(2026, 11, 23, 9, 0, tzinfo=datetime.timezone(datetime.timedelta(hours=7)))


def _page(number: str, head: str, sub: str, body: list[str], table: list[list[str]] | None) -> bytes:
    pdf = FPDF(format="A4")
    pdf.set_creation_date(WHEN)
    pdf.set_auto_page_break(False)
    for style, name in [("", "serif"), ("B", "bold"), ("I", "italic"), ("BI", "bolditalic")]:
        pdf.add_font("T", style, path(name))
    pdf.add_page()

    def put(x: float, y: float, w: float, text: str, size: float, style: str = "", align: str = "C") -> None:
        pdf.set_font("T", style, size)
        pdf.set_xy(x, y)
        pdf.cell(w, 6, text, align=align)

    put(20, 20, 70, "ỦY BAN NHÂN DÂN", 12)
    put(20, 26, 70, "XÃ NGỌC LÂM", 12, "B")
    pdf.line(45, 32.4, 65, 32.4)
    put(92, 20, 100, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", 12, "B")
    put(92, 26, 100, "Độc lập - Tự do - Hạnh phúc", 13, "B")
    pdf.line(115, 32.4, 169, 32.4)
    put(20, 36, 70, f"Số: {number}", 12.5)
    put(92, 36, 100, "Ngọc Lâm, ngày 23 tháng 11 năm 2026", 12.5, "I")
    put(20, 56, 170, head, 16, "B")
    if sub:
        put(20, 63, 170, sub, 13, "B")
    y = 78.0
    for text in body:
        pdf.set_font("T", "", 13)
        pdf.set_xy(25, y)
        pdf.multi_cell(165, 7.2, text, align="J")
        y = pdf.get_y() + 1.5
    for r, row in enumerate(table or []):
        pdf.set_font("T", "B" if r == 0 else "", 11.5)
        for c, cell in enumerate(row):
            pdf.set_xy(25 + [0, 15, 75][c], y + r * 8)
            pdf.cell([15, 60, 90][c], 8, cell, border=1)
    put(105, 230, 85, "CHỦ TỊCH", 13, "B")
    put(105, 272, 85, "Trịnh Khắc Nghiệm", 13, "B")
    put(20, 287, 170, "Tài liệu mẫu để thử phần mềm - mọi người và số liệu đều hư cấu", 7.5, "I")
    return bytes(pdf.output())


def _birth(c: Case) -> tuple[str, str, list[str], list[list[str]]]:
    other = c.who.spouse
    mother, father = (c.who.name, other) if c.who.sex == "Nữ" else (other, c.who.name)
    return ("TRÍCH LỤC KHAI SINH", "(BẢN SAO)", ["Trích lục từ Sổ đăng ký khai sinh, ghi các nội dung sau đây:"],
            [["", "Nội dung", "Đã đăng ký"], ["1", "Họ, chữ đệm, tên", c.child.upper()], ["2", "Ngày, tháng, năm sinh", c.child_birth],
             ["3", "Giới tính", c.child_sex], ["4", "Dân tộc / Quốc tịch", "Kinh / Việt Nam"], ["5", "Quê quán", c.who.origin],
             ["6", "Họ, chữ đệm, tên mẹ", mother], ["7", "Họ, chữ đệm, tên cha", father], ["8", "Nơi đăng ký khai sinh", "UBND xã Ngọc Lâm"]])


def _items() -> list[tuple[str, str, Case, str, str, str, tuple]]:
    """file, number and symbol, dossier, title, result code, where to, page content"""
    a, b, c, d = CASES["batch-3"], CASES["batch-4"], CASES["1-1"], CASES["1-3"]
    marital = ("GIẤY XÁC NHẬN", "TÌNH TRẠNG HÔN NHÂN", [
        f"Xét đề nghị của ông {c.who.name}, số định danh cá nhân {c.who.number}, về việc cấp Giấy xác nhận tình trạng hôn nhân,",
        "XÁC NHẬN:", f"Họ, chữ đệm, tên: {c.who.name.upper()}", f"Ngày, tháng, năm sinh: {c.who.birth}. Giới tính: {c.who.sex}. Dân tộc: Kinh.",
        f"Nơi cư trú: {c.who.address}.", "Tình trạng hôn nhân: chưa đăng ký kết hôn với ai.",
        "Giấy này được cấp để làm thủ tục kết hôn và có giá trị trong sáu tháng kể từ ngày cấp."], None)
    business = ("GIẤY CHỨNG NHẬN", "ĐĂNG KÝ HỘ KINH DOANH", [
        f"Tên hộ kinh doanh: {d.extra['tên']}", f"Địa chỉ trụ sở: {d.who.address}.", "Ngành, nghề kinh doanh: bán lẻ đồ điện gia dụng; sửa chữa thiết bị gia đình.",
        "Vốn kinh doanh: 150.000.000 đồng (một trăm năm mươi triệu đồng).", f"Chủ hộ kinh doanh: {d.who.name}, sinh ngày {d.who.birth}, "
        f"số định danh cá nhân {d.who.number}, nơi cư trú: {d.who.address}.", "Đăng ký lần đầu ngày 23 tháng 11 năm 2026."], None)
    return [("result-1", "212/TLKS-BS", a, "Trích lục khai sinh (bản sao)", "KQ.H40.000121", "wallet", _birth(a)),
            ("result-2", "213/TLKS-BS", b, "Trích lục khai sinh (bản sao)", "KQ.H40.000122", "portal", _birth(b)),
            ("result-3", "47/UBND-XNTTHN", c, "Giấy xác nhận tình trạng hôn nhân", "KQ.H40.000123", "portal", marital),
            ("result-4", "18B8001946", d, "Giấy chứng nhận đăng ký hộ kinh doanh", "KQ.H40.000124", "wallet", business)]


def _settle(data: bytes) -> bytes:
    """The writer stamps the present second into the metadata: put the day of issue there, same length, and an
    identifier that follows from the content."""
    data = re.sub(rb"(?<=<xmp:MetadataDate>)[^<]{32}(?=<)", WHEN.strftime("%Y-%m-%dT%H:%M:%S.000000+07:00").encode(), data)
    blank = re.sub(rb"(?<=/ID \[<)[0-9a-f]{32}><[0-9a-f]{32}", b"", data)
    name = hashlib.sha256(blank).hexdigest()[:32].encode()
    return re.sub(rb"(?<=/ID \[<)[0-9a-f]{32}><[0-9a-f]{32}", name + b"><" + name, data)


def write(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for name, symbol, case, title, code, kind, (head, sub, body, table) in _items():
        target = root / f"{name}.pdf"
        with pikepdf.open(io.BytesIO(_page(symbol, head, sub, body, table))) as pdf:
            for key in ("/OpenAction", "/PageLayout", "/PageMode"):
                if key in pdf.Root:
                    del pdf.Root[key]
            if "/Info" in pdf.trailer:
                del pdf.trailer["/Info"]
            pdfa.save(pdf, target, "2b", deterministic_id=True)
        target.write_bytes(_settle(target.read_bytes()))
        verdict = pdfa.validate_written(target, "2b")
        if not verdict.passed:
            raise SystemExit(f"{target} is not PDF/A-2b: {list(verdict.findings)}")
        number, procedure = case.procedure
        field, field_name = FIELDS[case.kind]
        # 64 digits that say nothing of the person; left out where no wallet is known
        wallet = f'wallet = "{hashlib.sha256(f"sample wallet {case.serial}".encode()).hexdigest()}"\n' if kind == "wallet" else ""
        kind_of_owner = OWNER_KINDS.get(case.kind)
        filing = f'[filing]\nowner_kind = "{kind_of_owner}"\n\n' if kind_of_owner else ""
        p = case.who
        (root / f"{name}.toml").write_text(
            f'code = "{case.code}"\nprocedure = "{number}"\nprocedure_name = "{procedure}"\nfield = "{field}"\nfield_name = "{field_name}"\n'
            f'title = "{title}"\nresult_code = "{code}"\nsymbol = "{symbol}"\n{wallet}'
            f'received = "2026-11-21T08:15:00+07:00"\ndue = "2026-11-24T15:00:00+07:00"\n\n{filing}'
            f'[owner]\nname = "{p.name}"\nnumber = "{p.number}"\nbirth = "{p.birth}"\nsex = "{p.sex}"\nphone = "{p.phone}"\n', encoding="utf-8")
