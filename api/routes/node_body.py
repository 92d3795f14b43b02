"""The bodies of requests that add or change a node."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import TypedDict

import marshmallow as ma

from api import schemas
from api.resources import Patch
from settings import (
    DEFAULT_NODE_CPS,
    DEFAULT_NODE_PORT,
    DEFAULT_NODE_WEIGHT,
    NODE_LIMITS,
)

LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
NAME_RULE = "it must be letters, digits, '_', '.' or '-', the first a letter or a digit"
PASSWORD = r"[\x20-\x7e]*"
HOST_NAME = re.compile(rf"{LABEL}(\.{LABEL})*")
EXAMPLE_BODY: dict[str, object] = {
    "name": "fs3",
    "host": "fs3.example.com",
    "port": 8021,
    "password": "a long password of its own",
    "cps": 20,
    "channels": 500,
    "weight": 2,
}


def _matching(pattern: str, rule: str) -> Callable[[str], None]:
    """A validator. Python's own `$` lets a line break follow, and what it has instead is no JSON Schema."""

    def check(value: str) -> None:
        if not re.fullmatch(pattern, value):
            raise ma.ValidationError(rule)

    return check


class Host(schemas.Text):
    """A host name or an IP address, in lower case."""

    def _deserialize(self, value: object, attr: str | None, data: schemas.Data, **kwargs: object) -> str:
        host = super()._deserialize(value, attr, data, **kwargs).lower()
        if HOST_NAME.fullmatch(host):
            return host
        try:
            return str(ipaddress.IPv6Address(host if "%" not in host else ""))
        except ValueError as error:
            raise ma.ValidationError("it must be a host name or an IP address") from error


class NodeChanges(TypedDict, total=False):
    """A loaded NodePatch."""

    host: str
    port: int
    password: str
    cps: int
    channels: int | None
    weight: int


class NodeValues(TypedDict):
    """A loaded NodeBody."""

    name: str
    host: str
    port: int
    password: str
    cps: int
    channels: int | None
    weight: int


class NodeFields(schemas.Schema):
    """What can be changed of a node."""

    host = Host(1, 253, required=True, metadata={"description": "Of its event socket."})
    port = schemas.Integer(1, 65535, load_default=DEFAULT_NODE_PORT)
    password = schemas.Secret(
        1,
        128,
        blank=True,
        required=True,
        validate=[_matching(PASSWORD, "it must be printable ASCII characters")],
        metadata={"description": "Of its event socket. Never shown.", "pattern": f"^{PASSWORD}$"},
    )
    cps = schemas.Integer(
        1,
        NODE_LIMITS["cps"],
        load_default=DEFAULT_NODE_CPS,
        metadata={"description": "Calls started per second: below the node's sessions per second."},
    )
    channels = schemas.Integer(
        1,
        NODE_LIMITS["channels"],
        load_default=None,
        allow_none=True,
        metadata={"description": "Calls at once; null is the node's own limit."},
    )
    weight = schemas.Integer(1, NODE_LIMITS["weight"], load_default=DEFAULT_NODE_WEIGHT)


class NodeBody(NodeFields):
    """A new node."""

    name = schemas.Text(
        1,
        64,
        required=True,
        validate=[_matching(NAME, NAME_RULE)],
        metadata={"description": "Unique, and for good.", "pattern": f"^{NAME}$"},
    )


class NodePatch(Patch, NodeFields):
    """What to change of a node."""
