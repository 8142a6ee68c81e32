"""Who is calling: keys on a real database, tokens, and the pages they come from."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from sqlalchemy import text

from credits.access.keys import create_key, list_keys, revoke_key
from credits.db import Database
from schema.errors import Problem
from schema.permission import DEFAULT_SCOPES
from server import auth
from server.auth import Authenticator, Presented, http_status
from tests.server.graphql_harness import BACKEND_KEY, SECRET_KEY, World, token

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Settings:
    secret_key = SECRET_KEY
    allowed_origins = ("https://app.example",)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await Database.connect(database_url)
    owner = await asyncpg.connect(database_url)
    await owner.execute(
        "INSERT INTO workspaces (name, test_mode, created_at) VALUES ('acme', true, now()), ('other', false, now())"
    )
    await owner.close()
    yield opened
    await opened.close()


async def new_key(database: Database, *, role: str = "BACKEND", workspace_id: int = 1) -> tuple[str, str]:
    """A key's public id and its secret."""
    async with database.transaction(workspace_id) as connection:
        key, secret = await create_key(
            connection,
            workspace_id=workspace_id,
            test_mode=workspace_id == 1,
            name="host",
            role=role,
            pepper=SECRET_KEY,
            now=NOW,
        )
    return key.id, secret


async def code_of(world: World, presented: Presented) -> str | None:
    try:
        await world.authenticate(presented)
    except Problem as problem:
        return str((problem.extensions or {})["code"])
    return None


# ─── secret keys ───────────────────────────────────────────────────────────────────────────────────
async def test_a_secret_key_stands_for_its_workspace_and_role(database: Database):
    authenticator = Authenticator(Settings())
    for workspace_id, role in [(1, "BACKEND"), (2, "INGEST")]:
        key_id, secret = await new_key(database, role=role, workspace_id=workspace_id)
        caller = await authenticator.caller(Presented(f"Bearer {secret}"), database)
        assert (caller.kind, caller.workspace_id, caller.role) == ("API_KEY", workspace_id, role)
        assert (caller.subject, caller.name) == (key_id, "host")
        assert caller.actor_id is not None
        assert not caller.is_customer


async def test_a_revoked_key_is_refused_within_a_second(database: Database):
    authenticator = Authenticator(Settings())
    key_id, secret = await new_key(database)
    await authenticator.caller(Presented(f"Bearer {secret}"), database)
    async with database.transaction(1) as connection:
        await revoke_key(connection, key_id, NOW)

    async def use_it_past(end: float) -> None:
        begun = 0.0
        while begun <= end:
            begun = asyncio.get_running_loop().time()
            await authenticator.caller(Presented(f"Bearer {secret}"), database)
            await asyncio.sleep(0.02)

    with pytest.raises(Problem, match="unknown or revoked"):
        await use_it_past(asyncio.get_running_loop().time() + auth.KEY_STALE_S)


async def test_a_key_is_kept_as_a_hash_and_found_by_nothing_else(database: Database):
    _, secret = await new_key(database)
    async with database.engine.connect() as connection:
        rows = await connection.execute(text("SELECT api_keys::text FROM api_keys"))
        assert secret not in str(rows.all())
    with pytest.raises(Problem, match="unknown or revoked"):
        await Authenticator(Settings()).caller(Presented(f"Bearer {secret[:-1]}"), database)

    class Elsewhere(Settings):
        secret_key = "another pepper, of at least forty characters"

    with pytest.raises(Problem, match="unknown or revoked"):
        await Authenticator(Elsewhere()).caller(Presented(f"Bearer {secret}"), database)


async def test_the_use_of_a_key_is_noted(database: Database):
    _, secret = await new_key(database)
    await Authenticator(Settings()).caller(Presented(f"Bearer {secret}"), database)
    async with database.transaction(1) as connection:
        used = [key.last_used_at for key in await list_keys(connection)]
    assert used[0] is not None
    assert datetime.now(UTC) - used[0] < timedelta(minutes=1)


async def test_a_store_that_is_gone_is_not_a_wrong_key(database: Database):
    _, secret = await new_key(database)
    await database.close()
    gone = await Database.connect(database.url)
    await gone.close()

    async def find(_database: Database, _secret: str, _pepper: str) -> None:
        raise OSError("connection refused")

    with pytest.raises(Problem) as caught:
        await Authenticator(Settings(), find).caller(Presented(f"Bearer {secret}"), gone)
    assert caught.value.extensions == {"code": "UNAVAILABLE"}
    assert http_status(caught.value) == 503


async def test_many_requests_at_once_ask_the_database_once():
    world = World()
    await asyncio.gather(*(world.authenticate(Presented(f"Bearer {BACKEND_KEY}")) for _ in range(100)))
    assert world.asked == 1
    await asyncio.gather(*(code_of(world, Presented("Bearer sk_test_unknown")) for _ in range(100)))
    assert world.asked == 2


async def test_a_caller_that_leaves_does_not_take_the_answer_from_the_others():
    world = World()
    first = asyncio.create_task(world.authenticate(Presented(f"Bearer {BACKEND_KEY}")))
    await asyncio.sleep(0)
    second = asyncio.create_task(world.authenticate(Presented(f"Bearer {BACKEND_KEY}")))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).role == "BACKEND"
    assert world.asked == 1


async def test_what_is_known_of_keys_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(auth, "_KEYS_KNOWN_MAX", 10)
    world = World()
    for number in range(50):
        await code_of(world, Presented(f"Bearer sk_test_{number}"))
    assert len(world.authenticator._keys._known) <= 10
    assert not world.authenticator._keys._asked


async def test_no_secret_stays_in_memory_or_in_the_log(caplog: pytest.LogCaptureFixture):
    canary = "sk_test_canary" + "c" * 30
    with caplog.at_level(logging.DEBUG):
        world = World()
        world.keys[canary] = world.keys[BACKEND_KEY]
        await world.authenticate(Presented(f"Bearer {canary}"))
        await code_of(world, Presented(f"Bearer {canary}x"))
        world.fault = OSError("refused")
        await code_of(world, Presented(f"Bearer {canary}y"))
        await code_of(world, Presented(f"Bearer eyJ{canary}"))
    assert "canary" not in caplog.text
    keys = world.authenticator._keys
    assert "canary" not in repr((keys._known, keys._asked, keys._noted))


# ─── what is no credential ─────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "authorization",
    [
        None, "", "Bearer", "Bearer ", "Basic YTpi", "bearer", BACKEND_KEY, f"Token {BACKEND_KEY}", "Bearer sk_test_",
        "Bearer sk_test_" + "x" * 10_000, "Bearer sk_live_é", "Bearer nothing", "Bearer a.b.c", f"Bearer {BACKEND_KEY} x",
        f"Bearer {BACKEND_KEY}\x00", f"Bearer {BACKEND_KEY[:-1]}", f"Bearer {BACKEND_KEY.upper()}",
    ],
)  # fmt: skip
async def test_what_is_no_credential_is_unauthenticated(authorization: str | None):
    assert await code_of(World(), Presented(authorization)) == "UNAUTHENTICATED"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_is_taken_in_any_case(scheme: str):
    assert await code_of(World(), Presented(f"{scheme} {BACKEND_KEY}")) is None


# ─── customer tokens and pages ─────────────────────────────────────────────────────────────────────
async def test_a_token_stands_for_its_customer_and_scopes():
    caller = await World().authenticate(Presented(f"Bearer {token(customer_id=42, scopes=['ledger:read'])}"))
    assert (caller.kind, caller.customer_id, caller.subject) == ("CUSTOMER", 42, "cus_16")
    assert caller.scopes == {"ledger:read"}
    assert caller.role is None
    assert caller.expires_at is not None


async def test_an_expired_token_is_unauthenticated():
    old = token(now=datetime.now(UTC) - timedelta(minutes=11))
    assert await code_of(World(), Presented(f"Bearer {old}")) == "UNAUTHENTICATED"


HOST = "scrip.example"


@pytest.mark.parametrize(
    ("own", "allowed", "origin", "code"),
    [
        # a token without origins, and no allowed origins: any page
        ((), (), None, None),
        ((), (), "https://anywhere.example", None),
        ((), (), "null", None),
        # allowed origins in the settings: those, and our own pages
        ((), ("https://app.example",), "https://app.example", None),
        ((), ("https://app.example",), "https://APP.example:443", None),
        ((), ("https://app.example",), f"https://{HOST}", None),
        ((), ("https://app.example",), None, None),
        ((), ("https://app.example",), "https://evil.example", "FORBIDDEN"),
        ((), ("https://app.example",), "https://app.example.evil.example", "FORBIDDEN"),
        ((), ("https://app.example",), "http://app.example", "FORBIDDEN"),
        ((), ("https://app.example",), "https://app.example:8443", "FORBIDDEN"),
        ((), ("https://app.example",), "null", "FORBIDDEN"),
        ((), ("https://app.example",), "", "FORBIDDEN"),
        # the token's own origins win over the settings
        (("https://shop.example",), (), "https://shop.example", None),
        (("https://shop.example",), ("https://app.example",), "https://shop.example", None),
        (("https://shop.example", "https://two.example"), (), "https://two.example", None),
        (("https://shop.example",), (), None, None),
        (("https://shop.example",), (), "https://evil.example", "FORBIDDEN"),
        (("https://shop.example",), ("https://app.example",), "https://app.example", "FORBIDDEN"),
        (("https://shop.example",), (), f"https://{HOST}", "FORBIDDEN"),
        (("https://shop.example",), (), "null", "FORBIDDEN"),
        (("null",), (), "null", "FORBIDDEN"),
        (("*",), (), "https://evil.example", "FORBIDDEN"),
    ],
)
async def test_a_page_may_use_a_token_from_where_it_is_allowed(
    own: tuple[str, ...], allowed: tuple[str, ...], origin: str | None, code: str | None
):
    world = World(allowed_origins=allowed)
    assert await code_of(world, Presented(f"Bearer {token(origins=own)}", origin, HOST)) == code


@pytest.mark.parametrize(
    ("origin", "code"),
    [(None, None), (f"https://{HOST}", None), ("https://app.example", "FORBIDDEN"), ("null", "FORBIDDEN")],
)
async def test_a_secret_key_in_a_foreign_page_is_refused(origin: str | None, code: str | None):
    world = World(allowed_origins=("https://app.example",))
    assert await code_of(world, Presented(f"Bearer {BACKEND_KEY}", origin, HOST)) == code


def test_default_scopes_do_not_manage_recharges():
    assert "recharge:manage" not in DEFAULT_SCOPES
