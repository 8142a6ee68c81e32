"""Random histories of one account in the tables, told to the reference of time travel; and questions about the past."""

import random
from datetime import UTC, datetime, timedelta

from credits.ledger.balance import Balance
from credits.ledger.entries import Kind
from credits.ledger.history import balance_at
from credits.ledger.rows import entry_of
from credits.ledger.travel import Asked
from credits.posting.commands import ExtendHold, HoldId
from credits.posting.outcomes import HoldTaken
from tests.credits.posting.till import Till
from tests.model.records import Book, Booked, Given

US = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(at: datetime) -> int:
    return (at - EPOCH) // US


async def asked(till: Till, known_at: datetime | None = None) -> Asked:
    customer = await till.customer()
    async with till.reader.page(till.workspace_id) as page:
        kind = page.catalog.credit_type_by_key("ai")
    assert kind is not None
    return Asked(till.workspace_id, customer.id, kind.id, kind.burn_order, known_at)


async def look(till: Till, at: datetime, known_at: datetime | None = None) -> Balance:
    """The balance at one instant, as known at another."""
    wanted = await asked(till, known_at)
    async with till.reader.page(till.workspace_id) as page:
        return await balance_at(page.connection, wanted, at, 0)


class History:
    """Random commands to one account, an hour or so apart, some of them late, some ahead, some never swept."""

    def __init__(self, till: Till, seed: int) -> None:
        self.till = till
        self.draw = random.Random(seed)
        self.holds: list[HoldId] = []
        self.ends: list[tuple[int, int, int]] = []

    async def step(self) -> None:
        draw, till = self.draw, self.till
        await till.jump(draw.choice((SECOND / 7, SECOND * 20, HOUR, 5 * HOUR, DAY)) * draw.random())
        now = await till.now()
        amount = str(draw.randint(1, 40))
        match draw.choices(
            ("grant", "burn", "late", "ahead", "hold", "settle", "release", "extend", "sweep"),
            (3, 4, 5, 2, 3, 2, 1, 2, 1),
        )[0]:
            case "grant":
                begins = now + draw.choice((-DAY, -HOUR, 0 * DAY, 0 * DAY, 3 * HOUR, DAY)) * draw.random()
                ends = draw.choice((None, max(now, begins) + draw.choice((HOUR, 2 * DAY)) * draw.random() + SECOND))
                await till.must(
                    till.grant(
                        str(draw.randint(10, 120)), effective_at=begins, expires_at=ends, priority=draw.choice((10, 50))
                    )
                )
            case "burn":
                await till.must(till.burn(amount))
            case "late":
                away = draw.choice((SECOND, 25 * SECOND, 2 * SECOND * 60, HOUR, DAY)) * draw.random()
                await till.must(till.burn(amount, occurred_at=now - away))
            case "ahead":
                away = draw.choice((15 * SECOND, 290 * SECOND)) * draw.random()
                await till.must(till.burn(amount, occurred_at=now + away))
            case "hold":
                ttl = draw.choice((600, 6 * 3600, 86_400))
                taken = await till.must(till.hold(amount, ttl=f"PT{ttl}S"))
                self.holds.append(HoldId(taken.customer_id, taken.credit_type_id, taken.hold.number))
                self.known(taken, taken.hold.opened_at)
            case "back":
                await till.jump(-HOUR * draw.random())
            case "sweep":
                await till.sweep()
            case verb if self.holds:
                hold = draw.choice(self.holds)
                if verb == "extend":
                    answer = await till.post(ExtendHold(hold, f"PT{draw.choice((300, 3600, 100_000))}S"))
                    if isinstance(answer, HoldTaken):
                        self.known(answer, answer.balance.as_of)
                elif verb == "release":
                    await till.post(till.release(hold))
                else:
                    await till.post(till.settle(hold, str(draw.randint(1, 30)), partial=draw.random() < 0.6))

    def known(self, taken: HoldTaken, since: datetime) -> None:
        self.ends.append((taken.hold.number, micros(since), micros(taken.hold.expires_at)))

    async def book(self) -> Book:
        """All that is written down, in the reference's words."""
        entries = [entry_of(row) for row in await self.till.rows("SELECT * FROM entries ORDER BY sequence")]
        grants = await self.till.rows("SELECT * FROM grants")
        return Book(
            tuple(
                Booked(
                    *(Kind(entry.kind).name, entry.amount, entry.held_amount),
                    *(micros(entry.occurred_at), micros(entry.recorded_at)),
                    *(tuple(entry.allocations), entry.hold_number),
                )
                for entry in entries
            ),
            tuple(
                Given(
                    *(row["number"], row["amount"], micros(row["effective_at"])),
                    None if row["expires_at"] is None else micros(row["expires_at"]),
                    micros(row["created_at"]),
                )
                for row in grants
            ),
            tuple(self.ends),
        )


def instants_of(book: Book, now: int) -> list[int]:
    """Where something changes, and just before and after it."""
    marks = {mark for entry in book.entries for mark in (entry.occurred, entry.recorded)}
    marks |= {mark for grant in book.grants for mark in (grant.effective, grant.expires, grant.created) if mark}
    marks |= {mark for end in book.ends for mark in end[1:]} | {now, now + 10**10}
    return sorted({mark + step for mark in marks for step in (-1, 0, 1)})
