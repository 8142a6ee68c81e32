"""What a rule looks at besides its account: what is on its way, and what this month has cost."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from credits.customers.customers import Customer, read_customers
from credits.db import bare
from credits.posting.reader import Page
from credits.recharge import statements
from credits.recharge.rules import Rule
from credits.windows import window

# A checkout that somebody has left counts as on its way for so long; a recharge counts until it ends.
ON_ITS_WAY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Ahead:
    """`pending` in micro-credits, `spent` in the smallest unit of the rule's currency."""

    attempting: bool
    pending: int
    spent: int
    month_end: datetime


async def read_ahead(page: Page, customer: Customer, rule: Rule, since: datetime) -> Ahead:
    """Of the calendar month of the customer's timezone. Top-ups that a person began count as pending from `since` on, in
    real time."""
    month = window("MONTH", customer.timezone, page.workspace.now)
    place = (rule.customer_id, rule.credit_type_id)
    runs = await bare(page.connection)
    row = await runs.fetchrow(statements.AHEAD_OF, *place, since, rule.currency, month.start)
    assert row is not None  # noqa: S101 -- sums have a row
    return Ahead(row["attempting"], row["pending"], row["spent"], month.end)


async def read_spent(page: Page, rule: Rule) -> int:
    """What recharges of this month cost."""
    customer = (await read_customers(page.connection, [rule.customer_id]))[rule.customer_id]
    return (await read_ahead(page, customer, rule, page.workspace.now)).spent
