"""The page at /docs: reads the OpenAPI document and tries the API from it. Needs nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, abort

blp = Blueprint("docs", __name__)

FOLDER = Path(__file__).parent / "docs_page"
TYPES = {
    "index.html": "text/html; charset=utf-8",
    "docs.css": "text/css; charset=utf-8",
    "docs.js": "text/javascript; charset=utf-8",
}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
FILES = {name: (FOLDER / name).read_bytes() for name in TYPES}


@blp.get("/docs")
def page() -> Response:
    """The page."""
    return _file("index.html")


@blp.get("/docs/<name>")
def part(name: str) -> Response:
    """What the page is made of."""
    if name not in FILES:
        abort(404)
    return _file(name)


def _file(name: str) -> Response:
    return Response(FILES[name], content_type=TYPES[name], headers=HEADERS)
