"""Agents: what an answered call is connected to, as typed data; no string of a tenant's reaches the switch."""

from __future__ import annotations

from typing import TypedDict

import marshmallow as ma
import orjson
from flask import Response

from api import idempotency, notify, schemas
from api.auth import current_caller, requires
from api.blueprint import Blueprint
from api.errors import not_found
from api.paging import Page, PageQuery, PageValues, list_schema
from api.resources import Patch, get_or_404, insert, invalid, page_of, refuse_in_use, update
from api.services import services
from api.transactions import transaction
from campaigns.action_parsing import parse_action
from campaigns.actions import ActionRefused, Allowed
from campaigns.columns import MAX_COLUMN_NAME, column_name
from campaigns.errors import ListRefused
from campaigns.safe_harbour import parse_safe_harbour
from coordination.topics import Topic
from models import Agent, rows

blp = Blueprint("agents", description="What an answered call is connected to")

NOT_FOUND = "Agent not found"
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
    "created_at": "2026-01-31T08:00:00.000Z",
}
EXAMPLE_LIST = {"agents": [EXAMPLE], "total": 1, "limit": 100, "offset": 0}
REFUSED = "action.room is 'a b'; it must be 1 to 64 of 0-9 A-Z a-z _ -."


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


def _check_storable(value: object) -> None:
    try:
        stored = b"\\u0000" not in orjson.dumps(value)
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
    created_at = schemas.Time(required=True)


@blp.route("/agents")
@requires("read")
@blp.arguments(PageQuery, location="query")
@blp.response(200, list_schema("agents", AgentSchema), example=EXAMPLE_LIST)
def list_agents(query: PageValues) -> dict[str, object]:
    """List agents

    Oldest first.
    """
    page = Page.of(query)
    own = Agent.tenant == current_caller().tenant_id
    with transaction():
        found, total = page_of(Agent.select().where(own, Agent.deleted_at.is_null()), page)
    return page.body("agents", found, total)


@blp.route("/agents", methods=["POST"])
@requires("admin", errors={400: REFUSED}, creates=True)
@blp.arguments(AgentBody, example=EXAMPLE_BODY)
@blp.response(201, AgentSchema, example=EXAMPLE)
def create_agent(body: AgentValues) -> Response:
    """Create an agent"""

    def work() -> object:
        _check_action(body)
        return AgentSchema().dump(insert(Agent, tenant=current_caller().tenant_id, **body))

    return idempotency.once(work, idempotency.body_hash(body)).response()


@blp.route("/agents/<agent_id>")
@requires("read", errors={404: NOT_FOUND})
@blp.response(200, AgentSchema, example=EXAMPLE)
def get_agent(agent_id: str) -> Agent:
    """Get an agent"""
    with transaction():
        return get_or_404(Agent, agent_id, "Agent", tenant_id=current_caller().tenant_id)


@blp.route("/agents/<agent_id>", methods=["PATCH"])
@requires("admin", errors={400: REFUSED, 404: NOT_FOUND})
@blp.arguments(AgentPatch, required=False, example={"ring_timeout_seconds": 45})
@blp.response(200, AgentSchema, example=EXAMPLE | {"ring_timeout_seconds": 45})
def patch_agent(body: AgentValues, agent_id: str) -> Agent:
    """Change an agent

    What is left out stays as it is. Calls that start from now on follow the change, those of running campaigns too.
    """
    with transaction():
        agent = get_or_404(Agent, agent_id, "Agent", tenant_id=current_caller().tenant_id, lock=True)
        _check_action(body)
        agent = update(agent, body)
    notify.dialers(services(), Topic.WAKE, {})
    return agent


@blp.route("/agents/<agent_id>", methods=["DELETE"])
@requires(
    "admin", errors={404: NOT_FOUND, 409: "Agent is used by campaign 'Reminders'; it cannot be deleted."}
)
@blp.response(204)
def delete_agent(agent_id: str) -> Response:
    """Delete an agent

    Refuses while an unfinished campaign uses it. Phone numbers that name it name none any more.
    """
    with transaction():
        agent = get_or_404(Agent, agent_id, "Agent", tenant_id=current_caller().tenant_id, lock=True)
        refuse_in_use(agent, "Agent")
        rows("UPDATE agent SET deleted_at = now() WHERE id = %s", agent.id)
        rows("UPDATE phone_number SET agent_id = NULL WHERE agent_id = %s", agent.id)
    return Response(status=204)


def _check_action(body: AgentValues) -> None:
    if not {"action", "safe_harbour"} & body.keys():
        return
    allowed = _permissions(current_caller().tenant_id)
    try:
        if "action" in body:
            parse_action(body["action"], allowed)
        parse_safe_harbour(body.get("safe_harbour"), allowed)
    except ActionRefused as error:
        raise invalid(error.field, error.value, error.rule) from error


def _permissions(tenant_id: str) -> Allowed:
    granted = rows("SELECT dialplan_context, gateway_ids, queues FROM tenant WHERE id = %s", tenant_id)
    if not granted:
        raise not_found("Tenant")
    settings = services().settings
    return Allowed(
        tenant_id=tenant_id,
        sound_folder=settings.sound_folder,
        audio_hosts=frozenset(settings.audio_hosts),
        gateway_ids=frozenset(granted[0]["gateway_ids"]),
        queues=frozenset(granted[0]["queues"]),
        socket_hosts=frozenset(settings.socket_hosts),
        dialplan_context=granted[0]["dialplan_context"],
    )
