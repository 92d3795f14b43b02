"""A dialer that may not run a campaign which others may leaves it to them, and never ends it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialer.dispatch.dispatch import Dispatch
from models import db, rows
from simulator.ledger import read_ledger
from simulator.process import SimulatedNode
from tests.factories import World, counts, make_campaign
from tests.integration.dialer.dialer_rig import Dialer, change, is_over
from tests.waiting import wait_until

HOST = "audio.example"
ABLE = {"CARILLON_AUDIO_HOSTS": HOST}

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def play_from_host(world: World) -> None:
    with db.connection_context():
        rows(
            "UPDATE agent SET action = jsonb_build_object('type', 'playback', 'file', %s::text) WHERE id = %s",
            f"https://{HOST}/hello.wav",
            world.agent_id,
        )


def called(node: SimulatedNode) -> int:
    """How many numbers were called."""
    return len({line.number for line in read_ledger(node.ledger or "").accepted})


def reason(campaign_id: object) -> tuple[str, str | None]:
    with db.connection_context():
        (row,) = rows("SELECT status, blocked_reason FROM campaign WHERE id = %s", campaign_id)
    return row["status"], row["blocked_reason"]


def test_what_one_process_may_not_do_others_do(
    world: World, node: SimulatedNode, start: Callable[..., Dialer]
) -> None:
    play_from_host(world)
    unable = start()
    campaign_id = make_campaign(world, 12, refused=False, max_concurrent_calls=12)
    wait_until(lambda: reason(campaign_id) == ("running", "not_here"), "nobody can")
    assert list(unable.process.membership.alive()[unable.id]["cannot_run"]) == [str(campaign_id)]
    assert counts(campaign_id) == {"pending": 12}
    start(**ABLE)
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    assert called(node) == 12
    assert counts(campaign_id).get("cancelled") is None
    with db.connection_context():
        (left,) = rows(
            "SELECT count(*) AS n FROM call WHERE dialer_id = %s OR sent_by = %s", unable.id, unable.id
        )
    assert left["n"] == 0


def test_what_a_tenant_is_not_granted_any_more_holds_its_campaigns_until_it_is_again(
    world: World, node: SimulatedNode, start: Callable[..., Dialer]
) -> None:
    dialer = start()
    change(dialer, 'UPDATE agent SET action = \'{"type": "transfer", "extension": "100"}\'::jsonb')
    campaign_id = make_campaign(world, 6, refused=False, max_concurrent_calls=6)
    wait_until(lambda: reason(campaign_id) == ("running", "agent"), "the reason")
    assert (called(node), counts(campaign_id)) == (0, {"pending": 6})
    change(dialer, "UPDATE tenant SET dialplan_context = 'phones'")
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    assert called(node) == 6


def test_a_dialer_knows_who_lives_before_it_calls_anybody(
    world: World, start: Callable[..., Dialer], monkeypatch: pytest.MonkeyPatch
) -> None:
    known: list[set[str]] = []
    begin = Dispatch.start

    def noted(dispatch: Dispatch) -> None:
        known.append({one["sound_folder"] for one in dispatch.living.values()})
        begin(dispatch)

    monkeypatch.setattr(Dispatch, "start", noted)
    start(CARILLON_SOUND_FOLDER="/srv/sounds")
    start(CARILLON_SOUND_FOLDER="/srv/other")
    wait_until(lambda: len(known) == 2, "that both may call")
    assert known == [{"/srv/sounds"}, {"/srv/sounds", "/srv/other"}]


def test_a_dialer_whose_sound_folder_is_another_leaves_files_to_those_whose_nodes_have_them(
    world: World, node: SimulatedNode, start: Callable[..., Dialer]
) -> None:
    """Whoever it called would pick up and hear nothing."""
    action = '{"type": "playback", "file": "hello.wav"}'
    with db.connection_context():
        rows("UPDATE agent SET action = %s::jsonb WHERE id = %s", action, world.agent_id)
    dialers = start(CARILLON_SOUND_FOLDER="/srv/sounds"), start(CARILLON_SOUND_FOLDER="/srv/nosuch")
    wait_until(
        lambda: all(len(one.process.dispatch.living) == 2 for one in dialers), "that each knows the other"
    )
    campaign_id = make_campaign(world, 12, refused=False, max_concurrent_calls=12)
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    assert called(node) == 12
    with db.connection_context():
        found = rows("SELECT DISTINCT sent_by FROM call WHERE campaign_id = %s", campaign_id)
        failed = rows("SELECT 1 FROM call WHERE disposition = 'agent_failed'")
    assert ([row["sent_by"] for row in found], failed) == ([dialers[0].id], [])
