"""How and why a channel ended, read from its CHANNEL_HANGUP_COMPLETE or from the variables of its CDR.

Values that a remote party controls (phrases, reasons) are passed on as text and never interpreted here.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

from freeswitch import action_proofs
from freeswitch.headers import JsonEvent, header_int, header_text, milliseconds_between, number, text_or_none

Party = Literal["remote", "us"]

_NO_CODEC: Final = frozenset({"NO CODECS", "CODEC NEGOTIATION ERROR"})
_REDIRECTION: Final = re.compile(r"sip:(3[0-9]{2})")


class Hangup(NamedTuple):
    """How and why a channel ended.

    Key outcomes on the whole of it: the carrier controls the name of the cause. `sip_status` is the final
    response the INVITE got (or, for an answered call that the far end cleared, 200); 487 with
    `hung_up_by == "us"` is our own CANCEL. `q850` is 16 for every cause that is FreeSWITCH's own, 0 when the
    node gave none. `billsec` may be 0 on an answered call: `answered` is what counts. `pdd_ms` runs from the
    start to the first of 180, 183 and 200, `ring_ms` from the first 18x to the answer or the end; each is None
    when that never came. `alert_ms` runs from the start to the first 180. `abandoned`: it was answered to be
    joined by an agent (`applications.connect`), and this side ended it before anybody did. `agent_failure` says why
    the action of an answered call could not run (`action_proofs`). `invited` is False where the node ended it before
    an INVITE left, `no_codec` where what the far end offered had no codec in common with the node's. `second_leg` is
    what became of the leg by which a bridge was to reach an agent, None where there was none, and `second_leg_status`
    the final response by which that leg failed. `originate_seconds` is the limit of what an unanswered call may take
    that it was sent with, None where it had none.
    """

    cause: str
    q850: int
    sip_status: int | None
    sip_phrase: str | None
    sip_reason: str | None
    sip_603plus_reason: str | None
    hung_up_by: Party | None
    answered: bool
    progress: bool
    billsec: int
    billmsec: int
    duration_ms: int
    pdd_ms: int | None
    ring_ms: int | None
    gateway: str | None
    alert_ms: int | None = None
    abandoned: bool = False
    agent_failure: str | None = None
    invited: bool = True
    no_codec: bool = False
    second_leg: str | None = None
    second_leg_status: int | None = None
    originate_seconds: int | None = None


def hangup_from_variables(variables: JsonEvent) -> Hangup | None:
    """The end of a call from the `variables` of its CDR, as its CHANNEL_HANGUP_COMPLETE would have told it.

    None for one that names no cause.
    """
    hangup = hangup_from_event({f"variable_{name}": value for name, value in variables.items()})
    return hangup if hangup.cause else None


def hangup_from_event(event: JsonEvent) -> Hangup:
    """The end of a channel from the headers of its CHANNEL_HANGUP_COMPLETE."""
    get = event.get
    disposition = header_text(event, "variable_sip_hangup_disposition")
    start = number(get("variable_start_uepoch"))
    answer = _moment(event, "variable_answer_uepoch", "variable_answer_epoch")
    alert = _moment(event, "variable_progress_uepoch", "variable_progress_epoch")
    first_ring = _first(
        alert, _moment(event, "variable_progress_media_uepoch", "variable_progress_media_epoch")
    )
    first_sign = _first(first_ring, answer)
    end = answer or _moment(event, "variable_end_uepoch", "variable_end_epoch")
    status = _sip_status(event)
    redirected = status is not None and 300 <= status < 400
    gateway = text_or_none(get("variable_sip_gateway_name"))
    second_leg, second_leg_status = action_proofs.second_leg(event)
    left = status is not None or disposition or get("variable_sip_req_uri") or get("variable_sip_call_id")
    return Hangup(
        header_text(event, "Hangup-Cause") or header_text(event, "variable_hangup_cause"),
        q850=number(get("variable_hangup_cause_q850")),
        sip_status=status,
        sip_phrase=None if redirected else text_or_none(get("variable_sip_invite_failure_phrase")),
        sip_reason=text_or_none(get("variable_sip_reason")),
        sip_603plus_reason=text_or_none(get("variable_sip_603plus_reason")),
        hung_up_by="remote" if redirected else _party(disposition),
        answered=answer != 0,
        progress=first_ring != 0,
        billsec=number(get("variable_billsec")),
        billmsec=number(get("variable_billmsec")),
        duration_ms=number(get("variable_mduration")),
        pdd_ms=milliseconds_between(start, first_sign) if start and first_sign else None,
        ring_ms=milliseconds_between(first_ring, end) if end and first_ring else None,
        gateway=gateway,
        alert_ms=milliseconds_between(start, alert) if start and alert else None,
        abandoned=_abandoned(event, _party(disposition)) and answer != 0,
        agent_failure=action_proofs.failure(event) if answer and _party(disposition) == "us" else None,
        # Only of a call by a gateway is it known what an INVITE leaves behind.
        invited=bool(left) or gateway is None,
        # What was agreed on before a port was looked for is noted all the same.
        no_codec=header_text(event, "variable_endpoint_disposition") in _NO_CODEC
        and not get("variable_rtp_use_codec_name"),
        second_leg=second_leg,
        second_leg_status=second_leg_status,
        originate_seconds=number(get("variable_originate_timeout")) or None,
    )


def _abandoned(event: JsonEvent, party: Party | None) -> bool:
    # The node marks a call that it gives up. Without the mark it was ended by something else on this side (a queue's
    # module that is not loaded, a halt), or the person had no patience, and then nobody is at fault.
    marked = header_text(event, "variable_dialer_abandoned") == "true"
    connects = header_text(event, "variable_dialer_connect") == "true"
    if header_text(event, "variable_dialer_left") == "true":
        # An agent had joined, and left.
        return False
    joined = header_int(event, "variable_bridge_uepoch") + header_int(event, "variable_conference_member_id")
    return marked or (connects and not joined and party == "us")


def _party(disposition: str) -> Party | None:
    # recv_bye, recv_refuse, recv_cancel; send_bye, send_refuse, send_cancel (our timers and uuid_kill alike).
    if disposition.startswith("recv_"):
        return "remote"
    return "us" if disposition.startswith("send_") else None


def _sip_status(event: JsonEvent) -> int | None:
    # A redirection that is not followed is ended by the node itself, which then notes its own CANCEL as the failure.
    redirection = header_text(event, "variable_proto_specific_hangup_cause")
    if redirection and (found := _REDIRECTION.fullmatch(redirection)):
        return int(found[1])
    # FreeSWITCH writes 900 for a URI it could not even send to.
    for name in ("variable_sip_term_status", "variable_sip_invite_failure_status"):
        status = number(event.get(name))
        if 100 <= status <= 699:
            return status
    return None


def _moment(event: JsonEvent, microseconds: str, seconds: str) -> int:
    """When it happened, in microseconds of the node's clock; 0 when it never did."""
    return number(event.get(microseconds)) or number(event.get(seconds)) * 1_000_000


def _first(one: int, other: int) -> int:
    """The earlier of two moments, of which either may never have come."""
    return min(one, other) if one and other else one or other
