"""Every mutation by the invariant that it breaks, in the words of docs/reliability.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.mutations.access import DIAL_STRING, TENANTS
from tests.mutations.agents import HELD, TOLD
from tests.mutations.board import SIGNED_IN
from tests.mutations.calls import LOST, TAKEN_AWAY, TWICE
from tests.mutations.campaign_life import FED
from tests.mutations.caps import EXCEEDED, LEAKED
from tests.mutations.connections import CONNECTIONS
from tests.mutations.dispatch import STARVED, UNEXPLAINED
from tests.mutations.forecasts import TOLD_BEFOREHAND
from tests.mutations.further_numbers import FURTHER
from tests.mutations.lists import ALLOWED, PREVIEWED, SPOKEN, STRANGERS, WORKBOOKS
from tests.mutations.mutation import Mutation
from tests.mutations.often import OFTEN
from tests.mutations.pacing import PACED
from tests.mutations.policies import LAWFUL
from tests.mutations.records import ATTEMPTS, COUNTS, STREAM
from tests.mutations.reports import REPORTS
from tests.mutations.retention import DELETED
from tests.mutations.schedules import SCHEDULED
from tests.mutations.second_legs import SECOND_LEGS
from tests.mutations.single_calls import SINGLE_CALLS
from tests.mutations.stops import HANGUPS, STOPS
from tests.mutations.suppressions import FORGOTTEN, SUPPRESSED
from tests.mutations.verdict import SEEN
from tests.mutations.windows import WINDOWED

TABLE: Mapping[str, Sequence[Mutation]] = {
    "No contact is dialled twice for one attempt": TWICE,
    "What is taken from a campaign stops its calls, and no process ends it for the others": TAKEN_AWAY,
    "No contact is lost": LOST,
    "No cap is ever exceeded": (*EXCEEDED, *SECOND_LEGS),
    "No permit stays behind": LEAKED,
    "No campaign, node or server holds up the others": STARVED,
    "What is shared is shared by weight, and what holds a campaign back is told": (*PACED, *UNEXPLAINED),
    "A fault of the platform uses up no attempt": ATTEMPTS,
    "What is said of an answered call is true": TOLD,
    "An agent that cannot run disturbs few, and nobody is kept in silence": HELD,
    "A campaign starts and ends when it is to, once": SCHEDULED,
    "Nobody is called again sooner or more often than somebody said": OFTEN,
    "A campaign that is changed or fed while it runs calls nobody twice, and nobody too late": FED,
    "A single call is placed once, at once and under every cap, or not at all": SINGLE_CALLS,
    "What a campaign is said to do is what it does": TOLD_BEFOREHAND,
    "Nobody is called whose number is suppressed": SUPPRESSED,
    "Each number of a contact is called as its only one would be, and a campaign has it once": FURTHER,
    "Of a person whose data is erased nothing is left": FORGOTTEN,
    "Nobody is called outside the calling window of where he is": WINDOWED,
    "Nobody is called whom the law of his place forbids to call, where packs bind the campaign": LAWFUL,
    "A stop holds for everybody from its mark on": STOPS,
    "What must end ends, and costs nobody an attempt": HANGUPS,
    "The counts of the contact states add up": COUNTS,
    "A report says what the rows of calls say": REPORTS,
    "Listeners hear each transition once, in order": STREAM,
    "Nothing a tenant uploads becomes a command or an option": DIAL_STRING,
    "No stranger's number is dialled": STRANGERS,
    "Ordinary people are called": SPOKEN,
    "A preview keeps nothing, and corrects nobody who must not be called": PREVIEWED,
    "A workbook is read as it is meant, and harms nobody": WORKBOOKS,
    "A list holds no numbers that its tenant may not call": ALLOWED,
    "A tenant sees nothing of another": TENANTS,
    "Who is signed in to the board may do what his key may": SIGNED_IN,
    "What is deleted is needed by nobody": DELETED,
    "The chaos verdict sees what it judges": SEEN,
    "A database connection is of one greenlet, and none is lost": CONNECTIONS,
}

MUTATIONS: Sequence[Mutation] = [mutation for group in TABLE.values() for mutation in group]


BEGIN = "<!-- the table of `python -m tests.mutations --table` begins -->"
END = "<!-- the table of `python -m tests.mutations --table` ends -->"


def shown() -> str:
    """The table as docs/reliability.md has it."""
    lines: list[str] = []
    for invariant, mutations in TABLE.items():
        lines += [f"### {invariant}", "", "| mutation | what is wrong then | caught by |", "|---|---|---|"]
        for mutation in mutations:
            tests = ", ".join(f"`{test.rpartition('::')[2]}`" for test in mutation.tests)
            lines.append(f"| {mutation.name} (`{mutation.file}`) | {mutation.breaks} | {tests} |")
        lines.append("")
    return "\n".join(lines).rstrip()
