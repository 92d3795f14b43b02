"""What a cap's rate has to fit into, so that a rebuilt limiter still holds it."""

from __future__ import annotations

import inspect

import pytest

from limits import caps
from limits.caps import LONGEST_WINDOW_SECONDS, GatewayCaps, NodeCaps, Rate, RecentSend, TenantCaps
from limits.keys import EpochKeys, PermitRecord
from limits.rebuild import rates_of

KEYS = EpochKeys("p:e:")
RECORD = PermitRecord.make(
    owner="d", campaign_id="c", tenant_id="t", gateway_id="g", node="n", number="+1", day=0, ask=0
)


def rates() -> list[tuple[str, Rate]]:
    """Every rate that a cap of `limits.caps` can have, by its name there."""
    found = []
    for name, kind in inspect.getmembers(caps, inspect.isclass):
        for attribute, value in inspect.getmembers(kind, lambda value: isinstance(value, property)):
            if inspect.signature(value.fget).return_annotation == Rate.__name__:
                unlimited = kind(*(None for _ in inspect.signature(kind).parameters))
                found.append((f"{name}.{attribute}", getattr(unlimited, attribute)))
    return found


def test_every_kind_of_caps_has_its_rate() -> None:
    of_limiter = {TenantCaps.__name__, GatewayCaps.__name__, NodeCaps.__name__}
    assert {name.partition(".")[0] for name, _ in rates()} == of_limiter


@pytest.mark.parametrize(("name", "rate"), rates(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_snapshot_has_every_send_that_a_rate_counts(name: str, rate: Rate) -> None:
    assert rate.window_ms <= LONGEST_WINDOW_SECONDS * 1000, f"{name}: raise LONGEST_WINDOW_SECONDS"


def test_a_send_is_sought_among_the_rows_of_one_day() -> None:
    """`dialer.capacity.limiter_snapshot` reads those only, whatever the longest window is."""
    assert LONGEST_WINDOW_SECONDS < 86_400


def test_a_rebuild_writes_a_send_to_every_rate_that_its_permit_held() -> None:
    written = rates_of(RecentSend("a", "t", "g", "n", 0), KEYS)
    assert [key for key, _ in written] == RECORD.rate_keys(KEYS)
    assert sorted(window for _, window in written) == sorted(rate.window_ms for _, rate in rates())


def test_a_rebuild_writes_no_send_whose_window_is_over() -> None:
    assert [key for key, _ in rates_of(RecentSend("a", "t", "g", "n", 60_050), KEYS)] == [
        KEYS.rate("tenant", "t")
    ]
    assert rates_of(RecentSend("a", "t", "g", "n", 60_051), KEYS) == []
