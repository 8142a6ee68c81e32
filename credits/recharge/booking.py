"""One step of a top-up written down, in one database transaction with the credits that move with it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from credits.db import HotConnection, Runs
from credits.money.movements import Movement, add_movement
from credits.posting.companions import Companion, Made
from credits.recharge import statements
from credits.recharge.provider import Payment
from credits.recharge.settle import Give, GiveBack, Issue, Step, Take, next_step
from credits.recharge.telling import tell_of
from credits.recharge.top_ups import KeptPayback, Place, TopUp, payback_of, top_up_of

LOOK_SOON = timedelta(seconds=5)
_LOOK_LATE = timedelta(hours=1)

# What else happens in the database transaction of a change: (before, after).
Changed: TypeAlias = Callable[[Runs, TopUp, TopUp], Awaitable[None]]


def look_again(top_up: TopUp, paybacks: Sequence[KeptPayback], now: datetime, real_now: datetime) -> datetime | None:
    """When the provider is asked next, in real time: soon at first, then after as long again as nothing has changed, at
    most an hour; not any more once nothing is open."""
    if not (top_up.is_open or any(each.status == "ASKED" for each in paybacks)):
        return None
    waiting = min(real_now - top_up.asked_at, now - top_up.changed_at)
    return real_now + min(_LOOK_LATE, max(LOOK_SOON, waiting))


async def read(runs: Runs, place: Place) -> tuple[TopUp, list[KeptPayback]] | None:
    """The top-up and its paybacks; under the customer's lock, where the caller has it."""
    row = await runs.fetchrow(statements.READ_TOP_UP, *place)
    if row is None:
        return None
    return top_up_of(row), [payback_of(each) for each in await runs.fetch(statements.READ_PAYBACKS, *place)]


@dataclass(frozen=True, slots=True)
class Writing:
    """How a change is written: when, when the provider is asked next, and who else writes with it."""

    now: datetime  # the workspace's clock
    real_now: datetime
    changed: tuple[Changed, ...] = ()


async def write(  # noqa: PLR0917 -- what is, what becomes of it, and how
    runs: Runs, was: TopUp, kept: list[KeptPayback], step: Step, writing: Writing, made: Made | None = None
) -> tuple[TopUp, list[KeptPayback]]:
    """Writes a step down, under the customer's lock; what is so then. `made` is what the ledger made of it."""
    sequence = made.entries[0].sequence if made is not None and made.entries else None
    after = step.top_up
    if isinstance(step.moves, Give) and made is not None and made.grant is not None:
        after = replace(after, grant_number=made.grant.number)
    payback = step.payback
    if payback is not None:
        fresh = all(each.number != payback.number for each in kept)
        payback = replace(
            payback,
            sequence=sequence if isinstance(step.moves, Take) else payback.sequence,
            undone_by=sequence if isinstance(step.moves, GiveBack) else payback.undone_by,
            created_at=writing.now if fresh else payback.created_at,
            settled_at=payback.settled_at if payback.status == "ASKED" else writing.now,
        )
        kept = sorted(
            [*(each for each in kept if each.number != payback.number), payback], key=lambda each: each.number
        )
        await runs.execute(statements.KEEP_PAYBACK, *_payback_row(payback))
    settled_at = was.settled_at
    if after.is_open:
        settled_at = None
    elif was.is_open or (after.is_paid and not was.is_paid):
        settled_at = writing.now
    after = replace(after, version=was.version + 1, changed_at=writing.now, settled_at=settled_at)
    after = replace(after, look_at=look_again(after, kept, writing.now, writing.real_now))
    if await runs.execute(statements.UPDATE_TOP_UP, *_top_up_row(after)) != "UPDATE 1":
        raise RuntimeError(f"{after.id} was changed without the customer's lock")
    if step.money is not None and after.grant_number is not None:
        kind, minor = step.money
        place = (after.customer_id, after.credit_type_id, after.grant_number)
        await add_movement(runs, Movement(*place, sequence, kind, minor, after.currency, after.id), writing.now)
    if step.issue is not None:
        await report(runs, step.issue, after.place, writing.now)
    await tell_of(runs, was, after)
    for also in writing.changed:
        await also(runs, was, after)
    return after, kept


async def report(runs: Runs, issue: Issue, place: Place | None, now: datetime) -> None:
    """Puts before an operator what does not fit together: once. `place`: whose it is, where that is known."""
    told = (issue.kind, issue.message, issue.event, issue.expected, issue.actual)
    await runs.execute(statements.TELL_ISSUE, *(place or (None, None)), now, *told)


@dataclass(slots=True)
class Booking:
    """The writer's companion: sees under the lock whether the step is still the next one, and writes it with the credits.

    Where it is not, somebody else was faster, and nothing happens: whoever asked looks again.
    """

    place_of: Place
    moves: Give | Take | GiveBack
    payment: Payment
    unit: int
    real_now: datetime
    changed: tuple[Changed, ...] = ()
    by_theirs: int | None = None  # the actor of a payback that nobody here has asked for
    after: TopUp | None = None  # once written
    _seen: tuple[TopUp, list[KeptPayback]] | None = field(default=None)

    @property
    def place(self) -> tuple[object, ...]:
        return "top-up", *self.place_of

    async def look(self, connection: HotConnection) -> None:
        self._seen = await read(connection, self.place_of)

    def _step(self) -> Step | None:
        step = None if self._seen is None else next_step(*self._seen, self.payment, self.unit)
        return step if step is not None and step.moves == self.moves else None

    def decide(self, _now: datetime, earlier: Companion | None) -> bool:
        return earlier is not None or self._step() is None

    async def write(self, connection: HotConnection, now: datetime, made: Made) -> None:
        step = self._step()
        if step is None or self._seen is None:
            raise RuntimeError("written without being decided")
        if step.payback is not None and step.payback.actor_id is None:
            step = replace(step, payback=replace(step.payback, actor_id=self.by_theirs))
        writing = Writing(now, self.real_now, self.changed)
        self.after, _ = await write(connection, *self._seen, step, writing, made)


def _top_up_row(of: TopUp) -> tuple[Any, ...]:
    return (
        *(*of.place, of.status, of.version, of.changed_at, of.settled_at, of.look_at, of.paid, of.paid_back),
        *(of.clawed_back, of.grant_number, of.session, of.payment, of.checkout_url, of.client_secret),
        *(of.receipt_url, of.failure, of.decline_code),
    )


def _payback_row(of: KeptPayback) -> tuple[Any, ...]:
    return (
        *(of.customer_id, of.top_up, of.number, of.kind, of.status, of.amount, of.counted, of.minor, of.credits),
        *(of.provider_id, of.sequence, of.undone_by, of.actor_id, of.reason, of.note, of.key, of.fingerprint),
        *(of.created_at, of.settled_at),
    )
