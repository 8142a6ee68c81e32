"""Telling: a message is written in the database transaction of its fact, so that neither is ever there alone.

Sending is the server's, afterwards. What nobody in the workspace wants to be told is not written.
"""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from credits.db import HotConnection, Runs
from credits.webhooks import statements
from credits.webhooks.messages import Message, Wanted, packed

_ORDINARY = [text(prepared.sql.replace("$1", ":told")) for prepared in statements.TELL]


async def tell(connection: AsyncConnection, messages: Sequence[Message]) -> None:
    """Writes what is to be told of, in the database transaction at hand: that of the facts. Call it last, after the
    locks that decide. Raises what the driver raises."""
    if messages:
        told = packed(messages)
        for statement in _ORDINARY:
            await connection.execute(statement, {"told": told})


async def tell_hot(connection: HotConnection, messages: Sequence[Message]) -> None:
    """The same for the batch writer's transaction, sent with its COMMIT."""
    if messages:
        told = packed(messages)
        for statement in statements.TELL:
            await connection.send(statement, told)


async def tell_along(runs: Runs, messages: Sequence[Message]) -> None:
    """The same by either door, at once."""
    if messages:
        told = packed(messages)
        for statement in statements.TELL:
            await runs.execute(statement.sql, told)


async def read_wanted(connection: HotConnection) -> Wanted:
    """The types that somebody in the workspace at hand wants to be told of."""
    return Wanted.by([row["events"] for row in await connection.fetch(statements.WANTED)])


async def read_low_thresholds(connection: HotConnection, customer_ids: Sequence[int]) -> dict[tuple[int, int], int]:
    """Below what a balance is low, in micro-credits by (customer, credit type), where a rule says so."""
    rows = await connection.fetch(statements.LOW_THRESHOLDS, customer_ids)
    return {(row["customer_id"], row["credit_type_id"]): row["threshold"] for row in rows}
