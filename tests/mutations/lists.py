"""Mutations of: no stranger's number is dialled, and ordinary people are called."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

NUMBER_TEXT = "tests/unit/campaigns/test_number_text.py"
AMOUNTS = "tests/unit/campaigns/test_number_amounts.py"
DATES = "tests/unit/campaigns/test_number_dates.py"
HINTS = "tests/unit/campaigns/test_number_hints.py"
PREVIEWS = "tests/integration/api/test_previews.py"
SHAPES = "tests/unit/campaigns/test_list_shapes.py"
ACTIONS = "tests/unit/campaigns/test_actions.py"

STRANGERS = (
    Mutation(
        "second number dialled",
        "two numbers in a cell are dialled as one that somebody else has",
        "campaigns/number_text.py",
        "            _refuse_behind(raw, text, found, region)\n",
        "            pass\n",
        (f"{NUMBER_TEXT}::test_what_is_no_single_number_is_refused_as_what_it_is",),
    ),
    Mutation(
        "second subscriber dialled",
        "a second number behind a blank is dialled as the end of the first",
        "campaigns/number_text.py",
        "(last != len(right) and len(right) < _FEWEST_DIGITS)\n",
        "last != len(right)\n",
        (f"{NUMBER_TEXT}::test_what_is_no_single_number_is_refused_as_what_it_is",),
    ),
    Mutation(
        "span dialled",
        "a span of days with short years is dialled",
        "campaigns/number_dates.py",
        'rf"{_SHORT_DATE}{_MARK_OR_BLANK}(?:{_SHORT_DATE}|{_whole_date(_ANY_YEAR, _MARK)})",\n',
        'rf"{_whole_date(_ANY_YEAR, _MARK)}{_MARK_OR_BLANK}{_SHORT_DATE}",\n',
        (f"{DATES}::test_a_date_is_refused_as_one",),
    ),
    Mutation(
        "local pair dialled",
        "two numbers without their area code are dialled as one that somebody else has",
        "campaigns/number_text.py",
        "        _refuse_local(raw, local, region)\n",
        "        pass\n",
        (f"{NUMBER_TEXT}::test_two_numbers_without_an_area_code_are_never_dialled_as_one",),
    ),
    Mutation(
        "cents dialled",
        "the decimals of a number that is whole without them are dialled as its last digits",
        "campaigns/number_amounts.py",
        "    return _GROUPED.fullmatch(text) is None and is_whole(whole.translate(MARKS), region)\n",
        "    return False\n",
        (f"{AMOUNTS}::test_an_amount_is_refused_as_one",),
    ),
    Mutation(
        "range dialled",
        "the end of a range of numbers is dialled as a digit of the first",
        "campaigns/number_text.py",
        "        one = last < len(right) or (\n",
        "        one = True or (\n",
        (f"{NUMBER_TEXT}::test_what_is_no_single_number_is_refused_as_what_it_is",),
    ),
    Mutation(
        "year dialled",
        "a date is dialled where the calendar is not ours",
        "campaigns/number_dates.py",
        'r"(?:1[3-9]|2[0-6])\\d\\d"\n',
        'r"(?:19|20)\\d\\d"\n',
        (f"{DATES}::test_a_date_is_refused_as_one",),
    ),
    Mutation(
        "invisible separator",
        "two numbers are glued together where what stands between them is not seen",
        "campaigns/number_signs.py",
        '_OTHERS.sub("", _BETWEEN_DIGITS.sub(WIDE, raw))',
        '_OTHERS.sub("", raw)',
        (f"{NUMBER_TEXT}::test_what_is_no_single_number_is_refused_as_what_it_is",),
    ),
    Mutation(
        "date dialled",
        "eight digits are dialled in a column of dates",
        "campaigns/import_rows.py",
        "        if self._holds_dates and may_be_date(plain_signs(raw)):\n",
        "        if not self._holds_dates and may_be_date(plain_signs(raw)):\n",
        ("tests/unit/campaigns/test_importer.py::test_eight_digits_in_a_column_of_dates_are_no_number",),
    ),
    Mutation(
        "country code ignored",
        "a number is read as one of the caller's country whatever code stands beside it",
        "campaigns/import_rows.py",
        "        if columns.beside:\n",
        "        if not columns.beside:\n",
        (f"{SHAPES}::test_a_shape_goes_in_as_its_people_mean_it",),
    ),
    Mutation(
        "perhaps another country",
        "a number that two countries have is called in that of the list, whatever may be its country beside it",
        "campaigns/number_hints.py",
        "    if here != there:\n",
        "    if not here:\n",
        (f"{HINTS}::test_what_may_be_another_country_makes_a_number_whole_and_never_another_one",),
    ),
    Mutation(
        "second number by the first's country",
        "a contact's second number is read as one of the country that stands beside the first",
        "campaigns/number_hints.py",
        "if hint.number in (None, place)]",
        "if hint.number is None]",
        (f"{HINTS}::test_each_of_several_numbers_has_the_hints_of_its_own",),
    ),
    Mutation(
        "country in one language",
        "a number is read as one of the caller's country where the column of its country is named in two words",
        "campaigns/hint_columns.py",
        "or (words & _COUNTRY and words <= _COUNTRY | _BESIDE_COUNTRY)",
        "or (words & _COUNTRY and words <= _COUNTRY)",
        (f"{HINTS}::test_a_country_is_used_in_whatever_language_its_column_is_named",),
    ),
)
RULES = "tests/unit/campaigns/test_number_rules.py"
ALLOWED = (
    Mutation(
        "country not asked",
        "numbers of countries that a tenant may not call come into its lists",
        "campaigns/import_rows.py",
        "        self._rules.check(number)\n",
        "",
        (f"{RULES}::test_each_row_says_why_it_is_rejected",),
    ),
    Mutation(
        "premium for all",
        "premium-rate numbers are called for whom the operator has not allowed them",
        "campaigns/numbers.py",
        "    if kind == PhoneNumberType.PREMIUM_RATE and not premium:\n",
        "    if kind == PhoneNumberType.PREMIUM_RATE and premium:\n",
        (f"{RULES}::test_a_premium_rate_number_goes_in_where_the_tenant_may_call_one_and_not_else",),
    ),
    Mutation(
        "country cloned",
        "a clone calls countries that its tenant may not call any more",
        "campaigns/cloning.py",
        "    gone = {*erased, *_not_allowed(made, allowed_numbers.of_tenant(tenant_id))}\n",
        "    gone = set(erased)\n",
        ("tests/integration/api/test_number_rules.py::test_what_is_not_allowed_comes_into_no_list",),
    ),
    Mutation(
        "clones forget that premium rates are refused",
        "a clone calls premium-rate numbers that its tenant may not call any more",
        "campaigns/cloning.py",
        "if rules.countries is None and rules.premium:",
        "if rules.countries is None:",
        (
            "tests/integration/api/test_number_rules.py::test_premium_rate_numbers_are_called_where_the_operator_says_so",
        ),
    ),
)
WORKBOOKS = (
    Mutation(
        "workbook that wants a password",
        "who uploads a workbook with a password is told to try again, for ever",
        "campaigns/workbooks.py",
        "    RuntimeError,\n",
        "",
        (
            "tests/unit/campaigns/test_workbooks.py::test_what_cannot_be_unpacked_is_refused_and_no_fault_of_ours",
        ),
    ),
    Mutation(
        "workbook packed as none is",
        "a few bytes of a workbook are unpacked to any number of them before they are counted",
        "campaigns/workbooks.py",
        "if packed.getinfo(name).compress_type not in _PACKED_AS:",
        "if packed.getinfo(name).compress_type < 0:",
        (
            "tests/unit/campaigns/test_workbooks.py::test_what_cannot_be_unpacked_is_refused_and_no_fault_of_ours",
        ),
    ),
    Mutation(
        "workbook read here",
        "a workbook that is made to harm is unpacked in the process that serves everybody",
        "api/routes/list_body.py",
        "        if is_workbook(file) or form.file_size > SHORT_BYTES:\n",
        "        if form.file_size > SHORT_BYTES:\n",
        (f"{PREVIEWS}::test_a_workbook_is_read_in_a_process_of_its_own_wherever_a_list_is",),
    ),
    Mutation(
        "bomb unpacked",
        "a workbook is unpacked to any size",
        "campaigns/workbooks.py",
        "                    if total > MOST_UNPACKED:\n",
        "                    if total > 1_000 * MOST_UNPACKED:\n",
        ("tests/unit/campaigns/test_workbooks.py::test_one_that_unpacks_to_too_much_is_refused",),
    ),
    Mutation(
        "digits rounded",
        "a number of a workbook is called with its last digits lost",
        "campaigns/workbooks.py",
        "        return str(int(value)) if value.is_integer() and abs(value) < _WHOLE else repr(value)\n",
        '        return f"{value:.6g}"\n',
        (
            "tests/unit/campaigns/test_workbooks.py::test_numbers_have_all_of_their_digits_and_days_are_no_numbers",
        ),
    ),
)
PREVIEWED = (
    Mutation(
        "suppressed corrected",
        "a corrected list has those in it who must not be called",
        "campaigns/preview.py",
        "    if not taken or not lines:\n",
        "    if taken or not lines:\n",
        (f"{PREVIEWS}::test_who_must_not_be_called_is_not_in_a_corrected_list",),
    ),
    Mutation(
        "preview kept",
        "a preview leaves its contacts in the database",
        "campaigns/preview.py",
        'f"CREATE TEMP TABLE {TABLE} (LIKE contact INCLUDING DEFAULTS) ON COMMIT DROP"',
        'f"CREATE TABLE IF NOT EXISTS {TABLE} (LIKE contact INCLUDING DEFAULTS)"',
        (f"{PREVIEWS}::test_objects_are_looked_at_as_they_would_be_imported",),
    ),
    Mutation(
        "formula corrected",
        "a corrected list has cells in it that a spreadsheet runs",
        "campaigns/text_marks.py",
        "    return MARK + cell if is_formula(cell) else cell\n",
        "    return cell\n",
        (f"{PREVIEWS}::test_objects_are_looked_at_as_they_would_be_imported",),
    ),
)
SPOKEN = (
    Mutation(
        "apostrophe refused",
        "whoever has an apostrophe in a name is not called by an agent that speaks it",
        "campaigns/action_values.py",
        "    spoken = speakable(text)\n",
        "    spoken = text.strip()\n",
        (f"{ACTIONS}::test_a_text_that_an_agent_s_author_writes_may_have_signs_in_it",),
    ),
)
