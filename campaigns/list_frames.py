"""What the process that reads a list writes to the one that stores it: a line of JSON, and the bytes it announces.

The last line says that the list is read, or why it is refused: one that ended without it has failed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import IO

import orjson

from campaigns.copy_rows import CopyRows
from campaigns.errors import ListRefused
from campaigns.import_notes import ImportNotes
from campaigns.import_rows import ImportCounts


class ListNotRead(Exception):  # noqa: N818 - it reads as what happened
    """The process that read the list ended before its end."""


def rows_frame(rows: CopyRows) -> bytes:
    """A piece of the list; an empty one says that work goes on."""
    sizes = {
        "contacts": len(rows.contacts),
        "rejects": len(rows.rejects),
        "sources": len(rows.sources),
        "corrected": len(rows.corrected),
        "further": rows.further,
        "counts": asdict(rows.counts),
        "notes": None if rows.notes is None else rows.notes.to_json(),
    }
    return orjson.dumps(sizes) + b"\n" + rows.contacts + rows.rejects + rows.sources + rows.corrected


def refused_frame(refused: ListRefused) -> bytes:
    """The list is refused."""
    return orjson.dumps({"refused": refused.code, "message": refused.message}) + b"\n"


def end_frame() -> bytes:
    """The list is read."""
    return orjson.dumps({"end": True}) + b"\n"


def read_frames(stream: IO[bytes]) -> Iterator[CopyRows]:
    """The pieces of a list. Raises ListRefused, and ListNotRead where `stream` ends before it says so."""
    while (line := stream.readline()).endswith(b"\n"):
        said = orjson.loads(line)
        if "end" in said:
            return
        if "refused" in said:
            raise ListRefused(said["refused"], said["message"])
        parts = ("contacts", "rejects", "sources", "corrected")
        contacts, rejects, sources, corrected = (stream.read(said[part]) for part in parts)
        read = len(contacts) + len(rejects) + len(sources) + len(corrected)
        if read < sum(said[part] for part in parts):
            break
        notes = None if said["notes"] is None else ImportNotes.from_json(said["notes"])
        counts = ImportCounts(**said["counts"])
        yield CopyRows(contacts, rejects, counts, notes, sources, corrected, said["further"])
    raise ListNotRead
