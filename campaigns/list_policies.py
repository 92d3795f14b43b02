"""What the policy packs ask of each row of a list: who may never be called from this number is rejected. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from campaigns import consent
from campaigns.column_names import PHONE_COLUMN
from campaigns.columns import CellRefused
from campaigns.policies import Policy
from campaigns.policy_packs import Consent, Rule


@dataclass(frozen=True, slots=True)
class ListPolicy:
    """For a campaign that packs bind: its purpose, and the number (E.164) that it shows."""

    purpose: str | None
    caller_id: str

    def refusal(self, number: str, *, consented: bool) -> CellRefused | None:
        """Why a number is not called; None where the packs let it be."""
        rule = Policy(self.purpose).demands_of(number).bars(self.caller_id, consented=consented)
        return None if rule is None else refused_by(rule, self.caller_id)


def refused_by(rule: Rule, caller_id: str) -> CellRefused:
    """The refusal of who is barred by a rule, with what would help."""
    reason = barred_reason(rule, caller_id)
    if isinstance(rule.demand, Consent):
        return CellRefused("consent_missing", f"{reason}; fill it in, or leave the row out", consent.AT)
    return CellRefused(
        "caller_id_refused", f"{reason}; call from another, or leave the row out", PHONE_COLUMN
    )


def barred_reason(rule: Rule, caller_id: str) -> str:
    """Why who is barred by a rule may not be called, with its source."""
    if isinstance(rule.demand, Consent):
        return f"{consent.AT} is empty, and nobody may be called there without consent ({rule.source})"
    return f"the campaign's number {caller_id} may not be shown there ({rule.source})"
