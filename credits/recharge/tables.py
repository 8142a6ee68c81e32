"""The tables of top-ups and recharge for ordinary queries. Columns, CHECKs and reasons: credits/migrations/versions/0008_payments.sql."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, Table, Text

from credits.db import metadata

_AT = DateTime(timezone=True)

top_ups = Table(
    "top_ups",
    metadata,
    Column("customer_id", BigInteger, primary_key=True),
    Column("number", Integer, primary_key=True),
    *(Column(name, BigInteger) for name in ("credits", "price", "paid", "paid_back", "clawed_back", "fingerprint")),
    *(Column(name, _AT) for name in ("created_at", "changed_at", "settled_at", "asked_at", "look_at")),
    *(Column(name, Integer) for name in ("workspace_id", "credit_type_id", "bundle_id", "quantity", "priority")),
    *(Column(name, Integer) for name in ("version", "grant_number", "actor_id")),
    Column("automatic", Boolean),
    *(
        Column(name, Text)
        for name in ("currency", "expires_after", "status", "provider", "mode", "return_url", "method")
    ),
    *(Column(name, Text) for name in ("session", "payment", "checkout_url", "client_secret", "receipt_url")),
    *(Column(name, Text) for name in ("failure", "decline_code", "key")),
)

paybacks = Table(
    "paybacks",
    metadata,
    Column("customer_id", BigInteger, primary_key=True),
    *(Column(name, Integer, primary_key=True) for name in ("top_up", "number")),
    *(Column(name, BigInteger) for name in ("amount", "counted", "minor", "credits", "fingerprint")),
    *(Column(name, _AT) for name in ("created_at", "settled_at")),
    *(Column(name, Integer) for name in ("workspace_id", "sequence", "undone_by", "actor_id")),
    *(Column(name, Text) for name in ("kind", "status", "provider_id", "reason", "note", "key")),
)

payment_customers = Table(
    "payment_customers",
    metadata,
    Column("customer_id", BigInteger, primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("workspace_id", Integer),
    Column("provider_id", Text),
)

payment_methods = Table(
    "payment_methods",
    metadata,
    Column("customer_id", BigInteger, primary_key=True),
    *(Column(name, Text, primary_key=True) for name in ("provider", "provider_id")),
    Column("workspace_id", Integer),
    *(Column(name, Text) for name in ("label", "expires")),
    Column("is_default", Boolean),
    Column("saved_at", _AT),
)

recharge_rules = Table(
    "recharge_rules",
    metadata,
    Column("customer_id", BigInteger, primary_key=True),
    Column("credit_type_id", Integer, primary_key=True),
    *(Column(name, BigInteger) for name in ("threshold", "target", "cap")),
    *(Column(name, _AT) for name in ("changed_at", "try_at", "capped_until", "suspended_at")),
    *(Column(name, Integer) for name in ("workspace_id", "bundle_id", "failures", "version", "actor_id")),
    Column("enabled", Boolean),
    *(Column(name, Text) for name in ("currency", "suspended_reason")),
)

payment_events = Table(
    "payment_events",
    metadata,
    Column("workspace_id", Integer, primary_key=True),
    *(Column(name, Text, primary_key=True) for name in ("provider", "id")),
    Column("type", Text),
    Column("received_at", _AT),
)

payment_issues = Table(
    "payment_issues",
    metadata,
    Column("workspace_id", Integer, primary_key=True),
    Column("id", BigInteger, primary_key=True),
    Column("customer_id", BigInteger),
    *(Column(name, Integer) for name in ("top_up", "resolved_by")),
    *(Column(name, _AT) for name in ("at", "resolved_at")),
    *(Column(name, Text) for name in ("kind", "message", "event", "expected", "actual", "note")),
)

payment_cursors = Table(
    "payment_cursors",
    metadata,
    Column("workspace_id", Integer, primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("cursor", Text),
    Column("read_at", _AT),
)
