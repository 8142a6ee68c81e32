"""The catalog, from its tables. One statement, so that what it reads belongs together while others apply documents."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from credits.catalog.cache import ConfigCache
from credits.catalog.values import Bundle, Catalog, Cohort, CreditType, Feature, Rate, RateCard
from credits.db import HotConnection

CatalogCache = ConfigCache[Catalog]

# catalog -- the whole of it; decimals as text, because JSON numbers are read by whoever reads them as they like
_CATALOG = """
SELECT json_build_object(
  'version', w.catalog_version,
  'config_version', w.config_version,
  'credit_types', (SELECT json_agg(t ORDER BY position, id) FROM credit_types t WHERE workspace_id = w.id),
  'features', (SELECT json_agg(f ORDER BY position, id) FROM features f WHERE workspace_id = w.id),
  'cohorts', (SELECT json_agg(c ORDER BY position, name) FROM cohorts c WHERE workspace_id = w.id),
  'rate_cards', (SELECT json_agg(c ORDER BY version) FROM rate_cards c WHERE workspace_id = w.id),
  'rates', (SELECT json_agg(json_build_object('id', id, 'rate_card_id', rate_card_id, 'feature_id', feature_id,
              'credit_type_id', credit_type_id, 'match', match, 'per_unit', per_unit::text, 'rounding', rounding)
              ORDER BY position, id) FROM rates WHERE workspace_id = w.id),
  'bundles', (SELECT json_agg(json_build_object('id', id, 'key', key, 'name', name, 'credit_type_id', credit_type_id,
              'amount', amount, 'bonus', bonus, 'price', price::text, 'currency', currency,
              'expires_after', expires_after, 'priority', priority, 'archived', archived)
              ORDER BY position, id) FROM bundles WHERE workspace_id = w.id)
)::text AS catalog FROM workspaces w WHERE w.id = """


async def load_catalog(connection: AsyncConnection, workspace_id: int) -> Catalog:
    """The workspace's catalog as this database transaction sees it."""
    row = await connection.execute(text(_CATALOG + ":workspace_id"), {"workspace_id": workspace_id})
    return catalog_of(row.scalar_one())


async def load_catalog_hot(connection: HotConnection, workspace_id: int) -> Catalog:
    """The same, on the bare driver, for the batch writer."""
    return catalog_of(await connection.fetchval(_CATALOG + "$1", workspace_id))


def catalog_of(document: str) -> Catalog:
    """What `_CATALOG` answers → values. The one place that knows how the catalog lies in its tables."""
    found: dict[str, Any] = json.loads(document, parse_float=Decimal)
    rates: dict[int, list[Rate]] = {}
    for row in found["rates"] or ():  # json_agg of no rows is null
        rates.setdefault(row["rate_card_id"], []).append(Rate(**{**row, "per_unit": Decimal(row["per_unit"])}))
    cards: dict[str, list[RateCard]] = {}
    for row in found["rate_cards"] or ():
        cards.setdefault(row["cohort"], []).append(_card(row, tuple(rates.get(row["id"], ()))))
    return Catalog(
        version=found["version"],
        config_version=found["config_version"],
        credit_types=tuple(_credit_type(row) for row in found["credit_types"] or ()),
        features=tuple(_feature(row) for row in found["features"] or ()),
        cohorts=tuple(
            Cohort(name=row["name"], archived=row["archived"], cards=tuple(cards.get(row["name"], ())))
            for row in found["cohorts"] or ()
        ),
        bundles=tuple(_bundle(row) for row in found["bundles"] or ()),
    )


def _credit_type(row: dict[str, Any]) -> CreditType:
    names = ("id", "key", "name", "unit_singular", "unit_plural", "scale", "burn_order", "default_expiry", "archived")
    return CreditType(**{name: row[name] for name in names})


def _feature(row: dict[str, Any]) -> Feature:
    names = ("id", "key", "name", "description", "event_type", "quantity", "unit", "archived")
    return Feature(**{name: row[name] for name in names})


def _card(row: dict[str, Any], rates: tuple[Rate, ...]) -> RateCard:
    return RateCard(
        id=row["id"],
        cohort=row["cohort"],
        version=row["version"],
        published_at=datetime.fromisoformat(row["published_at"]),
        effective_at=datetime.fromisoformat(row["effective_at"]),
        follow=row["follow"],
        note=row["note"],
        rates=rates,
    )


def _bundle(row: dict[str, Any]) -> Bundle:
    return Bundle(
        id=row["id"],
        key=row["key"],
        name=row["name"],
        credit_type_id=row["credit_type_id"],
        amount_micro=row["amount"],
        bonus_micro=row["bonus"],
        price=Decimal(row["price"]),
        currency=row["currency"],
        expires_after=row["expires_after"],
        priority=row["priority"],
        archived=row["archived"],
    )
