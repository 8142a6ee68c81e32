"""What finance asks: how much was sold, earned, lost and paid back."""

import re
from datetime import date
from typing import Annotated

import strawberry

from credits import bounds
from credits.revenue import reports
from schema.errors import bad_request
from schema.permission import allow, staff
from schema.types.enums import Interval
from schema.types.ledger import Info
from schema.types.revenue import JournalLine, RevenueReport

_FINANCE = allow(staff("FINANCE"))
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)

From = Annotated[date, strawberry.argument(name="from")]


@strawberry.type
class RevenueQueries:
    @strawberry.field(
        description=(
            "Days of [from, to), in UTC, cut by weeks (Monday) or months where asked; HOUR is refused. Where several "
            "currencies have rows, one must be named; `revenueByCurrency` answers with all of them."
        ),
        metadata=_FINANCE,
    )
    async def revenue(
        self,
        info: Info,
        *,
        from_: From,
        to: date,
        interval: Interval = Interval.MONTH,
        credit_type: str | None = None,
        currency: str | None = None,
    ) -> RevenueReport:
        if currency is not None and not _CURRENCY.fullmatch(currency):
            raise bad_request("currency: must be three capital letters such as USD")
        found = await _reports(info, (from_, to), interval, credit_type, currency)
        if len(found) > 1:
            named = ", ".join(report.currency for report in found)
            raise bad_request(f"currency: there are {named}: name one, or ask revenueByCurrency")
        return found[0] if found else RevenueReport(currency=currency or reports.NO_CURRENCY, rows=[])

    @strawberry.field(description="As `revenue`, one report for each currency that has rows.", metadata=_FINANCE)
    async def revenue_by_currency(
        self,
        info: Info,
        *,
        from_: From,
        to: date,
        interval: Interval = Interval.MONTH,
        credit_type: str | None = None,
    ) -> list[RevenueReport]:
        return await _reports(info, (from_, to), interval, credit_type, None)

    @strawberry.field(
        description=(
            "The double-entry journal of [from, to), days in UTC, in the order in which entries were recorded. Debits are "
            f"credits for each entry and currency. At most {bounds.JOURNAL_LINES_MAX} lines; `scrip revenue export "
            "--journal` has no such bound."
        ),
        metadata=_FINANCE,
    )
    async def journal(self, info: Info, *, from_: From, to: date) -> list[JournalLine]:
        async with info.context.page() as page:
            try:
                found = await reports.read_journal(page, reports.span_of(from_, to), bounds.JOURNAL_LINES_MAX)
            except ValueError as error:
                raise bad_request(str(error)) from None
        return [JournalLine.from_value(posting) for posting in found]


async def _reports(
    info: Info, days: tuple[date, date], interval: Interval, credit_type: str | None, currency: str | None
) -> list[RevenueReport]:
    async with info.context.page() as page:
        known = None if credit_type is None else page.catalog.credit_type_by_key(credit_type)
        if credit_type is not None and known is None:
            raise bad_request(f"creditType: no credit type {credit_type!r} in the catalog")
        try:
            found = await reports.read_reports(
                page, reports.span_of(*days), interval.value, None if known is None else known.id, currency
            )
        except ValueError as error:
            raise bad_request(str(error)) from None
    return [RevenueReport.from_value(info, report) for report in found]
