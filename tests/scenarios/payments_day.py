"""What people do on a day at the shop, drawn from a seed: they buy, pay, are declined, cancel, and want their money back."""

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass, field
from typing import Any

import stripe

from tests.harness.client import Client, Json
from tests.scenarios.shop import Shop

FATES = {
    "paid": 50,
    "declined, then paid": 8,
    "declined": 8,
    "left alone": 8,
    "canceled": 5,
    "paid days later": 4,
    "failed days later": 3,
    "refunded": 6,
    "refunded in part": 3,
    "refunded in the dashboard": 4,
    "refunded, which fails": 3,
    "contested": 4,
    "contested, and won": 4,
}
GIVE_UP_S = 60.0


@dataclass
class Bought:
    """One order's life. `id` is None where the shop never said."""

    customer: str
    key: str
    fate: str
    mode: str
    quantity: int
    id: str | None = None


@dataclass
class Day:
    """All of it, from one seed."""

    shop: Shop
    seed: int
    orders: int
    bought: list[Bought] = field(default_factory=list)
    kills: int = 0

    def plan(self, customers: list[str]) -> None:
        draw = random.Random(self.seed)
        names, weights = list(FATES), list(FATES.values())
        for number in range(self.orders):
            (fate,) = draw.choices(names, weights)
            mode = "ELEMENT" if draw.random() < 0.2 else "HOSTED"
            self.bought.append(Bought(draw.choice(customers), f"order-{number}", fate, mode, draw.randint(1, 3)))


class Person:
    """Whoever buys, pays, and asks for their money back, one order after another; nobody gives up at the first error."""

    def __init__(self, day: Day) -> None:
        self.day, self.shop = day, day.shop
        self.client = Client(day.shop.server.url, day.shop.secret, timeout_s=30.0)
        self.stripe: stripe.StripeClient = day.shop.fake.client(retries=0)

    async def live(self, order: Bought) -> None:
        top_up = await self._start(order)
        if top_up is None:
            return
        order.id = top_up["id"]
        match order.fate:
            case "left alone":
                return
            case "canceled":
                await self._patiently("cancelTopUp", id=order.id)
                return
            case "declined":
                await self._pay(order, top_up, "pm_card_chargeDeclined")
                return
            case "declined, then paid":
                await self._pay(order, top_up, "pm_card_chargeDeclinedInsufficientFunds")
            case "paid days later" | "failed days later":
                paid = order.fate == "paid days later"
                card = "pm_usBankAccount_success" if paid else "pm_usBankAccount_insufficientFunds"
                at = await self._pay(order, top_up, card)
                await self._later(at, paid=paid)
                return
        await self._pay(order, top_up, "pm_card_visa")
        await self._back(order)

    async def _start(self, order: Bought) -> Json | None:
        wish = {"customer": order.customer, "key": order.key, "quantity": order.quantity, "mode": order.mode}
        until = time.monotonic() + GIVE_UP_S
        while time.monotonic() < until:
            reply = await self.shop.start(client=self.client, **wish)  # type: ignore[arg-type]
            if reply.ok:
                return reply["topUp"]  # type: ignore[no-any-return]
            assert reply.outcome == "unknown" or reply.code == "UNAVAILABLE", reply
            await asyncio.sleep(random.uniform(0.1, 0.5))
        return None

    async def _patiently(self, verb: str, **variables: Any) -> None:
        until = time.monotonic() + GIVE_UP_S
        while time.monotonic() < until:
            reply = await self.shop.act(verb, self.client, **variables)
            if reply.outcome != "unknown" and reply.code != "UNAVAILABLE":
                return
            await asyncio.sleep(random.uniform(0.1, 0.5))

    async def _pay(self, order: Bought, top_up: Json, card: str) -> str:
        """By whatever the shop has handed out; the id of what is paid at Stripe."""
        if order.mode == "HOSTED":
            session = str(top_up["checkoutUrl"]).rsplit("/", 1)[1]
            await asyncio.to_thread(self.shop.fake.pay, session, card)
            return session
        intent = str(top_up["clientSecret"]).split("_secret_", maxsplit=1)[0]
        for _ in range(50):
            try:
                await self.stripe.v1.payment_intents.confirm_async(intent, {"payment_method": card})
            except (stripe.CardError, stripe.InvalidRequestError):
                break  # declined; or it was confirmed, and the answer was lost
            except stripe.StripeError:
                continue
            break
        return intent

    async def _later(self, at: str, *, paid: bool) -> None:
        """The bank's answer comes when the method is under way, which an element's may not be yet."""
        await asyncio.sleep(random.uniform(0.1, 1.0))
        with contextlib.suppress(AssertionError):
            await asyncio.to_thread(self.shop.fake.finish_later, at, paid=paid)

    async def _back(self, order: Bought) -> None:
        if order.fate not in ("paid", "declined, then paid"):
            await self._charged(order)
        fake, key = self.shop.fake, f"{order.key}-back"
        match order.fate:
            case "refunded":
                await self._refund(order, None, key)
            case "refunded in part":
                await self._refund(order, {"amount": "1.25", "currency": "USD"}, key)
            case "refunded in the dashboard":
                await asyncio.to_thread(fake.refund, await self._charged(order), 200)
            case "refunded, which fails":
                made = await asyncio.to_thread(fake.refund, await self._charged(order), 300)
                await asyncio.sleep(random.uniform(0.0, 1.0))
                await asyncio.to_thread(fake.end_refund, made["id"], "failed")
            case "contested" | "contested, and won":
                dispute = await asyncio.to_thread(fake.dispute, await self._charged(order))
                await asyncio.sleep(random.uniform(0.0, 1.0))
                await asyncio.to_thread(fake.close_dispute, dispute["id"], won=order.fate.endswith("won"))

    async def _refund(self, order: Bought, amount: Json | None, key: str) -> None:
        """Once the shop knows that it is paid."""
        until = time.monotonic() + GIVE_UP_S
        while time.monotonic() < until:
            reply = await self.shop.act("refundTopUp", self.client, id=order.id, amount=amount, key=key)
            if reply.ok or (reply.code == "CONFLICT" and "never paid" not in reply.answer["message"]):
                return
            await asyncio.sleep(random.uniform(0.1, 0.5))

    async def _charged(self, order: Bought) -> str:
        found: list[Json] = await asyncio.to_thread(lambda: self.shop.fake.charges(scrip_top_up=order.id))
        assert found, order
        return str(found[0]["id"])
