"""Spend limits: which of them apply, what counts towards them, whether one is reached. PURE.

What counts: burns and what open holds still keep, beyond any limit if it happened so (events). A hold counts in the
window of its opening, and whatever becomes of it counts there too: a settlement replaces what it kept by what it
burned, a release or a lapse frees it. A reversal counts in the window of its burn, one of a clawback nowhere. So a window that was not exceeded
when it was asked is not exceeded later.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from credits.amount import plain_micro
from credits.enforcement.values import LimitReached, Metered, SpendLimit
from credits.ledger.account import Account, Hold
from credits.ledger.entries import Entry, Kind, about
from credits.windows import Interval, Window, window

Place = tuple[int, datetime]  # limit, start of the window

# Entries that change what is counted: each by what it burned, and by what it set aside or no longer does.
COUNTED = (Kind.BURN, Kind.HOLD, Kind.SETTLE, Kind.RELEASE, Kind.LAPSE, Kind.REVERSE)


@dataclass(slots=True)
class Usage:
    """Whose spending it is, and of when. Never changed."""

    member: str | None
    at: datetime


class Limits:
    """One customer's spend limits with what is known to count towards them, micro-credits.

    `known`: as of the reading, by place. `added`: what has come since. A place that is in neither counts zero where its
    window begins at `counted_from` or later; of an earlier one, `missing` says that it has to be looked up first.
    """

    def __init__(self, timezone: str, limits: Iterable[SpendLimit], groups: Mapping[str, str]) -> None:
        self.timezone = timezone
        self.all = sorted(limits, key=lambda limit: limit.number)
        self._groups = groups
        self.known: dict[Place, int] = {}
        self.added: dict[Place, int] = {}
        self.unwritten: set[Place] = set()  # known from the entries alone, not written down yet
        # What reversals of the batch reverse, and the holds of what of it are settlements: by credit type and number.
        self.reversible: dict[tuple[int, int], Entry] = {}
        self.closed_holds: dict[tuple[int, int], Hold] = {}
        self._named: dict[str | None, list[SpendLimit]] = {}
        self._windows: dict[Interval, Window] = {}
        self._counted_entries: dict[int, int] = {}  # credit type → how many of the account's new entries

    # ─── which, and when ─────────────────────────────────────────────────────────────────────────────────
    def members_of(self, limit: SpendLimit) -> list[str] | None:
        """Whose usage counts; None: everybody's, also that of no member."""
        if limit.group is None:
            return None if limit.member is None else [limit.member]
        within = [member for member, group in self._groups.items() if group == limit.group]
        return within if limit.member is None else [member for member in within if member == limit.member]

    def window(self, limit: SpendLimit, at: datetime) -> Window:
        """The window of the limit that the instant lies in."""
        found = self._windows.get(limit.interval)
        if found is None or not found.holds(at):
            found = self._windows[limit.interval] = window(limit.interval, self.timezone, at)
        return found

    def named_by(self, member: str | None) -> list[SpendLimit]:
        """The limits that hold for the member's usage of some feature and credit type."""
        found = self._named.get(member)
        if found is None:
            group = None if member is None else self._groups.get(member)
            found = self._named[member] = [
                limit
                for limit in self.all
                if limit.member in (None, member) and (limit.group is None or limit.group == group)
            ]
        return found

    def missing(self, members: Iterable[str | None], at: datetime) -> dict[Place, SpendLimit]:
        """What a decision at that instant needs to know besides."""
        found: dict[Place, SpendLimit] = {}
        for member in members:
            for limit in self.named_by(member):
                place = (limit.number, self.window(limit, at).start)
                if place not in self.known:
                    found[place] = limit
        return found

    # ─── what counts ─────────────────────────────────────────────────────────────────────────────────────
    def catch_up(self, account: Account) -> None:
        """Counts the entries written to the account since the last time."""
        already = self._counted_entries.get(account.credit_type_id, 0)
        if already == len(account.entries):
            return
        for entry in account.entries[already:]:
            if entry.kind in COUNTED and not (entry.kind is Kind.REVERSE and about(entry.kind, entry.allocations)):
                usage, feature_id = self._usage_of(account, entry)
                amount = entry.held_amount - entry.amount
                self._count(account, usage.member, feature_id, usage.at, amount)
        self._counted_entries[account.credit_type_id] = len(account.entries)

    def _usage_of(self, account: Account, entry: Entry) -> tuple[Usage, int | None]:
        """Whose usage the entry is about, of when, and of which feature."""
        if entry.kind is Kind.REVERSE:
            reversed_ = self.reversible.get((account.credit_type_id, entry.cause.reverses or 0))
            burned = reversed_ or next(each for each in account.entries if each.sequence == entry.cause.reverses)
            return self._usage_of(account, burned)
        if entry.hold_number is None:
            return Usage(entry.cause.member, entry.occurred_at), entry.cause.feature_id
        hold = account.holds.get(entry.hold_number) or self.closed_holds[account.credit_type_id, entry.hold_number]
        return Usage(hold.member, hold.opened_at), hold.feature_id

    def _count(self, account: Account, member: str | None, feature_id: int | None, at: datetime, amount: int) -> None:
        if not amount:
            return
        for limit in self._applying(account.credit_type_id, member, feature_id):
            try:
                place = (limit.number, self.window(limit, at).start)
            except ValueError:
                continue  # reaches beyond the calendar: nothing is ever decided there
            self.added[place] = self.added.get(place, 0) + amount

    # ─── what it comes to ────────────────────────────────────────────────────────────────────────────────
    def reached(
        self, credit_type_id: int, member: str | None, feature_id: int | None, at: datetime, needed_micro: int
    ) -> LimitReached | None:
        """The limit that spending this at that instant would go beyond; of several the one that holds longest, for
        whoever comes back after it gets through. What costs nothing goes beyond none."""
        if needed_micro <= 0:
            return None
        reached = [
            metered
            for limit in self._applying(credit_type_id, member, feature_id)
            if (metered := self.metered(limit, at)).used_micro + needed_micro > limit.amount_micro
        ]
        if not reached:
            return None
        longest = max(reached, key=lambda metered: (metered.resets_at, -metered.limit.number))
        return LimitReached(f"would go beyond {_say(longest.limit)}", longest)

    def metered(self, limit: SpendLimit, at: datetime) -> Metered:
        """The limit with what is used of it in the window of that instant."""
        found = self.window(limit, at)
        place = (limit.number, found.start)
        known = self.known.get(place)
        if known is None:
            if found.start < limit.counted_from:
                raise LookupError(f"limit {limit.id} is not counted from {found.start}")
            known = 0
        return Metered(limit, known + self.added.get(place, 0), found.end)

    def _applying(self, credit_type_id: int, member: str | None, feature_id: int | None) -> list[SpendLimit]:
        return [
            limit
            for limit in self.named_by(member)
            if limit.credit_type_id == credit_type_id and limit.feature_id in (None, feature_id)
        ]


def _say(limit: SpendLimit) -> str:
    whose = [f"{word} {name}" for word, name in (("member", limit.member), ("group", limit.group)) if name is not None]
    return f"the limit of {plain_micro(limit.amount_micro)} per {limit.interval.lower()}" + (
        f" for {' in '.join(whose)}" if whose else ""
    )
