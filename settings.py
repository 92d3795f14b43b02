"""Settings: read once from the environment, typed and frozen; every mistake is one sentence.

Entry points (web, dialer, release, the owner process) call `Settings.from_environ()` and pass values on; no
other module reads the environment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from environs import Env, EnvError

KEY_PATTERN = re.compile(r"[A-Za-z0-9_-]{16,200}")
NODE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
DEFAULT_NODE_CPS = 10
DEFAULT_NODE_PORT = 8021
DEFAULT_NODE_WEIGHT = 1
NODE_LIMITS: Mapping[str, int] = {"cps": 100_000, "channels": 100_000, "weight": 100}
"""The options of a node that are numbers, and the highest value of each; the lowest is 1."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


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
    sound_folder: str
    audio_hosts: tuple[str, ...]
    socket_hosts: tuple[str, ...]
    log_level: str
    chaos_points: Path | None = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read and check every variable.

        Raises SettingsError with one sentence for the first mistake found.
        """
        env = Env(eager=True) if environ is None else _MappingEnv(environ)
        try:
            return cls(
                port=_between(env, "PORT", 8000, 1, 65535),
                web_concurrency=_between(env, "WEB_CONCURRENCY", 2, 1, 64),
                dialers=_between(env, "DIALERS", 1, 0, 64),
                database_url=_url(env, "DATABASE_URL", ("postgresql", "postgres")),
                redis_url=_url(env, "REDIS_URL", ("redis", "rediss", "unix")),
                nodes=nodes_from(env.str("FREESWITCH_URLS", "")),
                secret_key=_secret(env),
                home=Path(env.str("CARILLON_HOME", "") or ".carillon").absolute(),
                bootstrap_key=_key(env, "CARILLON_BOOTSTRAP_KEY"),
                cdr_key=_key(env, "CARILLON_CDR_KEY"),
                redis_prefix=env.str("CARILLON_REDIS_PREFIX", "carillon:"),
                max_concurrent_calls_max=_between(env, "CARILLON_MAX_CONCURRENT_CALLS", 100, 1, 100_000),
                api_rate_limit=env.bool("CARILLON_API_RATE_LIMIT", False),
                sound_folder=env.str("CARILLON_SOUND_FOLDER", "/usr/share/freeswitch/sounds"),
                audio_hosts=tuple(env.list("CARILLON_AUDIO_HOSTS", [])),
                socket_hosts=tuple(env.list("CARILLON_SOCKET_HOSTS", [])),
                log_level=_one_of(env, "LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
                chaos_points=_chaos_points(env),
            )
        except EnvError as error:
            raise SettingsError(str(error)) from error

    def require(self, *names: str) -> Settings:
        """Return self when every named field is set.

        Raises SettingsError naming the first one that is missing.
        """
        for name in names:
            if not getattr(self, name):
                raise SettingsError(f"{name.upper()} is not set and this process needs it.")
        return self


class _MappingEnv(Env):
    """An Env over a given mapping, for callers that do not want the process' own environment."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(eager=True)
        self._environ = dict(environ)

    def _get_value(self, env_key: str, default: object) -> object:
        return self._environ.get(env_key, default)


def address_of(host: str, port: int) -> str:
    """`host:port`, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def nodes_from(text: str) -> tuple[NodeSettings, ...]:
    """The nodes of a FREESWITCH_URLS value; an empty value is no node.

    Raises SettingsError for a malformed URL, an unknown option or a name used twice.
    """
    nodes = tuple(_node(url.strip()) for url in text.split(",") if url.strip())
    names = [node.name for node in nodes]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(
                f"FREESWITCH_URLS names the node {name!r} twice; add ?name= to tell them apart."
            )
    return nodes


def _node(url: str) -> NodeSettings:
    shown = re.sub(r":[^:@/]*@", ":***@", url)
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme != "esl" or not parts.hostname or port == 0:
        raise SettingsError(
            f"FREESWITCH_URLS has {shown!r}; each node must look like esl://:password@host:8021."
        )
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    known = (*NODE_LIMITS, "name")
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise SettingsError(
            f"FREESWITCH_URLS has {shown!r} with the option {unknown[0]!r}; known are {', '.join(known)}."
        )
    name = options.get("name") or parts.hostname
    if not NODE_NAME.fullmatch(name):
        raise SettingsError(
            f"FREESWITCH_URLS names a node {name!r}; a name is 1-64 letters, digits, '_', '.' or '-'."
        )
    return NodeSettings(
        name=name,
        host=parts.hostname,
        port=port or DEFAULT_NODE_PORT,
        password=unquote(parts.password or "") or "ClueCon",
        cps=_option(shown, options, "cps") or DEFAULT_NODE_CPS,
        channels=_option(shown, options, "channels"),
        weight=_option(shown, options, "weight") or DEFAULT_NODE_WEIGHT,
    )


def _option(shown: str, options: Mapping[str, str], name: str) -> int | None:
    text = options.get(name)
    if text is None:
        return None
    most = NODE_LIMITS[name]
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise SettingsError(f"FREESWITCH_URLS has {shown!r} with {name}={text!r}; it must be 1-{most}.")
    return int(text)


def _between(env: Env, name: str, default: int, low: int, high: int) -> int:
    text = env.str(name, "") or str(default)
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise SettingsError(f"{name} is {text!r}; it must be a whole number from {low} to {high}.")
    return value


def _one_of(env: Env, name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = (env.str(name, "") or default).upper()
    if value not in allowed:
        raise SettingsError(f"{name} is {value!r}; it must be one of {', '.join(allowed)}.")
    return value


def _url(env: Env, name: str, schemes: tuple[str, ...]) -> str | None:
    value: str = env.str(name, "")
    if not value:
        return None
    if urlsplit(value).scheme not in schemes:
        raise SettingsError(f"{name} must be a URL that starts with {schemes[0]}://.")
    return value


def _chaos_points(env: Env) -> Path | None:
    """Where a test orders a dialer to kill itself (`dialer.points`); never where real phones may ring."""
    value: str = env.str("CARILLON_CHAOS_POINTS", "")
    if not value:
        return None
    away = [node.name for node in nodes_from(env.str("FREESWITCH_URLS", "")) if node.host not in LOOPBACK]
    if away:
        raise SettingsError(
            f"CARILLON_CHAOS_POINTS is for tests on one machine, and the node {away[0]!r} is not on this one."
        )
    if not Path(value).is_dir():
        raise SettingsError(f"CARILLON_CHAOS_POINTS is {value!r}; it must be a folder.")
    return Path(value)


def _secret(env: Env) -> str | None:
    value: str = env.str("SECRET_KEY", "")
    if value and len(value) < 16:
        raise SettingsError(f"SECRET_KEY has {len(value)} characters; it must have at least 16.")
    return value or None


def _key(env: Env, name: str) -> str | None:
    value: str = env.str(name, "")
    if value and not KEY_PATTERN.fullmatch(value):
        raise SettingsError(f"{name} must be 16-200 letters, digits, '_' or '-'.")
    return value or None
