"""Reconciliation of money: what is kept of revenue, against the entries and what was paid."""

import asyncpg
import pytest

from credits.revenue.projection import tell_all
from tests.credits.posting.till import Till
from tests.credits.proof.test_reconcile import checks, reconciled
from tests.credits.revenue.asking import sell

REVENUE: dict[str, tuple[str, set[str]]] = {
    "a line": (
        "UPDATE revenue_lines SET earned = 41 WHERE {at} AND earned = 40",
        {"revenue lines of {day} USD: earned"},
    ),
    "a day": ("UPDATE revenue_days SET earned = 41 WHERE {at}", {"revenue of {day} USD: earned"}),
    "a sale": (
        "UPDATE money_movements SET minor = 99 WHERE {at}",
        {
            *("revenue of {day} USD: sold", "revenue lines of {day} USD: sold", "revenue of grant 1: deferred"),
            "revenue against money moved, USD: sold",
        },
    ),
    "what is deferred": ("UPDATE revenue_grants SET deferred = 59 WHERE {at}", {"revenue of grant 1: deferred"}),
}


@pytest.mark.parametrize("name", REVENUE)
async def test_revenue_that_entries_and_sales_do_not_bear_out_is_told_in_smallest_units(
    till: Till, owner: asyncpg.Connection, name: str
):
    sold = await sell(till, "10", 100)
    await till.must(till.burn("4"))
    await tell_all(till.database, till.workspace_id)
    assert (await reconciled(till)).ok
    sql, told = REVENUE[name]
    assert await owner.execute(sql.format(at=f"customer_id = {sold.customer_id}")) == "UPDATE 1"
    day = sold.balance.as_of.date()
    found = await checks(till)
    assert set(found) == {each.format(day=day) for each in told}
    assert all(abs(expected - actual) == 1 for expected, actual in found.values())
