"""Every verb against every other, in two processes, at a bank that is slow and loses answers before and after it has acted.

Then all heals, and the books are compared with the bank's: whoever was paid gave credits for it, once, and nobody else.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from credits.catalog.currencies import from_minor
from credits.errors import Unavailable
from credits.recharge.cashier import Cashier
from credits.recharge.provider import Payment, ProviderRefused, ProviderUnavailable
from credits.recharge.reads import list_top_ups
from credits.recharge.recharger import Recharger
from credits.recharge.top_ups import Place, TopUp
from credits.revenue import projection
from tests.credits.recharge.ruling import Ruling
from tests.credits.revenue.asking import differences

BANK = ("know", "start", "charge", "read", "cancel", "refund")
CAP = 50_00


@dataclass
class Storm:
    ruling: Ruling
    draw: random.Random
    cashiers: list[Cashier]
    wishes: list[Any]
    refunds: list[str]
    old: list[tuple[Place, Payment]] = field(default_factory=list)  # truths, for whoever tells them late

    @property
    def workspace_id(self) -> int:
        return int(self.ruling.till.workspace_id)

    @property
    def cashier(self) -> Cashier:
        return self.draw.choice(self.cashiers)

    @property
    def recharger(self) -> Recharger:
        counter = self.ruling.counter
        return Recharger(counter.till.reader, self.cashier, lambda _: counter.bank, lambda: counter.real[0])

    async def top_ups(self) -> list[TopUp]:
        customer = await self.ruling.till.customer()
        async with self.ruling.till.reader.page(self.workspace_id) as page:
            return (await list_top_ups(page.connection, customer.id, 500, None))[0]

    async def act(self) -> None:
        await asyncio.sleep(self.draw.random() * 0.3)
        found = await self.top_ups()
        top_up = self.draw.choice(found) if found else None
        # The bank cannot answer, or would not; or too many wait for the customer's lock on a busy machine.
        with suppress(ProviderUnavailable, ProviderRefused, Unavailable):
            await self.draw.choice(VERBS if top_up is not None else VERBS[:1])(self, top_up)  # type: ignore[arg-type]

    # ─── the verbs ─────────────────────────────────────────────────────────────────────────────────
    async def start(self, _: TopUp) -> None:
        await self.cashier.start(self.workspace_id, await self.ruling.till.customer(), self.draw.choice(self.wishes))

    async def pay(self, top_up: TopUp) -> None:
        account = self.ruling.bank.accounts.get(top_up.id)
        if account is not None and account.payment.state in ("PENDING", "REQUIRES_ACTION"):
            self.old.append((top_up.place, self.ruling.bank.pay(top_up.id)))

    async def cancel(self, top_up: TopUp) -> None:
        await self.cashier.cancel(self.workspace_id, top_up.place)

    async def look(self, top_up: TopUp) -> None:
        await self.cashier.look(self.workspace_id, top_up.place)

    async def tell_late(self, _: TopUp) -> None:
        if self.old:
            await self.cashier.take(self.workspace_id, *self.draw.choice(self.old))

    async def refund(self, top_up: TopUp) -> None:
        if top_up.paid:
            amount = str(from_minor(max(1, top_up.paid // 3), top_up.currency))
            await self.ruling.counter.refund(top_up, amount, key=self.draw.choice(self.refunds))

    async def dispute(self, top_up: TopUp) -> None:
        """Of what is left, once."""
        if top_up.paid and top_up.paid_back < top_up.paid and top_up.status != "DISPUTED":
            self.ruling.bank.give_back(top_up.id, top_up.paid - top_up.paid_back, kind="CHARGEBACK")
            self.old.append((top_up.place, self.ruling.bank.accounts[top_up.id].payment))

    async def undo(self, top_up: TopUp) -> None:
        account = self.ruling.bank.accounts.get(top_up.id)
        if account is not None and account.payment.paybacks:
            payback = self.draw.choice(account.payment.paybacks)
            self.ruling.bank.undo(top_up.id, payback.provider_id)

    async def set_rule(self, _: TopUp) -> None:
        cap, enabled = self.draw.choice(["40", "50"]), self.draw.random() < 0.9
        await self.ruling.try_rule(cap=cap, threshold=self.draw.choice(["200", "300"]), enabled=enabled)

    async def fire(self, _: TopUp) -> None:
        await self.recharger.fire(self.workspace_id, await self.ruling.account())

    async def burn(self, _: TopUp) -> None:
        await self.ruling.till.post(self.ruling.till.burn(str(self.draw.randint(1, 700))))


VERBS: list[Callable[[Storm, TopUp], Awaitable[None]]] = [
    *(Storm.start, Storm.start, Storm.pay, Storm.pay, Storm.cancel, Storm.look, Storm.look, Storm.tell_late),
    *(Storm.refund, Storm.dispute, Storm.undo, Storm.set_rule, Storm.fire, Storm.fire, Storm.burn),
]


def spoil(bank: Any, verb: str, draw: random.Random) -> None:
    """Slow, and lost now and then: before the bank has done it, or after."""
    do = getattr(bank, verb)

    async def badly(*asked: Any) -> Any:
        await asyncio.sleep(draw.random() * 0.02)
        if draw.random() < 0.12:
            raise ProviderUnavailable(f"{verb}: lost before")
        answer = await do(*asked)
        await asyncio.sleep(draw.random() * 0.02)
        if draw.random() < 0.12:
            raise ProviderUnavailable(f"{verb}: lost after")
        return answer

    setattr(bank, verb, badly)


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_crosses_what_is_paid_is_credited_once_and_nothing_else(ruling: Ruling, seed: int):
    """C9, C12, K3, S1 to S6, S14, S15."""
    counter, draw = ruling.counter, random.Random(seed)
    await ruling.card()
    await ruling.rule(cap="40", threshold="300")
    wishes = [counter.wish(draw.choice(["pack", "yen", "dinar"]), draw.choice([1, 2])) for _ in range(8)]
    refunds = [counter.till.key() for _ in range(6)]
    storm = Storm(ruling, draw, [counter.cashier, await counter.another()], wishes, refunds)
    well = {verb: getattr(counter.bank, verb) for verb in BANK}
    for verb in BANK:
        spoil(counter.bank, verb, draw)
    for _ in range(3):
        await asyncio.gather(*(storm.act() for _ in range(60)))
    for verb, do in well.items():
        setattr(counter.bank, verb, do)
    for _ in range(2):
        await ruling.pass_time(timedelta(days=2))
        for top_up in await storm.top_ups():
            await counter.look(top_up)
    await check(storm)


async def check(storm: Storm) -> None:
    counter, bank = storm.ruling.counter, storm.ruling.bank
    assert len(set(bank.charges)) == len(bank.charges), "nobody pays twice"
    spent = 0
    for top_up in await storm.top_ups():
        account = bank.accounts.get(top_up.id)
        assert top_up.is_paid == (account is not None and account.payment.state == "SUCCEEDED"), top_up
        if account is not None and top_up.status == "CANCELED" and top_up.is_known:
            assert account.payment.state == "CANCELED", (
                "nobody can pay any more; where nobody was told how, nobody could"
            )
        kept = await counter.paybacks(top_up)
        assert all(each.status != "ASKED" for each in kept), kept
        if top_up.is_paid and all(each.counted == each.amount for each in kept if each.status != "FAILED"):
            gone = sum(each.amount for each in account.payment.paybacks if each.state != "FAILED")
            assert top_up.paid_back == gone, (top_up, account.payment, kept)
        if top_up.automatic and top_up.status not in ("FAILED", "CANCELED"):
            spent += top_up.price
    assert spent <= CAP
    await counter.till.check()
    await projection.tell_all(counter.till.database, storm.workspace_id)
    assert await differences(counter.till) == []
