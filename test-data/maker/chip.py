"""The files of a card's chip for an invented person: EF.COM, DG1 (TD1 zone), DG2 (ISO 19794-5), DG13.
Nothing is signed here: the country's signer is minted elsewhere."""

from .papers import encode_small_jpeg, portrait
from .people import Person, fold


def tlv(tag: str, value: bytes) -> bytes:
    n = len(value)
    length = bytes([n]) if n < 0x80 else (lambda b: bytes([0x80 | len(b)]) + b)(n.to_bytes((n.bit_length() + 7) // 8, "big"))
    return bytes.fromhex(tag) + length + value


def check_digit(s: str) -> str:
    """ICAO 9303-3, 4.9: weights 7 3 1; A is 10, < is 0."""
    value = lambda c: 0 if c == "<" else int(c) if c.isdigit() else ord(c) - 55  # noqa: E731
    return str(sum(value(c) * (7, 3, 1)[i % 3] for i, c in enumerate(s)) % 10)


def _yymmdd(d: str) -> str:
    day, month, year = d.split("/")
    return year[2:] + month + day


def mrz(p: Person) -> list[str]:
    """Three lines of thirty: the number's last nine digits are the document number, all twelve stand in
    the optional data."""
    doc = p.number[-9:]
    one = f"IDVNM{doc}{check_digit(doc)}{p.number}".ljust(30, "<")
    born, until = _yymmdd(p.birth), _yymmdd(p.expiry)
    two = f"{born}{check_digit(born)}{'F' if p.sex == 'Nữ' else 'M'}{until}{check_digit(until)}VNM".ljust(29, "<")
    two += check_digit(one[5:30] + two[0:7] + two[8:15] + two[18:29])
    surname, *given = fold(p.name).split()
    return [one, two, f"{surname}<<{'<'.join(given)}".ljust(30, "<")[:30]]


def dg1(p: Person) -> bytes:
    return tlv("61", tlv("5F1F", "".join(mrz(p)).encode("ascii")))


def dg2(p: Person) -> bytes:
    width, height = 240, 312
    image = encode_small_jpeg(portrait(p, width, height))
    info = (bytes(2) + bytes([2 if p.sex == "Nữ" else 1, 0, 0]) + bytes(3) + bytes(2) + bytes(3) + bytes(3)  # facial information
            + bytes([1, 0]) + width.to_bytes(2, "big") + height.to_bytes(2, "big") + bytes([1, 2]) + bytes(2) + bytes(2))
    face = (4 + len(info) + len(image)).to_bytes(4, "big") + info + image
    record = b"FAC\0" + b"010\0" + (14 + len(face)).to_bytes(4, "big") + (1).to_bytes(2, "big") + face
    header = tlv("A1", tlv("80", b"\x01\x01") + tlv("81", b"\x02") + tlv("82", b"\x00") + tlv("87", b"\x01\x01") + tlv("88", b"\x00\x08"))
    return tlv("75", tlv("7F61", tlv("02", b"\x01") + tlv("7F60", header + tlv("5F2E", record))))


def dg13(p: Person) -> bytes:
    """Numbered fields of the Vietnamese card: 1 number ... 13 parents; 15 chip serial, 16 old number."""
    text = lambda s: tlv("0C", s.encode())  # noqa: E731
    fields: list[tuple[int, bytes]] = [(i, text(v)) for i, v in enumerate(
        [p.number, p.name, p.birth, p.sex, "Việt Nam", p.ethnicity, p.religion, p.origin, p.address, p.marks, p.issued, p.expiry], 1)]
    fields.append((13, tlv("30", text(p.father) + text(p.mother))))
    fields += [(14, text(p.spouse)), (16, text(p.old_number))]
    entries = b"".join(tlv("30", tlv("02", bytes([n])) + v) for n, v in fields)
    return tlv("6D", tlv("30", tlv("31", entries)))


def com() -> bytes:
    return tlv("60", tlv("5F01", b"0107") + tlv("5F36", b"040000") + tlv("5C", bytes([0x61, 0x75, 0x6D])))


def files(p: Person) -> dict[str, bytes]:
    return {"COM.bin": com(), "DG1.bin": dg1(p), "DG2.bin": dg2(p), "DG13.bin": dg13(p)}
