"""Customer tokens: what the embed carries. Signed, short, for one customer, and never renewed by themselves.

A token's life is the answer to its theft: 15 minutes at most, whatever it says itself. It goes by real time, not by
a workspace's clock. HS256 alone is taken, with a key chosen from a fixed map, so that nothing in the token decides
how it is verified.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeGuard

import jwt

from credits import ids
from schema.permission import SCOPES

ISSUER = "scrip"
AUDIENCE = "scrip-embed"
TTL_S_MAX = 900  # contract
LEEWAY_S = 5  # clocks of two servers differ by that much
LENGTH_MAX = 4_096  # characters: ours have 300 and a bit for each origin
_ALGORITHM = "HS256"
_CLAIMS = ["aud", "exp", "iat", "iss", "jti", "sub"]


class TokenRefused(Exception):
    """Not a token of ours, or no longer one. The message is for the log: callers are told that it is not valid."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says, verified."""

    workspace_id: int
    customer_id: int
    subject: str
    scopes: frozenset[str]
    origins: tuple[str, ...]
    expires_at: datetime


class TokenKey:
    """The key that signs, and its name in the header: a server with another SECRET_KEY knows that it is not its own."""

    def __init__(self, secret_key: str) -> None:
        # Derived, because the same setting also peppers the hashes of API keys.
        self.key = hmac.new(secret_key.encode(), b"scrip embed token", hashlib.sha256).digest()
        self.id = hashlib.sha256(self.key).hexdigest()[:8]


def mint_token(
    key: TokenKey,
    *,
    workspace_id: int,
    customer_id: int,
    scopes: Iterable[str],
    ttl_s: int,
    origins: Iterable[str] = (),
    now: datetime,
) -> tuple[str, datetime]:
    """A token and when it ends. `ttl_s` is 1 to 900; raises ValueError beyond."""
    if not 1 <= ttl_s <= TTL_S_MAX:
        raise ValueError(f"a token lives 1 to {TTL_S_MAX} s")
    issued = int(now.timestamp())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": ids.make("cus", customer_id),
        "ws": workspace_id,
        "iat": issued,
        "exp": issued + ttl_s,
        "jti": secrets.token_urlsafe(12),
        "scopes": sorted(scopes),
    }
    if origins := list(origins):
        claims["origins"] = origins
    token = jwt.encode(claims, key.key, algorithm=_ALGORITHM, headers={"kid": key.id})
    return token, datetime.fromtimestamp(issued, UTC) + timedelta(seconds=ttl_s)


def minter(secret_key: str) -> Callable[..., tuple[str, datetime]]:
    """`mint_token` with this process's key and real time. `subject` follows from the customer and is not asked for."""
    key = TokenKey(secret_key)

    def mint(
        *, workspace_id: int, customer_id: int, scopes: Iterable[str], ttl_s: int, origins: Iterable[str] = (), **_: Any
    ) -> tuple[str, datetime]:
        return mint_token(
            key,
            workspace_id=workspace_id,
            customer_id=customer_id,
            scopes=scopes,
            ttl_s=ttl_s,
            origins=origins,
            now=datetime.now(UTC),
        )

    return mint


def verify_token(token: str, keys: Iterable[TokenKey], now: datetime) -> Claims:
    """What the token says. Raises `TokenRefused` for anything that we did not mint, or not for now."""
    if len(token) > LENGTH_MAX or not token.isascii():
        raise TokenRefused("too long, or not ASCII")
    try:
        key = _key(token, keys)
        payload: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=[_ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            options={
                "require": _CLAIMS,
                "strict_aud": True,  # ours alone, not a list that ours is in
                "verify_exp": False,  # below, by the clock that is given
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise TokenRefused(str(error)) from error
    expires_at = _check_time(payload, int(now.timestamp()))
    return _claims(payload, expires_at)


def _key(token: str, keys: Iterable[TokenKey]) -> TokenKey:
    header = jwt.get_unverified_header(token)
    for key in keys:
        if header.get("kid") == key.id and header.get("alg") == _ALGORITHM:
            return key
    raise TokenRefused("an algorithm or a key that is not ours")


def _check_time(payload: dict[str, Any], now_s: int) -> datetime:
    issued, expires = payload["iat"], payload["exp"]
    if type(issued) is not int or type(expires) is not int:
        raise TokenRefused("times are whole seconds")
    if not 0 < expires - issued <= TTL_S_MAX:
        raise TokenRefused(f"lives longer than {TTL_S_MAX} s")
    if issued > now_s + LEEWAY_S:
        raise TokenRefused("issued in the future")
    if expires + LEEWAY_S <= now_s:
        raise TokenRefused("expired")
    return datetime.fromtimestamp(expires, UTC)


def _claims(payload: dict[str, Any], expires_at: datetime) -> Claims:
    workspace, subject = payload.get("ws"), payload["sub"]
    scopes, origins = payload.get("scopes"), payload.get("origins", [])
    numbers = ids.parse("cus", subject, 1) if isinstance(subject, str) else None
    if type(workspace) is not int or numbers is None or not _texts(scopes) or not _texts(origins):
        raise TokenRefused("claims out of form")
    # A scope that is no longer one opens nothing.
    return Claims(workspace, numbers[0], subject, frozenset(scopes) & SCOPES, tuple(origins), expires_at)


def _texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


__all__ = [
    "AUDIENCE",
    "ISSUER",
    "LEEWAY_S",
    "TTL_S_MAX",
    "Claims",
    "TokenKey",
    "TokenRefused",
    "mint_token",
    "minter",
    "verify_token",
]
