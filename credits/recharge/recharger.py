"""Recharge carried out: looks at an account's rule under the customer's lock, writes the intent, then has it charged.

The order of everything is that of any top-up (see `cashier.py`): what breaks off between the intent and the charge is found
by the next look at the order. What an attempt does to its rule is written with the attempt's own end.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError

from credits.customers.customers import Customer, lock_customer
from credits.db import Runs, bare
from credits.errors import Refusal
from credits.posting.reader import Page, Reader
from credits.recharge import booking, settle, statements
from credits.recharge.booking import Changed, Telling
from credits.recharge.cashier import Cashier
from credits.recharge.firing import Charge, Decline, Firing, Pack, Standing, Suspend, failed, fire, resumed, suspended
from credits.recharge.orders import Sale, insert_order, sale_of
from credits.recharge.provider import Provider
from credits.recharge.reads import list_methods
from credits.recharge.rules import Rule, read_rule, store_suffered
from credits.recharge.spending import ON_ITS_WAY, read_ahead
from credits.recharge.top_ups import TopUp
from credits.workspaces import Workspace

logger = logging.getLogger(__name__)

CAPPED = "monthly_cap"  # the decline code of an attempt that nobody was asked to pay for
CONFIRM_WITHIN = timedelta(hours=23)  # a day is what providers keep such a payment for

Account = tuple[int, int]  # customer, credit type


class Recharger:
    """One per process. The arguments are those of the cashier."""

    def __init__(
        self,
        reader: Reader,
        cashier: Cashier,
        provider_for: Callable[[Workspace], Provider | None],
        real_now: Callable[[], datetime],
        *,
        changed: tuple[Changed, ...] = (),
    ) -> None:
        self._reader = reader
        self._cashier = cashier
        self._provider_for = provider_for
        self._real_now = real_now
        self._changed = changed

    async def fire(self, workspace_id: int, account: Account) -> TopUp | None:
        """Buys for the account where its rule says so now; the attempt, None where there is nothing to do."""
        try:
            async with self._reader.changing(workspace_id) as page:
                attempt = await self._attempt(page, *account)
        except IntegrityError:  # somebody else was faster: one_recharge_at_a_time
            logger.info("a recharge of %s is under way already", account)
            return None
        if attempt is None:
            return None
        self._cashier.publish(attempt)
        if not attempt.is_open:
            return attempt
        told = await self._cashier.send(workspace_id, attempt.place)
        return attempt if isinstance(told, Refusal) else told

    async def ruled(self, workspace_id: int) -> set[Account]:
        """Accounts that a rule watches."""
        async with self._reader.page(workspace_id) as page:
            rows = await (await bare(page.connection)).fetch(statements.FIND_RULED, workspace_id)
        return {(row["customer_id"], row["credit_type_id"]) for row in rows}

    async def below(self, workspace_id: int, first: int) -> list[Account]:
        """Accounts whose rule may have to buy."""
        async with self._reader.page(workspace_id) as page:
            runs = await bare(page.connection)
            rows = await runs.fetch(statements.FIND_BELOW, workspace_id, page.workspace.now, first)
        return [(row["customer_id"], row["credit_type_id"]) for row in rows]

    async def give_up_unconfirmed(self, workspace_id: int, first: int) -> None:
        """Ends recharges that wait for the customer to confirm them for too long: each counts as a failure."""
        since = self._real_now() - CONFIRM_WITHIN
        async with self._reader.page(workspace_id) as page:
            runs = await bare(page.connection)
            rows = await runs.fetch(statements.FIND_UNCONFIRMED, workspace_id, since, first)
        for row in rows:
            await self._cashier.cancel(workspace_id, (row["customer_id"], row["number"]))

    async def _attempt(self, page: Page, customer_id: int, credit_type_id: int) -> TopUp | None:
        """Under the customer's lock: what the rule decides, written."""
        provider = self._provider_for(page.workspace)
        customer = await lock_customer(page.connection, customer_id)
        if provider is None or customer is None:
            return None
        runs = await bare(page.connection)
        rule = await read_rule(runs, customer_id, credit_type_id)
        bundle = None if rule is None else page.catalog.bundle(rule.bundle_id)
        if rule is None or bundle is None:
            return None
        one = sale_of(bundle, 1)
        if not isinstance(one, Sale):
            logger.error("the recharge rule of customer %s cannot buy: %s", customer.key, one.message)
            return None
        standing, method = await self._standing(page, customer, rule, provider)
        firing: Firing = fire(rule, Pack(one.credits, one.price), standing, page.workspace.now)
        match firing:
            case Suspend():
                await store_suffered(runs, suspended(rule, firing.reason, page.workspace.now))
                return None
            case Decline():
                return await self._decline(page, rule, one, firing, provider)
            case Charge():
                sale = sale_of(bundle, firing.quantity)
                if not isinstance(sale, Sale):
                    logger.error("the recharge rule of customer %s cannot buy: %s", customer.key, sale.message)
                    return None
                return await self._order(page, rule, sale, provider, method)
            case None:
                return None

    async def _standing(
        self, page: Page, customer: Customer, rule: Rule, provider: Provider
    ) -> tuple[Standing, str | None]:
        """What the rule looks at, and the payment method it would charge."""
        account = (await page.accounts(customer)).get((customer.id, rule.credit_type_id))
        ahead = await read_ahead(page, customer, rule, self._real_now() - ON_ITS_WAY)
        methods = await list_methods(page.connection, customer.id, provider.name)
        standing = Standing(
            available=0 if account is None else account.available,
            pending=ahead.pending,
            spent=ahead.spent,
            month_end=ahead.month_end,
            attempting=ahead.attempting,
            has_method=bool(methods),
        )
        return standing, methods[0].provider_id if methods else None

    async def _order(self, page: Page, rule: Rule, sale: Sale, provider: Provider, method: str | None) -> TopUp:
        return await insert_order(
            page,
            rule.customer_id,
            sale,
            provider=provider.name,
            mode="OFF_SESSION",
            method=method,
            automatic=True,
            actor_id=rule.actor_id,
            real_now=self._real_now(),
        )

    async def _decline(self, page: Page, rule: Rule, one: Sale, firing: Decline, provider: Provider) -> TopUp:
        """An attempt that the customer sees, and for which nobody is asked for money."""
        placed = await self._order(page, rule, one, provider, None)
        runs = await bare(page.connection)
        telling = Telling(page.workspace.now, self._real_now(), self._changed)
        step = settle.refused(placed, firing.reason, CAPPED)
        attempt, _ = await booking.write(runs, placed, [], step, telling)
        await store_suffered(runs, replace(rule, try_at=firing.until))
        return attempt


def suffering(attempts: int) -> Changed:
    """What an attempt's end does to its rule, in the database transaction of that end: for the cashier to write along.
    `attempts`: failures in a row after which the rule rests until the payment method changes."""

    async def suffer(runs: Runs, was: TopUp, after: TopUp) -> None:
        if not after.automatic or not was.is_open or after.is_open or after.decline_code == CAPPED:
            return
        rule = await read_rule(runs, after.customer_id, after.credit_type_id)
        if rule is None:
            return
        if after.is_paid:
            await store_suffered(runs, resumed(rule))
            return
        why = after.failure or "it was not confirmed"
        await store_suffered(runs, failed(rule, why, after.changed_at, attempts=attempts))

    return suffer


async def forgive(page: Page, customer_id: int) -> None:
    """The customer's payment methods became others: every rule goes on. For the cashier to write along."""
    await (await bare(page.connection)).execute(statements.FORGIVE, customer_id)
