"""What usage costs: quantity × rate → exact credits. PURE.

The product is computed exactly and rounded once, to the scale of the credit type, as the rate says. Half even goes to
the even neighbour, up never gives a fraction away, down never charges one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import (
    ROUND_DOWN,
    ROUND_HALF_EVEN,
    ROUND_UP,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)

from credits.amount import INT64_MAX, MICRO_DECIMALS
from credits.catalog.matching import most_specific
from credits.catalog.values import Rate, RateCard
from credits.errors import InvalidInput

# 25 digits times 25 digits is exact in 50; should anything ever be lost, it is an error and not a cent.
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation, Overflow, DivisionByZero])
_MICRO_OF = tuple(
    10 ** (MICRO_DECIMALS - scale) for scale in range(MICRO_DECIMALS + 1)
)  # micro-credits per unit of scale
# Nothing that is rated is negative: up is away from zero.
_ROUNDINGS = {"UP": ROUND_UP, "HALF_EVEN": ROUND_HALF_EVEN, "DOWN": ROUND_DOWN}


@dataclass(slots=True)
class Rated:
    """What usage costs: the amount to burn, in micro-credits, and what it was before it was rounded, in credits."""

    amount_micro: int
    exact: Decimal
    rounded: bool  # exact is not the amount


def find_rate(card: RateCard, feature_id: int, dimensions: Mapping[str, object]) -> Rate | None:
    """The most specific rate of the card for this feature whose match the dimensions carry; None: no rate."""
    shapes = card.shapes.get(feature_id)
    return None if shapes is None else most_specific(shapes, dimensions)


def rate(applied: Rate, quantity: Decimal, scale: int) -> Rated | InvalidInput:
    """What `quantity` costs at the `applied` rate, in a credit type of `scale` decimals. Zero costs zero.

    Refused: a negative quantity, and a cost beyond the 64 bits of an amount.
    """
    if quantity.is_signed() and quantity:
        return InvalidInput("must not be negative", field="quantity")
    exact = _EXACT.multiply(quantity, applied.per_unit)
    scaled = _EXACT.scaleb(exact, scale)
    whole = scaled.to_integral_value(_ROUNDINGS[applied.rounding])
    amount_micro = int(whole) * _MICRO_OF[scale]
    if amount_micro > INT64_MAX:
        return InvalidInput("costs more than an amount of credits can be", field="quantity")
    return Rated(amount_micro, exact, whole != scaled)
