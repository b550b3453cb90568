"""The invented people, places and dossiers. Serials 999xxx of the personal numbers are far beyond
any that a registry has issued for one birth year, so that no number here is anyone's."""

import unicodedata
from dataclasses import dataclass, field

OFFICE = "H40.17.5"
DAY = "261121"
PROCEDURES = {
    "khai_sinh": ("1.001193", "Đăng ký khai sinh"),
    "hon_nhan": ("1.004873", "Cấp Giấy xác nhận tình trạng hôn nhân"),
    "dat_dai": ("1.012756", "Đăng ký biến động, chuyển mục đích sử dụng đất"),
    "ho_kinh_doanh": ("1.001612", "Đăng ký thành lập hộ kinh doanh"),
}
COMMUNE, PROVINCE = "xã Ngọc Lâm", "tỉnh Ninh Bình"
SEAL = ("ỦY BAN NHÂN DÂN XÃ NGỌC LÂM", "MẪU/THỬ NGHIỆM")


@dataclass(frozen=True)
class Person:
    number: str
    name: str
    birth: str  # dd/mm/yyyy
    sex: str
    address: str
    issued: str = "12/08/2021"
    expiry: str = "20/05/2030"
    origin: str = "Ngọc Lâm, Ninh Bình"
    father: str = ""
    mother: str = ""
    spouse: str = ""
    old_number: str = ""
    marks: str = "Nốt ruồi cách 2 cm dưới đuôi mắt trái"
    ethnicity: str = "Kinh"
    religion: str = "Không"

    @property
    def phone(self) -> str:
        """Of a range that no network gives out."""
        return "0100" + self.number[-6:]

    def card_qr(self) -> str:
        """The seven fields of the 2021 card."""
        flat = lambda d: d.replace("/", "")  # noqa: E731
        return "|".join([self.number, self.old_number, self.name, flat(self.birth), self.sex, self.address, flat(self.issued)])


def fold(s: str) -> str:
    """Letters as the machine readable zone writes them: no marks, upper case, đ is D."""
    s = unicodedata.normalize("NFD", s.replace("đ", "d").replace("Đ", "D"))
    return "".join(c for c in s if not unicodedata.combining(c)).upper()


PEOPLE = {
    "batch-3": Person("036191999101", "Lương Thị Khuê Trang", "20/05/1991", "Nữ", "Xóm 4, Ngọc Lâm, Ninh Bình",
                      father="Lương Đình Hoạch", mother="Vũ Thị Nhiên", spouse="Tống Gia Khiêm", expiry="20/05/2031"),
    "batch-4": Person("036088999204", "Đinh Quang Thược", "03/11/1988", "Nam", "Xóm 7, Ngọc Lâm, Ninh Bình",
                      issued="25/04/2021", expiry="03/11/2028", father="Đinh Quang Lẫm", mother="Hoàng Thị Ngát",
                      spouse="Kiều Thị Nhã Uyển", old_number="169990204", marks="Sẹo chấm cách 1 cm trên đầu lông mày phải"),
    "batch-5": Person("040302999307", "Mạc Thị Thùy Dưỡng", "14/02/2002", "Nữ", "Số 9, đường Đê, Ngọc Lâm, Ninh Bình",
                      issued="30/03/2022", expiry="14/02/2027", origin="Ngọc Sơn, Nghệ An", father="Mạc Văn Ruộng",
                      mother="Ngô Thị Ái Duyên", spouse="Cù Đức Thưởng"),
    "1-1": Person("036095999011", "Tạ Đăng Khoát", "09/09/1995", "Nam", "Xóm 2, Ngọc Lâm, Ninh Bình", father="Tạ Đăng Ngoạn"),
    "1-2": Person("036171999022", "Nghiêm Thị Thoàn", "17/01/1971", "Nữ", "Xóm 11, Ngọc Lâm, Ninh Bình", spouse="Doãn Văn Quýnh"),
    "1-3": Person("036085999033", "Cấn Hữu Bường", "28/06/1985", "Nam", "Số 31, phố Chợ Lâm, Ngọc Lâm, Ninh Bình"),
    "2-1": Person("022193999044", "Khuất Thị Mỹ Huyền", "11/12/1993", "Nữ", "Xóm 5, Ngọc Lâm, Ninh Bình", spouse="Lã Tiến Vượng"),
    "2-2": Person("036066999055", "Phùng Bá Lượng", "02/04/1966", "Nam", "Xóm 1, Ngọc Lâm, Ninh Bình", spouse="Giáp Thị Chuyên"),
}


@dataclass(frozen=True)
class Case:
    serial: int
    kind: str
    who: Person
    child: str = ""
    child_birth: str = ""
    child_sex: str = "Nam"
    extra: dict = field(default_factory=dict)

    @property
    def code(self) -> str:
        return f"{OFFICE}-{DAY}-{self.serial:04d}"

    @property
    def procedure(self) -> tuple[str, str]:
        return PROCEDURES[self.kind]


CASES = {
    "1-1": Case(1, "hon_nhan", PEOPLE["1-1"]),
    "1-2": Case(2, "dat_dai", PEOPLE["1-2"], extra={"thửa": "218", "tờ": "14", "dt": "312,5"}),
    "1-3": Case(3, "ho_kinh_doanh", PEOPLE["1-3"], extra={"tên": "CẤN BƯỜNG GIA DỤNG"}),
    "2-1": Case(4, "khai_sinh", PEOPLE["2-1"], "Lã Khuất Bảo Nhiên", "02/11/2026", "Nữ"),
    "2-2": Case(5, "dat_dai", PEOPLE["2-2"], extra={"thửa": "77", "tờ": "9", "dt": "540,0"}),
    "batch-3": Case(6, "khai_sinh", PEOPLE["batch-3"], "Tống Lương Đăng Khải", "30/10/2026", "Nam"),
    "batch-4": Case(7, "khai_sinh", PEOPLE["batch-4"], "Đinh Kiều Uyển Nhi", "07/11/2026", "Nữ"),
    "batch-5": Case(8, "khai_sinh", PEOPLE["batch-5"], "Cù Mạc Phước Thịnh", "11/11/2026", "Nam"),
}
