"""The models and the migrations describe the same tables."""

from __future__ import annotations

import pytest
from peewee import Field, ForeignKeyField

from models import TABLES, Table, connect, rows


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model.__name__)
def test_a_model_has_the_columns_of_its_table(database_url: str, model: type[Table]) -> None:
    pool = connect(database_url)
    with pool.connection_context():
        found = rows(
            "SELECT column_name, is_nullable = 'YES' AS nullable, data_type FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = %s",
            model._meta.table_name,
        )
    pool.close_all()
    fields = {field.column_name: field for field in model._meta.sorted_fields}
    assert {row["column_name"] for row in found} == set(fields)
    for row in found:
        field = fields[row["column_name"]]
        assert field.null == row["nullable"], row["column_name"]
        assert (row["data_type"] == "jsonb") == (field.field_type == "JSONB"), row["column_name"]
        assert (row["data_type"] == "uuid") == _is_uuid(field), row["column_name"]


def _is_uuid(field: Field) -> bool:
    while isinstance(field, ForeignKeyField):
        field = field.rel_field
    return field.field_type == "UUID"


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    from migrations.runner import migrate

    assert migrate(database_url) == []
