"""A test puts something of its own in the place of what has a public name, or hands it in: a private name said as a
string would go past the linter, and past whoever renames it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.test_rooms import ROOT

PATCHES = {"setattr", "delattr", "object", "patch"}
"""monkeypatch.setattr, mock.patch.object and their like; the builtin setattr, too."""
FOLDERS = ("tests", "bench")


def private_patches(source: str) -> Iterator[tuple[int, str]]:
    """The lines of what is patched by a private name, and the name."""
    if not any(f"{name}(" in source for name in PATCHES):
        return
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called not in PATCHES:
            continue
        # What is patched stands first, as its path, or second, as a name of the first.
        given = [*node.args[:2], *(keyword.value for keyword in node.keywords)]
        for argument in given:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                name = argument.value.rpartition(".")[2]
                if name.startswith("_") and not name.endswith("__") and name.isidentifier():
                    yield node.lineno, argument.value


@pytest.mark.parametrize("folder", FOLDERS)
def test_nothing_is_patched_by_a_private_name(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} patches {name!r}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line, name in private_patches(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(["give it a public name, or hand it in:", *found])


@pytest.mark.parametrize(
    "line",
    [
        'monkeypatch.setattr(part, "_step", None)',
        'monkeypatch.setattr("room.part._step", None)',
        'monkeypatch.delattr(part, "_step")',
        'patch.setattr(part, name="_step", value=None)',
        'mock.patch.object(part, "_step")',
        'mock.patch("room.part._step")',
        'setattr(part, "_step", None)',
    ],
)
def test_a_private_name_is_found_however_it_is_patched(line: str) -> None:
    assert [name.rpartition(".")[2] for _, name in private_patches(f"\n{line}\n")] == ["_step"]


@pytest.mark.parametrize("line", ['monkeypatch.setattr(part, "step", "_")', 'part.step("_step")', "f(_step)"])
def test_what_is_public_may_be_patched(line: str) -> None:
    assert not list(private_patches(line))


def test_it_looks_where_tests_are() -> None:
    assert Path(__file__).relative_to(ROOT).parts[0] in FOLDERS
