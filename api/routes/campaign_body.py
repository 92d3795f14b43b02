"""Stores the campaign that a request with a list asks for, and judges the fields of one that is to be.

What the tenant and its policy packs say of it is asked within the transaction that stores it, so that an answer which
is only replayed is refused for nothing that came since.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator
from dataclasses import replace
from functools import partial

import marshmallow as ma
from phonenumbers import SUPPORTED_REGIONS

from api import idempotency, times
from api.auth import Caller
from api.blueprint import refusal
from api.errors import ApiError, conflict
from api.routes.campaign_fields import DEFAULT_CONCURRENT, CampaignFields, CampaignValues
from api.routes.list_body import (
    FILE_FIELD,
    FILE_OPTIONS,
    IMPORT_SECONDS,
    Reading,
    import_slot,
    read_body,
    refusals,
)
from api.schemas import identifier, quoted
from api.services import Services
from campaigns import allowed_numbers, policy_choice, store, window_changes
from campaigns.copy_rows import CopyRows
from campaigns.duplicates import Repeats
from campaigns.number_hash import NumberHash
from campaigns.numbers import region_of
from campaigns.policy_choice import PolicyChoice
from campaigns.schedule_changes import (
    Schedule,
    ScheduleChanges,
    ScheduleRefusedError,
    check,
    resolved,
)
from campaigns.window_changes import Window, WindowChanges
from campaigns.windows import WindowRefusedError
from models import rows

_DEFAULT_CALLS = "SELECT default_max_concurrent_calls AS calls FROM tenant WHERE id = %s"


def create_from_request(
    services: Services, caller: Caller, to_json: Callable[[uuid.UUID], dict[str, object]]
) -> tuple[idempotency.Answer, uuid.UUID | None]:
    """Store what this request asks for; the answer, and the new campaign's id unless the answer is a replay.

    Raises ApiError: 400, 409, 413, 415.
    """
    created: list[uuid.UUID] = []
    with read_body(partial(checked_fields, CampaignFields), CampaignFields()) as wanted:
        new = new_campaign(wanted.fields, services, caller)

        def work() -> dict[str, object]:
            # In here, so that a replay is not refused for a time that has come since.
            policy = policy_of(caller, wanted.fields)
            windowed = replace(
                new,
                window=window_of(caller, wanted.fields, new.schedule, packs=policy.on),
                policy=policy,
                max_concurrent_calls=_calls_at_once(caller, wanted.fields, services),
            )
            caller_id = store.check_references(
                new, wanted.fields["agent_id"], wanted.fields["phone_number_id"]
            )
            region = new.default_region or region_of(caller_id)
            templates = store.agent_templates(new.agent_id)
            asked, rules = policy.of_list(caller_id), allowed_numbers.of_tenant(caller.tenant_id)
            number_hash = NumberHash(services.settings.secret_key or "")

            def read(campaign_id: uuid.UUID) -> Generator[CopyRows]:
                return wanted.read(Reading(region, templates, campaign_id, asked, rules, new.repeats))

            created[:] = [store.create(windowed, read, number_hash)]
            return to_json(created[0])

        gate = partial(import_slot, caller.tenant_id)
        with refusals():
            try:
                answer = idempotency.once(work, wanted.hash, seconds=IMPORT_SECONDS, gate=gate)
            except store.UnknownReferenceError as error:
                raise ApiError(400, str(error)) from error
            except policy_choice.KeyColumnError as error:
                raise ApiError(400, str(error)) from error
            except policy_choice.PolicyRefusedError as error:
                raise conflict(str(error), "policy") from error
    return answer, None if answer.replayed else created[0]


def checked_fields(kind: type[CampaignFields], data: dict[str, object]) -> CampaignValues:
    """The single fields of a new campaign, as `kind` loads them. Raises ApiError 400."""
    schema = kind()
    try:
        fields: CampaignValues = schema.load(data)
    except ma.ValidationError as error:
        raise refusal(error, schema, (FILE_FIELD, *FILE_OPTIONS)) from error
    region = fields["default_region"]
    if region is not None:
        fields["default_region"] = region.upper()
        if fields["default_region"] not in SUPPORTED_REGIONS:
            raise ApiError(
                400, f"default_region is {quoted(region)}; it must be a country's two letters, such as GB."
            )
    return fields


def _asked_times(fields: CampaignValues) -> ScheduleChanges:
    return {
        "scheduled_at": fields["scheduled_at"],
        "end_at": fields["end_at"],
        "time_zone": fields["time_zone"],
    }


def _check_schedule(fields: CampaignValues, schedule: Schedule) -> None:
    try:
        check(_asked_times(fields), schedule, times.utcnow())
    except ScheduleRefusedError as error:
        raise ApiError(400, str(error)) from error


def policy_of(caller: Caller, fields: CampaignValues) -> PolicyChoice:
    """Whether policy packs bind it, within a transaction. Raises ApiError 409."""
    asked: policy_choice.PolicyChanges = {}
    if "policy_packs" in fields:
        asked["policy_packs"] = fields["policy_packs"]
    if "purpose" in fields:
        asked["purpose"] = fields["purpose"]
    try:
        return policy_choice.of_new(caller.tenant_id, asked)
    except policy_choice.PolicyNotPossibleError as error:
        raise conflict(str(error)) from error


def window_of(caller: Caller, fields: CampaignValues, schedule: Schedule, *, packs: bool) -> Window:
    """The calling window that is asked for, or the tenant's default, within a transaction; its `schedule` can be.
    Raises ApiError."""
    _check_schedule(fields, schedule)
    asked: WindowChanges = {}
    if "windows" in fields:
        asked["windows"] = fields["windows"]
    if "holidays" in fields:
        asked["holidays"] = fields["holidays"]
    try:
        return window_changes.of_new(caller.tenant_id, asked, fields["time_zone"], packs=packs)
    except WindowRefusedError as error:
        raise ApiError(400, str(error)) from error
    except window_changes.WindowNotPossibleError as error:
        raise conflict(str(error)) from error


def check_concurrency(calls: int, services: Services) -> None:
    """Raise ApiError 400 for more calls at a time than this platform lets a campaign have, or for none."""
    most = services.settings.max_concurrent_calls_max
    if not 1 <= calls <= most:
        raise ApiError(400, f"max_concurrent_calls is {calls}; it must be a whole number from 1 to {most}.")


def _calls_at_once(caller: Caller, fields: CampaignValues, services: Services) -> int:
    """How many calls at a time a campaign is to have, within a transaction: what is asked for, or the tenant's
    default, or the platform's, neither of which is more than it lets any have."""
    if fields["max_concurrent_calls"] is not None:
        return fields["max_concurrent_calls"]
    (tenant,) = rows(_DEFAULT_CALLS, caller.tenant_id)
    usual: int = tenant["calls"] or DEFAULT_CONCURRENT
    return min(usual, services.settings.max_concurrent_calls_max)


def new_campaign(fields: CampaignValues, services: Services, caller: Caller) -> store.NewCampaign:
    """A campaign as its valid fields ask for it, without its window and the tenant's defaults. Raises ApiError
    400."""
    calls = fields["max_concurrent_calls"]
    if calls is not None:
        check_concurrency(calls, services)
    try:
        schedule = resolved(_asked_times(fields), Schedule(None, None, None))
    except ScheduleRefusedError as error:
        raise ApiError(400, str(error)) from error
    return store.NewCampaign(
        tenant_id=caller.tenant_id,
        name=fields["name"],
        agent_id=_identified(fields["agent_id"]),
        phone_number_id=_identified(fields["phone_number_id"]),
        max_concurrent_calls=DEFAULT_CONCURRENT if calls is None else calls,
        retries_per_contact=fields["retries_per_contact"],
        retry_delay_seconds=fields["retry_delay_seconds"],
        schedule=schedule,
        created_by=caller.key_name,
        weight=fields["weight"],
        slow_start=fields["slow_start"],
        keep_open=fields["keep_open"],
        external_id=fields["external_id"],
        metadata=fields["metadata"],
        default_region=fields["default_region"],
        retry_rules=fields["retry_rules"],
        dial_order=fields["dial_order"],
        key_column=fields["key_column"],
        repeats=Repeats(fields["duplicates"], fields["duplicates_hours"]),
    )


def _identified(text: str | None) -> uuid.UUID | None:
    return None if text is None else identifier(text)
