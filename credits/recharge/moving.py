"""The credits that a step moves, as a command to the writer. PURE."""

from credits.amount import from_micro
from credits.catalog.currencies import from_minor
from credits.posting.commands import GiveGrant
from credits.posting.corrections import Clawback, EntryId, GrantId, ReverseClawback
from credits.posting.keys import system_key
from credits.recharge.booking import Booking
from credits.recharge.settle import Give, Step, Take
from credits.recharge.top_ups import TopUp


def command_of(was: TopUp, credit_type: str, step: Step, booking: Booking) -> GiveGrant | Clawback | ReverseClawback:
    """The grant that was bought, a clawback for what was paid back, or its reversal; each with its own key, so that
    whatever is tried again moves nothing twice. `credit_type` is its key; `booking` goes with it."""
    if isinstance(step.moves, Give):
        return GiveGrant(
            customer=was.customer_id,
            credit_type=credit_type,
            amount=from_micro(was.credits),
            source="RECHARGE" if was.automatic else "PURCHASE",
            key=system_key("top-up", was.number),
            actor_id=was.actor_id,
            priority=was.priority,
            expires_after=was.expires_after,
            cost_total=from_minor(was.price, was.currency),
            cost_currency=was.currency,
            companion=booking,
        )
    payback = step.payback
    assert step.moves is not None and payback is not None and was.grant_number is not None  # noqa: S101, PT018 -- only then
    key = system_key("payback", was.number, payback.number, "taken" if isinstance(step.moves, Take) else "undone")
    if isinstance(step.moves, Take):
        return Clawback(
            grant=GrantId(was.customer_id, was.credit_type_id, was.grant_number),
            amount_micro=step.moves.credits,
            key=key,
            actor_id=payback.actor_id or booking.by_theirs,
            reason=payback.reason,
            note=payback.note or _NOTES.get(payback.kind),
            companion=booking,
        )
    return ReverseClawback(
        entry=EntryId(was.customer_id, was.credit_type_id, step.moves.sequence),
        key=key,
        actor_id=booking.by_theirs,
        companion=booking,
    )


_NOTES = {"CHARGEBACK": "contested at the customer's bank"}
