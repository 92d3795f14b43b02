"""Dialplan applications for an answered call, as the second argument of an originate.

A tenant chooses among these by typed data; no string of his reaches a node unchecked. Each constructor checks its
own kind of argument, and `inline` checks every argument again, since it is what writes the line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from freeswitch import left_alone, leg_rates
from freeswitch.action_proofs import ActionKind
from freeswitch.causes import HANGUP_CAUSES
from freeswitch.errors import CommandRefused
from freeswitch.leg_rates import LegRate

MAX_APPLICATIONS: Final = 64
MAX_ARGUMENT_CHARACTERS: Final = 2000
_NAMES: Final = frozenset(
    {
        "bridge",
        "callcenter",
        "conference",
        "echo",
        "hangup",
        "park",
        "playback",
        "sched_hangup",
        "sleep",
        "socket",
        "speak",
        "transfer",
    }
)
CONNECT_SECONDS: Final = 2
"""From the answer until an agent must have joined. The node counts whole seconds: it gives up 1 to 2 s after it."""
_LOOKS: Final = (500, 500, 500, 400)
"""Milliseconds after each look into a conference room until the next: together just below CONNECT_SECONDS."""
_MESSAGE: Final = "dialer_safe_harbour"
# Each of these means something to one of the passes that read the line: quotes and backslashes to all of them,
# ^ separates the applications, $ starts a variable, braces and pipes a dial string's options and legs.
_FORBIDDEN_CHARACTERS: Final = re.compile(r"""[\x00-\x1f\x7f'"`\\^${}]""")

_FILE: Final = re.compile(r"(?:https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?)?[A-Za-z0-9_./?&=%+~-]+")
_TONE: Final = re.compile(r"[0-9A-Za-z%(),.;=+*#-]+")
_VOICE: Final = re.compile(r"(?:[A-Za-z0-9_]+/)?[A-Za-z0-9_.-]+")
# What begins with - is an option of transfer: -bleg and -both send another leg there.
_EXTENSION: Final = re.compile(r"[0-9A-Za-z_*#][0-9A-Za-z_*#-]{0,63}")
_WORD: Final = re.compile(r"[0-9A-Za-z_.-]{1,64}")
_QUEUE: Final = re.compile(r"[0-9A-Za-z_.@-]{1,128}")
_HOST: Final = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z.-]{0,251}[0-9A-Za-z])?")
_ENGINE_PROOF: Final = re.compile(r"dialer_ran=\$\{module_exists\(mod_[A-Za-z0-9_]+\)\}")
_ENDPOINT: Final = re.compile(r"[a-z]+(?:/[0-9A-Za-z_.:@;=+*#-]+)+")
# What is named as an application (loopback/app=…) or may name a dialplan (loopback/system:x/default/inline) runs
# something. Others than sofia's have no need of = and :, and a loopback leg none of a third part.
_RUNS: Final = re.compile(r"(?!sofia/)[a-z]+/.*[=:;].*|loopback/[^/]*/[^/]*/.*")


@dataclass(frozen=True, slots=True)
class Application:
    """One dialplan application with its argument. Use the constructors below."""

    name: str
    argument: str = ""


def playback(file: str) -> Application:
    """Play a sound file of the node, or one from an https URL, then go on."""
    _match("file", file, _FILE, "a path, or an https URL")
    url = file.removeprefix("https://")
    path = file if url == file else url.partition("?")[0]
    if ".." in path or "//" in path:
        raise CommandRefused("file", file, "no .. and no empty part in a path")
    return Application("playback", file)


def tone(spec: str) -> Application:
    """Play a tone in FreeSWITCH's tone language, such as `%(200,100,440)`."""
    _match("tone", spec, _TONE, "digits, letters and %(),.;=+*#- only")
    return Application("playback", f"tone_stream://{spec}")


def say(text: str, voice: str = "flite/slt") -> Application:
    """Speak a text. `voice` is a voice of flite, or `engine/voice`."""
    _match("voice", voice, _VOICE, "letters, digits, _ . - with one / at most")
    if not text.strip() or "|" in text:
        raise CommandRefused("text", text, "some text without |")
    engine, _, name = voice.rpartition("/")
    return _checked(Application("speak", f"{engine or 'flite'}|{name}|{text.strip()}"))


def transfer(extension: str, context: str) -> Application:
    """Go on in an extension of the XML dialplan."""
    _match("extension", extension, _EXTENSION, "1 to 64 of 0-9 A-Z a-z _ * # -, the first of them no -")
    _match("context", context, _WORD, "1 to 64 of 0-9 A-Z a-z _ . -")
    return Application("transfer", f"{extension} XML {context}")


def bridge(endpoint: str, rate: LegRate | None = None) -> Application:
    """Connect the call to a second leg, one endpoint as `commands.endpoint` makes it, where `rate` allows it."""
    checked = checked_endpoint(endpoint)
    if rate is None:
        return Application("bridge", checked)
    return Application(leg_rates.APPLICATION, leg_rates.bridge_within(rate, checked))


def queue(name: str) -> Application:
    """Hand the call to a queue of mod_callcenter."""
    _match("queue", name, _QUEUE, "1 to 128 of 0-9 A-Z a-z _ . @ -")
    return Application("callcenter", name)


def socket(host: str, port: int) -> Application:
    """Hand the call to an outbound event socket server."""
    _match("host", host, _HOST, "a host name or an IPv4 address")
    if not 1 <= port <= 65_535:
        raise CommandRefused("port", port, "1 to 65535")
    return Application("socket", f"{host}:{port} async full")


def conference(room: str) -> Application:
    """Join a conference room of the default profile."""
    _match("room", room, left_alone.ROOM, "1 to 128 of 0-9 A-Z a-z _ . -")
    return Application("conference", f"{room}@default")


def park() -> Application:
    """Hold the call in silence until somebody moves it."""
    return Application("park")


def echo() -> Application:
    """Play the caller's own voice back."""
    return Application("echo")


def hangup(cause: str = "NORMAL_CLEARING") -> Application:
    """End the call with a cause that FreeSWITCH knows."""
    return Application("hangup", checked_cause(cause))


def end_after(seconds: int) -> Application:
    """Have the node end the call `seconds` (1 to 86,400) from now, whoever is still alive then."""
    if not 1 <= seconds <= 86_400:
        raise CommandRefused("max_seconds", seconds, "1 to 86400")
    return Application("sched_hangup", f"+{seconds} ALLOTTED_TIMEOUT")


def connect(step: Application, message: Application | None = None) -> list[Application]:
    """A bridge, a queue or a conference that must bring the call an agent within CONNECT_SECONDS of the answer.

    Otherwise, and where a bridge's rate does not allow it now, the node plays `message` (a `playback` or `say`) and
    hangs up, and the variable `dialer_abandoned` says so, in the call's HANGUP_COMPLETE and in its CDR. All of it is
    the node's doing: nobody waits in silence because a dialer has stopped. How each behaves was recorded on a node:
    docs/freeswitch.md.
    """
    ways = {"bridge": _bridged, leg_rates.APPLICATION: _bridged, "callcenter": _queued, "conference": _met}
    kinds = {
        "bridge": ActionKind.BRIDGE,
        leg_rates.APPLICATION: ActionKind.BRIDGE,
        "callcenter": ActionKind.QUEUE,
        "conference": ActionKind.CONFERENCE,
    }
    if step.name not in ways or (message is not None and message.name not in ("playback", "speak")):
        raise CommandRefused("connect", step.name, "a bridge, queue or conference, and a playback or say")
    alone = [_ABANDONED, *([message] if message else []), hangup()]
    return [_CONNECT, _ACTIONS[kinds[step.name]], *ways[step.name](step, message), *alone]


def played(step: Application) -> list[Application]:
    """A `playback`, what the node says of it, and the end of the call."""
    return [_ACTIONS[ActionKind.PLAYBACK], step, _RESPONSE, hangup()]


def spoken(step: Application) -> list[Application]:
    """A `say`, whether the node has its engine, and the end of the call."""
    engine = step.argument.partition("|")[0]
    proof = Application("set", f"dialer_ran=${{module_exists(mod_{engine})}}")
    return [_ACTIONS[ActionKind.SAY], step, proof, hangup()]


def served(step: Application, message: Application | None = None) -> list[Application]:
    """A `socket`. Whoever is on the line when it cannot be reached hears `message`, and is let go; a server that
    leaves a call it has taken lets the person go."""
    alone = [_HANGUP_IF_SERVED, message] if message else []
    return [_ACTIONS[ActionKind.SOCKET], step, _LAST_RUN, *alone, hangup()]


def transferred(step: Application) -> list[Application]:
    """A `transfer`; what follows is the dialplan's."""
    return [_ACTIONS[ActionKind.TRANSFER], step]


def _bridged(step: Application, _message: Application | None) -> list[Application]:
    # The second leg takes ignore_early_media over from the first, so that only its answer counts as joined.
    return [_BRIDGE_TERMS, step]


def _queued(step: Application, message: Application | None) -> list[Application]:
    # mod_callcenter has no limit of a single call's own. What is scheduled goes by its id: the group of the call's id
    # is its maximum duration's, too.
    kept = [] if message is None else [Application("set", f"{_MESSAGE}={message.argument}")]
    leave = _LEAVE[None if message is None else message.name]
    watch = [Application("set", look) for look in left_alone.WATCH_QUEUE]
    return [*kept, *watch, _HANGUP_AFTER_BRIDGE, leave, _STAY_ONCE_JOINED, step, _STAY]


def _met(step: Application, _message: Application | None) -> list[Application]:
    looks = ([step, _HANGUP_IF_MET, Application("sleep", str(pause))] for pause in _LOOKS)
    watch = [Application("set", look) for look in left_alone.watch(step.argument.partition("@")[0])]
    over = Application("set", left_alone.OVER)
    return [_ROOM_TERMS, *watch, *(part for look in looks for part in look), over]


def _leave(play: str) -> Application:
    # ~ separates the applications of the other list, and \$ puts off the expansion until that one runs: a spoken text
    # has spaces, and sched_transfer's argument is cut at each.
    steps = f"set:dialer_abandoned=true~{play}hangup:NORMAL_CLEARING"
    return Application("sched_transfer", f"+{CONNECT_SECONDS} m:~:{steps} inline")


_CONNECT: Final = Application("set", "dialer_connect=true")
_ACTIONS: Final = {kind: Application("set", f"dialer_action={kind}") for kind in ActionKind}
_RESPONSE: Final = Application("set", "dialer_ran=${current_application_response}")
_LAST_RUN: Final = Application("set", "dialer_ran=${current_application}")
_HANGUP_IF_SERVED: Final = Application(
    "execute_extension", "${cond(${dialer_ran} == socket ? answer : hangup)} inline"
)
_ABANDONED: Final = Application("set", "dialer_abandoned=true")
_BRIDGE_TERMS: Final = Application(
    "multiset", f"continue_on_fail=true hangup_after_bridge=true call_timeout={CONNECT_SECONDS}"
)
_HANGUP_AFTER_BRIDGE: Final = Application("set", "hangup_after_bridge=true")
_STAY_ONCE_JOINED: Final = Application("set", "execute_on_pre_bridge=sched_cancel ${last_sched_id}")
_STAY: Final = Application("sched_cancel", "${last_sched_id}")
_LEAVE: Final[Mapping[str | None, Application]] = {
    None: _leave(""),
    "playback": _leave(f"playback:\\${{{_MESSAGE}}}~"),
    "speak": _leave(f"speak:\\${{{_MESSAGE}}}~"),
}
# join-only: a room that nobody is in is not made, and the call goes on to the next application.
_ROOM_TERMS: Final = Application(
    "multiset", "hangup_after_conference=false conference_member_flags=join-only conference_member_id=0"
)
_HANGUP_IF_MET: Final = Application(
    "execute_extension", "${cond(${conference_member_id} > 0 ? hangup : answer)} inline"
)
_OWN: Final = frozenset(
    {
        _CONNECT,
        *_ACTIONS.values(),
        _RESPONSE,
        _LAST_RUN,
        _HANGUP_IF_SERVED,
        _ABANDONED,
        _BRIDGE_TERMS,
        _HANGUP_AFTER_BRIDGE,
        _STAY_ONCE_JOINED,
        _STAY,
        *_LEAVE.values(),
        _ROOM_TERMS,
        _HANGUP_IF_MET,
    }
)
"""Steps that are written here, to the last character."""


def inline(applications: Sequence[Application]) -> str:
    """The second and third argument of an originate: `'m:^:app:argument^app:argument' inline`.

    Raises CommandRefused for an application that is not one of those above and for an argument with a quote,
    `^`, backslash, `$`, brace or control character.
    """
    if not 1 <= len(applications) <= MAX_APPLICATIONS:
        raise CommandRefused("applications", len(applications), f"1 to {MAX_APPLICATIONS}")
    steps = "^".join(f"{app.name}:{app.argument}" for app in map(_checked, applications))
    return f"'m:^:{steps}' inline"


def checked_endpoint(endpoint: str) -> str:
    """A dial string of exactly one leg, without options: what may stand behind the variables of an originate."""
    _match("endpoint", endpoint, _ENDPOINT, "one leg such as sofia/gateway/trunk/15550000, without options")
    if ":_:" in endpoint:
        raise CommandRefused("endpoint", endpoint, "one leg, without :_:")
    if _RUNS.fullmatch(endpoint):
        raise CommandRefused("endpoint", endpoint, "a leg that runs nothing")
    return endpoint


def checked_cause(cause: str) -> str:
    """A hangup cause by name; FreeSWITCH would take an unknown one and hang up with another."""
    if cause not in HANGUP_CAUSES:
        raise CommandRefused("cause", cause, "a hangup cause that FreeSWITCH knows")
    return cause


def _checked(application: Application) -> Application:
    if application in _OWN:
        return application
    if application.name == "set" and (
        _ENGINE_PROOF.fullmatch(application.argument) or left_alone.is_ours(application.argument)
    ):
        return application
    name, argument = application.name, application.argument
    if name == leg_rates.APPLICATION:
        name, argument = "bridge", checked_endpoint(leg_rates.bridged(argument) or "")
    if name == "set" and argument.startswith(f"{_MESSAGE}="):
        name, argument = "speak", argument.removeprefix(f"{_MESSAGE}=")
    if name not in _NAMES:
        raise CommandRefused("application", application.name, "one of " + ", ".join(sorted(_NAMES)))
    if argument != argument.strip():
        raise CommandRefused(application.name, argument, "no space at either end")
    if len(argument) > MAX_ARGUMENT_CHARACTERS:
        raise CommandRefused(application.name, argument, f"at most {MAX_ARGUMENT_CHARACTERS} characters")
    found = _FORBIDDEN_CHARACTERS.search(argument)
    if found:
        raise CommandRefused(application.name, argument, f"no {found[0]!r} in an argument")
    try:
        argument.encode()
    except UnicodeEncodeError as exc:
        raise CommandRefused(application.name, argument, "encodable as UTF-8") from exc
    return application


def _match(name: str, value: str, pattern: re.Pattern[str], rule: str) -> None:
    if len(value) > MAX_ARGUMENT_CHARACTERS or not pattern.fullmatch(value):
        raise CommandRefused(name, value, rule)
