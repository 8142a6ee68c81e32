"""The instant of an expiry met by many callers, and an account that somebody keeps locked (C6, C7, C14)."""

import asyncio
import time
from datetime import datetime, timedelta

import asyncpg
import pytest

from tests.harness.client import Client, Reply
from tests.harness.world import build_world, give
from tests.model.rating import micro

CLIENTS = 8
SERVED_S = 2.0


@pytest.fixture
async def client(world):
    return await world.client()


class Cut:
    """The instant at which a grant expires, on the server's clock and, never before it, on ours."""

    def __init__(self, now: datetime, told_at: float, in_s: float) -> None:
        self.at = now + timedelta(seconds=in_s)
        self.at_s = told_at + in_s

    @classmethod
    async def soon(cls, client: Client, in_s: float) -> "Cut":
        now = datetime.fromisoformat(await client.now())
        return cls(now, time.monotonic(), in_s)

    async def until(self, after_s: float) -> None:
        await asyncio.sleep(max(0.0, self.at_s + after_s - time.monotonic()))

    def is_after(self, instant: str) -> bool:
        return datetime.fromisoformat(instant) >= self.at


async def test_what_is_held_before_the_cut_is_kept_and_what_is_not_expires(world, client):
    """C6: holds go on through the instant of expiry. There is more than they take: only the clock can refuse them."""
    await client.must("upsertCustomer", key="cut")
    callers = [await world.client() for _ in range(CLIENTS)]
    cut = await Cut.soon(client, 1.5)
    await give(client, "cut", "1000", "g", expiresAt=cut.at.isoformat())

    async def keep_holding(number: int, caller: Client) -> list[Reply]:
        replies: list[Reply] = []
        while not replies or replies[-1].ok:
            fields = {"customer": "cut", "creditType": "ai", "amount": "0.01", "ttl": "PT1H"}
            replies.append(await caller.put("hold", **fields, idempotencyKey=f"{number}.{len(replies)}"))
        return replies

    async with asyncio.timeout(30):
        replies = [each for some in await asyncio.gather(*map(keep_holding, range(CLIENTS), callers)) for each in some]
    taken = [reply for reply in replies if reply.ok]
    refused = [reply for reply in replies if not reply.ok]
    assert len(taken) > CLIENTS, "nobody held before the cut"
    assert {reply.code for reply in refused} == {"INSUFFICIENT_CREDITS"}
    assert not any(cut.is_after(reply["hold"]["openedAt"]) for reply in taken), "held and expired"
    held = micro("0.01") * len(taken)
    balance = await client.balance("cut")
    assert (micro(balance["held"]), micro(balance["available"])) == (held, 0)
    assert micro(balance["expired"]) == micro("1000") - held


async def test_a_hold_from_before_the_cut_settles_on_either_side_of_it(world, client):
    """C7: the older holds are honoured; what they leave of the expired grant expires at once."""
    await client.must("upsertCustomer", key="older")
    callers = [await world.client() for _ in range(CLIENTS)]
    sides = set()
    for round_ in range(3):
        cut = await Cut.soon(client, 2.0)
        await give(client, "older", "20", f"g{round_}", expiresAt=cut.at.isoformat())
        fields = {"customer": "older", "creditType": "ai", "amount": "2", "ttl": "PT1H"}
        held = await asyncio.gather(
            *(
                caller.must("hold", **fields, idempotencyKey=f"h{round_}.{number}")
                for number, caller in enumerate(callers)
            )
        )

        async def settle(number: int, caller: Client, hold: str, at: int, instant: Cut) -> Reply:
            await instant.until(0.15 * (number - CLIENTS / 2))  # from half a second before to as much after
            return await caller.must("settle", hold=hold, amount="1.25", idempotencyKey=f"s{at}.{number}")

        replies = await asyncio.gather(
            *(settle(number, callers[number], each["hold"]["id"], round_, cut) for number, each in enumerate(held))
        )
        await cut.until(0.05)
        sides |= {cut.is_after(reply["entry"]["recordedAt"]) for reply in replies}
        balance = await client.balance("older")
        burned = micro("1.25") * CLIENTS * (round_ + 1)
        assert micro(balance["burned"]) == burned, "every hold was honoured"
        assert micro(balance["expired"]) == micro("20") * (round_ + 1) - burned
        assert micro(balance["balance"]) == micro(balance["held"]) == micro(balance["available"]) == 0
    assert sides == {False, True}, "no settlement was on one of the sides: the test proved nothing"


async def test_an_account_that_somebody_keeps_locked_stops_nobody_else(world, other_world, client, server):
    """C14: its burns are told UNAVAILABLE within two seconds; readers, other customers and other workspaces are served
    meanwhile. The same key happens once when the lock is gone."""
    neighbour = await other_world.client()
    await build_world(neighbour, ["free"])
    await give(neighbour, "free", "100", "g")
    for customer in ("locked", "beside"):
        await client.must("upsertCustomer", key=customer)
        await give(client, customer, "100", "g")
    enemy = await asyncpg.connect(server.settings["DATABASE_URL"])
    waiting, beside = await world.client(), await world.client()
    fields = {"customer": "locked", "creditType": "ai", "amount": "1"}
    try:
        await enemy.execute("BEGIN")
        locked = await enemy.fetch("SELECT FROM customers WHERE key = 'locked' FOR UPDATE")
        assert len(locked) == 1
        began = time.monotonic()
        burning = asyncio.create_task(waiting.put("burn", **fields, idempotencyKey="b"))
        served = 0
        while not burning.done():
            step = time.monotonic()
            assert micro((await client.balance("locked"))["available"]) == micro("100")
            await beside.must("burn", **{**fields, "customer": "beside", "amount": "0.01"}, idempotencyKey=f"b{served}")
            await neighbour.must(
                "burn", **{**fields, "customer": "free", "amount": "0.01"}, idempotencyKey=f"b{served}"
            )
            assert time.monotonic() - step < SERVED_S
            served += 1
        assert (await burning).code == "UNAVAILABLE"
        assert time.monotonic() - began < SERVED_S
        assert served > 1
        await enemy.execute("ROLLBACK")
        assert (await waiting.must("burn", **fields, idempotencyKey="b"))["replayed"] is False
    finally:
        await enemy.close()
    assert micro((await client.balance("locked"))["available"]) == micro("99")


VISITS = 500
AT_ONCE = 20
NEWS = "subscription($type: String!) { balance: balanceUpdated(creditType: $type) { available } }"
WIDGETS = """query($type: String!) { viewer { now } customer { balance(creditType: $type) { available held version }
  usage: balance(creditType: $type) { burned } ledger(first: 20, filter: { creditType: $type }) { edges { node { id amount } } } } }"""


async def test_visitors_read_an_account_whose_writer_waits_for_a_lock(world, client, server):
    """C20: the rows that every burn of a hot account locks are held by an open database transaction, so its writer stands
    still. Everything that elements ask of that account is answered meanwhile: no read asks for a lock."""
    await client.must("upsertCustomer", key="visited")
    await give(client, "visited", "100", "g")
    token = (await client.must("createEmbedToken", customer="visited", scopes=["balance:read", "ledger:read"]))["token"]
    visitors = [await world.client(secret=token) for _ in range(AT_ONCE)]
    fields = {"customer": "visited", "creditType": "ai", "amount": "1"}
    await client.must("burn", **fields, idempotencyKey="before")
    enemy = await asyncpg.connect(server.settings["DATABASE_URL"])
    burning: list[asyncio.Task[Reply]] = []
    stands = asyncio.Event()

    async def keep_burning(number: int, caller: Client) -> None:
        while not stands.is_set():
            await caller.put("burn", **fields, idempotencyKey=f"hot{number}")

    async def writer_waits() -> None:
        async with asyncio.timeout(20):
            while not await enemy.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)

    async def visit(visitor: Client) -> set[str]:
        answers = [await visitor.ask(WIDGETS, type="ai") for _ in range(VISITS // AT_ONCE)]
        return {answer["customer"]["balance"]["available"] for answer in answers}

    try:
        await enemy.execute("BEGIN")
        for table in ("customers", "accounts", "grants"):
            key = "id" if table == "customers" else "customer_id"
            query = f"SELECT FROM {table} WHERE {key} = (SELECT id FROM customers WHERE key = 'visited') FOR UPDATE"
            assert len(await enemy.fetch(query)) == 1
        burning = [asyncio.create_task(keep_burning(each, await world.client())) for each in range(4)]
        await writer_waits()
        async with visitors[0].subscribe(NEWS, type="ai") as news:
            assert (await anext(news))["balance"]["available"] == "99"
        seen = await asyncio.gather(*map(visit, visitors))
        await writer_waits()  # still
        assert set().union(*seen) == {"99"}
    finally:
        stands.set()
        await enemy.close()
    await asyncio.gather(*burning)
    await client.must("burn", **fields, idempotencyKey="after")
