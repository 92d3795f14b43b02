"""What an agent looks like on the wire; the same schemas validate and document."""

from __future__ import annotations

import re
from typing import TypedDict

import marshmallow as ma
import orjson

from api import schemas
from api.resources import Patch
from campaigns.column_names import MAX_COLUMN_NAME, column_name
from campaigns.errors import ListRefused

VARIABLES_MAX = 64
EXAMPLE_BODY: dict[str, object] = {
    "name": "Reminder",
    "action": {"type": "playback", "say": {"text": "Hello {first_name}, your order is ready."}},
    "safe_harbour": None,
    "ring_timeout_seconds": 30,
    "max_call_seconds": 1800,
    "variables": ["first_name"],
}
EXAMPLE: dict[str, object] = {
    "id": "019ab0c4-1111-7aaa-8bbb-0123456789ab",
    **EXAMPLE_BODY,
    "held_at": None,
    "held_reason": None,
    "created_at": "2026-01-31T08:00:00.000Z",
}
EXAMPLE_LIST = {"agents": [EXAMPLE], "total": 1, "limit": 100, "offset": 0}


def _action_schema(name: str, description: str, *required: str, **fields: object) -> dict[str, object]:
    return {
        "title": name,
        "description": description,
        "type": "object",
        "required": ["type", *required],
        "properties": {"type": {"const": name}, **fields},
        "additionalProperties": False,
    }


_TEXT = {"type": "string"}
_NUMBER = {
    "type": "string",
    "description": "In international form (+12125550100), or with templates: a number that they make without a + is "
    "of the country of the campaign's phone number, as the list's own are.",
}
_SAY = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": _TEXT, "voice": _TEXT},
    "additionalProperties": False,
}
ACTIONS = [
    _action_schema(
        "playback",
        "Plays one of: a file below the sound folder or an https URL of an allowed host; a tone; a spoken text.",
        file=_TEXT,
        tone=_TEXT,
        say={"anyOf": [_TEXT, _SAY]},
    ),
    _action_schema(
        "transfer", "Goes on at an extension of the tenant's dialplan context.", "extension", extension=_TEXT
    ),
    _action_schema(
        "bridge",
        "Connects to a number through a gateway of the tenant, or to a queue of the tenant.",
        gateway_id=_TEXT,
        number=_NUMBER,
        queue=_TEXT,
    ),
    _action_schema(
        "socket",
        "Hands the call to an outbound event socket server that the platform allows.",
        "host",
        "port",
        host=_TEXT,
        port={"type": "integer", "minimum": 1, "maximum": 65_535},
    ),
    _action_schema("conference", "Joins a conference room of the tenant.", "room", room=_TEXT),
    _action_schema("park", "Holds the call in silence."),
    _action_schema("echo", "Plays the caller's own voice back."),
]


_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""NUL as JSON spells it: behind an even number of backslashes, as behind an odd one the text spells it out itself."""


def _check_storable(value: object) -> None:
    try:
        stored = _NUL.search(orjson.dumps(value)) is None
    except TypeError:
        stored = False
    if not stored:
        raise ma.ValidationError(schemas.ENCODABLE)


def _check_columns(names: list[str]) -> None:
    try:
        columns = [column_name(name) for name in names]
    except ListRefused as error:
        raise ma.ValidationError(
            f"it must be column names of at most {MAX_COLUMN_NAME} characters, none of them a control character"
        ) from error
    if columns != names:
        raise ma.ValidationError("it must have column names as a list has them, without space around them")
    if len(set(names)) < len(names):
        raise ma.ValidationError("it must name a column once")
    if len(names) > VARIABLES_MAX:
        raise ma.ValidationError(f"it must name {VARIABLES_MAX} columns at most")


SAFE_HARBOUR: dict[str, object] = {
    "type": "object",
    "description": "One of: a file below the sound folder or an https URL of an allowed host; a spoken text.",
    "properties": {"file": _TEXT, "say": {"anyOf": [_TEXT, _SAY]}},
    "additionalProperties": False,
}


class AgentValues(TypedDict, total=False):
    """A loaded AgentBody, whole, or what an AgentPatch gives of it."""

    name: str
    action: dict[str, object]
    safe_harbour: dict[str, object] | None
    ring_timeout_seconds: int
    max_call_seconds: int
    variables: list[str] | None


class AgentBody(schemas.Schema):
    """A new agent."""

    name = schemas.Text(1, 200, required=True)
    action = schemas.Object(
        required=True,
        validate=[_check_storable],
        metadata={
            "oneOf": ACTIONS,
            "description": "What is done with the call. {column} stands for the contact's custom field.",
        },
    )
    safe_harbour = schemas.Object(
        load_default=None,
        allow_none=True,
        validate=[_check_storable],
        metadata={
            "anyOf": [SAFE_HARBOUR, {"type": "null"}],
            "description": "What a person hears whom no agent joins within 2 s of the answer, by a bridge, in a "
            "queue or in a conference room that nobody is in. The call is then abandoned.",
        },
    )
    ring_timeout_seconds = schemas.Integer(
        15, 120, load_default=30, metadata={"description": "Counts from the first ring."}
    )
    max_call_seconds = schemas.Integer(
        1, 14_400, load_default=1800, metadata={"description": "Counts from the answer."}
    )
    variables = schemas.Items(
        schemas.Text(1, MAX_COLUMN_NAME),
        load_default=None,
        allow_none=True,
        validate=[_check_columns],
        metadata={"description": "The columns that travel with the call, as carillon_<column>; null is all."},
    )


class AgentPatch(Patch, AgentBody):
    """What to change of an agent."""


class AgentSchema(schemas.Schema):
    """An agent."""

    id = schemas.Id(required=True)
    name = schemas.Text(required=True)
    action = schemas.Object(required=True, metadata={"oneOf": ACTIONS})
    safe_harbour = schemas.Object(
        required=True, allow_none=True, metadata={"anyOf": [SAFE_HARBOUR, {"type": "null"}]}
    )
    ring_timeout_seconds = schemas.Integer(required=True)
    max_call_seconds = schemas.Integer(required=True)
    variables = schemas.Items(schemas.Text(), required=True, allow_none=True)
    held_at = schemas.Time(
        required=True,
        allow_none=True,
        metadata={
            "description": "Since when its campaigns wait (blocked_reason agent), because five calls in a row could "
            "not be given to it. They go on once the nodes say that it can run, or one of them is resumed."
        },
    )
    held_reason = schemas.Text(
        required=True, allow_none=True, metadata={"description": "What was wrong with the last of them."}
    )
    created_at = schemas.Time(required=True)
