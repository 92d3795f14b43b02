"""Reading `originate` arguments the way FreeSWITCH reads them, un-escape pass by un-escape pass.

Called by the simulator's `originate`. The point is fidelity, faults included: what would inject a variable, a
leg or an option on a real node does so here, so that a test of the escaping proves something. Pure: text in,
values out. Source of the rules: what a real node did with them, as recorded (`tests/recordings.tar.xz`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

USAGE = (
    "-USAGE: <call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>] "
    "[<cid_name>] [<cid_num>] [<timeout_sec>]\n"
)
MAX_VARIABLES = 1024  # more in one {} are dropped silently
ENTERPRISE = ":_:"

_SPECIAL = re.compile(r"(\\.|')", re.DOTALL)
_BRACKETS = {"{": re.compile(r"[{}]"), "[": re.compile(r"[\[\]]"), "<": re.compile(r"[<>]")}
_DOLLAR = re.compile(r"\$+\{")
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "s": " "}


def _unescaped(pair: str, delimiter: str) -> str | None:
    """What the two characters backslash + x stand for, or None when the backslash is an ordinary character."""
    letter = pair[1]
    if letter in "'\"\\" or letter == delimiter:
        return letter
    return _LETTERS.get(letter)


def clean(text: str, delimiter: str = "") -> str:
    """Strip blanks, quotes and escapes from one separated word."""
    text = text.lstrip(" ")
    if "\\" not in text and "'" not in text:
        return text.rstrip(" ")
    kept: list[str] = []
    pending: list[str] = list(reversed(_SPECIAL.split(text)))
    last_quote = text.rfind("'")
    position = 0
    quoted = False
    length = end = 0
    while pending:
        piece = pending.pop()
        if not piece:
            continue
        value = piece
        if piece[0] == "\\" and len(piece) == 2:
            meaning = _unescaped(piece, delimiter)
            if meaning is None:
                # An ordinary backslash; the character behind it is ordinary too, and read on its own.
                pending.append(piece[1])
                piece = "\\"
            value = meaning or "\\"
            end = length + 1
        elif piece == "'" and (quoted or position < last_quote):
            quoted = not quoted
            if quoted:
                end = length
            value = ""
        elif quoted:
            end = length + len(piece)
        elif stripped := piece.rstrip(" "):
            end = length + len(stripped)
        position += len(piece)
        kept.append(value)
        length += len(value)
    return "".join(kept)[:end]


def _cuts(text: str, delimiter: str, lone_quote_opens: bool) -> Iterator[int]:
    """Positions of the delimiters outside quotes and escapes."""
    quoted = False
    position = 0
    last_quote = text.rfind("'")
    for piece in _SPECIAL.split(text):
        if piece == "'":
            if quoted or lone_quote_opens or position < last_quote:
                quoted = not quoted
        elif not (len(piece) == 2 and piece[0] == "\\") and not quoted:
            found = piece.find(delimiter)
            while found >= 0:
                yield position + found
                found = piece.find(delimiter, found + 1)
        position += len(piece)


def separate(text: str, delimiter: str, limit: int = MAX_VARIABLES) -> list[str]:
    """Split at a delimiter other than the blank; the last of `limit` words holds all that is left."""
    if not text:
        return []
    if text.startswith("^^") and len(text) > 3:
        delimiter, text = text[2], text[3:]
    plain = "\\" not in text and "'" not in text
    if plain:
        found = text.split(delimiter, limit - 1)
    else:
        found = []
        start = 0
        for cut in _cuts(text, delimiter, lone_quote_opens=False):
            if len(found) == limit - 1:
                break
            found.append(text[start:cut])
            start = cut + 1
        found.append(text[start:])
    if not found[-1]:
        found.pop()
    return [word.strip(" ") for word in found] if plain else [clean(word, delimiter) for word in found]


def words(text: str, limit: int = 10) -> list[str]:
    """Split a command line at blanks (the first un-escape pass)."""
    if "\\" not in text:
        if "'" not in text:
            return [word for word in text.split(" ") if word][:limit]
        if text.count("'") % 2 == 0:
            return _words_of_quoted(text)[:limit]
    found = []
    start = 0
    for cut in _cuts(text, " ", lone_quote_opens=True):
        if cut > start:
            found.append(text[start:cut])
        start = cut + 1
    if start < len(text):
        found.append(text[start:])
    return [clean(word) for word in found[:limit]]


def _words_of_quoted(text: str) -> list[str]:
    """The same for a text whose quotes are all closed and that has no backslash, as most originates are."""
    found: list[str] = []
    word: str | None = None
    for index, part in enumerate(text.split("'")):
        if index % 2:
            word = (word or "") + part
            continue
        first, *others = part.split(" ")
        if first:
            word = (word or "") + first
        for other in others:
            if word is not None:
                found.append(word)
            word = other or None
    if word is not None:
        found.append(word)
    return found


def closing(text: str) -> int:
    """Index of the bracket that closes the one `text` starts with, or -1; quotes and escapes do not count."""
    depth = 0
    for match in _BRACKETS[text[0]].finditer(text):
        depth += 1 if match[0] == text[0] else -1
        if not depth:
            return match.start()
    return -1


def has_expansion(value: str) -> bool:
    """Whether FreeSWITCH would refuse to set this from a dial string ("contains a variable")."""
    return "${" in value and _DOLLAR.search(value) is not None


@dataclass(frozen=True, slots=True)
class Leg:
    """One thing to call: `sofia/gateway/carrier/15550000` is endpoint `sofia`, data `gateway/carrier/15550000`."""

    endpoint: str
    data: str
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Originate:
    """A parsed `originate`: groups are tried one after another, the legs of a group all at once."""

    groups: tuple[tuple[Leg, ...], ...]
    extension: str
    dialplan: str
    context: str
    caller_name: str = ""
    caller_number: str = ""
    timeout: int = 60


class DialStringError(ValueError):
    """The switch would answer with an error before it creates any channel; `reply` is that answer."""

    def __init__(self, reply: str) -> None:
        super().__init__(reply.strip())
        self.reply = reply


def read_variables(text: str, opening: str = "{") -> tuple[dict[str, str], str]:
    """Read every leading `{...}` group (or `[...]`, `<...>`); returns the variables and the rest.

    Raises DialStringError when a group is not closed or nothing follows it.
    """
    found: dict[str, str] = {}
    while text.startswith(opening):
        end = closing(text)
        if end < 0 or end + 1 == len(text):
            raise DialStringError("-ERR DESTINATION_OUT_OF_ORDER\n")
        for item in separate(text[1:end], ","):
            pair = separate(item, "=", 2)
            if len(pair) == 2:
                found[pair[0]] = pair[1]
        text = text[end + 1 :].lstrip(" ")
    return found, text


def _leg(text: str, common: Mapping[str, str]) -> Leg:
    text = text.lstrip(" ")
    variables = common
    if text.startswith("["):
        own, text = read_variables(text, "[")
        variables = {**common, **own}
    endpoint, _, data = text.partition("/")
    return Leg(endpoint, data, variables)


def read_legs(text: str) -> tuple[tuple[Leg, ...], ...]:
    """The groups of legs of a call url."""
    outer: dict[str, str] = {}
    text = text.lstrip(" ")
    if text.startswith("<"):
        outer, text = read_variables(text, "<")
    if ENTERPRISE in text:
        legs: list[Leg] = []
        for part in text.split(ENTERPRISE):
            try:
                legs.extend(leg for group in read_legs(part) for leg in group)
            except DialStringError:
                continue
        if not legs:
            raise DialStringError("-ERR DESTINATION_OUT_OF_ORDER\n")
        return (tuple(Leg(leg.endpoint, leg.data, {**outer, **leg.variables}) for leg in legs),)
    variables, rest = read_variables(text)
    common = {**outer, **variables} if outer else variables
    if "," not in rest and "|" not in rest and "\\" not in rest and "'" not in rest:
        return ((_leg(rest, common),),)
    groups = []
    for group in separate(rest, "|"):
        hidden = _hide_commas(group)
        groups.append(tuple(_leg(leg.replace("\0", ","), common) for leg in separate(hidden, ",")))
    return tuple(groups)


def _hide_commas(text: str) -> str:
    """Commas within `[...]` separate that leg's variables, not legs."""
    start = text.find("[")
    while start >= 0:
        size = closing(text[start:])
        if size < 0:
            break
        inner = text[start : start + size + 1]
        text = text[:start] + inner.replace(",", "\0") + text[start + size + 1 :]
        start = text.find("[", start + size)
    return text


def parse_originate(argument: str) -> Originate:
    """Parse what follows `originate`. Raises DialStringError with the switch's own answer."""
    argv = words(argument)
    if not 2 <= len(argv) <= 7:
        raise DialStringError(USAGE)
    argv = ["" if word.lower() == "undef" else word for word in argv] + [""] * 5
    if not argv[0] or not argv[1]:
        raise DialStringError(USAGE)
    groups = read_legs(argv[0])
    if not groups or not groups[0]:
        raise DialStringError("-ERR DESTINATION_OUT_OF_ORDER\n")
    common = groups[0][0].variables
    return Originate(
        groups=groups,
        extension=argv[1],
        dialplan=argv[2] or "XML",
        context=argv[3] or "default",
        caller_name=argv[4] or common.get("origination_caller_id_name", ""),
        caller_number=argv[5] or common.get("origination_caller_id_number", ""),
        timeout=_timeout(common.get("originate_timeout", ""), argv[6]),
    )


def _timeout(variable: str, argument: str) -> int:
    """Seconds; anything that is not a positive number is ignored and means 60."""
    for text in (variable, argument):
        match = re.match(r"\s*\+?([0-9]{1,9})", text)
        if match and int(match[1]) > 0:
            return int(match[1])
    return 60


def read_applications(extension: str, dialplan: str) -> list[tuple[str, str]] | None:
    """The applications an answered leg runs, as (name, argument); None means: ask a dialplan for `extension`.

    `&app(args)` is cut at the first closing parenthesis; `inline` lists are split at a comma, or at x after `m:x:`.
    """
    if extension.startswith("&") and len(extension) > 1:
        name, _, argument = extension[1:].partition(")")[0].partition("(")
        return [(name, argument)]
    if dialplan.lower() != "inline":
        return None
    delimiter = ","
    if len(extension) > 3 and extension.startswith("m:") and extension[3] == ":":
        delimiter, extension = extension[2], extension[4:]
    items = (item.partition(":") for item in separate(extension, delimiter, 128))
    return [(name.lstrip(" "), argument) for name, _, argument in items]
