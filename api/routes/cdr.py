"""`POST /freeswitch/cdr` and `/freeswitch/cdrs`: the call records that the nodes' shippers post, one or several at a
time, into the dialers' inbox.

Outside /api/v1 and with a credential of its own: a node is no tenant. Taking the same record again changes nothing.
A record is kept only where it can still say something: of a call of ours that is open, or that was closed within the
last day without the switch's word. Whatever else a node records is accepted, so that its shipper can delete it, and
dropped.
"""

from __future__ import annotations

import hmac
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from flask import Blueprint, Response, request

from api import notify
from api.blueprint import refuse_unknown
from api.errors import ApiError
from api.resources import invalid
from api.services import services
from api.transactions import transaction
from coordination.topics import Topic
from models import rows

blp = Blueprint("cdr", __name__)

LONGEST_VALUE = 500
NODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
STORED_VARIABLES = frozenset(
    {
        "hangup_cause",
        "hangup_cause_q850",
        "proto_specific_hangup_cause",
        "sip_hangup_disposition",
        "sip_term_status",
        "sip_invite_failure_status",
        "sip_invite_failure_phrase",
        "sip_reason",
        "sip_603plus_reason",
        "sip_gateway_name",
        "sip_call_id",
        "sip_req_uri",
        "endpoint_disposition",
        "billsec",
        "billmsec",
        "mduration",
        "start_uepoch",
        "dialer_connect",
        "dialer_abandoned",
        "dialer_action",
        "dialer_left",
        "dialer_ran",
        "cc_queue_joined_epoch",
        "last_app",
        "last_bridge_proto_specific_hangup_cause",
        "originate_causes",
        "originate_disposition",
        "originate_timeout",
        "bridge_uepoch",
        "conference_member_id",
        *(
            f"{moment}_{unit_of}"
            for moment in ("progress", "progress_media", "answer", "end")
            for unit_of in ("epoch", "uepoch")
        ),
    }
)
"""The variables that say how a call ended: those that `freeswitch.hangup.hangup_from_variables` reads."""
CALLED = "sip_req_uri"
"""Says whether an INVITE left, and has the number that was called, which may have been erased since: only that it was
there is kept."""


@dataclass(frozen=True, slots=True)
class Record:
    """A call's record: what its node calls itself, and the variables of the channel."""

    switchname: object
    variables: Mapping[str, object]


class Stored(NamedTuple):
    """A record as it is kept: its call, its node, and as JSON the variables that say how the call ended."""

    call_id: uuid.UUID
    node: str
    variables: str


STORE = """
    INSERT INTO cdr_inbox (uuid, node, variables)
    SELECT call.id, given.node, given.variables FROM unnest(%s::uuid[], %s::text[], %s::jsonb[])
        AS given (id, node, variables) JOIN call ON call.id = given.id
    WHERE call.state <> 'ended' OR call.duration_ms IS NULL AND call.ended_at > now() - interval '1 day'
    ORDER BY call.id ON CONFLICT DO NOTHING RETURNING uuid"""
"""Puts into the inbox those records that can still say something of their calls."""


@blp.post("/freeswitch/cdr")
def receive_record() -> Response:
    """Take one record as mod_json_cdr writes it. 204 when it need not be sent again.

    Answers 400 for what is no record, 401 for a wrong credential, 413 for a body that is too large, 503 where no
    credential is set or the database is away.
    """
    _authenticate()
    refuse_unknown({"node"})
    _store([_stored(_body())])
    return Response(status=204)


@blp.post("/freeswitch/cdrs")
def receive_records() -> Response:
    """Take an array of records, each as `receive_record` takes one, and name the places of those that are none.

    200 where the others need not be sent again. Answers 400 for what is no array, and else as `receive_record` does.
    """
    _authenticate()
    refuse_unknown({"node"})
    records = _body()
    if not isinstance(records, list):
        raise ApiError(400, "The body is no array of call records.")
    kept: list[Stored | None] = []
    refused: list[dict[str, object]] = []
    for place, record in enumerate(records):
        try:
            kept.append(_stored(record))
        except ApiError as error:
            refused.append({"place": place, "detail": error.message})
    _store(kept)
    return Response(orjson.dumps({"refused": refused}), mimetype="application/json")


def _store(records: Sequence[Stored | None]) -> None:
    """Keep those of a call of ours that they can say something of."""
    ours = [record for record in records if record is not None]
    if not ours:
        return
    columns = zip(*ours, strict=True)
    with transaction():
        stored = rows(STORE, *map(list, columns))
    if stored:
        notify.dialers(services(), Topic.CDR, {})


def _stored(body: object) -> Stored | None:
    """What is kept of a record; None of a channel that is none of ours. Raises ApiError 400 for what is no record."""
    record = _record(body)
    call_id = _uuid(record.variables["uuid"])
    if call_id is None:
        return None
    given = {name: _bounded(value) for name, value in record.variables.items() if name in STORED_VARIABLES}
    kept = {name: "true" if name == CALLED else value for name, value in given.items() if value}
    return Stored(call_id, _node(record), orjson.dumps(kept).decode())


def _authenticate() -> None:
    """Raises ApiError unless the request shows the key, as a bearer token or as the password of basic auth."""
    expected = services().settings.cdr_key
    if not expected:
        raise ApiError(503, "CARILLON_CDR_KEY is not set here, so no call records can be taken.")
    sent = request.authorization
    given = (sent.token if sent.type == "bearer" else sent.password) if sent is not None else None
    if not hmac.compare_digest((given or "").encode(), expected.encode()):
        raise ApiError(401, "The CDR key is missing or wrong.", headers={"WWW-Authenticate": "Bearer"})


def _body() -> Any:
    """The body as JSON. Raises ApiError 400."""
    try:
        # What a remote party wrote into a header may be no UTF-8; it is shown with marks in its place.
        return orjson.loads(request.get_data(cache=False).decode("utf-8", "replace"))
    except orjson.JSONDecodeError as error:
        raise ApiError(400, "The body is not JSON.", code="invalid_json") from error


def _record(record: Any) -> Record:
    variables = record.get("variables") if isinstance(record, dict) else None
    if not (isinstance(variables, dict) and variables.get("uuid") and variables.get("hangup_cause")):
        raise ApiError(400, "The body is no call record: variables with uuid and hangup_cause are missing.")
    return Record(record.get("switchname"), variables)


def _uuid(text: object) -> uuid.UUID | None:
    """The id, where it can be one of ours; a node takes any text for a channel's."""
    try:
        return uuid.UUID(text) if isinstance(text, str) and len(text) == 36 else None
    except ValueError:
        return None


def _node(record: Record) -> str:
    """The name that the shipper gives its node, else the node's own."""
    name = request.args.get("node") or record.switchname
    if not isinstance(name, str) or not NODE.fullmatch(name):
        raise invalid("node", name, "it must be 1 to 64 letters, digits, '_', '.' or '-'")
    return name


def _bounded(value: object) -> str:
    """What a database can keep of a value: text without NUL; anything but text says nothing."""
    return value.replace("\0", "")[:LONGEST_VALUE] if isinstance(value, str) else ""
