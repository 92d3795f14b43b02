"""An agent's action: nothing a tenant or a list says in it becomes anything but the one argument it is."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from campaigns.action_parsing import parse_action
from campaigns.action_templates import fill
from campaigns.actions import (
    Action,
    ActionRefused,
    Allowed,
    Bridge,
    Conference,
    Echo,
    Park,
    PlayFile,
    PlayTone,
    Queue,
    Say,
    Socket,
    Transfer,
)
from freeswitch import applications
from freeswitch.originate import endpoint
from tests.examples import examples
from tests.strategies import joined

ALLOWED = Allowed(
    tenant_id="demo",
    sound_folder="/srv/sounds",
    audio_hosts=frozenset({"cdn.example.com", "media.example.com:8443"}),
    gateway_ids=frozenset({"gw-1"}),
    queues=frozenset({"sales"}),
    socket_hosts=frozenset({"ivr.example.com", "10.0.0.5:8084"}),
    dialplan_context="tenant_demo",
)
ADA = {"first_name": "Ada", "Order ID": "A-17", "lang": "en", "mobile": "+1 212 555 0100", "empty": ""}


@pytest.mark.parametrize(
    ("data", "action"),
    [
        ({"type": "playback", "file": "welcome.wav"}, PlayFile("/srv/sounds/welcome.wav")),
        ({"type": "playback", "file": "/srv/sounds/en/welcome.wav"}, PlayFile("/srv/sounds/en/welcome.wav")),
        (
            {"type": "playback", "file": "https://cdn.example.com/a/b.mp3?v=2"},
            PlayFile("https://cdn.example.com/a/b.mp3?v=2"),
        ),
        (
            {"type": "playback", "file": "https://media.example.com:8443/b.mp3"},
            PlayFile("https://media.example.com:8443/b.mp3"),
        ),
        ({"type": "playback", "tone": "%(200,100,440)"}, PlayTone("%(200,100,440)")),
        ({"type": "playback", "tone": "v=-7;%(100,0,941.0,1477.0)"}, PlayTone("v=-7;%(100,0,941.0,1477.0)")),
        ({"type": "playback", "say": "Hello."}, Say("Hello.", "flite/slt")),
        ({"type": "playback", "say": {"text": " Hello! ", "voice": "kal"}}, Say("Hello!", "flite/kal")),
        ({"type": "transfer", "extension": "*98_a-B#"}, Transfer("*98_a-B#", "tenant_demo")),
        (
            {"type": "bridge", "gateway_id": "gw-1", "number": "+1 (212) 555-0100"},
            Bridge("gw-1", "+12125550100"),
        ),
        ({"type": "bridge", "queue": "sales"}, Queue("sales")),
        ({"type": "socket", "host": "IVR.example.com", "port": 8084}, Socket("ivr.example.com", 8084)),
        ({"type": "socket", "host": "10.0.0.5", "port": 8084}, Socket("10.0.0.5", 8084)),
        ({"type": "conference", "room": "daily"}, Conference("daily", "demo")),
        ({"type": "park"}, Park()),
        ({"type": "echo"}, Echo()),
    ],
)
def test_each_type_becomes_its_own_kind(data: object, action: Action) -> None:
    assert parse_action(data, ALLOWED) == action
    assert fill(action, ADA) == action


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (None, "action"),
        ("park", "action"),
        ([], "action"),
        ({}, "action.type"),
        ({"type": "system"}, "action.type"),
        ({"type": ["park"]}, "action.type"),
        ({"type": "park", "file": "x"}, "action.file"),
        ({"type": "playback"}, "action.file"),
        ({"type": "playback", "file": "a.wav", "say": "b"}, "action.say"),
        ({"type": "playback", "file": 7}, "action.file"),
        ({"type": "playback", "file": "  "}, "action.file"),
        ({"type": "playback", "file": "../../etc/passwd"}, "action.file"),
        ({"type": "playback", "file": "/etc/passwd"}, "action.file"),
        ({"type": "playback", "file": "/srv/sounds/../../etc/passwd"}, "action.file"),
        ({"type": "playback", "file": "/srv/soundsx/a.wav"}, "action.file"),
        ({"type": "playback", "file": "a//b.wav"}, "action.file"),
        ({"type": "playback", "file": "a/"}, "action.file"),
        ({"type": "playback", "file": "a b.wav"}, "action.file"),
        ({"type": "playback", "file": "file_string://a!b"}, "action.file"),
        ({"type": "playback", "file": "say:hello"}, "action.file"),
        ({"type": "playback", "file": "http://cdn.example.com/a.mp3"}, "action.file"),
        ({"type": "playback", "file": "https://evil.example.com/a.mp3"}, "action.file"),
        ({"type": "playback", "file": "https://cdn.example.com.evil.com/a.mp3"}, "action.file"),
        ({"type": "playback", "file": "https://cdn.example.com@evil.com/a.mp3"}, "action.file"),
        ({"type": "playback", "file": "https://cdn.example.com:8443/a.mp3"}, "action.file"),
        ({"type": "playback", "file": "https://cdn.example.com"}, "action.file"),
        ({"type": "playback", "file": "https://{host}/a.mp3"}, "action.file"),
        ({"type": "playback", "file": "https://cdn.example.com{x}/a.mp3"}, "action.file"),
        ({"type": "playback", "file": "{scheme}://cdn.example.com/a.mp3"}, "action.file"),
        ({"type": "playback", "tone": "%(200,100,{x})"}, "action.tone"),
        ({"type": "playback", "tone": "${system touch f}"}, "action.tone"),
        ({"type": "playback", "tone": "%(1,1,440)'"}, "action.tone"),
        ({"type": "playback", "say": {"text": "hi", "voice": "polly/Joanna"}}, "action.say.voice"),
        ({"type": "playback", "say": {"text": "hi", "speed": 2}}, "action.say.speed"),
        ({"type": "playback", "say": {}}, "action.say.text"),
        ({"type": "playback", "say": "x" * 501}, "action.say.text"),
        ({"type": "playback", "say": "Hello ${name}"}, "action.say.text"),
        ({"type": "playback", "say": "Hello {first_name"}, "action.say.text"),
        ({"type": "playback", "say": "a{{first_name}}"}, "action.say.text"),
        ({"type": "transfer", "extension": "100 XML public"}, "action.extension"),
        ({"type": "transfer", "extension": "1" * 65}, "action.extension"),
        ({"type": "transfer", "extension": "-both"}, "action.extension"),
        ({"type": "transfer", "extension": "-bleg"}, "action.extension"),
        ({"type": "transfer", "extension": "-{x}"}, "action.extension"),
        ({"type": "transfer", "extension": "100", "context": "public"}, "action.context"),
        ({"type": "bridge"}, "action.gateway_id"),
        ({"type": "bridge", "gateway_id": "gw-2", "number": "+12125550100"}, "action.gateway_id"),
        ({"type": "bridge", "gateway_id": "gw-1"}, "action.number"),
        ({"type": "bridge", "gateway_id": "gw-1", "number": "911"}, "action.number"),
        ({"type": "bridge", "gateway_id": "gw-1", "number": "+19005551234"}, "action.number"),
        ({"type": "bridge", "gateway_id": "gw-1", "number": "+12125550100@evil"}, "action.number"),
        ({"type": "bridge", "gateway_id": "gw-1", "number": "sofia/x/{mobile}"}, "action.number"),
        ({"type": "bridge", "gateway_id": "gw-1", "queue": "sales"}, "action.queue"),
        ({"type": "bridge", "queue": "other"}, "action.queue"),
        ({"type": "bridge", "queue": "sales", "number": "+12125550100"}, "action.number"),
        ({"type": "socket", "host": "evil.example.com", "port": 8084}, "action.host"),
        ({"type": "socket", "host": "10.0.0.5", "port": 8085}, "action.host"),
        ({"type": "socket", "host": "{host}", "port": 8085}, "action.host"),
        ({"type": "socket", "host": "ivr.example.com", "port": "8084"}, "action.port"),
        ({"type": "socket", "host": "ivr.example.com", "port": True}, "action.port"),
        ({"type": "socket", "host": "ivr.example.com", "port": 0}, "action.port"),
        ({"type": "conference", "room": "a@wideband"}, "action.room"),
        ({"type": "conference", "room": "a.b"}, "action.room"),
        ({"type": "conference"}, "action.room"),
    ],
)
def test_what_is_not_allowed_is_refused_by_field(data: object, field: str) -> None:
    with pytest.raises(ActionRefused) as refused:
        parse_action(data, ALLOWED)
    assert refused.value.field == field
    assert str(refused.value).startswith(f"{field} is ")
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"type": "playback", "say": "hi ${x}"},
            (
                "action.say.text is 'hi ${x}'; a column of the list stands in it as {column}, "
                "without a $ or more braces"
            ),
        ),
        (
            {"type": "playback", "say": {"text": "hi", "voice": "b|c"}},
            "action.say.voice is 'b|c'; it must be one of flite/awb, flite/kal, flite/rms, flite/slt",
        ),
        (
            {"type": "playback", "file": "https://cdn.example.com/{lang}//b.mp3"},
            (
                "action.file is 'https://cdn.example.com/{lang}//b.mp3'; "
                "it must name a file, without .. and empty parts"
            ),
        ),
        (
            {"type": "playback", "file": "{lang}/.."},
            "action.file is '{lang}/..'; it must name a file, without .. and empty parts",
        ),
        (
            {"type": "transfer", "extension": "1 {x}"},
            "action.extension is '1 {x}'; it must be 1 to 64 of 0-9 A-Z a-z _ * # -",
        ),
        (
            {"type": "bridge", "gateway_id": "gw-1", "number": "2125550100"},
            "action.number is '2125550100'; '2125550100' has no country code: it must start with + and one",
        ),
        (
            {"type": "socket", "host": "Evil.example", "port": 1},
            "action.host is 'Evil.example'; it is not a host that the platform allows",
        ),
        (
            {"type": "conference", "room": "a {x}"},
            "action.room is 'a {x}'; it must be 1 to 64 of 0-9 A-Z a-z _ -",
        ),
    ],
)
def test_a_refusal_shows_what_was_written_and_nothing_else(data: object, message: str) -> None:
    with pytest.raises(ActionRefused) as refused:
        parse_action(data, ALLOWED)
    assert str(refused.value) == message


def test_a_template_cannot_stand_in_a_host() -> None:
    allowed = Allowed("demo", "/srv/sounds", audio_hosts=frozenset({"cdn0.example.com"}))
    assert parse_action({"type": "playback", "file": "https://cdn0.example.com/{x}"}, allowed)
    with pytest.raises(ActionRefused, match="without a template in its host"):
        parse_action({"type": "playback", "file": "https://cdn{x}.example.com/a.mp3"}, allowed)


def test_a_tenant_without_a_dialplan_context_has_no_transfers() -> None:
    with pytest.raises(ActionRefused, match="no dialplan context"):
        parse_action({"type": "transfer", "extension": "100"}, Allowed("demo", "/srv/sounds"))


def test_two_tenants_never_meet_in_a_room() -> None:
    mine = parse_action({"type": "conference", "room": "b-c"}, Allowed("a", "/srv/sounds"))
    theirs = parse_action({"type": "conference", "room": "c"}, Allowed("a-b", "/srv/sounds"))
    assert isinstance(mine, Conference)
    assert isinstance(theirs, Conference)
    assert (mine.name, theirs.name) == ("a.b-c", "a-b.c")


@pytest.mark.parametrize(
    ("data", "filled"),
    [
        (
            {"type": "playback", "say": "Hello {first_name}, order {order_id} / {Order ID}."},
            Say("Hello Ada, order A-17 / A-17."),
        ),
        ({"type": "playback", "file": "{lang}/welcome.wav"}, PlayFile("/srv/sounds/en/welcome.wav")),
        (
            {"type": "playback", "file": "https://cdn.example.com/{lang}.mp3?to={first_name}"},
            PlayFile("https://cdn.example.com/en.mp3?to=Ada"),
        ),
        ({"type": "transfer", "extension": "order-{Order ID}"}, Transfer("order-A-17", "tenant_demo")),
        ({"type": "bridge", "gateway_id": "gw-1", "number": "{mobile}"}, Bridge("gw-1", "+12125550100")),
        ({"type": "conference", "room": "{order_id}"}, Conference("A-17", "demo")),
    ],
)
def test_templates_take_the_contact_s_columns(data: object, filled: Action) -> None:
    assert fill(parse_action(data, ALLOWED), ADA) == filled


def test_a_number_without_a_country_is_of_the_list_s_own() -> None:
    action = parse_action({"type": "bridge", "gateway_id": "gw-1", "number": "{mobile}"}, ALLOWED)
    assert fill(action, {"mobile": "(212) 555-0100"}, "US") == Bridge("gw-1", "+12125550100")
    assert fill(action, {"mobile": "020 7946 0810"}, "GB") == Bridge("gw-1", "+442079460810")
    assert fill(action, {"mobile": "+1 212 555 0100"}, "GB") == Bridge("gw-1", "+12125550100")
    for value, region in (("911", "US"), ("212 555 0100", None), ("020 7946 0810", "US")):
        with pytest.raises(ActionRefused):
            fill(action, {"mobile": value}, region)


@pytest.mark.parametrize(
    "value",
    [
        "O'Brien",
        'the "boss"',
        "a(b)",
        "${hostname}",
        "$${domain}",
        "{first_name}",
        "}",
        "a\\b",
        "a^b",
        "a|b",
        "`id`",
        "a\nb",
        "a\x00b",
        "\ud800",
    ],
)
@pytest.mark.parametrize(
    "data",
    [
        {"type": "playback", "file": "{x}.wav"},
        {"type": "playback", "file": "https://cdn.example.com/{x}.mp3"},
        {"type": "transfer", "extension": "{x}"},
        {"type": "conference", "room": "{x}"},
        {"type": "bridge", "gateway_id": "gw-1", "number": "{x}"},
    ],
    ids="-".join,
)
def test_a_hostile_column_is_refused_wherever_it_would_go(data: object, value: str) -> None:
    with pytest.raises(ActionRefused):
        fill(parse_action(data, ALLOWED), {"x": value})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("O'Brien", "Hello O\u2019Brien."),
        ("Ann (work)", "Hello Ann, work."),
        ("$5 due", "Hello 5 dollars due."),
        ("${hostname}", "Hello dollars hostname."),
        ("{first_name}", "Hello first name."),
        ('a\\b|c^d`e"f', "Hello a b, c d\u2019e f."),
        ("a\nb\x00c\ud800", "Hello a b c."),
        ("", "Hello."),
    ],
)
def test_ordinary_people_s_names_are_spoken(value: str, said: str) -> None:
    action = parse_action({"type": "playback", "say": "Hello {x}."}, ALLOWED)
    assert fill(action, {"x": value}) == Say(said)


def test_a_text_that_an_agent_s_author_writes_may_have_signs_in_it() -> None:
    action = parse_action({"type": "playback", "say": "It's $5 (net), {x} & co."}, ALLOWED)
    assert action == Say("It's $5 (net), {x} & co.")
    assert fill(action, {"x": "Ann"}) == Say("It\u2019s 5 dollars, net, Ann and co.")
    assert fill(parse_action({"type": "playback", "say": "It's"}, ALLOWED), {}) == Say("It\u2019s")


def test_a_refused_file_is_shown_as_its_tenant_knows_it() -> None:
    action = parse_action({"type": "playback", "file": "{x}.wav"}, ALLOWED)
    for value in ("../../etc/passwd", "/etc/passwd", "a b", "https://evil.example/a", "x" * 1000):
        with pytest.raises(ActionRefused) as refused:
            fill(action, {"x": value})
        assert ALLOWED.sound_folder not in str(refused.value)


@pytest.mark.parametrize(
    "value", ["../../etc/passwd", "..", "a/../b", "/etc/passwd", "a//b", "a b", "x!y", "a@@5"]
)
def test_a_column_cannot_lead_out_of_the_sound_folder(value: str) -> None:
    with pytest.raises(ActionRefused):
        fill(parse_action({"type": "playback", "file": "{x}"}, ALLOWED), {"x": value})


@pytest.mark.parametrize(
    ("template", "value"),
    [("{mobile}", "911"), ("{mobile}", "+19005551234"), ("{mobile}", ""), ("{no}", "x")],
)
def test_a_column_cannot_make_a_number_that_is_not_dialled(template: str, value: str) -> None:
    action = parse_action({"type": "bridge", "gateway_id": "gw-1", "number": template}, ALLOWED)
    with pytest.raises(ActionRefused) as refused:
        fill(action, {"mobile": value})
    assert refused.value.field == "action.number"


def test_a_column_that_the_contact_lacks_is_named() -> None:
    with pytest.raises(ActionRefused, match="the contact has no column 'last_name'"):
        fill(parse_action({"type": "playback", "say": "Hello {last_name}"}, ALLOWED), ADA)


def test_an_empty_column_leaves_the_rest_of_a_text() -> None:
    assert fill(parse_action({"type": "playback", "say": "Hello {empty}"}, ALLOWED), ADA) == Say("Hello")


def as_application(action: Action) -> applications.Application:
    """What a dialer makes of an action."""
    match action:
        case PlayFile(file):
            return applications.playback(file)
        case PlayTone(tone):
            return applications.tone(tone)
        case Say(text, voice):
            return applications.say(text, voice)
        case Transfer(extension, context):
            return applications.transfer(extension, context)
        case Bridge(_, number):
            return applications.bridge(endpoint("sofia/gateway/carrier/{number}", number))
        case Queue(name):
            return applications.queue(name)
        case Socket(host, port):
            return applications.socket(host, port)
        case Conference():
            return applications.conference(action.name)
        case Park():
            return applications.park()
        case Echo():
            return applications.echo()


VALUES = joined(
    (
        *("Ada", "é", "🔔", " ", "'", '"', "{", "}", "$", "${", "\\", "^", "|", "\n", "\t", ",", "/", ".."),
        *(
            "+12125550100",
            "(",
            ")",
            "*",
            "#",
            "-",
            "_",
            "~",
            "@",
            ":",
            ":_:",
            "&",
            "?",
            "%0A",
            "`",
            "<",
            "\udfff",
        ),
    ),
    most=6,
)
TEMPLATES = st.sampled_from(
    [
        {"type": "playback", "say": "Hello {x}, {y}."},
        {"type": "playback", "say": "{x}"},
        {"type": "playback", "file": "{x}/{y}.wav"},
        {"type": "playback", "file": "https://cdn.example.com/{x}?{y}"},
        {"type": "transfer", "extension": "{x}{y}"},
        {"type": "conference", "room": "{x}"},
        {"type": "bridge", "gateway_id": "gw-1", "number": "{x}"},
        {"type": "bridge", "gateway_id": "gw-1", "number": "+1 212 {x}"},
    ]
)


@examples(1500)
@given(TEMPLATES, VALUES, VALUES)
@example({"type": "playback", "file": "https://cdn.example.com/{x}?{y}"}, "a", "b..//c")
def test_whatever_is_filled_in_is_refused_here_or_one_argument_there(data: object, x: str, y: str) -> None:
    try:
        action = fill(parse_action(data, ALLOWED), {"x": x, "y": y})
    except ActionRefused:
        return
    line = applications.inline([as_application(action)])
    assert line.startswith("'m:^:")
    assert line.endswith("' inline")
    assert line.count("'") == 2
    assert line.count("^") == 1
    assert "${" not in line
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in line)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | VALUES
DATA = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(VALUES, inner, max_size=3)
)
OBJECTS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["playback", "transfer", "bridge", "socket", "conference", "park", "echo"])
        | DATA
    },
    optional={
        name: DATA
        | st.sampled_from(["welcome.wav", "%(1,1,440)", "gw-1", "sales", "100", "ivr.example.com", 8084])
        for name in (
            "file",
            "tone",
            "say",
            "extension",
            "gateway_id",
            "queue",
            "number",
            "host",
            "port",
            "room",
        )
    },
)


@examples(600)
@given(DATA | OBJECTS)
def test_any_json_is_an_action_that_the_switch_takes_or_is_refused(data: object) -> None:
    try:
        action = fill(parse_action(data, ALLOWED), {})
    except ActionRefused as refused:
        message = str(refused)
    else:
        message = applications.inline([as_application(action)])
    assert message
