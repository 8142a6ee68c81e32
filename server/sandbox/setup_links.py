"""The link that leads a customer to the page where a payment method is saved: signed, for one customer, for a day."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt

LIVES = timedelta(hours=24)
_ALGORITHM = "HS256"
_AUDIENCE = "scrip-sandbox-setup"
_LENGTH_MAX = 8_192  # characters; a return address is the longest part


@dataclass(frozen=True, slots=True)
class SetupLink:
    """Whose method is saved, and where the browser goes then."""

    workspace_id: int
    customer_id: int
    return_url: str | None


class SetupLinks:
    """Makes links and reads them. Nothing is stored: what a link says, its signature vouches for."""

    def __init__(self, secret_key: str) -> None:
        self._key = hmac.new(secret_key.encode(), b"scrip sandbox setup", hashlib.sha256).digest()

    def make(self, workspace_id: int, customer_id: int, return_url: str | None, now: datetime) -> str:
        """The last part of the page's address."""
        claims = {"aud": _AUDIENCE, "exp": int((now + LIVES).timestamp()), "ws": workspace_id, "cus": str(customer_id)}
        return jwt.encode(claims | {"back": return_url}, self._key, algorithm=_ALGORITHM)

    def read(self, token: str, now: datetime) -> SetupLink | None:
        """What it says; None for anything that we did not make, or not for now."""
        if len(token) > _LENGTH_MAX or not token.isascii():
            return None
        try:
            said = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                options={"require": ["aud", "exp"], "strict_aud": True, "verify_exp": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            return None
        if int(said["exp"]) <= int(now.timestamp()):
            return None
        return SetupLink(int(said["ws"]), int(said["cus"]), said["back"])
