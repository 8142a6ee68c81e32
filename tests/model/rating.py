"""Reference rating: exact fractions, rounded once. Shares no line with `credits.rating`."""

from fractions import Fraction

MICRO = 1_000_000


def rated_micro(quantity: str, per_unit: str, *, scale: int, rounding: str = "HALF_EVEN") -> int:
    """What a quantity costs at a price per unit, in micro-credits, rounded to the credit type's scale."""
    exact = Fraction(quantity) * Fraction(per_unit) * 10**scale
    floor: int = exact.numerator // exact.denominator
    rest = exact - floor
    if rounding == "UP":
        whole = floor + int(rest > 0)
    elif rounding == "DOWN":
        whole = floor
    else:
        half = Fraction(1, 2)
        whole = floor + int(rest > half or (rest == half and floor % 2 == 1))
    micro_per_step: int = MICRO // 10**scale
    return whole * micro_per_step


def pick_rate(rates: list[dict[str, object]], dimensions: dict[str, object]) -> dict[str, object] | None:
    """Of the rates whose `match` the dimensions carry, the one with most of them; None where none applies."""
    fitting = [rate for rate in rates if dict(rate.get("match", {})).items() <= dimensions.items()]  # type: ignore[call-overload]
    return max(fitting, key=lambda rate: len(rate.get("match", {})), default=None)  # type: ignore[arg-type]


def micro(text: str) -> int:
    """Credits as the contract writes them → micro-credits, exactly."""
    whole, _, decimals = text.lstrip("-").partition(".")
    if len(decimals.rstrip("0")) > 6 or not (whole + decimals).isdecimal():
        raise ValueError(f"{text} is no plain decimal of at most six decimals")
    amount = int(whole) * MICRO + int(decimals[:6].ljust(6, "0"))
    return -amount if text.startswith("-") else amount


def credits_text(micro_amount: int) -> str:
    """Micro-credits → credits as the contract takes them: plain notation, no zeros without meaning."""
    sign = "-" if micro_amount < 0 else ""
    whole, part = divmod(abs(micro_amount), MICRO)
    return f"{sign}{whole}" + (f".{part:06d}".rstrip("0") if part else "")
