"""One spelling for each JSON value, so that what means the same compares and hashes the same."""

from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import orjson

from credits.amount import plain


def canonical_json(value: Any) -> str:
    """JSON without blanks, keys sorted, decimals as plain numbers without trailing zeros: 1.50 and 1.5 are one."""
    return orjson.dumps(value, default=_decimal, option=orjson.OPT_SORT_KEYS).decode()


def fingerprint(*parts: Any) -> int:
    """64 bits that tell two payloads apart by meaning. Not a secret: keys are compared per customer."""
    return fingerprint_in_utc(*[part.astimezone(UTC) if isinstance(part, datetime) else part for part in parts])


def fingerprint_in_utc(*parts: Any) -> int:
    """The same for parts whose instants are in UTC already."""
    digest = blake2b(orjson.dumps(parts, default=_decimal, option=orjson.OPT_SORT_KEYS), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _decimal(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(plain(value))
    raise TypeError(f"{type(value).__name__} is no JSON value")
