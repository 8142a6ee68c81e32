"""The last reconciliation of each workspace, kept for every process to tell of; and whose turn the next one is."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import orjson

from credits.amount import plain
from credits.db import Driver
from credits.proof.reconcile import Mismatch, Reconciled

# claim -- one process of many reconciles a workspace, and the next not before `every` has passed since that began
_CLAIM = """
INSERT INTO reconciliations AS r (workspace_id, begun_at) VALUES (scrip_workspace(), clock_timestamp())
ON CONFLICT (workspace_id) DO UPDATE SET begun_at = excluded.begun_at
 WHERE r.begun_at <= excluded.begun_at - $1::interval
RETURNING r.begun_at
"""

# keep_report, last_report -- `at` is real time, whatever the workspace's clock says
_KEEP = """
INSERT INTO reconciliations (workspace_id, begun_at, at, found)
VALUES (scrip_workspace(), clock_timestamp(), clock_timestamp(), $1::text::jsonb)
ON CONFLICT (workspace_id) DO UPDATE SET at = excluded.at, found = excluded.found
RETURNING at
"""
_LAST = "SELECT at, found::text FROM reconciliations WHERE workspace_id = scrip_workspace() AND at IS NOT NULL"

# book_size -- how many entries there are to reconcile
_BOOK_SIZE = "SELECT coalesce(sum(sequence), 0)::bigint FROM accounts"


@dataclass(frozen=True, slots=True)
class Report:
    """What a reconciliation found, and when it ended."""

    at: datetime
    found: Reconciled


async def claim(connection: Driver, every: timedelta) -> bool:
    """Whether it is the caller's turn to reconcile the workspace at hand."""
    return await connection.fetchval(_CLAIM, every) is not None


async def keep(connection: Driver, found: Reconciled) -> Report:
    """Keeps what was found, in the place of the last one."""
    return Report(await connection.fetchval(_KEEP, _to_json(found)), found)


async def read_last(connection: Driver) -> Report | None:
    """The last one of the workspace at hand that was finished."""
    row = await connection.fetchrow(_LAST)
    return None if row is None else Report(row["at"], _from_json(row["found"]))


async def book_size(connection: Driver) -> int:
    """How many entries the workspace at hand has."""
    return int(await connection.fetchval(_BOOK_SIZE))


def _to_json(found: Reconciled) -> str:
    return orjson.dumps(found, default=plain).decode()


def _from_json(text: str) -> Reconciled:
    value = orjson.loads(text)
    mismatches = [
        Mismatch(**{**each, "expected": Decimal(each["expected"]), "actual": Decimal(each["actual"])})
        for each in value["mismatches"]
    ]
    return Reconciled(**{**value, "drift": Decimal(value["drift"]), "mismatches": mismatches})
