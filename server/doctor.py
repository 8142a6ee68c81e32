"""`scrip doctor`: looks at everything a start needs, goes on after a failure, and says what to do."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import asyncpg

from credits.webhooks.statements import OLDEST_WAITING
from server import migrate
from server.disk import DiskFloor
from server.embedded import EmbeddedPostgres
from server.operator_error import OperatorError
from server.settings import Settings, load, unknown_names
from server.stripe_gateway.examine import examine as examine_stripe

CLOCK_WARN_S = 1.0
CLOCK_FAIL_S = 5.0  # the leeway of tokens
NOTICE_S = 5.0
CONNECT_S = 5.0
WEBHOOK_WARN_S = 3_600  # of retries the first few are ordinary


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `fail  database   what is found: what to do`."""

    level: Level
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.level:<5} {self.subject:<12} {' '.join(self.text.split())}"


def examine(data_dir: Path | None) -> Iterator[Finding]:
    """Every finding, as it is made; the later ones need what the earlier ones found in order."""
    try:
        settings = load(data_dir=data_dir)
    except OperatorError as error:
        yield Finding(Level.FAIL, "settings", str(error))
        return
    yield from _settings(settings)
    yield from _disk(settings)
    if settings.embedded and not (settings.data_dir / "pg").exists():
        yield Finding(Level.OK, "database", f"none yet in {settings.data_dir}; `scrip serve` makes it")
        yield from asyncio.run(_payments(settings, set()))
        return
    try:
        with contextlib.ExitStack() as stack:
            url = settings.database_url or stack.enter_context(EmbeddedPostgres(settings.data_dir))
            yield from asyncio.run(_collect(settings.running_on(url, settings.broadcast_url or url)))
    except OperatorError as error:
        yield Finding(Level.FAIL, "database", str(error))


def _settings(settings: Settings) -> Iterator[Finding]:
    for line in unknown_names():
        yield Finding(Level.WARN, "settings", line)
    where = f"embedded database in {settings.data_dir}" if settings.embedded else "database by SCRIP_DATABASE_URL"
    yield Finding(Level.OK, "settings", f"{settings.environment}, {where}")
    try:
        settings.with_secret_key()
    except OperatorError as error:
        yield Finding(Level.FAIL, "secret key", str(error))
    else:
        yield Finding(Level.OK, "secret key", "given" if settings.secret_key else f"kept in {settings.data_dir}")


def _disk(settings: Settings) -> Iterator[Finding]:
    if not settings.embedded:
        return
    folder = settings.data_dir if settings.data_dir.exists() else settings.data_dir.parent
    floor = DiskFloor(folder)
    free, least = floor.free_bytes(), floor.floor_bytes
    if free is None:
        yield Finding(Level.FAIL, "disk", f"{folder} cannot be looked at: choose another --data-dir")
        return
    text = f"{free >> 20} MiB free, writes are refused below {least >> 20} MiB"
    if free < least:
        yield Finding(Level.FAIL, "disk", f"{text}: make room")
    else:
        yield Finding(Level.WARN if free < 4 * least else Level.OK, "disk", text)


async def _collect(settings: Settings) -> list[Finding]:
    try:
        connection = await asyncpg.connect(settings.database_url, timeout=CONNECT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        text = f"cannot be reached ({error or type(error).__name__}): check that it runs, and SCRIP_DATABASE_URL"
        return [Finding(Level.FAIL, "database", text)]
    currencies: set[str] = set()
    try:
        findings = [finding async for finding in _database(connection)]
        findings.append(await _clock(connection))
        schema = await migrate.read_schema(settings.database_url)
        problem = schema.problem()
        if problem is not None:
            findings.append(Finding(Level.FAIL, "schema", problem))
        else:
            findings.append(Finding(Level.OK, "schema", f"{schema.version}, current"))
            findings.append(await _role(connection))
            if findings[-1].level is Level.OK:
                findings.append(await _webhooks(connection))
            currencies = await _currencies(connection)
    finally:
        await connection.close()
    findings.append(await _broadcaster(settings))
    return findings + await _payments(settings, currencies)


async def _payments(settings: Settings, currencies: set[str]) -> list[Finding]:
    """Who takes the money, and whether that works. `currencies`: in which bundles are sold."""
    if settings.pays_by != "stripe":
        text = "sandbox, for test workspaces: no money moves; live ones need SCRIP_STRIPE_SECRET_KEY"
        return [Finding(Level.OK, "payments", text)]
    return [Finding(Level(level), subject, text) async for level, subject, text in examine_stripe(settings, currencies)]


async def _currencies(connection: Any) -> set[str]:
    """In which bundles are sold, in any workspace."""
    found: set[str] = set()
    for row in await connection.fetch("SELECT id FROM list_workspaces()"):
        async with connection.transaction():
            await connection.execute("SELECT set_config('scrip.workspace', $1, true)", str(row["id"]))
            rows = await connection.fetch("SELECT DISTINCT currency FROM bundles WHERE NOT archived")
            found |= {each["currency"] for each in rows}
    return found


async def _database(connection: Any) -> AsyncIterator[Finding]:
    major = connection.get_server_version().major
    if major < migrate.POSTGRES_MIN:
        yield Finding(Level.FAIL, "database", f"PostgreSQL {major}: Scrip needs 16 to 18; upgrade it")
    elif major > migrate.POSTGRES_TESTED:
        yield Finding(Level.WARN, "database", f"PostgreSQL {major}: newer than the 18 that Scrip is tested with")
    else:
        yield Finding(Level.OK, "database", f"PostgreSQL {major}")
    if await connection.fetchval("SHOW data_checksums") == "on":
        yield Finding(Level.OK, "checksums", "on")
    else:
        yield Finding(
            Level.WARN, "checksums", "off: a damaged page would go unnoticed; stop it, run pg_checksums --enable"
        )
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        if await connection.fetchval(f"SHOW {setting}") == "off":
            yield Finding(Level.FAIL, "durability", f"{setting} is off: what was acknowledged can be lost; turn it on")


async def _clock(connection: Any) -> Finding:
    asked_at = time.time()
    theirs = await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
    skew_s = theirs - (asked_at + time.time()) / 2
    level = Level.OK if abs(skew_s) < CLOCK_WARN_S else Level.WARN if abs(skew_s) < CLOCK_FAIL_S else Level.FAIL
    advice = (
        "" if level is Level.OK else ": tokens are judged by this machine's clock, credits by the database's; run NTP"
    )
    return Finding(
        level, "clock", f"{skew_s:+.3f} s between the database and us at {datetime.now(UTC):%H:%M:%SZ}{advice}"
    )


async def _role(connection: Any) -> Finding:
    """The application's role can be taken on, and can do no harm to the ledger."""
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL ROLE scrip_app")
            row = await connection.fetchrow(
                "SELECT rolsuper OR rolbypassrls AS mighty, has_table_privilege('entries', 'UPDATE, DELETE, TRUNCATE') "
                "AS may_harm FROM pg_roles WHERE rolname = 'scrip_app'"
            )
    except asyncpg.PostgresError as error:
        return Finding(Level.FAIL, "role", f"{error}: run as the database's owner: GRANT scrip_app TO CURRENT_USER")
    if row["mighty"] or row["may_harm"]:
        return Finding(
            Level.FAIL, "role", "scrip_app may change the ledger or walk through row security: take those rights away"
        )
    return Finding(Level.OK, "role", "scrip_app, without the right to change ledger entries")


async def _webhooks(connection: Any) -> Finding:
    """Messages that wait for their receivers, in all workspaces together."""
    messages, age_s = 0, 0
    async with connection.transaction():
        await connection.execute("SET LOCAL ROLE scrip_app")
        for workspace in await connection.fetch("SELECT id FROM list_workspaces()"):
            await connection.execute("SELECT set_config('scrip.workspace', $1, true)", str(workspace["id"]))
            row = await connection.fetchrow(OLDEST_WAITING, workspace["id"])
            messages, age_s = messages + row["messages"], max(age_s, int(row["age_s"]))
    if age_s < WEBHOOK_WARN_S:
        return Finding(Level.OK, "webhooks", f"{messages} waiting")
    text = f"{messages} waiting, the oldest for {timedelta(seconds=age_s)}: see `deliveries` of webhookEndpoints"
    return Finding(Level.WARN, "webhooks", text)


async def _broadcaster(settings: Settings) -> Finding:
    """A notice sent on one connection arrives on another: a pooler in between swallows them."""
    if settings.broadcast_url == "memory://":
        return Finding(Level.OK, "broadcaster", "memory: for one process")
    arrived = asyncio.Event()
    sent_at = time.monotonic()
    try:
        listener = await asyncpg.connect(settings.broadcast_url, timeout=CONNECT_S)
        try:
            await listener.add_listener("scrip_doctor", lambda *_: arrived.set())
            await _notify(settings.broadcast_url)
            await asyncio.wait_for(arrived.wait(), NOTICE_S)
        finally:
            await listener.close()
    except TimeoutError:
        return Finding(
            Level.FAIL,
            "broadcaster",
            "notices do not arrive: point SCRIP_BROADCAST_URL at PostgreSQL itself, not at a pooler",
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return Finding(Level.FAIL, "broadcaster", f"cannot be reached ({error}): check SCRIP_BROADCAST_URL")
    return Finding(Level.OK, "broadcaster", f"PostgreSQL, {(time.monotonic() - sent_at) * 1000:.0f} ms for a notice")


async def _notify(url: str) -> None:
    sender = await asyncpg.connect(url, timeout=CONNECT_S)
    try:
        await sender.execute("NOTIFY scrip_doctor")
    finally:
        await sender.close()
