"""A campaign that nobody can dial says so, and nobody has to ask Redis for it while a request waits."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from redis import Redis

from api.dialer_watch import ANEW_SECONDS, DialerWatch
from api.routes.stream_access import snapshot
from coordination.errors import MembershipUnavailable
from coordination.membership import Membership
from tests.integration.api.site import Site
from tests.waiting import wait_until


@dataclass
class Members:
    """Whom `alive` tells of; None: Redis is away."""

    ids: list[str] | None = field(default_factory=list)

    def alive(self) -> Mapping[str, object]:
        if self.ids is None:
            raise MembershipUnavailable("reading the membership", "it is away")
        return {dialer_id: {} for dialer_id in self.ids}


@dataclass
class Watched:
    """A watch that looks when it is told to."""

    members: Members = field(default_factory=Members)
    now: float = 100.0

    def __post_init__(self) -> None:
        self.watch = DialerWatch(self.members, lambda: self.now, spawn=lambda *_: None)

    def says(self, status: str = "running", said: str | None = "no_node") -> str | None:
        self.watch.look()
        return self.watch.blocked_reason(status, said)


def test_nobody_lives_at_the_first_look() -> None:
    assert Watched().says() == "no_dialer"


@pytest.mark.parametrize("status", ["draft", "scheduled", "paused", "completed", "failed"])
def test_who_is_not_to_be_dialled_lacks_no_dialer(status: str) -> None:
    assert Watched().says(status, "paused") == "paused"


def test_what_a_living_dialer_says_stands() -> None:
    assert Watched(Members(["d1"])).says() == "no_node"


def test_who_dials_on_under_another_id_was_never_missing() -> None:
    watched = Watched(Members(["d1"]))
    watched.says()
    watched.members.ids = []
    watched.now += ANEW_SECONDS
    assert watched.says() == "no_node"
    watched.members.ids = ["d2"]
    assert watched.says() == "no_node"
    watched.members.ids = []
    watched.now += ANEW_SECONDS + 0.1
    assert watched.says() == "no_dialer"


def test_without_redis_nobody_knows_who_lives() -> None:
    watched = Watched(Members([]))
    watched.says()
    watched.members.ids = None
    assert watched.says() == "no_node"
    assert watched.watch.redis_is_away
    watched.members.ids = []
    assert watched.says() == "no_dialer"
    assert not watched.watch.redis_is_away


def test_the_campaign_its_list_and_its_stream_say_that_there_is_no_dialer(site: Site) -> None:
    membership = site.services.membership
    assert isinstance(membership, Membership)
    site.use(dialers=DialerWatch(membership))
    campaign_id = site.in_state("running")

    def told() -> list[str | None]:
        listed = [each for each in site.get("/campaigns").json["campaigns"] if each["id"] == campaign_id]
        with site.app.app_context():
            streamed = snapshot(site.services.dialers, campaign_id)
        return [
            one["blocked_reason"] for one in (site.get(f"/campaigns/{campaign_id}").json, *listed, streamed)
        ]

    wait_until(lambda: told() == ["no_dialer"] * 3, "word of it")
    membership.register("d000000000001", {"nodes": []})
    wait_until(lambda: told() == [None] * 3, "the dialer")
    # As when it was killed.
    Redis.delete(site.services.redis, "carillon:lease:d000000000001")
    membership.leave("d000000000001")
    wait_until(lambda: told() == ["no_dialer"] * 3, "its death")


def test_a_watch_that_nobody_keeps_ends() -> None:
    watch = DialerWatch(Members())
    assert not watch.redis_is_away
    gone = weakref.ref(watch)
    del watch
    wait_until(lambda: gc.collect() is not None and gone() is None, "its end")
