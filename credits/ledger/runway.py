"""How long credits last at the present burn rate, and what of them expires unused. PURE.

The rate is the mean of the days with usage among the last 28 days of the customer's own calendar. From now on it is
burned evenly, in burn order; grants end and begin on the way. What open holds keep counts as spent. What is wanted while
nothing is left is not burned: overdraft is no plan.
"""

from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import groupby, pairwise

from credits.catalog.values import Bundle
from credits.ledger import burn_order
from credits.ledger.account import Account, Grant
from credits.ledger.entries import Kind
from credits.ledger.standing import BURNED, Standing

DAYS = 28
_DAY_US = 24 * 3600 * 1_000_000
_US = timedelta(microseconds=1)
_END, _START = 1, 2  # their order at one instant
_MONTH_DAYS = 28  # what a bundle must last to cover about a month


@dataclass(frozen=True, slots=True)
class Rate:
    """Micro-credits burned a day, as the mean of `days` days with usage."""

    per_day: int
    days: int

    @property
    def basis(self) -> str:
        """In words."""
        if not self.days:
            return f"no usage in the last {DAYS} days"
        if self.days == DAYS:
            return f"mean of the last {DAYS} days"
        days = "1 day" if self.days == 1 else f"{self.days} days"
        return f"mean of the {days} with usage in the last {DAYS}"


@dataclass(frozen=True, slots=True)
class Forecast:
    """`runs_out_at`: when nothing is left to spend, None where that never happens. `lost`: grant → what expires unused."""

    runs_out_at: datetime | None
    lost: dict[int, int]


def midnights(now: datetime, zone: tzinfo) -> list[datetime]:
    """Where the last 28 local days begin, today's last, and behind them `now`."""
    today = now.astimezone(zone).date()
    return [*(_midnight(today - timedelta(days=back), zone) for back in range(DAYS - 1, -1, -1)), now]


def _midnight(day: date, zone: tzinfo) -> datetime:
    """A midnight that does not exist is the first instant after the gap; one that occurs twice is the first."""
    local = datetime.combine(day, time(), zone)
    return local.astimezone(UTC)


def rate_of(standings: Sequence[Standing]) -> Rate:
    """The burn rate from how the account stood at each of `midnights`."""
    burned = days = 0
    for before, after in pairwise(standings):
        days += _uses(after) > _uses(before)
        burned += _spent(after) - _spent(before)  # what is given back lessens the rate, also on a day without usage
    return Rate(max(0, burned) // days if days else 0, days)


def _uses(standing: Standing) -> int:
    """How many burns and settlements there have been."""
    return sum(line.count for (kind, _, _), line in standing.lines.items() if kind in BURNED)


def _spent(standing: Standing) -> int:
    """What was burned and not given back."""
    # With a source it is the reversal of a clawback: that gives no burn back.
    given_back = sum(
        line.amount for (kind, _, source), line in standing.lines.items() if kind is Kind.REVERSE and not source
    )
    return standing.burned - given_back


def forecast(account: Account, now: datetime, per_day: int) -> Forecast:
    """What becomes of the account's grants at `per_day` micro-credits a day. The account is advanced to now."""
    pool = _Pool(account.burn_order, now, per_day)
    due: list[tuple[datetime, int, int]] = []
    for grant in account.grants.values():
        if grant.state == "SCHEDULED":
            due.append((grant.effective_at, _START, grant.number))
        elif grant.state == "ACTIVE" and grant.free:
            pool.begin(grant, grant.free)
        else:
            continue
        if grant.expires_at is not None:
            due.append((grant.expires_at, _END, grant.number))
    if not pool.left and (per_day or account.balance < 0):
        pool.runs_out_at = now
    debt = account.overdraft
    for at, together in groupby(sorted(due), key=lambda each: each[0]):
        pool.burn_until(at)
        before = pool.left
        for _, what, number in together:
            grant = account.grants[number]
            if what == _END:
                pool.end(number)
            else:
                repaid = min(debt, grant.amount)
                debt -= repaid
                pool.begin(grant, grant.amount - repaid)
        if before and not pool.left and pool.runs_out_at is None:
            pool.runs_out_at = at
    pool.burn_to_the_end()
    return Forecast(pool.runs_out_at, pool.lost)


@dataclass(slots=True)
class _Pool:
    """What is free of the live grants, in burn order, while it burns down."""

    order: str
    now: datetime
    per_day: int
    left: int = 0
    runs_out_at: datetime | None = None
    lost: dict[int, int] = field(default_factory=dict)
    free: dict[int, int] = field(default_factory=dict)
    queue: list[tuple[object, int]] = field(default_factory=list)
    wanted: int = 0  # since now, in all

    def begin(self, grant: Grant, amount: int) -> None:
        if amount:
            self.free[grant.number] = amount
            self.left += amount
            insort(self.queue, (burn_order.key(grant, self.order), grant.number))

    def end(self, number: int) -> None:
        lost = self.free.pop(number, 0)
        if lost:
            self.lost[number] = lost
            self.left -= lost

    def burn_until(self, at: datetime) -> None:
        """Burns evenly up to that instant."""
        wanted = (at - self.now) // _US * self.per_day // _DAY_US
        amount, before = wanted - self.wanted, self.wanted
        self.wanted = wanted
        if self.left and amount >= self.left and self.runs_out_at is None:
            self.runs_out_at = self._when(before + self.left)
        while amount and self.queue:
            number = self.queue[0][1]
            part = min(amount, self.free.get(number, 0))
            amount -= part
            self.left -= part
            if number in self.free:
                self.free[number] -= part
            if not self.free.get(number):
                self.queue.pop(0)
                self.free.pop(number, None)

    def burn_to_the_end(self) -> None:
        """What is left never expires."""
        if self.left and self.per_day and self.runs_out_at is None:
            self.runs_out_at = self._when(self.wanted + self.left)

    def _when(self, wanted: int) -> datetime | None:
        """When that much has been wanted since now; None beyond the calendar."""
        try:
            return self.now + -(-wanted * _DAY_US // self.per_day) * _US
        except OverflowError:
            return None


def suggested(bundles: Iterable[Bundle], per_day: int) -> Bundle | None:
    """The smallest bundle that lasts about a month at that rate; where none does, the largest. None without usage."""
    if not per_day:
        return None
    by_size = sorted(bundles, key=lambda bundle: (bundle.amount_micro + bundle.bonus_micro, bundle.price, bundle.id))
    lasting = (item for item in by_size if item.amount_micro + item.bonus_micro >= _MONTH_DAYS * per_day)
    return next(lasting, by_size[-1] if by_size else None)
