"""The tables of webhooks for ordinary queries. Columns, CHECKs and reasons: credits/migrations/versions/0009_webhooks.sql."""

from sqlalchemy import ARRAY, BigInteger, Boolean, Column, DateTime, Integer, LargeBinary, Table, Text, Uuid

from credits.db import metadata

_AT = DateTime(timezone=True)

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("workspace_id", Integer),
    Column("events", ARRAY(Text)),
    Column("enabled", Boolean),
    Column("failures", Integer),
    *(Column(name, Text) for name in ("url", "disabled_because")),
    *(Column(name, LargeBinary) for name in ("salt", "previous_salt")),
    *(Column(name, _AT) for name in ("rotated_at", "failing_since", "last_delivery_at", "created_at")),
)

webhook_messages = Table(
    "webhook_messages",
    metadata,
    Column("customer_id", BigInteger, primary_key=True),
    Column("key", Uuid, primary_key=True),
    Column("created_at", _AT),
    Column("workspace_id", Integer),
    *(Column(name, Text) for name in ("type", "body")),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    *(Column(name, BigInteger, primary_key=True) for name in ("customer_id", "id")),
    Column("message", Uuid),
    *(Column(name, _AT) for name in ("created_at", "attempted_at", "next_at", "closed_at")),
    *(Column(name, Integer) for name in ("workspace_id", "endpoint_id", "attempts", "step", "response_code")),
    *(Column(name, Text) for name in ("status", "error")),
)
