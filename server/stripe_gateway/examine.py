"""What `scrip doctor` finds out about Stripe. It asks, and changes nothing."""

from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal, TypeAlias

from credits.recharge.provider import ProviderRefused, ProviderUnavailable
from server.settings import Settings
from server.stripe_gateway.asking import Asker, Json, within

Said: TypeAlias = tuple[Literal["ok", "warn", "fail"], str, str]

PATIENCE_S = 15.0
SKEW_WARN = timedelta(seconds=5)
SKEW_FAIL = timedelta(seconds=60)  # beyond it, webhooks seem to come from the future


async def examine(settings: Settings, currencies: Collection[str]) -> AsyncIterator[Said]:
    """Findings: level, subject, text. `currencies` are those that bundles are sold in."""
    mode = "live: real money" if settings.stripe_is_live else "test mode: no money moves"
    yield "ok", "payments", f"Stripe, {mode}"
    if not settings.stripe_webhook_secret:
        yield (
            "warn",
            "stripe hooks",
            "SCRIP_STRIPE_WEBHOOK_SECRET is not set: what is paid is seen only when Stripe is asked, up to a minute late",
        )
    if settings.stripe_tax:
        yield "warn", "tax", "SCRIP_STRIPE_TAX is on: Checkout adds tax, recharges and the Payment Element do not"
    asker = Asker(settings.stripe_secret_key, settings.stripe_api_base or None, patience_s=PATIENCE_S)
    try:
        async with within(2 * PATIENCE_S):
            async for said in _asked(asker, settings, currencies):
                yield said
    except ProviderUnavailable as error:
        yield "fail", "stripe", f"cannot be asked: {error}: check the network and SCRIP_STRIPE_SECRET_KEY"
    except ProviderRefused as error:
        yield "fail", "stripe", f"refuses: {error}"
    finally:
        await asker.close()


async def _asked(asker: Asker, settings: Settings, currencies: Collection[str]) -> AsyncIterator[Said]:
    asked_at = datetime.now(UTC)
    balance, date = await asker.balance()
    middle = asked_at + (datetime.now(UTC) - asked_at) / 2
    if bool(balance["livemode"]) != settings.stripe_is_live:
        yield "fail", "stripe", "answers in another mode than the key says"
    account = await _account(asker)
    yield _of_account(account)
    if account is not None and currencies:
        yield await _of_currencies(asker, account, currencies)
    if date is not None:
        yield _of_clock(parsedate_to_datetime(date) + timedelta(milliseconds=500) - middle)  # whole seconds, cut


async def _account(asker: Asker) -> Json | None:
    """None where a restricted key may not read it."""
    try:
        return await asker.ask(asker.v1.accounts.retrieve_current_async)
    except (ProviderRefused, ProviderUnavailable):
        return None


def _of_account(account: Json | None) -> Said:
    if account is None:
        return "ok", "stripe", "answers; this key may not read the account itself"
    if not account.get("charges_enabled"):
        return "fail", "stripe", f"account {account['id']} may not take payments yet: finish its setup at Stripe"
    return "ok", "stripe", f"account {account['id']} in {account.get('country')}, takes payments"


async def _of_currencies(asker: Asker, account: Json, currencies: Collection[str]) -> Said:
    """Which of the currencies customers of that country's accounts may pay in."""
    country = str(account.get("country") or "")
    try:
        spec = await asker.find(lambda: asker.v1.country_specs.retrieve_async(country))
    except ProviderRefused:  # a restricted key
        return (
            "ok",
            "currencies",
            f"{', '.join(sorted(currencies))}; this key may not ask whether the account takes them",
        )
    known = {str(code).upper() for code in (spec or {}).get("supported_payment_currencies") or []}
    missing = sorted(set(currencies) - known) if known else []
    if missing:
        return "fail", "currencies", f"bundles are sold in {', '.join(missing)}, which this account cannot take"
    return "ok", "currencies", ", ".join(sorted(currencies))


def _of_clock(skew: timedelta) -> Said:
    level: Literal["ok", "warn", "fail"] = "ok"
    if abs(skew) > SKEW_WARN:
        level = "warn" if abs(skew) <= SKEW_FAIL else "fail"
    advice = "" if level == "ok" else ": webhooks are judged by this machine's clock; run NTP"
    return level, "stripe clock", f"{skew.total_seconds():+.1f} s between Stripe and us{advice}"
