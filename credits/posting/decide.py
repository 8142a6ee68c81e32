"""Each command against the page of the book it was locked for: an answer, and what it wrote. PURE.

Checks come in the order of the contract, and the first that fails is the answer: form (before the queue) → replay
of the key → deadline → customer → feature or credit type → rate → mode → spend limits → credits. A refusal leaves everything as
it was: every rule below is asked before the first change.
"""

from dataclasses import replace
from datetime import datetime

from credits import bounds, durations
from credits.amount import INT64_MAX
from credits.canonical import canonical_json
from credits.enforcement.decide import decide
from credits.enforcement.limits import Usage
from credits.enforcement.values import LimitReached
from credits.errors import Conflict, InsufficientCredits, InvalidInput, NotFound, Refusal
from credits.ledger import grants, holds
from credits.ledger.account import Account, Grant, Hold
from credits.ledger.entries import Cause, Entry, Kind
from credits.ledger.late import begin_in_the_past, cuts_for, is_late, place
from credits.ledger.laying import LateBurn
from credits.posting.book import NOTHING_BURNED, Book, LockedCustomer
from credits.posting.commands import (
    Advance,
    Burn,
    Command,
    ExtendHold,
    GiveGrant,
    HoldId,
    OpenHold,
    Release,
    Settle,
    TakeEvent,
)
from credits.posting.companions import Made, seen
from credits.posting.correct import correct
from credits.posting.corrections import Correction, GrantId
from credits.posting.events import take_event
from credits.posting.outcomes import Advanced, Answer, Burned, Decision, Granted, HoldTaken, Replay, Settled
from credits.posting.pricing import Dimensions, Price, at_rate, price, scaled

_NO_CUSTOMER = "no customer {!r}"


def apply(book: Book, command: Command) -> Answer | Replay:
    """Decides one command and, where it is granted, changes the book."""
    match command:
        case Burn():
            return _burn(book, command)
        case TakeEvent():
            return take_event(book, command)
        case OpenHold():
            return _open_hold(book, command)
        case Settle():
            return _settle(book, command)
        case Release():
            return _release(book, command)
        case GiveGrant():
            return _grant(book, command)
        case ExtendHold():
            return _extend_hold(book, command)
        case Advance():
            return _advance(book, command)
        case Correction():
            return correct(book, command)


def enforced(
    book: Book,
    customer: LockedCustomer,
    account: Account,
    feature_id: int | None,
    needed_micro: int,
    *,
    usage: Usage | None = None,
) -> Decision:
    """What enforcement says to spending `needed_micro` from an account that is advanced to now. `usage` says whose and
    of when it is, where spend limits are asked, too: before the credits."""
    effective = book.enforcement(customer, feature_id, account.credit_type_id)
    reason: InsufficientCredits | LimitReached | None = None
    if usage is not None and effective.mode != "OFF" and (limits := book.limits.get(customer.id)):
        limits.catch_up(account)
        reason = limits.reached(account.credit_type_id, usage.member, feature_id, usage.at, needed_micro)
    verdict = decide(effective, needed_micro, account.available, limit_reached=reason is not None)
    if reason is None and verdict.would_block:
        left = effective.overdraft_limit_micro - max(0, -account.available)
        reason = InsufficientCredits(
            "not enough credits",
            credit_type_id=account.credit_type_id,
            needed_micro=needed_micro,
            available_micro=account.available,
            overdraft_left_micro=left,
        )
    return Decision(
        allowed=verdict.allowed,
        would_block=verdict.would_block,
        mode=effective.mode,
        reason=reason,
        cost_micro=needed_micro,
        credit_type_id=account.credit_type_id,
    )


def _asked(book: Book, command: Burn | OpenHold, not_after: datetime | None) -> LockedCustomer | Refusal | Replay:
    """Replay, deadline, customer: the checks that come before anything is looked up."""
    customer = book.customer(command.customer)
    if customer is not None and (seen := book.replay(customer, command)):
        return seen
    if not_after is not None and not_after < book.now:
        return Conflict("arrived after its notAfter", code="TOO_LATE")
    return customer or NotFound(_NO_CUSTOMER.format(command.customer))


def _burn(book: Book, command: Burn) -> Answer | Replay:
    customer = _asked(book, command, command.not_after)
    if not isinstance(customer, LockedCustomer):
        return customer
    occurred_at = command.occurred_at or book.now
    if occurred_at > book.now + bounds.FUTURE_SKEW:
        return InvalidInput("lies more than 5 minutes ahead", field="occurredAt")
    if occurred_at < book.cutoff(customer):
        return Conflict("occurredAt lies before the cutoff for late usage", code="TOO_LATE")
    priced = price(book, customer, command.spend, occurred_at)
    if not isinstance(priced, Price):
        return priced
    account = book.account(customer.id, priced.credit_type)
    feature_id = priced.feature.id if priced.feature else None
    usage = Usage(command.spend.member, occurred_at)
    decision = enforced(book, customer, account, feature_id, priced.amount_micro, usage=usage)
    if not decision.allowed and decision.reason:
        return decision.reason
    if account.outgoing + priced.amount_micro > INT64_MAX:
        return InvalidInput("would burn more than 64 bits of micro-credits in all", field="amount")
    meaning = command.meaning()
    cause = cause_of(priced, command, member=command.spend.member, note=command.note, fingerprint=meaning)
    book.tag(customer)
    (entry,) = place(account, [LateBurn(priced.amount_micro, occurred_at, cause)], book.now)
    book.use_key(account, command.key, meaning, entry=entry, hold=None, grant=None)
    return Burned(entry, book.balance(account), decision)


def _open_hold(book: Book, command: OpenHold) -> Answer | Replay:
    customer = _asked(book, command, command.not_after)
    if not isinstance(customer, LockedCustomer):
        return customer
    priced = price(book, customer, command.spend, book.now)
    if not isinstance(priced, Price):
        return priced
    account = book.account(customer.id, priced.credit_type)
    feature_id = priced.feature.id if priced.feature else None
    usage = Usage(command.spend.member, book.now)
    decision = enforced(book, customer, account, feature_id, priced.amount_micro, usage=usage)
    if not decision.allowed and decision.reason:
        return decision.reason
    if account.outgoing + priced.amount_micro > INT64_MAX:
        return InvalidInput("would hold more than 64 bits of micro-credits in all", field="amount")
    meaning = command.meaning()
    cause = cause_of(priced, command, member=command.spend.member, note=None, fingerprint=meaning)
    book.tag(customer)
    hold, entry = holds.open_hold(
        account,
        priced.amount_micro,
        expires_at=durations.after(book.now, command.ttl),
        now=book.now,
        cause=cause,
    )
    book.use_key(account, command.key, meaning, entry=entry, hold=hold.number, grant=None)
    return _hold_taken(book, account, hold, entry=entry, decision=decision)


def _settle(book: Book, command: Settle) -> Answer | Replay:
    found = _open(book, command)
    if not isinstance(found, tuple):
        return found
    customer, account, hold = found
    priced = _settle_price(book, hold, command)
    if not isinstance(priced, Price):
        return priced
    excess = priced.amount_micro - hold.remaining
    if excess > 0:
        decision = enforced(book, customer, account, hold.feature_id, excess)
        if not decision.allowed and decision.reason:
            return decision.reason
        if account.outgoing + excess > INT64_MAX:
            return InvalidInput("would burn more than 64 bits of micro-credits in all", field="amount")
    meaning = command.meaning()
    cause = cause_of(priced, command, member=hold.member, note=None, fingerprint=meaning)
    entry = holds.settle(account, hold, priced.amount_micro, closes=not command.partial, now=book.now, cause=cause)
    book.use_key(account, command.key, meaning, entry=entry, hold=hold.number, grant=None)
    return Settled(customer.id, account.credit_type_id, replace(hold), entry, book.balance(account))


def _settle_price(book: Book, hold: Hold, command: Settle) -> Price | InvalidInput | NotFound:
    """The amount given, or the quantity at the rate of the hold's opening: a price never changes under a hold."""
    credit_type = book.credit_type(command.hold.credit_type_id)
    feature = None if hold.feature_id is None else book.catalog.feature(hold.feature_id)
    if command.amount is not None:
        amount = scaled(credit_type, command.amount)
        return amount if isinstance(amount, InvalidInput) else Price(credit_type, amount, feature, hold.rate_id)
    opening = None if hold.rate_id is None else book.catalog.rate(hold.rate_id)
    if feature is None or opening is None or command.quantity is None:
        return InvalidInput("the hold was opened in credits: settle it by amount", field="quantity")
    return at_rate(book, feature, opening, command.quantity, Dimensions.of(command.dimensions))


def _release(book: Book, command: Release) -> Answer | Replay:
    found = _open(book, command)
    if not isinstance(found, tuple):
        return found
    _customer, account, hold = found
    meaning = command.meaning()
    cause = Cause(
        actor_id=command.actor_id,
        feature_id=hold.feature_id,
        member=hold.member,
        key=command.key,
        fingerprint=meaning,
    )
    entry = holds.release(account, hold, at=book.now, cause=cause)
    book.use_key(account, command.key, meaning, entry=entry, hold=hold.number, grant=None)
    return _hold_taken(book, account, hold, entry=entry, decision=None)


def _extend_hold(book: Book, command: ExtendHold) -> Answer | Replay:
    found = _open(book, command)
    if not isinstance(found, tuple):
        return found
    _customer, account, hold = found
    holds.extend(account, hold, durations.after(book.now, command.ttl), now=book.now)
    return _hold_taken(book, account, hold, entry=None, decision=None)


def _open(
    book: Book, command: Settle | Release | ExtendHold
) -> tuple[LockedCustomer, Account, Hold] | Refusal | Replay:
    """The open hold that the command names, its account advanced to now."""
    hold_id: HoldId = command.hold
    customer = book.customers.get(hold_id.customer_id)
    if customer is None:
        return NotFound("no such hold")
    if not isinstance(command, ExtendHold) and (seen := book.replay(customer, command)):
        return seen
    credit_type = book.catalog.credit_type(hold_id.credit_type_id)
    if credit_type is None:
        return NotFound("no such hold")
    account = book.account(customer.id, credit_type)
    hold = account.holds.get(hold_id.number)
    if hold is None:
        return NotFound("no such hold")
    if hold.status != "OPEN":
        return Conflict(f"the hold is {hold.status.lower()}", code="HOLD_NOT_OPEN")
    return customer, account, hold


def _grant(book: Book, command: GiveGrant) -> Answer | Replay:
    customer = book.customer(command.customer)
    if customer is None:
        return NotFound(_NO_CUSTOMER.format(command.customer))
    if before := seen(book, customer, command):
        return before
    credit_type = book.catalog.credit_type_by_key(command.credit_type)
    if credit_type is None:
        return NotFound(f"no credit type {command.credit_type!r} in the catalog")
    amount = scaled(credit_type, command.amount)
    if isinstance(amount, InvalidInput):
        return amount
    effective_at = command.effective_at or book.now
    if effective_at < book.cutoff(customer):
        return InvalidInput("lies before the cutoff for late entries", field="effectiveAt")
    expires_at, after = command.expires_at, command.expires_after or credit_type.default_expiry
    if expires_at is None and after:
        try:
            expires_at = durations.after(effective_at, after)
        except ValueError as error:
            return InvalidInput(f"after {after}: {error}", field="expiresAt")
    if expires_at is not None and expires_at <= max(book.now, effective_at):
        return InvalidInput("must lie in the future and after effectiveAt", field="expiresAt")
    account = book.account(customer.id, credit_type)
    scheduled = sum(grant.amount for grant in account.grants.values() if grant.state == "SCHEDULED")
    if account.granted + max(0, account.adjusted) + scheduled + amount > INT64_MAX:
        return InvalidInput("would grant more than 64 bits of micro-credits in all", field="amount")
    if sum(grant.open for grant in account.grants.values()) >= bounds.GRANTS_OPEN_MAX:
        return InvalidInput(f"the account has {bounds.GRANTS_OPEN_MAX} open grants already", field="customer")
    meaning = command.meaning()
    grant = Grant(
        number=0,
        source=command.source,
        state="SCHEDULED",
        amount=amount,
        remaining=amount,
        priority=command.priority,
        effective_at=effective_at,
        expires_at=expires_at,
        created_at=book.now,
        actor_id=command.actor_id,
        reason=command.reason,
        note=command.note,
        cost_amount=command.cost_per_credit,
        cost_currency=command.cost_currency,
        metadata=canonical_json(command.metadata) if command.metadata else None,
        key=command.key,
        fingerprint=meaning,
    )
    book.tag(customer)
    entry = _give(book, account, grant)
    book.use_key(account, command.key, meaning, entry=entry, hold=None, grant=grant.number)
    if command.companion is not None:
        given = GrantId(customer.id, credit_type.id, grant.number)
        book.companions.append((command.companion, Made([entry] if entry else [], given)))
    return Granted(customer.id, credit_type.id, replace(grant), entry, book.balance(account))


def _give(book: Book, account: Account, grant: Grant) -> Entry | None:
    """The grant's GRANT entry; one that begins before burns that are booked is laid among them."""
    if grant.effective_at >= book.now or not (account.drawn or is_late(account, grant.effective_at)):
        return grants.give(account, grant, book.now)
    grants.take_in(account, grant)
    stored = book.burned.get((account.customer_id, account.credit_type_id), NOTHING_BURNED)
    here = [entry for entry in account.entries if entry.kind is Kind.BURN]
    cuts = {
        cut: stored.between(cut.begun, cut.until)
        - sum(
            entry.amount
            for entry in here
            if (cut.begun is None or cut.begun <= entry.occurred_at) and entry.occurred_at < cut.until
        )
        for cut in cuts_for(account, grant, book.now)
    }
    return begin_in_the_past(account, grant, book.now, cuts)


def _advance(book: Book, command: Advance) -> Advanced:
    """Books what fell due in every account of the customer."""
    happened = []
    for (customer_id, credit_type_id), account in list(book.accounts.items()):
        if customer_id == command.customer_id:
            before = len(account.entries)
            book.account(customer_id, book.credit_type(credit_type_id))
            happened += account.entries[before:]
    return Advanced(happened)


def cause_of(
    priced: Price, command: Burn | OpenHold | Settle, *, member: str | None, note: str | None, fingerprint: int
) -> Cause:
    """Why the entry came to be, with the price that made it."""
    return Cause(
        actor_id=command.actor_id,
        feature_id=priced.feature.id if priced.feature else None,
        rate_id=priced.rate_id,
        quantity=priced.quantity,
        exact_amount=priced.exact_amount,
        dimensions=priced.dimensions,
        member=member,
        note=note,
        key=command.key,
        fingerprint=fingerprint,
    )


def _hold_taken(
    book: Book, account: Account, hold: Hold, *, entry: Entry | None, decision: Decision | None
) -> HoldTaken:
    return HoldTaken(
        account.customer_id,
        account.credit_type_id,
        replace(hold),  # as it is now: the answer outlives the next command
        entry,
        book.balance(account),
        decision,
    )
