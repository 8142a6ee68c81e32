"""Expected refusals as types of the contract, and the one place where a refusal of the domain becomes one."""

from datetime import datetime
from typing import Any

import strawberry

from credits import errors
from credits.enforcement.values import LimitReached as LimitReachedValue
from credits.recharge.top_ups import PaymentFailed as PaymentFailedValue
from schema.context import Context
from schema.permission import READERS, allow, customer, staff
from schema.scalars import Credits
from schema.types.catalog import CreditType
from schema.types.enums import RefusalCode
from schema.types.members import SpendLimit


@strawberry.interface(description="An expected answer that changed nothing.")
class Refusal:
    code: RefusalCode
    message: str


@strawberry.type
class InvalidInput(Refusal):
    field: str | None


@strawberry.type
class NotFound(Refusal):
    pass


@strawberry.type
class NotAllowed(Refusal):
    pass


@strawberry.type
class Conflict(Refusal):
    pass


@strawberry.type(description="The same idempotency key was used before with another payload.")
class IdempotencyConflict(Refusal):
    first_seen_at: datetime


@strawberry.type
class InsufficientCredits(Refusal):
    credit_type: CreditType
    needed: Credits
    available: Credits
    shortfall: Credits
    overdraft_left: Credits


@strawberry.type(description="The spending would go beyond a spend limit.")
class LimitReached(Refusal):
    limit: SpendLimit = strawberry.field(metadata=allow(staff(*READERS), customer("limits:read")))
    used: Credits
    resets_at: datetime | None


@strawberry.type(description="No money came.")
class PaymentFailed(Refusal):
    decline_code: str | None
    retryable: bool = strawberry.field(description="The same payment method may do another time.")
    client_secret: str | None = strawberry.field(
        description="With it the customer confirms the payment, where that is what is missing."
    )


def refusal_of(context: Context, refusal: errors.Refusal) -> Any:
    """The refusal as the contract says it: whichever member of the answer's union it is."""
    match refusal:
        case errors.InvalidInput():
            return InvalidInput(code=RefusalCode(refusal.code), message=_say(refusal), field=refusal.field)
        case errors.NotFound():
            return NotFound(code=RefusalCode(refusal.code), message=refusal.message)
        case errors.Conflict():
            return Conflict(code=RefusalCode(refusal.code), message=refusal.message)
        case errors.IdempotencyConflict():
            return IdempotencyConflict(
                code=RefusalCode(refusal.code), message=refusal.message, first_seen_at=refusal.first_seen_at
            )
        case errors.InsufficientCredits():
            credit_type = CreditType.of(context.catalog, refusal.credit_type_id)
            return InsufficientCredits(
                code=RefusalCode(refusal.code),
                message=refusal.message,
                credit_type=credit_type,
                needed=refusal.needed_micro,
                available=refusal.available_micro,
                shortfall=refusal.shortfall_micro,
                overdraft_left=refusal.overdraft_left_micro,
            )
        case LimitReachedValue():
            metered = refusal.metered
            return LimitReached(
                code=RefusalCode(refusal.code),
                message=refusal.message,
                limit=SpendLimit.from_value(metered),
                used=metered.used_micro,
                resets_at=metered.resets_at,
            )
        case PaymentFailedValue():
            return PaymentFailed(
                code=RefusalCode(refusal.code),
                message=refusal.message,
                decline_code=refusal.decline_code,
                retryable=refusal.retryable,
                client_secret=refusal.client_secret,
            )
        case errors.NotAllowed():
            return NotAllowed(code=RefusalCode(refusal.code), message=refusal.message)
        case _:
            raise TypeError(f"no type of the contract for {type(refusal).__name__}")


def _say(refusal: errors.InvalidInput) -> str:
    """`amount: must be more than zero`, so that the message alone names the field, too."""
    return f"{refusal.field}: {refusal.message}" if refusal.field else refusal.message


def not_found(what: str) -> NotFound:
    """What was asked for does not exist here; what belongs to somebody else is not told apart from it."""
    return NotFound(code=RefusalCode.NOT_FOUND, message=f"no such {what}")


__all__ = [
    "Conflict",
    "IdempotencyConflict",
    "InsufficientCredits",
    "InvalidInput",
    "LimitReached",
    "NotAllowed",
    "NotFound",
    "PaymentFailed",
    "Refusal",
    "not_found",
    "refusal_of",
]
