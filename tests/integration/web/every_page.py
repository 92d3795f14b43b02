"""Every page of the board, by the routes that it has: a new page is among them by itself, or the test asks for what
stands in its address."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import product
from urllib.parse import quote

from flask import Flask
from werkzeug.routing import Rule

FOLLOWED_ONCE = "board.follow_link"
"""Its address is spent by whoever opens it."""
VARIANTS = {
    "/": ("?status=failed", "?name=nothing"),
    "/suppressions": ("?number=%2B12025550199",),
    "/campaigns/{campaign_id}/contacts": ("?number=1", "?status=failed", "?disposition=busy&order=newest"),
}
"""Of a page that looks otherwise with another question."""


def addresses(app: Flask, values: Mapping[str, list[str]]) -> Iterator[str]:
    """The address of each page and part of a page that a browser may ask for, with each of the `values` of what is
    named in it. Raises KeyError for a name that has none."""
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.startswith("board.") or "GET" not in (rule.methods or ()):
            continue
        if rule.endpoint in ("board.static", FOLLOWED_ONCE) or rule.rule.endswith(".svg"):
            continue
        names = sorted(rule.arguments)
        for chosen in product(*(_offered(rule, name, values) for name in names)):
            given = dict(zip(names, chosen, strict=True))
            path = rule.rule
            while "<" in path:
                start = path.index("<")
                path = f"{path[:start]}{{}}{path[path.index('>') + 1 :]}"
            in_order = sorted(names, key=lambda name: _place(rule.rule, name))
            address = path.format(*(quote(given[name], safe="") for name in in_order))
            yield address
            for query in VARIANTS.get(_named(rule.rule), ()):
                yield address + query


def is_page(text: str) -> bool:
    """Whether an answer is a whole page, and no part of one."""
    return text.lstrip().lower().startswith("<!doctype html>")


def _offered(rule: Rule, name: str, values: Mapping[str, list[str]]) -> list[str]:
    one_of = re.search(rf"<any\(([^)]*)\):{name}>", rule.rule)
    return sorted(one_of[1].split(", ")) if one_of else values[name]


def _place(text: str, name: str) -> int:
    return min(at for at in (text.find(f"<{name}>"), text.find(f":{name}>")) if at >= 0)


def _named(text: str) -> str:
    return text.replace("<", "{").replace(">", "}")
