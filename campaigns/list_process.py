"""Reads a list in a process of its own, so that no web process is held up by it. The caller stores what comes back.

A new interpreter, not a fork: a fork would take along the sockets and the memory of a whole web process. It knows
only what its arguments say and reads the list from the caller's file. It costs a tenth of a second and some 20 MB, so
a short list is better read in place. It is killed with the caller's generator, and ends by itself with its process.
"""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Generator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, Self

import orjson

from campaigns.columns import Limits
from campaigns.copy_rows import CopyRows
from campaigns.list_doctor import Doctor
from campaigns.list_frames import ListNotRead, read_frames
from campaigns.list_policies import ListPolicy
from campaigns.number_rules import ANY_COUNTRY, NumberRules
from campaigns.row_templates import Template

ROOT = Path(__file__).resolve().parents[1]
PIPE_BYTES = 1024 * 1024
"""Room for a piece: where others ask back to back, each time that the caller waits costs as much as all of them."""


class ListForm(StrEnum):
    """What is read: contacts of a CSV file, a workbook or an array of JSON objects, or a do-not-call list."""

    CSV = "csv"
    JSON = "json"
    SUPPRESSIONS = "suppressions"


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What to read a list for; `added`: to be added to a campaign that there is; `examined`: by a doctor, who
    writes a corrected file's rows where that is asked for, too; `repeats`: each row is a contact, whatever number it
    has."""

    form: ListForm
    campaign_id: uuid.UUID
    region: str | None
    limits: Limits
    encoding: str | None = None
    templates: tuple[Template, ...] = ()
    added: bool = False
    policy: ListPolicy | None = None
    examined: bool = False
    corrected: bool = False
    sheet: str | None = None
    rules: NumberRules = ANY_COUNTRY
    repeats: bool = False

    def doctor(self) -> Doctor | None:
        """Who looks on, where somebody is to."""
        return Doctor(corrected=self.corrected) if self.examined else None

    def to_json(self) -> str:
        """As an argument of the process."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote."""
        said = orjson.loads(text)
        return cls(
            ListForm(said["form"]),
            uuid.UUID(said["campaign_id"]),
            said["region"],
            Limits(**said["limits"]),
            said["encoding"],
            tuple(Template.from_json(one) for one in said["templates"]),
            said["added"],
            None if said["policy"] is None else ListPolicy(**said["policy"]),
            said["examined"],
            said["corrected"],
            said["sheet"],
            _rules(said["rules"]),
            said["repeats"],
        )


def _rules(said: dict[str, Any]) -> NumberRules:
    countries = said["countries"]
    return NumberRules(None if countries is None else tuple(countries), said["premium"])


def read_in_process(request: ListRequest, file: BinaryIO) -> Generator[CopyRows]:
    """Read the list that is in `file`, which must be a real one, from its beginning.

    Raises ListRefused, also after some pieces, and ListNotRead where the process failed: keep nothing then.
    """
    file.seek(0)
    command = [sys.executable, "-m", "campaigns.list_child", request.to_json()]
    with subprocess.Popen(
        command, stdin=file, stdout=subprocess.PIPE, cwd=ROOT, pipesize=PIPE_BYTES
    ) as process:
        assert process.stdout is not None
        try:
            yield from read_frames(process.stdout)
        except ListNotRead as error:
            process.kill()
            raise ListNotRead(f"it ended with status {process.wait()}") from error
        finally:
            process.kill()
