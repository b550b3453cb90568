"""The forms of the counter: birth, marital status, land, household business."""

from .people import COMMUNE, PROVINCE, SEAL, Case
from .sheet import BLUE, Sheet

GREY = (120, 120, 124)
NOTE = "Tài liệu mẫu để thử phần mềm - mọi người và số liệu đều hư cấu"


def new(dpi: int, key: object, code: str | None = None) -> Sheet:
    s = Sheet(dpi, key)
    if code:
        s.code(204, 4.5, code)
    s.text(105, 291, NOTE, 6.5, "italic", "m", GREY)
    return s


def header(s: Sheet, y: float = 27, office: tuple[str, str] | None = None, number: str = "", place_date: str = "") -> float:
    """The national header; with an office, the two-column head of an administrative paper."""
    if office is None:
        s.text(105, y, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", 12.5, "bold", "m")
        s.text(105, y + 6, "Độc lập - Tự do - Hạnh phúc", 13, "bold", "m", underline=True)
        return y + 18
    left, right = 58, 141
    s.text(left, y, office[0], 11.5, "serif", "m")
    s.text(left, y + 5.5, office[1], 11.5, "bold", "m")
    s.line(left - 11, y + 7.4, left + 11, y + 7.4, 0.25)
    s.text(right, y, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", 11.5, "bold", "m")
    s.text(right, y + 5.5, "Độc lập - Tự do - Hạnh phúc", 12.5, "bold", "m", underline=True)
    if number:
        s.text(left, y + 14, number, 12, "serif", "m")
    if place_date:
        s.text(right, y + 14, place_date, 12, "italic", "m")
    return y + 24


UBND = ("ỦY BAN NHÂN DÂN", "XÃ NGỌC LÂM")


def title(s: Sheet, y: float, main: str, sub: str = "") -> float:
    s.text(105, y, main, 14.5, "bold", "m")
    if sub:
        s.text(105, y + 6.2, sub, 12.5, "bold", "m")
    return y + (14 if sub else 9)


def signer(s: Sheet, y: float, left: str = "", name: str = "", key: object = None, x: float = 152,
           date: str = "Ngọc Lâm, ngày 21 tháng 11 năm 2026", seal: bool = False, hand_name: bool = True) -> None:
    """The block at the foot: date, who signs, signature, name."""
    s.text(x, y, date, 11.5, "italic", "m")
    s.text(x, y + 6, left, 12, "bold", "m")
    s.text(x, y + 10.6, "(Ký, ghi rõ họ, chữ đệm, tên)" if hand_name else "(Ký tên, đóng dấu)", 10, "italic", "m")
    s.signature(x, y + 21, 32, key=key)
    if hand_name:
        s.hand(x - 17, y + 37, name, 15)
    else:
        s.text(x, y + 39, name, 12.5, "bold", "m")
    if seal:
        s.seal(x - 14, y + 23, *SEAL)


def birth_declaration(dpi: int, case: Case, key: object, cover: bool = True) -> Sheet:
    s, p = new(dpi, key, case.code if cover else None), case.who
    y = title(s, header(s), "TỜ KHAI ĐĂNG KÝ KHAI SINH")
    y += 3
    s.text(52, y, "Kính gửi: (1)", 12.5)
    s.dots(78, y + 0.6, 168)
    s.hand(84, y - 0.2, f"Ủy ban nhân dân {COMMUNE}", 16)
    y += 10
    left, right, step = 22, 192, 8.6
    for label, value in [
        ("Họ, chữ đệm, tên người yêu cầu:", p.name),
        ("Nơi cư trú: (2)", p.address),
        ("Số định danh cá nhân/Căn cước: (3)", p.number),
        ("Quan hệ với người được khai sinh:", "Mẹ" if p.sex == "Nữ" else "Cha"),
    ]:
        s.field(left, y, label, value, right)
        y += step
    s.text(left, y, "Đề nghị cơ quan đăng ký khai sinh cho người dưới đây:", 12, "bold")
    y += step
    s.field(left, y, "Họ, chữ đệm, tên:", case.child.upper(), right)
    y += step
    s.field(left, y, "Ngày, tháng, năm sinh:", case.child_birth, 108)
    s.field(110, y, "ghi bằng chữ:", "như giấy chứng sinh", right, hand=14)
    y += step
    s.field(left, y, "Giới tính:", case.child_sex, 70)
    s.field(72, y, "Dân tộc:", "Kinh", 126)
    s.field(128, y, "Quốc tịch:", "Việt Nam", right)
    y += step
    s.field(left, y, "Nơi sinh: (4)", "Bệnh viện đa khoa huyện Lâm Thao Hạ, " + PROVINCE, right, hand=14.5)
    y += step
    s.field(left, y, "Quê quán:", p.origin, right)
    y += step
    other = p.spouse or "Tống Gia Bình"
    mother, father = (p.name, other) if p.sex == "Nữ" else (other, p.name)
    for who, name, year, addr in [("mẹ", mother, p.birth[-4:], p.address), ("cha", father, str(int(p.birth[-4:]) - 3), p.address)]:
        s.field(left, y, f"Họ, chữ đệm, tên người {who}:", name, right)
        y += step
        s.field(left, y, "Năm sinh: (5)", year, 66)
        s.field(68, y, "Dân tộc:", "Kinh", 118)
        s.field(120, y, "Quốc tịch:", "Việt Nam", right)
        y += step
        s.field(left, y, "Nơi cư trú: (2)", addr, right, hand=14.5)
        y += step
    y = s.para(left, y, "Tôi cam đoan nội dung đề nghị đăng ký khai sinh trên đây là đúng sự thật, được sự thỏa thuận nhất trí "
               "của các bên liên quan theo quy định pháp luật. Tôi chịu hoàn toàn trách nhiệm trước pháp luật về nội dung "
               "cam đoan của mình.", right - left, 12, indent=8)
    signer(s, y + 2, "Người yêu cầu", p.name, p.number)
    s.field(left, y + 12, "Đề nghị cấp bản sao: Có", "", left + 42)
    s.rect(left + 43, y + 9, 4, 4, 0.25)
    s.hand(left + 43.6, y + 12.6, "x", 16)
    s.text(left, y + 19, "Số lượng: ", 12)
    s.hand(left + 20, y + 19, "02 bản", 15)
    return s


def birth_notice(dpi: int, case: Case, key: object) -> Sheet:
    s, p = new(dpi, key), case.who
    y = header(s, 24, ("SỞ Y TẾ", "BỆNH VIỆN ĐK LÂM THAO HẠ"), "Số: 1147/2026 - Quyển số: 06", "Mẫu số 01/GCS")
    y = title(s, y + 4, "GIẤY CHỨNG SINH")
    mother = p.name if p.sex == "Nữ" else p.spouse
    rows = [("Họ và tên mẹ/Người nuôi dưỡng:", mother), ("Năm sinh:", p.birth[-4:] if p.sex == "Nữ" else "1990"),
            ("Nơi đăng ký thường trú:", p.address), ("Số định danh cá nhân:", p.number if p.sex == "Nữ" else "036190999288"),
            ("Dân tộc:", "Kinh"), ("Họ và tên cha:", p.spouse if p.sex == "Nữ" else p.name),
            ("Đã sinh con vào lúc:", f"07 giờ 25 phút, ngày {case.child_birth}"),
            ("Tại:", "Bệnh viện đa khoa Lâm Thao Hạ, " + PROVINCE), ("Số con trong lần sinh này:", "01"),
            ("Giới tính của con:", case.child_sex), ("Cân nặng:", "3.150 gam"), ("Hiện trạng con:", "Khỏe mạnh"),
            ("Dự định đặt tên con là:", case.child), ("Người đỡ đẻ:", "Hộ sinh Từ Thị Sảnh")]
    y += 5
    for label, value in rows:
        s.field(24, y, label, value, 190)
        y += 9.3
    s.text(40, y + 6, "Cha/mẹ/người thân thích", 12, "bold", "m")
    s.text(40, y + 11, "(Ký, ghi rõ họ tên)", 10, "italic", "m")
    s.signature(42, y + 22, 28, key=p.number)
    s.text(98, y + 6, "Người đỡ đẻ", 12, "bold", "m")
    s.signature(98, y + 22, 26, key="ho sinh")
    signer(s, y, "Thủ trưởng cơ sở y tế", "Ngô Đắc Thiệp", "benh vien", date=f"Ngày {case.child_birth}", seal=True, hand_name=False)
    s.text(24, 276, "Lưu ý: Giấy chứng sinh là căn cứ để đăng ký khai sinh cho trẻ em; không có giá trị thay Giấy khai sinh.", 10, "italic")
    return s


def marital_declaration(dpi: int, case: Case, key: object, cover: bool = True) -> Sheet:
    s, p = new(dpi, key, case.code if cover else None), case.who
    y = title(s, header(s), "TỜ KHAI CẤP GIẤY XÁC NHẬN", "TÌNH TRẠNG HÔN NHÂN") + 4
    s.text(52, y, "Kính gửi: (1)", 12.5)
    s.hand(80, y, f"UBND {COMMUNE}, {PROVINCE}", 16)
    y += 11
    for label, value in [
        ("Họ, chữ đệm, tên người yêu cầu:", p.name), ("Nơi cư trú: (2)", p.address), ("Giấy tờ tùy thân: (3)", f"Căn cước số {p.number}"),
        ("Quan hệ với người được cấp Giấy xác nhận:", "Bản thân"), ("Họ, chữ đệm, tên:", p.name.upper()),
        ("Ngày, tháng, năm sinh:", p.birth), ("Dân tộc / Quốc tịch:", "Kinh / Việt Nam"),
        ("Tình trạng hôn nhân: (4)", "Chưa đăng ký kết hôn với ai"),
        ("Trong thời gian cư trú tại:", p.address),
        ("từ ngày:", "01/01/2015   đến nay"),
        ("Mục đích sử dụng: (5)", "Làm thủ tục kết hôn với chị Đàm Thị Lụa,"), ("", "sinh năm 1997, CCCD số 036197999312")]:
        s.field(22, y, label, value, 192)
        y += 9.8
    y = s.para(22, y + 2, "Tôi cam đoan những nội dung khai trên đây là đúng sự thật và chịu trách nhiệm trước pháp luật về cam "
               "đoan của mình.", 170, 12, indent=8)
    signer(s, y + 3, "Người yêu cầu", p.name, p.number)
    return s


def marital_pledge(dpi: int, case: Case, key: object) -> Sheet:
    """A pledge written by hand from the first line to the last."""
    s, p = new(dpi, key), case.who
    y = title(s, header(s), "GIẤY CAM ĐOAN") + 6
    for i, t in enumerate([
        f"Kính gửi: Ủy ban nhân dân {COMMUNE}", f"Tôi tên là {p.name}, sinh ngày {p.birth}", f"Số căn cước: {p.number}",
        f"Hiện ở tại: {p.address}", "Nay tôi viết giấy này cam đoan từ đủ tuổi kết hôn đến nay",
        "tôi chưa đăng ký kết hôn với ai, không sống chung như vợ", "chồng với người nào. Nếu sai tôi xin chịu trách nhiệm",
        "trước pháp luật.", "Kính mong Ủy ban xem xét, xác nhận cho tôi.", "Tôi xin chân thành cảm ơn."]):
        s.dots(24, y + 1.4, 190)
        s.hand(26 if i else 48, y, t, 18)
        y += 12
    signer(s, y + 6, "Người viết giấy", p.name, p.number)
    return s


def land_application(dpi: int, case: Case, key: object, cover: bool = True) -> Sheet:
    s, p, e = new(dpi, key, case.code if cover else None), case.who, case.extra
    y = title(s, header(s), "ĐƠN ĐĂNG KÝ BIẾN ĐỘNG ĐẤT ĐAI,", "TÀI SẢN GẮN LIỀN VỚI ĐẤT") + 1
    s.text(105, y, f"Kính gửi: Ủy ban nhân dân {COMMUNE}, {PROVINCE}", 12.5, "serif", "m")
    y += 9
    s.text(22, y, "1. Người sử dụng đất, chủ sở hữu tài sản gắn liền với đất:", 12, "bold")
    y += 8
    for label, value in [("a) Tên:", f"{'Bà' if p.sex == 'Nữ' else 'Ông'} {p.name}"), ("b) Giấy tờ nhân thân/pháp nhân số:", p.number),
                         ("c) Địa chỉ:", p.address), ("d) Điện thoại liên hệ (nếu có):", "0900 000 0" + p.number[-2:])]:
        s.field(26, y, label, value, 192)
        y += 8.4
    s.text(22, y, "2. Nội dung biến động:", 12, "bold")
    y += 8
    s.field(26, y, "Xin chuyển mục đích sử dụng:", f"{e['dt']} m² đất trồng cây lâu năm", 192)
    y += 8.4
    s.field(26, y, "sang:", "đất ở tại nông thôn (ONT)", 192)
    y += 6
    s.text(22, y + 4, "3. Thửa đất và Giấy chứng nhận đã cấp:", 12, "bold")
    y = s.table(22, y + 8, [18, 30, 26, 34, 30, 32], [
        ["STT", "Tờ bản đồ", "Thửa số", "Diện tích (m²)", "Loại đất", "Số vào sổ"],
        ["1", e["tờ"], e["thửa"], e["dt"], "CLN", "CH 00" + e["thửa"]],
        ["2", e["tờ"], str(int(e["thửa"]) + 1), "84,0", "ONT", "CH 00" + str(int(e["thửa"]) + 1)], ["3", "", "", "", "", ""]],
        hand_from=1) + 8
    s.text(22, y, "4. Giấy tờ kèm theo đơn này gồm có:", 12, "bold")
    for t in ["- Bản sao Giấy chứng nhận quyền sử dụng đất;", "- Trích lục bản đồ địa chính thửa đất;",
              "- Bản sao căn cước của người sử dụng đất."]:
        y += 7
        s.text(28, y, t, 12)
    y = s.para(22, y + 8, "Tôi cam đoan nội dung kê khai trên đơn là đúng sự thật, nếu sai tôi hoàn toàn chịu trách nhiệm "
               "trước pháp luật.", 170, 12, indent=8)
    signer(s, y + 2, "Người viết đơn", p.name, p.number)
    return s


def land_certificate(dpi: int, case: Case, key: object) -> Sheet:
    """The owner's certificate with its parcel sketch."""
    s, p, e = new(dpi, key), case.who, case.extra
    s.rect(12, 14, 186, 268, 0.7, (170, 60, 70))
    s.rect(14, 16, 182, 264, 0.2, (170, 60, 70))
    y = header(s, 30)
    s.text(105, y + 2, "GIẤY CHỨNG NHẬN", 19, "bold", "m", (190, 30, 45))
    s.text(105, y + 9, "QUYỀN SỬ DỤNG ĐẤT, QUYỀN SỞ HỮU TÀI SẢN GẮN LIỀN VỚI ĐẤT", 10.5, "bold", "m", (190, 30, 45))
    y += 20
    s.text(22, y, "I. Người sử dụng đất", 12, "bold")
    s.para(26, y + 7, f"{'Bà' if p.sex == 'Nữ' else 'Ông'}: {p.name}, sinh năm {p.birth[-4:]}, số định danh {p.number}. Địa chỉ: {p.address}.", 164)
    y += 22
    s.text(22, y, "II. Thửa đất", 12, "bold")
    for i, t in enumerate([f"a) Thửa đất số: {e['thửa']}; tờ bản đồ số: {e['tờ']}", f"b) Địa chỉ: {COMMUNE}, {PROVINCE}",
                           f"c) Diện tích: {e['dt']} m²", "d) Hình thức sử dụng: sử dụng riêng",
                           "đ) Mục đích sử dụng: đất trồng cây lâu năm", "e) Thời hạn sử dụng: đến ngày 15/10/2043"]):
        s.text(26, y + 7 + i * 6.4, t, 12)
    y += 52
    s.text(22, y, "III. Sơ đồ thửa đất", 12, "bold")
    r = s.rng
    ox, oy = 62, y + 42
    pts = [(ox - 28 + r.uniform(-4, 4), oy - 28), (ox + 30, oy - 32 + r.uniform(-4, 4)), (ox + 38 + r.uniform(-4, 4), oy + 18), (ox - 22, oy + 26)]
    for i, a in enumerate(pts):
        b = pts[(i + 1) % 4]
        s.line(*a, *b, 0.35)
        length = ((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5
        s.text((a[0] + b[0]) / 2, (a[1] + b[1]) / 2 - 1, f"{length * 0.31:.2f}", 9, "sans", "m")
        s.text(a[0] + (3 if a[0] > ox else -3), a[1], str(i + 1), 9, "sansbold", "m")
    s.text(ox, oy - 2, e["thửa"], 14, "sansbold", "m")
    s.line(ox - 6, oy, ox + 6, oy, 0.3)
    s.text(ox, oy + 5, e["dt"], 10, "sans", "m")
    s.text(ox, y + 78, "Tỷ lệ 1 : 500", 10, "italic", "m")
    s.text(150, y + 16, f"{PROVINCE.split(' ', 1)[1]}, ngày 15 tháng 10 năm 2013", 11, "italic", "m")
    s.text(150, y + 22, "TM. ỦY BAN NHÂN DÂN", 12, "bold", "m")
    s.text(150, y + 27.5, "CHỦ TỊCH", 12, "bold", "m")
    s.signature(150, y + 44, 34, BLUE, "chu tich 2013")
    s.seal(137, y + 44, *SEAL)
    s.text(150, y + 62, "Hà Kế Truyền", 12.5, "bold", "m")
    s.text(22, 276, f"Số vào sổ cấp GCN: CH 00{e['thửa']}", 11)
    s.text(188, 276, f"MẪU {e['thửa']}{e['tờ']}046", 12, "mono", "r", (190, 30, 45))
    return s


def business_application(dpi: int, case: Case, key: object, cover: bool = True) -> Sheet:
    s, p, e = new(dpi, key, case.code if cover else None), case.who, case.extra
    y = title(s, header(s), "GIẤY ĐỀ NGHỊ ĐĂNG KÝ HỘ KINH DOANH") + 2
    s.text(105, y, f"Kính gửi: Phòng Kinh tế, Ủy ban nhân dân {COMMUNE}", 12.5, "serif", "m")
    y += 10
    for label, value in [("Tôi là (ghi họ tên bằng chữ in hoa):", p.name.upper()), ("Ngày sinh:", f"{p.birth}      Giới tính: {p.sex}"),
                         ("Số định danh cá nhân:", p.number), ("Địa chỉ liên lạc:", p.address)]:
        s.field(22, y, label, value, 192)
        y += 8.4
    s.text(105, y + 1, "Đăng ký hộ kinh doanh do tôi là chủ hộ với các nội dung sau:", 12, "bold", "m")
    y += 9.5
    for label, value in [("1. Tên hộ kinh doanh:", e["tên"]), ("2. Địa chỉ trụ sở:", p.address), ("3. Vốn kinh doanh:", "150.000.000 đồng"),
                         ("   Bằng chữ:", "Một trăm năm mươi triệu đồng chẵn")]:
        s.field(22, y, label, value, 192)
        y += 8.4
    s.text(22, y, "4. Ngành, nghề kinh doanh:", 12, "bold")
    y = s.table(22, y + 3, [14, 96, 34, 26], [["STT", "Tên ngành", "Mã ngành", "Chính"], ["1", "Bán lẻ đồ điện gia dụng", "4759", "x"],
                ["2", "Sửa chữa thiết bị, đồ dùng gia đình", "9522", ""], ["3", "Bán lẻ hàng hóa khác mới", "4773", ""]], hand_from=1) + 8
    s.field(22, y, "5. Số lượng lao động:", "03 người", 110)
    y += 8.4
    s.text(22, y, "6. Chủ thể thành lập:   Cá nhân        Các thành viên hộ gia đình", 12)
    s.rect(77, y - 3.4, 4, 4, 0.25)
    s.hand(77.5, y, "x", 16)
    s.rect(134, y - 3.4, 4, 4, 0.25)
    y = s.para(22, y + 9, "Tôi cam kết: bản thân không thuộc diện pháp luật cấm kinh doanh; không đồng thời là chủ hộ kinh doanh "
               "khác; trụ sở thuộc quyền sử dụng hợp pháp của tôi và được sử dụng đúng mục đích theo quy định.", 170, 12, indent=8)
    signer(s, y + 3, "CHỦ HỘ KINH DOANH", p.name, p.number)
    return s


def tax_sheet(dpi: int, case: Case, key: object) -> Sheet:
    s, p = new(dpi, key), case.who
    y = title(s, header(s, 24), "BẢNG KÊ THÔNG TIN ĐĂNG KÝ THUẾ") + 4
    rows = [["STT", "Chỉ tiêu", "Nội dung kê khai"]]
    for i, (a, b) in enumerate([("Mã số thuế (số định danh)", p.number), ("Ngày bắt đầu hoạt động", "01/12/2026"),
                                ("Phương pháp tính thuế GTGT", "Trực tiếp trên doanh số"), ("Địa chỉ nhận thông báo", p.address),
                                ("Số lao động dự kiến", "03"), ("Địa điểm kinh doanh khác", "Không"), ("Doanh thu dự kiến năm", "480.000.000 đồng"),
                                ("Diện tích kinh doanh", "62 m²"), ("Giờ bán hàng", "7 h 30 - 21 h 00"), ("Email", "không có")], 1):
        rows.append([str(i), a, b])
    y = s.table(22, y, [14, 66, 90], rows, 11, 10.5, hand_from=2) + 14
    signer(s, y, "Người kê khai", p.name, p.number)
    return s


def lease(dpi: int, case: Case, key: object) -> Sheet:
    """A plain typed contract page: much text."""
    s, p = new(dpi, key), case.who
    y = title(s, header(s, 24), "HỢP ĐỒNG THUÊ NHÀ", "(Làm địa điểm kinh doanh)") + 2
    for t in [f"Hôm nay, ngày 03 tháng 11 năm 2026, tại {COMMUNE}, {PROVINCE}, chúng tôi gồm: Bên A (bên cho thuê): ông Bế Văn Lũng, "
              "thường trú tại xóm 3, và bên B (bên thuê): " + p.name + ", số định danh " + p.number + ", cùng thỏa thuận ký hợp đồng sau đây.",
              "Điều 1. Bên A cho bên B thuê tầng một ngôi nhà số 31, phố Chợ Lâm, diện tích sử dụng 62 mét vuông, có đường điện, nước riêng, "
              "để làm cửa hàng bán lẻ đồ gia dụng. Bên B không được thay đổi kết cấu nhà khi chưa có sự đồng ý bằng văn bản của bên A.",
              "Điều 2. Thời hạn thuê là ba mươi sáu tháng, kể từ ngày 01 tháng 12 năm 2026 đến hết ngày 30 tháng 11 năm 2029. Hết thời hạn, "
              "nếu hai bên còn nhu cầu thì ký phụ lục gia hạn trước ít nhất ba mươi ngày.",
              "Điều 3. Giá thuê là 4.500.000 đồng một tháng (bốn triệu năm trăm nghìn đồng), trả bằng chuyển khoản trong năm ngày đầu của "
              "mỗi quý. Giá thuê chưa gồm tiền điện, tiền nước, tiền vệ sinh.",
              "Điều 4. Bên A bảo đảm quyền sử dụng hợp pháp, không tranh chấp; bên B giữ gìn nhà, bảo đảm an ninh trật tự, phòng cháy chữa "
              "cháy và nghĩa vụ thuế của hoạt động kinh doanh.",
              "Điều 5. Hợp đồng lập thành hai bản có giá trị như nhau, mỗi bên giữ một bản và có hiệu lực từ ngày ký."]:
        y = s.para(24, y, t, 164, 12.2, lead=1.42, indent=9) + 2
    for x, who, nm, k in [(58, "BÊN A", "Bế Văn Lũng", "ben a"), (152, "BÊN B", p.name, p.number)]:
        s.text(x, y + 6, who, 12, "bold", "m")
        s.signature(x, y + 20, 32, key=k)
        s.text(x, y + 38, nm, 12.5, "bold", "m")
    return s
