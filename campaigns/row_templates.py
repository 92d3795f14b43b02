"""What an agent's templates make of each row of a list, looked at while the list is read.

A column that an agent speaks, dials or plays and that is not in the list, or a cell that makes no extension, number,
room or file, is better told to whoever uploads it than found out when the person is called. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from campaigns.action_templates import Check, filled_text, said
from campaigns.action_values import (
    TEMPLATE,
    checked_extension,
    checked_file,
    checked_number,
    checked_path,
    checked_room,
)
from campaigns.actions import ActionRefused
from campaigns.column_names import variable_name
from campaigns.columns import CellRefused
from campaigns.errors import ListRefused, quoted
from campaigns.routing import match_length


class TemplateKind(StrEnum):
    """What a templated field of an action is."""

    SAY = "say"
    FILE = "file"
    EXTENSION = "extension"
    NUMBER = "number"
    ROOM = "room"


@dataclass(frozen=True, slots=True)
class Template:
    """A field of an agent with a column in it, as it is written; `prefixes` are of the gateway that dials it."""

    field: str
    written: str
    kind: TemplateKind
    prefixes: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Self:
        """From its fields, by name."""
        return cls(said["field"], said["written"], TemplateKind(said["kind"]), tuple(said["prefixes"]))

    @property
    def columns(self) -> list[str]:
        """The columns that stand in it."""
        return [name.strip() for name in TEMPLATE.findall(self.written)]


def templates(
    action: Mapping[str, Any],
    safe_harbour: Mapping[str, Any] | None,
    prefixes: Mapping[str, Sequence[str]],
) -> tuple[Template, ...]:
    """The templated fields of an agent as it is stored; `prefixes` are those of the gateways by their ids."""
    found = _of_action(action, tuple(prefixes.get(str(action.get("gateway_id")), ())))
    if safe_harbour is not None:
        found += _of_message("safe_harbour", safe_harbour)
    return tuple(one for one in found if TEMPLATE.search(one.written))


def _of_action(action: Mapping[str, Any], prefixes: tuple[str, ...]) -> list[Template]:
    match action:
        case {"type": "playback"}:
            return _of_message("action", action)
        case {"type": "transfer", "extension": str(written)}:
            return [Template("action.extension", written.strip(), TemplateKind.EXTENSION)]
        case {"type": "bridge", "number": str(written)}:
            return [Template("action.number", written.strip(), TemplateKind.NUMBER, prefixes)]
        case {"type": "conference", "room": str(written)}:
            return [Template("action.room", written.strip(), TemplateKind.ROOM)]
        case _:
            return []


def _of_message(where: str, message: Mapping[str, Any]) -> list[Template]:
    match message:
        case {"say": {"text": str(text)}} | {"say": str(text)}:
            return [Template(f"{where}.say.text", text.strip(), TemplateKind.SAY)]
        case {"file": str(written)}:
            return [Template(f"{where}.file", written.strip(), TemplateKind.FILE)]
        case _:
            return []


def refuse_missing(wanted: Iterable[Template], columns: Iterable[str], variables: Iterable[str]) -> None:
    """Raise ListRefused (no_template_column) for a column that an agent needs and no list of these columns has."""
    names, known = list(columns), set(variables)
    for template in wanted:
        for name in template.columns:
            if name not in names and variable_name(name) not in known:
                raise ListRefused("no_template_column", missing_message(template.field, name, names))


def missing_message(field: str, name: str, columns: Sequence[str]) -> str:
    """The sentence for a column that an agent's field needs and a list lacks."""
    listed = ", ".join(quoted(one) for one in columns[:8]) + (", …" if len(columns) > 8 else "")
    return (
        f"contacts has no column {quoted(name)}, which the agent's {field} needs; "
        f"its other columns are {listed or 'none'}: add the column, or change the agent"
    )


class RowTemplates:
    """Fills an agent's templates with rows, to see whether they can be called. `region`: of numbers without a `+`."""

    def __init__(self, wanted: Sequence[Template], region: str | None) -> None:
        self.wanted = wanted
        self._region = region

    def refusal(self, fields: Mapping[str, str], variables: Mapping[str, str]) -> CellRefused | None:
        """Why a row with these columns cannot be called by the agent, or None."""
        for template in self.wanted:
            try:
                self._fill(template, fields, variables)
            except ActionRefused as refused:
                column = template.columns[0]
                return CellRefused(
                    "template_value",
                    f"{quoted(column)} makes the agent's {template.field} {quoted(str(refused.value))}, "
                    f"and {refused.rule}; correct the cell",
                    column,
                )
        return None

    def _fill(self, template: Template, fields: Mapping[str, str], variables: Mapping[str, str]) -> None:
        if template.kind is TemplateKind.SAY:
            said(template.written, fields, variables)
            return
        if template.kind is TemplateKind.FILE and template.written.startswith("https://"):
            check: Check = checked_file
        else:
            check = self._checks(template)[template.kind]
        filled_text(template.field, template.written, fields, check, variables)

    def _checks(self, template: Template) -> Mapping[TemplateKind, Check]:
        return {
            TemplateKind.FILE: checked_path,
            TemplateKind.EXTENSION: checked_extension,
            TemplateKind.ROOM: checked_room,
            TemplateKind.NUMBER: lambda where, value: self._number(where, value, template.prefixes),
        }

    def _number(self, where: str, value: str, prefixes: Sequence[str]) -> str:
        number = checked_number(where, value, self._region)
        if match_length(prefixes, number) is None:
            raise ActionRefused(where, value, f"the gateway carries {', '.join(prefixes)} only")
        return number
