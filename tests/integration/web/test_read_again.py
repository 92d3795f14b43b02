"""Parts of pages that are read again by themselves: what is in them keeps its name, and nobody is told of a clock."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser

from tests.integration.api.site import Site
from tests.integration.web.browser import Browser
from tests.integration.web.every_page import addresses, is_page
from tests.integration.web.test_every_page import known

REACHED = {"a", "button", "summary", "select", "textarea", "details"}
"""What somebody may be on, or has opened."""
LIVE = ("status", "alert", "log")
VOID = {"br", "img", "input", "link", "meta", "source"}
CLOCKS = re.compile(r"as of|\d\d:\d\d")


class Elements(HTMLParser):
    """The elements of a page, each with those that it stands in, and the words in those that are read out."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[tuple[str, Mapping[str, str | None]]] = []
        self.within: list[list[tuple[str, Mapping[str, str | None]]]] = []
        self.read_out: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.within.append([*self.open, (tag, dict(attrs))])
        if tag not in VOID:
            self.open.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if any(name == tag for name, _ in self.open):
            while self.open.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        if any(live(attributes) for _, attributes in self.open) and data.strip():
            self.read_out.append(data.strip())


def live(attributes: Mapping[str, str | None]) -> bool:
    """Whether a change of what is in there is read out."""
    return attributes.get("role") in LIVE or attributes.get("aria-live") in ("polite", "assertive")


def seen(site: Site) -> dict[str, str]:
    """Every page and part of a page, by its address."""
    values = known(site)
    site.post("/halt", role="admin", json={})
    site.post(
        "/gateways", role="platform", json={"name": "Paused", "dial_string": "sofia/gateway/x/{number}"}
    )
    site.sql("UPDATE gateway SET paused_at = now(), probe_at = now() RETURNING id")
    site.sql("UPDATE campaign SET import_invalid = 1 RETURNING id")
    browser = Browser(site, "platform")
    return {
        address: answer.text
        for address in addresses(site.app, values)
        if (answer := browser.get(address, follow_redirects=True)).status_code == 200
    }


def test_whatever_one_may_be_on_in_a_part_has_a_name_of_its_own(site: Site) -> None:
    """By it the page finds it again once the part was read anew."""
    parts = found = 0
    for address, text in seen(site).items():
        elements, names = Elements(text), list[str | None]()
        for *around, (tag, attributes) in elements.within:
            names.append(attributes.get("id") or None)
            part = not is_page(text) or any("data-part" in outer for _, outer in around)
            field = tag == "input" and attributes.get("type") != "hidden"
            if part and (tag in REACHED or field):
                found += 1
                assert attributes.get("id"), (address, tag, attributes)
        parts += not is_page(text)
        given = [name for name in names if name]
        assert len(given) == len(set(given)), (address, given)
    assert (parts >= 8, found > 40) == (True, True), (parts, found)


def test_a_clock_stands_in_nothing_that_is_read_out(site: Site) -> None:
    pages = seen(site)
    says = 0
    for address, text in pages.items():
        elements = Elements(text)
        for *around, (tag, attributes) in elements.within:
            if any(live(outer) for _, outer in around):
                assert tag != "time", address
                assert "data-every" not in attributes, address
            if "data-every" in attributes and attributes.get("data-every") != "86400":
                assert not live(attributes), address
            says += attributes.get("id") == "live-says"
        for words in elements.read_out:
            assert not CLOCKS.search(words), (address, words)
    # The list, each campaign's page, the cluster, the halt and an erasure.
    assert says == len([one for one in pages.values() if 'id="live"' in one]) >= 5
    assert 'id="halt-state" role="status"' in pages["/halt/now"]
