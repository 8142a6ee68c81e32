"""Who is calling: secret keys and customer tokens, from `Authorization: Bearer …`. No cookie authorizes anything here.

Secret keys are for servers. Customer tokens are for pages, and pages are asked where they are: a token that names
origins is taken from those alone, any other from the ALLOWED_ORIGINS, or from everywhere where none are set. A
request without `Origin` comes from no page: who can write headers can write that one too.
"""

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, Self

from starlette.types import Scope
from strawberry.http.websocket_origin import is_same_origin, normalize_origin

from credits import ids
from credits.access.keys import KeyHolder, find_key, note_use
from credits.db import Database, is_unavailable
from schema.context import Caller
from schema.errors import Problem, forbidden, unauthenticated, unavailable
from server.tokens import TokenKey, TokenRefused, verify_token

_log = logging.getLogger(__name__)

KEY_STALE_S = 1.0  # how long a revoked key may go on, and a new one be unknown
_KEY_LENGTH_MAX = 200
_KEYS_KNOWN_MAX = 10_000
_USE_NOTED_EVERY = timedelta(minutes=1)
_KEY_PREFIXES = ("sk_test_", "sk_live_")
_HEADERS = (b"authorization", b"origin", b"host")
_STATUS = {"UNAUTHENTICATED": 401, "FORBIDDEN": 403, "BAD_REQUEST": 400, "UNAVAILABLE": 503}

FindKey = Callable[[Database, str, str], Awaitable[KeyHolder | None]]


class AuthSettings(Protocol):
    """What of the settings decides who may call."""

    @property
    def secret_key(self) -> str: ...
    @property
    def allowed_origins(self) -> Iterable[str]: ...


@dataclass(frozen=True, slots=True)
class Presented:
    """What a request presents: its credential, and the page it comes from."""

    authorization: str | None
    origin: str | None = None
    host: str | None = None

    @classmethod
    def of(cls, scope: Scope) -> Self:
        return cls.of_headers(dict(scope["headers"]))

    @classmethod
    def of_headers(cls, headers: Mapping[bytes, bytes]) -> Self:
        authorization, origin, host = (headers.get(name) for name in _HEADERS)
        return cls(
            None if authorization is None else authorization.decode("latin-1"),
            None if origin is None else origin.decode("latin-1"),
            None if host is None else host.decode("latin-1"),
        )

    @property
    def bearer(self) -> str | None:
        scheme, _, credential = (self.authorization or "").partition(" ")
        return credential.strip() if scheme.lower() == "bearer" and credential.strip() else None

    @property
    def same_origin(self) -> bool:
        """No page, or one of ours."""
        return self.origin is None or is_same_origin(self.origin, self.host)


def http_status(problem: Problem) -> int:
    """The HTTP status for routes that are not GraphQL."""
    return _STATUS.get(str((problem.extensions or {}).get("code")), 500)


class _Keys:
    """Secret keys as the database last knew them, at most a second ago; many requests at once ask it once."""

    def __init__(self, pepper: str, find: FindKey) -> None:
        self._pepper, self._find = pepper, find
        # Never by the secret itself: what is kept in memory may end up in a dump.
        self._salt = secrets.token_bytes(32)
        self._known: dict[bytes, tuple[float, Caller | None]] = {}
        self._asked: dict[bytes, asyncio.Future[Caller | None]] = {}
        self._noted: dict[int, datetime] = {}

    async def holder(self, secret: str, database: Database) -> Caller | None:
        """Whom the secret stands for; raises UNAVAILABLE where the database cannot say."""
        key = hashlib.blake2b(secret.encode(), key=self._salt, digest_size=32).digest()
        known = self._known.get(key)
        if known is not None and time.monotonic() - known[0] < KEY_STALE_S:
            return known[1]
        asked = self._asked.get(key)
        if asked is None:
            asked = self._asked[key] = asyncio.ensure_future(self._ask(key, secret, database))
            asked.add_done_callback(lambda _: self._asked.pop(key, None))
        return await asyncio.shield(asked)

    async def _ask(self, key: bytes, secret: str, database: Database) -> Caller | None:
        begun = time.monotonic()  # what is read is at least as old as the question
        try:
            holder = await self._find(database, secret, self._pepper)
        except Exception as error:
            if is_unavailable(error):
                raise unavailable() from None
            raise
        if holder is not None:
            await self._note(holder, database)
        if len(self._known) >= _KEYS_KNOWN_MAX:
            self._known.clear()
        caller = None if holder is None else _caller(holder)
        self._known[key] = (begun, caller)
        return caller

    async def _note(self, holder: KeyHolder, database: Database) -> None:
        """When the key was last used, once a minute."""
        now = datetime.now(UTC)
        before = self._noted.get(holder.key_id)
        if before is not None and now - before < _USE_NOTED_EVERY:
            return
        self._noted[holder.key_id] = now
        try:
            async with database.transaction(holder.workspace_id) as connection:
                await note_use(connection, holder.key_id, now)
        except Exception:  # noqa: BLE001 -- a convenience for operators; the key is as good without it
            _log.warning("cannot note the use of a key", exc_info=True)


def _caller(holder: KeyHolder) -> Caller:
    return Caller(
        kind="API_KEY",
        workspace_id=holder.workspace_id,
        subject=ids.make("key", holder.key_id),
        name=holder.name,
        actor_id=holder.actor_id,
        role=holder.role,
    )


class Authenticator:
    """Turns what a request presents into a `Caller`."""

    def __init__(self, settings: AuthSettings, find: FindKey = find_key) -> None:
        self._token_keys = (TokenKey(settings.secret_key),)
        self._allowed = frozenset(filter(None, map(normalize_origin, settings.allowed_origins)))
        self._keys = _Keys(settings.secret_key, find)

    async def caller(self, presented: Presented, database: Database) -> Caller:
        """Who calls. Raises UNAUTHENTICATED, FORBIDDEN (a page elsewhere) or UNAVAILABLE as a `Problem`."""
        credential = presented.bearer
        if credential is None:
            raise unauthenticated("no credential: send Authorization: Bearer …")
        if credential.startswith(_KEY_PREFIXES):
            return await self._key_holder(credential, presented, database)
        return self._customer(credential, presented)

    async def _key_holder(self, secret: str, presented: Presented, database: Database) -> Caller:
        if not presented.same_origin:
            raise forbidden("secret keys belong on servers, never into a page")
        caller = None
        if len(secret) <= _KEY_LENGTH_MAX and secret.isascii():
            caller = await self._keys.holder(secret, database)
        if caller is None:
            raise unauthenticated("unknown or revoked key")
        return caller

    def _customer(self, token: str, presented: Presented) -> Caller:
        try:
            claims = verify_token(token, self._token_keys, datetime.now(UTC))
        except TokenRefused:
            raise unauthenticated("expired or invalid token") from None
        self._check_origin(claims.origins, presented)
        return Caller(
            kind="CUSTOMER",
            workspace_id=claims.workspace_id,
            subject=claims.subject,
            customer_id=claims.customer_id,
            scopes=claims.scopes,
            expires_at=claims.expires_at,
            origins=claims.origins,
            host=presented.host,
        )

    def _check_origin(self, own: tuple[str, ...], presented: Presented) -> None:
        if presented.origin is None:
            return
        origin = normalize_origin(presented.origin)
        if own:
            allowed = origin is not None and origin in set(map(normalize_origin, own))
        else:
            allowed = not self._allowed or presented.same_origin or origin in self._allowed
        if not allowed:
            raise forbidden("this page's origin may not use that token")


__all__ = ["KEY_STALE_S", "AuthSettings", "Authenticator", "FindKey", "Presented", "http_status"]
