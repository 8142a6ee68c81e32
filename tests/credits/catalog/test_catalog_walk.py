"""Hundreds of documents in a row on one workspace: what always holds, whatever was applied before."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from credits.catalog.apply import CatalogApplied, apply, export
from credits.catalog.load import load_catalog
from credits.catalog.values import Catalog
from credits.db import Database
from credits.workspaces import WorkspaceName

START = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = ["a", "b", "c"]


def some_document(random: Random) -> dict[str, Any]:
    """A valid document or one that refers to what is not there; about half of the sections given."""
    document: dict[str, Any] = {}
    if random.random() < 0.5:
        kinds = random.sample(KEYS, random.randint(1, 3))
        document["creditTypes"] = [{"key": key, "name": random.choice("xy"), "scale": 3} for key in kinds]
    if random.random() < 0.5:
        features = random.sample(KEYS, random.randint(1, 3))
        document["features"] = [{"key": key, "eventType": random.choice(["x", "y"])} for key in features]
    if random.random() < 0.6:
        document["rateCards"] = [some_card(random, cohort) for cohort in random.sample(KEYS, random.randint(0, 2))]
    if random.random() < 0.4:
        price = {"amount": "5", "currency": "USD"}
        document["bundles"] = [
            {"key": key, "creditType": random.choice(KEYS), "credits": random.choice(["1", "2.5"]), "price": price}
            for key in random.sample(KEYS, random.randint(0, 3))
        ]
    return document


def some_card(random: Random, cohort: str) -> dict[str, Any]:
    matches = random.sample([{}, {"model": "large"}, {"model": "small"}, {"model": 1}], random.randint(0, 4))
    feature = random.choice(KEYS)
    card: dict[str, Any] = {
        "cohort": cohort,
        "rates": [
            {
                "feature": feature,
                "creditType": random.choice(KEYS),
                "perUnit": random.choice(["1", "0.5"]),
                "match": match,
            }
            for match in matches
        ],
    }
    if random.random() < 0.3:
        card["effectiveAt"] = f"2026-0{random.randint(1, 9)}-01T00:00:00Z"
    if random.random() < 0.2:
        card["existing"] = "follow"
    return card


def published(catalog: Catalog) -> dict[tuple[str, int], Any]:
    return {(cohort.name, card.version): card for cohort in catalog.cohorts for card in cohort.cards}


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_was_applied_twice_is_once_and_what_is_exported_is_so(
    database: Database, workspace: WorkspaceName, seed: int
) -> None:
    random = Random(seed)
    before: Catalog | None = None
    applied_count = 0
    for step in range(60):
        now = START + timedelta(hours=step)
        document = some_document(random)
        async with database.transaction(workspace.id) as connection:
            applied = await apply(connection, workspace.id, document, now)
            after = await load_catalog(connection, workspace.id)
            again = await apply(connection, workspace.id, document, now + timedelta(minutes=1))
            round_trip = await apply(connection, workspace.id, export(after), now + timedelta(minutes=2))
            assert isinstance(round_trip, CatalogApplied), round_trip
            assert round_trip.changes == [], "what is exported is so"
        if isinstance(applied, CatalogApplied):
            applied_count += 1
            assert isinstance(again, CatalogApplied)
            assert again.changes == [], "twice is once"
            assert applied.catalog == after
        else:
            assert before is None or after == before, "a refusal changes nothing"
            assert again == applied
        if before is not None:
            assert published(before).items() <= published(after).items(), "what was published stays as it was"
            assert after.version - before.version == (isinstance(applied, CatalogApplied) and bool(applied.changes))
        for cohort in after.cohorts:
            assert [card.version for card in cohort.cards] == list(range(1, len(cohort.cards) + 1))
        before = after
    assert applied_count > 20, "the walk went somewhere"
