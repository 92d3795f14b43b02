"""Reads an originate the way FreeSWITCH does: three passes, each eating quotes and escapes.

Written from observed behaviour, and kept apart from the code that escapes, so that the two can disagree.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "s": " "}


@dataclass
class Dialled:
    """What a node makes of the arguments of an originate."""

    variables: dict[str, str] = field(default_factory=dict)
    legs: str = ""
    applications: list[tuple[str, str]] = field(default_factory=list)
    dialplan: str = ""


def read_originate(line: str) -> Dialled:
    """Parse `bgapi originate <aleg> <extension> <dialplan>`; raises AssertionError where FreeSWITCH refuses."""
    assert line.startswith("bgapi originate ")
    words = split(line.removeprefix("bgapi originate "), " ")
    assert len(words) == 3, words
    aleg, extension, dialplan = words
    assert ":_:" not in aleg, "several legs, each with a thread of its own"
    closing = closing_brace(aleg)
    dialled = Dialled(legs=aleg[closing + 1 :], dialplan=dialplan, applications=read_inline(extension))
    assignments = split(aleg[1:closing], ",")
    assert len(assignments) <= 1024, "the rest would be lost"
    for assignment in assignments:
        parts = split(assignment, "=", at_most=2)
        if len(parts) == 2 and not refers_to_variable(parts[1]):
            dialled.variables[parts[0]] = parts[1]
    return dialled


def read_inline(extension: str) -> list[tuple[str, str]]:
    """The applications of an inline extension with their arguments."""
    delimiter = ","
    if extension[:2] == "m:" and extension[3:4] == ":":
        delimiter, extension = extension[2], extension[4:]
    steps = [step.partition(":") for step in split(extension, delimiter)]
    return [(name.lstrip(" "), argument) for name, _, argument in steps]


def closing_brace(text: str) -> int:
    """Where the brace that opens `text` closes: quotes and escapes do not count."""
    assert text.startswith("{")
    depth = 0
    for index, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return index
    raise AssertionError("no closing brace")


def split(text: str, delimiter: str, at_most: int = 0) -> list[str]:
    """One pass: cut at the delimiter outside quotes and escapes, then clean each piece."""
    if text.startswith("^^") and len(text) > 3:
        delimiter, text = text[2], text[3:]
    pieces: list[str] = []
    start, index, quoted = 0, 0, False
    while index < len(text):
        if at_most and len(pieces) == at_most - 1:
            break
        character = text[index]
        if character == "\\":
            index += 1
        elif character == "'" and (quoted or delimiter == " " or "'" in text[index + 1 :]):
            quoted = not quoted
        elif character == delimiter and not quoted:
            pieces.append(text[start:index])
            while delimiter == " " and text[index + 1 : index + 2] == " ":
                index += 1
            start = index + 1
        index += 1
    if start < len(text):
        pieces.append(text[start:])
    return [clean(piece, delimiter) for piece in pieces]


def clean(piece: str, delimiter: str) -> str:
    """What is left of a piece: no outer blanks, no quotes, escapes undone once."""
    text = piece.lstrip(" ")
    kept: list[str] = []
    end, index, quoted = 0, 0, False
    while index < len(text):
        character, following = text[index], text[index + 1 : index + 2]
        if character == "\\" and following and (following in "'\"\\nrts" or following == delimiter.strip()):
            kept.append(_LETTERS.get(following, following))
            end = len(kept)
            index += 2
            continue
        if character == "'" and (quoted or "'" in text[index + 1 :]):
            quoted = not quoted
            if quoted:
                end = len(kept)
        else:
            kept.append(character)
            if character != " " or quoted:
                end = len(kept)
        index += 1
    return "".join(kept[:end] if end else kept)


def refers_to_variable(value: str) -> bool:
    """Whether FreeSWITCH drops the variable because its value seems to name another."""
    after_dollar = False
    for character in value:
        if character == "$":
            after_dollar = True
        elif after_dollar and character == "{":
            return True
        elif character != "\\":
            after_dollar = False
    return False
