"""Two server processes on one database, told of each other's commits over postgres://. What one writes, the other shows."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import asyncpg
import pytest

from tests.harness.client import Client
from tests.harness.documents import BALANCE_UPDATED
from tests.harness.following import check_never_back, following, until_subscribed, until_told
from tests.harness.server import Server
from tests.harness.world import CATALOG, give
from tests.schema.test_subscriptions import SEQUENCES

pytestmark = pytest.mark.usefixtures("second_server")


@pytest.fixture
async def here(world: Any) -> Client:
    client: Client = await world.client()
    return client


@pytest.fixture
async def there(world: Any, second_server: Server) -> Client:
    """The same credential at the other process."""
    client: Client = await world.client(second_server.url)
    return client


async def customer(client: Client, key: str, amount: str) -> None:
    await client.must("upsertCustomer", key=key)
    await give(client, key, amount, "g")


def burn(key: str, number: object, amount: str = "1") -> dict[str, str]:
    return {"customer": key, "creditType": "ai", "amount": amount, "idempotencyKey": f"b{number}"}


async def test_what_one_process_commits_the_other_pushes_soon(here: Client, there: Client):
    await customer(here, "across", "100")
    async with following(there, BALANCE_UPDATED, customer="across", type="ai") as follower:
        await follower.until(bool)
        delays = []
        for number in range(10):
            await here.must("burn", **burn("across", number))
            done = datetime.now(UTC)
            await follower.until(lambda seen, n=number: seen[-1]["version"] == 2 + n)  # type: ignore[misc]
            delays.append((follower.at[-1] - done).total_seconds())
        check_never_back(follower.seen)
        assert sorted(delays)[5] < 1, f"half of the burns took longer than {sorted(delays)[5]:.2f} s to be seen"


async def test_two_thousand_burns_in_both_processes_end_in_the_same_balance_in_both(here: Client, there: Client):
    await customer(here, "both", "10000")
    async with (
        following(here, BALANCE_UPDATED, customer="both", type="ai") as one,
        following(there, BALANCE_UPDATED, customer="both", type="ai") as other,
    ):

        async def spend(client: Client, name: str) -> None:
            for part in range(10):
                reply = await client.act("burnMany", inputs=[burn("both", f"{name}{part}.{n}") for n in range(100)])
                assert {item["__typename"] for item in reply.items} == {"BurnOk"}

        await asyncio.gather(spend(here, "h"), spend(there, "t"))
        for follower in (one, other):
            await follower.until(lambda seen: seen[-1]["version"] == 2_001)
            assert follower.seen[-1]["available"] == "8000"
            check_never_back(follower.seen)
            for balance in follower.seen:
                assert Decimal(balance["available"]) == 10_000 - (balance["version"] - 1), "no balance was ever torn"


async def test_entries_of_both_processes_come_once_and_in_order_to_both(here: Client, there: Client):
    await customer(here, "ordered", "10000")
    async with (
        following(here, SEQUENCES, customer="ordered", type=None) as one,
        following(there, SEQUENCES, customer="ordered", type=None) as other,
    ):
        await until_subscribed(one, here, "ordered", "ai")
        base = await until_subscribed(other, there, "ordered", "ai")
        await until_told(one, "ai", base)
        one.forget()
        other.forget()

        async def spend(client: Client, name: str) -> None:
            for part in range(8):
                await client.act("burnMany", inputs=[burn("ordered", f"{name}{part}.{n}") for n in range(50)])

        await asyncio.gather(spend(here, "h"), spend(there, "t"))
        for follower in (one, other):
            await follower.until(lambda seen: len(seen) >= 800)
            assert [entry["sequence"] for entry in follower.seen] == [base + n for n in range(1, 801)]


async def test_the_clock_books_once_whichever_process_sweeps_and_both_show_it(here: Client, there: Client):
    await customer(here, "swept", "10")
    now = datetime.fromisoformat(await here.now())
    for number in range(20):
        at = now + timedelta(days=1, seconds=number)
        await give(here, "swept", "1", f"e{number}", expiresAt=at.isoformat())
    async with (
        following(here, SEQUENCES, customer="swept", type="ai") as one,
        following(there, BALANCE_UPDATED, customer="swept", type="ai") as other,
    ):
        await other.until(lambda seen: seen[-1]["available"] == "30")
        await asyncio.gather(
            *(client.put("advanceClock", to=(now + timedelta(days=2)).isoformat()) for client in (here, there))
        )
        await other.until(lambda seen: seen[-1]["available"] == "10" and seen[-1]["version"] == 41)
        await one.until(lambda seen: len(seen) == 20)
        assert [entry["kind"] for entry in one.seen] == ["EXPIRE"] * 20
        recorded = [datetime.fromisoformat(entry["recordedAt"]) for entry in one.seen]
        assert all(later - sooner == timedelta(seconds=1) for sooner, later in pairwise(recorded))
        check_never_back(other.seen)


async def test_prices_and_policies_set_in_one_process_decide_in_the_other_at_once(here: Client, there: Client):
    await here.must("upsertCustomer", key="decided")
    for mode, code in (("SOFT", None), ("ENFORCE", "INSUFFICIENT_CREDITS"), ("OFF", None)):
        await here.must("setPolicy", mode=mode, customer="decided")
        reply = await there.put("burn", **burn("decided", mode))
        assert reply.code == code
    kinds = [*CATALOG["creditTypes"], {"key": "brand-new", "scale": 2}]
    await here.must("applyCatalog", document={**CATALOG, "creditTypes": kinds})
    given = {"customer": "decided", "creditType": "brand-new", "amount": "1.25", "idempotencyKey": "new"}
    granted = await there.must("grantCredits", **given)
    assert granted["balance"]["creditType"]["key"] == "brand-new"
    assert (await here.balance("decided", "brand-new"))["available"] == "1.25"


async def test_a_key_used_in_one_process_is_used_in_the_other(here: Client, there: Client):
    await customer(here, "keys", "100")
    fields = burn("keys", "same", "7")
    replies = await asyncio.gather(*(client.put("burn", **fields) for client in (here, there)))
    assert sorted(reply["replayed"] for reply in replies) == [False, True]
    assert (await there.balance("keys"))["available"] == "93"


@pytest.fixture
async def owner(server: Server) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(server.settings["DATABASE_URL"])
    yield connection
    await connection.close()


async def test_subscribers_outlive_every_connection_to_the_database(
    here: Client, there: Client, owner: asyncpg.Connection
):
    """K5, B2: all backends of both processes ended, three times, while both burn. Who watches misses nothing."""
    await customer(here, "cut", "10000")
    async with (
        following(here, BALANCE_UPDATED, customer="cut", type="ai") as one,
        following(there, BALANCE_UPDATED, customer="cut", type="ai") as other,
        following(there, SEQUENCES, customer="cut", type="ai") as entries,
    ):
        await one.until(bool)
        await other.until(bool)
        base = await until_subscribed(entries, here, "cut", "ai")
        entries.forget()
        whole = Decimal((await here.balance("cut"))["available"])

        async def spend(client: Client, name: str, stop: asyncio.Event) -> int:
            """Burns under one key until it is known to have happened; how many have."""
            made = 0
            while not stop.is_set():
                while (reply := await client.put("burn", **burn("cut", f"{name}{made}"))).outcome == "unknown":
                    await asyncio.sleep(0.05)
                assert reply.ok, reply
                made += 1
            return made

        stop = asyncio.Event()
        spending = [asyncio.create_task(spend(client, name, stop)) for client, name in ((here, "h"), (there, "t"))]
        for _ in range(3):
            await asyncio.sleep(0.7)
            await owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await asyncio.sleep(0.7)
        stop.set()
        done = sum(await asyncio.gather(*spending))
        assert done > 5
        for follower in (one, other):
            await follower.until(lambda seen: seen[-1]["version"] == base + done, within_s=30)
            assert Decimal(follower.seen[-1]["available"]) == whole - done
            check_never_back(follower.seen)
        await entries.until(lambda seen: len(seen) >= done, within_s=30)
        assert [entry["sequence"] for entry in entries.seen] == [base + n for n in range(1, done + 1)], json.dumps(
            entries.seen[-3:]
        )


# ─── what holds ────────────────────────────────────────────────────────────────────────────────────
ENFORCEMENT = """subscription($customer: String) {
  enforcementChanged(customer: $customer) { mode failurePolicy overdraftLimit decidedBy } }"""
SWITCH = 'mutation($on: Boolean!) { killSwitch(on: $on, reason: "a drill") { workspace } }'


async def test_what_holds_for_a_customer_is_pushed_when_it_becomes_another(here: Client, there: Client):
    await customer(here, "held", "10")
    token = (await here.must("createEmbedToken", customer="held"))["token"]
    async with (
        following(Client(there.url, token), ENFORCEMENT) as own,
        following(there, ENFORCEMENT) as everybody,
    ):
        await own.until(bool)
        await everybody.until(bool)
        assert (own.seen[-1]["mode"], everybody.seen[-1]["mode"]) == ("ENFORCE", "ENFORCE")
        await here.must("setPolicy", mode="SOFT", customer="held", overdraftLimit="5")
        await own.until(lambda seen: seen[-1]["mode"] == "SOFT")
        assert own.seen[-1]["overdraftLimit"] == "5"
        told = len(own.seen)
        await here.must("setPolicy", mode="SHADOW", feature="input-tokens", customer="held")
        await own.until(
            lambda seen: len(seen) > told
        )  # of a feature of its own: what was checked is to be checked again
        await here.ask(SWITCH, on=True)
        await own.until(lambda seen: seen[-1]["mode"] == "OFF")
        await everybody.until(lambda seen: seen[-1]["mode"] == "OFF")
        await here.ask(SWITCH, on=False)
        await own.until(lambda seen: seen[-1]["mode"] == "SOFT")
        await everybody.until(lambda seen: seen[-1]["mode"] == "ENFORCE")
        assert [each["mode"] for each in everybody.seen] == ["ENFORCE", "OFF", "ENFORCE"], "nobody else's policies"
