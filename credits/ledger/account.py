"""An account as the rules see it: its running totals, its open grants and holds. PURE.

The rules change these objects in memory; the batch writer stores what changed, a read throws it away. Grants and
holds that are closed for good are not loaded: no rule needs them.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from credits.ledger import burn_order
from credits.ledger.entries import GENESIS, Allocations, Cause, Entry, Kind, chain
from credits.ledger.phases import Boundary, Parts, Phase, Rank


@dataclass(slots=True)
class Grant:
    """Credits given, and what became of them. Amounts are micro-credits.

    Invariant: `amount + given_back = remaining + burned + expired + voided + clawed_back`, `0 ≤ held ≤ remaining`.
    """

    number: int
    source: str
    state: str
    amount: int
    remaining: int
    priority: int
    effective_at: datetime
    expires_at: datetime | None
    created_at: datetime
    held: int = 0
    burned: int = 0
    expired: int = 0
    voided: int = 0
    clawed_back: int = 0
    given_back: int = 0
    reversed: int = 0  # of what was given back: by reversals of burns, the rest was adjusted upwards
    actor_id: int | None = None
    reason: str | None = None
    note: str | None = None
    cost_amount: Decimal | None = None
    cost_currency: str | None = None
    metadata: str | None = None
    key: str | None = None
    fingerprint: int | None = None
    rolled_from: int | None = None  # the grant that this one continues

    @property
    def free(self) -> int:
        """What no open hold keeps."""
        return self.remaining - self.held

    @property
    def cause(self) -> Cause:
        """Who gave it, why, under which key: what its GRANT entry says."""
        return Cause(
            actor_id=self.actor_id, reason=self.reason, note=self.note, key=self.key, fingerprint=self.fingerprint
        )

    @property
    def open(self) -> bool:
        """May still change: scheduled, or something remains."""
        return self.state == "SCHEDULED" or self.remaining > 0

    @property
    def corrected(self) -> bool:
        """Something of it was ever taken or given back by hand; of most grants nothing is."""
        return bool(self.given_back or self.voided or self.clawed_back)


@dataclass(slots=True)
class Hold:
    """Credits set aside. `parts` says what each grant still sets aside for it; part 0 is not covered by any."""

    number: int
    amount: int
    remaining: int
    opened_at: datetime
    expires_at: datetime
    parts: list[tuple[int, int]]
    status: str = "OPEN"
    settled: int = 0
    closed_at: datetime | None = None
    feature_id: int | None = None
    rate_id: int | None = None
    member: str | None = None
    dimensions: str | None = None


@dataclass(slots=True)
class Account:
    """One customer's ledger in one credit type.

    Invariants: `balance = Σ remaining of open, begun grants − overdraft = granted − burned − expired + given_back −
    voided − clawed_back + adjusted`; `overdraft > 0` only while no live grant has anything free. Each of these totals
    is the sum of one kind of entry, over the account's lifetime: gross.
    """

    workspace_id: int
    customer_id: int
    credit_type_id: int
    burn_order: str
    balance: int = 0
    held: int = 0
    overdraft: int = 0
    granted: int = 0
    burned: int = 0
    expired: int = 0
    given_back: int = 0
    voided: int = 0
    clawed_back: int = 0
    adjusted: int = 0  # signed
    recorded_at: datetime | None = None
    due_at: datetime | None = None  # nothing falls due before; exact once `advance` has passed it
    later_hold_at: datetime | None = None  # earliest end of the open holds that were not loaded
    sequence: int = 0
    grant_count: int = 0
    hold_count: int = 0
    phase_count: int = 0
    phased_at: datetime | None = None  # where the present phase began
    drawn: dict[int, int] = field(default_factory=dict)  # what burned in the present phase, by grant; 0: overdraft
    head: bytes = GENESIS
    grants: dict[int, Grant] = field(default_factory=dict)
    holds: dict[int, Hold] = field(default_factory=dict)
    phases: list[Phase] = field(default_factory=list)  # those that were loaded, and new ones; in order
    # What the rules did, for whoever stores it.
    entries: list[Entry] = field(default_factory=list)
    changed_grants: set[int] = field(default_factory=set)
    changed_holds: set[int] = field(default_factory=set)
    new_grants: set[int] = field(default_factory=set)
    new_holds: set[int] = field(default_factory=set)
    changed_phases: set[int] = field(default_factory=set)
    new_phases: set[int] = field(default_factory=set)
    # Hold → (when it was extended, when it was to end until then).
    earlier_ends: dict[int, tuple[datetime, datetime]] = field(default_factory=dict)
    stored_due_at: datetime | None = None
    _burnable: list[Grant] | None = None

    @property
    def available(self) -> int:
        """What can be spent now. True only once the account is advanced to now."""
        return self.balance - self.held

    @property
    def outgoing(self) -> int:
        """All that was and may yet be taken: with what is asked for it must fit 64 bits."""
        return self.burned + self.clawed_back + self.held

    @property
    def corrected(self) -> bool:
        """Something was ever taken or given back by hand; most accounts never see that."""
        return bool(self.given_back or self.voided or self.clawed_back or self.adjusted)

    def burnable(self) -> list[Grant]:
        """Live grants with something free, in burn order."""
        if self._burnable is None:
            live = [grant for grant in self.grants.values() if grant.state == "ACTIVE" and grant.remaining > grant.held]
            self._burnable = burn_order.order(live, self.burn_order)
        return self._burnable

    def regroup(self) -> None:
        """Grants began, ended or got something back: the burn order is to be made again."""
        self._burnable = None

    def falls_due(self, at: datetime | None) -> None:
        """Something will fall due at that instant."""
        if at is not None and (self.due_at is None or at < self.due_at):
            self.due_at = at

    def end_phase(
        self, at: datetime, rank: Rank, boundary: Boundary, moved: Parts, repaid: Parts | None = None
    ) -> None:
        """Something but a burn changes what burns may draw on: here a phase ends. To be called before the change is
        followed by any burn; phases never go back in time."""
        self.phase_count += 1
        self.phased_at = at if self.phased_at is None else max(at, self.phased_at)
        self.phases.append(Phase(self.phase_count, self.phased_at, rank, boundary, moved, repaid or [], self.drawn))
        self.new_phases.add(self.phase_count)
        self.drawn = {}

    def append(
        self,
        kind: Kind,
        *,
        amount: int,
        held_amount: int,
        occurred_at: datetime,
        recorded_at: datetime,
        allocations: Allocations,
        cause: Cause,
        hold_number: int | None = None,
    ) -> Entry:
        """Writes the next entry; the account's clock never goes back."""
        if self.recorded_at is not None and recorded_at < self.recorded_at:
            recorded_at = self.recorded_at
        # In UTC, as the database gives them back: the canonical entry says instants with their offset.
        if occurred_at.tzinfo is not UTC or recorded_at.tzinfo is not UTC:
            occurred_at, recorded_at = occurred_at.astimezone(UTC), recorded_at.astimezone(UTC)
        self.sequence += 1
        self.balance += amount
        self.held += held_amount
        entry = Entry(
            self.workspace_id,
            self.customer_id,
            self.credit_type_id,
            self.sequence,
            kind,
            amount,
            held_amount,
            self.balance,
            self.held,
            occurred_at,
            recorded_at,
            allocations,
            hold_number,
            cause,
        )
        entry.hash = self.head = chain(self.head, entry)
        self.recorded_at = recorded_at
        self.entries.append(entry)
        return entry
