"""Which package may import which: the arrows of docs/architecture.md, and no other."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ALLOWED: dict[str, set[str]] = {
    "app": {"api", "coordination", "live", "logs", "models", "settings", "version", "web"},
    "version": set(),
    "models": {"database", "database_pool", "database_statements", "ids", "states", "tables"},
    "tables": {"database", "ids", "states"},
    "database": {"database_pool"},
    "database_pool": {"database_statements", "database_wait"},
    "database_statements": set(),
    "database_wait": set(),
    "ids": set(),
    "states": set(),
    "settings": {"server_urls"},
    "server_urls": set(),
    "logs": set(),
    "web_errors": {"logs"},
    "api": {"campaigns", "coordination", "limits", "live", "models", "settings"},
    "web": {"api", "campaigns.blocked_words", "campaigns.dispositions", "campaigns.retry_rules"},
    "campaigns": {"ids", "models"},
    "coordination": set(),
    "limits": {"coordination"},
    "live": {"coordination"},
    "dialer": {"campaigns", "coordination", "limits", "freeswitch", "live", "logs", "models", "settings"},
    "freeswitch": set(),
    "simulator": {"freeswitch.causes"},
    "local": {"settings", "simulator"},
    "migrations": {"models", "server_urls", "settings", "api.key_digest", "api.stored_keys"},
    "gunicorn.conf": {"api", "live", "settings", "web_errors"},
}

FOR_EVERYBODY = frozenset({"cooperative", "outages", "server_faults"})
"""What every package may import: they import nothing of ours but each other."""


def room_of(module: str) -> str | None:
    """The package that a dotted module name lies in; None for what is not ours."""
    first = module.split(".", maxsplit=1)[0]
    return first if first in ALLOWED else None


def ours() -> list[Path]:
    top = [
        ROOT / f"{name}.py"
        for name in (
            "app",
            "cooperative",
            "database",
            "database_pool",
            "database_statements",
            "database_wait",
            "ids",
            "logs",
            "outages",
            "models",
            "server_faults",
            "server_urls",
            "settings",
            "states",
            "web_errors",
            "gunicorn.conf",
        )
    ]
    folders = {name.split(".")[0] for name in ALLOWED if (ROOT / name.split(".")[0]).is_dir()}
    return sorted(top + [path for folder in folders for path in (ROOT / folder).rglob("*.py")])


def imported(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it; `from room import x` names room.x where that is a module."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).parts[:-1]
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            names = {f"{module}.{alias.name}" for alias in node.names}
            modules = {name for name in names if (ROOT / name.replace(".", "/")).with_suffix(".py").exists()}
            found |= modules or {module}
    return found


@pytest.mark.parametrize("path", ours(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_what_the_map_allows(path: Path) -> None:
    module = str(path.relative_to(ROOT)).removesuffix(".py").replace("/", ".")
    room = room_of(module) or module
    for name in imported(path):
        other = room_of(name)
        if other is None or other in (room, *FOR_EVERYBODY):
            continue
        permitted = ALLOWED[room]
        allowed = other in permitted or any(
            name == entry or name.startswith(entry + ".") for entry in permitted if "." in entry
        )
        assert allowed, f"{module} ({room}) imports {name} ({other})"


FOLDERS_OF_A_DIALER = ("dialer/record", "dialer/capacity", "dialer/recovery", "dialer/dispatch")
"""In the order in which they may import each other: none imports one that stands behind it. Recovery and dispatch
know nothing of each other."""


def modules() -> dict[str, set[str]]:
    """Every module of ours, and those of ours that it imports, for types alone too."""
    names = {path: str(path.relative_to(ROOT)).removesuffix(".py").replace("/", ".") for path in ours()}
    known = {name.removesuffix(".__init__"): path for path, name in names.items()}
    return {
        name: {other for other in imported(path) if other in known} - {name} for name, path in known.items()
    }


def test_no_two_files_need_each_other() -> None:
    """However many lie between: whoever reads one of them has to read all."""
    imports = modules()
    while free := [name for name, needed in imports.items() if not needed & imports.keys()]:
        for name in free:
            del imports[name]
    assert imports == {}, "these import each other in a circle, or what does"


@pytest.mark.parametrize("folder", FOLDERS_OF_A_DIALER)
def test_the_folders_of_a_dialer_import_each_other_in_one_direction(folder: str) -> None:
    behind = FOLDERS_OF_A_DIALER[FOLDERS_OF_A_DIALER.index(folder) + 1 :]
    forbidden = {name.replace("/", ".") for name in behind}
    if folder == "dialer/dispatch":
        forbidden.add("dialer.recovery")
    for path in (ROOT / folder).glob("*.py"):
        arrows = {name.rpartition(".")[0] for name in imported(path)} & forbidden
        assert not arrows, f"{path.relative_to(ROOT)} imports from {sorted(arrows)}"


def test_every_room_is_in_the_map() -> None:
    """A new folder with code has to be given its place here and in docs/architecture.md."""
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    assert folders <= set(ALLOWED)


def test_the_map_in_the_documentation_names_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for room in ALLOWED:
        if room != "gunicorn.conf":
            assert f"`{room.replace('.', '/')}" in text, room
