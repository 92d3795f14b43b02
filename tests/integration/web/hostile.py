"""Names that would do something where a page writes them as they are."""

from __future__ import annotations

NAME = """<script>alert(1)</script>"><img src=x onerror=alert(1)>' onfocus=alert(1) {{7*7}} javascript:alert(1)"""
"""Marked by its brackets, quotes and braces: on a page none of them may stand as they do here."""
COLUMN = NAME[:55]
"""As long as a column's name may be."""
RAW = ("<script>alert", '"><img src=x', "' onfocus", "{{7*7}}<", ">49<")


def written_as_it_is(page: str) -> list[str]:
    """What of the name stands in a page's source unescaped."""
    return [part for part in RAW if part in page]
