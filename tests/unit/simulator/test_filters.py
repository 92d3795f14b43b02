"""Event filters: OR, exclusion, regular expressions, and what happens to events without the header."""

from __future__ import annotations

import pytest

from simulator.filters import Filter, passes

EVENT = {"Event-Name": "CHANNEL_CREATE", "variable_dialer_id": "d1", "variable_campaign": "abc"}
JOB = {"Event-Name": "BACKGROUND_JOB", "Job-UUID": "d1.c1"}


def reaches(event: dict[str, str], *filters: tuple[str, str]) -> bool:
    return passes([Filter(header, value) for header, value in filters], event.get)


@pytest.mark.parametrize(
    ("filters", "create", "job"),
    [
        ([], True, True),
        ([("variable_dialer_id", "d1")], True, False),
        ([("variable_dialer_id", "D1")], True, False),
        ([("variable_dialer_id", "d")], False, False),
        ([("variable_dialer_id", "d2"), ("Job-UUID", "/^d1\\./")], False, True),
        ([("variable_dialer_id", "d1"), ("Job-UUID", "/^d1\\./")], True, True),
        ([("Job-UUID", "/^d1x\\./")], False, False),
        ([("variable_campaign", "+abc"), ("Event-Name", "-CHANNEL_CREATE")], False, False),
        ([("Event-Name", "-CHANNEL_CREATE")], False, False),
        ([("Event-Name", "/channel/i")], True, False),
        ([("Event-Name", "/channel/")], False, False),
        ([("Event-Name", "/(/")], False, False),
    ],
)
def test_filters_let_through_what_the_real_ones_do(
    filters: list[tuple[str, str]], create: bool, job: bool
) -> None:
    assert (reaches(EVENT, *filters), reaches(JOB, *filters)) == (create, job)
