"""What became of the money that was paid for credits: roll-forwards, and the journal."""

from datetime import date
from decimal import Decimal

import strawberry

from credits.catalog.currencies import from_minor
from credits.revenue import journal, reports
from schema.types.catalog import CreditType
from schema.types.ledger import Info, LedgerEntry


@strawberry.type(
    description=(
        "Roll-forward of one period: opening + sold - recognized - breakage - refunded = closing, to the cent. `opening` "
        "and `closing` are what is deferred. `recognized` is net of what was paid back after it was earned."
    )
)
class RevenueRow:
    start: date
    end: date = strawberry.field(description="Not part of the period: days are UTC, [start, end).")
    credit_type: CreditType
    opening: Decimal
    sold: Decimal
    recognized: Decimal
    breakage: Decimal
    refunded: Decimal
    closing: Decimal


@strawberry.type(
    description="Rows by period, then credit type; none for a credit type of which nothing was sold until then."
)
class RevenueReport:
    currency: str = strawberry.field(description="ISO 4217; XXX where there is no money.")
    rows: list[RevenueRow]

    @staticmethod
    def from_value(info: Info, of: reports.Report) -> "RevenueReport":
        catalog = info.context.catalog
        return RevenueReport(
            currency=of.currency,
            rows=[
                RevenueRow(
                    start=row.span.start,
                    end=row.span.end,
                    credit_type=CreditType.of(catalog, row.credit_type_id),
                    **{
                        name: from_minor(getattr(row, name), of.currency)
                        for name in ("opening", "sold", "recognized", "breakage", "refunded", "closing")
                    },
                )
                for row in of.rows
            ],
        )


@strawberry.type(
    description=(
        "One side of a posting; the other is zero. Accounts: cash, clearing (sold by the host, by its word), deferred "
        "revenue, revenue, refunds, breakage."
    )
)
class JournalLine:
    of: strawberry.Private[journal.Posting]
    date: date
    account: str
    debit: Decimal
    credit: Decimal
    currency: str
    memo: str

    @strawberry.field(
        description="Where it comes from; null for money that moved no credits, and for an expiry about to be booked."
    )
    async def entry(self, info: Info) -> LedgerEntry | None:
        found = None if self.of.entry is None else await info.context.loaders.entries.load(self.of.entry)
        return None if found is None else LedgerEntry.from_value(found)

    @staticmethod
    def from_value(of: journal.Posting) -> "JournalLine":
        return JournalLine(
            of=of,
            date=of.date,
            account=of.account,
            debit=from_minor(of.debit, of.currency),
            credit=from_minor(of.credit, of.currency),
            currency=of.currency,
            memo=of.memo,
        )
