"""Test numbers: those that a tenant's test calls may go to."""

from __future__ import annotations

from typing import TypedDict

from api import schemas
from api.auth import current_caller, requires
from api.blueprint import Blueprint
from api.errors import ApiError
from api.transactions import transaction
from campaigns.errors import NumberRefused
from campaigns.numbers import phone_number
from models import Tenant, rows

blp = Blueprint("test-numbers", description="Where test calls may go")

MOST = 100
EXAMPLE: dict[str, object] = {"test_numbers": ["+14155550123"]}


class TestNumberValues(TypedDict):
    """The loaded list."""

    test_numbers: list[str]


class TestNumbersSchema(schemas.Schema):
    """The numbers that test calls may go to."""

    test_numbers = schemas.Items(
        schemas.Text(1, 50),
        required=True,
        metadata={"description": f"In E.164, with a +; at most {MOST}.", "maxItems": MOST},
    )


@blp.route("/test-numbers")
@requires("read")
@blp.response(200, TestNumbersSchema, example=EXAMPLE)
def get_test_numbers() -> dict[str, object]:
    """Read the test numbers"""
    with transaction(writes=False):
        (found,) = rows("SELECT test_numbers FROM tenant WHERE id = %s", current_caller().tenant_id)
    return found


@blp.route("/test-numbers", methods=["PUT"])
@requires("admin")
@blp.arguments(TestNumbersSchema, example=EXAMPLE)
@blp.response(200, TestNumbersSchema, example=EXAMPLE)
def put_test_numbers(body: TestNumberValues) -> dict[str, object]:
    """Set the test numbers

    All of them are replaced: those of the people who try campaigns (`POST /campaigns/{id}/test-call`).
    """
    if len(body["test_numbers"]) > MOST:
        raise ApiError(
            400, f"test_numbers has {len(body['test_numbers'])} numbers; at most {MOST} are allowed."
        )
    numbers = [_number(place, text) for place, text in enumerate(body["test_numbers"])]
    told: dict[str, object] = {"test_numbers": list(dict.fromkeys(numbers))}
    with transaction():
        Tenant.update(**told).where(Tenant.id == current_caller().tenant_id).execute()
    return told


def _number(place: int, text: str) -> str:
    try:
        return phone_number(text, None)
    except NumberRefused as error:
        said = f"test_numbers[{place}] is {schemas.quoted(text)}; {error.reason}."
        raise ApiError(400, said, code=error.code) from error
