"""The pictures of the documentation: which pages of a seeded board, and by what names they lie in docs/board."""

from __future__ import annotations

PAGES = (
    ("campaigns", "/"),
    ("campaign", "/campaigns/{running}"),
    ("call-again", "/campaigns/{over}/again"),
    ("person", "/campaigns/{running}/contacts/{person}"),
    ("settings", "/campaigns/{running}/settings"),
    ("new-campaign", "/campaigns/new"),
    ("people", "/campaigns/{running}/contacts"),
    ("calls", "/campaigns/{running}/calls?disposition=answered"),
    ("number", "/people?number=%2B12025550102"),
    ("cluster", "/cluster"),
    ("do-not-call", "/suppressions"),
    ("usual-rules", "/defaults"),
    ("panic", "/halt"),
    ("reports", "/reports?days=365&zone=America/New_York"),
)
LIST_DOCTOR = "list-doctor"
"""The page of a new campaign, once a list was looked at."""
LIST = """\
first_name,Mobile,appointment
Ada Byron,(202) 555-0101,Thursday at 9
Grace Hopper,+1 202 555 0102,Thursday at 10
Siobhán O’Neill,202-555-0110,Thursday at 11
Edsger D.,202 555 0103 / 0104,Friday at 9
Annie Easley,12/03/2026,Friday at 10
Mary Jackson,n/a,Friday at 11
Ada Byron,12025550101,Thursday at 9
Katherine J.,+44 20 7946 0958,Friday at 14
"""
PHONE = "-phone"
"""After the name, as a telephone has it."""
FILES = frozenset(f"{name}{look}.png" for name, _ in (*PAGES, (LIST_DOCTOR, "")) for look in ("", PHONE))
