"""Signing secrets: derived, not stored. PURE.

An endpoint's secret comes of a random salt of its own and the server's secret key, so that neither the table nor a
backup of it signs anything. Two salts while a rotation overlaps: both sign, and the receiver takes either.
"""

import base64
import hashlib
import hmac
from datetime import datetime

from credits import bounds

_PREFIX = "whsec_"  # Standard Webhooks: base64 of 24 to 64 bytes follows
_PURPOSE = b"scrip webhook secret\0"
SALT_BYTES = 16


def secret_of(salt: bytes, pepper: str) -> str:
    """`whsec_…`, which whoever made or rotated the endpoint is shown once. `pepper` is the server's secret key."""
    return _PREFIX + base64.b64encode(hmac.digest(pepper.encode(), _PURPOSE + salt, hashlib.sha256)).decode()


def valid_salts(salt: bytes, previous: bytes | None, rotated_at: datetime | None, now: datetime) -> list[bytes]:
    """Whose secrets sign at `now` (real time), the present one first."""
    overlaps = rotated_at is not None and now < rotated_at + bounds.WEBHOOK_OVERLAP
    return [salt, previous] if overlaps and previous is not None else [salt]
