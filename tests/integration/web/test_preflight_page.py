"""The forecast of a campaign: the API's figures, in words, with nothing dialled."""

from __future__ import annotations

import pytest

from tests.integration.api.site import OTHER, Site
from tests.integration.web import hostile
from tests.integration.web.browser import Browser
from tests.integration.web.statements import MOST_STATEMENTS, counted
from web.preflight_page import span

MOST_OF_A_FORECAST = 14
"""The API itself asks a dozen for it, of a list of any length that is looked at in one piece."""


def test_it_says_who_is_called_when_and_how_long_it_takes(site: Site) -> None:
    campaign_id, browser = site.create(3, name=hostile.NAME), Browser(site)
    told = site.post(f"/campaigns/{campaign_id}/preflight").json
    path = f"/campaigns/{campaign_id}/preflight"
    assert f'href="{path}"' in browser.get(f"/campaigns/{campaign_id}").text
    for page in (path, f"{path}/part"):
        assert hostile.written_as_it_is(browser.get(page).text) == []
    assert "Looking at the list" in browser.text(path)
    said = browser.text(f"{path}/part")
    assert f"{told['contacts']['now']} called at once" in said
    assert "Start it" in browser.text(path)
    assert ("It takes about" in said) == (told["ends_at"] is not None)
    assert "Start it" not in Browser(site, "read").text(path)
    for page in (path, f"{path}/part"):
        assert Browser(site, "operate", OTHER).get(page).status_code == 404
    assert site.get(f"/campaigns/{campaign_id}").json["status"] == "draft"


def test_the_page_asks_little_and_its_forecast_what_the_api_asks(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id, browser = site.create(40), Browser(site)
    asked = counted(monkeypatch)
    assert browser.get(f"/campaigns/{campaign_id}/preflight").status_code == 200
    assert 0 < len(asked) <= MOST_STATEMENTS
    asked.clear()
    assert browser.get(f"/campaigns/{campaign_id}/preflight/part").status_code == 200
    assert 0 < len(asked) <= MOST_OF_A_FORECAST, asked


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, ""), (0, "0 min"), (20, "1 min"), (18_900, "5 h 15 min"), (3600, "1 h"), (266_400, "3 days 2 h")],
)
def test_how_long_is_said(seconds: int | None, said: str) -> None:
    assert span(seconds).striptags() == said
