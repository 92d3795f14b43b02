"""What the API shows of how a campaign's calls ended, and of what a breaker holds for that."""

from __future__ import annotations

from api import schemas

EXAMPLE_OUTCOMES = {
    "calls_ended": 1000,
    "picked_up": 612,
    "dispositions": {"answered": 612, "no_answer": 301, "busy": 87},
    "top_causes": [
        {"cause": "NORMAL_CLEARING", "sip_status": None, "calls": 612},
        {"cause": "NO_ANSWER", "sip_status": None, "calls": 301},
        {"cause": "USER_BUSY", "sip_status": 486, "calls": 87},
    ],
}
EXAMPLE_BREAKER: dict[str, object] = {
    "held": [
        {
            "gateway_id": "019ab0c4-3333-7aaa-8bbb-0123456789ab",
            "prefix": "+44",
            "caller_id": None,
            "held_at": "2026-01-31T09:01:00.000Z",
            "probe_at": "2026-01-31T09:02:00.000Z",
            "top_causes": [
                {"cause": "UNALLOCATED_NUMBER", "sip_status": 404, "calls": 17},
                {"cause": "CALL_REJECTED", "sip_status": 603, "calls": 3},
            ],
        }
    ],
    "exempt_at": None,
    "exempt_by": None,
}


class CauseSchema(schemas.Schema):
    """A cause with which calls ended."""

    cause = schemas.Text(required=True, allow_none=True)
    sip_status = schemas.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "The carrier's final response, where there was one."},
    )
    calls = schemas.Integer(required=True)


class OutcomesSchema(schemas.Schema):
    """What became of a campaign's calls. `calls_ended` and `picked_up` are those of its figures in a list."""

    calls_ended = schemas.Integer(required=True, metadata={"description": "Placed, and over."})
    picked_up = schemas.Integer(
        required=True, metadata={"description": "Those of them that somebody picked up."}
    )
    dispositions = schemas.Object(
        required=True, metadata={"description": "How many of all its calls ended so, by disposition."}
    )
    top_causes = schemas.Items(
        schemas.Nested(CauseSchema),
        required=True,
        metadata={"description": "The three most frequent causes of its last 1,000 calls."},
    )


class HeldCallsSchema(schemas.Schema):
    """Calls that are held: all by a gateway to one destination, or all of a caller id."""

    gateway_id = schemas.Id(required=True, allow_none=True)
    prefix = schemas.Text(
        required=True,
        allow_none=True,
        metadata={"description": "Where they go: what the numbers start with."},
    )
    caller_id = schemas.Text(required=True, allow_none=True, metadata={"description": "E.164"})
    held_at = schemas.Time(required=True)
    probe_at = schemas.Time(
        required=True, metadata={"description": "When one call may try whether they get through again."}
    )
    top_causes = schemas.Items(
        schemas.Nested(CauseSchema),
        required=True,
        metadata={"description": "The three most frequent causes of the calls that tripped it."},
    )


class BreakerSchema(schemas.Schema):
    """What is held of a campaign's calls since at least half of at least 20 of their like ended suspiciously within
    120 s."""

    held = schemas.Items(schemas.Nested(HeldCallsSchema), required=True)
    exempt_at = schemas.Time(
        required=True, allow_none=True, metadata={"description": "Since when its calls leave all the same."}
    )
    exempt_by = schemas.Text(
        required=True, allow_none=True, metadata={"description": "The key that said so, by name."}
    )
