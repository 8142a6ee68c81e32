"""A catalog document, into the tables. What is published is inserted and never touched again."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Table, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from credits import amount
from credits.canonical import canonical_json
from credits.catalog import tables
from credits.catalog.diff import publishes
from credits.catalog.drafts import BundleDraft, CreditTypeDraft, Document, FeatureDraft, Json, RateCardDraft
from credits.catalog.values import Catalog

Ids = dict[str, int]  # by key


async def write(
    connection: AsyncConnection, workspace_id: int, document: Document, current: Catalog, now: datetime
) -> None:
    """Makes the tables say what the document says, which has been checked against `current`."""
    if document.credit_types is not None:
        rows = [_credit_type(draft) for draft in document.credit_types]
        await _section(connection, workspace_id, tables.credit_types, rows)
    if document.features is not None:
        rows = [_feature(draft) for draft in document.features]
        await _section(connection, workspace_id, tables.features, rows)
    credit_types = await _ids(connection, workspace_id, tables.credit_types)
    if document.rate_cards is not None:
        rows = [{"name": draft.cohort, "archived": False} for draft in document.rate_cards]
        await _section(connection, workspace_id, tables.cohorts, rows, key="name")
        features = await _ids(connection, workspace_id, tables.features)
        for draft in document.rate_cards:
            if publishes(current, draft):
                version = len(current.cards(draft.cohort)) + 1
                await _publish(
                    connection,
                    workspace_id,
                    draft,
                    version=version,
                    features=features,
                    credit_types=credit_types,
                    now=now,
                )
    if document.bundles is not None:
        rows = [_bundle(draft, credit_types) for draft in document.bundles]
        await _section(connection, workspace_id, tables.bundles, rows)


async def _section(
    connection: AsyncConnection, workspace_id: int, table: Table, rows: Sequence[Json], *, key: str = "key"
) -> None:
    """The rows of the document in its order; every other row of the section is archived."""
    placed = [{**row, "workspace_id": workspace_id, "position": place} for place, row in enumerate(rows)]
    if placed:
        statement = upsert(table).values(placed)
        changed = {name: statement.excluded[name] for name in placed[0] if name not in ("workspace_id", key)}
        await connection.execute(statement.on_conflict_do_update(index_elements=["workspace_id", key], set_=changed))
    await connection.execute(
        update(table)
        .where(
            table.c.workspace_id == workspace_id,
            table.c[key].not_in([row[key] for row in placed]),
            table.c.archived.is_(False),
        )
        .values(archived=True)
    )


async def _ids(connection: AsyncConnection, workspace_id: int, table: Table) -> Ids:
    rows = await connection.execute(select(table.c.key, table.c.id).where(table.c.workspace_id == workspace_id))
    return {row.key: row.id for row in rows}


# publish_rates -- the rates of one new version, in the order of the document
_PUBLISH_RATES = text("""
INSERT INTO rates (workspace_id, rate_card_id, feature_id, credit_type_id, match, per_unit, rounding, position)
SELECT :workspace_id, :rate_card_id, feature_id, credit_type_id, match::jsonb, per_unit, rounding, position
FROM unnest(CAST(:features AS int[]), CAST(:credit_types AS int[]), CAST(:matches AS text[]),
            CAST(:per_units AS numeric[]), CAST(:roundings AS text[]))
  WITH ORDINALITY AS t (feature_id, credit_type_id, match, per_unit, rounding, position)
""")


async def _publish(
    connection: AsyncConnection,
    workspace_id: int,
    draft: RateCardDraft,
    *,
    version: int,
    features: Ids,
    credit_types: Ids,
    now: datetime,
) -> None:
    card = tables.rate_cards
    made = await connection.execute(
        insert(card)
        .values(
            workspace_id=workspace_id,
            cohort=draft.cohort,
            version=version,
            published_at=now,
            effective_at=draft.effective_at or now,
            follow=draft.follow,
            note=draft.note,
        )
        .returning(card.c.id)
    )
    await connection.execute(
        _PUBLISH_RATES,
        {
            "workspace_id": workspace_id,
            "rate_card_id": made.scalar_one(),
            "features": [features[rate.feature] for rate in draft.rates],
            "credit_types": [credit_types[rate.credit_type] for rate in draft.rates],
            "matches": [canonical_json(rate.match) for rate in draft.rates],
            "per_units": [rate.per_unit for rate in draft.rates],
            "roundings": [rate.rounding for rate in draft.rates],
        },
    )


def _credit_type(draft: CreditTypeDraft) -> Json:
    return {
        "key": draft.key,
        "name": draft.name,
        "unit_singular": draft.unit_singular,
        "unit_plural": draft.unit_plural,
        "scale": draft.scale,
        "burn_order": draft.burn_order,
        "default_expiry": draft.default_expiry,
        "archived": draft.archived,
    }


def _feature(draft: FeatureDraft) -> Json:
    return {
        "key": draft.key,
        "name": draft.name,
        "description": draft.description,
        "event_type": draft.event_type,
        "quantity": draft.quantity,
        "unit": draft.unit,
        "archived": draft.archived,
    }


def _bundle(draft: BundleDraft, credit_types: Ids) -> Json:
    return {
        "key": draft.key,
        "name": draft.name,
        "credit_type_id": credit_types[draft.credit_type],
        "amount": amount.to_micro(draft.amount),
        "bonus": amount.to_micro(draft.bonus),
        "price": draft.price,
        "currency": draft.currency,
        "expires_after": draft.expires_after,
        "priority": draft.priority,
        "archived": draft.archived,
    }
