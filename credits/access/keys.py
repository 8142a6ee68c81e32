"""Secret API keys: shown once, kept as an HMAC, revocable at once."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, DateTime, Integer, LargeBinary, Table, Text, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from credits import ids
from credits.access.actors import ensure_actor
from credits.audit.log import record
from credits.db import Database, metadata

ROLES = ("VIEWER", "INGEST", "BACKEND", "SUPPORT", "SALES", "FINANCE", "ADMIN")
_PREFIX_SHOWN = 12  # "sk_test_" and four characters: enough to recognise, too little to guess

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("workspace_id", Integer),
    Column("actor_id", Integer),
    Column("name", Text),
    Column("prefix", Text),
    Column("secret_hash", LargeBinary),
    Column("role", Text),
    Column("created_at", DateTime(timezone=True)),
    Column("last_used_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as operators see it: never its secret."""

    id: str
    name: str
    prefix: str
    role: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Whom a secret stands for."""

    workspace_id: int
    key_id: int
    actor_id: int
    role: str
    name: str


def hash_secret(secret: str, pepper: str) -> bytes:
    """HMAC-SHA-256 under the server's secret key: a stolen table opens nothing."""
    return hmac.new(pepper.encode(), secret.encode(), hashlib.sha256).digest()


async def create_key(
    connection: AsyncConnection,
    *,
    workspace_id: int,
    test_mode: bool,
    name: str,
    role: str,
    pepper: str,
    now: datetime,
    by_actor_id: int | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its secret, which is never shown again. `by_actor_id` is who makes it."""
    secret = f"sk_{'test' if test_mode else 'live'}_{secrets.token_urlsafe(32)}"
    # The actor carries the key's public id, which its row gives only once it is there: reserve the number first.
    key_id = (
        await connection.execute(select(func.nextval(text("pg_get_serial_sequence('api_keys', 'id')::regclass"))))
    ).scalar_one()
    actor_id = await ensure_actor(connection, workspace_id, "API_KEY", ids.make("key", key_id), name)
    row = (
        await connection.execute(
            text(
                "INSERT INTO api_keys (id, workspace_id, actor_id, name, prefix, secret_hash, role, created_at) "
                "OVERRIDING SYSTEM VALUE VALUES (:id, :workspace, :actor, :name, :prefix, :hash, :role, :now) RETURNING *"
            ),
            {
                "id": key_id,
                "workspace": workspace_id,
                "actor": actor_id,
                "name": name,
                "prefix": secret[:_PREFIX_SHOWN],
                "hash": hash_secret(secret, pepper),
                "role": role,
                "now": now,
            },
        )
    ).one()
    key = _api_key(row)
    await record(connection, by_actor_id, "apiKey.created", key.id, before=None, after=_told(key))
    return key, secret


async def list_keys(connection: AsyncConnection) -> list[ApiKey]:
    """Every key of the workspace, newest first."""
    rows = await connection.execute(select(api_keys).order_by(api_keys.c.id.desc()))
    return [_api_key(row) for row in rows]


async def revoke_key(
    connection: AsyncConnection, key_id: str, now: datetime, *, by_actor_id: int | None = None
) -> ApiKey | None:
    """Ends a key; None where there is none of that id. Revoking twice keeps the first instant."""
    numbers = ids.parse("key", key_id, 1)
    if numbers is None or numbers[0] >= 2**31:  # no row has such an id, and the driver would not send it
        return None
    row = (
        await connection.execute(
            update(api_keys)
            .where(api_keys.c.id == numbers[0])
            .values(revoked_at=func.coalesce(api_keys.c.revoked_at, now))
            .returning(api_keys)
        )
    ).one_or_none()
    if row is None:
        return None
    key = _api_key(row)
    if key.revoked_at == now:  # not before
        revoked = {**_told(key), "revokedAt": now}
        await record(connection, by_actor_id, "apiKey.revoked", key.id, before=_told(key), after=revoked)
    return key


async def find_key(database: Database, secret: str, pepper: str) -> KeyHolder | None:
    """Whom a secret stands for; None for an unknown or revoked one. Asked before any workspace is known."""
    async with database.engine.connect() as connection:
        row = (
            await connection.execute(
                text("SELECT workspace_id, key_id, actor_id, role, name FROM find_api_key(:hash)"),
                {"hash": hash_secret(secret, pepper)},
            )
        ).one_or_none()
    return None if row is None else KeyHolder(row.workspace_id, row.key_id, row.actor_id, row.role, row.name)


async def note_use(connection: AsyncConnection, key_id: int, now: datetime) -> None:
    """When a key was last used; callers ask at most once a minute per key."""
    await connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(last_used_at=now))


def _told(key: ApiKey) -> dict[str, str]:
    """A key as the audit log tells it: never its secret."""
    return {"name": key.name, "role": key.role, "prefix": key.prefix}


def _api_key(row: "object") -> ApiKey:
    values = row._mapping  # type: ignore[attr-defined]  # noqa: SLF001 -- SQLAlchemy's public name for it
    return ApiKey(
        id=ids.make("key", values["id"]),
        name=values["name"],
        prefix=values["prefix"],
        role=values["role"],
        created_at=values["created_at"],
        last_used_at=values["last_used_at"],
        revoked_at=values["revoked_at"],
    )


__all__ = ["ROLES", "ApiKey", "KeyHolder", "create_key", "find_key", "list_keys", "note_use", "revoke_key"]
