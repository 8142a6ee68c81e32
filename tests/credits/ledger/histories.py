"""Random histories of one account in the tables, told to the reference of time travel; and questions about the past."""

import random
from datetime import UTC, datetime, timedelta

from credits.ledger.balance import Balance
from credits.ledger.entries import Entry, Kind
from credits.ledger.history import balance_at
from credits.ledger.rows import entry_of
from credits.ledger.travel import Asked
from credits.posting.commands import Command, ExtendHold, HoldId
from credits.posting.outcomes import Granted, HoldTaken
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


# How often each is drawn.
_VERBS = {
    "grant": 3,
    "burn": 4,
    "late": 5,
    "ahead": 2,
    "hold": 3,
    "settle": 2,
    "release": 1,
    "extend": 2,
    "sweep": 1,
    "back": 1,
    "void": 1,
    "longer": 1,
    "adjust": 1,
    "claw": 2,
    "unclaw": 2,
    "reverse": 3,
}


class History:
    """Random commands to one account, an hour or so apart, some of them late, some ahead, some never swept."""

    def __init__(self, till: Till, seed: int) -> None:
        self.till = till
        self.draw = random.Random(seed)
        self.holds: list[HoldId] = []
        self.granted: list[Granted] = []
        self.burned: list[Entry] = []
        self.clawed: list[Entry] = []
        self.ends: list[tuple[int, int, int]] = []

    async def step(self) -> None:
        """One verb, a little later than the last."""
        await self.till.jump(self.draw.choice((SECOND / 7, SECOND * 20, HOUR, 5 * HOUR, DAY)) * self.draw.random())
        (verb,) = self.draw.choices(*zip(*_VERBS.items(), strict=True))
        now = await self.till.now()
        if verb == "back":
            await self.till.jump(-HOUR * self.draw.random())
        elif verb == "sweep":
            await self.till.sweep()
        elif verb == "grant":
            await self.grant(now)
        elif verb in ("burn", "late", "ahead"):
            await self.burn(verb, now)
        elif verb == "hold":
            taken = await self.till.must(
                self.till.hold(self.amount(), ttl=f"PT{self.draw.choice((600, 21_600, 86_400))}S")
            )
            self.holds.append(HoldId(taken.customer_id, taken.credit_type_id, taken.hold.number))
            self.known(taken, taken.hold.opened_at)
        elif verb in ("settle", "release", "extend") and self.holds:
            await self.close(verb, self.draw.choice(self.holds))
        elif verb == "reverse" and self.burned:
            part = self.draw.choice((None, str(self.draw.randint(1, 9))))
            await self.till.post(self.till.reverse(self.draw.choice(self.burned), part))
        elif verb == "unclaw" and self.clawed:
            part = self.draw.choice((None, str(self.draw.randint(1, 9))))
            await self.till.post(self.till.reverse_clawback(self.draw.choice(self.clawed), part))
        elif verb in ("void", "longer", "adjust", "claw") and self.granted:
            answer = await self.till.post(self.correction(verb, self.draw.choice(self.granted), now))
            if verb == "claw" and isinstance(answer, Granted) and answer.entry:
                self.clawed.append(answer.entry)

    def amount(self) -> str:
        return str(self.draw.randint(1, 40))

    async def grant(self, now: datetime) -> None:
        draw = self.draw
        begins = now + draw.choice((-DAY, -HOUR, 0 * DAY, 0 * DAY, 3 * HOUR, DAY)) * draw.random()
        ends = draw.choice((None, max(now, begins) + draw.choice((HOUR, 2 * DAY)) * draw.random() + SECOND))
        times = {"effective_at": begins, "expires_at": ends}
        self.granted.append(
            await self.till.must(
                self.till.grant(str(self.draw.randint(10, 120)), priority=draw.choice((10, 50)), **times)
            )
        )

    async def burn(self, verb: str, now: datetime) -> None:
        away = {
            "burn": (0 * SECOND,),
            "late": (-SECOND, -25 * SECOND, -120 * SECOND, -HOUR, -DAY),
            "ahead": (15 * SECOND, 290 * SECOND),
        }[verb]
        occurred_at = None if verb == "burn" else now + self.draw.choice(away) * self.draw.random()
        burned = await self.till.must(self.till.burn(self.amount(), occurred_at=occurred_at))
        self.burned.append(burned.entry)

    async def close(self, verb: str, hold: HoldId) -> None:
        till, draw = self.till, self.draw
        if verb == "extend":
            answer = await till.post(ExtendHold(hold, f"PT{draw.choice((300, 3600, 100_000))}S"))
            if isinstance(answer, HoldTaken):
                self.known(answer, answer.balance.as_of)
        elif verb == "release":
            await till.post(till.release(hold))
        else:
            await till.post(till.settle(hold, str(draw.randint(1, 30)), partial=draw.random() < 0.6))

    def correction(self, verb: str, granted: Granted, now: datetime) -> Command:
        match verb:
            case "void":
                return self.till.void(granted)
            case "longer":
                return self.till.extend(granted, self.draw.choice((None, now + DAY)))
            case "claw":
                return self.till.claw_back(granted, str(self.draw.randint(1, 20)))
        return self.till.adjust(granted, str(self.draw.choice((-3, -1, 2, 5))))

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
