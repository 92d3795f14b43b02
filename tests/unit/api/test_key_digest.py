"""What of a key may be shown again, and what is stored of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.key_digest import digest, display_prefix, new_key

SECRETS = st.from_regex(r"[A-Za-z0-9_-]{32,64}", fullmatch=True)
SLUGS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True)


@given(SLUGS, SECRETS)
def test_four_characters_of_a_secret_are_shown_whatever_it_holds(slug: str, secret: str) -> None:
    assert display_prefix(f"sk_{slug}_{secret}") == f"sk_{slug}_{secret[:4]}"


@pytest.mark.parametrize("key", ["a-key-of-the-operators-own", "sk_UPPER_and_more_than_that", "x" * 200])
def test_a_key_in_another_form_shows_four_characters(key: str) -> None:
    assert display_prefix(key) == key[:4]


def test_a_new_key_names_its_tenant_and_is_long_and_never_the_same() -> None:
    keys = {new_key("acme") for _ in range(100)}
    assert len(keys) == 100
    assert all(key.startswith("sk_acme_") and len(key) == len("sk_acme_") + 43 for key in keys)


def test_the_digest_depends_on_the_key_and_the_pepper_and_is_not_the_key() -> None:
    found = {digest(key, pepper) for key in ("sk_a_1", "sk_a_2") for pepper in ("one", "other")}
    assert len(found) == 4
    assert all(len(text) == 64 and "sk_" not in text for text in found)
