"""What money moved for credits: sales, refunds, chargebacks, each beside the ledger entry it goes with, append-only.

Written by whoever moves the credits, in the same database transaction; read by revenue. Money is in the smallest unit of
its currency, before tax.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from sqlalchemy import BigInteger, Column, DateTime, Integer, Table, Text

from credits.db import Runs, metadata

MovementKind: TypeAlias = Literal["SALE", "REFUND", "REFUND_FAILED", "CHARGEBACK", "CHARGEBACK_WON"]

money_movements = Table(
    "money_movements",
    metadata,
    Column("customer_id", BigInteger, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("minor", BigInteger),
    Column("at", DateTime(timezone=True)),
    *(Column(name, Integer) for name in ("workspace_id", "credit_type_id", "grant_number", "sequence")),
    *(Column(name, Text) for name in ("kind", "currency", "reference")),
)

# add_movement -- Under the customer's lock, so that two never take one number.
_ADD_MOVEMENT = """
INSERT INTO money_movements (customer_id, number, minor, at, workspace_id, credit_type_id, grant_number, sequence, kind, currency, reference)
SELECT $1, 1 + coalesce((SELECT max(number) FROM money_movements WHERE customer_id = $1), 0), $2, $3, scrip_workspace(), $4, $5, $6, $7, $8, $9
"""


@dataclass(frozen=True, slots=True)
class Movement:
    """`sequence` is that of the entry it goes with; None where no credits moved. `reference` is the top-up's public id."""

    customer_id: int
    credit_type_id: int
    grant_number: int
    sequence: int | None
    kind: MovementKind
    minor: int
    currency: str
    reference: str


async def add_movement(connection: Runs, movement: Movement, now: datetime) -> None:
    """Writes it, in the database transaction of the entry, under the customer's lock."""
    await connection.execute(
        _ADD_MOVEMENT,
        movement.customer_id,
        movement.minor,
        now,
        movement.credit_type_id,
        movement.grant_number,
        movement.sequence,
        movement.kind,
        movement.currency,
        movement.reference,
    )
