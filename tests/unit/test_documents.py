"""What the documents name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMED = re.compile(r"`([A-Za-z_][\w/.-]*\.(?:py|lua|xml|md|sh))`")
OURS = [path for path in ROOT.rglob("*") if not {".venv", ".git", ".carillon"} & set(path.parts)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_document_names_is_there(document: Path) -> None:
    names = {path.name for path in OURS}
    for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
        for name in NAMED.findall(line):
            there = (ROOT / name).exists() if "/" in name else name in names
            assert there, f"{document.relative_to(ROOT)}:{number} names {name}"
