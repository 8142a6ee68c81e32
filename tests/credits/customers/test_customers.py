"""Customers: made once, changed field by field, found by key, searched, never somebody else's."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from credits.customers.customers import (
    Customer,
    find_customer,
    read_customers,
    search_customers,
    upsert_customer,
    valid_text,
)
from credits.db import Database
from credits.errors import InvalidInput
from credits.workspaces import WorkspaceName, ensure_workspace

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Files:
    """The customers of one workspace."""

    def __init__(self, database: Database, workspace_id: int) -> None:
        self.database, self.workspace_id = database, workspace_id

    async def put(self, key: str, **changes: Any) -> tuple[Customer, bool]:
        found = await self.try_put(key, **changes)
        assert not isinstance(found, InvalidInput), found
        return found

    async def try_put(self, key: str, **changes: Any) -> tuple[Customer, bool] | InvalidInput:
        async with self.database.transaction(self.workspace_id) as connection:
            return await upsert_customer(connection, self.workspace_id, key, changes, NOW)

    async def find(self, key: str) -> Customer | None:
        async with self.database.view(self.workspace_id) as connection:
            return await find_customer(connection, key)

    async def search(self, search: str | None, first: int = 50, after: str | None = None) -> tuple[list[str], bool]:
        async with self.database.view(self.workspace_id) as connection:
            found, more = await search_customers(connection, search, first, after)
        return [customer.key for customer in found], more


@pytest.fixture
def files(database: Database, workspace: WorkspaceName) -> Files:
    return Files(database, workspace.id)


async def test_a_new_customer_has_defaults_and_an_id_that_tells_nothing(files: Files):
    one, created = await files.put("acme")
    two, _ = await files.put("other")
    assert created
    assert (one.name, one.email, one.timezone, one.locale, one.cohort) == ("acme", None, "UTC", None, "default")
    assert (one.rate_card_version, one.metadata, one.created_at) == (None, {}, NOW)
    assert abs(one.id - two.id) > 2**20
    assert max(one.id, two.id) < 2**63


async def test_what_is_left_out_stays_and_what_is_null_goes_back_to_its_default(files: Files):
    full = {"name": "Acme", "email": "a@b.c", "timezone": "Europe/Berlin", "locale": "de", "metadata": {"a": [1, None]}}
    before, _ = await files.put("acme", **full)
    same, created = await files.put("acme")
    assert not created
    assert same == before
    renamed, _ = await files.put("acme", name="Other")
    assert (renamed.name, renamed.email, renamed.metadata) == ("Other", "a@b.c", {"a": [1, None]})
    emptied, _ = await files.put("acme", **dict.fromkeys(full))
    assert (emptied.name, emptied.email, emptied.timezone, emptied.metadata) == ("acme", None, "UTC", {})
    assert emptied.id == before.id


async def test_another_cohort_forgets_the_version_of_the_old_one(files: Files):
    await files.put("acme", rate_card_version=3)
    assert (await files.put("acme", cohort="default"))[0].rate_card_version == 3
    assert (await files.put("acme", cohort="gold"))[0].rate_card_version is None
    assert (await files.put("acme", cohort="silver", rate_card_version=2))[0].rate_card_version == 2


async def test_a_customer_that_many_make_at_once_is_one(files: Files):
    answers = await asyncio.gather(*(files.put("acme", name=f"n{n}") for n in range(12)))
    assert len({customer.id for customer, _ in answers}) == 1
    assert sum(created for _, created in answers) == 1


GOOD_KEYS = [
    "a",
    "A",
    "é",
    "e\u0301",
    "user@example.com",
    "a b",
    "https://x/y?z=1&ü",
    "x" * 255,
    "'; DROP TABLE x",
    "%",
    "_",
]
BAD_KEYS = ["", "a\0b", "a\nb", "\ud800", "x" * 256, "\x7f", "\u200b", "tab\tbed"]


async def test_keys_are_compared_character_by_character(files: Files):
    made = [await files.put(key) for key in GOOD_KEYS]
    assert all(created for _, created in made)
    for key, (customer, _) in zip(GOOD_KEYS, made, strict=True):
        assert (await files.find(key)) == customer
    assert await files.find("a ") is None
    assert await files.find("ACME") is None


@pytest.mark.parametrize("key", BAD_KEYS)
async def test_a_key_that_cannot_be_one_is_refused_and_found_nowhere(files: Files, key: str):
    refused = await files.try_put(key)
    assert isinstance(refused, InvalidInput)
    assert refused.field == "key"
    assert await files.find(key) is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"email": "a\0b"}, "email"),
        ({"timezone": "Berlin"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"timezone": ""}, "timezone"),
        ({"locale": ""}, "locale"),
        ({"cohort": "\ud800"}, "cohort"),
        ({"metadata": []}, "metadata"),
        ({"metadata": "x"}, "metadata"),
        ({"metadata": {"a": "x" * 20_000}}, "metadata"),
        ({"metadata": {"a": "\0"}}, "metadata"),
        ({"metadata": {"a": "\ud800"}}, "metadata"),
        ({"rate_card_version": 0}, "rateCardVersion"),
        ({"rate_card_version": -1}, "rateCardVersion"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_field_and_changes_nothing(
    files: Files, changes: dict[str, Any], field: str
):
    before, _ = await files.put("acme", name="Acme")
    refused = await files.try_put("acme", **changes)
    assert isinstance(refused, InvalidInput), refused
    assert refused.field == field
    assert await files.find("acme") == before


MARKUP = ["<img src=x onerror=alert(1)>", "</script><script>", "javascript:alert(1)", "{{7*7}}", "=1+1", "\u202eevil"]


@pytest.mark.parametrize("name", MARKUP)
async def test_markup_in_a_name_is_text_and_comes_back_as_it_was(files: Files, name: str):
    """X1: whoever shows it shows text; nothing here rewrites it."""
    if not valid_text(name, 255):
        assert isinstance(await files.try_put("acme", name=name), InvalidInput)
        return
    made, _ = await files.put("acme", name=name, metadata={"note": name})
    assert (made.name, made.metadata) == (name, {"note": name})
    assert (await files.search(name))[0] == ["acme"]


# ─── searching ─────────────────────────────────────────────────────────────────────────────────────
async def test_searching_looks_for_the_text_itself_in_key_name_and_e_mail(files: Files):
    await files.put("acme-1", name="Acme 100%", email="billing@acme.test")
    await files.put("b_b", name="Bee", email=None)
    await files.put("bxb", name="a\\b")
    for search, found in {
        None: ["acme-1", "b_b", "bxb"],
        "": ["acme-1", "b_b", "bxb"],
        "ACME": ["acme-1"],
        "@acme": ["acme-1"],
        "100%": ["acme-1"],
        "%": ["acme-1"],
        "b_b": ["b_b"],
        "_": ["b_b"],
        "\\": ["bxb"],
        "zzz": [],
        "' OR 1=1 --": [],
    }.items():
        assert await files.search(search) == (found, False), search


@pytest.mark.parametrize("search", ["\0", "a\0b", "\ud800"])
async def test_what_no_text_can_contain_is_found_nowhere_and_is_no_error(files: Files, search: str):
    await files.put("acme")
    assert await files.search(search) == ([], False)


async def test_pages_bring_every_customer_once_in_the_order_of_keys(files: Files):
    keys = sorted([f"k{n}" for n in range(25)] + ["K", "é", "z"])
    for key in keys:
        await files.put(key)
    for first in (1, 7, 28, 500):
        found: list[str] = []
        more = True
        while more:
            page, more = await files.search(None, first, found[-1] if found else None)
            found += page
        assert found == keys


async def test_another_workspaces_customers_are_not_there(files: Files, database: Database):
    mine, _ = await files.put("acme", name="Acme", email="a@b.c")
    other = await ensure_workspace(database, f"other-{uuid4()}", test_mode=True, now=NOW)
    theirs = Files(database, other.id)
    assert await theirs.find("acme") is None
    assert await theirs.search("acme") == ([], False)
    async with database.view(other.id) as connection:
        assert await read_customers(connection, [mine.id]) == {}
    their_acme, created = await theirs.put("acme", name="Theirs")
    assert created
    assert their_acme.id != mine.id
    assert await files.find("acme") == mine
