"""What arrives late is placed where it belongs: the account is laid again from there. PURE.

A late burn counts as if it had come in time, and so does a grant that begins in the past: `laying.py` takes the account
back to that instant and lays the burns since then over the grants again. Any number of late burns is laid at once.

What it comes to is booked: UNEXPIRE where a grant had expired that the late burn draws on, the BURN with what it drew at
its time, one REALLOCATE with all that moved between grants by it, EXPIRE where more than was booked had to expire. No
entry that was written before is touched.

Invariant: what every grant ends with does not depend on the order of arrival. Burns alone never give a grant anything
back, so a grant that was used up before its end needs no boundary there; a grant in the past may, and gives it one.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from credits.ledger.account import Account, Grant
from credits.ledger.burn import burn
from credits.ledger.entries import OVERDRAFT, Entry, Kind
from credits.ledger.laying import LateBurn, Sheet, Span
from credits.ledger.phases import Boundary, Phase, Rank, add


def is_late(account: Account, occurred_at: datetime) -> bool:
    """Whether a phase has ended since: a burn of the present phase is a burn like any other."""
    return account.phased_at is not None and occurred_at < account.phased_at


def place(account: Account, burns: Sequence[LateBurn], now: datetime) -> list[Entry]:
    """Burns them all where they belong; their BURN entries, in the order given. The account is advanced to `now`."""
    if not any(is_late(account, late.occurred_at) for late in burns):
        return [burn(account, late.amount, occurred_at=late.occurred_at, now=now, cause=late.cause) for late in burns]
    spans = _spans(account, min(late.occurred_at for late in burns))
    ends = [span.phase.until for span in spans if span.phase]
    for late in sorted(burns, key=lambda late: late.occurred_at):
        spans[bisect_right(ends, late.occurred_at)].late.append(late)
    sheet = Sheet(account)
    sheet.bind_reversed(spans)
    sheet.take_back(spans)
    sheet.lay(spans)
    account.burned += sum(late.amount for late in burns)
    sheet.book_unexpired(now)
    entries = [_book_burn(account, late, now) for late in burns]
    sheet.book_moved(min(late.occurred_at for late in burns), now)
    sheet.book_expired(now)
    return entries


@dataclass(frozen=True, slots=True)
class Cut:
    """A boundary to come, and where the phase that it cuts had begun: None for the account's first."""

    begun: datetime | None
    until: datetime
    rank: Rank
    boundary: Boundary
    moved: tuple[tuple[int, int], ...]


def cuts_for(account: Account, grant: Grant, now: datetime) -> list[Cut]:
    """How a grant that begins before now cuts the phases since: where it begins itself, and where grants ended that
    were used up before and may not be any more."""
    begin, rank = _begin(account, grant)
    cuts = [_cut(account, begin, rank, Boundary.BEGIN, ((grant.number, grant.amount),))]
    for used_up in _used_up(account, begin, now):
        assert used_up.expires_at is not None  # noqa: S101 -- it is by its end that it was chosen
        moved = ((used_up.number, 0), (-used_up.number, 0))
        cuts.append(_cut(account, used_up.expires_at, Rank.EXPIRY, Boundary.END, moved))
    return cuts


def begin_in_the_past(account: Account, grant: Grant, now: datetime, cuts: Mapping[Cut, int]) -> Entry:
    """The new grant becomes live at its effective instant, which lies before now, and burns since then are laid again.

    `cuts` are those of `cuts_for`, each with what had burned between its `begun` and its `until`.
    """
    begin, rank = _begin(account, grant)
    spans = _spans(account, begin, rank)
    sheet = Sheet(account)
    sheet.bind_reversed(spans)
    sheet.take_back(spans)
    boundaries = {_new_phase(account, cut): burned for cut, burned in cuts.items()}
    for boundary in sorted(boundaries, key=lambda phase: phase.place):
        _split(spans, boundary, boundaries[boundary])
    account.phases = sorted([*account.phases, *boundaries], key=lambda phase: phase.place)
    sheet.lay(spans)
    account.granted += grant.amount
    repaid = sum(part for boundary in boundaries if boundary.boundary is Boundary.BEGIN for _, part in boundary.repaid)
    sheet.moved[-grant.number] = sheet.moved.get(-grant.number, 0) - repaid  # the GRANT entry itself says it
    entry = account.append(
        Kind.GRANT,
        amount=grant.amount,
        held_amount=0,
        occurred_at=grant.effective_at,
        recorded_at=now,
        allocations=[part for part in ((grant.number, grant.amount - repaid), (-grant.number, repaid)) if part[1]],
        cause=grant.cause,
    )
    sheet.book_unexpired(now)
    sheet.book_moved(begin, now)
    sheet.book_expired(now)
    account.falls_due(grant.expires_at)
    return entry


def _begin(account: Account, grant: Grant) -> tuple[datetime, Rank]:
    """Where the grant begins: never before what an operator did to grants and debt, which is not laid again, but right
    after it; else before whatever was asked for at that instant."""
    refunded = {OVERDRAFT, *_repaid_and_got_back(account, grant.effective_at)}
    fixed = [
        phase.until
        for phase in account.phases
        if phase.boundary is Boundary.CLOSE
        or (phase.boundary is Boundary.GIVE and any(number in refunded for number, _ in phase.moved))
    ]
    last = max(fixed, default=None)
    if last is None or last < grant.effective_at:
        return grant.effective_at, Rank.START
    return last, Rank.ASKED


def _repaid_and_got_back(account: Account, since: datetime) -> list[int]:
    """Grants that have got back what they had repaid of overdraft since then: a reversal of overdraft, too."""
    repaid: dict[int, int] = {}
    for phase in account.phases:
        if phase.until >= since:
            add(repaid, phase.repaid)
    grants = account.grants
    return [n for n, part in repaid.items() if n and part and grants[n].reversed > grants[n].burned - part]


def _used_up(account: Account, begin: datetime, now: datetime) -> list[Grant]:
    """Grants that were used up before an end between the two instants: more may be left of them now."""
    return [
        grant
        for grant in account.grants.values()
        if grant.state == "DEPLETED" and grant.expires_at is not None and begin < grant.expires_at <= now
        if not any(phase.boundary is Boundary.END and phase.moved[0][0] == grant.number for phase in account.phases)
    ]


def _cut(account: Account, until: datetime, rank: Rank, boundary: Boundary, moved: tuple[tuple[int, int], ...]) -> Cut:
    before = [phase.until for phase in account.phases if (phase.until, phase.rank) <= (until, rank)]
    return Cut(max(before, default=None), until, rank, boundary, moved)


def _new_phase(account: Account, cut: Cut) -> Phase:
    account.phase_count += 1
    account.new_phases.add(account.phase_count)
    account.phased_at = cut.until if account.phased_at is None else max(cut.until, account.phased_at)
    return Phase(account.phase_count, cut.until, cut.rank, cut.boundary, list(cut.moved))


def _spans(account: Account, since: datetime, rank: Rank = Rank.ASKED) -> list[Span]:
    """The phases that reach beyond `since`, at that instant those of a higher rank, and the present one."""
    begun = [phase for phase in account.phases if (phase.until, phase.rank) > (since, rank)]
    spans = [Span(phase.number, phase.drawn, sum(phase.drawn.values()), phase) for phase in begun]
    return [*spans, Span(0, account.drawn, sum(account.drawn.values()), None)]


def _split(spans: list[Span], boundary: Phase, burned: int) -> None:
    """Ends a phase early: `burned` of what it drew came before the boundary."""
    index = next(n for n, span in enumerate(spans) if span.phase is None or span.phase.place > boundary.place)
    span = spans[index]
    before = sum(piece.total for piece in spans[:index] if piece.origin == span.origin)
    total = max(0, min(span.total, burned - before))
    span.total -= total
    spans.insert(index, Span(span.origin, {}, total, boundary))


def _book_burn(account: Account, late: LateBurn, now: datetime) -> Entry:
    return account.append(
        Kind.BURN,
        amount=-late.amount,
        held_amount=0,
        occurred_at=late.occurred_at,
        recorded_at=now,
        allocations=late.parts,
        cause=late.cause,
    )
