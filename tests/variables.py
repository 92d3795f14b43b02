"""The names of the settings, read from the source: a new one is known to the tests without being listed again."""

from __future__ import annotations

import re
from pathlib import Path

RUN_MARK = "CARILLON_TEST_RUN"
"""In the environment of every process of a run, so that one left behind is found."""
LEVELS = frozenset({"DEBUG", "INFO", "WARNING", "ERROR"})
SOURCE = Path(__file__).parents[1] / "settings.py"
OUR_VARIABLES = frozenset(re.findall(r'"([A-Z][A-Z_]{3,})"', SOURCE.read_text(encoding="utf-8"))) - LEVELS
"""The variables that Carillon reads."""
