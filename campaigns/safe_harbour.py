"""The safe-harbour message for abandoned calls: parsed and filled.

It obeys the rules of a `playback` action, templates included. The API parses before it stores; the dialer parses with
the permissions of the moment and fills for each call. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from campaigns.action_parsing import parse_action
from campaigns.action_templates import fill
from campaigns.actions import Action, ActionRefused, Allowed, PlayFile, Say

Message = PlayFile | Say

_KINDS = frozenset({"file", "say"})


def parse_safe_harbour(data: object, allowed: Allowed) -> Message | None:
    """Check an agent's message; None where it has none. Raises ActionRefused for the first thing that is wrong."""
    if data is None:
        return None
    if not isinstance(data, Mapping):
        raise ActionRefused("safe_harbour", data, "it must be an object with a file or a say")
    for name in data.keys() - _KINDS:
        raise ActionRefused(f"safe_harbour.{name}", data[name], "there is no such field")
    return _message(lambda: parse_action({"type": "playback", **data}, allowed))


def fill_safe_harbour(
    message: Message, custom_fields: Mapping[str, str], variables: Mapping[str, str] | None = None
) -> Message:
    """The message for one contact, as `fill` makes an action. Raises ActionRefused."""
    return _message(lambda: fill(message, custom_fields, variables=variables))


def _message(made: Callable[[], Action]) -> Message:
    try:
        action = made()
    except ActionRefused as refused:
        field = "safe_harbour" + refused.field.removeprefix("action")
        raise ActionRefused(field, refused.value, refused.rule.replace("tone, ", "")) from refused
    if not isinstance(action, (PlayFile, Say)):
        raise ActionRefused("safe_harbour", None, "it must be an object with a file or a say")
    return action
