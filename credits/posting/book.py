"""The page of the book that a batch has locked and read: everything its commands are decided on. PURE."""

from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from credits import bounds
from credits.catalog.values import Catalog, CreditType, RateCard, card_for
from credits.enforcement.decide import Effective, Policies
from credits.enforcement.limits import Limits
from credits.ledger import late
from credits.ledger.account import Account
from credits.ledger.advance import advance
from credits.ledger.balance import Balance, balance_of
from credits.ledger.entries import Entry
from credits.ledger.laying import LateBurn
from credits.posting.commands import Keyed, TakeEvent
from credits.posting.outcomes import EventOutcome, Replay, UsedKey
from credits.rating.meter import Meter
from credits.webhooks.messages import NOTHING_WANTED, Wanted

if TYPE_CHECKING:
    from credits.posting.companions import Companion, Made


@dataclass(slots=True)
class LockedCustomer:
    """What decisions need of a customer. `rate_card_version` is the tag, None before the first burn or grant.
    `limited`: it has spend limits."""

    id: int
    key: str
    timezone: str
    cohort: str
    rate_card_version: int | None
    late_cutoff_s: int | None = None  # None: the workspace's
    limited: bool = False


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """An event that came before."""

    content: int
    outcome: EventOutcome
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Reversible:
    """An entry that may be given back, and the entries after it that reversed it or moved overdraft, in order.

    `made_since`: what others after it, that are not among them, made of overdraft.
    """

    entry: Entry
    later: list[Entry]
    made_since: int = 0


@dataclass(slots=True)
class NewEvent:
    """An event to be stored, with what became of it."""

    command: TakeEvent
    customer_id: int | None
    occurred_at: datetime
    outcome: EventOutcome
    message: str | None
    entries: list[Entry]
    was: EventOutcome | None = None  # of a dead letter that is tried again: what it was until now
    attempts: int = 1

    @property
    def content(self) -> int:
        return self.command.content


@dataclass(frozen=True, slots=True)
class Burned:
    """What had burned in an account between instants, by when it happened. `cuts` ascend; bucket n ends with cut n."""

    cuts: list[datetime]
    buckets: dict[int, int]

    def between(self, begun: datetime | None, until: datetime) -> int:
        """Micro-credits in `[begun, until)`; from the account's beginning where `begun` is None."""
        first = 0 if begun is None else bisect_left(self.cuts, begun) + 1
        last = bisect_left(self.cuts, until)
        return sum(burned for bucket, burned in self.buckets.items() if first <= bucket <= last)


NOTHING_BURNED = Burned([], {})


@dataclass(slots=True)
class Book:
    workspace_id: int
    now: datetime
    late_cutoff: timedelta
    catalog: Catalog
    policies: Policies
    customers: dict[int, LockedCustomer] = field(default_factory=dict)
    customer_ids: dict[str, int] = field(default_factory=dict)
    accounts: dict[tuple[int, int], Account] = field(default_factory=dict)
    used_keys: dict[tuple[int, str], UsedKey] = field(default_factory=dict)
    seen_events: dict[UUID, SeenEvent | NewEvent] = field(default_factory=dict)  # before, or earlier in this batch
    burned: dict[tuple[int, int], Burned] = field(default_factory=dict)  # for grants that begin in the past
    # Late usage of events, laid at once when the account is next looked at; and where its entries go.
    late: dict[tuple[int, int], list[tuple[LateBurn, list[Entry]]]] = field(default_factory=dict)
    reversible: dict[tuple[int, int, int], Reversible] = field(default_factory=dict)
    refund_lifetime: timedelta = bounds.REFUND_LIFETIME
    limits: dict[int, Limits] = field(default_factory=dict)  # of the customers that have any
    wanted: Wanted = NOTHING_WANTED  # what webhooks are to tell of
    # Below what a balance is low, in micro-credits, by customer and credit type: of those that have a rule of their own.
    low_thresholds: dict[tuple[int, int], int] = field(default_factory=dict)
    # What the commands did, besides what the accounts carry.
    companions: list[tuple["Companion", "Made"]] = field(default_factory=list)  # in order
    new_events: list[NewEvent] = field(default_factory=list)
    retried_events: list[NewEvent] = field(default_factory=list)
    new_accounts: set[tuple[int, int]] = field(default_factory=set)
    tagged: set[int] = field(default_factory=set)
    _meters: dict[tuple[int | None, str], Meter] = field(default_factory=dict)
    _late_before: datetime = field(init=False)

    def __post_init__(self) -> None:
        self._late_before = self.now - self.late_cutoff

    def customer(self, name: str | int) -> LockedCustomer | None:
        """By key, or by id."""
        customer_id = name if isinstance(name, int) else self.customer_ids.get(name)
        return None if customer_id is None else self.customers.get(customer_id)

    def credit_type(self, credit_type_id: int) -> CreditType:
        """A credit type that a row points to: credit types are archived, never deleted."""
        credit_type = self.catalog.credit_type(credit_type_id)
        if credit_type is None:
            raise LookupError(f"credit type {credit_type_id} is not in the catalog")
        return credit_type

    def account(self, customer_id: int, credit_type: CreditType) -> Account:
        """The account, advanced to now, late usage in its place; a new one is stored only if something is written."""
        account = self.account_before_late(customer_id, credit_type)
        if self.late:
            self._place_late((customer_id, credit_type.id))
        return account

    def account_before_late(self, customer_id: int, credit_type: CreditType) -> Account:
        """The account without the late usage of this batch, for whoever adds to it."""
        place = (customer_id, credit_type.id)
        account = self.accounts.get(place)
        if account is None:
            account = Account(self.workspace_id, customer_id, credit_type.id, credit_type.burn_order)
            self.accounts[place] = account
            self.new_accounts.add(place)
        if account.due_at is not None and account.due_at <= self.now:
            advance(account, self.now)
        return account

    def late_micro(self, account: Account) -> int:
        """What of this batch's late usage the account is still to burn."""
        if not self.late:
            return 0
        return sum(burn.amount for burn, _ in self.late.get((account.customer_id, account.credit_type_id), ()))

    def place_late(self) -> None:
        """Lays what late usage is still waiting, once for each account."""
        for place in list(self.late):
            self._place_late(place)

    def _place_late(self, place: tuple[int, int]) -> None:
        waiting = self.late.pop(place, None)
        if waiting:
            entries = late.place(self.accounts[place], [burn for burn, _ in waiting], self.now)
            for entry, (_, into) in zip(entries, waiting, strict=True):
                into.append(entry)

    def cutoff(self, customer: LockedCustomer) -> datetime:
        """What happened before it is too late for this customer."""
        own = customer.late_cutoff_s
        return self._late_before if own is None else self.now - timedelta(seconds=own)

    def balance(self, account: Account) -> Balance:
        limit = self.enforcement(self.customers[account.customer_id], None, account.credit_type_id)
        return balance_of(account, self.now, limit.overdraft_limit_micro)

    def enforcement(self, customer: LockedCustomer, feature_id: int | None, credit_type_id: int | None) -> Effective:
        return self.policies.effective(customer.id, customer.key, feature_id, credit_type_id)

    def rate_card(self, customer: LockedCustomer, at: datetime) -> RateCard | None:
        return card_for(self.catalog, customer.cohort, customer.rate_card_version, at, now=self.now)

    def meter(self, card: RateCard | None, event_type: str) -> Meter:
        """How events of this type are priced on that card."""
        key = (None if card is None else card.id, event_type)
        meter = self._meters.get(key)
        if meter is None:
            meter = self._meters[key] = Meter.of(self.catalog, card, event_type)
        return meter

    def tag(self, customer: LockedCustomer) -> None:
        """A customer is given the newest effective version of its cohort at its first grant or burn."""
        if customer.rate_card_version is None and (card := self.rate_card(customer, self.now)) is not None:
            customer.rate_card_version = card.version
            self.tagged.add(customer.id)

    def replay(self, customer: LockedCustomer, command: Keyed) -> Replay | None:
        """What the command's key stands for already; None for a new one."""
        used = self.used_keys.get((customer.id, command.key))
        return None if used is None else Replay(used, contradicts=used.fingerprint != command.meaning())

    def use_key(
        self, account: Account, key: str, meaning: int, *, entry: Entry | None, hold: int | None, grant: int | None
    ) -> None:
        """From here on the key stands for this."""
        self.used_keys[account.customer_id, key] = UsedKey(
            fingerprint=meaning,
            first_seen_at=entry.recorded_at if entry else self.now,
            customer_id=account.customer_id,
            credit_type_id=account.credit_type_id,
            sequence=None if entry is None else entry.sequence,
            grant_number=grant,
            hold_number=hold,
        )
