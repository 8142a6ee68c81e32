"""Idempotency keys: those that callers give, and those that the system gives to what it does by itself. PURE.

A caller's key is visible characters without a space; a key of the system's own has a space in it. So the two never
meet, and whoever reads a key can tell which of the two it is.
"""

from credits import bounds
from credits.errors import InvalidInput


class SystemKey(str):
    """A key that no caller can give. Only `system_key` makes one; commands take it where they take a caller's."""

    __slots__ = ()


def system_key(*parts: str | int) -> SystemKey:
    """`system_key("top-up", 17)` → `top-up 17`: the same parts, the same key.

    Raises `ValueError` where there are fewer than two, or one is not visible characters without a space.
    """
    words = [str(part) for part in parts]
    key = SystemKey(" ".join(words))
    if len(words) < 2 or not all(map(_is_visible, words)) or len(key) > bounds.IDEMPOTENCY_KEY_MAX:
        raise ValueError(f"no key of the system's own: {key!r}")
    return key


def given_key(key: str | None) -> str | None:
    """The key as its caller gave it; None for one of the system's own, which means nothing to anybody else."""
    return None if key is None or " " in key else key


def key_form(key: str) -> InvalidInput | None:
    if isinstance(key, SystemKey):
        return None
    if len(key) > bounds.IDEMPOTENCY_KEY_MAX or not _is_visible(key):
        return InvalidInput(f"must be 1 to {bounds.IDEMPOTENCY_KEY_MAX} visible characters", field="idempotencyKey")
    return None


def _is_visible(text: str) -> bool:
    return bool(text) and text.isprintable() and " " not in text
