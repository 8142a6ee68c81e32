"""Recharge rules: one for a customer and credit type. What may be said, set, and read. What it does: `firing.py`."""

from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.dialects.postgresql import insert

from credits import ids
from credits.amount import INT64_MAX, MICRO, decimals, plain_micro, to_micro
from credits.audit.log import record
from credits.catalog.currencies import from_minor, to_minor
from credits.catalog.values import Bundle, Catalog, CreditType
from credits.customers.customers import Customer, lock_customer
from credits.db import Runs, bare
from credits.errors import InvalidInput, NotFound
from credits.posting.reader import Page
from credits.recharge import statements
from credits.recharge.orders import sale_of
from credits.recharge.tables import recharge_rules


@dataclass(frozen=True, slots=True)
class Rule:
    """`threshold` and `target` in micro-credits, `cap` in the smallest unit of `currency` for a calendar month of the
    customer's timezone. `failures` are those in a row; it buys nothing before `try_at` (the back-off after the last of them)
    nor before `capped_until` (the cap left no room), nor while it is suspended."""

    customer_id: int
    credit_type_id: int
    bundle_id: int
    enabled: bool
    threshold: int
    target: int | None
    cap: int
    currency: str
    failures: int
    try_at: datetime | None
    capped_until: datetime | None
    suspended_at: datetime | None
    suspended_reason: str | None
    changed_at: datetime
    version: int
    actor_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleWish:
    """What somebody wants of a rule. Amounts of credits and money as they were written."""

    credit_type: str
    enabled: bool
    threshold: Decimal
    bundle: str
    target: Decimal | None
    cap_amount: Decimal
    cap_currency: str


async def set_rule(
    page: Page, customer: Customer, wish: RuleWish, *, actor_id: int | None
) -> Rule | InvalidInput | NotFound:
    """Makes the customer's rule for that credit type, or changes it. What attempts that failed have done to it (rest,
    suspension) stays: another wish makes no better card. Whatever else kept it from buying is looked at anew.

    A bundle that is archived may stay what it is, and may not become it.
    """
    credit_type = page.catalog.credit_type_by_key(wish.credit_type)
    if credit_type is None:
        return NotFound(f"no credit type {wish.credit_type!r} in the catalog")
    if await lock_customer(page.connection, customer.id) is None:
        return NotFound(f"no customer {customer.key!r}")
    now = page.workspace.now
    before = await read_rule(await bare(page.connection), customer.id, credit_type.id)
    found = _bundle(page.catalog, credit_type, wish, None if before is None else before.bundle_id)
    if not isinstance(found, Bundle):
        return found
    problem = _form(credit_type, found, wish)
    if problem:
        return problem
    values: dict[str, Any] = {
        "bundle_id": found.id,
        "enabled": wish.enabled,
        "threshold": to_micro(wish.threshold),
        "target": None if wish.target is None else to_micro(wish.target),
        "cap": to_minor(wish.cap_amount, wish.cap_currency),
        "currency": wish.cap_currency,
        "capped_until": None,
        "changed_at": now,
        "actor_id": actor_id,
        "version": 1 if before is None else before.version + 1,
    }
    if before is not None and before.failures == 0:  # then it is suspended for what may be otherwise now
        values |= {"suspended_at": None, "suspended_reason": None}
    key = {"customer_id": customer.id, "credit_type_id": credit_type.id, "workspace_id": page.workspace.id}
    row = await page.connection.execute(
        insert(recharge_rules)
        .values(**key, failures=0, **values)
        .on_conflict_do_update(index_elements=["customer_id", "credit_type_id"], set_=values)
        .returning(recharge_rules)
    )
    rule = rule_of(row.mappings().one())
    was, told = (None if each is None else _told(each, page.catalog) for each in (before, rule))
    if was != told:
        subject = ids.make("cus", customer.id)
        await record(page.connection, actor_id, "recharge.set", subject, before=was, after=told)
    return rule


async def read_rule(runs: Runs, customer_id: int, credit_type_id: int) -> Rule | None:
    """The rule; None where there never was one."""
    row = await runs.fetchrow(statements.READ_RULE, customer_id, credit_type_id)
    return None if row is None else rule_of(row)


async def store_suffered(runs: Runs, rule: Rule) -> None:
    """Writes what became of the rule by its attempts, under the customer's lock."""
    suffered = (rule.failures, rule.try_at, rule.capped_until, rule.suspended_at, rule.suspended_reason)
    await runs.execute(statements.SUFFER, rule.customer_id, rule.credit_type_id, *suffered)


def rule_of(row: Any) -> Rule:
    """From a row of its table, whose columns have these names."""
    return Rule(**{each.name: row[each.name] for each in fields(Rule)})


def _bundle(
    catalog: Catalog, credit_type: CreditType, wish: RuleWish, kept: int | None
) -> Bundle | InvalidInput | NotFound:
    found = catalog.bundle_by_key(wish.bundle)
    if found is None or (found not in catalog.on_sale() and found.id != kept):
        return NotFound(f"no bundle {wish.bundle!r} on sale")
    if found.credit_type_id != credit_type.id:
        return InvalidInput(f"{found.key!r} is of another credit type than {credit_type.key!r}", field="bundle")
    sale = sale_of(found, 1)
    return sale if isinstance(sale, InvalidInput) else found


def _form(credit_type: CreditType, bundle: Bundle, wish: RuleWish) -> InvalidInput | None:
    for name, amount in (("threshold", wish.threshold), ("target", wish.target)):
        if amount is None:
            continue
        if amount < 0 or (name == "target" and amount <= wish.threshold):
            told = "must be more than the threshold" if name == "target" else "must not be negative"
            return InvalidInput(told, field=name)
        if decimals(amount) > credit_type.scale:
            return InvalidInput(f"{credit_type.key!r} has {credit_type.scale} decimals", field=name)
        if amount * MICRO > INT64_MAX:
            return InvalidInput("is beyond 64 bits of micro-credits", field=name)
    if wish.cap_currency != bundle.currency:
        told = f"must be {bundle.currency}, which the bundle is sold in"
        return InvalidInput(told, field="monthlyCap.currency")
    cap = to_minor(wish.cap_amount, wish.cap_currency)
    if cap is None or cap > INT64_MAX:
        return InvalidInput(f"is no amount of {wish.cap_currency} that can be paid", field="monthlyCap.amount")
    if wish.cap_amount < bundle.price:
        return InvalidInput("must leave room for one bundle", field="monthlyCap.amount")
    return None


def _told(rule: Rule, catalog: Catalog) -> dict[str, Any]:
    """The rule as the audit log has it."""
    bundle = next((each.key for each in catalog.bundles if each.id == rule.bundle_id), None)
    credit_type = catalog.credit_type(rule.credit_type_id)
    return {
        "creditType": None if credit_type is None else credit_type.key,
        "enabled": rule.enabled,
        "threshold": plain_micro(rule.threshold),
        "bundle": bundle,
        "target": None if rule.target is None else plain_micro(rule.target),
        "monthlyCap": f"{from_minor(rule.cap, rule.currency)} {rule.currency}",
    }
