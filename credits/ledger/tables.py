"""The ledger's tables for ordinary queries. Columns, CHECKs and reasons: credits/migrations/versions/*.sql."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import UUID

from credits.db import metadata

_AT = DateTime(timezone=True)

accounts = Table(
    "accounts",
    metadata,
    Column("customer_id", BigInteger, primary_key=True),
    Column("credit_type_id", Integer, primary_key=True),
    Column("workspace_id", Integer),
    *(Column(name, BigInteger) for name in ("balance", "held", "overdraft", "granted", "burned", "expired")),
    *(Column(name, BigInteger) for name in ("given_back", "voided", "clawed_back", "adjusted")),
    Column("recorded_at", _AT),
    Column("due_at", _AT),
    Column("phased_at", _AT),
    *(Column(name, Integer) for name in ("sequence", "grants", "holds", "phases")),
    Column("drawn", ARRAY(BigInteger)),
    Column("head", LargeBinary),
)

grants = Table(
    "grants",
    metadata,
    Column("customer_id", BigInteger, primary_key=True),
    Column("credit_type_id", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("workspace_id", Integer),
    *(
        Column(name, BigInteger)
        for name in (
            "amount",
            "remaining",
            "held",
            "burned",
            "expired",
            "voided",
            "clawed_back",
            "given_back",
            "reversed",
        )
    ),
    *(Column(name, _AT) for name in ("effective_at", "expires_at", "created_at")),
    Column("fingerprint", BigInteger),
    *(Column(name, Integer) for name in ("priority", "actor_id", "rolled_from")),
    Column("open", Boolean),
    *(Column(name, Text) for name in ("state", "source", "reason", "note", "cost_currency", "metadata", "key")),
    Column("cost_amount", Numeric),
)

holds = Table(
    "holds",
    metadata,
    Column("customer_id", BigInteger, primary_key=True),
    Column("credit_type_id", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("workspace_id", Integer),
    *(Column(name, BigInteger) for name in ("amount", "remaining", "settled")),
    *(Column(name, _AT) for name in ("opened_at", "expires_at", "closed_at")),
    *(Column(name, Integer) for name in ("feature_id", "rate_id")),
    *(Column(name, Text) for name in ("status", "member", "dimensions")),
    Column("parts", ARRAY(BigInteger)),
)

entries = Table(
    "entries",
    metadata,
    Column("customer_id", BigInteger, primary_key=True),
    Column("credit_type_id", Integer, primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("workspace_id", Integer),
    *(Column(name, BigInteger) for name in ("amount", "balance_after", "held_amount", "held_after", "fingerprint")),
    *(Column(name, _AT) for name in ("recorded_at", "occurred_at")),
    *(
        Column(name, Integer)
        for name in ("actor_id", "feature_id", "rate_id", "hold_number", "grant_number", "reverses")
    ),
    Column("kind", SmallInteger),
    Column("hash", LargeBinary),
    Column("allocations", ARRAY(BigInteger)),
    *(Column(name, Numeric) for name in ("quantity", "exact_amount")),
    Column("event", UUID(as_uuid=True)),
    *(Column(name, Text) for name in ("key", "member", "note", "reason", "dimensions")),
)
