"""Puts the board into the application: its pages, what their templates know, and Bootstrap's own files."""

from __future__ import annotations

from typing import Final

from flask import Flask
from flask_bootstrap import Bootstrap5

from web import (
    campaign_list,
    campaign_page,
    cluster_page,
    contact_pages,
    halt_page,
    new_campaign,
    pages,
    settings_pages,
    sign_in,
)
from web.blueprint import blp
from web.showing import lasting, plain_time, rfc3339
from web.words import blocked_sentence, cause_words, state_chip

NAVIGATION: Final = (
    ("board.campaigns", "Campaigns", "read"),
    ("board.agents", "Agents", "read"),
    ("board.numbers", "Numbers", "read"),
    ("board.limits", "Limits", "read"),
    ("board.keys", "Keys", "admin"),
    ("board.cluster", "Cluster", "platform"),
)
"""What the frame leads to, and the role that may go there."""
DONE_WORDS: Final = {
    "started": "Started. The first calls leave within a second.",
    "paused": "Paused. No further call starts; those in progress end by themselves.",
    "resumed": "It goes on.",
    "stopped": "Stopped for good. Who was not called is cancelled; calls in progress end by themselves.",
    "stopped-hangup": "Stopped for good, and its calls are ended.",
    "deleted": "Deleted. Its calls stay counted.",
    "saved": "Saved.",
    "gone": "Gone.",
    "lifted": "The halt is lifted. Running campaigns go on.",
}
"""What a page says of the form that led to it, by the word in its address."""
FILTERS: Final = {
    "rfc3339": rfc3339,
    "plain_time": plain_time,
    "lasting": lasting,
    "state_chip": state_chip,
    "blocked_sentence": blocked_sentence,
    "cause_words": cause_words,
}
PAGES: Final = (
    campaign_list, campaign_page, cluster_page, contact_pages, halt_page, new_campaign, pages, settings_pages,
    sign_in,
)  # fmt: skip
"""Imported for the routes that they add."""


def register(app: Flask) -> None:
    """Serve the board from `app`, with nothing from elsewhere."""
    app.config["BOOTSTRAP_SERVE_LOCAL"] = True
    Bootstrap5(app)
    app.jinja_env.filters |= FILTERS
    app.jinja_env.globals |= {"navigation": NAVIGATION, "done_words": DONE_WORDS}
    app.register_blueprint(blp)
