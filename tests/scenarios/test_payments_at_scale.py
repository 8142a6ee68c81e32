"""The big one: orders by the thousand while everything goes wrong, then every book compared with every other.

What people do is drawn from a seed, which is printed; so is what goes wrong at Stripe. The server is killed (kill -9) and
started again meanwhile. For the last third no webhook comes any more, for good.
"""

import asyncio
import random
import secrets
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from credits import ids
from tests.harness.client import Json
from tests.harness.databases import fresh_database
from tests.harness.server import Server
from tests.harness.stripe.handle import FakeStripeProcess
from tests.scenarios.payments_day import Day, Person
from tests.scenarios.shop import CREDITS, PRICE, Shop, stripe_settings

CLIENTS = 40  # people who buy at the same time; most of their time is waiting for what went wrong
WRONG: dict[str, dict[str, Any]] = {
    "reset": {"probability": 0.02},
    "rate_limited": {"probability": 0.03},
    "slow_before_effect": {"probability": 0.02},
    "slow_after_effect": {"probability": 0.05},
    "error_before_effect": {"probability": 0.01, "stored": False},
    "error_after_effect": {"probability": 0.02},
    "timeout_after_effect": {"probability": 0.01, "seconds": 1.0},
    "reset_after_effect": {"probability": 0.02},
    "drop": {"probability": 0.1},
    "delay": {"probability": 0.2},
    "duplicate": {"probability": 0.2},
    "shuffle": {"probability": 0.2},
    "forge": {"probability": 0.1},
}
SETTLED_WITHIN_S = 60.0
MICRO = 1_000_000
UNIT = 1_000  # the least credit of the type: three decimals


async def live_through(day: Day) -> None:
    """Everything that happens, with everything that goes wrong. Afterwards nothing does, and no webhook comes any more."""
    shop, waiting, began = day.shop, list(reversed(day.bought)), time.monotonic()

    async def person() -> None:
        one = Person(day)
        while waiting:
            await one.live(waiting.pop())
            if waiting and len(waiting) % 1_000 == 0:
                print(f"{day.orders - len(waiting)} orders after {time.monotonic() - began:.0f} s, {day.kills} kills")
            if len(waiting) == day.orders // 3:
                shop.fake.cut_webhooks()
        one.client.wire.drop()

    async def nemesis() -> None:
        draw = random.Random(day.seed + 1)
        while True:
            await asyncio.sleep(draw.uniform(6.0, 20.0))
            await shop.server.kill()
            await shop.server.start()
            day.kills += 1

    for knob, options in WRONG.items():
        shop.fake.turn(knob, **options)
    killing = asyncio.create_task(nemesis())
    try:
        async with asyncio.TaskGroup() as people:  # what fails ends it at once: it lasts long enough
            for _ in range(CLIENTS):
                people.create_task(person())
    finally:
        killing.cancel()
        await asyncio.gather(killing, return_exceptions=True)
    shop.fake.off()
    shop.fake.cut_webhooks()
    if shop.server.process is None or shop.server.process.poll() is not None:
        await shop.server.start()
    await shop.server.until_ready()
    shop.client.wire.drop()


async def settled(day: Day) -> float:
    """How many seconds it takes until all books agree, by the reconciler alone."""
    began = time.monotonic()
    while True:
        looked = time.monotonic()
        wrong = await differences(day)
        took = time.monotonic() - began
        if not wrong:
            return took
        assert took < SETTLED_WITHIN_S, "\n".join([f"{len(wrong)} differences, seed {day.seed}", *wrong[:20]])
        await asyncio.sleep(max(0.5, time.monotonic() - looked))  # who looks must not be most of what there is to do


LEDGER = """
SELECT customer_id, count(*) FILTER (WHERE kind = 1) AS grants, sum(amount) AS balance
  FROM entries GROUP BY customer_id
"""
MOVED = "SELECT reference, kind, sum(minor) AS minor FROM money_movements GROUP BY reference, kind"


async def differences(day: Day) -> list[str]:
    """What of the shop's books is not as Stripe's are: orders, what was paid and paid back, the ledger, the movements."""
    stripes: dict[str, Json] = await asyncio.to_thread(lambda: day.shop.fake.check_money("scrip_top_up"))
    moved: dict[str, Counter[str]] = defaultdict(Counter)
    for row in await day.shop.sql(MOVED):
        moved[row["reference"]][row["kind"]] = int(row["minor"])
    wrong, worth, grants = [], Counter[int](), Counter[int]()
    for row in await day.shop.sql("SELECT * FROM top_ups"):
        name = ids.make("top", row["customer_id"], row["number"])
        theirs = stripes.pop(name, None)
        ours = (row["paid"] or 0, row["paid_back"], row["grant_number"] is not None)
        told = (0, 0, False) if theirs is None else (theirs["taken"], theirs["refunded"] + theirs["disputed"], True)
        if ours != told:
            wrong.append(f"{name} {row['status']}: {ours}, Stripe says {told}")
            continue
        if theirs is None:
            continue
        kinds = moved[name]
        books = (
            kinds["SALE"],
            kinds["REFUND"] - kinds["REFUND_FAILED"],
            kinds["CHARGEBACK"] - kinds["CHARGEBACK_WON"],
            row["clawed_back"],
        )
        back = theirs["refunded"] + theirs["disputed"]
        clawed = row["credits"] * back // theirs["taken"] // UNIT * UNIT
        meant = (row["quantity"] * PRICE, theirs["refunded"], theirs["disputed"], clawed)
        if books != meant or row["credits"] != row["quantity"] * CREDITS * MICRO:
            wrong.append(f"{name}: {books} instead of {meant}")
        worth[row["customer_id"]] += row["credits"] - row["clawed_back"]
        grants[row["customer_id"]] += 1
    wrong += [f"{name} was paid, and is not here: {money}" for name, money in stripes.items() if name]
    ledger = {row["customer_id"]: (int(row["balance"]), row["grants"]) for row in await day.shop.sql(LEDGER)}
    meant = {whose: (worth[whose], grants[whose]) for whose in grants}
    wrong += [
        f"customer {whose}: {ledger.get(whose)} instead of {meant.get(whose)}"
        for whose in ledger.keys() | meant.keys()
        if ledger.get(whose) != meant.get(whose)
    ]
    return wrong


async def play(template: str, folder: Path, orders: int, seed: int) -> None:
    print(f"seed {seed}")
    fake = FakeStripeProcess(seed=seed)
    try:
        async with fresh_database(template) as url:
            settings = stripe_settings(fake, "PT5S")
            server = Server(folder / "data", database_url=url, broadcast_url=url, **settings)
            await server.start()
            shop = await Shop.open(server, fake)
            fake.retry_after(0.5, 1.0, 2.0)
            try:
                await the_day(Day(shop, seed, orders))
            finally:
                shop.close()
                await server.close()
    finally:
        fake.close()


async def the_day(day: Day) -> None:
    shop = day.shop
    day.plan([await shop.customer() for _ in range(max(20, day.orders // 20))])
    began = time.monotonic()
    await live_through(day)
    lived_s = time.monotonic() - began
    took = await settled(day)
    counters: dict[str, Any] = shop.fake.counters()
    statuses = Counter(row["status"] for row in await shop.sql("SELECT status FROM top_ups"))
    answers = Counter(each["status"] for each in shop.fake.sent)  # 0: nobody was there
    kinds = {issue["kind"] for issue in await shop.issues()}
    assert kinds <= {"ACCOUNT", "MODE", "REFUSED"}, (
        kinds
    )  # what was forged; and nothing else was ever put before an operator
    for command in (("audit", "verify"), ("reconcile",)):
        done = await shop.server.command(*command)
        assert done.returncode == 0, done
    print(
        f"{day.orders} orders in {lived_s:.0f} s, {day.kills} kills; all books agreed {took:.1f} s after the last fault; "
        f"{dict(statuses)}; webhooks {counters['webhooks']}, answered {dict(answers)}; seed {day.seed}"
    )
    assert statuses["SUCCEEDED"] > day.orders // 3
    assert day.kills >= 1


async def test_a_thousand_orders_while_everything_goes_wrong_are_credited_exactly_once(template: str, scratch: Path):
    await play(template, scratch, 1_000, secrets.randbelow(2**32))


@pytest.mark.soak
@pytest.mark.timeout(7_200)
async def test_twenty_thousand_orders_while_everything_goes_wrong(template: str, scratch: Path):
    await play(template, scratch, 20_000, secrets.randbelow(2**32))
