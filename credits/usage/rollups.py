"""Usage roll-ups: what lies behind an account's watermark, summed per quarter of an hour.

Made in the background, so that no burn pays for them; and never trusted beyond the watermark, so that usage read from
roll-ups and the entries that follow is exact whether or not they are up to date.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from credits.db import Database, Fetches, HotConnection
from credits.usage import statements

BEHIND = 500  # entries: fewer are read as fast as their roll-ups would be
_ENTRIES_MAX = 20_000  # that one database transaction rolls up: half a second
_ACCOUNTS_MAX = 100  # that one look finds


@dataclass(frozen=True, slots=True)
class RollupDifference:
    """A roll-up that its entries do not bear out: micro-credits; None: there is none."""

    starts_at: datetime
    recorded_from: datetime
    feature_id: int
    member: str
    source: str
    wanted_micro: int | None
    found_micro: int | None


async def roll_up(database: Database, workspace_id: int, *, behind: int = BEHIND) -> int:
    """Rolls up the accounts of the workspace that are at least so many entries behind; how many entries it took."""
    taken = 0
    while True:
        async with database.transaction(workspace_id) as connection:
            asked = {"workspace": workspace_id, "behind": behind, "first": _ACCOUNTS_MAX}
            accounts = list(await connection.execute(text(statements.FIND_BEHIND), asked))
        progress = 0
        for customer_id, credit_type_id in accounts:
            while step := await _roll_up_next(database, workspace_id, customer_id, credit_type_id):
                progress += step
        taken += progress
        if not progress or len(accounts) < _ACCOUNTS_MAX:
            return taken


async def _roll_up_next(database: Database, workspace_id: int, customer_id: int, credit_type_id: int) -> int:
    """The account's next entries; how many. 0: it is up to date, or another process has it."""
    place = (customer_id, credit_type_id)
    async with database.hot(workspace_id) as connection:
        await connection.execute(statements.MAKE_WATERMARK, *place, workspace_id)
        mark = await connection.fetchval(statements.CLAIM_ACCOUNT, *place)
        if mark is None:
            return 0
        return await _take(connection, workspace_id, place, mark)


async def _take(connection: HotConnection, workspace_id: int, place: tuple[int, int], mark: int) -> int:
    last = await connection.fetchval(statements.LAST_SEQUENCE, *place) or 0
    end = min(last, mark + _ENTRIES_MAX)
    if end <= mark:
        return 0
    await connection.execute(statements.ROLL_UP, *place, workspace_id, mark, end)
    await connection.execute(statements.SET_WATERMARK, *place, end)
    return int(end - mark)


async def compare_rollups(
    connection: Fetches, workspace_id: int, customer_id: int, credit_type_id: int
) -> list[RollupDifference]:
    """The account's roll-ups computed from its entries anew, and where what is stored differs. Under one view."""
    rows = await connection.fetch(statements.COMPARE_ROLLUPS, customer_id, credit_type_id, workspace_id)
    return [RollupDifference(*row) for row in rows]


async def rebuild_rollups(database: Database, workspace_id: int, customer_id: int, credit_type_id: int) -> None:
    """Makes the account's roll-ups from its entries anew. Until it is done, usage is read from the entries."""
    place = (customer_id, credit_type_id)
    async with database.hot(workspace_id) as connection:
        if await connection.fetchval(statements.CLAIM_ACCOUNT, *place) is not None:
            await connection.execute(statements.FORGET_ROLLUPS, *place)
            await connection.execute(statements.SET_WATERMARK, *place, 0)
    while await _roll_up_next(database, workspace_id, customer_id, credit_type_id):
        pass
