"""Buying in the sandbox, from the intent to the credits and back: the cashier asks, the sandbox answers, nothing is made up."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from credits.db import Database
from credits.recharge.cashier import Cashier
from credits.recharge.provider import Mode
from credits.recharge.top_ups import TopUp
from credits.workspaces import WorkspaceName
from server.sandbox.payments import Act, DisputeAct
from server.sandbox.store import read_payment
from tests.credits.conftest import database, owner_url, workspace
from tests.credits.recharge.counter import Counter, open_counter
from tests.server.sandbox.outside import Street

__all__ = ["database", "owner_url", "workspace"]


@dataclass
class Shop:
    """A counter whose money is taken by the sandbox."""

    counter: Counter
    street: Street

    async def start(self, quantity: int = 1, mode: Mode = "HOSTED") -> TopUp:
        started = await self.counter.start(quantity=quantity, mode=mode)
        assert isinstance(started, TopUp), started
        return started

    async def act(self, top_up: TopUp, act: Act) -> TopUp:
        """Plays the customer, and looks."""
        await self.street.provider.act(top_up.workspace_id, top_up.place, act)
        return await self.counter.look(top_up)

    async def contest(self, top_up: TopUp, act: DisputeAct) -> TopUp:
        """Plays the bank, and looks."""
        assert await self.street.provider.dispute(top_up.workspace_id, top_up.place, act) is None
        return await self.counter.look(top_up)

    async def available(self) -> Any:
        return await self.counter.till.available()


@pytest.fixture
async def shop(database: Database, owner_url: str, workspace: WorkspaceName) -> AsyncIterator[Shop]:
    async with open_counter(database, owner_url, workspace) as counter:
        street = Street(database, workspace.id, [])
        till = counter.till
        counter.cashier = Cashier(
            till.reader, till.writer, lambda _: street.provider, lambda *_: None, lambda: street.clock
        )
        yield Shop(counter, street)
        await till.check()


async def test_what_is_paid_is_there_to_be_spent_and_what_is_refunded_is_not(shop: Shop):
    started = await shop.start(quantity=2)
    assert started.status == "PENDING"
    assert started.checkout_url == f"http://credits.example/sandbox/checkout/{started.id}"
    paid = await shop.act(started, "pay")
    assert (paid.status, paid.paid, await shop.available()) == ("SUCCEEDED", 2_000, 2_200)
    assert (await shop.counter.refund(paid, "5")).status == "SUCCEEDED"
    assert await shop.available() == 1_650
    assert (await shop.counter.refund(paid)).status == "REFUNDED"
    assert await shop.available() == 0
    assert await shop.counter.issues() == []


async def test_a_decline_is_told_and_the_next_try_pays(shop: Shop):
    started = await shop.start()
    declined = await shop.act(started, "decline")
    assert (declined.status, declined.decline_code) == ("FAILED", "card_declined")
    assert await shop.available() == 0
    assert (await shop.act(started, "pay")).status == "SUCCEEDED"
    assert await shop.available() == 1_100


async def test_authentication_is_asked_for_and_given_or_not(shop: Shop):
    given, refused = await shop.start(), await shop.start()
    for each in (given, refused):
        assert (await shop.act(each, "authenticate")).status == "REQUIRES_ACTION"
    assert (await shop.act(given, "authenticate")).status == "SUCCEEDED"
    failed = await shop.act(refused, "decline")
    assert (failed.status, failed.decline_code) == ("FAILED", "authentication_failed")
    assert await shop.available() == 1_100


async def test_what_the_customer_cancels_or_leaves_is_canceled(shop: Shop):
    canceled, left = await shop.start(), await shop.start()
    assert (await shop.act(canceled, "cancel")).status == "CANCELED"
    assert (await shop.act(canceled, "pay")).status == "CANCELED"
    shop.street.later(timedelta(hours=25))
    assert (await shop.counter.look(left)).status == "CANCELED"
    assert await shop.available() == 0


async def test_a_payment_dispute_takes_the_credits_until_it_is_won(shop: Shop):
    top_up = await shop.start()
    await shop.act(top_up, "pay")
    assert (await shop.contest(top_up, "open")).status == "DISPUTED"
    assert await shop.available() == 0
    assert (await shop.contest(top_up, "win")).status == "SUCCEEDED"
    assert await shop.available() == 1_100
    await shop.contest(top_up, "open")
    await shop.contest(top_up, "lose")
    assert await shop.available() == 0
    assert await shop.counter.issues() == []


@pytest.mark.parametrize("_round", range(4))
async def test_paying_canceling_and_looking_at_once_end_in_one_way(shop: Shop, _round: int):
    top_up = await shop.start()
    doing = [
        shop.act(top_up, "pay"),
        shop.act(top_up, "decline"),
        shop.counter.cancel(top_up),
        shop.counter.look(top_up),
    ]
    await asyncio.gather(*doing, shop.act(top_up, "pay"))
    end = await shop.counter.look(top_up)
    async with shop.counter.till.database.view(top_up.workspace_id) as connection:
        payment = await read_payment(connection, top_up.place)
    assert payment is not None
    assert (end.status == "SUCCEEDED") == (payment.state == "SUCCEEDED")
    assert await shop.available() == (1_100 if payment.state == "SUCCEEDED" else 0)
    assert await shop.counter.issues() == []
