"""The server killed around the moment at which a rule fires, again and again: every attempt is charged once at most, and
the rule goes on."""

import asyncio
import os
import random
from collections import Counter
from pathlib import Path

import asyncpg
import pytest

from tests.harness.client import Client
from tests.harness.databases import fresh_database
from tests.harness.server import Server
from tests.harness.wire import Lost
from tests.harness.world import build_world
from tests.scenarios.recharging import BUNDLES, Ruled, ended

KILLS = int(os.environ.get("SCRIP_RECHARGE_KILLS", "12"))
SEED = int(os.environ.get("SCRIP_SEED", "20260303"))


# How far it had come when it was killed.
_COME_TO = """
SELECT CASE WHEN NOT EXISTS (SELECT FROM entries WHERE kind = 2 AND key = $1) THEN 'nothing'
            WHEN NOT EXISTS (SELECT FROM top_ups WHERE number = $2) THEN 'burned'
            WHEN NOT EXISTS (SELECT FROM sandbox_payments WHERE number = $2) THEN 'intended'
            ELSE (SELECT CASE status WHEN 'PENDING' THEN 'charged' ELSE 'booked' END FROM top_ups WHERE number = $2) END
"""


async def burn_and_kill(ruled: Ruled, server: Server, number: int, after_s: float) -> str:
    """The burn that fires the rule, and the end of the server that many seconds after it was asked for; how far it was."""

    async def burn() -> None:
        reply = await ruled.client.put(
            "burn",
            customer=ruled.key,
            creditType="ai",
            amount="1000",
            idempotencyKey=f"{ruled.key}-{number}",
        )
        assert reply.outcome in ("ok", "unknown"), reply

    asked = asyncio.create_task(burn())
    await asyncio.sleep(after_s)
    await server.kill()
    await asked
    owner = await asyncpg.connect(server.settings["DATABASE_URL"])
    come_to = str(await owner.fetchval(_COME_TO, f"{ruled.key}-{number}", number))
    await owner.close()
    await server.start()
    ruled.client.wire.drop()
    await ruled.burn("1000", str(number))  # the same key: once, whatever the kill made of it
    return come_to


@pytest.mark.timeout(400)
async def test_a_server_that_is_killed_around_the_moment_of_firing_charges_once_at_most(template: str, scratch: Path):
    draws = random.Random(SEED)
    async with fresh_database(template) as url:
        server = Server(scratch / "data", database_url=url, payments_every="PT1S")
        await server.start()
        try:
            async with Client(server.url, await server.create_key("killed", "ADMIN")) as client:
                await build_world(client, [])
                await client.must("applyCatalog", document={"bundles": BUNDLES})
                ruled = Ruled(client, "killed")
                await ruled.begin()
                await ruled.set(monthlyCap={"amount": "100000.00", "currency": "USD"})
                come_to: Counter[str] = Counter()
                for number in range(1, KILLS + 1):
                    come_to[await burn_and_kill(ruled, server, number, draws.uniform(0.0, 0.25))] += 1
                    try:
                        await ruled.until(ended(number), within_s=60)
                    except Lost:
                        client.wire.drop()
                        await ruled.until(ended(number), within_s=60)
                    assert await ruled.available() == 1_000
                await check(ruled, url)
                assert len(come_to) > 1, come_to  # not always at the same moment

        finally:
            await server.close()


async def check(ruled: Ruled, url: str) -> None:
    """Of every burn one attempt, paid once, with one grant; what the sandbox was paid is what the rule has spent."""
    rule = await ruled.rule()
    assert rule["suspendedReason"] is None
    assert rule["nextAttemptAt"] is None
    assert rule["spentThisMonth"]["amount"] == str(10 * KILLS)
    owner = await asyncpg.connect(url)
    try:
        statuses = await owner.fetch("SELECT status, count(*) FROM top_ups WHERE automatic GROUP BY 1")
        assert [tuple(row) for row in statuses] == [("SUCCEEDED", KILLS)]
        paid = await owner.fetch("SELECT state, count(*), sum(subtotal) FROM sandbox_payments GROUP BY 1")
        assert [tuple(row) for row in paid] == [("SUCCEEDED", KILLS, 1_000 * KILLS)]
        assert await owner.fetchval("SELECT count(*) FROM grants WHERE source = 'RECHARGE'") == KILLS
        assert await owner.fetchval("SELECT count(*) FROM money_movements WHERE kind = 'SALE'") == KILLS
        assert await owner.fetchval("SELECT max(failures) FROM recharge_rules") == 0
    finally:
        await owner.close()
