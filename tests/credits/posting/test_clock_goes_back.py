"""T3: the database's own clock goes back (a bad NTP server, a failover). The book does not; nobody is charged twice."""

from datetime import timedelta
from itertools import pairwise

from credits.errors import Conflict, InsufficientCredits
from credits.ledger.entries import Kind
from credits.posting.outcomes import Burned
from tests.credits.posting.till import Till

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


async def test_the_book_goes_on_where_it_was(till: Till):
    now = await till.now()
    await till.must(till.grant("10", expires_at=now + 2 * HOUR))
    await till.must(till.grant("100"))
    kept, lapsed = await till.open_hold("5", ttl="P9D"), await till.open_hold("5", ttl="PT1H")
    await till.jump(DAY)
    first = till.burn("1")
    await till.must(first)
    await till.sweep()
    before = await till.balance()
    await till.jump(-DAY + HOUR / 2)
    assert await till.now() < now + HOUR
    for command in (till.burn("1"), till.chat("2"), till.settle(kept, "1", partial=True)):
        await till.must(command)
    assert (await till.must(first)).replayed
    assert isinstance(await till.post(till.settle(lapsed, "1")), Conflict), "what has lapsed stays so"
    after = await till.balance()
    assert after.version == before.version + 3
    assert after.expired == before.expired, "what has expired does not come back, and does not expire again"
    recorded = [row["recorded_at"] for row in await till.rows("SELECT recorded_at FROM entries ORDER BY sequence")]
    assert all(later >= sooner for sooner, later in pairwise(recorded))
    await till.check()


async def test_what_was_set_to_happen_while_it_was_ahead_happens_when_it_is_there_again(till: Till):
    await till.jump(DAY)
    ahead = await till.now()
    await till.must(till.grant("10", expires_at=ahead + HOUR))
    await till.must(till.grant("5", effective_at=ahead + HOUR))
    await till.open_hold("2", ttl="PT1H")
    await till.jump(-DAY)
    assert await till.sweep() == []
    assert await till.available() == 8
    assert isinstance(await till.post(till.burn("9")), InsufficientCredits)
    assert isinstance(await till.post(till.burn("1")), Burned)
    await till.check()
    await till.jump(DAY + 2 * HOUR)
    await till.sweep()
    assert await till.available() == 5
    kinds = [Kind(row["kind"]).name for row in await till.rows("SELECT kind FROM entries ORDER BY sequence")]
    assert kinds == ["GRANT", "HOLD", "BURN", "EXPIRE", "GRANT", "LAPSE", "EXPIRE"]
    await till.check()


async def test_a_grant_made_behind_the_last_entry_is_live_at_once(till: Till):
    await till.jump(DAY)
    await till.must(till.grant("1"))
    await till.jump(-DAY)
    granted = await till.must(till.grant("10"))
    assert granted.entry is not None
    assert granted.entry.recorded_at > granted.grant.created_at, "recorded no earlier than the one before"
    assert await till.available() == 11
    (row,) = await till.rows("SELECT recorded_at FROM accounts")
    assert row["recorded_at"] == granted.entry.recorded_at
    await till.check()
