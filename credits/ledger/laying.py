"""Laying an account's burns over its grants again, from an instant in the past on. PURE.

`Sheet` takes the account back phase by phase, then goes forward: it draws each phase's burns as a total, the late ones
after them, and passes the boundary that ended it. What holds, settlements, reversals, voids and clawbacks did to a
grant stays fixed: what they took is kept for them, and no burn before them may draw on it. The cost grows with the
phases since then, not with the burns in them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from credits.ledger import burn_order
from credits.ledger.account import Account, Grant
from credits.ledger.entries import BY_THE_CLOCK, OVERDRAFT, Cause, Kind
from credits.ledger.phases import Boundary, Parts, Phase, add

_NOT_LIVE = ("EXPIRED", "VOIDED", "SCHEDULED")


@dataclass(slots=True)
class LateBurn:
    """A burn of `amount` micro-credits that happened at `occurred_at`. `parts`: what it drew in its time."""

    amount: int
    occurred_at: datetime
    cause: Cause
    parts: Parts = field(default_factory=list)


@dataclass(slots=True)
class Span:
    """A phase while it is laid again; the present one has no boundary yet. `was` is what its `total` drew before.

    Pieces of one phase share its `origin`; the last of them keeps what was drawn.
    """

    origin: int
    was: dict[int, int]
    total: int
    phase: Phase | None
    late: list[LateBurn] = field(default_factory=list)
    drawn: dict[int, int] = field(default_factory=dict)


class Sheet:
    """What is free of each grant at one instant, and the overdraft: taken back in time, then laid forward again."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._ranked = [grant.number for grant in burn_order.order(account.grants.values(), account.burn_order)]
        self._ended = {n for n, grant in account.grants.items() if grant.state in _NOT_LIVE}
        self._free = {n: 0 if n in self._ended else grant.free for n, grant in account.grants.items()}
        self._overdraft = account.overdraft
        self._burned: dict[int, int] = {}  # by grant: how much more it bears than before
        self._expired: dict[int, int] = {}
        self._kept: dict[int, int] = {}  # of grants that ended: what holds kept of them then
        self._bound: dict[int, int] = {}  # what grants bear whatever else is live: it was given back to them
        self.moved: dict[int, int] = {}  # as a REALLOCATE entry says it

    # ─── back ────────────────────────────────────────────────────────────────────────────────────────────────
    def take_back(self, spans: Sequence[Span]) -> None:
        """To the beginning of the first of the spans."""
        for span in reversed(spans):
            if span.phase is not None:
                self._take_back(span.phase)
            for number, part in span.was.items():
                self._change(number, part)

    def _take_back(self, phase: Phase) -> None:
        for number, part in phase.repaid:
            self._change(number, part)
            self._overdraft += part
        match phase.boundary:
            case Boundary.BEGIN:
                (number, _amount), *_ = phase.moved
                self._free[number] = 0
                self._ended.add(number)
            case Boundary.END:
                (number, expired), *_ = phase.moved
                self._free[number] = expired
                self._ended.discard(number)
            case Boundary.GIVE:
                for number, part in phase.moved:
                    self._change(number, -part)
            case Boundary.TAKE | Boundary.CLOSE:
                for number, part in phase.moved:
                    self._change(number, part)
                    if phase.boundary is Boundary.CLOSE:
                        self._ended.discard(number)

    def _change(self, number: int, part: int) -> None:
        """`part` more is free of the grant; of what no grant bore, so much less is owed."""
        if number == OVERDRAFT:
            self._overdraft -= part
        else:
            self._free[number] += part

    def bind_reversed(self, spans: Sequence[Span]) -> None:
        """What was given back stays with the grants that bore it: another one that is live now takes none of it over."""
        for number, grant in self._account.grants.items():
            if grant.reversed:
                laid = sum(span.was.get(number, 0) for span in spans)
                laid += sum(part for span in spans if span.phase for n, part in span.phase.repaid if n == number)
                self._bound[number] = max(0, grant.reversed - (grant.burned - laid))

    # ─── forward ─────────────────────────────────────────────────────────────────────────────────────────────
    def lay(self, spans: Sequence[Span]) -> None:
        """Draws each span's burns, then the late ones, and passes its boundary; then says so in the account."""
        kept_for = _kept_for_later(spans)
        for index, span in enumerate(spans):
            self._draw_span(span, kept_for[index])
            if span.phase is not None:
                self._pass(span.phase, kept_for[index + 1])
        self._write(spans)

    def _draw_span(self, span: Span, keep: Mapping[int, int]) -> None:
        again = self._draw_bound(span, keep) if self._bound else self._draw(span.total, keep)
        for number, part in again:
            self._bear(number, part)
        for number, part in span.was.items():
            self._bear(number, -part)
        add(span.drawn, again)
        for late in span.late:
            late.parts = self._draw(late.amount, keep)
            add(span.drawn, late.parts)
            add(self._burned, late.parts)

    def _draw_bound(self, span: Span, keep: Mapping[int, int]) -> Parts:
        """First from grants that have to bear it, as they did; the rest in burn order."""
        drawn: dict[int, int] = {}
        left = span.total
        for number, was in span.was.items():
            part = min(was, left, self._bound.get(number, 0), self._free_now(number, keep)) if number else 0
            if part:
                self._free[number] -= part
                left -= part
                drawn[number] = part
        add(drawn, self._draw(left, keep))
        for number, part in drawn.items():
            if number in self._bound:
                self._bound[number] = max(0, self._bound[number] - part)
        return list(drawn.items())

    def _bear(self, number: int, part: int) -> None:
        add(self._burned, [(number, part)])
        add(self.moved, [(number, part)])

    def _draw(self, amount: int, keep: Mapping[int, int]) -> Parts:
        """In burn order from what is free and not taken later; the rest is overdraft."""
        parts: Parts = []
        for number in self._ranked if amount else ():
            part = min(amount, self._free_now(number, keep))
            if part:
                self._free[number] -= part
                amount -= part
                parts.append((number, part))
            if not amount:
                break
        if amount:
            self._overdraft += amount
            parts.append((OVERDRAFT, amount))
        return parts

    def _free_now(self, number: int, keep: Mapping[int, int]) -> int:
        return 0 if number in self._ended else max(0, self._free[number] - keep.get(number, 0))

    def _pass(self, phase: Phase, keep: Mapping[int, int]) -> None:
        match phase.boundary:
            case Boundary.BEGIN:
                (number, amount), *_ = phase.moved
                self._free[number] = amount
                self._ended.discard(number)
            case Boundary.END:
                (number, before), (_, kept) = phase.moved
                expired, self._free[number] = self._free[number], 0
                phase.moved = [(number, expired), (-number, kept)]
                self._ended.add(number)
                self._expired[number] = self._expired.get(number, 0) + expired - before
                self._kept[number] = kept
            case Boundary.GIVE:
                for number, part in phase.moved:
                    self._change(number, part)
            case Boundary.TAKE | Boundary.CLOSE:
                for number, part in phase.moved:
                    self._change(number, -part)
                    if phase.boundary is Boundary.CLOSE:
                        self._ended.add(number)
        self._repay(phase, keep)

    def _repay(self, phase: Phase, keep: Mapping[int, int]) -> None:
        """What is free pays the overdraft, in burn order."""
        for number, part in phase.repaid:
            self._owe(number, -part)
        phase.repaid = []
        for number in self._ranked if self._overdraft > 0 else ():
            part = min(self._overdraft, self._free_now(number, keep))
            if part > 0:
                self._free[number] -= part
                self._overdraft -= part
                phase.repaid.append((number, part))
                self._owe(number, part)

    def _owe(self, number: int, part: int) -> None:
        add(self._burned, [(number, part)])
        add(self.moved, [(-number, part)])

    # ─── into the account ────────────────────────────────────────────────────────────────────────────────────
    def _write(self, spans: Iterable[Span]) -> None:
        account = self._account
        for span in spans:
            if span.phase is None:
                account.drawn = span.drawn
                continue
            span.phase.drawn = span.drawn
            if span.phase.number not in account.new_phases:
                account.changed_phases.add(span.phase.number)
        account.overdraft = self._overdraft
        for number, grant in account.grants.items():
            burned, expired = self._burned.get(number, 0), self._expired.get(number, 0)
            begun = grant.state == "SCHEDULED" and number not in self._ended
            if burned or expired or begun or number in self._kept:
                grant.burned += burned
                grant.expired += expired
                if number not in self._ended:
                    grant.remaining = self._free[number] + grant.held
                grant.state = self._state(grant)
                if grant.state == "ACTIVE":
                    account.falls_due(grant.expires_at)  # it may have been used up, and then nobody waited for its end
                account.changed_grants.add(number)
        account.expired += sum(self._expired.values())
        account.regroup()

    def _state(self, grant: Grant) -> str:
        if grant.number in self._ended:
            if grant.state in ("VOIDED", "SCHEDULED"):
                return grant.state
            # As if all had come in time: what was used up before its end never expired.
            used_up = not (grant.remaining or grant.expired or self._kept.get(grant.number))
            return "DEPLETED" if used_up else "EXPIRED"
        return "ACTIVE" if grant.remaining else "DEPLETED"

    def book_unexpired(self, now: datetime) -> None:
        """UNEXPIRE, dated to the expiry that it undoes."""
        for number, expired in self._expired.items():
            if expired < 0:
                self._book(Kind.UNEXPIRE, number, -expired, now)

    def book_expired(self, now: datetime) -> None:
        """EXPIRE for what more had to expire than was booked."""
        for number, expired in self._expired.items():
            if expired > 0:
                self._book(Kind.EXPIRE, number, expired, now)

    def _book(self, kind: Kind, number: int, amount: int, now: datetime) -> None:
        expired_at = self._account.grants[number].expires_at
        self._account.append(
            kind,
            amount=amount if kind is Kind.UNEXPIRE else -amount,
            held_amount=0,
            occurred_at=expired_at or now,
            recorded_at=now,
            allocations=[(number, amount)],
            cause=BY_THE_CLOCK,
        )

    def book_moved(self, since: datetime, now: datetime) -> None:
        """One REALLOCATE with all that moved: grants that bear more, and, negative, those that get back."""
        moved = [(number, part) for number, part in sorted(self.moved.items(), key=lambda p: (abs(p[0]), p)) if part]
        if moved:
            self._account.append(
                Kind.REALLOCATE,
                amount=0,
                held_amount=0,
                occurred_at=since,
                recorded_at=now,
                allocations=moved,
                cause=BY_THE_CLOCK,
            )


def _kept_for_later(spans: Sequence[Span]) -> list[dict[int, int]]:
    """For each span, what of each grant is taken later by what stays fixed: no burn may draw on it before."""
    keep: dict[int, int] = {}
    found = [keep]
    for span in reversed(spans[:-1]):
        keep = dict(keep)
        if span.phase is not None:
            for number, part in span.phase.moved:
                if span.phase.boundary in (Boundary.BEGIN, Boundary.END):
                    keep.pop(number, None)
                elif number > 0:
                    taken = part if span.phase.boundary in (Boundary.TAKE, Boundary.CLOSE) else -part
                    keep[number] = max(0, keep.get(number, 0) + taken)
        found.append(keep)
    return found[::-1]
