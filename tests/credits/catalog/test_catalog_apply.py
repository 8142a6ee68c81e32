"""Applying documents to a real database: what changes, what stays, what is published, and two at once."""

import asyncio
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from credits.catalog.apply import CatalogApplied, apply, export
from credits.catalog.diff import Change
from credits.catalog.load import load_catalog, load_catalog_hot
from credits.catalog.values import Catalog
from credits.db import Database
from credits.errors import InvalidInput
from credits.workspaces import WorkspaceName

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)

BASE: dict[str, Any] = {
    "creditTypes": [{"key": "ai", "name": "AI credits", "scale": 3}],
    "features": [
        {"key": "calls", "name": "Calls", "eventType": "call"},
        {"key": "tokens", "name": "Tokens", "eventType": "call", "quantity": "tokens", "unit": "token"},
    ],
    "rateCards": [
        {
            "cohort": "default",
            "rates": [
                {"feature": "calls", "creditType": "ai", "perUnit": "1"},
                {"feature": "tokens", "creditType": "ai", "perUnit": "0.001", "match": {"size": Decimal("0.5")}},
                {"feature": "tokens", "creditType": "ai", "perUnit": "0.000000000001", "rounding": "UP"},
            ],
        }
    ],
    "bundles": [
        {"key": "small", "creditType": "ai", "credits": "10.5", "price": {"amount": "5", "currency": "USD"}},
        {"key": "large", "creditType": "ai", "credits": "100", "price": {"amount": "40", "currency": "USD"}},
    ],
}


class Shop:
    """One workspace's catalog, as the tests talk to it."""

    def __init__(self, database: Database, workspace_id: int) -> None:
        self.database = database
        self.workspace_id = workspace_id

    async def apply(self, document: Any, now: datetime = NOW, *, dry_run: bool = False) -> CatalogApplied:
        applied = await self.try_apply(document, now, dry_run=dry_run)
        assert isinstance(applied, CatalogApplied), applied
        return applied

    async def try_apply(
        self, document: Any, now: datetime = NOW, *, dry_run: bool = False
    ) -> CatalogApplied | InvalidInput:
        async with self.database.transaction(self.workspace_id) as connection:
            return await apply(connection, self.workspace_id, document, now, dry_run=dry_run)

    async def catalog(self) -> Catalog:
        async with self.database.transaction(self.workspace_id) as connection:
            return await load_catalog(connection, self.workspace_id)


@pytest.fixture
def shop(database: Database, workspace: WorkspaceName) -> Shop:
    return Shop(database, workspace.id)


def said(changes: list[Change]) -> list[tuple[str, str]]:
    return [(change.action, change.path) for change in changes]


async def test_a_first_document_makes_everything_and_both_doors_read_it_alike(shop: Shop) -> None:
    applied = await shop.apply(BASE)
    assert said(applied.changes) == [
        ("create", "creditTypes[ai]"),
        ("create", "features[calls]"),
        ("create", "features[tokens]"),
        ("publish", "rateCards[default]"),
        ("create", "bundles[small]"),
        ("create", "bundles[large]"),
    ]
    catalog = applied.catalog
    assert catalog.version == 1
    card = catalog.cards("default")[0]
    assert (card.version, card.published_at, card.effective_at, card.follow) == (1, NOW, NOW, False)
    assert [rate.per_unit for rate in card.rates] == [Decimal(1), Decimal("0.001"), Decimal("0.000000000001")]
    assert card.rates[1].match == {"size": Decimal("0.5")}
    bundle = catalog.bundle_by_key("small")
    assert bundle is not None
    assert (bundle.amount_micro, bundle.bonus_micro, bundle.price) == (10_500_000, 0, Decimal(5))
    assert catalog == await shop.catalog()
    async with shop.database.hot(shop.workspace_id) as connection:
        assert await load_catalog_hot(connection, shop.workspace_id) == catalog


async def test_applying_twice_changes_once_and_empties_no_cache(shop: Shop) -> None:
    first = await shop.apply(BASE)
    again = await shop.apply(BASE, NOW + DAY)
    assert again.changes == []
    assert again.catalog == first.catalog
    assert again.catalog.config_version == first.catalog.config_version


async def test_a_dry_run_tells_the_changes_and_makes_none(shop: Shop) -> None:
    dry = await shop.apply(BASE, dry_run=True)
    assert dry.catalog.credit_types == ()
    assert dry.catalog.version == 0
    assert (await shop.catalog()).version == 0
    assert dry.changes == (await shop.apply(BASE)).changes


async def test_what_was_exported_changes_nothing_here_and_offers_the_same_elsewhere(
    shop: Shop, database: Database
) -> None:
    await shop.apply(BASE)
    await shop.apply({"features": [BASE["features"][0]]})  # archives tokens, which the rate card still prices
    await shop.apply({"bundles": [BASE["bundles"][1]]})
    exported = export(await shop.catalog())
    assert [feature.get("archived") for feature in exported["features"]] == [None, True]
    assert (await shop.apply(exported)).changes == []
    async with database.engine.begin() as connection:
        made = await connection.execute(
            text("SELECT create_workspace(:name, true, :now)"), {"name": f"copy of {shop.workspace_id}", "now": NOW}
        )
    copy = Shop(database, made.scalar_one())
    await copy.apply(exported)
    assert export(await copy.catalog()) == exported


async def test_an_absent_section_stays_and_what_is_absent_in_a_given_one_is_archived(shop: Shop) -> None:
    await shop.apply(BASE)
    applied = await shop.apply({"bundles": [BASE["bundles"][0]]})
    assert said(applied.changes) == [("archive", "bundles[large]")]
    assert [bundle.key for bundle in applied.catalog.on_sale()] == ["small"]
    assert applied.catalog.bundle_by_key("large") is not None, "archived, not gone"
    assert said((await shop.apply({"bundles": BASE["bundles"]})).changes) == [("restore", "bundles[large]")]
    assert said((await shop.apply({})).changes) == []


async def test_a_bundle_of_an_archived_credit_type_is_not_on_sale(shop: Shop) -> None:
    await shop.apply(BASE)
    applied = await shop.apply({"creditTypes": [{"key": "other"}]})
    assert said(applied.changes) == [("create", "creditTypes[other]"), ("archive", "creditTypes[ai]")]
    assert list(applied.catalog.on_sale()) == []


async def test_an_update_shows_the_fields_that_differ(shop: Shop) -> None:
    await shop.apply(BASE)
    changed = await shop.apply({"creditTypes": [{"key": "ai", "name": "Sparks", "scale": 4}]})
    assert changed.changes == [
        Change("update", "creditTypes[ai]", {"name": "AI credits", "scale": 3}, {"name": "Sparks", "scale": 4})
    ]


async def test_only_the_order_of_the_document_changes_the_order_of_lists(shop: Shop) -> None:
    await shop.apply(BASE)
    turned = {"bundles": list(reversed(BASE["bundles"]))}
    applied = await shop.apply(turned)
    assert applied.changes == [Change("reorder", "bundles", ["small", "large"], ["large", "small"])]
    assert [bundle.key for bundle in applied.catalog.bundles] == ["large", "small"]
    assert (await shop.apply(turned)).changes == []


def repriced(**fields: Any) -> dict[str, Any]:
    """The rate card alone, with some of its fields changed."""
    return {"rateCards": [{**deepcopy(BASE["rateCards"][0]), **fields}]}


RATES: list[dict[str, Any]] = BASE["rateCards"][0]["rates"]


@pytest.mark.parametrize(
    ("fields", "publishes"),
    [
        ({}, False),
        ({"note": "the same prices, with a word about them"}, False),
        ({"existing": "keep"}, False),
        ({"effectiveAt": "2026-01-10T13:00:00+01:00"}, False),  # the instant it has, written otherwise
        ({"rates": list(reversed(RATES))}, False),  # the order of rates says nothing
        ({"rates": [{**RATES[0], "perUnit": "1.000"}, *RATES[1:]]}, False),
        ({"rates": [{**RATES[0], "perUnit": "1.001"}, *RATES[1:]]}, True),
        ({"rates": [{**RATES[0], "rounding": "UP"}, *RATES[1:]]}, True),
        ({"rates": [{**RATES[0], "match": {"size": "0.5"}}, *RATES[1:]]}, True),
        ({"rates": RATES[:1]}, True),
        ({"effectiveAt": "2026-02-01T00:00:00Z"}, True),
        ({"existing": "follow"}, True),
    ],
)
async def test_a_new_version_is_published_when_prices_or_their_instant_differ(
    shop: Shop, fields: dict[str, Any], publishes: bool
) -> None:
    await shop.apply(BASE)
    applied = await shop.apply(repriced(**fields), NOW + DAY)
    assert said(applied.changes) == ([("publish", "rateCards[default]")] if publishes else [])
    versions = [card.version for card in applied.catalog.cards("default")]
    assert versions == ([1, 2] if publishes else [1])
    if publishes:
        change = applied.changes[0]
        assert (change.before["version"], change.after["version"]) == (1, 2)
        assert applied.catalog.cards("default")[1].published_at == NOW + DAY
        assert (await shop.apply(repriced(**fields), NOW + 2 * DAY)).changes == []


async def test_a_cohort_that_is_left_out_is_archived_and_comes_back_as_it_was(shop: Shop) -> None:
    await shop.apply(BASE)
    rates = [{"feature": "calls", "creditType": "ai", "perUnit": "0.5"}]
    early = {"rateCards": [BASE["rateCards"][0], {"cohort": "early", "rates": rates}]}
    assert said((await shop.apply(early)).changes) == [("publish", "rateCards[early]")]
    without = await shop.apply({"rateCards": BASE["rateCards"]})
    assert said(without.changes) == [("archive", "rateCards[early]")]
    cohort = without.catalog.cohort("early")
    assert cohort is not None
    assert cohort.archived
    assert len(cohort.cards) == 1
    back = await shop.apply(early)
    assert said(back.changes) == [("restore", "rateCards[early]")]
    assert len(back.catalog.cards("early")) == 1


@pytest.mark.parametrize(
    ("document", "field", "said_about_it"),
    [
        ({"creditTypes": [{"key": "ai", "scale": 2}]}, "creditTypes[0].scale", "from 3 down to 2"),
        (
            {"rateCards": [{"cohort": "x", "rates": [{"feature": "nope", "creditType": "ai", "perUnit": "1"}]}]},
            "rateCards[0].rates[0].feature",
            "no feature 'nope'",
        ),
        (
            {"rateCards": [{"cohort": "x", "rates": [{"feature": "calls", "creditType": "no", "perUnit": "1"}]}]},
            "rateCards[0].rates[0].creditType",
            "no credit type 'no'",
        ),
        (
            {"bundles": [{**BASE["bundles"][0], "credits": "1.0001"}]},
            "bundles[0].credits",
            "more than the 3 decimals of credit type 'ai'",
        ),
        ({"bundles": [{**BASE["bundles"][0], "bonus": "0.0001"}]}, "bundles[0].bonus", "3 decimals"),
    ],
)
async def test_what_contradicts_the_workspace_is_refused_and_changes_nothing(
    shop: Shop, document: dict[str, Any], field: str, said_about_it: str
) -> None:
    before = (await shop.apply(BASE)).catalog
    refused = await shop.try_apply({"features": [], **document})
    assert isinstance(refused, InvalidInput)
    assert refused.field == field
    assert said_about_it in refused.message
    assert await shop.catalog() == before


async def test_two_applies_at_once_publish_one_after_the_other(shop: Shop) -> None:
    await shop.apply(BASE)
    documents = [repriced(rates=[{**RATES[0], "perUnit": str(price)}]) for price in range(10, 18)]
    applied = await asyncio.gather(*[shop.apply(document) for document in documents])
    catalog = await shop.catalog()
    assert [card.version for card in catalog.cards("default")] == list(range(1, 10))
    assert sorted(result.catalog.version for result in applied) == list(range(2, 10))
    published = {int(card.rates[0].per_unit) for card in catalog.cards("default")[1:]}
    assert published == set(range(10, 18)), "each document made its own version"


async def test_the_same_document_at_once_publishes_once(shop: Shop) -> None:
    applied = await asyncio.gather(*[shop.apply(BASE) for _ in range(8)])
    assert sum(bool(result.changes) for result in applied) == 1
    catalog = await shop.catalog()
    assert [card.version for card in catalog.cards("default")] == [1]
    assert catalog.version == 1


async def test_one_workspace_knows_nothing_of_the_other(shop: Shop, database: Database) -> None:
    await shop.apply(BASE)
    async with database.engine.begin() as connection:
        made = await connection.execute(
            text("SELECT create_workspace(:name, true, :now)"), {"name": f"beside {shop.workspace_id}", "now": NOW}
        )
    beside = Shop(database, made.scalar_one())
    assert (await beside.catalog()).credit_types == ()
    refused = await beside.try_apply({"bundles": BASE["bundles"]})
    assert isinstance(refused, InvalidInput)
    assert "no credit type 'ai'" in refused.message


@pytest.mark.parametrize("table", ["rates", "rate_cards"])
async def test_the_database_refuses_to_change_what_was_published(shop: Shop, owner_url: str, table: str) -> None:
    await shop.apply(BASE)
    for statement in (f"UPDATE {table} SET workspace_id = workspace_id", f"DELETE FROM {table}"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with shop.database.transaction(shop.workspace_id) as connection:
                await connection.execute(text(statement))
        owner = await asyncpg.connect(owner_url)
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
            await owner.execute(statement)
        await owner.close()


async def test_a_large_card_is_published_and_read_back_in_its_order(shop: Shop) -> None:
    rates = [
        {"feature": "tokens", "creditType": "ai", "perUnit": f"0.{n:06d}", "match": {"model": f"m{n}"}}
        for n in range(1, 2001)
    ]
    await shop.apply(BASE)
    applied = await shop.apply(repriced(rates=rates))
    card = applied.catalog.cards("default")[-1]
    assert [rate.match["model"] for rate in card.rates] == [f"m{n}" for n in range(1, 2001)]
    assert (await shop.apply(repriced(rates=rates))).changes == []
