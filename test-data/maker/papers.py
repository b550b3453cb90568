"""Papers that go with any dossier: receipt, payment slip, check list, certificates, the hand note, ID card copies, separators."""

import io
import math

from PIL import Image, ImageDraw, ImageFilter

from .forms import UBND, header, new, signer, title
from .people import COMMUNE, PROVINCE, SEAL, Case, Person
from .sheet import BLACK, Sheet, rng

MUTED = (70, 80, 96)


def separator(dpi: int, key: object, count: int | None) -> Sheet:
    """A separator sheet: the same text as Code128 and as QR; `count` pages follow until the next one."""
    s = Sheet(dpi, key)
    text = "HOSO-SEP" if count is None else f"HOSO-SEP-{count}"
    s.rect(10, 10, 190, 277, 1.2)
    s.text(105, 48, "TỜ PHÂN CÁCH", 44, "sansbold", "m")
    s.text(105, 66, "HỒ SƠ MỚI BẮT ĐẦU TỪ TRANG SAU", 20, "sansbold", "m")
    s.code(None, 82, text, 0.66, 28, 14)
    s.qr(77.5, 136, 55, text)
    if count is not None:
        s.text(105, 218, f"Số trang của hồ sơ: {count}", 26, "sansbold", "m")
    s.text(105, 236, "Đặt tờ này trước trang đầu của mỗi hồ sơ. Không gập, không ghi lên mã.", 12, "sans", "m")
    s.text(105, 243, "Tờ phân cách được giữ trong hồ sơ quét, không đưa vào tài liệu.", 12, "sans", "m")
    return s


def check_list(dpi: int, case: Case, key: object, papers: list[str], cover: bool = False) -> Sheet:
    s = new(dpi, key, case.code if cover else None)
    y = header(s, 27, UBND, "BỘ PHẬN TIẾP NHẬN VÀ TRẢ KẾT QUẢ", "Ngọc Lâm, ngày 21 tháng 11 năm 2026")
    y = title(s, y + 6, "DANH MỤC GIẤY TỜ TRONG HỒ SƠ") + 2
    s.text(22, y, f"Mã hồ sơ: {case.code}", 12, "bold")
    s.text(22, y + 7, f"Thủ tục: {case.procedure[0]} - {case.procedure[1]}", 12)
    s.text(22, y + 14, f"Người nộp: {case.who.name}", 12)
    rows = [["STT", "Tên giấy tờ", "Bản chính", "Bản sao", "Số trang"]]
    for i, name in enumerate(papers, 1):
        rows.append([str(i), name, "x" if i % 3 else "", "" if i % 3 else "x", "01"])
    rows += [[str(i), "", "", "", ""] for i in range(len(papers) + 1, 8)]
    y = s.table(22, y + 20, [14, 92, 22, 22, 20], rows, 11, 9, hand_from=2) + 10
    s.text(22, y, "Ghi chú của người tiếp nhận:", 12, "italic")
    s.hand(74, y, "đã đối chiếu bản chính, đủ", 16)
    s.dots(22, y + 9, 192)
    signer(s, y + 18, "Người tiếp nhận", "Vi Thị Ngần", "can bo mot cua")
    return s


def receipt(dpi: int, case: Case, key: object, cover: bool = False) -> Sheet:
    """Form 01: receipt of the dossier with the day to come back; QR at the top left."""
    s, p = new(dpi, key, case.code if cover else None), case.who
    s.qr(16, 8, 19, f"hoso:1;d={case.code};p={case.procedure[0]};n=Gi%E1%BA%A5y ti%E1%BA%BFp nh%E1%BA%ADn;t=2026-11-21T08:15:00+07:00;h=2026-11-24")
    y = header(s, 36, UBND, f"Số: {case.code[-4:]}/TNHS", "Ngọc Lâm, ngày 21 tháng 11 năm 2026")
    y = title(s, y + 6, "GIẤY TIẾP NHẬN HỒ SƠ VÀ HẸN TRẢ KẾT QUẢ") + 2
    for t in [f"Mã hồ sơ: {case.code}", f"Bộ phận Tiếp nhận và Trả kết quả UBND {COMMUNE}", f"Tiếp nhận hồ sơ của: {p.name}",
              f"Địa chỉ: {p.address}", f"Nội dung yêu cầu giải quyết: {case.procedure[1]}", "Thành phần hồ sơ nộp gồm:"]:
        s.text(24, y, t, 12.5)
        y += 8
    y = s.table(24, y - 2, [14, 110, 22, 22], [["STT", "Tên giấy tờ", "Số bản", "Loại"], ["1", "Tờ khai / đơn theo mẫu", "01", "Chính"],
                ["2", "Bản sao căn cước", "01", "Sao"], ["3", "Giấy tờ kèm theo", "02", "Chính"]], 11, 8) + 9
    for t in ["Số lượng hồ sơ: 01 (bộ)", "Thời gian giải quyết theo quy định: 03 ngày làm việc",
              "Thời gian nhận hồ sơ: 08 giờ 15 phút, ngày 21 tháng 11 năm 2026",
              "Thời gian trả kết quả: 15 giờ 00, ngày 24 tháng 11 năm 2026", "Đăng ký nhận kết quả tại: Trung tâm Phục vụ hành chính công"]:
        s.text(24, y, t, 12.5)
        y += 8
    for x, who, nm, k in [(55, "NGƯỜI NỘP HỒ SƠ", p.name, p.number), (152, "NGƯỜI TIẾP NHẬN", "Vi Thị Ngần", "can bo mot cua")]:
        s.text(x, y + 8, who, 12, "bold", "m")
        s.signature(x, y + 24, 30, key=k)
        s.text(x, y + 42, nm, 12, "serif", "m")
    s.seal(139, y + 26, *SEAL, mm=32)
    return s


def payment(dpi: int, case: Case, key: object) -> Sheet:
    """A fee slip on the upper half of the sheet."""
    s, p = new(dpi, key), case.who
    s.rect(16, 16, 178, 118, 0.35)
    s.text(22, 25, "Đơn vị: UBND " + COMMUNE, 11, "bold")
    s.text(188, 25, "Mẫu số C45-BB", 10.5, "bold", "r")
    s.text(188, 31, "Ký hiệu: 2K26M   Số: 0000" + case.code[-3:], 10.5, "mono", "r", (180, 30, 40))
    title(s, 44, "BIÊN LAI THU TIỀN")
    s.text(105, 50, "Ngày 21 tháng 11 năm 2026", 11.5, "italic", "m")
    y = 60
    for label, value in [("Họ, tên người nộp:", p.name), ("Địa chỉ:", p.address), ("Nội dung thu:", "Lệ phí, bản sao trích lục"),
                         ("Số tiền thu:", "16.000 đ"), ("Viết bằng chữ:", "Mười sáu nghìn đồng chẵn")]:
        s.field(22, y, label, value, 188)
        y += 8.4
    for x, who, k in [(55, "Người nộp tiền", p.number), (152, "Người thu tiền", "thu quy")]:
        s.text(x, y + 4, who, 12, "bold", "m")
        s.signature(x, y + 17, 28, key=k)
    s.seal(120, y + 12, "ĐÃ THU TIỀN - UBND XÃ NGỌC LÂM", "MẪU", mm=26, ink=(70, 60, 170))
    s.line(10, 148.5, 200, 148.5, 0.1, (170, 170, 170))
    return s


def marriage_certificate(dpi: int, case: Case, key: object) -> Sheet:
    s, p = new(dpi, key), case.who
    s.rect(14, 14, 182, 268, 1.0, (196, 60, 80))
    s.rect(17, 17, 176, 262, 0.3, (196, 60, 80))
    y = header(s, 30, (PROVINCE.upper(), COMMUNE.upper()), "Số: 38/2019")
    s.text(105, y + 10, "GIẤY CHỨNG NHẬN KẾT HÔN", 20, "bold", "m", (196, 40, 60))
    y += 26
    groom, bride = (p.name, p.spouse) if p.sex == "Nam" else (p.spouse, p.name)
    for x, who, nm, yr in [(24, "VỢ", bride, "1991"), (108, "CHỒNG", groom, "1988")]:
        for i, (a, b) in enumerate([("Họ, chữ đệm, tên " + who.lower() + ":", ""), ("", nm), ("Năm sinh:", yr), ("Dân tộc:", "Kinh"),
                                    ("Quốc tịch:", "Việt Nam"), ("Nơi cư trú:", "Ngọc Lâm, Ninh Bình")]):
            s.field(x, y + i * 10, a, b, x + 78)
    y += 70
    s.text(24, y, f"Nơi đăng ký kết hôn: UBND {COMMUNE}, {PROVINCE}", 12.5)
    s.text(24, y + 8, "Ngày, tháng, năm đăng ký: 18/10/2019", 12.5)
    for x, who, k in [(50, "Vợ", bride), (105, "Chồng", groom)]:
        s.text(x, y + 26, who, 12, "bold", "m")
        s.signature(x, y + 42, 28, key=k)
    s.text(158, y + 20, "NGƯỜI KÝ GIẤY CHỨNG NHẬN", 10.5, "bold", "m")
    s.text(158, y + 25.5, "CHỦ TỊCH", 12, "bold", "m")
    s.signature(158, y + 42, 32, key="chu tich 2019")
    s.seal(146, y + 42, *SEAL)
    s.text(158, y + 62, "Thân Nhân Bảng", 12.5, "bold", "m")
    return s


def hand_note(dpi: int, key: object, lines: list[str]) -> Sheet:
    """A page with nothing but a note in pen: not a blank page."""
    s = Sheet(dpi, key)
    for i, t in enumerate(lines):
        s.hand(38 + s.rng.uniform(-2, 2), 62 + i * 13, t, 21, wobble=1.8)
    return s


def blank(dpi: int, key: object) -> Sheet:
    return Sheet(dpi, key)


# --- identity card ------------------------------------------------------------
CARD = (85.6, 53.98)


def portrait(who: Person, width: int, height: int) -> Image.Image:
    """A drawn head and shoulders, nobody's face."""
    r, up = rng("face", who.number), 3
    im = Image.new("RGB", (width * up, height * up), (198, 214, 230))
    d, w, h = ImageDraw.Draw(im), width * up, height * up
    skin = (222 - r.randint(0, 26), 184 - r.randint(0, 22), 154 - r.randint(0, 20))
    hair, cx = (34, 28, 28), w / 2
    if who.sex == "Nữ":
        d.ellipse([cx - w * 0.36, h * 0.14, cx + w * 0.36, h * 0.82], fill=hair)
    d.polygon([(0, h), (w * 0.04, h * 0.84), (w * 0.34, h * 0.74), (w * 0.66, h * 0.74), (w * 0.96, h * 0.84), (w, h)], fill=(236, 238, 242))
    d.rectangle([cx - w * 0.1, h * 0.6, cx + w * 0.1, h * 0.78], fill=tuple(int(c * 0.9) for c in skin))
    d.ellipse([cx - w * 0.25, h * 0.2, cx + w * 0.25, h * 0.7], fill=skin)
    d.chord([cx - w * 0.27, h * 0.13, cx + w * 0.27, h * 0.56], 184, 356, fill=hair)
    ey = h * 0.44
    for k in (-1, 1):
        ex = cx + k * w * 0.1
        d.ellipse([ex - w * 0.045, ey - h * 0.014, ex + w * 0.045, ey + h * 0.014], fill="white")
        d.ellipse([ex - w * 0.02, ey - h * 0.015, ex + w * 0.02, ey + h * 0.015], fill=(30, 22, 20))
        d.line([ex - w * 0.06, ey - h * 0.035, ex + w * 0.06, ey - h * (0.04 + r.random() * 0.012)], fill=hair, width=max(2, w // 60))
    d.line([cx, ey + h * 0.02, cx - w * 0.025, ey + h * 0.1, cx + w * 0.02, ey + h * 0.105], fill=tuple(int(c * 0.8) for c in skin), width=max(2, w // 90), joint="curve")
    d.arc([cx - w * 0.075, h * 0.55, cx + w * 0.075, h * (0.60 + r.random() * 0.01)], 10, 170, fill=(168, 84, 80), width=max(2, w // 55))
    return im.filter(ImageFilter.GaussianBlur(up * 0.8)).resize((width, height), Image.LANCZOS)


def _guilloche(s: Sheet, x: float, y: float, tone=(206, 226, 216)):
    """Fine wavy lines over a card ground."""
    s.rect(x, y, *CARD, 0, fill=(226, 238, 228))
    for k in range(26):
        pts = []
        for t in range(0, 87):
            pts += [(x + t * 0.995) * s.mm, (y + 1 + k * 2.06 + 1.3 * math.sin(t / 6 + k * 0.55)) * s.mm]
        pts = [(pts[i], min(max(pts[i + 1], y * s.mm), (y + CARD[1]) * s.mm)) for i in range(0, len(pts), 2)]
        s.draw.line(pts, fill=tone, width=1)
    s.draw.rounded_rectangle([x * s.mm, y * s.mm, (x + CARD[0]) * s.mm, (y + CARD[1]) * s.mm], radius=3.2 * s.mm, outline=(120, 140, 132), width=max(1, s.px(0.2)))


def card_front(s: Sheet, x: float, y: float, who: Person, qr_mm: float = 15.0):
    _guilloche(s, x, y)
    s.seal(x + 11, y + 10, "CHXHCN VIỆT NAM", "MẪU", mm=12, alpha=0.8, tilt=0)
    s.text(x + 45, y + 5, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", 5.2, "sansbold", "m")
    s.text(x + 42, y + 7.6, "Độc lập - Tự do - Hạnh phúc", 4.8, "sansbold", "m")
    s.text(x + 42, y + 13, "CĂN CƯỚC CÔNG DÂN", 8.2, "sansbold", "m", (186, 30, 40))
    s.text(x + 42, y + 16, "Citizen Identity Card", 5, "sans", "m", (186, 30, 40))
    s.rect(x + CARD[0] - qr_mm - 3.6, y + 1.8, qr_mm + 2.6, qr_mm + 2.6, 0, fill=(244, 248, 244))
    s.qr(x + CARD[0] - qr_mm - 2.3, y + 3.1, qr_mm, who.card_qr(), "l")
    face = portrait(who, s.px(20), s.px(26))
    s.image.paste(face, (s.px(x + 3), s.px(y + 18)))
    s.text(x + 3, y + 47.6, f"Có giá trị đến: {who.expiry}", 4.6, "sans")
    s.text(x + 3, y + 50, "Date of expiry", 3.8, "sans", ink=MUTED)
    lx = x + 26
    s.text(lx, y + 21.6, "Số / No.:", 5, "sans")
    s.text(lx + 12, y + 22, who.number, 10, "sansbold")
    s.text(lx, y + 26, "Họ và tên / Full name:", 4.6, "sans", ink=MUTED)
    s.text(lx, y + 29.6, who.name.upper(), 6.6, "sansbold")
    s.text(lx, y + 33.3, "Ngày sinh / Date of birth:", 4.6, "sans", ink=MUTED)
    s.text(lx + 20, y + 33.4, who.birth, 6.6, "sansbold")
    s.text(lx, y + 37.2, "Giới tính / Sex:", 4.6, "sans", ink=MUTED)
    s.text(lx + 12.5, y + 37.2, who.sex, 6, "sansbold")
    s.text(lx + 21, y + 37.2, "Quốc tịch / Nationality:", 4.6, "sans", ink=MUTED)
    s.text(lx + 41, y + 37.2, "Việt Nam", 6, "sansbold")
    for i, (label, value) in enumerate([("Quê quán / Place of origin:", who.origin), ("Nơi thường trú / Place of residence:", who.address)]):
        s.text(lx, y + 41 + i * 6.4, label, 4.6, "sans", ink=MUTED)
        s.text(lx, y + 44.1 + i * 6.4, value, 5.6, "sans")


def card_back(s: Sheet, x: float, y: float, who: Person, mrz: list[str]):
    _guilloche(s, x, y, (222, 218, 206))
    s.text(x + 4, y + 6, "Đặc điểm nhận dạng / Personal identification:", 4.6, "sans", ink=MUTED)
    s.text(x + 4, y + 9.4, who.marks, 5.6, "sans")
    s.text(x + 4, y + 15, f"Ngày, tháng, năm / Date, month, year: {who.issued}", 4.8, "sans")
    s.draw.rounded_rectangle([(x + 5) * s.mm, (y + 18) * s.mm, (x + 17) * s.mm, (y + 28) * s.mm], radius=1.2 * s.mm, fill=(206, 178, 104), outline=(120, 96, 40))
    for k in (0.33, 0.66):
        s.line(x + 5, y + 18 + 10 * k, x + 17, y + 18 + 10 * k, 0.15, (120, 96, 40))
    s.text(x + 42, y + 19, "CỤC TRƯỞNG (MẪU)", 4.8, "sansbold", "m")
    s.signature(x + 42, y + 25, 14, BLACK, "cuc truong")
    s.seal(x + 37, y + 26, "MẪU THỬ NGHIỆM", "MẪU", mm=14)
    for k in (0, 1):
        s.rect(x + 58 + k * 13, y + 17, 11, 15, 0.1, fill=(240, 236, 226))
        for q in range(7):
            s.draw.arc([(x + 58.8 + k * 13 + q * 0.6) * s.mm, (y + 18 + q * 0.8) * s.mm, (x + 68.2 + k * 13 - q * 0.6) * s.mm, (y + 31 - q * 0.4) * s.mm], 150, 390, fill=(120, 80, 80), width=1)
    for i, row in enumerate(mrz):
        s.text(x + 3, y + 40 + i * 5, row, 9.4, "mono")


def card_copy(dpi: int, key: object, who: Person, mrz: list[str]) -> Sheet:
    """Both sides of the card at real size on one A4 sheet, as people hand it in."""
    s = new(dpi, key)
    card_front(s, 62, 52, who)
    card_back(s, 62, 128, who, mrz)
    s.text(105, 214, "Bản sao căn cước", 11, "italic", "m")
    s.hand(70, 228, "Tôi nộp bản sao này kèm hồ sơ", 15)
    s.signature(140, 240, 30, key=who.number)
    return s


def encode_small_jpeg(im: Image.Image, quality: int = 82) -> bytes:
    out = io.BytesIO()
    im.save(out, "JPEG", quality=quality, subsampling="4:2:0")
    return out.getvalue()
