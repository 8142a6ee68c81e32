"""Recharge carried out: looks at an account's rule under the customer's lock, writes the intent, then has it charged.

The order of everything is that of any top-up (see `cashier.py`): what breaks off between the intent and the charge is found
by the next look at the order. What an attempt does to its rule is written with the attempt's own end.
"""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from credits.catalog.values import Bundle
from credits.customers.customers import Customer, lock_customer
from credits.db import Runs, bare
from credits.errors import Refusal
from credits.posting.reader import Page, Reader
from credits.recharge import booking, settle, statements
from credits.recharge.booking import Changed, Writing
from credits.recharge.cashier import Cashier
from credits.recharge.firing import (
    Charge,
    Decline,
    Pack,
    Standing,
    Suspend,
    ailing,
    failed,
    fire,
    resumed,
)
from credits.recharge.orders import Sale, insert_order, most_of, sale_of
from credits.recharge.provider import Provider, ProviderRefused
from credits.recharge.reads import list_methods
from credits.recharge.rules import Rule, read_rule, store_suffered
from credits.recharge.spending import ON_ITS_WAY, read_ahead
from credits.recharge.telling import tell_suspended
from credits.recharge.top_ups import TopUp, public_id
from credits.workspaces import Workspace

logger = logging.getLogger(__name__)

CAPPED = "monthly_cap"  # the decline code of an attempt that nobody was asked to pay for
CONFIRM_WITHIN = timedelta(hours=23)  # a day is what providers keep such a payment for

_COMMITS_WITHIN = timedelta(minutes=1)  # from when a rule is set until others can read it

Account = tuple[int, int]  # customer, credit type


@dataclass(slots=True)
class Ruled:
    """Accounts that a rule watches, as far as they were read; `since` is when whatever may be missing was set."""

    accounts: set[Account] = field(default_factory=set)
    since: datetime = datetime(1970, 1, 1, tzinfo=UTC)


class Recharger:
    """One per process. The arguments are those of the cashier."""

    def __init__(
        self,
        reader: Reader,
        cashier: Cashier,
        provider_for: Callable[[Workspace], Provider | None],
        real_now: Callable[[], datetime],
    ) -> None:
        self._reader = reader
        self._cashier = cashier
        self._provider_for = provider_for
        self._real_now = real_now

    async def fire(self, workspace_id: int, account: Account) -> TopUp | None:
        """Buys for the account where its rule says so now; the attempt, None where there is nothing to do."""
        async with self._reader.changing(workspace_id) as page:
            attempt = await self._attempt(page, *account)
        if attempt is None:
            return None
        self._cashier.publish(attempt)
        if not attempt.is_open:
            return attempt
        told = await self._cashier.send(workspace_id, attempt.place)
        return attempt if isinstance(told, Refusal) else told

    async def ruled(self, workspace_id: int, known: Ruled) -> Ruled:
        """Accounts that a rule watches: what is `known` of them, and what was set since, in the same object. Of many rules
        only those are read that somebody has set; one that is missed, because its commit took very long, is the sweep's."""
        async with self._reader.page(workspace_id) as page:
            rows = await (await bare(page.connection)).fetch(statements.FIND_RULED, workspace_id, known.since)
        for row in rows:
            change = known.accounts.add if row["enabled"] else known.accounts.discard
            change((row["customer_id"], row["credit_type_id"]))
            known.since = max(known.since, row["changed_at"] - _COMMITS_WITHIN)
        return known

    async def below(self, workspace_id: int, first: int, of: Collection[Account] | None = None) -> list[Account]:
        """Accounts whose rule has to buy, as it seems without a lock: of the workspace, or `of` these alone."""
        async with self._reader.page(workspace_id) as page:
            if self._provider_for(page.workspace) is None:
                return []
            runs = await bare(page.connection)
            asked = (workspace_id, page.workspace.now, self._real_now() - ON_ITS_WAY, first)
            if of is None:
                rows = await runs.fetch(statements.FIND_BELOW, *asked)
            else:
                customers, kinds = [each[0] for each in of], [each[1] for each in of]
                rows = await runs.fetch(statements.FIND_BELOW_OF, *asked, customers, kinds)
        return [(row["customer_id"], row["credit_type_id"]) for row in rows]

    async def give_up_unconfirmed(self, workspace_id: int, first: int) -> None:
        """Ends recharges that the customer should have confirmed: for too long already, which counts as a failure, or with
        a payment method that another one has taken the place of."""
        since = self._real_now() - CONFIRM_WITHIN
        async with self._reader.page(workspace_id) as page:
            runs = await bare(page.connection)
            rows = await runs.fetch(statements.FIND_UNCONFIRMED, workspace_id, since, first)
        for row in rows:
            place = (row["customer_id"], row["number"])
            try:
                await self._cashier.cancel(workspace_id, place)
            except ProviderRefused as error:
                logger.warning("the provider keeps the recharge %s: %s", public_id(place), error)

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
        standing, method = await self._standing(page, customer, rule, provider)
        match fire(rule, _pack(rule, bundle), standing, page.workspace.now):
            case Suspend(reason):
                await suffered(runs, page.workspace.id, rule, ailing(rule, reason, page.workspace.now))
                return None
            case Decline() as decline:
                return await self._decline(page, rule, _sale(bundle, 1), decline, provider)
            case Charge(quantity):
                return await self._order(page, rule, _sale(bundle, quantity), provider, method)
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
        writing = Writing(page.workspace.now, self._real_now())
        step = settle.refused(placed, firing.reason, CAPPED)
        attempt, _ = await booking.write(runs, placed, [], step, writing)
        await store_suffered(runs, replace(rule, capped_until=firing.until))
        return attempt


def suffering(attempts: int) -> Changed:
    """What an attempt's end does to its rule, in the database transaction of that end: for the cashier to write along.
    `attempts`: failures in a row after which the rule rests until the payment method changes."""

    async def suffer(runs: Runs, was: TopUp, after: TopUp) -> None:
        paid = after.is_paid and not was.is_paid  # also what had failed, and was paid after all
        contested = after.status == "DISPUTED" and was.status != "DISPUTED"
        if not contested and (not after.automatic or not (paid or (was.is_open and not after.is_open))):
            return
        rule = await read_rule(runs, after.customer_id, after.credit_type_id)
        if rule is None:
            return
        if contested:  # whoever takes money back at the bank is not charged for what is missing then
            if rule.suspended_at is None:
                await suffered(runs, after.workspace_id, rule, ailing(rule, settle.CONTESTED, after.changed_at))
        elif paid:
            await store_suffered(runs, resumed(rule))
        elif await _says_something(runs, after):
            why = after.failure or "it was not confirmed"
            now = failed(rule, why, after.changed_at, attempts=attempts)
            await suffered(runs, after.workspace_id, rule, now)

    return suffer


async def _says_something(runs: Runs, ended: TopUp) -> bool:
    """Whether an attempt that came to nothing says anything of the payment method that the next one would be made by."""
    if ended.decline_code == CAPPED or (ended.status == "CANCELED" and ended.payment is None):
        return False  # nobody was asked for money
    with_ = (ended.customer_id, ended.provider, ended.method, ended.created_at)
    row = await runs.fetchrow(statements.OTHER_METHOD, *with_)
    return row is None or not row["other"]


async def suffered(runs: Runs, workspace_id: int, was: Rule, now: Rule) -> None:
    """Writes what became of the rule, under the customer's lock, and tells that it is suspended where it now is."""
    await store_suffered(runs, now)
    if was.suspended_at is None and now.suspended_at is not None:
        await tell_suspended(runs, workspace_id, now)


async def forgive(page: Page, customer_id: int) -> None:
    """The customer's payment methods became others: every rule goes on. For the cashier to write along."""
    await (await bare(page.connection)).execute(statements.FORGIVE, customer_id)


def _pack(rule: Rule, bundle: Bundle) -> Pack:
    one = sale_of(bundle, 1)
    fits = (bundle.credit_type_id, bundle.currency) == (rule.credit_type_id, rule.currency)
    if not isinstance(one, Sale) or not fits:
        return Pack(1, 1, fits=False)
    return Pack(one.credits, one.price, most=most_of(one))


def _sale(bundle: Bundle, quantity: int) -> Sale:
    """Of a pack that fits, no more than the most of it."""
    sale = sale_of(bundle, quantity)
    if not isinstance(sale, Sale):
        raise TypeError(f"{quantity} of {bundle.key!r} cannot be sold: {sale.message}")
    return sale
