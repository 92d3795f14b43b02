"""What is known of nodes by what dialers say of them, where these look for sounds in one folder or in two."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.agent_needs import Need, NeedKind
from campaigns.agent_reports import FRESH_SECONDS, lacks_by_node, looked_for_elsewhere

NOW = 1_000.0
OURS, OTHERS = "/srv/sounds", "/srv/other"
FILE = Need(NeedKind.FILE, f"{OURS}/a.wav")


def said(node: str, at: float, *lacks: str, folder: str | None = OURS) -> dict[str, Any]:
    """What a dialer says of a node that it asked; one of an older release names no folder."""
    asked = {"at": at, "lacks": list(lacks)} | ({} if folder is None else {"folder": folder})
    return {"nodes": [{"name": node, "connected": True}], "needs": {node: asked}}


ELSEWHERE = said("fs1", NOW, folder=OTHERS)
BEGUN, BEGUN_ELSEWHERE = ({"nodes": [], "sound_folder": folder} for folder in (OURS, OTHERS))
"""As a dialer says that has not asked yet."""
THERE, LACKING = said("fs1", NOW), said("fs1", NOW, str(FILE))


@pytest.mark.parametrize(
    ("reports", "elsewhere"),
    [
        ([], False),
        ([LACKING], False),
        ([LACKING, said("fs2", NOW, folder=None)], False),
        ([THERE, ELSEWHERE], False),
        ([LACKING, said("fs2", NOW), ELSEWHERE], False),
        ([LACKING, ELSEWHERE], True),
        ([ELSEWHERE], True),
        ([said("fs1", NOW - FRESH_SECONDS), ELSEWHERE], True),
        ([BEGUN, BEGUN], False),
        ([BEGUN, BEGUN_ELSEWHERE], True),
        ([THERE, BEGUN_ELSEWHERE], False),
    ],
    ids=str,
)
def test_a_file_is_ours_to_play_where_all_look_in_one_folder_or_some_node_is_known_to_have_it(
    reports: list[dict[str, Any]], elsewhere: bool
) -> None:
    assert looked_for_elsewhere(FILE, OURS, dict(enumerate_names(reports)), NOW) is elsewhere


def enumerate_names(reports: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [(f"dialer {number}", report) for number, report in enumerate(reports)]


def test_who_looks_in_another_folder_hides_nothing_that_is_lacking_in_ours() -> None:
    reports = dict(enumerate_names([said("fs1", NOW - 1, str(FILE)), ELSEWHERE]))
    assert lacks_by_node(reports, NOW) == {"fs1": {str(FILE)}}
    mended = reports | {"later": said("fs1", NOW)}
    assert lacks_by_node(mended, NOW) == {"fs1": set()}
