"""Builds the originate of one call from the campaign's plan and the contact's columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from campaigns.action_parsing import checked_bridge, parse_action
from campaigns.action_templates import fill
from campaigns.actions import (
    Action,
    Allowed,
    Bridge,
    Conference,
    Echo,
    Park,
    PlayFile,
    PlayTone,
    Queue,
    Say,
    Socket,
    Transfer,
)
from campaigns.agent_needs import Need, NeedKind, needs
from campaigns.column_names import variable_name
from campaigns.numbers import region_of
from campaigns.safe_harbour import Message, fill_safe_harbour, parse_safe_harbour
from dialer.dispatch.plans import GatewayPlan, Plan
from dialer.holds import Hold
from dialer.live_calls import LiveCall
from freeswitch import applications
from freeswitch.applications import Application
from freeswitch.leg_rates import LegRate
from freeswitch.originate import OriginateRequest, endpoint


class SecondLegChangedError(Exception):
    """What a call has a permit for is not what its campaign's agent needs by now: another call may leave instead."""


class SecondLegHeldError(Exception):
    """Its agent cannot be reached at the number that is this contact's own, but as a probe of `holds`."""

    def __init__(self, holds: Sequence[Hold]) -> None:
        super().__init__(", ".join(f"{hold.kind} {hold.prefix}" for hold in holds))
        self.holds = tuple(holds)


@dataclass(frozen=True, slots=True)
class OriginateBuilder:
    """Builds originates. The first fields are what the platform lets any tenant's agents reach; `node_names` are all
    nodes there are, whoever of them can take a call; of a file `looked_for_elsewhere` says whether other dialers look
    for it in another folder, and no node is known to have ours."""

    sound_folder: str
    audio_hosts: Sequence[str]
    socket_hosts: Sequence[str]
    node_names: Callable[[], Sequence[str]] = tuple
    looked_for_elsewhere: Callable[[Need], bool] = lambda _file: False

    def build(
        self, plan: Plan, gateway: GatewayPlan, call: LiveCall, custom_fields: Mapping[str, str]
    ) -> OriginateRequest:
        """The originate of one call by `gateway`.

        Raises ActionRefused or CommandRefused where the contact's columns, or what the platform has since taken
        from the tenant, do not allow it, SecondLegChangedError where it has no permit for its second leg, and
        SecondLegHeldError where that leg may not leave.
        """
        allowed = self._allowed(plan)
        named = plan.columns or {}
        region = plan.region or _region(call.caller_id)
        action = fill(parse_action(plan.action, allowed), custom_fields, region, named)
        second, rate = None, None
        if isinstance(action, Bridge):
            checked_bridge(action, allowed)
            second = plan.bridge_gateways.get(action.gateway_id)
            rate = None if second is None else second.rate(self.node_names(), call.node)
            if held := [hold for hold in plan.second_leg_holds(action.number) if not call.probes(hold)]:
                raise SecondLegHeldError(held)
        if call.second_leg_gateway_id != (None if second is None else second.gateway_id):
            raise SecondLegChangedError("its agent is reached by another gateway than its permit is for")
        if second is not None and second.cps is not None and rate is None:
            raise SecondLegChangedError("its node has no share of the rate of its agent's gateway any more")
        message = parse_safe_harbour(plan.safe_harbour, allowed)
        if message is not None:
            message = fill_safe_harbour(message, custom_fields, named)
        columns = plan.variables if plan.variables is not None else tuple(custom_fields)
        return OriginateRequest(
            call_id=call.call_id,
            dialer_id=call.sent_by,
            tenant_id=plan.tenant_id,
            campaign_id=plan.campaign_id,
            contact_id=call.contact_id,
            endpoint=endpoint(gateway.dial_string, call.phone_number),
            caller_id_number=gateway.caller_id(call.caller_id),
            caller_id_header=gateway.caller_id_header,
            ring_seconds=call.ring_seconds,
            max_seconds=call.max_seconds,
            applications=steps(action, plan, message, rate),
            variables={
                named.get(column) or variable_name(column): custom_fields[column]
                for column in columns
                if column in custom_fields
            },
        )

    def check(self, plan: Plan) -> None:
        """Whether this campaign can be dialled at all, whoever the contact is.

        Raises ActionRefused or CommandRefused where its agent's action, its message or one of its gateways no longer
        stand.
        """
        allowed = self._allowed(plan)
        parse_action(plan.action, allowed)
        parse_safe_harbour(plan.safe_harbour, allowed)
        for gateway in plan.gateways:
            endpoint(gateway.dial_string, plan.caller_id)

    def files(self, plan: Plan) -> tuple[Need, ...]:
        """The sound files that its agent and its message play, where they do not depend on the contact."""
        wanted = needs(plan.action, self.sound_folder, {}, plan.safe_harbour)
        return tuple(need for need in wanted if need.kind is NeedKind.FILE)

    def _allowed(self, plan: Plan) -> Allowed:
        return Allowed(
            tenant_id=plan.tenant_id,
            sound_folder=self.sound_folder,
            audio_hosts=frozenset(self.audio_hosts),
            gateway_ids=frozenset(plan.gateway_ids),
            prefixes={name: gateway.prefixes for name, gateway in plan.bridge_gateways.items()},
            queues=frozenset(plan.queues),
            socket_hosts=frozenset(self.socket_hosts),
            dialplan_context=plan.dialplan_context,
        )


def steps(
    action: Action, plan: Plan, message: Message | None = None, rate: LegRate | None = None
) -> list[Application]:
    """The dialplan applications of an action; what ends by itself is followed by a hangup.

    `rate` is what the node keeps for a second leg, None where its gateway has no bound. `message` is what the person
    hears where a bridge, a queue or a conference brings no agent in time, or a socket's server is not there. Each
    action leaves a proof of whether it ran (`freeswitch.action_proofs`).
    """
    said = None if message is None else _message(message)
    match action:
        case PlayFile():
            return applications.played(_message(action))
        case Say():
            return applications.spoken(_message(action))
        case PlayTone(tone):
            return applications.played(applications.tone(tone))
        case Transfer(extension, context):
            return applications.transferred(applications.transfer(extension, context))
        case Bridge(gateway_id, number):
            leg = endpoint(plan.bridge_gateways[gateway_id].dial_string, number)
            return applications.connect(applications.bridge(leg, rate), said)
        case Queue(name):
            return applications.connect(applications.queue(name), said)
        case Socket(host, port):
            return applications.served(applications.socket(host, port), said)
        case Conference():
            return applications.connect(applications.conference(action.name), said)
        case Park():
            return [applications.park()]
        case Echo():
            return [applications.echo()]


@lru_cache(maxsize=256)
def _region(caller_id: str) -> str | None:
    return region_of(caller_id)


def _message(message: Message) -> Application:
    match message:
        case PlayFile(file):
            return applications.playback(file)
        case Say(text, voice):
            return applications.say(text, voice)
