"""Makes `.venv` ready: run by `script/setup` with whatever Python a person has, so the standard library only.

Called by every other script, so it costs nothing when nothing changed: the hash of the requirement files and of the
place is kept in the virtual environment. Several may run at once; a run that was cut short is done again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
RUNTIME, DEVELOPMENT = "requirements.txt", "requirements-dev.txt"


class SetupError(Exception):
    """The environment cannot be made; the message says what to do."""


def main(argv: list[str]) -> int:
    """`ROOT [--dev]`; 0 when ready, 1 with one sentence on standard error when that is impossible."""
    root = Path(argv[0])
    try:
        ensure(root, development="--dev" in argv[1:])
    except SetupError as error:
        print(f"carillon: {error}", file=sys.stderr)
        return 1
    return 0


def ensure(root: Path, *, development: bool) -> None:
    """Bring `root/.venv` up to the pinned requirements. Raises SetupError."""
    venv = root / ".venv"
    wanted = stamp(root, development)
    if kept(venv, development) == wanted:
        return
    try:
        venv.mkdir(exist_ok=True)
        lock = open(venv / ".setup.lock", "w", encoding="ascii")  # noqa: SIM115
    except OSError as error:
        raise SetupError(f"cannot write to {venv}: {error.strerror}; run as the user who owns it") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if kept(venv, development) == wanted:
            return
        if not usable(venv, root):
            create(venv)
        install(venv, root / (DEVELOPMENT if development else RUNTIME))
        (venv / ".place").write_text(f"{root}\n", encoding="utf-8")
        for done in {development, False}:
            _stamp_file(venv, done).write_text(stamp(root, done), encoding="ascii")


def stamp(root: Path, development: bool) -> str:
    """What the environment must have been made from."""
    digest = hashlib.sha256(f"{root}\n".encode())
    for name in (RUNTIME, *((DEVELOPMENT,) if development else ())):
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def kept(venv: Path, development: bool) -> str | None:
    """What it was last made from, if it was ever finished and its Python is still there."""
    try:
        return _stamp_file(venv, development).read_text(encoding="ascii") if _python(venv).exists() else None
    except OSError:
        return None


def usable(venv: Path, root: Path) -> bool:
    """Whether an environment exists that runs, is new enough, has pip, and was not moved here from elsewhere.

    The programs in it name their Python by its full path, so a folder that was moved has to be made again.
    """
    try:
        if (venv / ".place").read_text(encoding="utf-8").strip() != str(root):
            return False
    except FileNotFoundError:
        pass
    check = f"import pip, sys; sys.exit(sys.version_info < {OLDEST})"
    try:
        return subprocess.run([_python(venv), "-c", check], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def create(venv: Path) -> None:
    """Make an empty environment with pip in it, in place of whatever is there."""
    _say("making the virtual environment")
    for entry in venv.iterdir():
        if entry.name == ".setup.lock":
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    done = _run([sys.executable, "-m", "venv", str(venv)])
    if done.returncode != 0:
        raise SetupError(
            f"{sys.executable} cannot make a virtual environment with pip; install the rest of Python "
            f"(on Debian and Ubuntu: apt install python3-venv) and run this again.\n{_end_of(done)}"
        )


def install(venv: Path, requirements: Path) -> None:
    """Install what the file pins; it is the first run's only slow part."""
    _say(f"installing {requirements.name} (about a minute the first time)")
    argv = [
        str(_python(venv)),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        # What is imported is compiled then; all the rest, most of it, would take half of the time here.
        "--no-compile",
    ]
    done = _run([*argv, "-r", str(requirements)])
    if done.returncode != 0:
        raise SetupError(f"pip could not install {requirements.name}; is PyPI reachable?\n{_end_of(done)}")


def _python(venv: Path) -> Path:
    return venv / "bin" / "python"


def _stamp_file(venv: Path, development: bool) -> Path:
    return venv / (".ready-dev" if development else ".ready")


def _run(argv: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)


def _end_of(done: subprocess.CompletedProcess[str]) -> str:
    return "\n".join((done.stdout + done.stderr).strip().splitlines()[-10:])


def _say(what: str) -> None:
    print(f"carillon: {what} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
