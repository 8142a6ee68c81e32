"""Killed while it tells what entries did to money: each entry is told once, and reports were right all the time."""

from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from tests.harness.client import Client
from tests.harness.pause import paused
from tests.harness.server import Server
from tests.harness.world import build_world, give
from tests.scenarios.test_kills_of_jobs import check_book, hurried, owner, until
from tests.scenarios.test_revenue_over_http import REVENUE

__all__ = ["hurried", "owner"]

BURNS = 40
EVER = {"from": "2020-01-01", "to": "2100-01-01"}


async def recognized(server: Server, secret: str) -> Any:
    async with Client(server.url, secret) as client:
        rows = (await client.ask(REVENUE, **EVER))["revenue"]["rows"]
    return sum(Decimal(row["recognized"]) for row in rows)


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("when", "table"),
    [("BEFORE INSERT", "revenue_lines"), ("BEFORE UPDATE", "revenue_watermarks")],
    ids=["before the first line", "between what is told and the watermark"],
)
async def test_a_kill_while_revenue_is_told_tells_nothing_twice(
    hurried: Server, database_url: str, owner: asyncpg.Connection, when: str, table: str
):
    secret = await hurried.create_key("sold", "ADMIN")
    async with Client(hurried.url, secret) as client:
        await build_world(client, ["acme"])
    for number in (1, 2):  # into empty tables, then onto what is there
        async with paused(database_url, when, table) as pause:
            async with Client(hurried.url, secret) as client:
                await give(client, "acme", "100", f"g{number}", costBasis={"amount": "0.5", "currency": "USD"})
                for burn in range(BURNS):
                    fields = {"creditType": "ai", "amount": "2", "idempotencyKey": f"b{number}-{burn}"}
                    await client.must("burn", customer="acme", **fields)
            await pause.until_met()
            assert await recognized(hurried, secret) == number * BURNS, "whoever asks does not wait for it"
            await hurried.kill()
        await hurried.start()
        assert await recognized(hurried, secret) == number * BURNS

        async def all_told() -> bool:
            behind = "SELECT bool_and(w.sequence = a.sequence) FROM accounts a LEFT JOIN revenue_watermarks w USING (customer_id)"
            return bool(await owner.fetchval(behind))

        await until(all_told, "told up to the last entry")
        assert await owner.fetchval("SELECT sum(earned) FROM revenue_days") == number * BURNS * 100
        assert await owner.fetchval("SELECT sum(earned) FROM revenue_lines") == number * BURNS * 100
    await check_book(hurried)
