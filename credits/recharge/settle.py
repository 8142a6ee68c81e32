"""What the provider's truth means for a top-up: one step after another, until there is none. PURE.

A truth may be told at any time, any number of times, and late: what was read before something happened may come after it.
So everything here goes one way. What is paid stays paid, whatever failed before or is told after; a payback is taken once,
by the provider's id of it, and what was undone of it stays undone. A truth of something else than what was asked for
(another order, amount, currency, payer, or play money for real) moves nothing: it is put before an operator.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from credits.money.movements import MovementKind
from credits.recharge.provider import Payback, Payment
from credits.recharge.top_ups import KeptPayback, TopUp, TopUpStatus

CONTESTED = "the payment is contested at the customer's bank"
# What is not paid ends once: a provider that cancels what has failed says more, one that opens it again is old news.
_RANK = {"PENDING": 0, "REQUIRES_ACTION": 0, "FAILED": 1, "CANCELED": 2}


@dataclass(frozen=True, slots=True)
class Issue:
    """What does not fit together, for an operator. Told once for each `actual`."""

    kind: str
    message: str
    expected: str | None
    actual: str | None
    event: str | None = None


@dataclass(frozen=True, slots=True)
class Give:
    """The grant that was bought."""


@dataclass(frozen=True, slots=True)
class Take:
    """Credits (micro) to be clawed back for a payback."""

    payback: int
    credits: int


@dataclass(frozen=True, slots=True)
class GiveBack:
    """A clawback to be reversed: the entry that it made."""

    payback: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Step:
    """One change: what the top-up is after it (grant number, instants and version are the writer's to know), what its
    payback is, which credits move with it, which money, and what an operator is told."""

    top_up: TopUp
    payback: KeptPayback | None = None
    moves: Give | Take | GiveBack | None = None
    money: tuple[MovementKind, int] | None = None
    issue: Issue | None = None


def mismatches(top_up: TopUp, payment: Payment, payer_id: str | None, *, live: bool) -> tuple[Issue, ...]:
    """What a truth says that was never asked for. `payer_id` is the provider's id of the customer, where it has one;
    `live`: whether real money is asked for. What is paid must say all of it."""
    paid = payment.state == "SUCCEEDED"
    told: list[tuple[str, str, str | None, str | None]] = [
        ("ORDER", "the payment belongs to another order", top_up.id, payment.order_id),
        ("AMOUNT", "another amount was paid than was asked for", str(top_up.price), _text(payment.subtotal)),
        ("CURRENCY", "another currency was paid than was asked for", top_up.currency, payment.currency),
    ]
    if payer_id is not None:
        told.append(("CUSTOMER", "somebody else paid than was asked", payer_id, payment.payer_id))
    issues = [
        Issue(kind, message, expected, actual)
        for kind, message, expected, actual in told
        if actual != expected and (paid or actual is not None)
    ]
    if payment.live != live:
        words = {True: "real money", False: "test mode"}
        issues.append(Issue("MODE", "the payment is of the other mode", words[live], words[payment.live]))
    if paid and payment.subtotal is not None and (payment.paid is None or payment.paid < payment.subtotal):
        issues.append(Issue("AMOUNT", "less was paid than was asked for", str(top_up.price), _text(payment.paid)))
    if paid and top_up.is_paid and None not in (top_up.payment, payment.payment) and payment.payment != top_up.payment:
        issues.append(Issue("PAID_TWICE", "the order was paid a second time", top_up.payment, payment.payment))
    return tuple(issues)


def next_step(top_up: TopUp, paybacks: Sequence[KeptPayback], payment: Payment, unit: int) -> Step | None:
    """What of the truth is still to be done; None: nothing. `unit` is the least credit of its type, in micro-credits.

    The same truth again and again comes to None, whatever else is told in between.
    """
    if not top_up.is_paid:
        return _unpaid(top_up, payment)
    return next(_of_paybacks(top_up, paybacks, payment, unit), None) or _told(top_up, payment)


def refused(top_up: TopUp, message: str, code: str | None) -> Step:
    """The provider will not have it: nothing more to wait for."""
    after = replace(_closed(top_up), status="FAILED", failure=message, decline_code=code)
    return Step(after)


def ended(top_up: TopUp, reason: str | None) -> Step:
    """Canceled, where the provider knows of nothing to cancel."""
    return Step(replace(_closed(top_up), status="CANCELED", failure=reason))


def _unpaid(top_up: TopUp, payment: Payment) -> Step | None:
    known = replace(top_up, session=payment.session or top_up.session, payment=payment.payment or top_up.payment)
    if payment.state == "SUCCEEDED":
        after = _closed(replace(known, status="SUCCEEDED", paid=payment.paid, receipt_url=payment.receipt_url))
        return Step(replace(after, failure=None, decline_code=None), moves=Give(), money=("SALE", top_up.price))
    if _RANK[payment.state] < _RANK[top_up.status]:
        return None
    after = replace(
        known,
        status=payment.state,
        failure=payment.failure,
        decline_code=payment.decline_code,
        checkout_url=payment.checkout_url or top_up.checkout_url,
        client_secret=payment.client_secret or top_up.client_secret,
    )
    if not after.is_open:
        after = _closed(after)
    return None if after == top_up else Step(after)


def _closed(top_up: TopUp) -> TopUp:
    """What leads to paying is of no use any more."""
    return replace(top_up, checkout_url=None, client_secret=None)


def _told(top_up: TopUp, payment: Payment) -> Step | None:
    """What may be said later of what is paid: its receipt, and how a payment dispute goes."""
    after = replace(top_up, receipt_url=payment.receipt_url or top_up.receipt_url)
    if top_up.status == "DISPUTED" and payment.failure is not None:
        after = replace(after, failure=payment.failure)
    return None if after == top_up else Step(after)


def _of_paybacks(top_up: TopUp, kept: Sequence[KeptPayback], payment: Payment, unit: int) -> Iterator[Step]:
    """What was undone first: it makes room for what was taken."""
    matched = [(told, _match(kept, told)) for told in payment.paybacks]
    for told, known in matched:
        if told.state == "FAILED" and (known is None or known.status in ("ASKED", "DONE")):
            failed = known or _new(top_up, kept, told)  # kept, so that an older truth does not take it yet
            yield _undone(top_up, kept, replace(failed, provider_id=told.provider_id))
    for told, known in matched:
        if told.state == "FAILED" or _waits(told) or not (known is None or _may_be_taken(top_up, known)):
            continue
        new = known or _new(top_up, kept, told)
        yield _taken(top_up, kept, replace(new, provider_id=told.provider_id, amount=told.amount), unit)


def _new(top_up: TopUp, kept: Sequence[KeptPayback], told: Payback) -> KeptPayback:
    number = 1 + max((each.number for each in kept), default=0)
    return KeptPayback(*top_up.place, number, told.kind, "ASKED", told.amount)


def _match(kept: Sequence[KeptPayback], told: Payback) -> KeptPayback | None:
    """Which of ours it is: by the provider's id of it, else by our own id."""
    by_theirs = next((each for each in kept if each.provider_id == told.provider_id), None)
    if by_theirs is not None or told.ours is None:
        return by_theirs
    return next((each for each in kept if each.id == told.ours and each.provider_id is None), None)


def _waits(told: Payback) -> bool:
    """A refund that is on its way counts as gone. A bank that only asks (an inquiry) has taken nothing yet."""
    return told.kind == "CHARGEBACK" and told.state == "PENDING"


def _may_be_taken(top_up: TopUp, known: KeptPayback) -> bool:
    """What was asked; what the provider would not do, and did all the same; and what found nothing left to take, once what
    had taken it was undone. What the provider has undone stays undone."""
    if known.status == "DONE":
        return known.counted == 0 and top_up.paid_back < (top_up.paid or 0)
    return known.status == "ASKED" or (known.status == "FAILED" and known.provider_id is None)


def _taken(top_up: TopUp, kept: Sequence[KeptPayback], payback: KeptPayback, unit: int) -> Step:
    """Cumulative, so that parts add up to the whole whatever they are rounded to: all that is paid back claws back all."""
    paid = top_up.paid or 0
    counted = min(payback.amount, paid - top_up.paid_back)
    back = top_up.paid_back + counted
    due = (top_up.credits * back // paid) // unit * unit if paid else 0
    taken = max(0, due - top_up.clawed_back)
    gone = sum(each.minor for each in kept if each.status == "DONE")
    minor = max(0, (2 * top_up.price * back + paid) // (2 * paid) - gone) if paid else 0
    done = replace(payback, status="DONE", counted=counted, minor=minor, credits=taken)
    after = replace(top_up, paid_back=back, clawed_back=top_up.clawed_back + taken)
    issue = None
    if counted < payback.amount:
        message = "more was paid back than was left of what was paid"
        actual = f"{payback.amount} ({payback.provider_id})"
        issue = Issue("PAID_BACK_TOO_MUCH", message, str(counted), actual)
    return Step(
        _standing(after, kept, done),
        payback=done,
        moves=Take(done.number, taken) if taken else None,
        money=(payback.kind, minor) if minor or taken else None,
        issue=issue,
    )


def _undone(top_up: TopUp, kept: Sequence[KeptPayback], payback: KeptPayback) -> Step:
    """A refund that failed, a payment dispute that was won: exactly what was clawed back for it comes back."""
    if payback.status == "ASKED":
        return Step(top_up, payback=replace(payback, status="FAILED"))
    undone = replace(payback, status="UNDONE")
    after = replace(
        top_up, paid_back=top_up.paid_back - payback.counted, clawed_back=top_up.clawed_back - payback.credits
    )
    others = [each for each in kept if each.status == "DONE" and each.number != undone.number]
    uncounted = sum(each.amount - each.counted for each in others if each.counted)  # what took nothing takes it next
    issue = None
    if uncounted and payback.counted:
        message = "what came back was taken by another refund or payment dispute too: claw its credits back by hand"
        actual = f"{min(uncounted, payback.counted)} ({payback.provider_id})"
        issue = Issue("CLAWED_BACK_TOO_LITTLE", message, "0", actual)
    kind: MovementKind = "REFUND_FAILED" if payback.kind == "REFUND" else "CHARGEBACK_WON"
    return Step(
        _standing(after, kept, undone),
        payback=undone,
        moves=None if payback.sequence is None else GiveBack(payback.number, payback.sequence),
        money=(kind, payback.minor) if payback.minor or payback.credits else None,
        issue=issue,
    )


def _standing(top_up: TopUp, kept: Sequence[KeptPayback], changed: KeptPayback) -> TopUp:
    """Its status by what of it is paid back now."""
    now = [each for each in kept if each.number != changed.number] + [changed]
    contested = any(each.kind == "CHARGEBACK" and each.status == "DONE" for each in now)
    status: TopUpStatus = "SUCCEEDED"
    if contested:
        status = "DISPUTED"
    elif top_up.paid_back and top_up.paid_back == top_up.paid:
        status = "REFUNDED"
    return replace(top_up, status=status, failure=CONTESTED if contested else None)


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
