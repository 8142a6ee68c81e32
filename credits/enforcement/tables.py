"""The policies' table for ordinary queries. Columns and CHECKs: credits/migrations/versions/0001_foundation.sql."""

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
