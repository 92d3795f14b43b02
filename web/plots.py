"""How the board's plots look: SVG images that the server draws, with no script, seen on white as on a dark ground."""

from __future__ import annotations

from typing import Any, Final
from xml.etree.ElementTree import Element

from flask import Response

from web.plot_library import pygal

DARK: Final = """inline:
@media (prefers-color-scheme: dark) {
  {{ id }}text { fill: #a8b2ba !important; }
  {{ id }}.axis .guides, {{ id }}.axis .line { stroke: #333d43 !important; }
}"""
STYLES: Final = ("file://style.css", "file://graph.css", DARK)
COLOURS: Final = ("#12877f", "#b07a1c")
FONT: Final = "system-ui, sans-serif"
NO_STYLES_BUT_ITS_OWN: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""A plot is an image of its own, with no script and with the styles that are in it."""


def look(**options: Any) -> dict[str, Any]:
    """The options that every chart has, and those of this one."""
    style = pygal.style.Style(
        background="transparent", plot_background="transparent", opacity=options.pop("opacity", ".16"),
        colors=options.pop("colours", COLOURS), foreground="#55606a", foreground_strong="#55606a",
        foreground_subtle="#9aa3a0", guide_stroke_color="#9aa3a0", major_guide_stroke_color="#9aa3a0",
        guide_stroke_dasharray="1,5", major_guide_stroke_dasharray="1,5", font_family=FONT, label_font_size=13,
        major_label_font_size=13, legend_font_size=14,
    )  # fmt: skip
    return {
        "explicit_size": False,
        "js": [],
        "css": [*STYLES],
        "style": style,
        "truncate_label": -1,
        "margin": 6,
        "pretty_print": False,
        "disable_xml_declaration": False,
    } | options


def rendered(chart: Any) -> bytes:
    """The image."""
    chart.add_xml_filter(_without_scripts)
    image: bytes = chart.render()
    return image


def image_response(image: bytes) -> Response:
    """What an address of a plot answers with."""
    response = Response(image, content_type="image/svg+xml")
    response.headers["Content-Security-Policy"] = NO_STYLES_BUT_ITS_OWN
    response.headers["Cache-Control"] = "private, max-age=60"
    return response


def _without_scripts(root: Element) -> Element:
    """An image runs none, and this one is for a script that is not there."""
    for parent in root.iter():
        for child in [child for child in parent if str(child.tag).endswith("script")]:
            parent.remove(child)
    return root
