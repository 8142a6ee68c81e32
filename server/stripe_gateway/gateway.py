"""Stripe as the provider of payments: the verbs that `credits/recharge/provider.py` names.

Each asks by the order's id: the idempotency key of a request is that id and what it is for. Where a key does not answer
(Stripe has forgotten it, or keeps an error under it), what was made is found by our metadata: see `finding.py`.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

from stripe import StripeObject

from credits.recharge.provider import (
    Method,
    Mode,
    Order,
    Payer,
    Payment,
    ProviderName,
    ProviderRefused,
    ProviderUnavailable,
    Setup,
)
from server.clock import real_now
from server.stripe_gateway import finding, params
from server.stripe_gateway.asking import V1, VERB_S, Asker, Declined, Json, KeyUseless, Refused, within
from server.stripe_gateway.truth import REFUND, declined, identity, methods_of, payment_of

logger = logging.getLogger(__name__)

_Request: TypeAlias = Callable[[V1, Json], Awaitable[StripeObject]]


class StripeGateway:
    """One account of Stripe, for every workspace that pays by it. One per process."""

    name: ProviderName = "stripe"

    def __init__(
        self,
        asker: Asker,
        *,
        live: bool,
        done_url: str,
        tax: bool = False,
        real_now: Callable[[], datetime] = real_now,
    ) -> None:
        """`done_url`: where a customer ends who came without a `returnUrl`."""
        self.asker = asker
        self.live = live
        self._done_url, self._tax, self._real_now = done_url, tax, real_now

    async def close(self) -> None:
        await self.asker.close()

    # ─── customers ───────────────────────────────────────────────────────────────────────────────────────
    async def know(self, payer: Payer) -> str:
        """Found by our metadata, else made by them alone: a name or address that has changed since asks for the same
        customer, and is told afterwards."""
        if payer.provider_id is not None:
            return payer.provider_id
        customer_id = params.customer_id_of(payer)
        found = await finding.customer_by_metadata(self.asker, payer.workspace_id, customer_id)
        if found is None:
            asked = {"metadata": params.payer_metadata(payer)}
            found = await self._make(
                lambda v1, options: v1.customers.create_async(asked, options), f"{customer_id}/customer"
            )
        known_as = str(found["id"])
        try:
            await self.asker.ask(lambda: self.asker.v1.customers.update_async(known_as, params.about_payer(payer)))
        except Refused as refused:  # an address that Stripe does not take stops nobody from buying
            logger.warning("Stripe does not take what is known of customer %s: %s", customer_id, refused.param)
        return known_as

    async def set_up(self, payer: Payer, mode: Mode, return_url: str | None) -> Setup:
        customer = await self.know(payer)
        v1 = self.asker.v1
        if mode == "ELEMENT":
            asked = params.set_up_element(payer, customer)
            intent = await self.asker.ask(lambda: v1.setup_intents.create_async(asked))
            return Setup(url=None, client_secret=intent["client_secret"])
        asked = params.set_up_checkout(payer, customer, return_url or self._done_url)
        session = await self.asker.ask(lambda: v1.checkout.sessions.create_async(asked))
        return Setup(url=session["url"], client_secret=None)

    async def methods(self, payer: Payer) -> tuple[Method, ...]:
        v1, known_as = self.asker.v1, payer.provider_id
        if known_as is None:
            customer_id = params.customer_id_of(payer)
            customer = await finding.customer_by_metadata(self.asker, payer.workspace_id, customer_id)
        else:
            customer = await self.asker.find(lambda: v1.customers.retrieve_async(known_as))
        if customer is None or customer.get("deleted"):
            return ()
        listed = self.asker.pages(lambda page: v1.customers.payment_methods.list_async(customer["id"], page), {})
        return methods_of([method async for method in listed], customer)

    # ─── orders ──────────────────────────────────────────────────────────────────────────────────────────
    async def start(self, order: Order) -> Payment:
        _must_be_countable(order)
        async with within(VERB_S):
            return await self._start(order)

    async def charge(self, order: Order) -> Payment:
        _must_be_countable(order)
        async with within(VERB_S):
            return await self._charge(order)

    async def read(self, order: Order) -> Payment | None:
        return await self._read(order, await self._customer(order))

    async def cancel(self, order: Order) -> Payment | None:
        async with within(VERB_S):
            return await self._cancel(order)

    async def refund(self, order: Order, refund_id: str, amount: int, reason: str) -> Payment:
        """What was asked for before is found in the payment's own list, however long ago; the key is for those who ask
        at the same time."""
        async with within(VERB_S):
            return await self._refund(order, refund_id, amount, reason)

    async def _start(self, order: Order) -> Payment:
        known = await self._known(order)
        if known is not None:
            return known
        customer = await self.know(order.payer)
        if order.mode == "ELEMENT":
            asked = params.element(order, customer)
            intent = await self._made(
                order, customer, "payment", lambda v1, options: v1.payment_intents.create_async(asked, options)
            )
            return intent if isinstance(intent, Payment) else payment_of(order.mode, None, intent)
        if self._old(order):
            # Nobody has paid, and the checkout that nobody has seen could not be made the same any more.
            return Payment("CANCELED", order.id, None, None, None, customer, self.live)
        asked = params.checkout(order, customer, order.return_url or self._done_url, tax=self._tax)
        session = await self._made(
            order, customer, "checkout", lambda v1, options: v1.checkout.sessions.create_async(asked, options)
        )
        return session if isinstance(session, Payment) else payment_of(order.mode, session, None)

    async def _charge(self, order: Order) -> Payment:
        if order.method is None:
            raise ProviderRefused("there is no payment method to charge")
        known = await self._known(order)
        if known is not None:
            return known
        customer = await self.know(order.payer)
        asked = params.off_session(order, customer)
        try:
            intent = await self._made(
                order, customer, "charge", lambda v1, options: v1.payment_intents.create_async(asked, options)
            )
        except Declined as refusal:
            # It may be an old answer, too: somebody may have confirmed the payment since.
            intent_id = identity(refusal.error.get("payment_intent"))
            found = None if intent_id is None else await self._read(_with_ids(order, None, intent_id), customer)
            return found or declined(order.mode, refusal.error, order.id, customer, live=self.live)
        return intent if isinstance(intent, Payment) else payment_of(order.mode, None, intent)

    async def _cancel(self, order: Order) -> Payment | None:
        session, intent = await finding.find(self.asker, order, await self._customer(order))
        v1 = self.asker.v1
        try:
            if session is not None and session["status"] == "open":
                open_session = session["id"]
                await self.asker.ask(lambda: v1.checkout.sessions.expire_async(open_session))
            elif session is None and intent is not None and intent["status"] not in ("succeeded", "canceled"):
                open_intent = intent["id"]
                await self.asker.ask(lambda: v1.payment_intents.cancel_async(open_intent))
        except Refused as refused:  # it was paid, or ended, just now
            logger.info("%s cannot be canceled at Stripe: %s", order.id, refused.code)
        known = (session or {}).get("id") or order.session, (intent or {}).get("id") or order.payment
        return await self._read(_with_ids(order, *known), order.payer.provider_id)

    async def _refund(self, order: Order, refund_id: str, amount: int, reason: str) -> Payment:
        _, intent = await finding.find(self.asker, order, await self._customer(order))
        if intent is None or intent["status"] != "succeeded":
            raise ProviderRefused(f"{order.id} has no payment that could be refunded")
        refunds, _ = await finding.paybacks(self.asker, intent)
        if not any((each.get("metadata") or {}).get(REFUND) == refund_id for each in refunds):
            asked = params.refund(order, intent["id"], refund_id, amount, reason)
            await self._make(lambda v1, options: v1.refunds.create_async(asked, options), f"{refund_id}/refund")
        payment = await self._read(_with_ids(order, order.session, intent["id"]), order.payer.provider_id)
        if payment is None:
            raise ProviderUnavailable(f"{order.id} was there a moment ago")
        return payment

    # ─── how ─────────────────────────────────────────────────────────────────────────────────────────────
    async def _known(self, order: Order) -> Payment | None:
        """What was made for it before, where that can be: it has ids, or its key may be forgotten."""
        if order.session or order.payment or self._old(order):
            return await self.read(order)
        return None

    async def _read(self, order: Order, customer: str | None) -> Payment | None:
        session, intent = await finding.find(self.asker, order, customer)
        if session is None and intent is None:
            return None
        refunds, disputes = await finding.paybacks(self.asker, intent)
        return payment_of(order.mode, session, intent, refunds, disputes)

    async def _customer(self, order: Order) -> str | None:
        """Whose lists to look through. The answer to who it is may have been lost with the order's; it is asked again."""
        if order.payer.provider_id or order.session or order.payment:
            return order.payer.provider_id
        return await self.know(order.payer)

    def _old(self, order: Order) -> bool:
        return self._real_now() - order.created_at > params.KEYS_LIVE

    async def _made(self, order: Order, customer: str, purpose: str, request: _Request) -> Json | Payment:
        """The object that the request made, new; or the truth about the order, where it was asked for before: the key
        answers what was so then, was used with other words, or keeps an error."""
        try:
            made, old = await self.asker.ask_new(
                lambda: request(self.asker.v1, {"idempotency_key": f"{order.id}/{purpose}"})
            )
            if not old:
                return made
            is_session = made["object"] == "checkout.session"
            asked_before = _with_ids(order, made["id"] if is_session else None, None if is_session else made["id"])
            found = await self._read(asked_before, customer)
        except KeyUseless:
            found = await self._read(order, customer)
            if found is None:
                raise
        if found is None:
            raise ProviderUnavailable(f"{order.id} was there a moment ago")
        if found.subtotal is not None and found.subtotal != order.price:
            raise ProviderRefused(f"{order.id} was asked for before at another price")
        return found

    async def _make(self, request: _Request, key: str) -> Json:
        return await self.asker.ask(lambda: request(self.asker.v1, {"idempotency_key": key}))


def _must_be_countable(order: Order) -> None:
    if order.currency in params.COUNTED_OTHERWISE:
        raise ProviderRefused(f"Stripe counts {order.currency} in another unit; sell in another currency")


def _with_ids(order: Order, session: str | None, payment: str | None) -> Order:
    return replace(order, session=session, payment=payment)
