"""The database: two doors to one PostgreSQL, each showing one workspace for the length of a database transaction.

`Database.transaction` is for ordinary queries (SQLAlchemy Core); `Database.hot` is for the statements that lock,
sweep or write batches (asyncpg as it is). Both act as the role `scrip_app`, which cannot change or delete a ledger
entry, and both set the workspace that row-level security lets through; it ends with the database transaction, so
that a connection back in the pool shows nothing.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, TypeAlias, cast

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy import MetaData, text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from credits.canonical import canonical_json
from credits.errors import Unavailable

metadata = MetaData()

_SESSION_ROLE = "scrip_app"
# Ordered: a statement gives up before the caller's patience ends, a forgotten database transaction soon after.
_SESSION = {
    "role": _SESSION_ROLE,
    "timezone": "UTC",
    "statement_timeout": "15s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "30s",
    "jit": "off",  # short statements: compiling them costs more than running them
}
# Every hot statement looks rows up by an index that was made for it. Said to the planner, because its statistics lag
# behind a bulk load, and what it then thinks a small table is read whole, batch after batch: 50 times slower.
# And not planned for each batch anew: what that could gain, planning costs again. See `Connection.opening`.
_HOT_SESSION = _SESSION | {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
    "standard_conforming_strings": "on",  # `literal` counts on it
}
_AS_HOT = "".join(f"SET LOCAL {name} = off; " for name in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")) + (
    "SET LOCAL max_parallel_workers_per_gather = 0"  # starting them takes longer than an index scan
)
_PLANNED_IN = "planned as hot in"  # of a connection: the database transaction that was told so
_SEND_BUFFER_BYTES = 1024 * 1024  # 1,000 events and their entries are 700 KB
_CONNECT_TIMEOUT_S = 5.0
_COMMAND_TIMEOUT_S = 20.0  # a black hole in the network: the server's own timeouts cannot reach us

# What the store says when it is at fault, not the caller. 40001 and 40P01 are retried by the writer first.
_UNAVAILABLE = (
    OSError,
    TimeoutError,
    PoolTimeoutError,  # SQLAlchemy's own: every connection is busy
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what a connection says that was ended between two of our statements
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.DiskFullError,
    asyncpg.OutOfMemoryError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)


def is_unavailable(error: BaseException | None) -> bool:
    """True where the store, not the statement, is at fault; SQLAlchemy wraps the driver's error once or twice."""
    while error is not None:
        if isinstance(error, (*_UNAVAILABLE, Unavailable)):
            return True
        error = getattr(error, "orig", None) or error.__cause__
    return False


def is_locked(error: BaseException) -> bool:
    """True where somebody else kept a lock for longer than we had patience."""
    return isinstance(error, asyncpg.LockNotAvailableError) or isinstance(
        error.__cause__, asyncpg.LockNotAvailableError
    )


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement without an answer that each connection prepares once. Its parameters are all text."""

    name: str
    sql: str
    parameters: int

    def preparation(self, name: str) -> str:
        types = ", ".join(["text"] * self.parameters)
        return f"PREPARE {name} ({types}) AS {self.sql}"


class Connection(asyncpg.Connection):
    """No reset between uses: the workspace is set per database transaction, and what is `prepared` stays so."""

    def __init__(self, protocol: Any, transport: asyncio.Transport, *arguments: Any) -> None:
        super().__init__(protocol, transport, *arguments)
        # As much as the system allows: what a batch writes should be gone at once. The rest of it waits for the event
        # loop's next turn, and that waits for whatever is decided meanwhile, while PostgreSQL waits for both.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self.prepared: dict[Prepared, str] = {}  # by which name this connection knows it
        self._uses = 0

    def opening(self) -> str:
        """What a database transaction begins with. At the first use, the second, the fourth …, that is to forget plans:

        one that was made for an empty table stays until its statistics come, and until then looks where it should not.
        """
        self._uses += 1
        return "BEGIN" if self._uses & (self._uses - 1) else "DISCARD PLANS; BEGIN"

    def get_reset_query(self) -> str:
        return ""


# asyncpg's connection, in the pool's wrapping.
Driver: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"


class HotConnection:
    """One database transaction on the bare driver.

    What has no answer is gathered and sent together: BEGIN with what comes first, COMMIT with what was written last.
    Each round trip costs this process as much as three burns, and the customers' locks last as much longer.
    """

    def __init__(
        self, driver: "PoolConnectionProxy[asyncpg.Record]", workspace_id: int, lock_patience: timedelta | None
    ) -> None:
        self._driver = cast("Connection", driver)  # the pool's wrapping passes everything on
        # Integers of ours, never a caller's text; SET takes no parameters.
        self._script = [f"{self._driver.opening()}; SET LOCAL scrip.workspace = '{int(workspace_id)}'"]
        if lock_patience is not None:
            self._script.append(f"SET LOCAL lock_timeout = {lock_patience // timedelta(milliseconds=1)}")
        self._begun = False

    async def send(self, statement: Prepared, *values: str | None) -> None:
        """Has the statement run with the next one that answers, or with the COMMIT, in order; that one says what failed."""
        name = self._driver.prepared.get(statement) or await self._prepare(statement)
        self._script.append(f"EXECUTE {name} ({', '.join(map(literal, values))})")

    async def fetch(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        await self._flush()
        rows: list[asyncpg.Record] = await self._driver.fetch(query, *arguments)
        return rows

    async def fetchrow(self, query: str, *arguments: Any) -> asyncpg.Record | None:
        await self._flush()
        row: asyncpg.Record | None = await self._driver.fetchrow(query, *arguments)
        return row

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        await self._flush()
        return await self._driver.fetchval(query, *arguments)

    async def execute(self, query: str, *arguments: Any) -> str:
        await self._flush()
        return str(await self._driver.execute(query, *arguments))

    async def driver(self) -> Driver:
        """The driver itself, for what is not gathered; what was so far has been sent."""
        await self._flush()
        return cast("Driver", self._driver)

    async def commit(self) -> None:
        self._script.append("COMMIT")
        if await self._flush() != "COMMIT":
            # PostgreSQL answers ROLLBACK, and no error, where a failed statement was passed over in silence.
            raise RuntimeError("nothing was committed: a statement had failed before")

    async def roll_back(self) -> None:
        if self._begun and not self._driver.is_closed():
            await self._driver.execute("ROLLBACK")

    async def _prepare(self, statement: Prepared) -> str:
        await self._flush()
        name = f"{statement.name}_{len(self._driver.prepared)}"
        try:
            await self._driver.execute(statement.preparation(name))
        except BaseException:
            self._begun = False  # nothing is left to roll back:
            self._driver.terminate()  # whether it is prepared is not known, and it cannot be twice
            raise
        self._driver.prepared[statement] = name
        return name

    async def _flush(self) -> str:
        """What was gathered, as one round trip; the status of its last statement."""
        if not self._script:
            return ""
        script, self._script, self._begun = "; ".join(self._script), [], True
        return str(await self._driver.execute(script))


def literal(value: str | None) -> str:
    """A text in SQL. A quote is all that can end it, and is doubled: no backslash means anything in such a literal.

    It holds no NUL, which no text of PostgreSQL does: `columns` writes JSON, where a NUL is spelled out.
    """
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


class Database:
    """The pools of one process. `connect` opens them, `close` ends them."""

    def __init__(self, url: str, engine: AsyncEngine, pool: "asyncpg.Pool[Any]") -> None:
        self.url = url
        self.engine = engine
        self.pool = pool
        self._viewing = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @classmethod
    async def connect(cls, url: str, *, size: int = 10) -> "Database":
        """Opens the pools; raises what the driver raises when the database is not there."""

        async def open_connection() -> asyncpg.Connection:
            return await asyncpg.connect(
                url, server_settings=_SESSION, timeout=_CONNECT_TIMEOUT_S, command_timeout=_COMMAND_TIMEOUT_S
            )

        engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=open_connection,
            # No overflow: such a connection is closed after one use, and a new one costs 50 times a query.
            pool_size=2 * size,
            max_overflow=0,
            pool_timeout=_CONNECT_TIMEOUT_S,
            pool_pre_ping=False,
            json_serializer=canonical_json,
            json_deserializer=orjson.loads,
        )
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size,
            server_settings=_HOT_SESSION,
            connection_class=Connection,
            timeout=_CONNECT_TIMEOUT_S,
            command_timeout=_COMMAND_TIMEOUT_S,
            max_inactive_connection_lifetime=300,
        )
        if await pool.fetchval("SELECT current_user::text") != _SESSION_ROLE:
            # A pooler in between passes no startup parameters on: we would act as the owner, past half of the walls.
            await pool.close()
            raise RuntimeError(f"the connection does not act as {_SESSION_ROLE}: connect to PostgreSQL itself")
        return cls(url, engine, pool)

    async def close(self) -> None:
        await self.engine.dispose()
        await self.pool.close()

    @asynccontextmanager
    async def transaction(self, workspace_id: int) -> AsyncIterator[AsyncConnection]:
        """An ordinary database transaction that sees one workspace. Raises `Unavailable` when the store is at fault."""
        async with _workspace_of(self.engine, workspace_id) as connection:
            yield connection

    @asynccontextmanager
    async def view(self, workspace_id: int) -> AsyncIterator[AsyncConnection]:
        """One unmoving view of a workspace, for reading alone: what several statements see belongs together.

        An account read before a commit and its grants read after it would make a balance that never was.
        """
        async with _workspace_of(self._viewing, workspace_id) as connection:
            yield connection

    @asynccontextmanager
    async def hot(self, workspace_id: int, lock_patience: timedelta | None = None) -> AsyncIterator[HotConnection]:
        """A database transaction on the bare driver that sees one workspace."""
        async with self.pool.acquire(timeout=_CONNECT_TIMEOUT_S) as driver:
            connection = HotConnection(driver, workspace_id, lock_patience)
            try:
                yield connection
                await connection.commit()
            except BaseException:
                await connection.roll_back()
                raise

    @asynccontextmanager
    async def snapshot(self, workspace_id: int) -> AsyncIterator[Driver]:
        """One unmoving view of a workspace for a long read, without the time limit of ordinary statements."""
        async with self._long(workspace_id, readonly=True) as connection:
            yield connection

    @asynccontextmanager
    async def steady(self, workspace_id: int) -> AsyncIterator[Driver]:
        """The same, for what is read at length and then written. Raises `asyncpg.SerializationError` where somebody else
        has changed a row that is written."""
        async with self._long(workspace_id, readonly=False) as connection:
            yield connection

    @asynccontextmanager
    async def _long(self, workspace_id: int, *, readonly: bool) -> AsyncIterator[Driver]:
        async with (
            self.pool.acquire(timeout=_CONNECT_TIMEOUT_S) as connection,
            connection.transaction(isolation="repeatable_read", readonly=readonly),
        ):
            # These statements read much at once: the planner may choose how, as nowhere else in this pool.
            await connection.execute(
                f"SET LOCAL scrip.workspace = '{int(workspace_id)}'; SET LOCAL statement_timeout = 0; "
                "SET LOCAL idle_in_transaction_session_timeout = 0; "
                "SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on; "
                "SET LOCAL plan_cache_mode = auto"
            )
            yield connection


class Fetches(Protocol):
    """Where rows can be fetched from: either door, in one database transaction."""

    async def fetch(self, query: str, /, *arguments: Any) -> list[asyncpg.Record]: ...
    async def fetchval(self, query: str, /, *arguments: Any) -> Any: ...


class Runs(Fetches, Protocol):
    """Where statements can be run: either door, in one database transaction."""

    async def fetchrow(self, query: str, /, *arguments: Any) -> asyncpg.Record | None: ...
    async def execute(self, query: str, /, *arguments: Any) -> str: ...


async def bare(connection: AsyncConnection) -> Runs:
    """The driver's own connection below an ordinary one, in the same database transaction: for a statement that both
    doors have, planned here as there, and by this process alone."""
    found: Runs = (await connection.get_raw_connection()).driver_connection  # type: ignore[assignment]
    of = connection.sync_connection
    transaction = None if of is None else of.get_transaction()
    if transaction is None or connection.info.get(_PLANNED_IN) is not transaction:  # once in each is enough
        await found.execute(_AS_HOT)
        connection.info[_PLANNED_IN] = transaction
    return found


# show_workspace -- what row-level security compares with, for this database transaction alone
_SHOW_WORKSPACE = text("SELECT set_config('scrip.workspace', :workspace, true)")


@asynccontextmanager
async def _workspace_of(engine: AsyncEngine, workspace_id: int) -> AsyncIterator[AsyncConnection]:
    try:
        async with engine.begin() as connection:
            await connection.execute(_SHOW_WORKSPACE, {"workspace": str(workspace_id)})
            yield connection
    except Exception as error:
        if is_unavailable(error):
            raise Unavailable(str(error)) from error
        raise
