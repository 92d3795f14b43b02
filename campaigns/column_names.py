"""Names of a list's columns, and of the channel variables that carry them to a call.

Each column keeps the name that its list gives it and gets a variable that no other has: a name of any script is
written in Latin letters (`Имя` travels as `carillon_imya`), and where two would be the same the later one gets a
number. A column without a name, or with another's, is kept under a name of ours. `import.columns` says which is
which.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from anyascii import anyascii

from campaigns.errors import ListRefused, quoted

PHONE_COLUMN = "phone_number"
MOST_NUMBERS = 5
"""Numbers of one contact, the first among them."""
FURTHER_COLUMNS = tuple(f"{PHONE_COLUMN}_{place}" for place in range(2, MOST_NUMBERS + 1))
"""The columns of a contact's further numbers, in the order in which they are tried."""
_FURTHER = {
    f"{name}_{place}": FURTHER_COLUMNS[place - 2]
    for name in (PHONE_COLUMN, "phone")
    for place in range(2, MOST_NUMBERS + 1)
}
MAX_COLUMN_NAME = 64
VARIABLE_PREFIX = "carillon_"
MOST_OF_A_VARIABLE = 100
"""Characters of a variable's own name: a suffix has room behind it in the 128 that a switch is given."""

ZONE_COLUMN = "timezone"
_NOT_A_LETTER = re.compile(r"[\W_]+")
_NOT_IN_VARIABLE = re.compile("[^a-z0-9_]")
_NOT_IN_NAME = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_WHITE = re.compile("[\t\n\r\v\f]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")


@dataclass(frozen=True, slots=True)
class ListColumn:
    """A column of a list: its header as it was written, the name under which it is kept, and its variable."""

    header: str
    name: str
    variable: str


def name_words(name: str) -> list[str]:
    """The words of a column's name, in lower case: of letters and digits, with the marks that letters of some scripts
    are written with (देश)."""
    text = _CAMEL.sub(" ", unicodedata.normalize("NFKC", name)).casefold()
    return "".join(
        one if one.isalnum() or unicodedata.category(one)[0] == "M" else " " for one in text
    ).split()


def variable_name(column: str) -> str:
    """The channel variable that carries a column by itself: `Order-ID` travels as `carillon_order_id`."""
    text = (column if column.isascii() else anyascii(column)).strip() or "_"
    return VARIABLE_PREFIX + _NOT_IN_VARIABLE.sub("_", text.lower())[:MOST_OF_A_VARIABLE]


def is_phone_column(written: str) -> bool:
    """Whether a header is `phone_number`: in any case and width, whatever invisible signs are in it."""
    return _plain(written) == PHONE_COLUMN


def number_column(written: str) -> str | None:
    """Which of a contact's numbers a header is for, `phone_number` or one of FURTHER_COLUMNS (`phone_2` is
    `phone_number_2`), written in the same ways; None for what is no number's."""
    plain = _plain(written)
    return plain if plain == PHONE_COLUMN else _FURTHER.get(plain)


def is_number_column(name: str) -> bool:
    """Whether a column, by the name under which it is kept, has numbers to be called."""
    return name == PHONE_COLUMN or name in FURTHER_COLUMNS


def _plain(written: str) -> str:
    if len(written) > MAX_COLUMN_NAME:
        return ""
    return unicodedata.normalize("NFKC", _INVISIBLE.sub("", written)).strip().lower()


def is_zone_column(name: str) -> bool:
    """Whether a column's name is `time_zone`, as people write it: `Time Zone`, `timezone`."""
    return _NOT_A_LETTER.sub("", name.casefold()) == ZONE_COLUMN


def column_name(written: str) -> str:
    """The name of a column as it is kept: trimmed, on one line, and `phone_number` in lower case.

    Raises ListRefused (bad_column) for a name that is empty, too long or has control characters.
    """
    if is_phone_column(written):
        return PHONE_COLUMN
    name = _WHITE.sub(" ", written.replace("\ufeff", "").replace("\u200b", "")).strip()
    if not name:
        raise ListRefused("bad_column", "contacts has a column without a name; every column needs one")
    if len(name) > MAX_COLUMN_NAME:
        raise ListRefused(
            "bad_column",
            f"contacts has a column name of {len(name)} characters, {quoted(name)}; "
            f"at most {MAX_COLUMN_NAME} are allowed: shorten it",
        )
    if _NOT_IN_NAME.search(name):
        raise ListRefused(
            "bad_column",
            f"contacts has a column name with control characters in it, {quoted(name)}; take them out",
        )
    return name


def merged(known: Sequence[ListColumn], more: Iterable[ListColumn]) -> list[ListColumn]:
    """The columns that a campaign has, and behind them those of another list that are new, each with a variable that
    no other has. A column of the same name is the same column."""
    found = {column.name: column for column in known}
    taken = {column.variable for column in known}
    for column in more:
        if column.name not in found:
            variable = _other(variable_name(column.name), taken, "_", None)
            taken.add(variable)
            found[column.name] = ListColumn(column.header, column.name, variable)
    return list(found.values())


class ColumnNames:
    """The columns of one list, in the order in which they are met; without `further` numbers `phone_number_2` is a
    column like any other."""

    def __init__(self, *, further: bool = True) -> None:
        self._further = further
        self.columns: list[ListColumn] = []
        self.variables: dict[str, str] = {}
        """By the name of a column, its variable."""
        self._taken: set[str] = set()

    def add(self, written: str) -> str:
        """The name under which the next column is kept. Raises ListRefused: bad_column, duplicate_column."""
        unnamed = not _INVISIBLE.sub("", written).strip()
        name = f"column_{len(self.columns) + 1}" if unnamed else self.name_of(written)
        number = self.is_number(name)
        if number and name in self.variables:
            raise ListRefused(
                "duplicate_column",
                f"contacts has more than one {name} column; keep the one that is to be called, "
                f"and name the others differently",
            )
        name = _other(name, self.variables.keys(), " ", MAX_COLUMN_NAME)
        # The number itself is no variable of a call.
        variable = "" if number else _other(variable_name(name), self._taken, "_", None)
        self._taken.add(variable)
        self.variables[name] = variable
        self.columns.append(ListColumn(written.strip(), name, variable))
        return name

    def name_of(self, written: str) -> str:
        """The name under which a column is kept, before it is looked whether another has it. Raises as `add`."""
        number = number_column(written) if self._further else None
        return column_name(written) if number is None else number

    def is_number(self, name: str) -> bool:
        """Whether the column of this name has numbers to be called."""
        return is_number_column(name) if self._further else name == PHONE_COLUMN


def _other(wanted: str, taken: Container[str], between: str, most: int | None) -> str:
    """`wanted`, or it with the first number behind it that makes it another than those taken."""
    found, count = wanted, 1
    while found in taken:
        count += 1
        ending = f"{between}{count}"
        found = wanted[: None if most is None else most - len(ending)] + ending
    return found
