"""Which column of a list without a phone_number column probably holds the numbers: by its cells, then by its name."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence

from anyascii import anyascii

from campaigns.column_names import PHONE_COLUMN, name_words
from campaigns.errors import NumberRefused, quoted
from campaigns.numbers import phone_number

SAMPLE_ROWS = 50

# Whole words, as people call such a column; of scripts that set no spaces, parts of a name.
_WORDS = frozenset(
    """
    phone phones phonenumber telephone tel telno cell cellphone cellular mobile mobilephone mob msisdn contactnumber
    contactno contactnum e164 whatsapp landline callerid gsm
    ph telefon telefonnummer telefonnr telnr rufnummer rufnr mobilfunknummer festnetznummer kontakttelefon
    rückrufnummer handy handynummer handynr mobil mobilnummer mobiltelefon festnetz
    tfno telefónico telefonico telefono teléfono telefonos teléfonos celular móvil movil
    tél téléphone telephones portable fixe
    fone telefone telemóvel telemovel
    cellulare
    telefoon telefoonnummer mobiel mobieltje telefonnummer telefonszám mobiltelefonnummer puhelin puhelinnumero
    matkapuhelin telefonu komórka komórkowy kom
    телефон телефона телефоны тел мобильный моб сотовый мобільний τηλέφωνο κινητό
    cep telefonu telefonní telefón telefónne telefoni tlf telp điện thoại telepon hp
    טלפון נייד سلفون هاتف الهاتف جوال الجوال موبايل الموبايل المحمول تلفن تلفون
    التليفون फ़ोन फोन मोबाइल दूरभाष นัมเบอร์
    """.casefold().split()  # sorted by language
)
# They say nothing of what is numbered (a customer is, too); alone, it may be the number that is called.
_NEUTRAL = frozenset(
    """
    number numbers num nr no nummer numer numero número numéro номер numara nomor số رقم नंबर číslo
    of de di du do da van
    """.split()  # noqa: SIM905
)
_PARTS = (
    "电话",
    "手机",
    "電話",
    "手機",
    "携帯",
    "联系方式",
    "연락처",
    "号码",
    "番号",
    "전화",
    "휴대폰",
    "핸드폰",
    "โทรศัพท์",
    "เบอร์",
)
_OTHER_WORDS = frozenset(
    """
    fax telefax type label count verified extension ext zip postal postcode code id date time country note notes
    account order invoice house street номерзаказа
    """.split()  # noqa: SIM905
)
_DIGITS = re.compile(r"\d+")
_LOOKS_LIKE_ONE = re.compile(r"\+?[\d ().-]{7,}")
# Columns that are separated by none of the marks that a list may have.
_APART = re.compile(rf".*\b{PHONE_COLUMN} *([^\w\s'\"]|  +|[\x1c-\x1f])")
_CLOSE = 0.75


def no_phone_message(
    names: Sequence[str],
    rows: Sequence[Sequence[str]] = (),
    region: str | None = None,
    what: str = "column",
) -> str:
    """The sentence for a list without the one column that it must have, with the likeliest remedy.

    `rows` are some of its rows' cells; `what` is what the list calls a column.
    """
    lacks = f"contacts has no {PHONE_COLUMN} {what}, which is required"
    if any(_LOOKS_LIKE_ONE.fullmatch(name) for name in names):
        return (
            f"contacts has no header row: its first row is data, and it must name the columns, "
            f"{PHONE_COLUMN} among them"
        )
    apart = _apart(names)
    if apart is not None:
        mark = _mark_shown(apart)
        return f"{lacks}: its columns are separated by {mark}; separate them by commas, semicolons or tabs"
    found = likely_phone_column(names, rows, region)
    if found is not None:
        letters = "" if found.isascii() or not _close(found) else ", which has letters of another script,"
        return f"{lacks}; if the numbers are in {quoted(found)}{letters} name that {what} {PHONE_COLUMN}"
    listed = ", ".join(quoted(name) for name in names[:8]) + (", …" if len(names) > 8 else "")
    return f"{lacks}; its {what}s are {listed or 'none'}: name the one that holds the numbers {PHONE_COLUMN}"


def _apart(names: Sequence[str]) -> str | None:
    """The mark that stands between the columns of a list which was read as one column."""
    apart = _APART.match(names[0]) if len(names) == 1 else None
    return None if apart is None else apart[1]


def _mark_shown(mark: str) -> str:
    if not mark.strip(" "):
        return "spaces"
    return quoted(mark) if mark.isprintable() else f"the control character U+{ord(mark):04X}"


def likely_phone_column(
    names: Sequence[str], rows: Sequence[Sequence[str]], region: str | None
) -> str | None:
    """The column whose cells are numbers, one that is called so before others; of an empty list, one called so.

    None of a list whose columns were not told apart: its only cells are whole rows.
    """
    if _apart(names) is not None:
        return None
    numbers = [_numbers(index, rows, region) for index in range(len(names))]
    called = [_called_so(name) for name in names]
    order = sorted(range(len(names)), key=lambda index: (called[index], numbers[index]), reverse=True)
    for index in order:
        if (
            names[index].strip()
            and numbers[index] > 0
            and (called[index] or _mostly(index, rows, numbers[index]))
        ):
            return names[index]
    if any(numbers):
        return None
    return next((names[index] for index in order if called[index]), None)


def _called_so(name: str) -> int:
    """2 of a name with the words alone, 1 of one with others or a mistake in it, 0 of another."""
    name = unicodedata.normalize("NFKC", name)
    words = [word for written in name_words(name) for word in _DIGITS.split(written) if word]
    if any(word in _OTHER_WORDS for word in words):
        return 0
    if any(part in name for part in _PARTS):
        return 2
    found = [word in _WORDS for word in words if word not in _NEUTRAL]
    if (found and all(found)) or "".join(words) in _WORDS:
        return 2
    return 1 if any(found) or (words and not found) or _close(name) else 0


def _close(name: str) -> bool:
    plain = re.sub(r"[^a-z0-9]+", "_", anyascii(name).lower()).strip("_")
    return bool(difflib.get_close_matches(PHONE_COLUMN, [plain], n=1, cutoff=_CLOSE))


def _numbers(index: int, rows: Sequence[Sequence[str]], region: str | None) -> int:
    return sum(_is_number(row[index], region) for row in rows[:SAMPLE_ROWS] if index < len(row))


def _mostly(index: int, rows: Sequence[Sequence[str]], numbers: int) -> bool:
    filled = sum(1 for row in rows[:SAMPLE_ROWS] if index < len(row) and row[index].strip())
    return numbers * 2 > filled


def _is_number(cell: str, region: str | None) -> bool:
    try:
        phone_number(cell, region)
    except NumberRefused:
        return False
    return True
