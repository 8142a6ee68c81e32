"""How finely money can be paid: the decimals of a currency's smallest unit (ISO 4217). Most have two."""

from decimal import Decimal

_DECIMALS = {
    **dict.fromkeys(
        ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
}


def money_decimals(currency: str) -> int:
    """Decimals of the smallest amount that can be paid in `currency`."""
    return _DECIMALS.get(currency, 2)


def to_minor(amount: Decimal, currency: str) -> int | None:
    """The amount in the currency's smallest unit; None where it has more decimals than can be paid."""
    minor = amount.scaleb(money_decimals(currency))
    return int(minor) if minor == minor.to_integral_value() else None


def from_minor(minor: int, currency: str) -> Decimal:
    """Money as it is written: with all decimals of the currency, exactly, also where it has more digits than the
    arithmetic of decimals keeps: a report's sums may."""
    sign, digits, _ = Decimal(minor).as_tuple()
    return Decimal((sign, digits, -money_decimals(currency)))
