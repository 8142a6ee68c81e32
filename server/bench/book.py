"""A long book for one account, made by the ledger's own rules, chain and all, and copied into the tables by their owner.

A year of usage: two features, a plan's grant that expires each month beside a purchase, most usage recorded within
seconds, some of it hours late. Through the front door it would take ten times as long.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import asyncpg

from credits.amount import MICRO
from credits.catalog.load import load_catalog_hot
from credits.catalog.values import Catalog, Rate
from credits.customers.customers import Customer, upsert_customer
from credits.db import Database
from credits.enforcement.decide import Policies
from credits.ledger.account import Account, Grant
from credits.ledger.advance import advance
from credits.ledger.burn import burn
from credits.ledger.entries import Cause, Entry
from credits.ledger.grants import give
from credits.ledger.rows import flatten, sole_grant
from credits.posting.book import Book
from credits.posting.closing import close_book
from server.bench.world import CREDIT_TYPE

SPAN = timedelta(days=365)
_MONTH = timedelta(days=30)
_LATE = 0.03  # of the entries are minutes to hours late, the rest seconds
_SECOND = timedelta(seconds=1)
_PLAN = 100_000 * MICRO
_PURCHASE = 10**9 * MICRO
_COLUMNS = (
    *("customer_id", "amount", "balance_after", "recorded_at", "occurred_at", "workspace_id", "credit_type_id"),
    *("sequence", "feature_id", "rate_id", "grant_number", "kind", "hash", "allocations", "quantity"),
)


@dataclass(frozen=True, slots=True)
class LongBook:
    """What was made: whose, in which credit type, of how many entries, from when to when."""

    customer: str
    credit_type_id: int
    entries: int
    begins: datetime
    ends: datetime


async def fill(url: str, workspace_id: int, customer: str, entries: int) -> LongBook:
    """Makes the customer with a book of so many entries, which ends now."""
    database = await Database.connect(url, size=1)
    owner = await asyncpg.connect(url)
    try:
        now = datetime.now(UTC)
        async with database.transaction(workspace_id) as connection:
            made = await upsert_customer(connection, workspace_id, customer, {}, now)
        if not isinstance(made, tuple):
            raise TypeError(f"the bench's customer is refused: {made}")
        async with database.hot(workspace_id) as hot:
            catalog = await load_catalog_hot(hot, workspace_id)
        account = _open(catalog, workspace_id, made[0])
        begins = now - SPAN
        rows = map(_row, _entries(account, catalog, begins, now, entries))
        await owner.copy_records_to_table("entries", records=rows, columns=_COLUMNS)
        async with database.hot(workspace_id) as hot:
            await close_book(hot, _book(catalog, account, now))
        for table in ("entries", "accounts", "grants"):
            await owner.execute(f"VACUUM ANALYZE {table}")  # what autovacuum does for a book that has grown
        return LongBook(customer, account.credit_type_id, account.sequence, begins, now)
    finally:
        await owner.close()
        await database.close()


def _open(catalog: Catalog, workspace_id: int, customer: Customer) -> Account:
    credit_type = catalog.credit_type_by_key(CREDIT_TYPE)
    if credit_type is None:
        raise LookupError(CREDIT_TYPE)
    return Account(workspace_id, customer.id, credit_type.id, credit_type.burn_order)


def _book(catalog: Catalog, account: Account, now: datetime) -> Book:
    """The page that stores the account and its grants; the entries are there."""
    book = Book(account.workspace_id, now, timedelta(days=7), catalog, Policies([]))
    place = (account.customer_id, account.credit_type_id)
    book.accounts[place] = account
    book.new_accounts.add(place)
    return book


def _entries(account: Account, catalog: Catalog, begins: datetime, ends: datetime, count: int) -> Iterator[Entry]:
    """At least so many entries, in the order of the book; the account follows them."""
    draw = random.Random(1)  # noqa: S311 -- a workload, no secret
    rates = [rate for cohort in catalog.cohorts for card in cohort.cards for rate in card.rates]
    step = (ends - begins) / count
    quantities = [Decimal(draw.randint(1, 4_000)) for _ in range(4_096)]
    causes = [
        (_cause(rate, quantity), int(quantity * rate.per_unit * MICRO)) for rate in rates for quantity in quantities
    ]
    _give(account, "PURCHASE", _PURCHASE, begins, None)
    month = begins
    for number in range(count):
        now = begins + step * number
        if now >= month:
            _give(account, "PLAN", _PLAN, month, month + _MONTH)
            month += _MONTH
        if account.due_at is not None and account.due_at <= now:
            advance(account, now)
        away = 14_400 if draw.random() < _LATE else 3
        cause, amount = draw.choice(causes)
        burn(account, amount, occurred_at=now - draw.random() * away * _SECOND, now=now, cause=cause)
        yield from account.entries
        account.entries.clear()


def _give(account: Account, source: str, amount: int, at: datetime, expires_at: datetime | None) -> None:
    grant = Grant(0, source, "SCHEDULED", amount, amount, 50, at, expires_at, at)
    advance(account, at)
    give(account, grant, at)


def _cause(rate: Rate, quantity: Decimal) -> Cause:
    return Cause(feature_id=rate.feature_id, rate_id=rate.id, quantity=quantity)


def _row(entry: Entry) -> tuple[object, ...]:
    sole = sole_grant(entry)
    return (
        *(entry.customer_id, entry.amount, entry.balance_after, entry.recorded_at),
        *(None if entry.occurred_at == entry.recorded_at else entry.occurred_at, entry.workspace_id),
        *(entry.credit_type_id, entry.sequence, entry.cause.feature_id, entry.cause.rate_id, sole),
        *(int(entry.kind), entry.hash, None if sole else flatten(entry.allocations), entry.cause.quantity),
    )
