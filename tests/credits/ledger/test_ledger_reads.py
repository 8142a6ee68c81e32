"""Lists of the ledger: every entry, grant and hold once, in order, however large the page and whatever is asked for."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

from credits.ledger.entries import Kind
from credits.ledger.reads import EntryFilter, list_grants, list_holds, read_entries_after, read_ledger
from credits.posting.commands import HoldId
from tests.credits.posting.till import Till

HOUR = timedelta(hours=1)
MONTHS = [(2027, month) for month in range(1, 5)]


async def walk(till: Till, wanted: EntryFilter, first: int) -> list[tuple[int, int]]:
    """Every page after the other: (sequence, credit type)."""
    customer = await till.customer()
    found: list[tuple[int, int]] = []
    after, more = None, True
    while more:
        async with till.reader.page(till.workspace_id) as page:
            entries, more = await read_ledger(page.connection, customer.id, wanted, first, after)
        assert len(entries) <= first
        found += [(entry.sequence, entry.credit_type_id) for entry in entries]
        after = found[-1] if found else None
        assert more <= bool(entries), "a page that says there is more is not empty"
    return found


async def test_pages_of_any_size_bring_every_entry_once_newest_first(till: Till):
    for kind in ("ai", "oldest"):
        await till.must(till.grant("100", credit_type=kind))
        await till.many(*(till.burn("1", credit_type=kind) for _ in range(11)))
    (ai, oldest) = [
        row["credit_type_id"]
        for row in await till.rows("SELECT DISTINCT a.credit_type_id FROM accounts a ORDER BY credit_type_id")
    ]
    for first in (1, 2, 5, 12, 13, 500):
        both = await walk(till, EntryFilter(), first)
        assert both == sorted(both, reverse=True)
        assert len(both) == len(set(both)) == 24
        one = await walk(till, EntryFilter(credit_type_id=ai), first)
        assert one == [(sequence, ai) for sequence in range(12, 0, -1)]
    assert oldest != ai


async def test_filters_by_kind_time_feature_member_and_place(till: Till):
    begin = await till.now()
    await till.must(till.grant("100", effective_at=begin - 2 * HOUR))
    await till.must(till.burn("1", occurred_at=begin - HOUR))
    chat = till.chat("2")
    await till.must(till.burn("1", spend=type(chat.spend)(feature="chat", quantity=chat.spend.quantity, member="ada")))
    hold = await till.open_hold("5")
    await till.must(till.settle(hold, "5"))
    feature = (await till.rows("SELECT id FROM features WHERE key = 'chat'"))[0]["id"]

    async def sequences(**wanted: Any) -> list[int]:
        return [sequence for sequence, _ in await walk(till, EntryFilter(**wanted), 3)]

    assert await sequences() == [5, 4, 3, 2, 1]
    assert await sequences(kinds=(Kind.BURN,)) == [3, 2]
    assert await sequences(kinds=(Kind.BURN, Kind.SETTLE)) == [5, 3, 2]
    assert await sequences(kinds=()) == []
    assert await sequences(feature_id=feature) == [3]
    assert await sequences(member="ada") == [3]
    assert await sequences(member="Ada") == []
    assert await sequences(until=begin) == [2, 1], "by when it occurred"
    assert await sequences(since=begin - HOUR, until=begin) == [2], "from is inclusive"
    assert await sequences(until=begin - HOUR) == [1], "to is exclusive"
    assert await sequences(places=((hold.credit_type_id, 2), (hold.credit_type_id, 9), (99, 1))) == [2]


async def test_what_follows_a_sequence_comes_oldest_first_and_bounded(till: Till):
    await till.must(till.grant("100"))
    await till.many(*(till.burn("1") for _ in range(10)))
    customer = await till.customer()
    kind = (await till.rows("SELECT credit_type_id FROM accounts"))[0]["credit_type_id"]
    seen = [0]
    while True:
        async with till.reader.page(till.workspace_id) as page:
            news = await read_entries_after(page.connection, customer.id, kind, seen[-1], 4)
        if not news:
            break
        assert len(news) <= 4
        seen += [entry.sequence for entry in news]
    assert seen == list(range(12))


async def test_pages_of_grants_and_holds_bring_each_once_also_when_many_begin_at_one_instant(till: Till):
    await till.many(*(till.grant("10") for _ in range(7)), *(till.grant("1", credit_type="oldest") for _ in range(5)))
    await till.many(*(till.hold("1", ttl=f"PT{n + 1}H") for n in range(9)))
    customer = await till.customer()
    for list_, count, at, more_ in (
        (list_grants, 12, "created_at", {"credit_type_id": None}),
        (list_holds, 9, "opened_at", {}),
    ):
        for first in (1, 4, 500):
            found: list[tuple[Any, int, int]] = []
            more = True
            while more:
                after = found[-1] if found else None
                async with till.reader.page(till.workspace_id) as page:
                    listed = await list_(  # type: ignore[operator]
                        *(page.connection, customer.id, await page.accounts(customer)),
                        **{"status": None, "first": first, "after": after, **more_},
                    )
                found += [(getattr(item, at), credit_type, item.number) for credit_type, item in listed.items]
                more = listed.more
            assert len(found) == count
            assert all(one > other for one, other in pairwise(found)), "newest first"


async def test_a_page_filtered_by_state_is_full_also_when_what_is_due_changes_it(till: Till):
    """Half of the open holds have lapsed, unbooked: a page of open ones still holds as many as were asked for."""
    await till.must(till.grant("100"))
    for n in range(20):
        await till.open_hold("1", ttl="PT1H" if n % 2 else "PT9H")
    await till.jump(2 * HOUR)
    customer = await till.customer()
    async with till.reader.page(till.workspace_id) as page:
        accounts = await page.accounts(customer)
        some = await list_holds(page.connection, customer.id, accounts, status="OPEN", first=7, after=None)
        lapsed = await list_holds(page.connection, customer.id, accounts, status="LAPSED", first=500, after=None)
    assert (len(some.items), some.more) == (7, True)
    assert {hold.status for _, hold in some.items} == {"OPEN"}
    assert (len(lapsed.items), {hold.status for _, hold in lapsed.items}) == (10, {"LAPSED"})


async def test_thousands_of_holds_that_lapsed_unbooked_can_still_be_listed(till: Till):
    """The list of what changed travels with the query: it must not outgrow what PostgreSQL takes in one statement."""
    await till.must(till.grant("100000"))
    await till.many(*(till.hold("0.001", ttl="PT1H") for _ in range(9_000)))
    await till.jump(2 * HOUR)
    customer = await till.customer()
    async with till.reader.page(till.workspace_id) as page:
        accounts = await page.accounts(customer)
        for status, there in (("OPEN", 0), ("LAPSED", 50)):
            listed = await list_holds(page.connection, customer.id, accounts, status=status, first=50, after=None)
            assert len(listed.items) == there


async def test_ids_of_what_is_not_there_are_no_errors(till: Till):
    customer = await till.customer()
    answers = await till.many(
        till.settle(HoldId(customer.id, 2**31 - 1, 2**31 - 1), "1"),
        till.settle(HoldId(2**63 - 1, 1, 1), "1"),
        till.release(HoldId(0, 0, 0)),
    )
    assert [answer.code for answer in answers] == ["NOT_FOUND"] * 3  # type: ignore[union-attr]
