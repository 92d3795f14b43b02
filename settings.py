"""Settings: read once from the environment, typed and frozen; every mistake is one sentence.

Entry points (web, dialer, release, the owner process) call `Settings.from_environ()` and pass values on; no other
module of web, dialer or release reads the environment. `local/` does, to hand it to what it starts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from environs import Env, EnvError

from server_urls import is_host, postgresql_fault, redis_fault, split, whole, without_secrets

KEY_PATTERN = re.compile(r"[A-Za-z0-9_-]{16,200}")
NODE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
DEFAULT_NODE_CPS = 10
DEFAULT_NODE_PORT = 8021
DEFAULT_NODE_WEIGHT = 1
NODE_LIMITS: Mapping[str, int] = {"cps": 100_000, "channels": 100_000, "weight": 100}
"""The options of a node that are numbers, and the highest value of each; the lowest is 1."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
NODE_SHAPE = (
    "each node must look like esl://:password@host:8021, with anything unusual in a password percent-encoded"
    " (a comma as %2C)"
)
REDIS_PREFIX = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
# An agent's file is appended to it: the same characters as there, and no way up.
FOLDER = re.compile(r"(?:/(?!\.\.?(?:/|$))[A-Za-z0-9_.~-]+)+/?")


class SettingsError(ValueError):
    """A setting is wrong; the message names the variable, the value and the rule."""


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """One FreeSWITCH node: `esl://:ClueCon@fs1:8021?cps=20&channels=500&weight=2`.

    `cps` is calls started per second (a stock node's 30 sessions per second admits 29, and every leg counts);
    None for `channels` leaves the node's own limit to bind. A node of weight 2 gets twice the calls of one of
    weight 1 that has as much room.
    """

    name: str
    host: str
    port: int
    password: str = field(repr=False)
    cps: int
    channels: int | None
    weight: int = DEFAULT_NODE_WEIGHT

    @property
    def address(self) -> str:
        """Its event socket as a person writes it."""
        return address_of(self.host, self.port)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that differs between one installation and the next."""

    host: str | None
    """Where the API listens; None leaves that to whoever starts it."""
    port: int
    web_concurrency: int
    dialers: int
    database_url: str | None
    redis_url: str | None
    nodes: tuple[NodeSettings, ...]
    secret_key: str | None
    home: Path
    bootstrap_key: str | None
    cdr_key: str | None
    redis_prefix: str
    max_concurrent_calls_max: int
    api_rate_limit: bool
    request_log: bool
    cors_origins: tuple[str, ...]
    """Whose pages in a browser may use the API; "*" for anybody's."""
    sound_folder: str
    audio_hosts: tuple[str, ...]
    socket_hosts: tuple[str, ...]
    log_level: str
    chaos_points: Path | None = None
    warnings: tuple[str, ...] = ()
    """A sentence for each variable that looks like one of ours and is none; every process says them at its start."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read and check every variable.

        Raises SettingsError with one sentence for the first mistake found.
        """
        env = _Environ(os.environ if environ is None else environ)
        nodes = nodes_from(env.str("FREESWITCH_URLS", ""))
        return cls(
            host=_host(env),
            port=_between(env, "PORT", 8000, 1, 65535),
            web_concurrency=_between(env, "WEB_CONCURRENCY", 2, 1, 64),
            dialers=_between(env, "DIALERS", 1, 0, 64),
            database_url=_database_url(env),
            redis_url=_redis_url(env),
            nodes=nodes,
            secret_key=_secret(env),
            home=_home(env),
            bootstrap_key=_key(env, "CARILLON_BOOTSTRAP_KEY"),
            cdr_key=_key(env, "CARILLON_CDR_KEY"),
            redis_prefix=_prefix(env),
            max_concurrent_calls_max=_between(env, "CARILLON_MAX_CONCURRENT_CALLS", 100, 1, 100_000),
            api_rate_limit=_flag(env, "CARILLON_API_RATE_LIMIT"),
            request_log=_flag(env, "CARILLON_REQUEST_LOG"),
            cors_origins=_origins(env),
            sound_folder=_sound_folder(env),
            audio_hosts=_hosts(env, "CARILLON_AUDIO_HOSTS"),
            socket_hosts=_hosts(env, "CARILLON_SOCKET_HOSTS"),
            log_level=_one_of(env, "LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
            chaos_points=_chaos_points(env, nodes),
            # Last: by now it has been asked for every name there is.
            warnings=env.unknown(),
        )

    def require(self, *names: str) -> Settings:
        """Return self when every named field is set.

        Raises SettingsError naming the first one that is missing.
        """
        for name in names:
            if not getattr(self, name):
                raise SettingsError(f"{name.upper()} is not set and this process needs it.")
        return self


OURS = re.compile("CARILLON_[^_]")
# What belongs to the tests and to the owner of a stack, and what Kubernetes adds for a service of our name.
_OTHERS = re.compile(r"CARILLON_(?:TEST_\w+|OWNER|SERVICE_(?:HOST|PORT(?:_\w+)?)|PORT(?:_[0-9]+_\w+)?)")


class _Environ(Env):
    """An Env over a mapping, which knows afterwards what it was not asked for."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(eager=True)
        self._environ = dict(environ)
        self._asked: set[str] = set()

    def _get_value(self, env_key: str, default: object) -> object:
        self._asked.add(env_key)
        return self._environ.get(env_key, default)

    def unknown(self) -> tuple[str, ...]:
        """A sentence for each variable that begins like one of ours, and is none."""
        names = sorted(name for name in self._environ if OURS.match(name))
        return tuple(
            _unknown(name, self._asked)
            for name in names
            if name not in self._asked and not _OTHERS.fullmatch(name)
        )


def _unknown(name: str, known: Collection[str]) -> str:
    likely = [
        *(one for one in known if name == f"CARILLON_{one}"),
        *get_close_matches(name, [one for one in known if OURS.match(one)], n=1, cutoff=0.75),
    ]
    hint = f"did you mean {likely[0]}?" if likely else "nothing reads it."
    return f"{_short(name)[1:-1]} is set and is no setting of Carillon: {hint}"


# Only where another node follows: a comma anywhere else is a mistake, and may be in a password.
_BETWEEN_NODES = re.compile(r",(?=\s*esl://)")


def address_of(host: str, port: int) -> str:
    """`host:port`, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def nodes_from(text: str) -> tuple[NodeSettings, ...]:
    """The nodes of a FREESWITCH_URLS value; an empty value is no node.

    Raises SettingsError for a malformed URL, an unknown option or a name used twice.
    """
    nodes = tuple(_node(url.strip()) for url in _BETWEEN_NODES.split(text)) if text.strip() else ()
    names = [node.name for node in nodes]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(
                f"FREESWITCH_URLS names the node {name!r} twice; add ?name= to tell them apart."
            )
    return nodes


def _node(url: str) -> NodeSettings:
    shown = without_secrets(url)
    parts = split(url)
    password = unquote(parts.password or "") if parts else ""
    if (
        parts is None
        or not url.startswith("esl://")
        or "," in url
        or not parts.hostname
        or parts.path not in ("", "/")
        or (parts.username and parts.password is None)
        or not (password.isascii() and password.isprintable())
    ):
        raise SettingsError(f"FREESWITCH_URLS has {shown!r}; {NODE_SHAPE}.")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    known = (*NODE_LIMITS, "name")
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise SettingsError(
            f"FREESWITCH_URLS has {shown!r} with the option {_short(unknown[0])};"
            f" known are {', '.join(known)}."
        )
    name = options.get("name") or parts.hostname
    if not NODE_NAME.fullmatch(name):
        raise SettingsError(
            f"FREESWITCH_URLS names a node {_short(name)}; a name is 1-64 letters, digits, '_', '.' or '-'."
        )
    return NodeSettings(
        name=name,
        host=parts.hostname,
        port=parts.port or DEFAULT_NODE_PORT,
        password=password or "ClueCon",
        cps=_option(shown, options, "cps") or DEFAULT_NODE_CPS,
        channels=_option(shown, options, "channels"),
        weight=_option(shown, options, "weight") or DEFAULT_NODE_WEIGHT,
    )


def _option(shown: str, options: Mapping[str, str], name: str) -> int | None:
    text = options.get(name)
    if text is None:
        return None
    value = whole(text, 1, NODE_LIMITS[name])
    if value is None:
        raise SettingsError(
            f"FREESWITCH_URLS has {shown!r} with {name}={_short(text)}; it must be 1-{NODE_LIMITS[name]}."
        )
    return value


def _short(text: str) -> str:
    return repr(text if len(text) <= 100 else f"{text[:100]}…")


def _wrong(name: str, text: str, rule: str) -> SettingsError:
    return SettingsError(f"{name} is {_short(text)}; {rule}.")


def _between(env: Env, name: str, default: int, low: int, high: int) -> int:
    text = env.str(name, "") or str(default)
    value = whole(text, low, high)
    if value is None:
        raise _wrong(name, text, f"it must be a whole number from {low} to {high}")
    return value


def _one_of(env: Env, name: str, default: str, allowed: tuple[str, ...]) -> str:
    text: str = env.str(name, "") or default
    if text.upper() not in allowed:
        raise _wrong(name, text, f"it must be one of {', '.join(allowed)}")
    return text.upper()


def _flag(env: Env, name: str, *, default: bool = False) -> bool:
    text: str = env.str(name, "")
    try:
        return bool(env.bool(name)) if text else default
    except EnvError as error:
        raise _wrong(name, text, "it must be true or false") from error


def _url(env: Env, name: str, fault_of: Callable[[str], str | None]) -> str | None:
    value: str = env.str(name, "")
    fault = fault_of(value) if value else None
    if fault is not None:
        raise _wrong(name, without_secrets(value), fault)
    return value or None


def _database_url(env: Env) -> str | None:
    value = _url(env, "DATABASE_URL", postgresql_fault)
    # The one spelling that peewee takes for a URL; the other it would take for a database's name.
    return value and f"postgresql://{value.partition('://')[2]}"


def _redis_url(env: Env) -> str | None:
    value = _url(env, "REDIS_URL", redis_fault)
    verify = _flag(env, "CARILLON_REDIS_VERIFY", default=True)
    if verify or value is None or not value.startswith("rediss://") or "ssl_cert_reqs=" in value:
        return value
    return f"{value}{'&' if '?' in value else '?'}ssl_cert_reqs=none"


def _host(env: Env) -> str | None:
    text: str = env.str("HOST", "")
    if text and not is_host(text):
        raise _wrong("HOST", text, "it must be a host name or an address, without a port")
    return text or None


def _origins(env: Env) -> tuple[str, ...]:
    written: list[str] = env.list("CARILLON_CORS_ORIGINS", [])
    origins = tuple(item.strip() for item in written)
    for item in origins:
        scheme, _, address = item.partition("://")
        host, port = _host_and_port(address)
        good = scheme in ("http", "https") and is_host(host) and (port is None or whole(port, 1, 65535))
        if item != "*" and not good:
            rule = (
                "it must be * or origins like https://board.example.com, with a comma between two and no path"
            )
            raise _wrong("CARILLON_CORS_ORIGINS", env.str("CARILLON_CORS_ORIGINS"), rule)
    return origins


def _host_and_port(address: str) -> tuple[str, str | None]:
    host, colon, port = address.partition(":")
    return host, port if colon else None


def _home(env: Env) -> Path:
    text: str = env.str("CARILLON_HOME", "") or ".carillon"
    home = Path(text).absolute()
    there = next(path for path in (home, *home.parents) if os.path.lexists(path))
    if not text.isprintable() or not os.path.isdir(there):
        raise _wrong("CARILLON_HOME", text, "it must be a folder, or a path at which one can be made")
    return home


def _prefix(env: Env) -> str:
    text: str = env.str("CARILLON_REDIS_PREFIX", "") or "carillon:"
    if not REDIS_PREFIX.fullmatch(text):
        raise _wrong("CARILLON_REDIS_PREFIX", text, "it must be 1-64 letters, digits, '_', '.', ':' or '-'")
    return text


def _sound_folder(env: Env) -> str:
    text: str = env.str("CARILLON_SOUND_FOLDER", "") or "/usr/share/freeswitch/sounds"
    if not FOLDER.fullmatch(text):
        rule = "it must be an absolute path of letters, digits, '_', '.', '~' or '-'"
        raise _wrong("CARILLON_SOUND_FOLDER", text, rule)
    return text


def _hosts(env: Env, name: str) -> tuple[str, ...]:
    written: list[str] = env.list(name, [])
    hosts = tuple(item.strip() for item in written)
    for item in hosts:
        host, colon, port = item.partition(":")
        if not is_host(host) or (colon and whole(port, 1, 65535) is None):
            raise _wrong(name, env.str(name), "it must be hosts, or host:port, with a comma between two")
    return hosts


def _chaos_points(env: Env, nodes: tuple[NodeSettings, ...]) -> Path | None:
    """Where a test orders a dialer to kill itself (`dialer.fault_points`); never where real phones may ring."""
    value: str = env.str("CARILLON_CHAOS_POINTS", "")
    if not value:
        return None
    away = [node.name for node in nodes if node.host not in LOOPBACK]
    if away:
        raise SettingsError(
            f"CARILLON_CHAOS_POINTS is for tests on one machine, and the node {away[0]!r} is not on this one."
        )
    if not os.path.isdir(value):
        raise _wrong("CARILLON_CHAOS_POINTS", value, "it must be a folder")
    return Path(value)


def _secret(env: Env) -> str | None:
    value: str = env.str("SECRET_KEY", "")
    if value and len(value) < 16:
        raise SettingsError(f"SECRET_KEY has {len(value)} characters; it must have at least 16.")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise SettingsError("SECRET_KEY has bytes that are no text; it must be UTF-8.")
    return value or None


def _key(env: Env, name: str) -> str | None:
    value: str = env.str(name, "")
    if value and not KEY_PATTERN.fullmatch(value):
        raise SettingsError(f"{name} must be 16-200 letters, digits, '_' or '-'.")
    return value or None
