"""Mutations of: nothing a tenant uploads becomes a command or an option, and a tenant sees nothing of another."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

ORIGINATE = "tests/unit/freeswitch/test_originate.py"
PROTOCOL = "tests/unit/freeswitch/test_protocol.py"
ADMISSIONS = "tests/unit/live/test_admission_watch.py"
RESOURCES = "tests/integration/api/test_resource_routes.py"

DIAL_STRING = (
    Mutation(
        "comma unescaped",
        "a comma in a list's value starts another option of the dial string",
        "freeswitch/channel_variables.py",
        'str.maketrans({"\\\\": r"\\\\", "\'": r"\\\'", ",": r"\\,"})',
        'str.maketrans({"\\\\": r"\\\\", "\'": r"\\\'"})',
        (f"{ORIGINATE}::test_any_value_arrives_unchanged_or_is_refused",),
    ),
    Mutation(
        "value unescaped",
        "a list's value reaches the dial string as it is",
        "freeswitch/channel_variables.py",
        "        value = value.replace(character, escaped)\n",
        "        pass\n",
        (f"{ORIGINATE}::test_a_hostile_value_arrives_unchanged",),
    ),
    Mutation(
        "variable expanded",
        "a value with ${...} is expanded by the switch, which can run a command there",
        "freeswitch/channel_variables.py",
        "    if _VARIABLE_REFERENCE.search(value):\n",
        "    if False:\n",
        (f"{ORIGINATE}::test_what_would_not_arrive_is_refused",),
    ),
    Mutation(
        "leg that runs something",
        "a gateway's dial string runs an application of the switch",
        "freeswitch/applications.py",
        "    if _RUNS.fullmatch(endpoint):\n",
        "    if False:\n",
        (f"{ORIGINATE}::test_a_request_that_could_do_more_than_one_call_is_refused",),
    ),
    Mutation(
        "legs separated",
        "a value with :_: starts another leg",
        "freeswitch/channel_variables.py",
        '    if ":_:" in value:\n',
        "    if False:\n",
        (f"{ORIGINATE}::test_what_would_not_arrive_is_refused",),
    ),
    Mutation(
        "number unchecked",
        "anything may stand for a number in a gateway's dial string",
        "freeswitch/originate.py",
        '    if not _NUMBER.fullmatch(number):\n        raise CommandRefused("number", number, "3 to 20',
        '    if not number:\n        raise CommandRefused("number", number, "3 to 20',
        (f"{ORIGINATE}::test_a_number_is_digits",),
    ),
    Mutation(
        "line break in a command",
        "a line break in a value starts a second command on the socket",
        "freeswitch/protocol.py",
        '        if "\\n" in line or "\\r" in line or "\\0" in line:\n',
        '        if "\\0" in line:\n',
        (f"{PROTOCOL}::test_nothing_that_ends_a_line_gets_into_a_command",),
    ),
)

TENANTS = (
    Mutation(
        "dialers and nodes without a key",
        "anybody who reaches a web process learns of the dialers and the nodes",
        "api/routes/health.py",
        "    if caller is not None:\n"
        '        shown |= _dialling(dialers, redis_reason, everybodys=caller.may("platform"))\n',
        "    shown |= _dialling(dialers, redis_reason, everybodys=True)\n",
        ("tests/integration/api/test_health.py::test_who_has_no_key_is_told_nothing_of_them",),
    ),
    Mutation(
        "tenant filter missing: campaigns",
        "a tenant reads another's campaigns",
        "campaigns/queries.py",
        'WHERE c.tenant_id = %s AND c.deleted_at IS NULL"',
        "WHERE %s <> '' AND c.deleted_at IS NULL\"",
        ("tests/integration/api/test_campaigns.py::test_another_tenants_campaign_is_404_and_left_alone",),
    ),
    Mutation(
        "tenant filter missing: actions",
        "a tenant starts, pauses and stops another's campaigns",
        "campaigns/lifecycle.py",
        "WHERE id = %s AND tenant_id = %s AND deleted_at IS NULL",
        "WHERE id = %s AND %s <> '' AND deleted_at IS NULL",
        ("tests/integration/api/test_campaigns.py::test_another_tenants_campaign_is_404_and_left_alone",),
    ),
    Mutation(
        "tenant filter missing: calls",
        "a tenant reads another's calls",
        "api/routes/calls.py",
        'f"SELECT {_COLUMNS} FROM call WHERE id = %s AND tenant_id = %s"',
        "f\"SELECT {_COLUMNS} FROM call WHERE id = %s AND %s <> ''\"",
        ("tests/integration/api/test_calls.py::test_nothing_of_another_tenants_calls_is_seen",),
    ),
    Mutation(
        "tenant filter missing: totals",
        "a tenant learns how many calls another's campaign made",
        "campaigns/call_counts.py",
        'whose.append(("campaign_id = %s", campaign_id))',
        'whose = [("campaign_id = %s", campaign_id)]',
        ("tests/integration/dialer/test_call_counts.py::test_what_is_kept_is_what_the_rows_say",),
    ),
    Mutation(
        "tenant filter missing: resources",
        "a tenant reads and changes another's agents and numbers",
        "api/resources.py",
        "        query = query.where(fields.tenant == tenant_id)\n",
        "        pass\n",
        (f"{RESOURCES}::test_what_is_another_tenants_is_404",),
    ),
    Mutation(
        "tenant filter missing: stream",
        "a tenant listens to another's campaign",
        "api/routes/stream_access.py",
        'WHERE id = %s AND tenant_id = %s AND deleted_at IS NULL"',
        "WHERE id = %s AND %s <> '' AND deleted_at IS NULL\"",
        ("tests/integration/api/test_campaigns.py::test_another_tenants_campaign_is_404_and_left_alone",),
    ),
    Mutation(
        "token good for every stream",
        "a token made for one campaign's stream opens another's",
        "live/tokens.py",
        "        if signed_for != campaign_id:\n",
        "        if not signed_for:\n",
        ("tests/integration/live/test_routes.py::test_a_token_opens_one_stream_of_one_tenant",),
    ),
    Mutation(
        "revoked key goes on listening",
        "who has lost his key, or his tenant, goes on hearing numbers",
        "live/admission_watch.py",
        "                listener.revoke()\n",
        "                pass\n",
        (f"{ADMISSIONS}::test_whose_admission_is_taken_away_is_let_out_and_nobody_else",),
    ),
    Mutation(
        "token outlives its key",
        "a token opens the stream though the key that made it is gone",
        "api/routes/stream_access.py",
        "    if taken([admission], []).admissions:\n",
        "    if False:\n",
        ("tests/integration/api/test_stream_admission.py::test_a_token_ends_with_the_key_that_made_it",),
    ),
)
