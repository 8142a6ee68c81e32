"""Policies and spend limits for ordinary queries. Columns and CHECKs: credits/migrations/versions/0001 and 0004."""

from sqlalchemy import BigInteger, Column, DateTime, Integer, SmallInteger, Table, Text

from credits.db import metadata

policies = Table(
    "policies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("workspace_id", Integer),
    Column("customer_id", BigInteger),
    *(Column(name, Integer) for name in ("feature_id", "credit_type_id", "updated_by")),
    *(Column(name, Text) for name in ("mode", "failure_policy")),
    Column("rollout_percent", SmallInteger),
    Column("overdraft_limit", BigInteger),
    Column("updated_at", DateTime(timezone=True)),
)

spend_limits = Table(
    "spend_limits",
    metadata,
    Column("customer_id", BigInteger, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=True),
    *(Column(name, Integer) for name in ("workspace_id", "credit_type_id", "feature_id")),
    Column("amount", BigInteger),
    *(Column(name, Text) for name in ("window_kind", "member", "group_name")),
    *(Column(name, DateTime(timezone=True)) for name in ("counted_from", "created_at")),
)

limit_windows = Table(
    "limit_windows",
    metadata,
    Column("customer_id", BigInteger, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("starts_at", DateTime(timezone=True), primary_key=True),
    Column("workspace_id", Integer),
    Column("used", BigInteger),
)
