"""Puts the board into the application: its pages, what their templates know, and Bootstrap's own files."""

from __future__ import annotations

from typing import Final

from flask import Flask
from flask_bootstrap import Bootstrap5

from web import (
    breaker_page,
    call_again_page,
    calls_page,
    campaign_list,
    campaign_page,
    campaign_settings,
    cluster_page,
    contact_pages,
    defaults_page,
    gateway_page,
    halt_page,
    list_doctor,
    new_campaign,
    number_page,
    pace_page,
    pages,
    preflight_page,
    reports_page,
    settings_pages,
    sign_in,
    suppression_pages,
    tenant_pages,
    trial_pages,
)
from web.blueprint import blp
from web.local_clocks import there
from web.refusal_words import by_words
from web.report_words import percent
from web.sentences import figure
from web.showing import lasting, timed
from web.words import blocked_sentence, cause_words, state_chip

NAVIGATION: Final = (
    ("board.campaigns", "Campaigns", "read"),
    ("board.people", "Find a number", "read"),
    ("board.suppressions", "Do not call", "read"),
    ("board.reports", "Reports", "read"),
    ("board.agents", "Set up", "read"),
    ("board.cluster", "Cluster", "platform"),
)
"""What the frame leads to, and the role that may go there."""
SET_UP: Final = (
    ("board.agents", "Agents", "read"),
    ("board.numbers", "Numbers", "read"),
    ("board.limits", "Limits", "read"),
    ("board.defaults", "Defaults", "read"),
    ("board.keys", "Keys", "admin"),
    ("board.tenants", "Tenants", "platform"),
)
"""The pages of what campaigns are made from, which lead to each other: the first stands for all in the frame."""
SET_UP_PAGES: Final = frozenset(endpoint for endpoint, _, _ in SET_UP)
DONE_WORDS: Final = {
    "started": "Started. The first calls leave within a second.",
    "paused": "Paused. No further call starts; those in progress end by themselves.",
    "resumed": "It goes on.",
    "stopped": "Stopped for good. Who was not called is cancelled; calls in progress end by themselves.",
    "stopped-hangup": "Stopped for good, and its calls are ended.",
    "deleted": "Deleted. Its calls stay counted.",
    "saved": "Saved.",
    "gone": "Gone.",
    "again": "They are called again, within the campaign’s hours.",
    "scheduled": "Made. It starts by itself at its time.",
    "cloned": "Made, as a draft. Start it when it may call.",
    "person-retry": "Called as soon as somebody’s turn comes.",
    "person-back": "Back in: called as soon as the turn comes.",
    "person-out": "Taken out: not called any more.",
    "person-callback": "Called back then, before everybody else who is due.",
    "person-added": "Added to the list: the newest of those below.",
    "suppressed": "Not called any more, from now on.",
    "erasing": "The number is not called any more. What is kept of the person is being erased.",
    "exempt": "No breaker holds its calls any more. They leave within a second.",
    "lifted": "The halt is lifted. Running campaigns go on.",
}
"""What a page says of the form that led to it, by the word in its address."""
FILTERS: Final = {
    "timed": timed,
    "figure": figure,
    "there": there,
    "lasting": lasting,
    "state_chip": state_chip,
    "blocked_sentence": blocked_sentence,
    "by_words": by_words,
    "cause_words": cause_words,
    "percent": percent,
}
PAGES: Final = (
    breaker_page, call_again_page, calls_page, campaign_list, campaign_page, campaign_settings, cluster_page,
    contact_pages, defaults_page, gateway_page, halt_page, list_doctor, new_campaign, number_page, pace_page, pages,
    preflight_page, reports_page, settings_pages, sign_in, suppression_pages, tenant_pages, trial_pages,
)  # fmt: skip
"""Imported for the routes that they add."""


def register(app: Flask) -> None:
    """Serve the board from `app`, with nothing from elsewhere."""
    app.config["BOOTSTRAP_SERVE_LOCAL"] = True
    Bootstrap5(app)
    app.jinja_env.filters |= FILTERS
    app.jinja_env.globals |= {
        "navigation": NAVIGATION,
        "set_up": SET_UP,
        "set_up_pages": SET_UP_PAGES,
        "done_words": DONE_WORDS,
    }
    app.register_blueprint(blp)
