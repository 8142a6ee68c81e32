"""What of a text people see."""

# They join letters (Persian, Hindi) and emoji (👩‍💻), and are written by every keyboard for them. What else is invisible hides or
# turns a text, and is refused: overrides of the writing's direction, zero-width spaces, control characters.
_JOINERS = str.maketrans("", "", "\u200c\u200d")


def is_line(text: str) -> bool:
    """True for one line in which everything is seen; not for nothing but joiners."""
    return bool(bare := text.translate(_JOINERS)) and bare.isprintable()
