"""What a gateway's dial string may be: one leg, without options, that runs nothing; the number stands in it once.

The dialer checks again what it sends; this is the same rule, told to the operator when the gateway is saved.
"""

from __future__ import annotations

import re

MAX_CHARACTERS = 200
RULE = (
    "it must be one leg without options that runs nothing, in which {number} or {digits} stands once,"
    " such as sofia/gateway/carrier/{number}"
)

_PLACEHOLDER = re.compile(r"\{(?:number|digits)\}")
_LEG = re.compile(r"[a-z]+(?:/[0-9A-Za-z_.:@;=+*#-]+)+")
# As the dialer's: what may run an application or name a dialplan.
_RUNS = re.compile(r"(?!sofia/)[a-z]+/.*[=:;].*|loopback/[^/]*/[^/]*/.*")
_SAMPLE = "15550000"


def is_dial_string(template: str) -> bool:
    """Whether `template`, with a number in its place, is an endpoint that an originate may carry."""
    filled, numbers = _PLACEHOLDER.subn(_SAMPLE, template)
    return (
        len(template) <= MAX_CHARACTERS
        and numbers == 1
        and _LEG.fullmatch(filled) is not None
        and ":_:" not in filled
        and not _RUNS.fullmatch(filled)
    )
