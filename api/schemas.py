"""Base schema and fields: errors that say what is wanted, unknown fields refused.

A rule is written so that it reads on from "<field> is <value>; ": "it must be a whole number from 1 to 100".
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypedDict, Unpack

import marshmallow as ma
from marshmallow import fields, validate

from api import times

MISSING = "is required."
UNKNOWN = "is not known here"
ENCODABLE = "it must be text without NUL or unpaired surrogates"
INT_MAX = 2**31 - 1
WEIGHT_MAX = 100

Data = Mapping[str, object] | None
"""What marshmallow passes along beside a value: the object that it stands in."""

COMMON = {
    "required": MISSING,
    "null": "it must not be null",
    "validator_failed": "it is not valid",
}


class FieldOptions(TypedDict, total=False):
    """What every field may be given besides its own rule; the names are marshmallow's."""

    load_default: object
    data_key: str
    attribute: str
    validate: list[Callable[..., object]]
    required: bool
    allow_none: bool
    metadata: Mapping[str, object]


class Schema(ma.Schema):
    """Base of every schema. Unknown keys are refused by name; order is the order of the fields."""

    class Meta:
        unknown = ma.RAISE

    error_messages = {"unknown": UNKNOWN, "type": "it must be an object"}  # noqa: RUF012


class Text(fields.String):
    """Text of `low` to `high` characters that PostgreSQL can store. `blank` allows only white space."""

    default_error_messages = {**COMMON, "invalid": "it must be text", "stored": ENCODABLE}  # noqa: RUF012

    def __init__(
        self, low: int = 0, high: int = 1000, *, blank: bool = False, **kwargs: Unpack[FieldOptions]
    ) -> None:
        self.low, self.blank = low, blank
        rule = f"it must have {low} to {high} characters"
        kwargs.setdefault("validate", []).insert(0, validate.Length(low, high, error=rule))
        super().__init__(**kwargs)

    def _deserialize(self, value: object, attr: str | None, data: Data, **kwargs: object) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if text is None or not isinstance(text, str):
            raise self.make_error("invalid")
        if "\0" in text or not _encodable(text):
            raise self.make_error("stored")
        if text and self.low and not self.blank and not text.strip():
            raise ma.ValidationError("it must not be blank")
        return text


class Secret(Text):
    """Text that no answer shows, refusals included."""

    def __init__(
        self, low: int = 0, high: int = 1000, *, blank: bool = False, **kwargs: Unpack[FieldOptions]
    ) -> None:
        super().__init__(low, high, blank=blank, **kwargs)
        self.load_only = True


class Integer(fields.Integer):
    """A whole number from `low` to `high`; `true` and 5.0 are not numbers here."""

    default_error_messages = {**COMMON, "invalid": "it must be a whole number"}  # noqa: RUF012

    def __init__(self, low: int = 0, high: int = INT_MAX, **kwargs: Unpack[FieldOptions]) -> None:
        rule = (
            f"it must be a whole number from {low} to {high}"
            if high < INT_MAX
            else f"it must be a whole number, {low} or more"
        )
        kwargs.setdefault("validate", []).insert(0, validate.Range(low, high, error=rule))
        super().__init__(strict=True, **kwargs)

    def _deserialize(self, value: object, attr: str | None, data: Data, **kwargs: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.make_error("invalid")
        return value


class Weight(Integer):
    """A share beside others': from 1 to 100."""

    def __init__(self, **kwargs: Unpack[FieldOptions]) -> None:
        super().__init__(1, WEIGHT_MAX, **kwargs)


class Number(fields.Float):
    """A number from `low` to `high`, whole or not; `true` and "1.5" are not numbers here."""

    default_error_messages = {**COMMON, "invalid": "it must be a number"}  # noqa: RUF012

    def __init__(self, low: float, high: float, **kwargs: Unpack[FieldOptions]) -> None:
        rule = f"it must be a number from {low:g} to {high:.0f}"
        kwargs.setdefault("validate", []).insert(0, validate.Range(low, high, error=rule))
        super().__init__(**kwargs)

    def _deserialize(self, value: object, attr: str | None, data: Data, **kwargs: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.make_error("invalid")
        return float(value)


class Boolean(fields.Boolean):
    """true or false."""

    default_error_messages = {**COMMON, "invalid": "it must be true or false"}  # noqa: RUF012

    def _deserialize(self, value: object, attr: str | None, data: Data, **kwargs: object) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class Time(fields.DateTime):
    """A moment: RFC 3339 with an offset in, UTC with `Z` out."""

    default_error_messages = {  # noqa: RUF012
        **COMMON,
        "invalid": "it must be an RFC 3339 time with an offset, like 2026-01-31T09:00:00Z",
    }

    def _deserialize(self, value: object, attr: str | None, data: Data, **kwargs: object) -> datetime:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        try:
            return times.from_rfc3339(value)
        except ValueError as error:
            raise self.make_error("invalid") from error

    def _serialize(
        self, value: datetime | None, attr: str | None, obj: object, **kwargs: object
    ) -> str | None:
        return None if value is None else times.to_rfc3339(value)


class ZonedTime(Time):
    """A moment, in as `Time`, or without an offset: what clocks of a zone show, loaded as a time without one."""

    default_error_messages = {  # noqa: RUF012
        **COMMON,
        "invalid": "it must be a time like 2026-01-31T09:00:00Z, or like 2026-01-31T09:00:00 with a time_zone",
    }

    def _deserialize(self, value: object, attr: str | None, data: Data, **kwargs: object) -> datetime:
        if isinstance(value, str) and times.LOCAL.fullmatch(value):
            try:
                return times.from_local(value)
            except ValueError as error:
                raise self.make_error("invalid") from error
        return super()._deserialize(value, attr, data, **kwargs)


class Id(fields.String):
    """An id as the API gives them out. One that never was one is kept, for the lookup to find nothing."""

    default_error_messages = {**COMMON, "invalid": "it must be an id"}  # noqa: RUF012

    def __init__(self, **kwargs: Unpack[FieldOptions]) -> None:
        rule = validate.Length(1, 64, error="it must be an id of 1 to 64 characters")
        kwargs.setdefault("validate", []).insert(0, rule)
        super().__init__(**kwargs)

    def _serialize(self, value: object, attr: str | None, obj: object, **kwargs: object) -> str | None:
        return None if value is None else str(value)


class Choice(fields.String):
    """One of a few words."""

    default_error_messages = {**COMMON, "invalid": "it must be text"}  # noqa: RUF012

    def __init__(self, words: Iterable[str], **kwargs: Unpack[FieldOptions]) -> None:
        words = tuple(str(word) for word in words)
        rule = validate.OneOf(words, error=f"it must be one of {', '.join(words)}")
        kwargs.setdefault("validate", []).insert(0, rule)
        super().__init__(**kwargs)


class Word(Text):
    """A word that the service says, and what each means. One that is newer than this process is shown too."""

    def __init__(
        self, meanings: Mapping[str, str], description: str = "", **kwargs: Unpack[FieldOptions]
    ) -> None:
        told = "\n".join(f"- `{word}`: {meaning}" for word, meaning in meanings.items())
        words: list[str | None] = [str(word) for word in meanings]
        if kwargs.get("allow_none"):
            words.append(None)
        kwargs["metadata"] = {"description": f"{description}\n\n{told}".strip(), "enum": words}
        super().__init__(**kwargs)


class Nested(fields.Nested):
    """An object within an object."""

    default_error_messages = {**COMMON, "type": "it must be an object"}  # noqa: RUF012


class Items(fields.List[Any]):
    """A list."""

    default_error_messages = {**COMMON, "invalid": "it must be a list"}  # noqa: RUF012


class Object(fields.Dict):
    """An object with any keys."""

    default_error_messages = {**COMMON, "invalid": "it must be an object"}  # noqa: RUF012


def identifier(text: str) -> uuid.UUID | None:
    """The id that `text` is, or None: only the one spelling that the API gives out is one."""
    try:
        value = uuid.UUID(text)
    except ValueError:
        return None
    return value if str(value) == text else None


def sentence(messages: object, data: object, known: Iterable[str] = (), path: str = "") -> str:
    """The first of marshmallow's `messages` as one sentence that names the field, the value and the rule."""
    if isinstance(messages, Mapping):
        # What is unknown or missing is told before what is wrong: it is usually the typo behind it.
        key = min(messages, key=lambda name: _rank(messages[name]))
        inner = _step(data, key)
        where = path if key == "_schema" else f"{path}.{key}".lstrip(".")
        return sentence(messages[key], data if key == "_schema" else inner, known if not path else (), where)
    rule = str(messages[0] if isinstance(messages, list) and messages else messages)
    name = path or "The body"
    if rule == MISSING:
        return f"{name} {rule}"
    if rule == UNKNOWN:
        listed = ", ".join(known)
        return f"{_clean(name)} {UNKNOWN}; known {'are ' + listed if listed else 'is nothing'}."
    if not path:
        return f"{name} is not valid; {rule}."
    return f"{_clean(name)} is {quoted(data)}; {rule}."


def quoted(value: object) -> str:
    """`value` as a message may carry it: short, one line, printable."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    text = repr(value) if isinstance(value, str) else str(value)
    return _clean(text if len(text) <= 60 else text[:59] + "…")


def _clean(text: str) -> str:
    text = text if len(text) <= 100 else text[:99] + "…"
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _step(data: object, key: object) -> object:
    if isinstance(data, Mapping):
        return data.get(key)
    if isinstance(data, list) and isinstance(key, int) and key < len(data):
        return data[key]
    return None


def _rank(message: object) -> int:
    if message == [UNKNOWN]:
        return 0
    return 1 if message == [MISSING] else 2


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
