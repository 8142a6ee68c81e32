"""`/metrics`: what operators watch, for Prometheus. One process's own figures."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.responses import Response

REGISTRY = CollectorRegistry()

ENTRIES = Counter("scrip_entries_total", "Ledger entries written", registry=REGISTRY)
BATCHES = Counter("scrip_batches_total", "Database transactions of the writer", registry=REGISTRY)
BATCH_SIZE = Histogram(
    "scrip_batch_commands", "Commands per batch", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000), registry=REGISTRY
)
SUBSCRIBERS = Gauge("scrip_subscribers", "Open subscriptions", registry=REGISTRY)
RECONCILIATION_PROBLEMS = Gauge(
    "scrip_reconciliation_problems",
    "Mismatches, broken chains and unaccounted events of every workspace's last reconciliation; must stay zero",
    registry=REGISTRY,
)
WEBHOOKS_SENT = Counter("scrip_webhooks_sent_total", "Webhooks that were taken by their receiver", registry=REGISTRY)
WEBHOOKS_FAILED = Counter("scrip_webhooks_failed_total", "Attempts at webhooks that were not taken", registry=REGISTRY)
WEBHOOKS_OLDEST_WAITING_S = Gauge(
    "scrip_webhooks_oldest_waiting_seconds",
    "How long the oldest webhook has waited for its receiver, of every workspace",
    registry=REGISTRY,
)
DISK_FREE_BYTES = Gauge("scrip_disk_free_bytes", "Free bytes under the embedded database", registry=REGISTRY)

STRIPE_WEBHOOKS = Counter(
    "scrip_stripe_webhooks_total", "Webhooks of Stripe, by what came of them", ["outcome"], registry=REGISTRY
)
PAYMENTS_RECONCILED_AGE_S = Gauge(
    "scrip_payments_reconciled_age_seconds",
    "Since payments were last reconciled with their providers by this process; alarm above a few minutes",
    registry=REGISTRY,
)
TOP_UPS_OPEN = Gauge("scrip_top_ups_open", "Top-ups of every workspace that nobody has paid yet", registry=REGISTRY)


def note_batch(commands: int, entries: int) -> None:
    """The writer's word after each commit."""
    BATCHES.inc()
    BATCH_SIZE.observe(commands)
    ENTRIES.inc(entries)


async def route(_: object) -> Response:
    return Response(generate_latest(REGISTRY), media_type="text/plain; version=0.0.4")
