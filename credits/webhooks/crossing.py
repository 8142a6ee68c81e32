"""When a balance is worth a message: it crossed a line on its way down. PURE."""

_FIFTH = 5


def threshold_of(began_micro: int, rule_micro: int | None = None) -> int:
    """Below what a balance is low, in micro-credits: the customer's own recharge rule says, else it is a fifth of what
    its live grants began with together. Rounded up, so that a whole number below it is below the fifth."""
    return -(-began_micro // _FIFTH) if rule_micro is None else rule_micro


def crossed(before_micro: int, after_micro: int, low_micro: int) -> tuple[str, ...]:
    """What is told when what is available changed: of the crossing alone, not as long as it stays there."""
    told = []
    if after_micro < low_micro <= before_micro and low_micro > 0:  # at zero it is depleted, not low
        told.append("balance.low")
    if after_micro <= 0 < before_micro:
        told.append("balance.depleted")
    if after_micro < 0 <= before_micro:
        told.append("balance.negative")
    return tuple(told)
