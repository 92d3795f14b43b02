"""What is refused of a list: all of it, or one number. Each with a stable code and a sentence for who asked.

Why a single row is rejected is no error but a value, `CellRefused` of `columns`: the other rows go on.
"""

from __future__ import annotations


class CampaignsError(Exception):
    """Something a tenant asked for breaks a rule of campaigns."""


class ListRefused(CampaignsError):  # noqa: N818 - it reads as what happened to the list
    """A whole list cannot be imported. `code` is stable, `message` one sentence for the uploader."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class ListTooLarge(ListRefused):
    """The upload has more bytes than a list may have."""


class NumberRefused(CampaignsError):  # noqa: N818 - it reads as what happened to the number
    """A number that must not, or cannot, be dialled. `code` is stable, `reason` says why in words."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def quoted(value: str) -> str:
    """`value` as a message may carry it: quoted, short, one line, nothing that a terminal would act on."""
    text = value if len(value) <= 40 else value[:39] + "…"
    if text.isprintable():
        return f"'{text}'"
    return "'" + "".join(c if c.isprintable() else "\ufffd" for c in text) + "'"
