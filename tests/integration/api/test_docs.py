"""The page at /docs: whole, alone, and closed to anything from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api.routes.docs import FOLDER
from tests.integration.api.site import Site

ELSEWHERE = re.compile(r"(?:https?:)?//[a-z]", re.IGNORECASE)


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/docs", "text/html; charset=utf-8"),
        ("/docs/docs.js", "text/javascript; charset=utf-8"),
        ("/docs/docs.css", "text/css; charset=utf-8"),
    ],
)
def test_each_part_is_served_without_a_key_under_a_strict_policy(
    site: Site, path: str, content_type: str
) -> None:
    response = site.client().get(path)
    assert (response.status_code, response.content_type) == (200, content_type)
    policy = dict(
        part.strip().split(" ", 1) for part in response.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert {policy["script-src"], policy["style-src"], policy["connect-src"]} == {"'self'"}
    assert {policy["base-uri"], policy["form-action"], policy["frame-ancestors"]} == {"'none'"}
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/docs/", "/docs/index.html/..", "/docs/..%2fdocs.py", "/docs/nothing.js"])
def test_nothing_else_is_served(site: Site, path: str) -> None:
    response = site.client().get(path)
    assert response.status_code == 404
    assert response.text.endswith("is not a path of this service.")


def parts() -> list[Path]:
    found = sorted(FOLDER.iterdir())
    assert [part.name for part in found] == ["docs.css", "docs.js", "index.html"]
    return found


def test_the_page_names_no_other_site_and_writes_no_markup() -> None:
    for part in parts():
        text = part.read_text()
        lines = [
            line for line in text.splitlines() if ELSEWHERE.search(line) and not line.strip().startswith("//")
        ]
        assert lines == [], part.name
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|\bon\w+=|style=", text
        )


def test_everything_the_page_asks_for_is_there(site: Site) -> None:
    page = site.client().get("/docs").text
    asked = re.findall(r'(?:src|href)="([^"#]+)"', page)
    own = {"/docs/docs.js", "/docs/docs.css", "/api/v1/openapi.json"}
    assert own | {"/board/static/icon.svg"} == set(asked)
    for path in asked:
        with site.client().get(path) as response:
            assert response.status_code == 200, path
    script = site.client().get("/docs/docs.js").text
    ids = re.findall(r'getElementById\("([a-z-]+)"\)', script)
    assert ids
    assert all(f'id="{name}"' in page for name in ids)


def test_every_input_has_a_label() -> None:
    page = (FOLDER / "index.html").read_text()
    inputs = re.findall(r"<(?:input|select|textarea)\b", page)
    assert len(inputs) == len(re.findall(r"<label[^>]*>[^<]+<(?:input|select|textarea)\b", page)) == 1
    assert '<html lang="en">' in page


def test_on_a_telephone_nothing_is_wider_than_the_page() -> None:
    """No browser is asked: the rules that keep long paths, words and tables within 390 px are there."""
    css = (FOLDER / "docs.css").read_text(encoding="utf-8")
    assert 'name="viewport" content="width=device-width' in (FOLDER / "index.html").read_text(
        encoding="utf-8"
    )
    assert re.search(r"code \{[^}]*overflow-wrap: anywhere", css)
    assert re.search(r"th, td \{[^}]*overflow-wrap: anywhere", css)
    upright = css.partition("@media (max-width: 30rem)")[2]
    assert re.search(r"table, tbody, tr, th, td \{ display: block", upright)
    # What has a width of its own may be no wider than its place.
    for rule in re.findall(r"\{([^}]*)\}", css):
        if re.search(r"(?:^|;)\s*width: \d+rem", rule):
            assert "max-width: 100%" in rule, rule
