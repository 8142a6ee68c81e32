"""Applying a catalog document: all of it or nothing, one after another, twice as good as once."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from credits.audit.log import record
from credits.catalog.check import check
from credits.catalog.diff import Change, diff
from credits.catalog.document import parse
from credits.catalog.drafts import Json, document_of
from credits.catalog.load import load_catalog
from credits.catalog.values import Catalog
from credits.catalog.write import write
from credits.errors import InvalidInput
from credits.workspaces import bump_config


@dataclass(frozen=True, slots=True)
class CatalogApplied:
    """The catalog as it is now, and what changed; after a dry run as it was, and what would change."""

    catalog: Catalog
    changes: list[Change]


async def apply(
    connection: AsyncConnection,
    workspace_id: int,
    document: object,
    now: datetime,
    *,
    dry_run: bool = False,
    actor_id: int | None = None,
) -> CatalogApplied | InvalidInput:
    """Makes the workspace's catalog what `document` says, in the database transaction at hand.

    Two calls at once wait for each other, so that each compares with what the other left. Where there is nothing to
    change, nothing is written and no version grows.
    """
    parsed = parse(document)
    if isinstance(parsed, InvalidInput):
        return parsed
    # Its row lock makes applications wait for each other; taken back when nothing changes, so that no cache is emptied.
    savepoint = await connection.begin_nested()
    await bump_config(connection, catalog=True)
    current = await load_catalog(connection, workspace_id)
    problem = check(parsed, current)
    changes = [] if problem else diff(current, parsed, now)
    if problem or dry_run or not changes:
        await savepoint.rollback()
        return problem or CatalogApplied(await load_catalog(connection, workspace_id), changes)
    await write(connection, workspace_id, parsed, current, now)
    await savepoint.commit()
    await record(
        connection,
        actor_id,
        "catalog.applied",
        "catalog",
        before={change.path: change.before for change in changes},
        after={change.path: change.after for change in changes},
    )
    return CatalogApplied(await load_catalog(connection, workspace_id), changes)


def export(catalog: Catalog) -> Json:
    """The document that says what the catalog offers; applying it changes nothing."""
    return document_of(catalog).to_json()
