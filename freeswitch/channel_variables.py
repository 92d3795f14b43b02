"""Channel variables that carry a list's columns: their names, and values that arrive as they were uploaded.

A dial-string variable runs through three un-escaping passes inside FreeSWITCH (split on blanks, on commas, on
`=`), and an unescaped comma in it can run a shell command on the node. So every value is escaped three times here,
and what no escaping carries unchanged is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from freeswitch.errors import CommandRefused

MAX_LIST_VARIABLE_BYTES: Final = 4096
VARIABLE_PREFIX: Final = "carillon_"

_LIST_VARIABLE: Final = re.compile(rf"{VARIABLE_PREFIX}[0-9a-z_]{{1,128}}")
# Tab and line breaks travel escaped; nothing else below the space does.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_VARIABLE_REFERENCE: Final = re.compile(r"\$\\*\{")

_PASS_ASSIGN: Final = str.maketrans(
    {"\\": r"\\", "'": r"\'", "=": r"\=", " ": r"\s", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
)
_PASS_COMMA: Final = str.maketrans({"\\": r"\\", "'": r"\'", ",": r"\,"})
_PASS_BLANK: Final = str.maketrans({"\\": r"\\", "'": r"\'"})

# What the three make of a character, whatever is beside it. The backslash comes first: the others' escapes hold some.
_ESCAPED: Final = [
    (character, character.translate(_PASS_ASSIGN).translate(_PASS_COMMA).translate(_PASS_BLANK))
    for character in map(chr, _PASS_BLANK | _PASS_COMMA | _PASS_ASSIGN)
]


def refusal(value: str) -> str | None:
    """Why `value` cannot be a channel variable of a call; None when it arrives unchanged.

    Tabs and line breaks travel escaped and arrive as they are: a dialplan may not write such a variable into a SIP
    header or a request. No other control character gets through.
    """
    if _CONTROL.search(value):
        return "holds a control character"
    if ":_:" in value:
        return "holds :_:, which separates legs"
    if _VARIABLE_REFERENCE.search(value):
        return "holds ${, which starts a variable"
    if not _balanced(value):
        return "holds a { or } without its partner"
    if value.startswith("ARRAY::"):
        return "starts with ARRAY::, which makes a list of it"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "holds half a character"
    return None


def escape(value: str) -> str:
    """Write `value` so that FreeSWITCH's three passes over `{name=value,...}` give it back.

    Only for values that `refusal` lets through.
    """
    for character, escaped in _ESCAPED:  # `replace` passes over what it does not find at the speed of memchr
        value = value.replace(character, escaped)
    return value


def list_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Those of a list's columns that a call carries.

    Raises CommandRefused for a name or a value that may not travel, and for more than MAX_LIST_VARIABLE_BYTES.
    """
    carried: dict[str, str] = {}
    size = 0
    for name, value in variables.items():
        if not _LIST_VARIABLE.fullmatch(name):
            raise CommandRefused("variable", name, f"{VARIABLE_PREFIX} and 1 to 128 of 0-9 a-z _")
        rule = refusal(value)
        if rule is not None:
            raise CommandRefused(name, value, rule)
        # FreeSWITCH has no empty variables: an assignment without a value is none.
        if value:
            carried[name] = value
            size += len(name) + len(value.encode())
    if size > MAX_LIST_VARIABLE_BYTES:
        raise CommandRefused(
            "variables", f"{size} bytes", f"at most {MAX_LIST_VARIABLE_BYTES} bytes for a call"
        )
    return carried


def _balanced(value: str) -> bool:
    if "{" not in value and "}" not in value:
        return True
    depth = 0
    for character in value:
        if character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if depth < 0:
                return False
    return depth == 0
