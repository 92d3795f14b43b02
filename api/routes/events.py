"""The event stream of a campaign, and the tokens that open it for a browser.

Who may listen is decided by the route before a byte is sent; then the database connection is back in its pool and
neither the request's nor the app's context is kept: a stream lasts for hours.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
from flask import Response, request

from api import idempotency, schemas, times
from api.blueprint import Blueprint, error_document, json_value, refuse_unknown
from api.errors import ApiError
from api.routes.event_schemas import EVENTS_OF_ANSWER
from live.admission import Admission
from live.errors import BadEventIdError, BadTokenError, TenantListenersError, TooManyListenersError
from live.stream import EventStream
from live.tokens import LIFETIME_SECONDS, StreamTokens

EVENTS = "/campaigns/<campaign_id>/events"
EXAMPLE_ID = "0192f3a4-b5c6-7d8e-9f01-23456789abcd"
EXAMPLE = f"""\
id: 1767258000000-0
data: {{"campaign_id":"{EXAMPLE_ID}","status":"running","counts":{{"pending":1,"total":1}},"in_flight":0,\
"calls_per_second":0.0,"blocked_reason":null,"at":"2026-01-01T09:00:00.000Z"}}

event: contact
id: 1767258000250-0
data: {{"campaign_id":"{EXAMPLE_ID}","contact_id":"0192f3a4-c000-7000-8000-000000000001",\
"phone_number":"+14155550100","status":"originated","disposition":null,"attempt":1,\
"call_id":"0192f3a4-d000-7000-8000-000000000001","cause":null,"at":"2026-01-01T09:00:00.200Z"}}

"""


@dataclass(frozen=True, slots=True)
class CampaignRef:
    """The campaign that a caller was let in to, and by what."""

    admission: Admission
    id: str
    status: str


Authorise = Callable[[str, str], CampaignRef]
"""(campaign id, role) → the campaign, for the caller of the current request. Raises ApiError (401, 403, 404, 429,
503); holds no database connection once it returns."""

AuthoriseToken = Callable[[str, Admission], CampaignRef]
"""(campaign id, admission) → the campaign, if that tenant still has it and the key that the token was made with is
still there. Raises ApiError (401, 404, 503); likewise."""


class TokenSchema(schemas.Schema):
    """A stream token."""

    token = schemas.Text(required=True, metadata={"description": "Pass it as `?token=`."})
    expires_at = schemas.Text(
        required=True, metadata={"format": "date-time", "description": "Until then it opens the stream."}
    )


def events_blueprint(
    stream: EventStream, signer: StreamTokens, authorise: Authorise, authorise_token: AuthoriseToken
) -> Blueprint:
    """The two routes, served by `stream`."""
    blp = Blueprint("events", description="What happens in a campaign, as it happens")
    _add_stream(blp, stream, signer, authorise, authorise_token)
    _add_token(blp, signer, authorise)
    return blp


def _add_stream(
    blp: Blueprint,
    stream: EventStream,
    signer: StreamTokens,
    authorise: Authorise,
    authorise_token: AuthoriseToken,
) -> None:
    @blp.route(EVENTS)
    @blp.response(
        200,
        {"type": "string"},
        content_type="text/event-stream",
        description="Server-Sent Events, until the client disconnects.",
        example=EXAMPLE,
        headers={name: {"schema": {"type": "string"}} for name in ("Cache-Control", "X-Accel-Buffering")},
    )
    @blp.doc(
        parameters=_parameters(),
        security=[{"key": []}, {}],
        responses={200: EVENTS_OF_ANSWER}
        | _errors("Last-Event-ID 'abc' is not an event id", busy="This process is full"),
    )
    def stream_events(campaign_id: str) -> Response:
        """Stream a campaign's events

        `event: contact` for every transition of a contact, with an `id:`; `event: campaign` for every transition
        of the campaign; the default event is a snapshot, at once and then every 2 s while the campaign runs;
        `event: end` when a terminal state is reached or the campaign is deleted (its status is then `deleted`); the
        stream stays open then (a late record may correct an outcome) unless `close=true` ends it there;
        `: heartbeat` every 15 s. A client that reconnects with
        `Last-Event-ID` gets exactly what it missed; after an id that is too old, or when the server has lost
        events, it gets `event: reset` and a snapshot. Let in by the key, or by `token` alone.
        """
        refuse_unknown({"token", "last_event_id", "close"})
        close = _close()
        token = request.args.get("token")
        campaign = (
            authorise(campaign_id, "read")
            if token is None
            else authorise_token(campaign_id, _admission_of(signer, token, campaign_id))
        )
        return _answer(stream, campaign, any_origin=token is not None, close=close)


def _add_token(blp: Blueprint, signer: StreamTokens, authorise: Authorise) -> None:
    @blp.route(EVENTS + "/token", methods=["POST"])
    @blp.response(201, TokenSchema, description="A token for this stream.")
    @blp.doc(
        parameters=["XTenant", "IdempotencyKey"],
        security=[{"key": []}],
        responses=_errors("token is not known here; this takes no query parameters.")
        | {"409": error_document("Idempotency-Key 'k1' was used for another request.")},
    )
    def create_stream_token(campaign_id: str) -> Response:
        """Make a token for a campaign's event stream

        A browser's EventSource cannot send headers. The token opens this one stream of this tenant for 10 minutes; a
        stream that is open by then stays open. Streams and tokens end within a second with the key that they were
        opened or made with, and with its tenant.
        """
        refuse_unknown(set())
        _refuse_body()
        campaign = authorise(campaign_id, "read")
        if campaign.admission.session_id is not None:
            raise ApiError(
                403, "A session of the board opens streams by its cookie; a token is made with a key."
            )
        issued_at, replayed = _issued_at()
        expires = datetime.fromtimestamp(issued_at + signer.lifetime, UTC)
        token = signer.issue(campaign.admission, campaign.id, issued_at)
        body = {"token": token, "expires_at": times.to_rfc3339(expires)}
        return idempotency.Answer(201, orjson.dumps(body), replayed).response()


def _issued_at() -> tuple[int, bool]:
    """The Unix second of the token that this request asks for, and whether an earlier request has got it.

    Of a token only its time is kept for an Idempotency-Key, never the token itself: it is a secret.
    """
    now = int(time.time())
    if idempotency.HEADER not in request.headers:
        return now, False
    answer = idempotency.once(lambda: {"issued_at": now}, idempotency.body_hash(None))
    return int(orjson.loads(answer.body)["issued_at"]), answer.replayed


def _close() -> bool:
    """Whether the stream is to be closed after `event: end`. Raises ApiError 400."""
    text = request.args.get("close", "false")
    if text not in ("true", "false"):
        raise ApiError(400, f"close is {schemas.quoted(text)}; it must be true or false.")
    return text == "true"


def _answer(stream: EventStream, campaign: CampaignRef, *, any_origin: bool, close: bool) -> Response:
    """The stream. Only a token travels from a page of another origin, and it opens nothing but this."""
    try:
        response = stream.stream(campaign.id, campaign.status, campaign.admission, close=close)
    except BadEventIdError as error:
        raise ApiError(400, f"{error}.") from error
    except TooManyListenersError as error:
        raise ApiError(503, f"{error}.", headers={"Retry-After": str(error.delay)}) from error
    except TenantListenersError as error:
        delay = {"Retry-After": str(error.delay)}
        raise ApiError(429, f"{error}.", code="too_many_streams", headers=delay) from error
    if any_origin:
        response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def _admission_of(signer: StreamTokens, token: str, campaign_id: str) -> Admission:
    try:
        return signer.admission(token, campaign_id)
    except BadTokenError as error:
        raise ApiError(401, f"The {error}.", headers={"WWW-Authenticate": "Bearer"}) from error


def _refuse_body() -> None:
    if not request.get_data():
        return
    body = json_value(request) if request.mimetype == "application/json" else None
    if isinstance(body, dict) and body:
        raise ApiError(400, f"{schemas.quoted(next(iter(body)))} is not known here; this takes no body.")
    if body != {}:
        raise ApiError(400, "This takes no body.")


def _parameters() -> list[str | dict[str, object]]:
    event_id = {"type": "string", "pattern": "^[0-9]+-[0-9]+$"}
    return [
        "XTenant",
        {
            "name": "Last-Event-ID",
            "in": "header",
            "description": "The `id:` last received; a browser sends it by itself. Goes before `last_event_id`.",
            "schema": event_id,
        },
        {
            "name": "last_event_id",
            "in": "query",
            "description": "The same, for a page that opens a new EventSource.",
            "schema": event_id,
        },
        {
            "name": "close",
            "in": "query",
            "description": "End the stream after `event: end`, for a script: an EventSource would come back.",
            "schema": {"type": "boolean", "default": False},
        },
        {
            "name": "token",
            "in": "query",
            "description": f"From `POST …/events/token`, good for {LIFETIME_SECONDS // 60} minutes. Never a key.",
            "schema": {"type": "string"},
        },
    ]


def _errors(wrong: str, *, busy: str = "Database unavailable") -> dict[str, object]:
    texts = {
        400: wrong,
        401: "The key is not valid.",
        403: "The key's role is not enough; this needs read.",
        404: "Campaign not found",
        429: "rate_limited: per-minute (60) exceeded",
        500: "Database error",
        503: busy,
    }
    return {str(status): error_document(text) for status, text in texts.items()}
