"""The list doctor: what an upload would do, shown before anything of it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flask import Response
from markupsafe import Markup

from web.ask import Refused, forwarded
from web.blueprint import blp
from web.pages import fragment, page
from web.policy_words import by_place
from web.sentences import counted, figure, sentence

USES: Final[Mapping[str, str]] = {
    "number": "the number that is called",
    "further_number": "called where the numbers before it do not answer",
    "custom_field": "travels with the call",
    "country": "the country of the number; travels with the call",
    "area_code": "the area code of the number; travels with the call",
    "time_zone": "the person’s time zone; travels with the call",
    "consent_at": "when the person agreed to be called",
    "consent_source": "where the person agreed to be called",
}
REPEATS: Final[Mapping[str, str]] = {
    "number": "One number on several rows: a switchboard, or something that fills gaps?",
    "person": "Rows that differ in the number alone: one person with several?",
}
DELIMITERS: Final[Mapping[str, str]] = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


@blp.post("/campaigns/doctor")
@page("operate")
def doctor() -> Response:
    """What would become of the list of a form that a script of its page sends."""
    try:
        found = forwarded("/campaigns/preview")
    except Refused as error:
        return fragment("doctor.html", {"fault": error.sentence, "found": None})
    values = {
        "fault": None,
        "found": found,
        "headline": headline(found),
        "columns": [(column, USES.get(column["used_for"], "")) for column in found["columns"]],
        "repeats": [(repeat, REPEATS.get(repeat["what"], "")) for repeat in found["repeats"]],
        "read_as": read_as(found),
        "places": by_place(found["policy"]) if found["policy"] else [],
    }
    return fragment("doctor.html", values)


def headline(found: Mapping[str, Any]) -> Markup:
    """What would become of the rows, in a sentence."""
    parts = [
        sentence("{} {}", figure(found[name]), words)
        for name, words in (
            ("duplicates", "repeated"),
            ("invalid", "that cannot be called"),
            ("suppressed", "not to be called"),
            ("recent", "called lately"),
            ("cancelled", "never open to a call in these hours"),
        )
        if found[name]
    ]
    taken = found["accepted"] - found["cancelled"]
    people, rows = counted(taken, "person", "people"), counted(found["rows"], "row", "rows")
    left_out = sentence(": {} left out", Markup(", ").join(parts)) if parts else ""
    return sentence("{} would be called, of {}{}.", people, rows, left_out)


def read_as(found: Mapping[str, Any]) -> str:
    """How the file was read; empty of one that says nothing of it."""
    between = DELIMITERS.get(found["delimiter"] or "", "")
    said = [f"in {found['encoding']}"] if found["encoding"] else []
    said += [f"with {between} between its cells"] if between else []
    return f"Read {' '.join(said)}." if said else ""
