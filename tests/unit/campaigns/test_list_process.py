"""A list that another process reads: what it writes is whole or is not taken, and it ends with whoever started it."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import uuid
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns import list_child
from campaigns.columns import Limits
from campaigns.copy_rows import CopyRows, copy_rows
from campaigns.errors import ListRefused
from campaigns.import_notes import ImportNotes
from campaigns.import_rows import ImportCounts
from campaigns.importer import read_list
from campaigns.list_child import Output
from campaigns.list_frames import ListNotRead, end_frame, read_frames, refused_frame, rows_frame
from campaigns.list_process import ROOT, ListForm, ListRequest, read_in_process
from tests.unit.campaigns.test_importer import many
from tests.waiting import wait_until

CAMPAIGN = uuid.UUID(int=7)
ROWS = 20_000
"""Far more than a pipe holds: whoever wrote the first piece of them has to wait for its reader."""
PIECES = [
    CopyRows(b"contact\n", b"", ImportCounts(1, 1)),
    CopyRows(),
    CopyRows(b"", b"reject\n", ImportCounts(1, 0, 1)),
]
WRITTEN = b"".join(map(rows_frame, PIECES))


def readers(pid: int | str = "self") -> set[int]:
    """The readers of lists that a process has started, and not seen the end of."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    children = {int(child) for task in tasks for child in shown(task).split()}
    return {
        child for child in children if list_child.__name__.encode() in shown(Path(f"/proc/{child}/cmdline"))
    }


def shown(path: Path) -> bytes:
    """What the kernel shows of a process or thread; nothing where it has ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return path.read_bytes()
    return b""


def runs(pid: int) -> bool:
    """Whether a process does anything any more; one that nobody waited for does not."""
    stat = shown(Path(f"/proc/{pid}/stat"))
    return stat != b"" and stat.rpartition(b")")[2].split()[0] not in b"ZX"


def request(limits: Limits | None = None) -> ListRequest:
    return ListRequest(ListForm.CSV, CAMPAIGN, "US", limits or Limits())


def without_ids(pieces: list[CopyRows]) -> list[list[bytes]]:
    """The contacts, but for their ids, which are new each time."""
    return [[line.partition(b"\t")[2] for line in piece.contacts.splitlines()] for piece in pieces]


def test_frames_are_read_as_they_were_written() -> None:
    assert list(read_frames(io.BytesIO(WRITTEN + end_frame()))) == PIECES


@given(st.integers(0, len(WRITTEN + end_frame()) - 1))
def test_a_reader_that_ended_early_is_told_from_one_that_is_done(cut: int) -> None:
    frames = read_frames(io.BytesIO((WRITTEN + end_frame())[:cut]))
    whole = [rows_frame(piece) for piece in PIECES]
    for piece in PIECES[: sum(len(b"".join(whole[: at + 1])) <= cut for at in range(len(whole)))]:
        assert next(frames) == piece
    with pytest.raises(ListNotRead):
        next(frames)


def test_a_refusal_is_told_after_some_pieces_too() -> None:
    refused = refused_frame(ListRefused("no_good_row", "contacts has no good row"))
    frames = read_frames(io.BytesIO(WRITTEN + refused))
    assert [next(frames) for _ in PIECES] == PIECES
    with pytest.raises(ListRefused, match="contacts has no good row") as raised:
        next(frames)
    assert raised.value.code == "no_good_row"


def test_work_that_goes_on_is_told_once_a_second() -> None:
    now = 100.0
    out = io.BytesIO()
    output = Output(out, lambda: now)
    for now in (100.5, 101.0, 101.9, 102.0, 102.5):  # noqa: B007 - the clock of the output
        output.sign_of_life()
    output.write(rows_frame(PIECES[0]))
    for now in (103.4, 103.5):  # noqa: B007
        output.sign_of_life()
    assert list(read_frames(io.BytesIO(out.getvalue() + end_frame()))) == [
        CopyRows(), CopyRows(), PIECES[0], CopyRows(),
    ]  # fmt: skip


def test_a_list_is_read_as_it_would_be_here() -> None:
    data = many(3000) + b"12,too short\n"
    with TemporaryFile() as file:
        file.write(data)
        # Without the signs of life of a reader that took longer than a second.
        there = [piece for piece in read_in_process(request(), file) if piece != CopyRows()]
    notes = ImportNotes()
    batches = read_list(io.BytesIO(data), default_region="US", limits=Limits(), notes=notes)
    here = list(copy_rows(batches, CAMPAIGN, notes=notes))
    assert without_ids(there) == without_ids(here)
    assert [piece.rejects for piece in there] == [piece.rejects for piece in here]
    assert there[-1].notes == here[-1].notes == notes
    assert notes.columns[0].name == "phone_number"
    assert [piece.counts for piece in there] == [piece.counts for piece in here]
    assert readers() == set()


def test_its_refusal_is_the_caller_s() -> None:
    with TemporaryFile() as file:
        file.write(many(30))
        with pytest.raises(ListRefused, match="more than 20 rows") as refused:
            list(read_in_process(request(Limits(max_rows=20)), file))
    assert refused.value.code == "too_many_rows"


def test_one_that_is_killed_has_not_read_the_list() -> None:
    with TemporaryFile() as file:
        file.write(many(ROWS))
        pieces = read_in_process(request(), file)
        next(pieces)
        (child,) = readers()
        os.kill(child, signal.SIGKILL)
        with pytest.raises(ListNotRead, match="status -9"):
            list(pieces)
    assert readers() == set()


def test_one_that_nobody_reads_from_any_more_is_ended() -> None:
    with TemporaryFile() as file:
        file.write(many(ROWS))
        with closing(read_in_process(request(), file)) as pieces:
            next(pieces)
            (child,) = readers()
    assert not runs(child)
    assert readers() == set()


@pytest.mark.parametrize("heeded_by_the_web_process", [signal.SIGTERM, signal.SIGINT])
def test_it_leaves_a_stop_of_the_platform_to_its_web_process(
    heeded_by_the_web_process: signal.Signals,
) -> None:
    with TemporaryFile() as file:
        file.write(many(ROWS))
        pieces = read_in_process(request(), file)
        rows = next(pieces).counts.rows
        (child,) = readers()
        os.kill(child, heeded_by_the_web_process)
        assert rows + sum(piece.counts.rows for piece in pieces) == ROWS


def test_it_ends_with_its_web_process_however_that_ends(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes(many(ROWS))
    owner = """
import sys
from tests.unit.campaigns.test_list_process import readers, read_in_process, request
with open(sys.argv[1], "rb") as file:
    pieces = read_in_process(request(), file)
    next(pieces)
    print(*readers(), flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", owner, str(tmp_path / "list.csv")],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert runs(child)
        process.kill()
    wait_until(lambda: not runs(child), "the end of the reader")


def test_it_knows_nothing_of_the_database() -> None:
    """What it does not load, it need not wait for: it is started for each list."""
    loaded = subprocess.check_output(
        [sys.executable, "-c", f"import sys, {list_child.__name__}; print(*sys.modules)"], cwd=ROOT, text=True
    ).split()
    assert not {"models", "peewee", "psycopg", "flask", "gevent"} & set(loaded)
