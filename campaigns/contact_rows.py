"""Reads a list of contacts as it was asked for, to what COPY reads: within a web process, or in one of its own."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import BinaryIO

from campaigns.copy_rows import CopyRows, copy_rows
from campaigns.import_notes import ImportNotes
from campaigns.import_rows import Batch
from campaigns.importer import read_list
from campaigns.json_contacts import read_objects
from campaigns.json_elements import elements
from campaigns.list_doctor import Doctor, with_report
from campaigns.list_process import ListForm, ListRequest


def contact_rows(
    request: ListRequest, file: BinaryIO, let_others_run: Callable[[], None]
) -> Generator[CopyRows]:
    """The pieces of the list in `file`, the notes with the last one. Raises ListRefused, also after some of them, but
    of a list that is examined: there the report says so."""
    notes, doctor = ImportNotes(), request.doctor()
    batches = _batches(request, file, notes, doctor, let_others_run)
    pieces = copy_rows(
        batches, request.campaign_id, notes=notes, staged=request.added, repeats=request.repeats
    )
    return pieces if doctor is None else with_report(pieces, doctor, notes)


def _batches(
    request: ListRequest,
    file: BinaryIO,
    notes: ImportNotes,
    doctor: Doctor | None,
    let_others_run: Callable[[], None],
) -> Iterator[Batch]:
    if request.form is ListForm.JSON:
        return read_objects(
            elements(file.read()),
            default_region=request.region,
            limits=request.limits,
            templates=request.templates,
            notes=notes,
            options=request.added,
            policy=request.policy,
            rules=request.rules,
            repeats=request.repeats,
            doctor=doctor,
            let_others_run=let_others_run,
        )
    return read_list(
        file,
        default_region=request.region,
        limits=request.limits,
        encoding=request.encoding,
        sheet=request.sheet,
        templates=request.templates,
        notes=notes,
        options=request.added,
        policy=request.policy,
        rules=request.rules,
        repeats=request.repeats,
        doctor=doctor,
        let_others_run=let_others_run,
    )
