"""Sixty-four concurrent clients on one account with 1,000 credits: exactly what is there is spent.

Burns, holds and settlements mixed; with one server process, and with two on one database. The history is then
replayed through the reference model, so that each grant's total equals some serial order (faults.md C1 to C8, C14).
"""

import asyncio
import itertools
import random
import time
from datetime import datetime, timedelta

import pytest

from tests.harness.client import Client, Reply
from tests.harness.history import History
from tests.harness.order import check_real_time_order
from tests.harness.replay import compare_state, read_account, replay
from tests.harness.world import TYPES, give
from tests.model.rating import micro

CLIENTS = 64
CREDITS = 1_000
PATIENCE = 6  # refusals in a row until a client gives up
GRANTS = ((50, "400"), (10, "250"), (50, "250"), (90, "100"))  # priority, credits


class Spree:
    """Clients that spend until the account has refused each of them a few times in a row."""

    def __init__(self, account: tuple[str, str]) -> None:
        self.account, self.history = account, History()

    async def spend(self, client: Client, number: int) -> None:
        draw = random.Random(number)
        step = refused = 0
        while refused < PATIENCE:
            step += 1
            key = f"{number}.{step}"
            if draw.random() < 0.55:
                took = (await self.burn(client, key, draw.choice(("1", "1", "2", "3")))).ok
            else:
                took = await self.hold_and_settle(client, draw, key)
            refused = 0 if took else refused + 1

    async def burn(self, client: Client, key: str, amount: str) -> Reply:
        customer, credit_type = self.account
        fields = {"customer": customer, "creditType": credit_type, "amount": amount, "idempotencyKey": key}
        return (await self.history.perform(client, customer, credit_type, "burn", **fields)).reply

    async def hold_and_settle(self, client: Client, draw: random.Random, key: str) -> bool:
        """Holds, settles some of it in parts, then the rest or more, or gives it back. Whether the hold was taken."""
        customer, credit_type = self.account
        fields = {"customer": customer, "creditType": credit_type, "amount": draw.choice(("2", "4", "5"))}
        opened = await self.history.perform(
            client, *self.account, "hold", **fields, ttl="PT1M", idempotencyKey=key + "h"
        )
        if not opened.reply.ok:
            return False
        hold = opened.reply["hold"]["id"]
        while draw.random() < 0.3:
            amount = draw.choice(("1", "0.5"))
            part = {"hold": hold, "amount": amount, "partial": True, "idempotencyKey": f"{key}p{draw.random()}"}
            await self.history.perform(client, *self.account, "settle", **part)
        if draw.random() < 0.75:
            last = {"hold": hold, "amount": draw.choice(("1", "4", "6")), "idempotencyKey": key + "s"}
            settled = await self.history.perform(client, *self.account, "settle", **last)
            if settled.reply.ok:
                return True  # refused: the excess was not covered, and the hold is as it was
        await self.history.perform(client, *self.account, "release", hold=hold, idempotencyKey=key + "r")
        return True


async def drain(spree: Spree, client: Client) -> None:
    """What the race left over, by one caller alone."""
    for amount in ("1", "0.5"):
        step = 0
        while (await spree.burn(client, f"drain.{amount}.{step}", amount)).ok:
            step += 1


async def check_spent(spree: Spree, client: Client) -> None:
    history, (customer, credit_type) = spree.history, spree.account
    assert {operation.reply.outcome for operation in history} == {"ok", "refused"}, history.tally()
    codes = {operation.reply.code for operation in history if operation.reply.outcome == "refused"}
    assert codes <= {"INSUFFICIENT_CREDITS"}, codes
    spent = sum(
        micro(operation.fields["amount"])
        for operation in history
        if operation.reply.ok and operation.verb in ("burn", "settle")
    )
    pages = await read_account(client, customer, credit_type)
    assert spent == micro(str(CREDITS)), f"{spent} micro-credits were spent\n{history.tally()}"
    assert micro(pages.balance["balance"]) == micro(pages.balance["held"]) == 0, pages.balance
    lowest = min(micro(entry["balanceAfter"]) - micro(entry["heldAfter"]) for entry in pages.ledger)
    assert lowest >= 0, "more was promised than there was"
    result = replay(pages, history, customer, credit_type, order=TYPES[credit_type], floor=0)
    compare_state(pages, result.model)
    check_real_time_order(result.made)


async def race(world, customer: str, urls: list[str]) -> None:
    client = await world.client()
    await client.must("upsertCustomer", key=customer)
    spree = Spree((customer, "ai"))
    for number, (priority, amount) in enumerate(GRANTS):
        fields = {"customer": customer, "creditType": "ai", "amount": amount, "priority": priority}
        await spree.history.perform(client, customer, "ai", "grantCredits", **fields, idempotencyKey=f"g{number}")
    clients = [await world.client(urls[number % len(urls)]) for number in range(CLIENTS)]
    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        for number, each in enumerate(clients):
            group.create_task(spree.spend(each, number))
    await drain(spree, client)
    await check_spent(spree, client)


async def test_sixty_four_clients_spend_exactly_a_thousand_credits(world):
    await race(world, "hot", [world.url])


async def test_two_server_processes_spend_exactly_a_thousand_credits(world, second_server):
    await race(world, "hot-twice", [world.url, second_server.url])


async def at_once(world, count: int, verb: str, fields_of) -> list[Reply]:
    """The same verb from `count` connections at once; `fields_of(i)` are the i-th one's."""
    clients = [await world.client() for _ in range(count)]
    return await asyncio.gather(*(each.put(verb, **fields_of(i)) for i, each in enumerate(clients)))


async def hold(client: Client, customer: str, amount: str, key: str, ttl: str = "PT1M") -> str:
    fields = {"customer": customer, "creditType": "ai", "amount": amount, "ttl": ttl, "idempotencyKey": key}
    return str((await client.must("hold", **fields))["hold"]["id"])


async def test_holds_at_once_never_promise_more_than_there_is(world):
    client = await world.client()
    await client.must("upsertCustomer", key="holder")
    await give(client, "holder", "100", "g")
    fields = {"customer": "holder", "creditType": "ai", "amount": "7"}
    replies = await at_once(world, 32, "hold", lambda i: {**fields, "idempotencyKey": f"h{i}"})
    assert sum(reply.ok for reply in replies) == 100 // 7
    assert {reply.code for reply in replies if not reply.ok} == {"INSUFFICIENT_CREDITS"}
    balance = await client.balance("holder")
    assert (micro(balance["held"]), micro(balance["available"])) == (micro("98"), micro("2"))


async def test_one_of_many_settlements_of_a_hold_wins(world):
    client = await world.client()
    await client.must("upsertCustomer", key="settler")
    await give(client, "settler", "100", "g")
    for round_ in range(5):
        held = await hold(client, "settler", "5", f"h{round_}")
        replies = await at_once(
            world, 16, "settle", lambda i, h=held, r=round_: {"hold": h, "amount": "3", "idempotencyKey": f"{r}.{i}"}
        )
        assert sum(reply.ok for reply in replies) == 1
        assert {reply.code for reply in replies if not reply.ok} == {"HOLD_NOT_OPEN"}
    assert micro((await client.balance("settler"))["available"]) == micro("85")


async def test_settle_release_and_lapse_at_once_leave_one_end_and_give_back_once(world):
    client = await world.client()
    await client.must("upsertCustomer", key="ender")
    await give(client, "ender", "100", "g")
    helpers = [await world.client() for _ in range(8)]
    ends = set()
    for round_ in range(6):
        held = await hold(client, "ender", "5", f"h{round_}", ttl="PT1S")
        opened = time.monotonic()

        async def end(number: int, each: Client, hold_id: str, began: float, at: str) -> Reply:
            # Around the instant of the lapse, on both sides of it.
            await asyncio.sleep(max(0.0, began + 0.985 + 0.004 * number - time.monotonic()))
            key = f"{at}.{number}"
            if number % 2:
                return await each.put("release", hold=hold_id, idempotencyKey=key)
            return await each.put("settle", hold=hold_id, amount="2", idempotencyKey=key)

        replies = await asyncio.gather(*(end(i, each, held, opened, f"e{round_}") for i, each in enumerate(helpers)))
        assert sum(reply.ok for reply in replies) <= 1
        assert {reply.code for reply in replies if not reply.ok} <= {"HOLD_NOT_OPEN"}, replies
        found = next(each for each in await client.holds("ender") if each["id"] == held)
        ends.add(found["status"])
        assert found["status"] != "OPEN"
        kinds = [entry["kind"] for entry in found["entries"]]
        assert sorted(kinds)[0] == "HOLD", kinds
        assert len(kinds) == 2, f"one opening, one end: {kinds}"
    balance, ledger = await client.balance("ender"), await client.ledger("ender")
    burned = 2 * sum(entry["kind"] == "SETTLE" for entry in ledger)
    assert micro(balance["available"]) == micro(str(100 - burned)), balance
    assert ends <= {"SETTLED", "RELEASED", "LAPSED"}


async def test_over_settling_beyond_what_is_there_is_refused_and_leaves_the_hold(world):
    client = await world.client()
    await client.must("upsertCustomer", key="over")
    await give(client, "over", "10", "g")
    held = await hold(client, "over", "6", "h")
    replies = await at_once(world, 8, "settle", lambda i: {"hold": held, "amount": "10.001", "idempotencyKey": f"s{i}"})
    assert {reply.code for reply in replies} == {"INSUFFICIENT_CREDITS"}
    assert {micro(reply.answer["needed"]) for reply in replies} == {micro("4.001")}
    (found,) = await client.holds("over", "OPEN")
    assert (found["status"], micro(found["settled"])) == ("OPEN", 0)
    settled = await client.must("settle", hold=held, amount="10", idempotencyKey="all")
    assert micro(settled["balance"]["balance"]) == 0


async def test_a_grant_that_expires_under_holds_is_held_or_expired_but_never_both(world):
    client = await world.client()
    await client.must("upsertCustomer", key="edge")
    spree = History()
    clients = [await world.client() for _ in range(8)]
    for round_ in range(4):
        expires = _in(await client.now(), 0.4)
        fields = {"customer": "edge", "creditType": "ai", "amount": "40", "expiresAt": expires}
        await spree.perform(client, "edge", "ai", "grantCredits", **fields, idempotencyKey=f"g{round_}")

        async def keep_holding(number: int, each: Client, at: int) -> None:
            for step in range(12):
                fields = {"customer": "edge", "creditType": "ai", "amount": "1", "ttl": "PT1M"}
                await spree.perform(each, "edge", "ai", "hold", **fields, idempotencyKey=f"{at}.{number}.{step}")

        await asyncio.gather(*(keep_holding(i, each, round_) for i, each in enumerate(clients)))
    for number, operation in enumerate([each for each in spree if each.verb == "hold" and each.reply.ok]):
        hold_id = operation.reply["hold"]["id"]
        fields = {"hold": hold_id, "amount": "0.5", "idempotencyKey": f"end{number}"}
        await spree.perform(client, "edge", "ai", "settle", **fields)
    pages = await read_account(client, "edge", "ai")
    result = replay(pages, spree, "edge", "ai", order=TYPES["ai"], floor=0)
    compare_state(pages, result.model)


def _in(now: str, seconds: float) -> str:
    return (datetime.fromisoformat(now) + timedelta(seconds=seconds)).isoformat()


async def test_others_are_served_while_one_account_is_hot(world):
    client = await world.client()
    for key in ("hot-one", "quiet-one"):
        await client.must("upsertCustomer", key=key)
        await give(client, key, "1000000", f"g-{key}")
    stopping = asyncio.Event()

    async def heat(number: int, each: Client) -> int:
        count = 0
        while not stopping.is_set():
            fields = {"customer": "hot-one", "creditType": "ai", "amount": "1"}
            await each.must("burn", **fields, idempotencyKey=f"{number}.{count}")
            count += 1
        return count

    tasks = [asyncio.create_task(heat(i, await world.client())) for i in range(32)]
    waits: list[float] = []
    until = time.monotonic() + 4
    for step in itertools.count():
        began = time.monotonic()
        fields = {"customer": "quiet-one", "creditType": "ai", "amount": "1"}
        await client.must("burn", **fields, idempotencyKey=f"q{step}")
        waits.append(time.monotonic() - began)
        if time.monotonic() > until:
            break
    stopping.set()
    burned = sum(await asyncio.gather(*tasks))
    slow = sorted(waits)[len(waits) * 9 // 10]  # the machine may stop for a moment, for anybody
    print(f"{step + 1} quiet burns, one in ten slower than {slow:.3f} s, beside {burned} hot ones")
    assert slow < 2.0, f"the quiet account waited {slow:.2f} s while {burned} burns went to the hot one"
    assert micro((await client.balance("hot-one"))["burned"]) == micro(str(burned))


@pytest.mark.parametrize("verb", ["burn", "hold"])
async def test_the_last_credit_goes_to_one(world, verb):
    client = await world.client()
    customer = f"last-{verb}"
    await client.must("upsertCustomer", key=customer)
    await give(client, customer, "1", "g")
    fields = {"customer": customer, "creditType": "ai", "amount": "1"}
    replies = await at_once(world, 48, verb, lambda i: {**fields, "idempotencyKey": f"k{i}"})
    assert sum(reply.ok for reply in replies) == 1
    assert {reply.code for reply in replies if not reply.ok} == {"INSUFFICIENT_CREDITS"}
