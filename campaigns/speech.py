"""Text as it is spoken: what the switch's readers of an argument would take for a sign of their own, in words.

A name with an apostrophe and a price with a dollar sign are ordinary, so no text is refused for them: every word
stays, and a sign becomes its word, a typographic sister of it, or a pause. Pure.
"""

from __future__ import annotations

import re
import unicodedata

_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "sen", "sen"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "₽": ("rouble", "roubles", "kopeck", "kopecks"),
}
_SIGN = f"[{''.join(_CURRENCIES)}]"
_NUMBER = r"[0-9]+(?:[,'\u2019 ][0-9]{3})*"
# A price with its sign before or behind it; cents are two digits behind the point.
_PRICE = re.compile(
    rf"(?P<before>{_SIGN}) ?(?P<a>{_NUMBER})(?:\.(?P<a_cents>[0-9]{{2}})(?![0-9]))?"
    rf"|(?P<b>{_NUMBER})(?:\.(?P<b_cents>[0-9]{{2}}))? ?(?P<behind>{_SIGN})"
)
_WORDS = {
    "&": " and ",
    "%": " percent ",
    "@": " at ",
    "#": " number ",
    "+": " plus ",
    "=": " equals ",
    "°": " degrees ",
} | {sign: f" {names[1]} " for sign, names in _CURRENCIES.items()}
_SISTERS = {"'": "\u2019", "`": "\u2019", "\u00b4": "\u2019", '"': " "}
_GAPS = dict.fromkeys("^~_*\\{}<>", " ")
_PAUSES = dict.fromkeys("()[]|", ", ")
_TABLE = str.maketrans(_WORDS | _SISTERS | _GAPS | _PAUSES)
_UNSPEAKABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SPACES = re.compile(r"\s+")
_PAUSE = re.compile(r"(?: *,)+(?= )| +(?=[,.;:!?])")
_AT_THE_ENDS = " ,"


def speakable(text: str) -> str:
    """`text` with every word of it, and nothing in it that a reader of a switch's argument would act on.

    `O'Brien` is `O’Brien`, `Ann (work)` is `Ann, work`, `$5 due` is `5 dollars due`, `R&D` is `R and D`.
    """
    plain = _UNSPEAKABLE.sub(" ", unicodedata.normalize("NFC", text))
    plain = _SPACES.sub(" ", _PRICE.sub(_price, plain).translate(_TABLE))
    return _PAUSE.sub(lambda found: "," if "," in found[0] else "", plain).strip(_AT_THE_ENDS)


def _price(found: re.Match[str]) -> str:
    sign, whole = found["before"] or found["behind"], found["a"] or found["b"]
    cents = found["a_cents"] or found["b_cents"] or "00"
    one, more, cent, many = _CURRENCIES[sign]
    said = f"{whole} {one if whole == '1' else more}"
    if cents.strip("0"):
        said += f" and {int(cents)} {cent if int(cents) == 1 else many}"
    return f" {said} "
