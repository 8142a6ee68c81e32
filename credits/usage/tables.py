"""The table of usage events for ordinary queries. Columns and reasons: credits/migrations/versions/0001_foundation.sql."""

from sqlalchemy import ARRAY, BigInteger, Column, DateTime, Integer, SmallInteger, Table, Text
from sqlalchemy.dialects.postgresql import JSON, UUID

from credits.db import metadata

_AT = DateTime(timezone=True)

usage_events = Table(
    "usage_events",
    metadata,
    Column("workspace_id", Integer, primary_key=True),
    Column("key", UUID(as_uuid=True), primary_key=True),
    Column("customer_id", BigInteger),
    *(Column(name, _AT) for name in ("received_at", "occurred_at", "resolved_at")),
    Column("content", BigInteger),
    *(Column(name, SmallInteger) for name in ("outcome", "attempts")),
    *(Column(name, Text) for name in ("source", "event_id", "type", "subject", "message")),
    Column("data", JSON),
    Column("entries", ARRAY(Integer)),
)
