"""What follows a commit does so beside the recorder, in the order of the commits, and nothing holds up the others."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event as Signal

from dialer.record import following as following_module
from dialer.record.commit import Commit
from dialer.record.following import Following
from dialer.record.outcome_rows import Ended
from tests.unit.dialer.factories import Followers, make_call, make_commit


def ended(name: str) -> Commit:
    return make_commit(
        {name: Ended(name, "completed", True, None, 0.0, 1.0, "answered", "NORMAL_CLEARING")},
        make_call(call_id=name),
    )


def names(commit: Commit) -> list[str]:
    assert list(commit.ended) == [call.call_id for call in commit.over]
    assert commit.written.ended == set(commit.ended)
    return list(commit.ended)


def test_each_follower_hears_of_all_commits_in_their_order() -> None:
    heard: list[tuple[str, list[str]]] = []

    def hearing(who: str) -> Followers:
        return Followers(lambda commit: heard.append((who, names(commit))))

    following = Following([hearing("first"), hearing("second")])
    for name in "abc":
        following.after_commit(ended(name))
    assert heard == []
    following.follow()
    assert heard == [("first", ["a", "b", "c"]), ("second", ["a", "b", "c"])]


def test_commits_are_followed_together_as_far_as_they_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following_module, "MOST_CALLS", 2)
    heard: list[list[str]] = []
    following = Following([Followers(lambda commit: heard.append(names(commit)))])
    for name in "abcde":
        following.after_commit(ended(name))
    following.follow()
    assert heard == [["a", "b"], ["c", "d"], ["e"]]


def test_what_one_follower_cannot_do_costs_neither_the_others_nor_a_later_commit() -> None:
    heard: list[list[str]] = []

    def fail(_: Commit) -> None:
        raise RuntimeError("a bug in what follows a commit")

    following = Following([Followers(fail), Followers(lambda commit: heard.append(names(commit)))])
    for name in "ab":
        following.after_commit(ended(name))
        following.follow()
    assert heard == [["a"], ["b"]]


def test_a_campaign_whose_calls_are_over_is_owed_a_judgement_until_the_judges_have_spoken() -> None:
    """Its contacts may come back by that, and whoever looks meanwhile would take it for over."""
    seen: list[tuple[str, bool]] = []

    def looking(who: str) -> Followers:
        return Followers(lambda commit: seen.append((who, following.owes(commit.over[0].campaign_id))))

    following = Following([looking("follower")], [looking("judge")])
    commit = ended("a")
    campaign_id = commit.over[0].campaign_id
    assert not following.owes(campaign_id)
    following.after_commit(commit)
    assert following.owes(campaign_id)
    assert not following.owes("another")
    following.follow()
    assert seen == [("judge", True), ("follower", False)]
    assert not following.owes(campaign_id)


def test_whoever_commits_waits_for_none_of_it_and_flush_for_all() -> None:
    go, heard = Signal(), list[list[str]]()

    def wait(commit: Commit) -> None:
        go.wait()
        heard.append(names(commit))

    following = Following([Followers(wait)])
    assert following.flush(0.0)
    greenlet = gevent.spawn(following.run)
    following.after_commit(ended("a"))
    gevent.sleep(0)
    following.after_commit(ended("b"))
    assert not following.flush(0.0)
    assert heard == []
    go.set()
    assert following.flush(300.0)
    assert heard == [["a"], ["b"]]
    greenlet.kill()
