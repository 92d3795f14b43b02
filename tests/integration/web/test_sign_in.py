"""Signing in to the board: a cookie that is no key, forms of ours alone, and nothing that outlives its key."""

from __future__ import annotations

import pytest

from api import auth, board_sessions
from api.routes.stream_access import taken
from live.admission import Admission
from models import transaction
from tests.integration.api.site import OTHER, PEPPER, TENANT, Site, key
from tests.integration.web.browser import Browser


@pytest.fixture(autouse=True)
def nothing_is_believed_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the half second in which a key is believed had passed between any two requests."""
    monkeypatch.setattr(auth, "CACHE_SECONDS", 0.0)


def revoke(site: Site, role: str) -> None:
    site.sql("DELETE FROM api_key WHERE tenant_id = %s AND role = %s", TENANT, role)


def test_whoever_is_not_signed_in_is_asked_to_and_then_led_to_where_he_wanted(site: Site) -> None:
    client = site.client()
    response = client.get("/sessions?a=b")
    assert (response.status_code, response.headers["Location"]) == (303, "/sign-in?after=/sessions?a%3Db")
    assert client.get("/").headers["Location"] == "/sign-in"
    form = client.get(response.headers["Location"]).text
    assert 'value="/sessions?a=b"' in form
    for after, where in (("/sessions?a=b", "/sessions?a=b"), ("//evil.example", "/"), ("/\\evil.example", "/"),
                         ("https://evil.example", "/"), ("/\tx", "/"), ("", "/")):  # fmt: skip
        signed = client.post("/sign-in", data={"key": key("read"), "after": after})
        assert (signed.status_code, signed.headers["Location"]) == (303, where)


def test_the_cookie_is_random_closed_to_scripts_and_other_sites_and_stored_as_a_digest(site: Site) -> None:
    response = site.client().post("/sign-in", data={"key": key("read")})
    cookie = response.headers["Set-Cookie"]
    name, _, token = cookie.partition(";")[0].partition("=")
    assert (name, len(token)) == ("carillon_board", 43)
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    stored = str(site.sql("SELECT * FROM board_session"))
    assert token not in stored
    assert key("read") not in cookie + stored + response.headers["Location"]
    over_tls = site.client().post("/sign-in", data={"key": key("read")}, base_url="https://dial.example")
    parts = [part.strip() for part in over_tls.headers["Set-Cookie"].split(";")]
    assert parts[0].startswith("__Host-carillon_board=")
    assert {"Secure", "Path=/"} <= set(parts)
    assert not [part for part in parts if part.startswith("Domain")]


def test_over_https_only_the_cookie_opens_that_no_other_host_can_have_set(site: Site) -> None:
    host, client = "https://dial.example", site.client()
    signed = client.post("/sign-in", data={"key": key("operate")}, base_url=host)
    _, _, token = signed.headers["Set-Cookie"].partition(";")[0].partition("=")
    assert client.get("/", base_url=host).status_code == 200
    assert client.get("/api/v1/campaigns", base_url=host).status_code == 200
    other = site.client()
    other.set_cookie("carillon_board", token, domain="dial.example", secure=True)
    assert other.get("/", base_url=host).status_code == 303
    assert other.get("/api/v1/campaigns", base_url=host).status_code == 401
    csrf = board_sessions.csrf_token(token, PEPPER)
    out = client.post("/sign-out", data={"csrf_token": csrf}, base_url=host)
    taken = [part.strip() for part in out.headers["Set-Cookie"].split(";")]
    assert (out.status_code, taken[0], "Secure" in taken) == (303, "__Host-carillon_board=", True)
    assert client.get("/", base_url=host).status_code == 303


@pytest.mark.parametrize(("given", "status"), [("", 400), ("sk_demo_wrong", 403), ("' OR 1=1 --", 403)])
def test_what_is_no_key_opens_nothing(site: Site, given: str, status: int) -> None:
    response = site.client().post("/sign-in", data={"key": given})
    assert response.status_code == status
    assert "Set-Cookie" not in response.headers
    assert 'role="alert"' in response.text


def test_a_session_ends_with_its_key_with_its_tenant_and_with_its_time(site: Site) -> None:
    by_key, by_time, by_tenant = Browser(site, "operate"), Browser(site, "read"), Browser(site, "read", OTHER)
    for browser in (by_key, by_time, by_tenant):
        assert browser.get("/").status_code == 200
    revoke(site, "operate")
    assert by_key.get("/").status_code == 303
    assert by_key.get("/api/v1/campaigns").status_code == 401
    site.sql("UPDATE board_session SET expires_at = now() WHERE tenant_id = %s", TENANT)
    assert by_time.get("/").status_code == 303
    site.sql("UPDATE tenant SET deleted_at = now() WHERE id = %s", OTHER)
    assert by_tenant.get("/").status_code == 303


def test_nothing_is_changed_without_the_session_s_own_token(site: Site) -> None:
    browser, other = Browser(site), Browser(site)
    for token in ({}, {"csrf_token": ""}, {"csrf_token": other.csrf()}, {"csrf_token": "\u0439"}):
        assert browser.client.post("/halt", data=token).status_code == 403
        assert browser.client.post("/api/v1/halt", headers={"X-CSRF-Token": "x"}).status_code == 403
    assert browser.client.post("/api/v1/halt").status_code == 403
    assert site.sql("SELECT * FROM halt") == []
    assert browser.client.post("/api/v1/halt", headers={"X-CSRF-Token": browser.csrf()}).status_code == 200


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"},
                                     {"Sec-Fetch-Site": "same-site"}, {"Origin": "null"},
                                     {"Origin": "http://["}])  # fmt: skip
def test_a_form_of_another_origin_neither_signs_in_nor_changes_anything(
    site: Site, headers: dict[str, str]
) -> None:
    assert site.client().post("/sign-in", data={"key": key("read")}, headers=headers).status_code == 403
    browser = Browser(site)
    data = {"csrf_token": browser.csrf()}
    assert browser.client.post("/halt", data=data, headers=headers).status_code == 403


def test_sessions_are_listed_and_ended_by_their_owner_and_an_admin_alone(site: Site) -> None:
    reader, admin, stranger = Browser(site, "read"), Browser(site, "admin"), Browser(site, "admin", OTHER)
    ids = {row["role"] + row["tenant_id"]: row["id"] for row in site.sql(
        "SELECT s.id, k.role, s.tenant_id FROM board_session s JOIN api_key k ON k.id = s.api_key_id")}  # fmt: skip
    assert "admin key" not in reader.text("/sessions").partition("Browsers")[2]
    assert "read key" in admin.text("/sessions")
    assert stranger.text("/sessions").count("End") == 1
    for browser, whose in ((reader, "admindemo"), (stranger, "readdemo"), (admin, "adminother")):
        assert browser.post(f"/sessions/{ids[whose]}/end").status_code == 404
    assert admin.post(f"/sessions/{ids['readdemo']}/end").status_code == 303
    assert reader.get("/").status_code == 303
    response = admin.post("/sign-out")
    assert (response.status_code, response.headers["Location"]) == (303, "/sign-in")
    assert site.sql("SELECT id FROM board_session WHERE tenant_id = %s", TENANT) == []


def test_only_the_platform_acts_for_another_tenant(site: Site) -> None:
    platform, admin = Browser(site, "platform"), Browser(site, "admin")
    assert admin.post("/sessions/tenant", tenant=OTHER).status_code == 403
    for unknown in ("nobody", "\0"):
        assert platform.post("/sessions/tenant", tenant=unknown).status_code == 404
    assert f"{TENANT} · platform" in platform.text("/")
    assert platform.post("/sessions/tenant", tenant=OTHER).status_code == 303
    assert f"{OTHER} · platform" in platform.text("/")
    assert len(site.sql("SELECT id FROM board_session")) == 2


def test_no_session_is_opened_for_a_tenant_that_is_not_the_key_s(site: Site) -> None:
    ids = {
        row["role"]: row["id"]
        for row in site.sql("SELECT id, role FROM api_key WHERE tenant_id = %s", TENANT)
    }
    with transaction():
        assert board_sessions.open_session(ids["admin"], "", PEPPER, OTHER) is None
        assert board_sessions.open_session(ids["admin"], "", PEPPER, TENANT) is not None
        assert board_sessions.open_session(ids["platform"], "", PEPPER, OTHER) is not None


def test_a_key_has_so_many_sessions_and_a_browser_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_sessions, "MOST_SESSIONS", 2)
    first, second, other = Browser(site), Browser(site), Browser(site, "read")
    assert second.client.post("/sign-in", data={"key": key("operate")}).status_code == 303
    assert first.get("/").status_code == 200
    third = Browser(site)
    assert [one.get("/").status_code for one in (first, second, third, other)] == [303, 200, 200, 200]


def test_a_link_signs_in_once_within_its_time_and_on_this_machine_alone(site: Site) -> None:
    client, asked = site.client(), {"Authorization": f"Bearer {key('admin')}"}
    link = client.post("/sign-in/link", headers=asked).text
    assert link.startswith("http://localhost/sign-in/link/")
    assert key("admin") not in link
    for headers, address in (({"X-Forwarded-For": "1.2.3.4"}, "127.0.0.1"), ({"Host": "evil.example"}, "127.0.0.1"),
                             ({"Host": "127.0.0.1.evil.example:80"}, "127.0.0.1"), ({}, "192.0.2.1")):  # fmt: skip
        options = {"headers": asked | headers, "environ_base": {"REMOTE_ADDR": address}}
        assert client.post("/sign-in/link", **options).status_code == 403
        assert client.get(link, **options).status_code == 403
    assert client.get("/").status_code == 303
    followed = client.get(link)
    assert (followed.status_code, "sk_" in followed.text) == (200, False)
    assert client.get("/").status_code == 200
    assert site.client().get(link).status_code == 403
    old = client.post("/sign-in/link", headers=asked).text
    site.sql("UPDATE board_link SET expires_at = now()")
    assert site.client().get(old).status_code == 403
    gone = client.post("/sign-in/link", headers=asked).text
    revoke(site, "admin")
    assert site.client().get(gone).status_code == 404
    for shown in ({}, {"Authorization": "Bearer sk_demo_wrong"}):
        assert client.post("/sign-in/link", headers=shown).status_code == 401


def test_a_stream_is_opened_by_a_session_and_no_token_is_made_that_would_outlive_it(site: Site) -> None:
    campaign_id, browser = site.create(1), Browser(site, "read")
    path = f"/api/v1/campaigns/{campaign_id}/events"
    with browser.client.get(path + "?close=true", buffered=False) as stream:
        assert (stream.status_code, stream.mimetype) == (200, "text/event-stream")
    headers = {"X-CSRF-Token": browser.csrf()}
    assert browser.client.post(f"{path}/token", headers=headers).status_code == 403
    (row,) = site.sql("SELECT id::text AS id, api_key_id::text AS key_id FROM board_session")
    admission, by_key = Admission(TENANT, row["key_id"], row["id"]), Admission(TENANT, row["key_id"])
    assert taken([admission, by_key], []).admissions == frozenset()
    browser.post("/sign-out")
    assert taken([admission, by_key], []).admissions == {admission}


def test_every_answer_of_the_board_is_closed_to_anything_from_elsewhere(site: Site) -> None:
    browser = Browser(site, "platform")
    for path in ("/sign-in", "/", "/halt", "/sessions", "/sessions/x/end", "/board/static/board.js"):
        response = (site.client() if path == "/sign-in" else browser.client).get(path, buffered=True)
        if path == "/sessions/x/end":
            assert response.status_code == 405
            continue
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        if response.mimetype == "text/html":
            assert response.headers["Cache-Control"] == "no-store"
            for found in ("style=", " onclick", "<script>", "<style", "http://", "https://"):
                assert found not in response.text, (path, found)
