"""What to do about each code with which a row of a list can be rejected.

The codes are given where a row is judged: by `NumberRefused` and `CellRefused` (`errors`, `columns`), by `FAULTS` of
`importer` for what cannot be read as a row, and by `suppressed_rows` and `duplicates` for rows that are stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        "amount": "Format the column as text, and write each number without decimals.",
        "area_mismatch": "Write the number with + and its country and area codes.",
        "bad_quotes": 'Double each " within a quoted cell.',
        "bad_time_zone": "Write an IANA time zone such as America/New_York, or leave the cell empty.",
        "caller_id_refused": "Call from a number that may be shown there, or leave the row out.",
        "cell_too_long": "Shorten the cell.",
        "consent_missing": "Fill in when the person agreed to be called, or leave the row out.",
        "country_not_allowed": "Leave the row out, or have the country allowed to the account.",
        "country_mismatch": "Correct the number or the country beside it, or write the number with + and its "
        "country code and leave the other empty.",
        "date": "Look whether the right column is named phone_number; write a number with + and its country code.",
        "duplicate": "Nothing needs to be done: the number is called once, for the first row that has it.",
        "emergency_number": "Leave the row out: emergency numbers are never called.",
        "excel_scientific": "The digits are lost in this file: export the list anew, with the column formatted as "
        "text.",
        "invalid_consent": "Write a day or a time that has come, with an offset, such as 2026-01-31.",
        "invalid_number": "Write the one number with + and its country code.",
        "missing_number": "Fill in the number, or leave the row out.",
        "network_address": "Write a phone number, or leave the row out.",
        "number_range": "Write one whole number, without a hyphen or an extension.",
        "premium": "Leave the row out: premium-rate numbers are not called.",
        "recently_called": "Leave the row out, or upload it once duplicates_hours are over.",
        "row_too_long": "Shorten the row's cells.",
        "several_numbers": "Give the second number a column of its own, phone_number_2, or keep the one that is to "
        "be called.",
        "short_code": "Leave the row out, or write the whole number with + and its country code.",
        "suppressed": "Leave the row out: the number is on a do-not-call list.",
        "template_value": "Correct the cell that the agent's action is filled with.",
        "too_many_cells": "Put cells with a delimiter in them into quotes.",
        "undecodable": "Save the list as UTF-8.",
        "unknown_country": "Write the number with + and its country code.",
        "unsafe_value": "Take out of the cell what cannot travel with a call.",
        "unterminated_quote": 'Close each " that is opened, or double it within a cell.',
        "variables_too_large": "Shorten the row's cells, or leave out columns.",
        "wrong_type": "Write a string, a number, true, false or null.",
    }
)
"""In full, beside the rejected rows of a preview."""

IN_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "country_not_allowed": "leave the row out, or have the country allowed",
        "emergency_number": "leave the row out",
        "invalid_number": "write the one number with + and its country code",
        "missing_number": "fill it in, or leave the row out",
        "premium": "leave the row out",
        "short_code": "leave the row out, or write the whole number with + and its country code",
    }
)
"""In short, behind the reason of a rejected row itself, which has said already what is wrong with the number."""
