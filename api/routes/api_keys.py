"""API keys of a tenant: made, listed and revoked by its admins. The key itself is shown once and never stored."""

from __future__ import annotations

from typing import TypedDict

from flask import Response

from api import platform_keys, schemas
from api.auth import current_caller, requires
from api.blueprint import Blueprint
from api.errors import ApiError, not_found
from api.key_digest import ROLES, digest, display_prefix, fingerprint, new_key
from api.paging import Page, PageQuery, PageValues, list_schema
from api.resources import id_or_404, insert, page_of
from api.services import services
from api.transactions import transaction
from models import ApiKey, rows

blp = Blueprint("api-keys", description="Who may ask")

NOT_FOUND = "API key not found"
PLATFORM_ONLY = "The key's role is admin; a key of role platform needs platform."
EXAMPLE: dict[str, object] = {
    "id": "019ab0c4-4444-7aaa-8bbb-0123456789ab",
    "name": "crm",
    "role": "operate",
    "prefix": "sk_acme_Xy3k",
    "created_at": "2026-01-31T08:00:00.000Z",
}
EXAMPLE_NEW = EXAMPLE | {"key": "sk_acme_Xy3kExampleOnlyExampleOnlyExampleOnlyExampl"}
EXAMPLE_LIST = {"api_keys": [EXAMPLE], "total": 1, "limit": 100, "offset": 0}


class ApiKeyValues(TypedDict):
    """A loaded ApiKeyBody."""

    name: str
    role: str


class ApiKeyBody(schemas.Schema):
    """A new key."""

    name = schemas.Text(
        1, 200, required=True, metadata={"description": "Stands in created_by of what it creates."}
    )
    role = schemas.Choice(
        ROLES,
        required=True,
        metadata={"description": "Each may do what those before it may; platform is the operator's."},
    )


class ApiKeySchema(schemas.Schema):
    """A key, without the key."""

    id = schemas.Id(required=True)
    name = schemas.Text(required=True)
    role = schemas.Choice(ROLES, required=True)
    prefix = schemas.Text(required=True, metadata={"description": "How the key begins."})
    created_at = schemas.Time(required=True)


class NewApiKeySchema(ApiKeySchema):
    """A key that was just made."""

    key = schemas.Text(required=True, metadata={"description": "The key itself, which is shown only here."})


@blp.route("/api-keys")
@requires("admin")
@blp.arguments(PageQuery, location="query")
@blp.response(200, list_schema("api_keys", ApiKeySchema), example=EXAMPLE_LIST)
def list_api_keys(query: PageValues) -> dict[str, object]:
    """List API keys

    Oldest first; those of role platform that belong to the tenant are among them.
    """
    page = Page.of(query)
    with transaction():
        found, total = page_of(ApiKey.select().where(ApiKey.tenant == current_caller().tenant_id), page)
    return page.body("api_keys", found, total)


@blp.route("/api-keys", methods=["POST"])
@requires("admin", errors={403: PLATFORM_ONLY})
@blp.arguments(ApiKeyBody, example={"name": "crm", "role": "operate"})
@blp.response(201, NewApiKeySchema, example=EXAMPLE_NEW)
def create_api_key(body: ApiKeyValues) -> tuple[dict[str, object], int, dict[str, str]]:
    """Create an API key

    The answer is the only place where the key is ever shown, so this is not replayed for an Idempotency-Key.
    """
    _refuse_platform(body["role"])
    tenant_id = current_caller().tenant_id
    key = new_key(tenant_id)
    pepper = services().settings.secret_key or ""
    with transaction():
        row = insert(
            ApiKey,
            tenant=tenant_id,
            digest=digest(key, pepper),
            prefix=display_prefix(key),
            secret=fingerprint(pepper),
            **body,
        )
    shown = {name: getattr(row, name) for name in ApiKeySchema().fields} | {"key": key}
    return shown, 201, {"Cache-Control": "no-store"}


@blp.route("/api-keys/<api_key_id>", methods=["DELETE"])
@requires("admin", errors={403: PLATFORM_ONLY, 404: NOT_FOUND, 409: platform_keys.LAST})
@blp.response(204)
def delete_api_key(api_key_id: str) -> Response:
    """Delete an API key

    It is refused everywhere within a second, and the streams that it opened end. The key in use may delete itself;
    the last of role platform cannot be deleted, since no other could be made.
    """
    key_id = id_or_404(api_key_id, "API key")
    with transaction():
        platform_keys.lock_keys()
        found = rows(
            "SELECT role FROM api_key WHERE id = %s AND tenant_id = %s FOR UPDATE",
            key_id,
            current_caller().tenant_id,
        )
        if not found:
            raise not_found("API key")
        _refuse_platform(found[0]["role"])
        if found[0]["role"] == "platform":
            platform_keys.check_one_stays(platform_keys.LAST, key_id)
        rows("DELETE FROM api_key WHERE id = %s", key_id)
    return Response(status=204)


def _refuse_platform(role: str) -> None:
    caller = current_caller()
    if not caller.may(role):
        raise ApiError(403, f"The key's role is {caller.role}; a key of role {role} needs {role}.")
