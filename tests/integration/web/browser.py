"""A browser without scripts: keeps cookies, follows forms, and reads what it is shown."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urlencode

from tests.integration.api.site import TENANT, Site, key


class Browser:
    """Signed in with a key of this role, unless with none."""

    def __init__(self, site: Site, role: str | None = "operate", tenant: str = TENANT) -> None:
        self.site = site
        self.client = site.client()
        if role is not None:
            response = self.client.post("/sign-in", data={"key": key(role, tenant)})
            assert response.status_code == 303, response.text

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(path, **options)

    def post(self, path: str, **fields: Any) -> Any:
        """Send a form of a page that was given to this session."""
        return self.client.post(path, data={"csrf_token": self.csrf(), **fields})

    def csrf(self) -> str:
        found = re.search(r'name="csrf-token" content="([0-9a-f]{64})"', self.get("/sessions").text)
        assert found is not None
        return found[1]

    def text(self, path: str, **query: Any) -> str:
        """What a page says, without its tags."""
        response = self.get(path + (f"?{urlencode(query)}" if query else ""))
        assert response.status_code == 200, response.text
        return words(response.text)


def words(page: str) -> str:
    """The words of a page, as somebody reads them."""
    told = re.sub(r"</?(?:data|time)\b[^>]*>", "", page)
    told = re.sub(r"<(?:style|script)\b.*?</(?:style|script)>|<[^>]*>", " ", told)
    return re.sub(r"\s+", " ", html.unescape(told))
