"""Every setting: what is refused, in one sentence that names it and its rule and tells no secret, and what is not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from settings import Settings, SettingsError
from tests.variables import OUR_VARIABLES

SHAPE = "each node must look like esl://:password@host:8021"
POSTGRESQL = "must look like postgresql://user:password@host:5432/database"
REDIS = "must look like redis://:password@host:6379/0"
PORT = "must be a whole number from 1 to 65535"
KEY = "must be 16-200 letters, digits, '_' or '-'"
HOSTS = "must be hosts, or host:port, with a comma between two"
FOLDER = "must be an absolute path of letters, digits, '_', '.', '~' or '-'"
HOME = "must be a folder, or a path at which one can be made"
PREFIX = "must be 1-64 letters, digits, '_', '.', ':' or '-'"

WRONG: Mapping[str, Mapping[str, str]] = {
    "PORT": dict.fromkeys(
        ["eighty", "0", "65536", "-1", "+80", "8_0", "８０８０", " 80", "80\n", "8.0", "9" * 5000], PORT
    ),
    "HOST": dict.fromkeys(
        ["a b", "127.0.0.1:80", "http://a", "[::1]", "::g", "/run/a.sock"],
        "must be a host name or an address, without a port",
    ),
    "CARILLON_CORS_ORIGINS": dict.fromkeys(
        [
            "board.example.com",
            "https://a/",
            "https://a/b",
            "https://a:0",
            "ftp://a",
            "https://",
            "*.a.b",
            "https://a,",
        ],
        "must be * or origins like https://board.example.com, with a comma between two and no path",
    ),
    "CARILLON_REQUEST_LOG": dict.fromkeys(["some", "2"], "must be true or false"),
    "CARILLON_REDIS_VERIFY": dict.fromkeys(["some", "2"], "must be true or false"),
    "WEB_CONCURRENCY": dict.fromkeys(["none", "0", "65", "2_0"], "must be a whole number from 1 to 64"),
    "DIALERS": dict.fromkeys(["many", "-1", "65", "１"], "must be a whole number from 0 to 64"),
    "CARILLON_MAX_CONCURRENT_CALLS": dict.fromkeys(
        ["0", "100001", "1e3"], "must be a whole number from 1 to 100000"
    ),
    "FREESWITCH_URLS": {
        "esl://[::1": SHAPE,
        "esl://:hush@[::1": SHAPE,
        "esl://:hush@[nonsense]:8021": SHAPE,
        "fs1:8021": SHAPE,
        "http://:hush@fs1": SHAPE,
        "ESL://:hush@fs1": SHAPE,
        "esl://": SHAPE,
        "esl://:hush@": SHAPE,
        "esl://hush@fs1": SHAPE,
        "esl://:hush@fs1:99999": SHAPE,
        "esl://:hush@fs1:0": SHAPE,
        "esl://:hush@fs1:８０２１": SHAPE,
        "esl://:hush@fs1:port": SHAPE,
        "esl://:hush@fs one": SHAPE,
        "esl://:hush@fs1/path": SHAPE,
        "esl://:hush@fs1#cps=20": SHAPE,
        "esl://:hush,quiet@fs1": SHAPE,
        "esl://:hush,quiet": SHAPE,
        "esl://admin:hush,quiet@fs1": SHAPE,
        "esl://:hush/quiet@fs1": SHAPE,
        "esl://:hush?quiet=1@fs1": SHAPE,
        "esl://:hush#quiet@fs1": SHAPE,
        "esl://:hush[quiet@fs1": SHAPE,
        "esl://:hush\nquiet@fs1": SHAPE,
        "esl://:hush%0aquiet@fs1": SHAPE,
        "esl://:hush%00@fs1": SHAPE,
        "esl://:hush%ff@fs1": SHAPE,
        "esl://:hush@fs1,fs2": SHAPE,
        "esl://:hush@fs1,:quiet@fs2": SHAPE,
        "esl://:hush@fs1,,esl://:quiet@fs2": SHAPE,
        "esl://:hush@fs1,": SHAPE,
        ",": SHAPE,
        "esl://fs1?cps=0": "cps='0'; it must be 1-100000",
        "esl://fs1?channels=" + "9" * 5000: "it must be 1-100000",
        "esl://fs1?weight=２": "weight='２'; it must be 1-100",
        "esl://:hush@fs1?secret=quiet": "the option 'secret'; known are cps, channels, weight, name",
        "esl://:hush@fs1?" + "x" * 5000 + "=1": "; known are cps, channels, weight, name",
        "esl://fs1?name=" + "a" * 5000: "a name is 1-64 letters, digits, '_', '.' or '-'",
        "esl://fs1?name=a%20b": "a name is 1-64 letters, digits, '_', '.' or '-'",
        "esl://a?name=n,esl://b?name=n": "names the node 'n' twice",
    },
    "DATABASE_URL": {
        "postgresql://[::1": POSTGRESQL,
        "postgresql:foo": POSTGRESQL,
        "postgresql:hush@db/carillon": POSTGRESQL,
        "db.example.com": POSTGRESQL,
        "mysql://u:hush@db/carillon": POSTGRESQL,
        "POSTGRESQL://u:hush@db/carillon": POSTGRESQL,
        "postgresql://u:hush@quiet@db/carillon": POSTGRESQL,
        "postgresql://u:hush/quiet@db/carillon": POSTGRESQL,
        "postgresql://u:hush quiet@db/carillon": POSTGRESQL,
        "postgresql://u:hush%zz@db/carillon": POSTGRESQL,
        "postgresql://u:hush%00@db/carillon": POSTGRESQL,
        "postgresql://u:hush\n@db/carillon": POSTGRESQL,
        "postgresql://u:hush@d(b/carillon": POSTGRESQL,
        "postgresql://u:hush@[nonsense]/carillon": POSTGRESQL,
        "postgresql://u:hush@db:5432x/carillon": POSTGRESQL,
        "postgresql://u:hush@db:99999/carillon": "a port must be from 1 to 65535",
        "postgresql://u:hush@db1:5432,db2:0/carillon": "a port must be from 1 to 65535",
        "postgresql://u:hush@db/carillon?sslmode": POSTGRESQL,
        "postgresql://u:hush@db/carillon?sslmode=a=b": POSTGRESQL,
        "postgresql://db/carillon?passwort=hush": "'passwort' is no option of PostgreSQL's clients",
    },
    "REDIS_URL": {
        "redis://localhost:99999/0": REDIS,
        "redis://[::1": REDIS,
        "redis://:hush@[::1/0": REDIS,
        "redis:foo": REDIS,
        "localhost": REDIS,
        "http://:hush@redis/0": REDIS,
        "redis://": REDIS,
        "redis://:hush@/0": REDIS,
        "redis://:hush@redis:0/0": REDIS,
        "redis://:hush@redis/zero": REDIS,
        "redis://:hush@redis/0/1": REDIS,
        "redis://:hush@redis/0#1": REDIS,
        "redis://:hush/quiet@redis/0": REDIS,
        "redis://:hush?quiet@redis/0": REDIS,
        "redis://:hush quiet@redis/0": REDIS,
        "redis://:hush@redis/0\n": REDIS,
        "unix://": REDIS,
        "unix://:hush@redis/run/redis.sock": REDIS,
        "redis://:hush@redis/0?db=zero": "its option db must be a number",
        "redis://redis/0?secret=hush": "its options can be db, username, password.",
        "redis://redis/0?ssl_cert_reqs=none": "its options can be db, username, password.",
        "rediss://redis/0?ssl_cert_reqs=hush": "ssl_cert_reqs must be none, optional or required",
    },
    "SECRET_KEY": {
        "hush": "has 4 characters; it must have at least 16",
        "hush and quiet, now \udcff": "has bytes that are no text; it must be UTF-8",
    },
    "CARILLON_HOME": dict.fromkeys(["/dev/null", "/dev/null/home", "/tmp/a\nb"], HOME),
    "CARILLON_BOOTSTRAP_KEY": dict.fromkeys(["hush", "hush and quiet, in a sentence", "hush" * 51], KEY),
    "CARILLON_CDR_KEY": dict.fromkeys(["hush", "hush:quiet-hush-quiet", "hush-hush-hush-hush\n"], KEY),
    "CARILLON_REDIS_PREFIX": dict.fromkeys([" ", "my app:", "{carillon}:", "a*", "é", "a" * 65], PREFIX),
    "CARILLON_API_RATE_LIMIT": dict.fromkeys(["maybe", "2", " "], "must be true or false"),
    "CARILLON_SOUND_FOLDER": dict.fromkeys(
        [
            " ",
            "sounds",
            "./sounds",
            "/",
            "/srv/my sounds",
            "/srv/../etc",
            "/srv/.",
            "//srv",
            "/srv{a}",
            "/s\n",
        ],
        FOLDER,
    ),
    "CARILLON_AUDIO_HOSTS": dict.fromkeys(
        ["a;b", "a,,b", ",", "a,", " ", "a b", "https://a", "a/b", "a:0", "a:99999", "a:", "*.a.example"],
        HOSTS,
    ),
    "CARILLON_SOCKET_HOSTS": dict.fromkeys(
        ["a;b", "a,,b", ",", " ", "a:８０", "::1", "[::1]:8084", "a..b", "a" * 254], HOSTS
    ),
    "CARILLON_CHAOS_POINTS": dict.fromkeys(["/nowhere", "/dev/null"], "must be a folder"),
    "LOG_LEVEL": dict.fromkeys(["loud", "INFO ", "10"], "must be one of DEBUG, INFO, WARNING, ERROR"),
}
SECRETS = re.compile("hush|quiet")
SECRET = {"SECRET_KEY", "CARILLON_BOOTSTRAP_KEY", "CARILLON_CDR_KEY"}
URLS = {"FREESWITCH_URLS", "DATABASE_URL", "REDIS_URL"}


def refused(name: str, value: str) -> str:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({name: value})
    return str(caught.value)


def test_where_it_listens_and_who_may_ask() -> None:
    environ = {"HOST": "::1", "CARILLON_CORS_ORIGINS": "https://a.example, http://localhost:5173"}
    settings = Settings.from_environ(environ)
    assert settings.host == "::1"
    assert settings.cors_origins == ("https://a.example", "http://localhost:5173")
    assert Settings.from_environ({}).host is None
    assert Settings.from_environ({}).cors_origins == ()
    assert Settings.from_environ({"CARILLON_CORS_ORIGINS": "*"}).cors_origins == ("*",)


@pytest.mark.parametrize(
    ("url", "verify", "used"),
    [
        ("rediss://r/0", "false", "rediss://r/0?ssl_cert_reqs=none"),
        ("rediss://r/0?db=1", "false", "rediss://r/0?db=1&ssl_cert_reqs=none"),
        ("rediss://r/0?ssl_cert_reqs=required", "false", "rediss://r/0?ssl_cert_reqs=required"),
        ("rediss://r/0", "", "rediss://r/0"),
        ("rediss://r/0", "true", "rediss://r/0"),
        ("redis://r/0", "false", "redis://r/0"),
    ],
)
def test_a_redis_whose_url_is_not_ours_to_change_need_not_be_verified(
    url: str, verify: str, used: str
) -> None:
    assert Settings.from_environ({"REDIS_URL": url, "CARILLON_REDIS_VERIFY": verify}).redis_url == used


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("CARILLON_REDIS_PREFX", "did you mean CARILLON_REDIS_PREFIX?"),
        ("CARILLON_AUDIO_HOST", "did you mean CARILLON_AUDIO_HOSTS?"),
        ("CARILLON_BOOTSTRAP_KEYS", "did you mean CARILLON_BOOTSTRAP_KEY?"),
        ("CARILLON_SECRET_KEY", "did you mean SECRET_KEY?"),
        ("CARILLON_DATABASE_URL", "did you mean DATABASE_URL?"),
        ("CARILLON_COLOUR", "nothing reads it."),
    ],
)
def test_a_variable_that_looks_like_a_setting_and_is_none_is_named_and_not_its_value(
    name: str, hint: str
) -> None:
    settings = Settings.from_environ({name: "hush", "CARILLON_REDIS_PREFIX": "a:"})
    assert settings.warnings == (f"{name} is set and is no setting of Carillon: {hint}",)


def test_what_others_set_under_our_name_is_not_taken_for_a_mistake() -> None:
    others = ("CARILLON_SERVICE_HOST", "CARILLON_SERVICE_PORT", "CARILLON_SERVICE_PORT_HTTP", "CARILLON_PORT")
    kubernetes = (*others, "CARILLON_PORT_8000_TCP", "CARILLON_PORT_8000_TCP_ADDR")
    ours = ("CARILLON_OWNER", "CARILLON_TEST_RUN")
    assert Settings.from_environ(dict.fromkeys((*kubernetes, *ours), "x")).warnings == ()


def test_the_table_of_wrong_values_has_every_setting() -> None:
    assert set(WRONG) == OUR_VARIABLES


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [(name, value, rule) for name, wrong in WRONG.items() for value, rule in wrong.items()],
    ids=lambda part: ascii(part)[:60],
)
def test_a_wrong_value_is_one_sentence_with_its_rule_and_without_a_secret(
    name: str, value: str, rule: str
) -> None:
    sentence = refused(name, value)
    assert sentence.startswith(f"{name} ")
    assert rule in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) < 400
    assert not SECRETS.search(sentence), sentence


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, wrong in WRONG.items() if name not in SECRET | URLS for value in wrong],
    ids=lambda part: ascii(part)[:60],
)
def test_a_wrong_value_is_shown(name: str, value: str) -> None:
    assert f"{name} is {repr(value[:100])[:-1]}" in refused(name, value)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("FREESWITCH_URLS", "esl://:hush,quiet@fs1:8021", "esl://***@fs1:8021"),
        ("FREESWITCH_URLS", "esl://admin:hush,quiet", "esl://admin:***"),
        ("FREESWITCH_URLS", "esl://[::1", "esl://[::1"),
        ("DATABASE_URL", "postgresql://u:hush@db:99999/carillon", "postgresql://***@db:99999/carillon"),
        ("DATABASE_URL", "postgresql://db/c?password=hush&x=1", "postgresql://db/c?***"),
        ("DATABASE_URL", "postgresql:hush", "postgresql:***"),
        ("REDIS_URL", "redis://localhost:99999/0", "redis://localhost:99999/0"),
        ("REDIS_URL", "redis://:hush", "redis://:***"),
    ],
)
def test_what_is_shown_of_a_url(name: str, value: str, shown: str) -> None:
    assert repr(shown) in refused(name, value)


def test_an_empty_value_is_no_value() -> None:
    assert Settings.from_environ(dict.fromkeys(OUR_VARIABLES, "")) == Settings.from_environ({})


def test_what_is_right_is_read(tmp_path: Path) -> None:
    settings = Settings.from_environ(
        {
            "PORT": "8080",
            "DATABASE_URL": "postgres://u:p%2Fw@db1,[fd00::1]:5433/carillon?sslmode=require",
            "REDIS_URL": "rediss://:p%2Fw@redis.example.com:6380/1?ssl_cert_reqs=none",
            "FREESWITCH_URLS": "esl://:p%2Cw@fs1,\n  esl://fs2?cps=20",
            "SECRET_KEY": "sixteen and more: é",
            "CARILLON_HOME": str(tmp_path / "a" / "b c"),
            "CARILLON_REDIS_PREFIX": "app-1:",
            "CARILLON_API_RATE_LIMIT": "True",
            "CARILLON_SOUND_FOLDER": "/srv/sounds.d/",
            "CARILLON_AUDIO_HOSTS": "cdn.example.com, media.example.com:8443",
            "CARILLON_SOCKET_HOSTS": "10.0.0.5:8084",
            "LOG_LEVEL": "debug",
        }
    )
    assert settings.port == 8080
    assert settings.database_url == "postgresql://u:p%2Fw@db1,[fd00::1]:5433/carillon?sslmode=require"
    assert settings.redis_url == "rediss://:p%2Fw@redis.example.com:6380/1?ssl_cert_reqs=none"
    assert [(node.name, node.password, node.cps) for node in settings.nodes] == [
        ("fs1", "p,w", 10),
        ("fs2", "ClueCon", 20),
    ]
    assert settings.home == tmp_path / "a" / "b c"
    assert settings.api_rate_limit is True
    assert settings.sound_folder == "/srv/sounds.d/"
    assert settings.audio_hosts == ("cdn.example.com", "media.example.com:8443")
    assert settings.socket_hosts == ("10.0.0.5:8084",)
    assert settings.log_level == "DEBUG"
