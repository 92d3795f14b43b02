"""What may be asked of campaigns, their contacts and rejected rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NotRequired, TypedDict

import marshmallow as ma

from api import schemas
from api.paging import FilteredQuery, PageQuery, PageValues, SpanQuery, SpanValues
from api.routes.campaign_fields import NAME_MAX
from campaigns.dispositions import CONTACT_MEANINGS
from campaigns.queries import ORDERS
from models import CampaignStatus, ContactStatus


class CampaignFilters(PageValues, SpanValues):
    """A loaded CampaignQuery."""

    external_id: NotRequired[str]
    metadata: NotRequired[str]
    status: NotRequired[str]
    name: NotRequired[str]
    order: str
    include: NotRequired[str]


class ContactFilters(PageValues, SpanValues):
    """A loaded ContactQuery."""

    status: NotRequired[str]
    disposition: NotRequired[str]
    order: str
    phone_number: NotRequired[str]
    external_id: NotRequired[str]
    metadata: NotRequired[str]


class RejectOptions(TypedDict):
    """A loaded RejectQuery."""

    addition: int


class StopOptions(TypedDict):
    """A loaded StopQuery."""

    hangup: bool


class OneCampaignQuery(schemas.Schema):
    """What to tell of one campaign beside itself."""

    include = schemas.Choice(
        ("outcomes",), metadata={"description": "What became of its calls so far, before it has ended too."}
    )


class ClientKeyQuery(schemas.Schema):
    """What a client calls what it looks for."""

    external_id = schemas.Text(1, 1000)
    metadata = schemas.Text(
        3, 600, metadata={"description": "key:value, both as they were given.", "example": "owner:sales"}
    )


class CampaignQuery(PageQuery, ClientKeyQuery, SpanQuery):
    """Which campaigns."""

    status = schemas.Choice(CampaignStatus)
    name = schemas.Text(
        1, NAME_MAX, metadata={"description": "What the name has in it, in letters of either case."}
    )
    order = schemas.Choice(ORDERS, load_default="oldest")
    include = schemas.Choice(("figures",), metadata={"description": "How their calls go, too."})


class ContactQuery(FilteredQuery, ClientKeyQuery, SpanQuery):
    """Which contacts. With an external_id or metadata a page goes by offset, not by starting_after."""

    status = schemas.Choice(ContactStatus)
    disposition = schemas.Choice(
        CONTACT_MEANINGS,
        metadata={"description": "How their last call ended; with from or to, the last one of that time."},
    )
    phone_number = schemas.Text(
        1,
        32,
        metadata={
            "description": "Who has this number, in E.164, among theirs: one at most, but where duplicates is off.",
            "example": "+14155550123",
        },
    )

    order = schemas.Choice(
        ("oldest", "newest"),
        load_default="oldest",
        metadata={"description": "As they came onto the list, or, with from or to, as they were called."},
    )
    from_ = schemas.Time(data_key="from", metadata={"description": "Called then, or later."})
    to = schemas.Time(metadata={"description": "Called before then."})

    @ma.validates_schema
    def check_number(self, data: Mapping[str, object], **_: object) -> None:
        """A campaign has a number once, or a few times: there is nothing to filter."""
        others = {"status", "disposition", "starting_after", "external_id", "metadata", "from_", "to"}
        if "phone_number" in data and data.keys() & others:
            raise ma.ValidationError(
                "it must not be given with another filter or starting_after", "phone_number"
            )

    @ma.validates_schema
    def check_called(self, data: Mapping[str, object], **_: object) -> None:
        """Who was called then is found by the calls, which know of a contact how they ended themselves."""
        given = data.keys() & {"from_", "to"}
        if given and data.keys() & {"status", "external_id", "metadata"}:
            name = "from" if "from_" in given else "to"
            raise ma.ValidationError("it must not be given with a status, external_id or metadata", name)


class RejectQuery(schemas.Schema):
    """Of which list."""

    addition = schemas.Integer(
        0,
        load_default=0,
        metadata={
            "description": "0 is the list that the campaign was made with; those that were added follow."
        },
    )


class StopQuery(schemas.Schema):
    """How to stop."""

    hangup = schemas.Boolean(
        load_default=False, metadata={"description": "End the calls in flight within 5 s."}
    )
