"""Each correction against the page of the book it was locked for. PURE.

Checks in the order of the contract: form (before the queue) → replay of the key → customer → grant or entry → whether
its state allows it → amounts. A refusal leaves everything as it was.
"""

from dataclasses import dataclass, replace

from credits.amount import INT64_MAX
from credits.errors import Conflict, InvalidInput, NotFound, Refusal
from credits.ledger import corrections
from credits.ledger.account import Account, Grant
from credits.ledger.entries import REVERSIBLE, Cause, Entry, Kind
from credits.posting.book import Book, LockedCustomer, Reversible
from credits.posting.companions import Made, asked, seen, taken
from credits.posting.corrections import (
    Adjust,
    Clawback,
    Correction,
    ExtendGrant,
    GrantId,
    ReverseBurn,
    ReverseClawback,
    ReverseTogether,
    VoidGrant,
)
from credits.posting.outcomes import Burned, Decision, GivenBack, Granted, HappenedBefore, Replay
from credits.posting.pricing import scaled


def correct(book: Book, command: Correction) -> Burned | Granted | GivenBack | HappenedBefore | Refusal | Replay:
    """Decides one correction and, where it is granted, changes the book."""
    match command:
        case ReverseBurn() | ReverseClawback():
            return _reverse(book, command)
        case VoidGrant():
            return _void(book, command)
        case ExtendGrant():
            return _extend(book, command)
        case Adjust():
            return _adjust(book, command)
        case Clawback():
            return _claw_back(book, command)
        case ReverseTogether():
            return _reverse_together(book, command)
    raise TypeError(f"no correction: {type(command).__name__}")


@dataclass(slots=True)
class _Named:
    """What a command names, its account advanced to now."""

    account: Account
    grant: Grant


def _named(
    book: Book, command: VoidGrant | ExtendGrant | Adjust | Clawback
) -> _Named | HappenedBefore | Refusal | Replay:
    """The grant that the command names."""
    grant_id: GrantId = command.grant
    customer = book.customers.get(grant_id.customer_id)
    if customer is None:
        return NotFound("no such grant")
    if before := seen(book, customer, command) if isinstance(command, Clawback) else book.replay(customer, command):
        return before
    account = _account(book, customer, grant_id.credit_type_id)
    grant = None if account is None else account.grants.get(grant_id.number)
    return NotFound("no such grant") if account is None or grant is None else _Named(account, grant)


def _account(book: Book, customer: LockedCustomer, credit_type_id: int) -> Account | None:
    """The account advanced to now, where there is one."""
    if (customer.id, credit_type_id) not in book.accounts:
        return None
    return book.account(customer.id, book.credit_type(credit_type_id))


def _void(book: Book, command: VoidGrant) -> Granted | HappenedBefore | Refusal | Replay:
    found = _named(book, command)
    if not isinstance(found, _Named):
        return found
    if found.grant.state not in ("ACTIVE", "SCHEDULED"):
        return _not_active(found.grant)
    entry = corrections.void(found.account, found.grant, now=book.now, cause=_cause(command))
    return _granted(book, command, found.account, found.grant, entry)


def _extend(book: Book, command: ExtendGrant) -> Granted | HappenedBefore | Refusal | Replay:
    found = _named(book, command)
    if not isinstance(found, _Named):
        return found
    if found.grant.state != "ACTIVE":
        return _not_active(found.grant)
    if found.grant.free == 0:
        return Conflict("all that remains of the grant is held", code="GRANT_NOT_ACTIVE")
    if command.expires_at is not None and command.expires_at <= book.now:
        return InvalidInput("must lie in the future", field="expiresAt")
    new, entry = corrections.move(
        found.account, found.grant, expires_at=command.expires_at, now=book.now, cause=_cause(command)
    )
    return _granted(book, command, found.account, new, entry)


def _adjust(book: Book, command: Adjust) -> Granted | HappenedBefore | Refusal | Replay:
    found = _named(book, command)
    if not isinstance(found, _Named):
        return found
    account, grant = found.account, found.grant
    over = grant.expires_at is not None and grant.expires_at <= book.now
    if grant.state not in ("ACTIVE", "DEPLETED") or over:
        return _not_active(grant)
    amount = scaled(book.credit_type(account.credit_type_id), command.amount)
    if isinstance(amount, InvalidInput):
        return amount
    if -amount > grant.free:
        return Conflict("less than that is free of the grant")
    if max(account.granted + max(0, account.adjusted), _all_given(grant)) + amount > INT64_MAX:
        return InvalidInput("would grant more than 64 bits of micro-credits in all", field="amount")
    entry = corrections.adjust(account, grant, amount, now=book.now, cause=_cause(command))
    return _granted(book, command, account, grant, entry)


def _claw_back(book: Book, command: Clawback) -> Granted | HappenedBefore | Refusal | Replay:
    found = _named(book, command)
    if not isinstance(found, _Named):
        return found
    if found.grant.state == "SCHEDULED":
        return _not_active(found.grant)
    if found.account.outgoing + command.amount_micro > INT64_MAX:
        return InvalidInput("would take back more than 64 bits of micro-credits in all", field="amount")
    entry = corrections.clawback(found.account, found.grant, command.amount_micro, now=book.now, cause=_cause(command))
    if command.companion is not None:
        book.companions.append((command.companion, Made([entry], command.grant)))
    return _granted(book, command, found.account, found.grant, entry)


def _not_active(grant: Grant) -> Conflict:
    return Conflict(f"the grant is {grant.state.lower()}", code="GRANT_NOT_ACTIVE")


def _granted(book: Book, command: Correction, account: Account, grant: Grant, entry: Entry) -> Granted:
    book.use_key(account, command.key, command.meaning(), entry=entry, hold=None, grant=None)
    return Granted(account.customer_id, account.credit_type_id, replace(grant), entry, book.balance(account))


def _reverse(
    book: Book, command: ReverseBurn | ReverseClawback
) -> Burned | GivenBack | HappenedBefore | Refusal | Replay:
    customer = book.customers.get(command.entry.customer_id)
    if customer is None:
        return NotFound("no such entry")
    if before := book.replay(customer, command) if isinstance(command, ReverseBurn) else seen(book, customer, command):
        return before
    account = _account(book, customer, command.entry.credit_type_id)
    found = None if account is None else _reversible(book, account, command.entry.sequence)
    if account is None or found is None:
        return NotFound("no such entry")
    entry = found.entry
    of_burn = isinstance(command, ReverseBurn)
    if entry.kind not in (REVERSIBLE if of_burn else (Kind.CLAWBACK,)):
        may = "burns and settlements can be reversed" if of_burn else "a clawback is meant"
        return InvalidInput(f"is of kind {entry.kind.name}: {may}", field="entry")
    left = corrections.left_of(entry, found.later)
    amount = _amount_of(book, command, account, left)
    if isinstance(amount, InvalidInput):
        return amount
    if amount > left or left == 0:
        return Conflict("more than is left of the entry to give back", code="OVER_REVERSED")
    if too_much := _beyond_range(account, [(found, amount)]):
        return too_much
    reversal = _give_back(book, account, found, amount, _cause(command))
    book.use_key(account, command.key, command.meaning(), entry=reversal, hold=None, grant=None)
    if isinstance(command, ReverseBurn):
        return Burned(reversal, book.balance(account), reversal_decision(book, reversal))
    if command.companion is not None:
        book.companions.append((command.companion, Made([reversal])))
    return GivenBack([reversal])


def _amount_of(book: Book, command: ReverseBurn | ReverseClawback, account: Account, left: int) -> int | InvalidInput:
    """How much is to be given back: all that is left where nothing else is said."""
    if isinstance(command, ReverseClawback):
        return left if command.amount_micro is None else command.amount_micro
    return left if command.amount is None else scaled(book.credit_type(account.credit_type_id), command.amount)


def _give_back(book: Book, account: Account, found: Reversible, amount: int, cause: Cause) -> Entry:
    of = found.entry.cause
    return corrections.reverse(
        account,
        found.entry,
        amount,
        later=found.later,
        made_since=found.made_since,
        refund_expires_at=book.now + book.refund_lifetime,
        now=book.now,
        cause=replace(cause, feature_id=of.feature_id, member=of.member),
    )


def _beyond_range(account: Account, shares: list[tuple[Reversible, int]]) -> InvalidInput | None:
    """Why not, where some grant would have been given more than 64 bits over its lifetime."""
    given: dict[int, int] = {}
    for found, share in shares:
        for number, part in corrections.goes_to(account, found.entry, share, found.later, found.made_since):
            given[number] = given.get(number, 0) + part
    if any(number and _all_given(account.grants[number]) + part > INT64_MAX for number, part in given.items()):
        return InvalidInput("would give more than 64 bits of micro-credits to a grant in all", field="amount")
    return None


def _all_given(grant: Grant) -> int:
    return grant.amount + grant.given_back


def _reverse_together(book: Book, command: ReverseTogether) -> GivenBack | Refusal:
    """The companion decides first: it knows whether this has happened before."""
    customer = book.customers.get(command.customer)
    if customer is None:
        return NotFound("no such entry")
    said = asked(book, command.companion)
    if isinstance(said, Refusal):
        return said
    if said:
        return GivenBack([], replayed=True)
    used = book.used_keys.get((customer.id, command.key))
    if used is not None:
        return taken(used.first_seen_at)
    shares = _shares(book, command)
    if isinstance(shares, Refusal):
        return shares
    cause, given = _cause(command), list[Entry]()
    for account, sequence, share in shares:
        found = _reversible(book, account, sequence)  # again: the one before may have moved overdraft
        assert found is not None  # noqa: S101 -- `_shares` has found it
        given.append(_give_back(book, account, found, share, cause))
        cause = replace(cause, key=None, fingerprint=None)
    if given:
        account = shares[0][0]
        book.use_key(account, command.key, command.meaning(), entry=given[0], hold=None, grant=None)
    book.companions.append((command.companion, Made(given)))
    return GivenBack(given)


def _shares(book: Book, command: ReverseTogether) -> list[tuple[Account, int, int]] | Refusal:
    """What of the amount each entry gives back: account, sequence, micro-credits."""
    lefts: list[tuple[Account, int, int]] = []
    for entry_id in command.entries:
        account = _account(book, book.customers[command.customer], entry_id.credit_type_id)
        found = None if account is None else _reversible(book, account, entry_id.sequence)
        if account is None or found is None or entry_id.customer_id != command.customer:
            return NotFound("no such entry")
        if found.entry.kind not in REVERSIBLE:
            return InvalidInput("burns and settlements can be reversed", field="entries")
        lefts.append((account, entry_id.sequence, corrections.left_of(found.entry, found.later)))
    if command.amount is None or not lefts:
        return _within_range(book, [share for share in lefts if share[2]])
    amount = scaled(book.credit_type(lefts[0][0].credit_type_id), command.amount)
    if isinstance(amount, InvalidInput):
        return amount
    if amount > sum(left for *_, left in lefts):
        return Conflict("more than is left of the entries to give back", code="OVER_REVERSED")
    shares = []
    for account, sequence, left in lefts:
        share = min(left, amount)
        amount -= share
        if share:
            shares.append((account, sequence, share))
    return _within_range(book, shares)


def _within_range(book: Book, shares: list[tuple[Account, int, int]]) -> list[tuple[Account, int, int]] | InvalidInput:
    """The shares, all of one account, where what they give fits."""
    named = [(_reversible(book, account, sequence), share) for account, sequence, share in shares]
    found = [(reversible, share) for reversible, share in named if reversible is not None]
    return (_beyond_range(shares[0][0], found) if found else None) or shares


def _reversible(book: Book, account: Account, sequence: int) -> Reversible | None:
    """The entry and what later entries did to it, those of this batch too."""
    stored = book.reversible.get((account.customer_id, account.credit_type_id, sequence))
    if stored is not None:
        return Reversible(stored.entry, [*stored.later, *account.entries], stored.made_since)
    new = next((entry for entry in account.entries if entry.sequence == sequence), None)
    if new is None:
        return None
    return Reversible(new, [entry for entry in account.entries if entry.sequence > sequence])


def reversal_decision(book: Book, reversal: Entry) -> Decision:
    """Nothing was asked of enforcement: a reversal costs nothing."""
    customer = book.customers[reversal.customer_id]
    mode = book.enforcement(customer, reversal.cause.feature_id, reversal.credit_type_id).mode
    return Decision(
        allowed=True, would_block=False, mode=mode, reason=None, cost_micro=0, credit_type_id=reversal.credit_type_id
    )


def _cause(command: Correction) -> Cause:
    return Cause(
        actor_id=command.actor_id,
        reason=command.reason,
        note=command.note,
        key=command.key,
        fingerprint=command.meaning(),
    )
