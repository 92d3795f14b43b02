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
    checked_path,
    checked_room,
    checked_text,
)
from campaigns.actions import Action, ActionRefused, Bridge, Conference, PlayFile, Say, Transfer
from campaigns.column_names import variable_name
from campaigns.errors import quoted
from campaigns.speech import speakable

Check = Callable[[str, str], str]
"""Checks the value of a field, given the field's name and the value; what it is to be."""


def fill(
    action: Action,
    custom_fields: Mapping[str, str],
    region: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> Action:
    """The action for one contact: each `{column}` replaced once by the contact's value, and the result checked.

    A column is found by its name as the list has it, or by the name of its variable (`{order_id}` for `Order ID`;
    `variables` where the list names them, as it does where two would be the same).
    `region` (`US`) is the country of a filled number without a `+`, as it is of the list's own numbers.
    Raises ActionRefused for a column that the contact lacks and for a result that is not allowed.
    """

    def filled(where: str, written: str, check: Check) -> str:
        return filled_text(where, written, custom_fields, check, variables)

    match action:
        case PlayFile(file, folder):
            # Checked as a tenant knows it: a refusal shows no path of a node.
            check = checked_path if folder else checked_file
            return replace(action, file=folder + filled("action.file", file.removeprefix(folder), check))
        case Say(text):
            return replace(action, text=said(text, custom_fields, variables))
        case Transfer(extension):
            return replace(action, extension=filled("action.extension", extension, checked_extension))
        case Bridge(_, number):

            def dialled(where: str, value: str) -> str:
                return checked_number(where, value, region)

            return replace(action, number=filled("action.number", number, dialled))
        case Conference(room):
            return replace(action, room=filled("action.room", room, checked_room))
        case _:
            return action


def said(text: str, fields: Mapping[str, str], variables: Mapping[str, str] | None = None) -> str:
    """What is spoken to one contact: each value is made speakable by itself, so that none begins a template or a
    price with what stands beside it. Raises ActionRefused."""
    spoken = {name: speakable(value) for name, value in fields.items()} if "{" in text else fields
    return checked_text("action.say.text", filled_text("action.say.text", text, spoken, _as_it_is, variables))


def filled_text(
    where: str,
    written: str,
    fields: Mapping[str, str],
    check: Check,
    variables: Mapping[str, str] | None = None,
) -> str:
    """`written` with a contact's columns in its templates, checked. Raises ActionRefused."""
    if "{" not in written:
        return written
    named = variables or {}
    by_variable = {named.get(name) or variable_name(name): value for name, value in fields.items()}

    def value(template: re.Match[str]) -> str:
        name = template[1].strip()
        found = fields.get(name, by_variable.get(variable_name(name)))
        if found is None:
            raise ActionRefused(where, written, f"the contact has no column {quoted(name)}")
        return found

    return check(where, TEMPLATE.sub(value, written))


def _as_it_is(_where: str, value: str) -> str:
    return value
