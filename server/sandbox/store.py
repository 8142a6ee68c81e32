"""The sandbox's own books in its own tables. Columns, CHECKs and reasons: credits/migrations/versions/0011_sandbox.sql."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Integer, RowMapping, Table, Text, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from credits.customers.customers import lock_customer
from credits.db import Database, is_unavailable, metadata
from credits.errors import Unavailable
from credits.recharge.top_ups import Place
from credits.workspaces import workspaces
from server.sandbox.payments import MethodKind, SandboxMethod, SandboxPayback, SandboxPayment

_AT = DateTime(timezone=True)

sandbox_payments = Table(
    "sandbox_payments",
    metadata,
    *(Column(name, BigInteger) for name in ("customer_id", "subtotal", "paid_back")),
    *(Column(name, _AT) for name in ("created_at", "changed_at", "expires_at")),
    *(Column(name, Integer) for name in ("workspace_id", "number", "quantity", "version")),
    *(Column(name, Text) for name in ("state", "mode", "name", "currency", "return_url", "method")),
    *(Column(name, Text) for name in ("failure", "decline_code")),
)

sandbox_paybacks = Table(
    "sandbox_paybacks",
    metadata,
    *(Column(name, BigInteger) for name in ("customer_id", "amount")),
    Column("created_at", _AT),
    *(Column(name, Integer) for name in ("workspace_id", "number", "position")),
    *(Column(name, Text) for name in ("kind", "state", "ours")),
)

sandbox_methods = Table(
    "sandbox_methods",
    metadata,
    Column("customer_id", BigInteger),
    Column("saved_at", _AT),
    *(Column(name, Integer) for name in ("workspace_id", "number")),
    Column("kind", Text),
)

# find_sandbox_payment -- In which test workspace an order is, for whoever has its id: the one look across workspaces.
_FIND_SANDBOX_PAYMENT = text("SELECT find_sandbox_payment(:customer_id, :number)")


async def find_workspace(database: Database, place: Place) -> int | None:
    """The test workspace in which that order was placed; None where there is no such order, or not in a test workspace.
    Raises `Unavailable`."""
    try:
        async with database.engine.connect() as connection:
            found = await connection.scalar(_FIND_SANDBOX_PAYMENT, {"customer_id": place[0], "number": place[1]})
    except Exception as error:
        if is_unavailable(error):
            raise Unavailable(str(error)) from error
        raise
    return None if found is None else int(found)


async def is_test(connection: AsyncConnection) -> bool:
    """Whether the workspace at hand is one."""
    return bool(await connection.scalar(select(workspaces.c.test_mode)))


async def read_payment(connection: AsyncConnection, place: Place, *, lock: bool = False) -> SandboxPayment | None:
    """lock_sandbox_payment -- Under its lock, who pays, declines and cancels at once come one after the other."""
    query = select(sandbox_payments).where(*_at(sandbox_payments, place))
    if lock:
        query = query.with_for_update()
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else _payment(row)


async def add_payment(connection: AsyncConnection, workspace_id: int, payment: SandboxPayment) -> None:
    """Writes it where the order has none yet; who comes second finds the first."""
    values = _values(payment) | {"workspace_id": workspace_id, "changed_at": payment.created_at}
    await connection.execute(insert(sandbox_payments).values(values).on_conflict_do_nothing())


async def change_payment(connection: AsyncConnection, payment: SandboxPayment, now: datetime) -> None:
    """Writes what became of it, under its lock."""
    values = {name: getattr(payment, name) for name in ("state", "failure", "decline_code", "paid_back")}
    await connection.execute(
        update(sandbox_payments)
        .values(**values, changed_at=now, version=sandbox_payments.c.version + 1)
        .where(*_at(sandbox_payments, payment.place))
    )


async def read_paybacks(connection: AsyncConnection, place: Place) -> tuple[SandboxPayback, ...]:
    """What was paid back of it, oldest first."""
    query = select(sandbox_paybacks).where(*_at(sandbox_paybacks, place)).order_by(sandbox_paybacks.c.position)
    rows = (await connection.execute(query)).mappings()
    return tuple(SandboxPayback(row["position"], row["kind"], row["state"], row["amount"], row["ours"]) for row in rows)


async def put_payback(
    connection: AsyncConnection, workspace_id: int, place: Place, payback: SandboxPayback, now: datetime
) -> None:
    """Writes it, new or in its new state, under the payment's lock."""
    values = {name: getattr(payback, name) for name in ("position", "kind", "state", "amount", "ours")}
    values |= {"workspace_id": workspace_id, "customer_id": place[0], "number": place[1], "created_at": now}
    await connection.execute(
        insert(sandbox_paybacks)
        .values(values)
        .on_conflict_do_update(
            index_elements=["customer_id", "number", "position"],
            set_={"state": insert(sandbox_paybacks).excluded.state},
        )
    )


async def save_method(
    connection: AsyncConnection, workspace_id: int, customer_id: int, kind: MethodKind, now: datetime
) -> SandboxMethod | None:
    """A new method, the default from now on; None where there is no such customer."""
    if await lock_customer(connection, customer_id) is None:
        return None
    latest = select(func.max(sandbox_methods.c.number)).where(sandbox_methods.c.customer_id == customer_id)
    method = SandboxMethod(customer_id, 1 + (await connection.scalar(latest) or 0), kind)
    values = {"customer_id": customer_id, "number": method.number, "kind": kind}
    await connection.execute(insert(sandbox_methods).values(**values, workspace_id=workspace_id, saved_at=now))
    return method


async def read_methods(connection: AsyncConnection, customer_id: int) -> list[SandboxMethod]:
    """The newest of each kind, the newest first: who saves a card again has it once."""
    newest = (
        select(sandbox_methods.c.kind, func.max(sandbox_methods.c.number).label("number"))
        .where(sandbox_methods.c.customer_id == customer_id)
        .group_by(sandbox_methods.c.kind)
    )
    found = [SandboxMethod(customer_id, row.number, row.kind) for row in await connection.execute(newest)]
    return sorted(found, key=lambda method: -method.number)


async def find_method(connection: AsyncConnection, customer_id: int, number: int) -> SandboxMethod | None:
    """A method as it was saved, also one of which there is a newer."""
    query = select(sandbox_methods.c.kind).where(
        sandbox_methods.c.customer_id == customer_id, sandbox_methods.c.number == number
    )
    kind = await connection.scalar(query)
    return None if kind is None else SandboxMethod(customer_id, number, kind)


def _at(table: Table, place: Place) -> tuple[Any, Any]:
    return table.c.customer_id == place[0], table.c.number == place[1]


_PAYMENT = tuple(SandboxPayment.__dataclass_fields__)


def _values(payment: SandboxPayment) -> dict[str, Any]:
    return {name: getattr(payment, name) for name in _PAYMENT}


def _payment(row: RowMapping | Mapping[str, Any]) -> SandboxPayment:
    return SandboxPayment(**{name: row[name] for name in _PAYMENT})
