"""The forms of what a campaign needs around it. What may stand in a field the API says; here is what it is called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wtforms import BooleanField, Form, IntegerField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # its stubs are of 3.2
from wtforms.validators import InputRequired, Optional

from web.agent_words import ALL, COLUMNS, KINDS, MESSAGES

ROLE_WORDS: Mapping[str, str] = {
    "read": "read: look at everything of the tenant",
    "operate": "operate: also campaigns, calls and the panic button",
    "admin": "admin: also agents and keys",
    "platform": "platform: the operator of the installation",
}
VOICES = "Of a spoken text: awb, kal, rms or slt. Empty: the usual one."


def offered(pairs: Iterable[tuple[str, str]]) -> list[Any]:
    """What a field offers: each word, and what it is called."""
    return [SelectChoice(value=word, label=words) for word, words in pairs]


class AgentForm(Form):
    """An agent."""

    name = StringField("Name", [InputRequired()])
    kind = SelectField(
        "Who picks up",
        choices=offered((word, words) for word, words, _ in KINDS),
        validate_choice=False,
    )
    value = StringField(
        "What to say or play, or where to",
        description="A text, a file or https address, a tone, a queue, a number, an extension, a room, or host:port."
        " {column} stands for what a contact’s list says.",
        default="",
    )
    voice = StringField("Voice", description=VOICES, default="")
    gateway_id = SelectField(
        "By which gateway", validate_choice=False, description="Only to connect to a number.", default=""
    )
    ring_timeout_seconds = IntegerField("Let it ring for (seconds)", [InputRequired()], default=30)
    max_call_seconds = IntegerField("End a call after (seconds)", [InputRequired()], default=1800)
    columns = SelectField("What travels with the call", choices=offered(COLUMNS), default=ALL)
    variables = TextAreaField(
        "These columns", description="One on each line, as the list names them.", default=""
    )
    message = SelectField(
        "Whom nobody joins hears",
        choices=offered(MESSAGES),
        default="",
        description="Where no agent is there within 2 s of the answer. The call is abandoned then.",
    )
    message_value = StringField("That text or recording", default="")
    message_voice = StringField("Voice of that text", description=VOICES, default="")


class NumberForm(Form):
    """A caller id."""

    e164 = StringField("Number", [InputRequired()], description="As +12025550143.")
    gateway_id = SelectField("Its calls leave by", [InputRequired()], validate_choice=False)
    outbound_enabled = BooleanField("May be called from", default=True)


class KeyForm(Form):
    """An API key."""

    name = StringField("Name", [InputRequired()], description="It stands in what is made with the key.")
    role = SelectField("Role")


class LimitsForm(Form):
    """A tenant's limits; an empty field is no limit."""

    concurrent_max = IntegerField("Calls at once", [Optional()])
    reserved_concurrency = IntegerField(
        "Of these, kept for single calls", [Optional()], description="Campaigns leave so many free."
    )
    calls_per_minute = IntegerField("Calls in a minute", [Optional()])
    daily_calls_max = IntegerField("Calls in a day (UTC)", [Optional()])
    daily_minutes_max = IntegerField(
        "Minutes in a day (UTC)", [Optional()], description="Empty: no limit. 0: none at all."
    )
    number_gap_seconds = IntegerField("Between two calls to one number (seconds)", [Optional()])
    number_calls_24h = IntegerField("Calls to one number in 24 hours", [Optional()])
    number_calls_7d = IntegerField("Calls to one number in 7 days", [Optional()])
    number_calls_30d = IntegerField(
        "Calls to one number in 30 days", [Optional()], description="Empty: no limit."
    )
    allowed_countries = StringField(
        "Countries that may be called",
        description="Two letters each, as US CA. Empty: any. Who is on a list already stays there.",
    )
    premium_allowed = BooleanField("Premium-rate numbers may be called")


def first_fault(form: Form) -> str | None:
    """The first thing that is wrong with what was given, in a sentence."""
    if form.validate():
        return None
    faults: Mapping[str, Any] = form.errors
    name = next(iter(faults))
    return f"{form[name].label.text}: {faults[name][0]}"
