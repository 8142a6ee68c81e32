"""The tables of disputes for ordinary queries. Columns, CHECKs and reasons: credits/migrations/versions/0007_disputes.sql."""

from sqlalchemy import ARRAY, BigInteger, Boolean, Column, DateTime, Integer, Table, Text

from credits.db import metadata

_AT = DateTime(timezone=True)

disputes = Table(
    "disputes",
    metadata,
    Column("customer_id", BigInteger, primary_key=True),
    Column("number", Integer, primary_key=True),
    *(Column(name, BigInteger) for name in ("amount", "given_back", "fingerprint")),
    *(Column(name, _AT) for name in ("opened_at", "due_at", "changed_at", "resolved_at")),
    *(Column(name, Integer) for name in ("workspace_id", "version", "credit_type_id", "opened_by", "assignee")),
    Column("sequences", ARRAY(Integer)),
    *(Column(name, Text) for name in ("status", "reason", "resolution", "key")),
)

dispute_entries = Table(
    "dispute_entries",
    metadata,
    Column("customer_id", BigInteger, primary_key=True),
    *(Column(name, Integer, primary_key=True) for name in ("credit_type_id", "sequence", "number")),
    Column("workspace_id", Integer),
    Column("open", Boolean),
)

dispute_events = Table(
    "dispute_events",
    metadata,
    Column("customer_id", BigInteger, primary_key=True),
    *(Column(name, Integer, primary_key=True) for name in ("number", "position")),
    *(Column(name, Integer) for name in ("workspace_id", "actor_id")),
    Column("at", _AT),
    *(Column(name, Text) for name in ("action", "note")),
)
