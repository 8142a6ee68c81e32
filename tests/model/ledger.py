"""The reference model: one account's ledger, written from the contract alone, plain and slow.

It knows nothing of `credits`, and shares no line with it: where the two agree, two independent readings of the
contract agree. Amounts are whole micro-credits, instants whole microseconds, and every verb is told the time.

Three rules carry most of it. The clock first: before anything is written, whatever fell due is booked, in order of
due time; at one instant expiries, then lapses, then scheduled grants, then what was asked for. Debt comes first: live
credits that become free while there is overdraft repay it at once, in the same entry. A hold keeps what it was given:
its parts stay with it beyond their grant's expiry, and what is freed after that expires at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.model.records import OVERDRAFT, Debt, Entry, Grant, Hold, Refused

Parts = Sequence[tuple[int, int]]  # (grant number, amount), in the order they were drawn


@dataclass(slots=True)
class Account:
    """One customer's ledger in one credit type."""

    order: str = "PRIORITY_THEN_EXPIRY"
    grants: dict[int, Grant] = field(default_factory=dict)
    holds: dict[int, Hold] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    bore: dict[int, list[tuple[int, int]]] = field(default_factory=dict)  # of burns given back in part: what is left
    debts: list[Debt] = field(default_factory=list)  # the oldest is repaid first
    granted: int = 0
    burned: int = 0
    expired: int = 0
    given_back: int = 0
    voided: int = 0
    clawed_back: int = 0

    # ─── what it has ─────────────────────────────────────────────────────────────────────────────────────
    @property
    def balance(self) -> int:
        return sum(grant.remaining for grant in self.grants.values()) - self.overdraft

    @property
    def taken(self) -> int:
        """By hand."""
        return self.voided + self.clawed_back

    @property
    def overdraft(self) -> int:
        return sum(debt.owed for debt in self.debts)

    @property
    def held(self) -> int:
        return sum(hold.left for hold in self.holds.values())

    @property
    def available(self) -> int:
        return self.balance - self.held

    # ─── the clock ───────────────────────────────────────────────────────────────────────────────────────
    def next_due(self, now: int) -> tuple[int, int, int] | None:
        """(instant, rank, number) of what falls due first, up to and including `now`."""
        due = [(g.expires, 0, g.number) for g in self.grants.values() if g.expires is not None and g.is_live]
        due += [(h.expires, 1, h.number) for h in self.holds.values() if h.status == "OPEN"]
        due += [(g.effective, 2, g.number) for g in self.grants.values() if not g.begun]
        return min((each for each in due if each[0] <= now), default=None)

    def advance(self, now: int) -> None:
        """Book whatever fell due up to and including `now`, each at its own instant."""
        while due := self.next_due(now):
            instant, rank, number = due
            if rank == 0:
                grant = self.grants[number]
                free = grant.free
                grant.ended = True
                self.expire(grant, free, instant)
            elif rank == 1:
                hold = self.holds[number]
                hold.status = "LAPSED"
                self.close(hold, "LAPSE", instant)
            else:
                self.begin(self.grants[number], instant, instant)

    def expire(self, grant: Grant, amount: int, at: int) -> None:
        """What is lost is booked; where nothing is lost there is no entry."""
        if amount == 0:
            return
        grant.remaining -= amount
        grant.expired += amount
        self.expired += amount
        self.write("EXPIRE", -amount, 0, times=(at, at), drawn=[(grant.number, amount)], subject=grant.number)

    def void(self, grant: Grant, amount: int, at: int) -> Entry:
        """The same by hand; there is an entry also where nothing is lost."""
        grant.remaining -= amount
        grant.voided += amount
        self.voided += amount
        return self.write("VOID", -amount, 0, times=(at, at), drawn=[(grant.number, amount)], subject=grant.number)

    # ─── verbs ───────────────────────────────────────────────────────────────────────────────────────────
    def grant(
        self,
        now: int,
        amount: int,
        *,
        effective: int | None = None,
        expires: int | None = None,
        priority: int = 50,
        paid: bool = False,
        number: int | None = None,
    ) -> Grant | Refused:
        """Give credits: from `effective` on (default now), which may be later or, within the cutoff, earlier."""
        self.advance(now)
        effective = now if effective is None else effective
        if amount <= 0 or (expires is not None and (expires <= now or expires <= effective)):
            return Refused("INVALID_INPUT")
        grant = Grant(number or len(self.grants) + 1, amount, effective, expires, priority, paid)
        self.grants[grant.number] = grant
        if effective <= now:
            self.begin(grant, effective, now)
        return grant

    def begin(self, grant: Grant, occurred: int, recorded: int) -> Entry:
        """A grant becomes live; debt takes its part first."""
        grant.begun, grant.remaining = True, grant.amount
        self.granted += grant.amount
        repaid = self.repay()
        kept = grant.amount - sum(amount for _, amount in repaid)
        return self.write(
            "GRANT",
            grant.amount,
            0,
            times=(occurred, recorded),
            drawn=[(grant.number, kept)],
            repaid=repaid,
            subject=grant.number,
        )

    def burn(self, now: int, amount: int, *, floor: int | None = 0, occurred: int | None = None) -> Entry | Refused:
        """Consume. `floor`: the overdraft limit where the mode enforces it, None where nothing is blocked."""
        self.advance(now)
        if refused := self.short_of(amount, floor):
            return refused
        drawn = self.draw(amount)
        self.burned += amount
        return self.write("BURN", -amount, 0, times=(now if occurred is None else occurred, now), drawn=drawn)

    def hold(self, now: int, amount: int, *, expires: int, floor: int | None = 0) -> Hold | Refused:
        """Set aside, in burn order; what no grant has is accepted on overdraft, where the floor allows it."""
        self.advance(now)
        if refused := self.short_of(amount, floor):
            return refused
        parts: list[tuple[Grant, int]] = []
        unbacked = amount
        for grant in self.in_order():
            part = min(grant.free, unbacked)
            if part:
                grant.held += part
                parts.append((grant, part))
                unbacked -= part
        hold = Hold(len(self.holds) + 1, amount, expires, parts, unbacked)
        self.holds[hold.number] = hold
        drawn = [(grant.number, part) for grant, part in parts] + ([(OVERDRAFT, unbacked)] if unbacked else [])
        self.write("HOLD", 0, amount, times=(now, now), drawn=drawn, subject=hold.number)
        return hold

    def settle(
        self, now: int, number: int, amount: int, *, partial: bool = False, floor: int | None = 0
    ) -> Entry | Refused:
        """Burn from a hold: its parts as they were drawn, then what has no backing, then the excess, like a burn."""
        self.advance(now)
        hold = self.holds[number]
        if hold.status != "OPEN":
            return Refused("HOLD_NOT_OPEN")
        if refused := self.short_of(amount - hold.left, floor):
            return refused
        wanted = amount
        drawn: list[tuple[int, int]] = []
        rest: list[tuple[Grant, int]] = []
        for grant, part in hold.parts:
            used = min(part, wanted)
            if used:
                grant.held -= used
                grant.remaining -= used
                grant.burned += used
                drawn.append((grant.number, used))
                wanted -= used
            if part > used:
                rest.append((grant, part - used))
        held_before = hold.left
        hold.parts, hold.unbacked = rest, max(0, hold.unbacked - wanted)
        drawn.extend(self.draw(wanted))
        hold.settled += amount
        self.burned += amount
        if partial:
            return self.write(
                "SETTLE", -amount, hold.left - held_before, times=(now, now), drawn=drawn, subject=hold.number
            )
        hold.status = "SETTLED"
        return self.close(hold, "SETTLE", now, burned=amount, drawn=drawn, used=held_before - hold.left)

    def release(self, now: int, number: int) -> Entry | Refused:
        """Give a hold up, as if it had never been."""
        self.advance(now)
        hold = self.holds[number]
        if hold.status != "OPEN":
            return Refused("HOLD_NOT_OPEN")
        hold.status = "RELEASED"
        return self.close(hold, "RELEASE", now)

    def extend(self, now: int, number: int, expires: int) -> Hold | Refused:
        """The hold lapses later (or sooner): counted by the caller from now."""
        self.advance(now)
        hold = self.holds[number]
        if hold.status != "OPEN":
            return Refused("HOLD_NOT_OPEN")
        hold.expires = expires
        return hold

    # ─── how it is done ──────────────────────────────────────────────────────────────────────────────────
    def in_order(self) -> list[Grant]:
        return sorted((g for g in self.grants.values() if g.free), key=lambda g: g.rank(self.order))

    def short_of(self, needed: int, floor: int | None) -> Refused | None:
        if floor is None or needed <= 0 or self.available + floor >= needed:
            return None
        return Refused("INSUFFICIENT_CREDITS", needed, self.available)

    def draw(self, amount: int) -> Parts:
        """Take from free live grants in burn order, then beyond them all."""
        drawn: list[tuple[int, int]] = []
        for grant in self.in_order():
            part = min(grant.free, amount)
            if part:
                grant.remaining -= part
                grant.burned += part
                drawn.append((grant.number, part))
                amount -= part
        if amount:
            self.owe(amount)
            drawn.append((OVERDRAFT, amount))
        return drawn

    def owe(self, amount: int) -> None:
        """The entry that is written next makes a debt."""
        self.debts.append(Debt(len(self.entries) + 1, amount))

    def repay(self) -> Parts:
        """Free live credits pay the overdraft, in burn order; the oldest debt first."""
        paid: list[tuple[int, int]] = []
        for grant in self.in_order():
            whole = 0
            for debt in self.debts:
                part = min(grant.free, debt.owed)
                if part:
                    grant.remaining -= part
                    grant.burned += part
                    debt.owed -= part
                    debt.paid.append((grant.number, part))
                    whole += part
            if whole:
                paid.append((grant.number, whole))
        return paid

    def close(self, hold: Hold, kind: str, at: int, *, burned: int = 0, drawn: Parts = (), used: int = 0) -> Entry:
        """End a hold: what is left goes back to the grants it came from; of one that has ended it ends likewise at once."""
        rest, left, unbacked = hold.parts, hold.left, hold.unbacked
        hold.parts, hold.unbacked = [], 0
        for grant, part in rest:
            grant.held -= part
        repaid = self.repay()
        freed = [(grant.number, part) for grant, part in rest] + [(OVERDRAFT, unbacked)] if kind != "SETTLE" else []
        lost = {grant.number: part for grant, part in rest if grant.ended}
        # The EXPIRE and VOID entries follow, each with its own effect on the balance: until then it is still in there.
        entry = self.write(
            kind, -burned, -used - left, times=(at, at), drawn=[*drawn, *freed], repaid=repaid, subject=hold.number
        )
        for number, part in lost.items():
            (self.void if self.grants[number].void else self.expire)(self.grants[number], part, at)
        return entry

    def write(
        self,
        kind: str,
        amount: int,
        held: int,
        *,
        times: tuple[int, int],
        drawn: Parts,
        repaid: Parts = (),
        subject: int = 0,
    ) -> Entry:
        last = self.entries[-1] if self.entries else None
        balance_after = (last.balance_after if last else 0) + amount
        held_after = (last.held_after if last else 0) + held
        parts = tuple((number, part) for number, part in drawn if part)
        entry = Entry(
            len(self.entries) + 1, kind, amount, held, balance_after, held_after, *times, parts, tuple(repaid), subject
        )
        self.entries.append(entry)
        return entry


def once(keys: dict[str, tuple[object, object]], key: str, payload: object, act: Callable[[], object]) -> object:
    """Idempotency: the first answer again for the same payload; a refusal is not remembered. Keys are per customer."""
    if key in keys:
        first, answer = keys[key]
        return answer if first == payload else Refused("IDEMPOTENCY_CONFLICT")
    answer = act()
    if not isinstance(answer, Refused):
        keys[key] = (payload, answer)
    return answer
