"""A box of old papers for the archive: typed and hand-written, yellow, stained, punched, badly copied."""

import csv
from pathlib import Path

from PIL import Image

from . import scan
from .sheet import Sheet

INK, RIBBON = (30, 34, 60), (38, 36, 44)
FONDS = "000.00.17.H40"


def typed(s: Sheet, x: float, y: float, text: str, pt: float = 11.5, faint: float = 0.0) -> None:
    """A typewriter: every letter a little off, some struck weakly."""
    r, f = s.rng, s.font("mono", pt)
    step = f.getlength("n") / s.mm
    for i, ch in enumerate(text):
        weak = min(0.75, max(0.0, r.gauss(faint, 0.12)))
        ink = tuple(int(c + (245 - c) * weak) for c in RIBBON)
        s.draw.text(((x + i * step) * s.mm + r.gauss(0, 0.35), y * s.mm + r.gauss(0, 0.5)), ch, font=f, fill=ink, anchor="ls")


def typed_page(dpi: int, key: object, title: str, number: str, year: int, body: list[str], faint: float = 0.0) -> Sheet:
    s = Sheet(dpi, key)
    typed(s, 24, 26, "UBND XÃ LÂM THƯỢNG", 11, faint)
    typed(s, 24, 32, "-------", 11, faint)
    typed(s, 24, 39, f"Số: {number}", 11, faint)
    typed(s, 92, 26, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", 10.5, faint)
    typed(s, 103, 32, "Độc lập - Tự do - Hạnh phúc", 10.5, faint)
    typed(s, 100, 39, f"Lâm Thượng, ngày {s.rng.randint(10, 28)} tháng {s.rng.randint(3, 9)} năm {year}", 9.5, faint)
    typed(s, 105 - len(title) * 1.4, 58, title, 13.5, faint)
    y = 72.0
    for line in body:
        typed(s, 26, y, line, 11, faint)
        y += 7.4
    typed(s, 122, y + 8, "T/M ỦY BAN NHÂN DÂN", 11, faint)
    typed(s, 132, y + 14, "CHỦ TỊCH", 11, faint)
    s.signature(146, y + 30, 36, INK, f"archive/{year // 8}")
    s.seal(132, y + 30, "ỦY BAN NHÂN DÂN XÃ LÂM THƯỢNG", "MẪU", ink=(170, 40, 60), alpha=0.55)
    typed(s, 128, y + 50, ["Lại Văn Sử", "Đào Thị Niên", "Phan Trọng Thuở"][year % 3], 11, faint)
    s.hand(180, 20, str(s.rng.randint(2, 90)), 17, (70, 70, 80))  # folio number in pencil
    return s


def register_page(dpi: int, key: object, year: int) -> Sheet:
    """A page of the birth register, ruled and filled with a fountain pen."""
    s = Sheet(dpi, key)
    s.text(105, 22, f"SỔ ĐĂNG KÝ KHAI SINH - NĂM {year}", 13, "bold", "m")
    names = ["Ứng Văn Đoài", "Thiều Thị Gấm", "Quản Đình Lộc", "Tiêu Thị Mận", "Viên Đức Nhu", "Bồ Thị Oanh", "Lều Văn Phấn", "Mẫn Thị Quế",
             "Sầm Văn Rạng", "Âu Thị Sen", "Đới Văn Tám", "Khúc Thị Uyên", "Ngạc Văn Xuất", "Trà Thị Yến"]
    s.rng.shuffle(names)
    rows = [["Số", "Họ và tên", "Ngày sinh", "Nam/Nữ", "Cha, mẹ", "Ghi chú"]]
    for i, n in enumerate(names, 1):
        rows.append([str(i), n, f"{s.rng.randint(1, 28)}-{s.rng.randint(1, 12)}-{year}", "Nữ" if "Thị" in n else "Nam",
                     n.split()[0] + " Văn " + s.rng.choice(["Bách", "Cẩn", "Dần"]), ""])
    s.table(14, 30, [12, 54, 30, 20, 44, 24], rows, 10.5, 15, hand_from=0)
    s.text(188, 286, f"Tờ {s.rng.randint(3, 60)}", 10, "italic", "r")
    return s


def letter(dpi: int, key: object, lines: list[str]) -> Sheet:
    s = Sheet(dpi, key)
    for i, t in enumerate(lines):
        s.hand(28 if i % 6 else 40, 34 + i * 12.5, t, 18, INK, wobble=1.5)
    s.signature(150, 40 + len(lines) * 12.5, 36, INK)
    return s


DECISION = [
    "     Căn cứ chức năng, nhiệm vụ của chính quyền cấp xã;",
    "     Xét đề nghị của Ban quản lý ruộng đất,", "",
    "                     QUYẾT ĐỊNH:", "",
    "     Điều 1.- Nay giao cho hộ ông Lều Văn Phấn được sử", "thửa đất số 112, xứ đồng Cửa Đình, diện tích 360 m2",
    "để làm nhà ở và vườn.", "     Điều 2.- Hộ được giao đất phải sử dụng đúng mục",
    "đích, đúng ranh giới, làm đầy đủ nghĩa vụ với Nhà nước.", "     Điều 3.- Ban quản lý ruộng đất, thôn trưởng và hộ",
    "có tên trên chịu trách nhiệm thi hành quyết định này.",
]
BIRTH = [
    "Họ và tên: SẦM VĂN RẠNG              Nam, Nữ: Nam", "Ngày, tháng, năm sinh: 14-6-1981",
    "Nơi sinh: Trạm y tế xã Lâm Thượng", "Dân tộc: Kinh             Quốc tịch: Việt Nam", "",
    "Họ tên cha: Sầm Văn Cẩn    Tuổi: 27   Nghề: làm ruộng", "Họ tên mẹ : Âu Thị Bưởi    Tuổi: 24   Nghề: làm ruộng",
    "Chỗ ở: Thôn Đoài, xã Lâm Thượng", "", "Người đứng khai: cha đẻ", "Đăng ký ngày 20 tháng 6 năm 1981", "Số 41, quyển số 01",
]
MINUTES = [
    "     Hôm nay, hồi 8 giờ, tại trụ sở Ủy ban, chúng tôi", "gồm đại diện chính quyền và các hộ liền kề đã tiến hành",
    "đo đạc, xác định mốc giới thửa đất như sau:", "", "  - Phía Đông giáp đường làng, dài 12 m 40;",
    "  - Phía Tây giáp ao hợp tác xã, dài 12 m 10;", "  - Phía Nam giáp hộ ông Đới Văn Tám, dài 29 m;",
    "  - Phía Bắc giáp hộ bà Trà Thị Yến, dài 28 m 70.", "", "     Biên bản lập xong đã đọc lại cho mọi người nghe,",
    "nhất trí và cùng ký tên dưới đây.",
]
LETTER = [
    "Kính gửi Ủy ban nhân dân xã Lâm Thượng", "Tôi là Khúc Thị Uyên, ở thôn Thượng. Năm 1983", "gia đình tôi được hợp tác xã chia cho thửa ruộng",
    "ở cánh Mả Lim, nay giấy tờ bị mưa dột hỏng cả.", "Tôi viết đơn này xin Ủy ban cấp lại bản sao", "để gia đình yên tâm làm ăn.", "Xin cảm ơn các đồng chí."]


def box(root: Path, seed: str) -> None:
    """Writes the box and its manifest. One file is cut short, one is a copy of another under a new name."""
    root.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[str, int, str, str]] = []

    def put(name: str, data: bytes, pages: int, year: int, item: int, title: str) -> bytes:
        (root / name).write_bytes(data)
        rows.append((name, pages, f"{FONDS}.{year}.{item:02d}.HT", title))
        return data

    def old(dpi: int, s: Sheet, key: str, **more) -> Image.Image:
        return scan.aged(s.image, f"{seed}/{key}", **more)

    d, k = 200, lambda n: f"{seed}/archive/{n}"
    kept = put("h01_001.jpg", scan.jpeg(old(d, typed_page(d, k(1), "QUYẾT ĐỊNH", "17/QĐ-UB", 1987, DECISION), "1", skew=0.9), d, 68), 1, 1987, 1,
               "Quyết định giao đất làm nhà ở")
    put("h01_002.jpg", scan.jpeg(old(d, typed_page(d, k(2), "GIẤY KHAI SINH", "41/81", 1981, BIRTH), "2", skew=-1.2, stains=5), d, 68), 1, 1981, 2,
        "Giấy khai sinh số 41")
    put("h01_003.jpg", scan.jpeg(old(d, typed_page(d, k(3), "BIÊN BẢN ĐO ĐẠC", "05/BB", 1989, MINUTES, 0.45), "3", fade=0.66, skew=0.4, streak=True), d, 68),
        1, 1989, 3, "Biên bản đo đạc ranh giới thửa đất")
    put("h01_004.tif", scan.g4_tiff([scan.bilevel(register_page(300, k(f"4{i}"), 1984 + i).image, k(f"4{i}"), skew=1.1 - i, border=True, specks=150)
                                     for i in range(3)], 300), 3, 1984, 4, "Sổ đăng ký khai sinh, các tờ 1984-1986")
    put("h01_005.jpg", scan.jpeg(old(d, letter(d, k(5), LETTER), "5", tint=(228, 208, 170), stains=6, skew=-0.6), d, 68), 1, 1992, 5,
        "Đơn xin cấp lại giấy tờ ruộng đất")
    put("h01_006.png", scan.grey_png(scan.photocopy(typed_page(d, k(6), "QUYẾT ĐỊNH", "23/QĐ-UB", 1990, DECISION, 0.2).image, k(6), skew=1.4, specks=420), d, 6),
        1, 1990, 6, "Quyết định giao đất, bản chụp")
    put("h01_007.jpg", scan.jpeg(old(d, register_page(d, k(7), 1979), "7", tint=(240, 226, 196), fold=False), d, 66), 1, 1979, 7,
        "Sổ đăng ký khai sinh, tờ 1979")
    put("h01_008.tif", scan.g4_tiff([scan.bilevel(typed_page(300, k("8a"), "GIẤY KHAI SINH", "12/86", 1986, BIRTH, 0.3).image, k("8a"), skew=-0.8,
                                                  border=True, specks=300, threshold=170),
                                     scan.bilevel(Sheet(300, k("8b")).image, k("8b"), border=True, specks=220)], 300), 2, 1986, 8,
        "Giấy khai sinh số 12, có mặt sau trắng")
    grey = old(d, typed_page(d, k(9), "BIÊN BẢN HỌP", "08/BB", 1985, MINUTES), "9", skew=0.7).convert("L")
    put("h01_009.jpg", scan.jpeg(grey, d, 68), 1, 1985, 9, "Biên bản họp thôn")
    put("h01_010.jpg", scan.jpeg(old(d, typed_page(d, k(10), "GIẤY KHAI SINH", "63/83", 1983, BIRTH, 0.55), "10", fade=0.5, stains=2), d, 66), 1, 1983, 10,
        "Giấy khai sinh số 63, chữ mờ")
    put("h01_011.jpg", kept, 1, 1987, 11, "Quyết định giao đất làm nhà ở")
    whole = scan.jpeg(old(d, typed_page(d, k(12), "QUYẾT ĐỊNH", "31/QĐ-UB", 1991, DECISION), "12"), d, 66)
    put("h01_012.jpg", whole[:len(whole) * 3 // 5], 1, 1991, 12, "Quyết định giao đất, tệp hỏng")
    put("h01_013.png", scan.palette_png(scan.photocopy(letter(150, k(13), LETTER[:5]).image, k(13), skew=-0.9), 150), 1, 1993, 13, "Đơn viết tay, bản chụp 150 dpi")
    put("h01_014.jpg", scan.jpeg(old(d, Sheet(d, k(14)), "14", stains=4), d, 60), 1, 1988, 14, "Tờ trắng, bìa lót")
    with open(root / "manifest.csv", "w", encoding="utf-8", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["file", "pages", "code", "title"])
        out.writerows(rows)
