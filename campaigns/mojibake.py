"""Text that was decoded as what it is not: `ZoÃ«` for `Zoë`, `Ìîñêâà` for `Москва`. Told, and never stored unseen.

A list's bytes rarely say in which encoding they are. Where a list has names of people in it, text that was read by
the wrong one looks like no language: letters of one half of the alphabet in a row, signs within words. UTF-8 that
was decoded as Windows-1252 can be turned back; the rest is told by how often letters beyond ASCII follow each other,
which they seldom do in the languages that Windows-1252 is for.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from campaigns.errors import quoted
from campaigns.import_notes import ImportNotes

_WORD = re.compile(r"\S+")
_UTF8_READ_AS_CP1252 = re.compile(
    "[\u00c2-\u00df][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u2122]"
)
# Within a word of a western language: letters of ISO 8859-15, and the apostrophe.
_FOREIGN = re.compile("[^\x00-\x7fÀ-ÖØ-öø-ÿŒœŠšŸŽž]")
_ALLOWED_BESIDE = "’‘–—€£°ªº«»“”„…\u00a0•©®™§´¿¡½¼¾²³µ·×¢¥"
_SIGN_IN_FRONT = re.compile("[\u00a2-\u00a9\u00ac-\u00bc][^\\W\\d_]")
_RUN = re.compile("[\u00c0-\u00ff\u0152\u0153\u0160\u0161\u0178\u017d\u017e]{3,}")
_ALL_BEYOND = re.compile(
    "[\u00a8\u00aa\u00af\u00b2-\u00b4\u00b8\u00ba-\u00ff\u0152\u0153\u0160\u0161\u0178\u017d\u017e]+"
)
_OTHER_ALPHABETS = ("cp1251", "cp1253", "cp1255", "cp1256")
_MOST_LOOKED_AT = 1_000
"""So many cells beyond ASCII tell what a list is; its other cells are looked at for UTF-8 alone."""
_ICELANDIC = frozenset("\u00de\u00fe\u00d0\u00f0\u00dd\u00fd")


def looks_western(words: Iterable[str]) -> bool:
    """Whether words that Windows-1252 made of bytes are what somebody wrote in a western language."""
    odd = whole = 0
    for word in words:
        if word.isascii():
            continue
        whole += 1
        odd += _is_odd(word)
    return odd * 2 <= whole and not (whole and odd == whole)


def _is_odd(word: str) -> bool:
    if _RUN.search(word):
        return True
    letters = [one for one in word if one.isalpha()]
    beyond = [one for one in letters if not one.isascii()]
    if len(beyond) * 2 > len(letters) and len(letters) > 2:
        return True
    if sum(one in _ICELANDIC for one in word) > 1:
        return True
    if _SIGN_IN_FRONT.search(word):
        return True
    inner = word.strip(_ALLOWED_BESIDE + ".,;:!?()'\"")
    return _FOREIGN.search(inner.replace("\u2019", "")) is not None


def looks_natural(words: Iterable[str]) -> bool:
    """Whether words of any language are what somebody wrote: letters of one script each, in an ordinary case."""
    odd = whole = 0
    for word in words:
        letters = [one for one in word if one.isalpha()]
        whole += 1
        signs = [one for one in word.strip(_ALLOWED_BESIDE) if not one.isascii() and not one.isalnum()]
        odd += any(unicodedata.category(one) not in ("Mn", "Mc", "Cf", "Lm", "So") for one in signs)
        odd += len({_script(one) for one in letters}) > 1
        cased = "".join(one for one in letters if one.isupper() != one.islower())
        odd += re.search("[a-z][A-Z]{2}", _case_of(cased)) is not None
    return odd * 4 <= whole


def script_of(words: Iterable[str]) -> str:
    """The script of the first letter beyond ASCII, as Unicode calls it."""
    return next((_script(one) for word in words for one in word if one.isalpha() and not one.isascii()), "")


def _case_of(letters: str) -> str:
    return "".join("A" if one.isupper() else "a" for one in letters)


def _script(letter: str) -> str:
    name = unicodedata.name(letter, "").partition(" ")[0]
    return "CJK" if name in {"CJK", "HIRAGANA", "KATAKANA", "HALFWIDTH", "KATAKANA-HIRAGANA"} else name


def twice_encoded(text: str) -> str | None:
    """What `text` says where it is UTF-8 that was decoded as Windows-1252 and encoded again; None of other text."""
    if text.isascii() or not _UTF8_READ_AS_CP1252.search(text):
        return None
    try:
        return text.encode("cp1252").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return None


def of_another_alphabet(word: str) -> str | None:
    """What a word says where it is of another alphabet and was decoded as Windows-1252 and encoded again; None of
    other words. No word of a western language has three letters or more and all of them beyond ASCII."""
    if len(word) < 3 or not _ALL_BEYOND.fullmatch(word):
        return None
    try:
        bytes_of_it = word.encode("cp1252")
    except UnicodeEncodeError:
        return None
    for codec in _OTHER_ALPHABETS:
        meant = bytes_of_it.decode(codec, "replace")
        if meant.isalpha() and "\ufffd" not in meant and looks_natural([meant]):
            return meant
    return None


@dataclass(slots=True)
class Misread:
    """Looks at the cells of a list for text that was decoded as what it is not; one sentence for each column."""

    _sentences: dict[str, str] = field(default_factory=dict)
    _looked_at: int = 0

    def look(self, cells: Mapping[str, str]) -> None:
        """Look at cells by the names of their columns."""
        for name, cell in cells.items():
            if not cell.isascii() and name not in self._sentences:
                self._look(name, cell, name)

    def warn(self, notes: ImportNotes) -> None:
        """Note what was found, in the list's column names, too."""
        for column in notes.custom:
            self._look(f"header {column.header}", column.header, "the header")
        for sentence in self._sentences.values():
            notes.warn(sentence)

    def _look(self, place: str, text: str, called: str) -> None:
        how, meant = "encoded twice", twice_encoded(text)
        if meant is None and self._looked_at < _MOST_LOOKED_AT:
            self._looked_at += 1
            words = [word.strip(_ALLOWED_BESIDE + ".,;:!?()") for word in words_beyond_ascii(text)]
            found = map(of_another_alphabet, words)
            how, meant = "read as Windows-1252", next((one for one in found if one is not None), None)
        if meant is not None:
            self._sentences[place] = (
                f"{called} holds {quoted(text)}, which looks like {quoted(meant)} {how}; it is kept as it stands: "
                f"export the list as UTF-8 again if that is wrong"
            )


def words_beyond_ascii(text: str) -> list[str]:
    """The words of a text that have a letter or sign beyond ASCII in them."""
    return [word for word in _WORD.findall(text) if not word.isascii()]
