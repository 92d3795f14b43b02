"""Agents: what an answered call is connected to, as typed data; no string of a tenant's reaches the switch."""

from __future__ import annotations

from flask import Response

from api import idempotency, notify
from api.auth import current_caller, requires
from api.blueprint import Blueprint
from api.errors import not_found
from api.paging import Page, PageQuery, PageValues, list_schema
from api.resources import get_or_404, insert, invalid, page_of, refuse_in_use, update
from api.routes.agent_schemas import (
    EXAMPLE,
    EXAMPLE_BODY,
    EXAMPLE_LIST,
    AgentBody,
    AgentPatch,
    AgentSchema,
    AgentValues,
)
from api.services import services
from api.transactions import transaction
from campaigns.action_parsing import parse_action
from campaigns.actions import ActionRefused, Allowed
from campaigns.agent_holds import LET_GO
from campaigns.safe_harbour import parse_safe_harbour
from coordination.topics import Topic
from models import Agent, rows

blp = Blueprint("agents", description="What an answered call is connected to")

NOT_FOUND = "Agent not found"
PREFIXES = "SELECT id::text, prefixes FROM gateway WHERE id = ANY(%s::uuid[]) AND deleted_at IS NULL"
REFUSED = "action.room is 'a b'; it must be 1 to 64 of 0-9 A-Z a-z _ -."


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
@requires("admin", errors={400: REFUSED}, once=True)
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
        # What it does now is another thing than what could not be done.
        agent = update(agent, {**body, **(LET_GO if "action" in body else {})})
    notify.dialers(services(), Topic.WAKE, {})
    return agent


@blp.route("/agents/<agent_id>", methods=["DELETE"])
@requires(
    "admin",
    errors={404: NOT_FOUND, 409: "Agent is used by campaign 'Reminders'; it cannot be deleted."},
    once=True,
)
@blp.response(204)
def delete_agent(agent_id: str) -> Response:
    """Delete an agent

    Refuses while an unfinished campaign uses it. Phone numbers that name it name none any more.
    """

    def work() -> None:
        agent = get_or_404(Agent, agent_id, "Agent", tenant_id=current_caller().tenant_id, lock=True)
        refuse_in_use(agent, "Agent")
        rows("UPDATE agent SET deleted_at = now() WHERE id = %s", agent.id)
        rows("UPDATE phone_number SET agent_id = NULL WHERE agent_id = %s", agent.id)

    return idempotency.deleted(work)


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
        prefixes={row["id"]: row["prefixes"] for row in rows(PREFIXES, granted[0]["gateway_ids"])},
        queues=frozenset(granted[0]["queues"]),
        socket_hosts=frozenset(settings.socket_hosts),
        dialplan_context=granted[0]["dialplan_context"],
    )
