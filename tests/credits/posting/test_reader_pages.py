"""A page is one view: what it says of an account belongs together, whatever is written meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from credits.errors import Unavailable
from credits.ledger.balance import Balance
from credits.ledger.reads import list_grants, list_holds, read_accounts
from credits.posting.commands import Spend
from credits.posting.reader import Page
from tests.credits.posting.till import Till

DAY = timedelta(days=1)


class Interrupted:
    """A page's connection on which something happens after the first statement: the worst moment for a reader."""

    def __init__(self, connection: Any, meanwhile: Callable[[], Awaitable[Any]]) -> None:
        self._connection, self._meanwhile, self._done = connection, meanwhile, False

    async def execute(self, *arguments: Any) -> Any:
        result = await self._connection.execute(*arguments)
        if not self._done:
            self._done = True
            await self._meanwhile()
        return result


async def read_while(till: Till, meanwhile: Callable[[], Awaitable[Any]]) -> list[Balance]:
    """The customer's balances as read by a page that is interrupted between accounts and grants."""
    asked = await till.customer()
    async with till.reader.page(till.workspace_id) as page:
        interrupted: Any = Interrupted(page.connection, meanwhile)
        accounts = await read_accounts(interrupted, page.catalog, [asked.id], page.workspace.now)
        return [page.balance(asked, account) for account in accounts.values()]


async def test_what_is_burned_while_a_page_is_read_does_not_tear_its_balance_from_its_buckets(till: Till):
    await till.must(till.grant("100"))
    (balance,) = await read_while(till, lambda: till.must(till.burn("40")))
    assert (balance.balance, balance.version) == (100_000_000, 1)
    assert sum(bucket.amount for bucket in balance.buckets) == balance.balance
    assert await till.available() == 60


async def test_an_expiry_that_is_booked_while_a_page_is_read_is_neither_missed_nor_counted_twice(till: Till):
    now = await till.now()
    await till.must(till.grant("100", expires_at=now + DAY))
    await till.must(till.grant("7"))
    await till.jump(2 * DAY)
    (balance,) = await read_while(till, lambda: till.must(till.burn("1")))
    assert balance.available == 7_000_000
    assert await till.available() == 6


async def test_a_customers_first_grant_while_a_page_is_read_is_not_there_yet(till: Till):
    assert await read_while(till, lambda: till.must(till.grant("100"))) == []
    (balance,) = await read_while(till, lambda: till.must(till.grant("5", credit_type="soonest")))
    assert balance.available == 100_000_000
    assert await till.available(credit_type="soonest") == 5


async def test_pages_read_while_others_burn_are_whole(till: Till):
    await till.must(till.grant("100000"))
    done = asyncio.Event()

    async def burn_on() -> None:
        while not done.is_set():
            await till.many(*(till.burn("1") for _ in range(5)))

    burning = asyncio.create_task(burn_on())
    asked = await till.customer()
    versions = []
    for _ in range(60):
        async with till.reader.page(till.workspace_id) as page:
            (account,) = (await page.accounts(asked)).values()
            balance = page.balance(asked, account)
        assert balance.balance == sum(remaining for _, _, remaining in balance.lots)
        assert balance.balance == balance.granted - balance.burned
        versions.append(balance.version)
    done.set()
    await burning
    assert versions == sorted(versions)
    assert len(set(versions)) > 1, "nothing was burned meanwhile"


async def test_a_page_is_for_reading_alone(till: Till):
    with pytest.raises(Unavailable, match="read-only"):
        async with till.reader.page(till.workspace_id) as page:
            await page.connection.exec_driver_sql("UPDATE customers SET name = 'other'")
    async with till.reader.changing(till.workspace_id) as page:
        await page.connection.exec_driver_sql("UPDATE customers SET name = 'other'")
    assert (await till.customer()).name == "other"


# ─── what is due is shown as if it were booked ─────────────────────────────────────────────────────
async def lists(page: Page, till: Till) -> tuple[dict[int, str], dict[int, str]]:
    """Every grant's and every hold's state, from the unfiltered list and from each filtered one: they must agree."""
    asked = await till.customer()
    accounts = await page.accounts(asked)
    found: list[dict[int, str]] = []
    for list_, of, states in (
        (list_grants, "state", ("SCHEDULED", "ACTIVE", "DEPLETED", "EXPIRED")),
        (list_holds, "status", ("OPEN", "SETTLED", "RELEASED", "LAPSED")),
    ):
        more: dict[str, Any] = {"credit_type_id": None} if list_ is list_grants else {}

        async def those(status: str | None, list_: Any = list_, of: str = of, more: Any = more) -> dict[int, str]:
            listed = await list_(page.connection, asked.id, accounts, status=status, first=500, after=None, **more)
            return {item.number: getattr(item, of) for _, item in listed.items}

        everything = await those(None)
        by_state = [await those(state) for state in states]
        assert {k: v for part in by_state for k, v in part.items()} == everything
        assert sum(map(len, by_state)) == len(everything)
        found.append(everything)
    return found[0], found[1]


async def test_lists_show_grants_and_holds_as_they_are_now_whether_or_not_it_is_booked(till: Till):
    now = await till.now()
    await till.must(till.grant("10", expires_at=now + DAY))
    await till.must(till.grant("10", effective_at=now + DAY))
    await till.must(till.grant("10", effective_at=now + DAY, expires_at=now + 1.5 * DAY))
    await till.must(till.grant("3"))
    await till.open_hold("2", ttl="PT1H")
    kept = await till.open_hold("2", ttl="P9D")
    await till.must(till.settle(kept, "1", partial=True))
    await till.jump(2 * DAY)
    async with till.reader.page(till.workspace_id) as page:
        before = await lists(page, till)
    await till.sweep()
    async with till.reader.page(till.workspace_id) as page:
        after = await lists(page, till)
    assert before == after
    assert before == ({1: "EXPIRED", 2: "ACTIVE", 3: "EXPIRED", 4: "ACTIVE"}, {1: "LAPSED", 2: "OPEN"})
    await till.check()


async def test_a_grant_whose_last_credits_are_held_ends_on_time_although_no_entry_says_so(till: Till):
    await till.must(till.grant("3.5", expires_at=await till.now() + DAY))
    await till.open_hold("3.5", ttl="P9D")
    told = await till.balance()
    await till.jump(2 * DAY)
    async with till.reader.page(till.workspace_id) as page:
        before = await lists(page, till)
    assert replace(await till.balance(), as_of=told.as_of) == told
    assert await till.sweep() == []
    async with till.reader.page(till.workspace_id) as page:
        assert before == await lists(page, till) == ({1: "EXPIRED"}, {1: "OPEN"})
    await till.check()


async def test_reading_and_checking_change_nothing(till: Till):
    now = await till.now()
    await till.must(till.grant("10", expires_at=now + DAY))
    await till.open_hold("2", ttl="PT1H")
    await till.jump(2 * DAY)
    before = await till.state()
    asked = await till.customer()
    async with till.reader.page(till.workspace_id) as page:
        assert [account.available for account in (await page.accounts(asked)).values()] == [0]
        verdict = await page.check(asked, Spend(credit_type="ai", amount=Decimal(1)))
        untouched = await page.check(asked, Spend(credit_type="oldest", amount=Decimal(1)))
    assert isinstance(verdict, tuple)
    assert isinstance(untouched, tuple)
    assert (verdict[0].allowed, untouched[0].allowed) == (False, False)
    assert await till.state() == before
