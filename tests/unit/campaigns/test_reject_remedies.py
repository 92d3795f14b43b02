"""Every code that a row can be rejected with has a sentence that says what to do."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import phonenumbers

from campaigns import duplicates, importer, number_rules, suppressed_rows
from campaigns.numbering_plans import country_of_number
from campaigns.numbers import region_of
from campaigns.reject_remedies import IN_REASONS, REMEDIES

CAMPAIGNS = Path(importer.__file__).parent
CALLS = {"NumberRefused": 0, "CellRefused": 0, "RejectedRow": 2, "rejected": 2}
"""What makes a rejected row, and which of its arguments is the code."""


def codes() -> Iterator[str]:
    for path in CAMPAIGNS.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
                given = node.args[CALLS[node.func.id] :][:1]
                yield from (
                    one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)
                )


def test_every_code_has_a_remedy_and_every_remedy_a_code() -> None:
    assert {
        *codes(),
        *importer.FAULTS,
        suppressed_rows.CODE,
        duplicates.CODE,
        number_rules.NOT_ALLOWED,
    } == REMEDIES.keys()
    assert all(remedy.endswith(".") for remedy in REMEDIES.values())
    assert IN_REASONS.keys() <= REMEDIES.keys()


def test_the_country_of_a_number_is_the_library_s() -> None:
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in phonenumbers.PhoneNumberType.values():
            number = phonenumbers.example_number_for_type(region, kind)
            if number is None:
                continue
            written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            assert country_of_number(written) == region_of(written), written
    assert country_of_number("+80012345678") is None
