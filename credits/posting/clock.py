"""The sweep: books what fell due. And the clock of test workspaces, which makes it fall due.

A late sweep changes nothing that anyone can see: every read and every write advances the accounts it touches by
itself, and what the clock books is recorded at its due instant. The sweep is for those who watch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from credits import bounds, ids
from credits.amount import plain_micro
from credits.audit.log import record
from credits.errors import InvalidInput, NotAllowed
from credits.ledger.entries import Entry
from credits.ledger.tables import accounts
from credits.posting.commands import Advance
from credits.posting.outcomes import Advanced
from credits.posting.reader import Reader
from credits.posting.writer import Writer
from credits.workspaces import workspaces

_REACH = timedelta(days=365 * 100)  # a test that needs more has a mistake in its year
_REACH_IN_ALL = 10 * _REACH  # the calendar ends with the year 9999, and expiries lie ahead of the clock


@dataclass(frozen=True, slots=True)
class ClockMoved:
    """The workspace's clock now, and what happened on the way, in order."""

    now: datetime
    happened: list[str]


async def due_customers(connection: AsyncConnection, workspace_id: int, now: datetime, first: int) -> list[int]:
    """Customers of the workspace with something due at `now`, the longest due first."""
    rows = await connection.execute(
        select(accounts.c.customer_id)
        .where(accounts.c.workspace_id == workspace_id, accounts.c.due_at <= now)  # the index leads with it
        .order_by(accounts.c.due_at)
        .limit(first)
    )
    return list(dict.fromkeys(row.customer_id for row in rows))


async def sweep(
    reader: Reader, writer: Writer, workspace_id: int, *, tell: Callable[[list[Entry]], None] = lambda _: None
) -> None:
    """Books everything due in the workspace now; `tell` is given each customer's entries as they are booked.

    One round of customers after another, so that a workspace where much falls due does not stop the others' burns;
    and nothing is kept, because at the end of a month every customer's grants may end at one instant.
    """
    while True:
        async with reader.page(workspace_id) as page:
            due = await due_customers(page.connection, workspace_id, page.workspace.now, bounds.SWEEP_ACCOUNTS_MAX)
        if not due:
            return
        for answer in await writer.post_many(workspace_id, [Advance(customer_id) for customer_id in due]):
            if isinstance(answer, Advanced):
                tell(answer.entries)


async def advance_clock(
    reader: Reader, writer: Writer, workspace_id: int, to: datetime, *, actor_id: int | None = None
) -> ClockMoved | InvalidInput | NotAllowed:
    """Moves a test workspace's clock forward to `to`; what falls due on the way is booked at its due instant."""
    async with reader.changing(workspace_id) as page:
        workspace = page.workspace
        if not workspace.test_mode:
            return NotAllowed("only the clock of a test workspace can be moved")
        # Under the row's lock: two who move the clock at once move it one after the other, and never back.
        offset_us = await page.connection.scalar(select(workspaces.c.clock_offset_us).with_for_update())
        real = workspace.now - workspace.clock_offset
        wanted = (to - real) // timedelta(microseconds=1)
        if wanted < (offset_us or 0) or to < workspace.now:
            return InvalidInput("lies in the past of this workspace's clock", field="to")
        if to - workspace.now > _REACH:
            return InvalidInput("lies more than a hundred years ahead", field="to")
        if to - real > _REACH_IN_ALL:
            return InvalidInput("lies more than a thousand years ahead of real time", field="to")
        await page.connection.execute(update(workspaces).values(clock_offset_us=wanted))
        await record(
            page.connection, actor_id, "clock.advanced", "clock", before={"now": workspace.now}, after={"now": to}
        )
    booked: list[Entry] = []
    await sweep(reader, writer, workspace_id, tell=booked.extend)
    booked.sort(key=lambda entry: (entry.occurred_at, entry.customer_id, entry.sequence))
    async with reader.page(workspace_id) as page:
        return ClockMoved(page.workspace.now, [_say(entry) for entry in booked])


def _say(entry: Entry) -> str:
    """`2026-02-01T00:00:00+00:00 EXPIRE 5 of cus_…`"""
    amount = plain_micro(abs(entry.amount or entry.held_amount))
    at = entry.occurred_at.isoformat(timespec="microseconds")
    return f"{at} {entry.kind.name} {amount} of {ids.make('cus', entry.customer_id)}"
