"""What is told of a list beside its rows: its columns, and what was read otherwise than it stands there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from campaigns.column_names import ListColumn
from campaigns.list_report import ListReport
from campaigns.zone_groups import Group

MOST_WARNINGS = 20


@dataclass(slots=True)
class ImportNotes:
    """Filled while a list is read. `warnings` are sentences for the uploader; `groups` are those of its contacts
    (`zone_groups`), by their ids; `most_numbers`: how many numbers one of them has at most; `encoding`, `delimiter`
    and `sheet` are a file's; `report` is a doctor's."""

    columns: list[ListColumn] = field(default_factory=list)
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    report: ListReport | None = None
    warnings: list[str] = field(default_factory=list)
    groups: dict[int, Group] = field(default_factory=dict)
    most_numbers: int = 1

    def warn(self, sentence: str) -> None:
        """Add a sentence, once; those past the first 20 are left out."""
        if sentence not in self.warnings and len(self.warnings) < MOST_WARNINGS:
            self.warnings.append(sentence)

    @property
    def custom(self) -> list[ListColumn]:
        """The columns but for the numbers', which are no variables of a call."""
        return [column for column in self.columns if column.variable]

    def told_columns(self) -> list[dict[str, str]]:
        """The columns as they are kept and told."""
        return [
            {"header": column.header, "column": column.name, "variable": column.variable}
            for column in self.custom
        ]

    def to_json(self) -> dict[str, Any]:
        """For the process that stores the list."""
        return {
            "columns": [asdict(column) for column in self.columns],
            "warnings": self.warnings,
            "groups": [(known, tuple(group)) for known, group in self.groups.items()],
            "most_numbers": self.most_numbers,
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "sheet": self.sheet,
            "report": None if self.report is None else asdict(self.report),
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Self:
        """What `to_json` said."""
        return cls(
            columns=[ListColumn(**column) for column in said["columns"]],
            most_numbers=said["most_numbers"],
            encoding=said["encoding"],
            delimiter=said["delimiter"],
            sheet=said["sheet"],
            report=None if said["report"] is None else ListReport(**said["report"]),
            warnings=list(said["warnings"]),
            groups={
                known: Group(tuple(zones), tuple(places), agreed)
                for known, (zones, places, agreed) in said["groups"]
            },
        )
