"""Sixteen concurrent clients over the real API, then their whole history through the reference model.

Each account's acknowledged operations are replayed in the order the ledger gives them; entries, grants, holds,
balances and answers must be the model's. Sequences must respect real time, and a refusal must leave no trace.
`SCRIP_SEED` replays the same draws.
"""

import asyncio
import copy
import os
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from tests.harness.client import Client, Json
from tests.harness.history import History
from tests.harness.order import check_real_time_order, check_refusals
from tests.harness.replay import Pages, compare_state, read_account, read_accounts, replay
from tests.harness.traffic import Account, Traffic, run_clients
from tests.harness.world import TYPES, give

CLIENTS = 16
STEPS = int(os.environ.get("SCRIP_API_STEPS", "400"))
SOAK_ROUNDS = int(os.environ.get("SCRIP_API_SOAK_ROUNDS", "100"))
SEED = int(os.environ.get("SCRIP_SEED", "20260202"))

# Customer → overdraft limit; None: its mode blocks nothing.
CUSTOMERS: dict[str, int | None] = {"firm": 0, "trusted": 20_000_000, "free": None}


async def play(world, seed: int) -> tuple[History, dict[Account, Pages]]:
    """A whole run on fresh customers: traffic, then everything the server tells. Their keys end in the seed."""
    client = await world.client()
    keys = [f"{name}-{seed}" for name in CUSTOMERS]
    for key in keys:
        await client.must("upsertCustomer", key=key)
    await client.must("setPolicy", mode="ENFORCE", customer=f"trusted-{seed}", overdraftLimit="20")
    await client.must("setPolicy", mode="SOFT", customer=f"free-{seed}")
    accounts = [(key, credit_type) for key in keys for credit_type in TYPES]
    traffic = Traffic(seed, accounts)
    clients = [await world.client() for _ in range(CLIENTS)]
    await run_clients(traffic, clients, STEPS)
    await traffic.history.resolve([client])
    await end_quietly(traffic, client)
    pages = await read_accounts(client, accounts)
    for each in clients:
        each.wire.drop()
    return traffic.history, pages


async def end_quietly(traffic: Traffic, client: Client) -> None:
    """Two grants for each account that end while nobody burns, and one more, which finds them ended: how often a grant has
    something left when it ends depends on how busy the machine is."""
    for life in (timedelta(seconds=1), timedelta(seconds=1), None):
        if life is None:
            await asyncio.sleep(1.2)
        for customer, credit_type in traffic.accounts:
            ends = {} if life is None else {"expiresAt": (datetime.now(UTC) + life).isoformat()}
            key = f"end.{len(traffic.history.operations)}"
            fields = {"customer": customer, "creditType": credit_type, "amount": "16", "idempotencyKey": key, **ends}
            await traffic.history.perform(client, customer, credit_type, "grantCredits", **fields)


def check_all(pages: dict[Account, Pages], history: History) -> Counter[str]:
    """Every account against the model; what kinds of entries there were."""
    kinds: Counter[str] = Counter()
    for (customer, credit_type), page in pages.items():
        floor = CUSTOMERS[customer.partition("-")[0]]
        result = replay(page, history, customer, credit_type, order=TYPES[credit_type], floor=floor)
        compare_state(page, result.model)
        check_real_time_order(result.made)
        refused = [
            operation
            for operation in history.accounts()[customer, credit_type]
            if operation.reply.code == "INSUFFICIENT_CREDITS"
        ]
        check_refusals(page.ledger, result.made, refused)
        kinds.update(entry["kind"] for entry in page.ledger)
    return kinds


async def test_what_sixteen_clients_did_is_what_the_model_says(world):
    history, pages = await play(world, SEED)
    print(history.tally())
    kinds = check_all(pages, history)
    assert set(kinds) == {"GRANT", "BURN", "HOLD", "SETTLE", "RELEASE", "LAPSE", "EXPIRE"}, kinds
    assert min(kinds.values()) > STEPS // 40, f"the traffic does not reach enough: {kinds}"
    assert "unknown" not in " ".join(history.tally()), history.tally()
    check_the_checker(pages, history)


class _Slow(Client):
    """Reads a ledger so slowly that an hour goes by meanwhile, the first time."""

    hours = 1

    async def ledger(self, key: str, credit_type: str | None = "ai") -> list[Json]:
        if self.hours:
            self.hours = 0
            later = datetime.fromisoformat(await self.now()) + timedelta(hours=1)
            await self.must("advanceClock", to=later.isoformat())
        return await super().ledger(key, credit_type)


async def test_what_is_read_of_an_account_is_of_one_instant_also_where_a_grant_ends_without_an_entry(other_world):
    async with _Slow(other_world.url, other_world.secret) as client:
        await client.must("upsertCustomer", key="slow")
        ends = datetime.fromisoformat(await client.now()) + timedelta(minutes=30)
        await give(client, "slow", "3.5", "g", expiresAt=ends.isoformat())
        spend = {"customer": "slow", "creditType": "ai", "amount": "3.5"}
        await client.must("hold", **spend, ttl="P1D", idempotencyKey="h")
        before = await client.balance("slow")
        page = await read_account(client, "slow", "ai")
    assert {**page.balance, "asOf": ""} == {**before, "asOf": ""}, "no number tells that the grant has ended"
    assert [(grant["status"], grant["held"]) for grant in page.grants] == [("EXPIRED", "3.5")]


def first_burn(page: Pages) -> Json:
    return next(entry for entry in page.ledger if entry["kind"] == "BURN")


def check_the_checker(pages: dict[Account, Pages], history: History) -> None:
    """What was altered by hand is found: a comparison that cannot fail proves nothing."""
    account = max(pages, key=lambda place: len(pages[place].ledger))
    for name, change in {
        "an amount": lambda page: page.ledger[5].update(balanceAfter="12345"),
        "a missing entry": lambda page: page.ledger.pop(len(page.ledger) // 2),
        "two swapped": lambda page: page.ledger.insert(3, page.ledger.pop(4)),
        "the balance": lambda page: page.balance.update(held="77"),
        "a grant's held": lambda page: page.grants[0].update(held="0.001"),
        "a hold's end": lambda page: page.holds[0].update(status="OPEN", settled="99"),
        "a foreign key": lambda page: first_burn(page).update(idempotencyKey="nobody's"),
    }.items():
        altered = copy.deepcopy(pages[account])
        change(altered)
        try:
            check_all({account: altered}, history)
        except (AssertionError, KeyError):
            continue
        raise AssertionError(f"the checker does not see {name}")


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
async def test_the_same_round_after_round(world):
    for seed in range(SEED, SEED + SOAK_ROUNDS):
        print(f"SCRIP_SEED={seed}")
        history, pages = await play(world, seed)
        check_all(pages, history)
