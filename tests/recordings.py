"""What a real FreeSWITCH 1.11.3-dev and its clients said over the Event Socket, byte for byte: `recordings.tar.xz`.

A recording is `NN_what_it_shows.txt`, or `.txt.gz`. Behind two lines of comment stand records: a line
`@@ S 1 t=0.123 len=45` and then that many bytes and a newline. The letter is the side (C: the client sent them,
S: the server, a whole frame at a time; N: a note), the first number the connection, `t` seconds since the beginning.
"""

from __future__ import annotations

import atexit
import shutil
import tarfile
import tempfile
from functools import cache
from pathlib import Path

ARCHIVE = Path(__file__).with_suffix(".tar.xz")


@cache
def recordings_folder() -> Path:
    """A folder with all recordings in it, for as long as this process lives."""
    folder = Path(tempfile.mkdtemp(prefix="carillon-recordings-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            content = archive.extractfile(member)
            assert content is not None
            (folder / Path(member.name).name).write_bytes(content.read())
    return folder
