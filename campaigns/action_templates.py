"""Fills an action's templates with a contact's columns, and checks the result again."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from campaigns.action_values import (
    TEMPLATE,
    checked_extension,
    checked_file,
    checked_number,
    checked_room,
    checked_text,
)
from campaigns.actions import Action, ActionRefused, Bridge, Conference, PlayFile, Say, Transfer
from campaigns.columns import variable_name
from campaigns.errors import quoted


def fill(action: Action, custom_fields: Mapping[str, str], region: str | None = None) -> Action:
    """The action for one contact: each `{column}` replaced once by the contact's value, and the result checked.

    A column is found by its name as the list has it, or by the name of its variable (`{order_id}` for `Order ID`).
    `region` (`US`) is the country of a filled number without a `+`, as it is of the list's own numbers.
    Raises ActionRefused for a column that the contact lacks and for a result that is not allowed.
    """
    match action:
        case PlayFile(file):
            return replace(action, file=_filled("action.file", file, custom_fields, checked_file))
        case Say(text):
            return replace(action, text=_filled("action.say.text", text, custom_fields, checked_text))
        case Transfer(extension):
            filled = _filled("action.extension", extension, custom_fields, checked_extension)
            return replace(action, extension=filled)
        case Bridge(_, number):

            def dialled(where: str, value: str) -> str:
                return checked_number(where, value, region)

            return replace(action, number=_filled("action.number", number, custom_fields, dialled))
        case Conference(room):
            return replace(action, room=_filled("action.room", room, custom_fields, checked_room))
        case _:
            return action


def _filled(where: str, written: str, fields: Mapping[str, str], check: Callable[[str, str], str]) -> str:
    if "{" not in written:
        return written
    by_variable = {variable_name(name): value for name, value in fields.items()}

    def value(template: re.Match[str]) -> str:
        name = template[1].strip()
        found = fields.get(name, by_variable.get(variable_name(name)))
        if found is None:
            raise ActionRefused(where, written, f"the contact has no column {quoted(name)}")
        return found

    return check(where, TEMPLATE.sub(value, written))
