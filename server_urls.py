"""What a URL of a server must look like, checked before anything connects, and how to show one without its secrets.

Pure, and free of the drivers: the web's master process reads the settings before gevent patches it, and a driver
imported by then would block every greenlet. The rules are the drivers' own: what passes here, libpq and redis-py can
read. Called by `settings`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, parse_qsl, unquote_to_bytes, urlsplit

POSTGRESQL_SHAPE = (
    "it must look like postgresql://user:password@host:5432/database, with anything unusual percent-encoded"
)
REDIS_SHAPE = (
    "it must look like redis://:password@host:6379/0 (or rediss://, or unix:///path?db=0), with anything unusual"
    " percent-encoded"
)
LIBPQ_OPTIONS: frozenset[str] = frozenset(
    re.findall(
        "[a-z_]+",
        "application_name channel_binding client_encoding connect_timeout dbname "
        "fallback_application_name gssdelegation gssencmode gsslib host hostaddr keepalives "
        "keepalives_count keepalives_idle keepalives_interval krbsrvname load_balance_hosts "
        "max_protocol_version min_protocol_version oauth_client_id oauth_client_secret oauth_issuer "
        "oauth_scope options passfile password port replication require_auth requirepeer scram_client_key "
        "scram_server_key service ssl_max_protocol_version ssl_min_protocol_version sslcert sslcertmode "
        "sslcompression sslcrl sslcrldir sslkey sslkeylogfile sslmode sslnegotiation sslpassword "
        "sslrootcert sslsni target_session_attrs tcp_user_timeout user",
    )
)
REDIS_OPTIONS: Mapping[str, str] = {"db": "a number", "username": "a text", "password": "a text"}
TLS_OPTIONS: Mapping[str, str] = {
    "ssl_ca_certs": "a text",
    "ssl_ca_path": "a text",
    "ssl_cert_reqs": "none, optional or required",
    "ssl_certfile": "a text",
    "ssl_check_hostname": "true or false",
    "ssl_keyfile": "a text",
    "ssl_password": "a text",
}
"""What a REDIS_URL may say besides, and what that must be. Timeouts are ours to set."""
_WRITTEN: Mapping[str, str] = {
    "a number": "[0-9]{1,9}",
    "a text": ".+",
    "none, optional or required": "none|optional|required",
    "true or false": "true|false",
}

_HOST_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?")
_WHOLE = re.compile("[0-9]{1,9}")
_POSTGRESQL = re.compile(r"postgres(?:ql)?://(?:[^@/]*@)?([^@/?]*)(?:/[^@/?]*)?(?:\?([^@]*))?")
_POSTGRESQL_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|[A-Za-z0-9._%-]*)(?::([0-9]*))?")
_BROKEN_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})|%00")
# An address without user or password: [fd00::1]:80, host:80 or host, and what follows it.
_ADDRESS_ONLY = re.compile(r"(?:\[[^]]*\]?(?::[0-9]*)?|[^:/?#[]+:[0-9]*|[^:/?#[]*)(?:[/?#].*)?", re.DOTALL)


def without_secrets(url: str) -> str:
    """The URL, right or wrong, with `***` for whatever may be a password or a part of one."""
    scheme, slashes, rest = url.partition("://")
    if not re.fullmatch("[A-Za-z]{1,20}", scheme) or not slashes:
        scheme, slashes, rest = "", "", url
    _, at, after = rest.rpartition("@")
    if at:
        rest = f"***@{after}"
    elif not _ADDRESS_ONLY.fullmatch(rest):
        rest = rest.partition(":")[0] + ":***"
    rest, query, _ = rest.partition("?")
    shown = f"{scheme}{slashes}{rest}{query and '?***'}"
    return shown if len(shown) <= 100 else f"{shown[:100]}…"


def split(url: str) -> SplitResult | None:
    """The parts of a URL whose host, port (0 is none) and characters can be used as they are; None for any other."""
    if not url.isprintable():
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    # An @ further on: the password holds a character that ended it.
    misread = parts.fragment or "@" in parts.path or "@" in parts.query
    if misread or port == 0 or not (parts.hostname is None or is_host(parts.hostname)):
        return None
    return parts


def is_host(text: str) -> bool:
    """Whether this is a host name, an IPv4 address or an IPv6 address without brackets."""
    return _is_ipv6(text) if ":" in text else len(text) <= 253 and bool(_HOST_NAME.fullmatch(text))


def whole(text: str, low: int, high: int) -> int | None:
    """The number that ASCII digits, and nothing else, write; None where it is not from `low` to `high`."""
    value = int(text) if _WHOLE.fullmatch(text) else low - 1
    return value if low <= value <= high else None


def postgresql_fault(url: str) -> str | None:
    """The rule that a DATABASE_URL breaks; None where libpq can read it.

    https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
    """
    match = _POSTGRESQL.fullmatch(url)
    if match is None or not url.isprintable() or " " in url or _BROKEN_PERCENT.search(url):
        return POSTGRESQL_SHAPE
    try:
        unquote_to_bytes(url).decode()
    except UnicodeDecodeError:
        return "what is written as %XX must be UTF-8"
    for host in match[1].split(","):
        address = _POSTGRESQL_HOST.fullmatch(host)
        if address is None or (address[1] and not _is_ipv6(address[1])):
            return POSTGRESQL_SHAPE
        if address[2] and whole(address[2], 1, 65535) is None:
            return "a port must be from 1 to 65535"
    for option in match[2].split("&") if match[2] else ():
        name, equals, value = option.partition("=")
        if not equals or "=" in value or not re.fullmatch("[a-z_]{1,40}", name):
            return POSTGRESQL_SHAPE
        if name not in LIBPQ_OPTIONS:
            return f"{name!r} is no option of PostgreSQL's clients"
    return None


def redis_fault(url: str) -> str | None:
    """The rule that a REDIS_URL breaks; None where redis-py can read it, and nothing in it would be passed over."""
    parts = split(url)
    if parts is None or " " in url or not url.startswith(("redis://", "rediss://", "unix://")):
        return REDIS_SHAPE
    if parts.scheme == "unix":
        good = parts.hostname is None and len(parts.path) > 1
    else:
        good = parts.hostname is not None and bool(re.fullmatch("(/([0-9]{1,9})?)?", parts.path))
    if not good:
        return REDIS_SHAPE
    known = {**REDIS_OPTIONS, **(TLS_OPTIONS if parts.scheme == "rediss" else {})}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in known:
            return f"its options can be {', '.join(known)}"
        if not re.fullmatch(_WRITTEN[known[name]], value):
            return f"its option {name} must be {known[name]}"
    return None


def _is_ipv6(text: str) -> bool:
    try:
        return "%" not in text and bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False
