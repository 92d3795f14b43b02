"""The beginning of numbers that are not to be called, as it is written and as it is kept."""

from __future__ import annotations

import re

from campaigns.errors import CampaignsError, quoted
from campaigns.suppression_match import LONGEST_PREFIX

PREFIX_MARK = "*"
"""What a prefix ends with where numbers stand too."""
_PREFIX = re.compile(rf"\+[1-9][0-9]{{0,{LONGEST_PREFIX - 1}}}")
_BETWEEN_DIGITS = str.maketrans("", "", " ().-/'\u00a0")


class PrefixRefusedError(CampaignsError):
    """What cannot be the beginning of numbers."""


def prefix_of(text: str) -> str:
    """What numbers in E.164 begin with, a `+` included. Raises PrefixRefusedError."""
    prefix = text.translate(_BETWEEN_DIGITS)
    if not _PREFIX.fullmatch(prefix):
        rule = f"no + with a country code and up to {LONGEST_PREFIX} digits"
        raise PrefixRefusedError(f"{quoted(text)} is {rule}")
    return prefix
