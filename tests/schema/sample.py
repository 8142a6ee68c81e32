"""A small schema with every shape that the contract has: what the transport is tested on without a database."""

import asyncio
import enum
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import strawberry
from strawberry.schema.config import StrawberryConfig

from credits.errors import Unavailable
from schema.context import Caller
from schema.errors import forbidden
from schema.permission import READERS, SCOPES, allow, customer, staff
from schema.scalars import JSON, SCALARS, Credits

EVERYBODY = allow(staff(*READERS, "INGEST"), customer())
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass
class SampleContext:
    """What a request carries; `seen` is where resolvers leave what they were called with."""

    caller: Caller
    seen: list[Any] = field(default_factory=list)
    connection_params: dict[str, Any] | None = None


Info = strawberry.Info[SampleContext, None]


@strawberry.enum
class Kind(enum.Enum):
    BURN = "BURN"
    GRANT = "GRANT"


@strawberry.interface
class Refusal:
    code: str
    message: str


@strawberry.type
class NotFound(Refusal):
    pass


@strawberry.type
class InvalidInput(Refusal):
    field: str | None = None


@strawberry.type
class CreditType:
    key: str
    scale: int


@strawberry.type
class Allocation:
    amount: Credits
    overdraft: bool
    credit_type: CreditType | None = None


@strawberry.type
class Entry:
    id: strawberry.ID
    kind: Kind
    amount: Credits
    quantity: Decimal | None
    occurred_at: datetime
    data: JSON
    allocations: list[Allocation]
    reverses: "Entry | None" = None
    missing: NotFound | None = None
    note: str | None = strawberry.field(default=None, metadata=allow(staff(*READERS)))
    reasons: list[Annotated[NotFound | InvalidInput, strawberry.union("Reason")]] = strawberry.field(
        default_factory=list
    )

    @strawberry.field
    async def siblings(self, first: int = 50) -> "list[Entry]":
        await asyncio.sleep(0)
        return [entry(number) for number in range(min(first, 3))]

    @strawberry.field
    def label(self) -> str | None:
        return None if self.kind is Kind.GRANT else f"label of {self.id}"

    @strawberry.field
    def asked_by(self, info: Info) -> list[Allocation]:
        return [Allocation(amount=Credits(len(info.context.caller.subject)), overdraft=True)]

    @strawberry.field
    def place(self, info: Info) -> str:
        return ".".join(map(str, info.path.as_list()))

    @strawberry.field
    def later(self) -> str:
        async def wait() -> str:
            await asyncio.sleep(0)
            return "later"

        return wait()  # type: ignore[return-value]

    @strawberry.field
    def failing(self) -> str | None:
        raise ValueError("the password is hunter2")

    @strawberry.field
    def sourced(self, source: str = "s", info_: str = "i") -> str:
        return f"{source} {info_}"

    @strawberry.field
    def loud(self, word: str = "hey") -> str:
        return f"{word} {self.id}"


@strawberry.type
class Edge:
    node: Entry
    cursor: str


@strawberry.type
class Connection:
    edges: list[Edge]
    total: int


@strawberry.type
class BurnOk:
    entry: Entry
    replayed: bool
    reason: Refusal | None = None


BurnResult = Annotated[BurnOk | NotFound | InvalidInput, strawberry.union("BurnResult")]


@strawberry.input
class Money:
    amount: Decimal
    memo: str | None
    currency: str = "USD"


@strawberry.input
class BurnInput:
    customer: str
    idempotency_key: str
    amount: Decimal | None = None
    kind: Kind | None = None
    dimensions: JSON | None = None
    tags: list[str] | None = None
    cost: Money | None = None
    costs: list[Money] | None = None
    occurred_at: datetime | None = None
    count: int = 1


def entry(number: int, **changed: Any) -> Entry:
    values: dict[str, Any] = {
        "id": strawberry.ID(f"ent_{number}"),
        "kind": Kind.BURN,
        "amount": Credits(-1_500_000 * number),
        "quantity": Decimal("0.10"),
        "occurred_at": NOW,
        "data": {"model": "large", "share": Decimal("0.1")},
        "allocations": [
            Allocation(amount=Credits(1_500_000), overdraft=False, credit_type=CreditType(key="ai", scale=3))
        ],
        "note": "for our eyes",
    }
    return Entry(**{**values, **changed})


@strawberry.type
class Query:
    @strawberry.field(metadata=EVERYBODY)
    def hello(self) -> str:
        return "hello"

    @strawberry.field(metadata=EVERYBODY)
    async def entry(self, number: int = 1) -> Entry | None:
        return entry(number) if number else None

    @strawberry.field(metadata=EVERYBODY)
    def entries(self, first: int = 50) -> Connection:
        return Connection(edges=[Edge(node=entry(n), cursor=str(n)) for n in range(min(first, 3))], total=first)

    @strawberry.field(metadata=EVERYBODY)
    def echo(self, info: Info, amount: Decimal | None = None, value: JSON | None = None) -> JSON | None:
        info.context.seen.append((amount, value))
        return value

    @strawberry.field(metadata=allow(staff("VIEWER")))
    def secrets(self) -> list[str]:
        return ["a"]

    @strawberry.field(metadata=allow(customer("ledger:read")))
    def mine(self) -> str | None:
        return "mine"

    @strawberry.field(metadata=EVERYBODY)
    async def broken(self, how: str) -> Entry | None:
        """Whatever can be wrong with an answer."""
        if how == "unavailable":
            raise Unavailable("postgres says 10.0.0.7 is gone")
        if how == "raise":
            raise ValueError("the password is hunter2")
        if how == "wait":
            await asyncio.sleep(3600)
        wrong: dict[str, dict[str, Any]] = {
            "null": {"amount": None},
            "nested null": {"allocations": [Allocation(amount=Credits(1), overdraft=None)]},  # type: ignore[arg-type]
            "null item": {"allocations": [None]},
            "no list": {"allocations": "abc"},
            "bad enum": {"kind": "NEITHER"},
            "bad scalar": {"occurred_at": datetime(2026, 1, 1)},  # noqa: DTZ001 -- what must not come out
            "bad class": {"missing": entry(2)},
            "bad member": {"reasons": [NotFound(code="NOT_FOUND", message="gone"), entry(1)]},
        }
        return entry(1, **wrong[how])


@strawberry.type
class Mutation:
    @strawberry.mutation(metadata=EVERYBODY)
    async def burn(self, info: Info, input: BurnInput) -> BurnResult:  # noqa: A002 -- the contract says `input`
        info.context.seen.append(input)
        if input.customer == "nobody":
            return NotFound(code="NOT_FOUND", message="no such customer")
        return BurnOk(entry=entry(input.count), replayed=False, reason=NotFound(code="NOT_FOUND", message="no"))

    @strawberry.mutation(metadata=allow(staff("BACKEND")))
    async def burn_many(self, info: Info, inputs: list[BurnInput]) -> list[BurnResult]:
        info.context.seen.append(inputs)
        return [BurnOk(entry=entry(number), replayed=False) for number, _ in enumerate(inputs)]

    @strawberry.mutation(metadata=allow(staff("BACKEND")))
    async def apply(self, info: Info, document: JSON) -> bool:
        info.context.seen.append(document)
        return True

    @strawberry.mutation(metadata=allow(staff("BACKEND"), customer("topup:create")))
    async def noop(self, input: BurnInput) -> bool:  # noqa: A002
        return True


@strawberry.type
class Subscription:
    @strawberry.subscription(metadata=EVERYBODY)
    async def counted(self, info: Info, to: int = 3, customer: str | None = None) -> AsyncGenerator[Entry, None]:
        if customer is not None and customer != info.context.caller.subject:
            raise forbidden("that is not yours")
        try:
            for number in range(to):
                yield entry(number)
                await asyncio.sleep(0)
            if to == 0:
                await asyncio.Event().wait()
        finally:
            info.context.seen.append("closed")

    @strawberry.subscription(metadata=EVERYBODY)
    async def flood(self) -> AsyncGenerator[str, None]:
        while True:
            yield "x" * 65_536
            await asyncio.sleep(0)

    @strawberry.subscription(metadata=EVERYBODY)
    async def failing(self) -> AsyncGenerator[str, None]:
        yield "once"
        raise ValueError("the password is hunter2")

    @strawberry.subscription(metadata=allow(staff("VIEWER")))
    async def theirs(self) -> AsyncGenerator[str, None]:
        yield "theirs"


def build() -> strawberry.Schema:
    return strawberry.Schema(
        Query, Mutation, Subscription, types=[InvalidInput], config=StrawberryConfig(scalar_map=SCALARS)
    )


BACKEND = Caller(kind="API_KEY", workspace_id=1, subject="key_1", role="BACKEND")
ADMIN = Caller(kind="API_KEY", workspace_id=1, subject="key_2", role="ADMIN")
VIEWER = Caller(kind="OPERATOR", workspace_id=1, subject="opr_1", role="VIEWER")
CUSTOMER = Caller(kind="CUSTOMER", workspace_id=1, subject="cus_1", customer_id=1, scopes=SCOPES)
