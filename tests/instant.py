"""Says at once what failed: a pytest plugin for runs whose own output is read only when they are over.

Writes to the standard error that pytest was started with, before pytest itself captures it.
"""

from __future__ import annotations

import os

import pytest

_SEEN = os.dup(2)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        _say(f"FAILED {report.nodeid} ({report.when})\n{report.longreprtext}")


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        _say(f"NOT COLLECTED {report.nodeid}\n{report.longreprtext}")


def _say(text: str) -> None:
    # In one write: several runs share this terminal.
    os.write(_SEEN, f"\n{text}\n\n".encode("utf-8", "replace"))
