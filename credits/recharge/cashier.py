"""The cashier: asks the provider for money, and does what its truth says. The one way in for whatever is told of payments.

The order of everything: the intent is stored → the provider is asked, outside of any database transaction, under the
intent's own id → what it says is settled, step by step, each in one database transaction. Wherever this breaks off, the
same question finds what has happened: the same key, the next look, or what the provider tells by itself.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta

from credits import durations
from credits.customers.customers import Customer, lock_customer
from credits.db import bare
from credits.errors import Conflict, NotAllowed, NotFound, Refusal
from credits.posting.reader import Page, Reader
from credits.posting.writer import Writer
from credits.recharge import booking, refunds, settle, statements
from credits.recharge.booking import Booking, Changed, Writing
from credits.recharge.methods import keep_methods, know_again, known_to, payer_of
from credits.recharge.moving import command_of
from credits.recharge.orders import Wish, nobody_takes_money, place_order, to_be_ended, unavailable
from credits.recharge.provider import (
    Mode,
    Order,
    Payment,
    Provider,
    ProviderName,
    ProviderRefused,
    ProviderUnavailable,
    Setup,
)
from credits.recharge.reads import read_paybacks
from credits.recharge.refunds import RefundWish
from credits.recharge.seen import see, theirs
from credits.recharge.settle import Issue, Step
from credits.recharge.top_ups import REFUSED, KeptPayback, Place, TopUp, public_id
from credits.workspaces import Workspace

logger = logging.getLogger(__name__)

CLAIM = timedelta(minutes=1)  # how long whoever has taken a look upon itself is trusted to do it
_FORGOTTEN = timedelta(hours=24)  # an intent that the provider was never asked for: nobody waits for it any more
_CHARGE_WITHIN = timedelta(hours=1)  # a charge with nobody there that was never made is still wanted for so long
_REFUND_WITHIN = timedelta(hours=1)  # likewise a refund; then what it would have paid back is free again
_ROUNDS = 100  # steps of one truth, besides each payback twice: who is second to each of them begins again

Ask = Callable[[Provider, Order], Awaitable[Payment | None]]


class Cashier:
    """One per process. `provider_for` says who takes a workspace's money; None: nobody is set up to.

    `publish(workspace_id, customer_id, micros)` is called after the commit of a change, `micros` is its instant. `changed`
    writes with each change of a top-up, in its database transaction. `methods_changed` likewise, where the payment methods
    of a customer became others.
    """

    def __init__(
        self,
        reader: Reader,
        writer: Writer,
        provider_for: Callable[[Workspace], Provider | None],
        publish: Callable[[int, int, int], None],
        real_now: Callable[[], datetime],
        *,
        changed: tuple[Changed, ...] = (),
        methods_changed: tuple[Callable[[Page, int], Awaitable[None]], ...] = (),
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._provider_for = provider_for
        self._publish = publish
        self._real_now = real_now
        self._changed = changed
        self._methods_changed = methods_changed

    def taker(self, workspace: Workspace) -> ProviderName | None:
        """Who takes the workspace's money; None: nobody is set up to."""
        provider = self._provider_for(workspace)
        return None if provider is None else provider.name

    # ─── what people want ──────────────────────────────────────────────────────────────────────────
    async def start(self, workspace_id: int, customer: Customer, wish: Wish) -> TopUp | Refusal:
        """Buys credits: the order of that key, known to the provider. Refused with UNAVAILABLE where the provider cannot
        say; the same key finishes it. A decline is no refusal here: see `top_ups.failed`. Where `wish.replaces` has been
        paid meanwhile, that is the answer, and nothing is bought."""
        instead = None if wish.replaces is None else await self._make_way(workspace_id, customer, wish)
        if instead is not None:
            return instead
        async with self._reader.changing(workspace_id) as page:
            provider = self._provider_for(page.workspace)
            name = None if provider is None else provider.name
            placed = await place_order(page, customer, wish, provider=name, real_now=self._real_now())
        if isinstance(placed, Refusal) or not placed.is_open or placed.checkout_url or placed.client_secret:
            return placed
        return await self.send(workspace_id, placed.place)

    async def send(self, workspace_id: int, place: Place) -> TopUp | Refusal:
        """Asks the provider for an order that is stored: once, however often it is asked."""
        told = await self._ask(workspace_id, place, _begin)
        if isinstance(told, Refusal):
            return told
        if told.status == "CANCELED":  # while the provider was asked: what it has begun is ended, too
            ended = await self._ask(workspace_id, place, _cancel)
            return told if isinstance(ended, Refusal) else ended
        return told

    async def cancel(self, workspace_id: int, place: Place) -> TopUp | Refusal:
        """Ends what has not been paid, also what was declined and might be paid yet; what is canceled stays so. Refused
        with CONFLICT where it is paid, or has failed for good."""
        top_up = await self._ended(workspace_id, place)
        if isinstance(top_up, Refusal) or top_up.status == "CANCELED":
            return top_up
        if top_up.is_paid:
            return Conflict("the top-up is paid")
        return Conflict("the top-up cannot be canceled any more" if top_up.is_open else "the top-up has failed")

    async def refund(self, workspace_id: int, place: Place, wish: RefundWish) -> TopUp | Refusal:
        """Pays back a part of what was paid, or all that is left; the credits go with it. Refused with UNAVAILABLE where
        the provider cannot say; the same key asks again, and nothing is paid back twice."""
        async with self._reader.changing(workspace_id) as page:
            asked = await refunds.ask(page, place, wish, writing=self._writing(page))
        if isinstance(asked, Refusal):
            return asked
        top_up, payback = asked
        if payback.status == "ASKED":
            told = await self._pay_back(workspace_id, payback)
            if isinstance(told, Refusal):
                return told
            top_up = told
        async with self._reader.page(workspace_id) as page:
            seen = await see(page, place)
        kept = [] if seen is None else [each for each in seen.kept if each.number == payback.number]
        if kept and kept[0].status in ("FAILED", "UNDONE"):
            return Conflict("the refund has failed; another key asks again")
        return top_up

    # ─── what the provider says ────────────────────────────────────────────────────────────────────
    async def look(self, workspace_id: int, place: Place) -> TopUp | None:
        """Asks the provider for the truth, and does what it says. None: no such top-up. Raises `ProviderUnavailable`."""
        async with self._reader.page(workspace_id) as page:
            seen = await see(page, place)
            provider = self._provider_for(page.workspace)
        if seen is None:
            return None
        top_up = seen.top_up
        if provider is None or provider.name != top_up.provider:
            return top_up
        payment = await provider.read(seen.order())
        if payment is not None:
            top_up = await self.take(workspace_id, place, payment)
            return top_up if top_up.look_at is None else await self._pay_back_what_waits(workspace_id, top_up)
        age = self._real_now() - top_up.asked_at
        if not top_up.is_open:
            return top_up
        if top_up.mode == "OFF_SESSION" and age < _CHARGE_WITHIN:
            told = await self.send(workspace_id, place)
            return top_up if isinstance(told, Refusal) else told
        if age > (_CHARGE_WITHIN if top_up.mode == "OFF_SESSION" else _FORGOTTEN):
            return await self._end(workspace_id, place, "the payment was never begun")
        return await self._step(workspace_id, place, lambda _: None)

    async def take(self, workspace_id: int, place: Place, payment: Payment) -> TopUp:
        """Does what the provider has just said of it. Any number of times, at any time, in any number of processes.

        Raises `LookupError` where there is no such top-up, `Unavailable` where the store cannot say.
        """
        for _ in range(_ROUNDS + 2 * len(payment.paybacks)):
            top_up, moving = await self._settle(workspace_id, place, payment)
            if moving is None:
                return top_up
            credit_type, step, companion = moving
            command = command_of(top_up, credit_type, step, companion)
            answer = command.form() or await self._writer.post(workspace_id, command)
            if isinstance(answer, Refusal):
                return await self._not_booked(workspace_id, place, answer)
            if companion.after is not None:
                self.publish(companion.after)
        raise RuntimeError(f"the truth about {public_id(place)} does not come to an end")

    async def due(self, workspace_id: int, real_now: datetime, first: int) -> list[Place]:
        """Whose provider is to be asked now: each is claimed for a minute, so that processes share them."""
        async with self._reader.changing(workspace_id) as page:
            runs = await bare(page.connection)
            rows = await runs.fetch(statements.CLAIM_DUE, workspace_id, real_now, real_now + CLAIM, first)
        return [(row["customer_id"], row["number"]) for row in rows]

    async def report(self, workspace_id: int, issue: Issue, place: Place | None = None) -> None:
        """Puts before an operator what the provider has told and belongs to nothing of ours."""
        async with self._reader.changing(workspace_id) as page:
            await booking.report(await bare(page.connection), issue, place, page.workspace.now)

    # ─── payment methods ───────────────────────────────────────────────────────────────────────────
    async def set_up(
        self, workspace_id: int, customer: Customer, mode: Mode, return_url: str | None
    ) -> Setup | Refusal:
        """Where, or with which secret, the customer saves a payment method."""
        async with self._reader.page(workspace_id) as page:
            provider = self._provider_for(page.workspace)
            payer = None if provider is None else await payer_of(page, customer, provider.name)
        if provider is None or payer is None:
            return nobody_takes_money()
        try:
            if payer.provider_id is None:
                payer = await known_to(self._reader, workspace_id, provider, payer)
            return await provider.set_up(payer, mode, return_url)
        except ProviderUnavailable as error:
            logger.warning("the payment provider cannot answer: %s", error)
            raise
        except ProviderRefused as error:
            logger.warning("saving a payment method was refused: %s", error)
            await know_again(self._reader, workspace_id, provider, payer, error)
            return NotAllowed("the payment provider would not save a payment method")

    async def refresh_methods(self, workspace_id: int, customer: Customer) -> bool:
        """Keeps what is saved with the provider now; whether anything became another. Raises `ProviderUnavailable`."""
        async with self._reader.page(workspace_id) as page:
            provider = self._provider_for(page.workspace)
            payer = None if provider is None else await payer_of(page, customer, provider.name)
        if provider is None or payer is None:
            return False
        methods = await provider.methods(payer)
        async with self._reader.changing(workspace_id) as page:
            changed = await keep_methods(page, customer.id, provider.name, methods)
            for also in self._methods_changed if changed else ():
                await also(page, customer.id)
        return changed

    # ─── within ────────────────────────────────────────────────────────────────────────────────────
    async def _make_way(self, workspace_id: int, customer: Customer, wish: Wish) -> TopUp | Refusal | None:
        """Ends what the wish replaces. What is returned is the answer instead, and nothing is bought."""
        async with self._reader.page(workspace_id) as page:
            place = await to_be_ended(page, customer, wish)
        before = place if place is None or isinstance(place, Refusal) else await self._ended(workspace_id, place)
        if before is None or isinstance(before, Refusal) or before.is_paid:
            return before
        return Conflict("the top-up to be replaced cannot be canceled any more") if before.is_open else None

    async def _ended(self, workspace_id: int, place: Place) -> TopUp | Refusal:
        """The top-up as it is once the provider was told to end it, where it may be paid yet."""
        async with self._reader.page(workspace_id) as page:
            seen = await see(page, place)
        if seen is None:
            return NotFound("no such top-up")
        top_up = seen.top_up
        for _ in range(2):  # once more where the provider has begun it meanwhile
            if not top_up.may_be_paid:
                break
            told = await self._ask(workspace_id, place, _cancel)
            if isinstance(told, Refusal):
                return told
            top_up = await self._end(workspace_id, place, None)
        return top_up

    async def _ask(self, workspace_id: int, place: Place, ask: Ask) -> TopUp | Refusal:
        """Asks the provider something about a stored order, and does what it says. Raises `ProviderRefused` where it will
        not; where it will not begin, the top-up has failed."""
        async with self._reader.page(workspace_id) as page:
            seen = await see(page, place)
            provider = self._provider_for(page.workspace)
        if seen is None:
            return NotFound("no such top-up")
        if provider is None or provider.name != seen.top_up.provider:
            return nobody_takes_money()
        if ask is _begin and not seen.top_up.is_open:
            return seen.top_up  # it has ended since whoever begins it has looked: nobody is to be charged for it
        try:
            if seen.payer.provider_id is None:
                seen = replace(seen, payer=await known_to(self._reader, workspace_id, provider, seen.payer))
            payment = await ask(provider, seen.order())
        except ProviderUnavailable as error:
            logger.warning("%s: the payment provider cannot answer: %s", seen.top_up.id, error)
            return unavailable()
        except ProviderRefused as error:
            await know_again(self._reader, workspace_id, provider, seen.payer, error)
            if ask not in (_begin, _cancel):
                raise
            logger.warning("%s: the payment provider refused: %s", seen.top_up.id, error)
            if ask is _cancel:
                return Conflict("the payment provider would not cancel the payment")
            return await self._refused(workspace_id, place, str(error))
        return seen.top_up if payment is None else await self.take(workspace_id, place, payment)

    async def _pay_back(self, workspace_id: int, payback: KeptPayback) -> TopUp | Refusal:
        """Asks the provider for a refund that is stored: once, however often it is asked."""

        async def pay_back(provider: Provider, order: Order) -> Payment:
            return await provider.refund(order, payback.id, payback.amount, payback.reason or "")

        try:
            return await self._ask(workspace_id, payback.of, pay_back)
        except ProviderRefused as error:
            logger.warning("the refund %s was refused: %s", payback.id, error)
            await self._give_up(workspace_id, payback)
            return Conflict(f"the payment provider refused: {error}")

    async def _pay_back_what_waits(self, workspace_id: int, top_up: TopUp) -> TopUp:
        """Asks for refunds that the provider does not know of: whoever asked for them has died, or was not heard."""
        async with self._reader.page(workspace_id) as page:
            kept, now = (await read_paybacks(page.connection, [top_up.place])).get(top_up.place, []), page.workspace.now
        for payback in kept:
            if payback.status != "ASKED":
                continue
            if now - (payback.created_at or now) > _REFUND_WITHIN:
                await self._give_up(workspace_id, payback)
                continue
            told = await self._pay_back(workspace_id, payback)
            top_up = top_up if isinstance(told, Refusal) else told
        return top_up

    async def _give_up(self, workspace_id: int, payback: KeptPayback) -> None:
        async with self._reader.changing(workspace_id) as page:
            await refunds.give_up(page, payback, writing=self._writing(page))

    async def _settle(
        self, workspace_id: int, place: Place, payment: Payment
    ) -> tuple[TopUp, tuple[str, Step, Booking] | None]:
        """Does what moves no credits, and says what is next that does: the key of its credit type, the step, and what goes
        with it. None: the truth is settled, or put before an operator."""
        moving = None
        async with self._reader.changing(workspace_id) as page:
            await lock_customer(page.connection, place[0])
            seen = await see(page, place)
            if seen is None:
                raise LookupError(f"no top-up {place}")
            runs, writing = await bare(page.connection), self._writing(page)
            was = top_up = seen.top_up
            kept = seen.kept
            issues = seen.mismatches(payment, self._provider_for(page.workspace))
            for issue in issues:
                logger.error("%s: %s: %s instead of %s", top_up.id, issue.message, issue.actual, issue.expected)
                await booking.report(runs, issue, place, writing.now)
            while not issues and (step := settle.next_step(top_up, kept, payment, seen.unit)) is not None:
                if step.moves is not None:
                    who = await theirs(page, seen)
                    companion = Booking(place, step.moves, payment, seen.unit, writing.real_now, self._changed, who)
                    moving = seen.credit_type, step, companion
                    break
                top_up, kept = await booking.write(runs, top_up, kept, step, writing)
            if moving is None and top_up is was and was.look_at is not None:
                later = booking.look_again(top_up, kept, writing.now, writing.real_now)
                await runs.execute(statements.LOOK_LATER, *place, later, top_up.version)
        if top_up is not was:
            self.publish(top_up)
        return top_up, moving

    async def _not_booked(self, workspace_id: int, place: Place, refusal: Refusal) -> TopUp:
        """Money has moved, and the ledger will not: an operator has to see to it. The next look tries again."""
        code: str = getattr(refusal, "code", "")
        issue = Issue("NOT_BOOKED", f"the ledger refused: {refusal.message}", None, code)
        logger.error("%s: %s", public_id(place), issue.message)
        await self.report(workspace_id, issue, place)
        return await self._step(workspace_id, place, lambda _: None)

    async def _refused(self, workspace_id: int, place: Place, message: str) -> TopUp:
        """The provider would not have the order: it has failed, and an operator sees why."""
        await self.report(workspace_id, Issue("REFUSED", "the provider refused the order", None, message), place)
        failure = "the payment could not be started"
        return await self._step(workspace_id, place, lambda of: settle.refused(of, failure, REFUSED))

    async def _end(self, workspace_id: int, place: Place, reason: str | None) -> TopUp:
        """Canceled, where it is still open and the provider has never told of it."""
        return await self._step(workspace_id, place, lambda of: None if of.is_known else settle.ended(of, reason))

    async def _step(self, workspace_id: int, place: Place, step: Callable[[TopUp], Step | None]) -> TopUp:
        """A step that the provider has not told, where the top-up is open; else, or where there is none, another look."""
        async with self._reader.changing(workspace_id) as page:
            await lock_customer(page.connection, place[0])
            runs, writing = await bare(page.connection), self._writing(page)
            found = await booking.read(runs, place)
            if found is None:
                raise LookupError(f"no top-up {place}")
            top_up, kept = found
            doing = step(top_up) if top_up.is_open else None
            if doing is not None:
                top_up, _ = await booking.write(runs, top_up, kept, doing, writing)
            elif top_up.look_at is not None:
                later = booking.look_again(top_up, kept, writing.now, writing.real_now)
                await runs.execute(statements.LOOK_LATER, *place, later, top_up.version)
        if doing is not None:
            self.publish(top_up)
        return top_up

    def _writing(self, page: Page) -> Writing:
        return Writing(page.workspace.now, self._real_now(), self._changed)

    def publish(self, top_up: TopUp) -> None:
        """Tells whoever watches that it changed, after the commit."""
        self._publish(top_up.workspace_id, top_up.customer_id, durations.micros(top_up.changed_at))


async def _begin(provider: Provider, order: Order) -> Payment:
    return await (provider.charge(order) if order.mode == "OFF_SESSION" else provider.start(order))


async def _cancel(provider: Provider, order: Order) -> Payment | None:
    return await provider.cancel(order)
