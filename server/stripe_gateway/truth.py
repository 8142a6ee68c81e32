"""What Stripe's objects say of an order's money. PURE.

Decided here, each with its reason:

- A checkout session is paid when it says so itself (`payment_status`): a method that takes days leaves it complete and
  unpaid. Without a session the payment intent is the truth.
- A refund counts from the moment that Stripe has it (`pending`, `requires_action`, `succeeded`): the money is committed,
  and credits left for days would be spent meanwhile. `failed` and `canceled` undo it.
- A payment dispute counts while the bank has the money: from its opening until it is won, an appeal included. An inquiry
  (`warning_…`) moves no money and waits. What is `prevented`, or new to us, is judged by what moved on our balance.
- A discount that we never gave counts against the subtotal, so that the amount does not fit and nobody is credited.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

from credits.recharge.provider import Method, Mode, Payback, PaybackState, Payment, PaymentState

Json: TypeAlias = dict[str, Any]

TOP_UP, WORKSPACE, CUSTOMER, REFUND = "scrip_top_up", "scrip_workspace", "scrip_customer", "scrip_refund"

AUTHENTICATE = "Your bank asks you to confirm this payment."
DECLINED = "The payment was declined. Try another payment method."
_SENTENCE_MAX = 300

_REFUND: dict[str, PaybackState] = {
    "pending": "DONE",
    "requires_action": "DONE",
    "succeeded": "DONE",
    "failed": "FAILED",
    "canceled": "FAILED",
}
_DISPUTE: dict[str, PaybackState] = {
    "warning_needs_response": "PENDING",
    "warning_under_review": "PENDING",
    "warning_closed": "FAILED",
    "needs_response": "DONE",
    "under_review": "DONE",
    "lost": "DONE",
    "appeal_needs_response": "DONE",
    "appeal_under_review": "DONE",
    "won": "FAILED",
}


def payment_of(
    mode: Mode,
    session: Json | None,
    intent: Json | None,
    refunds: Sequence[Json] = (),
    disputes: Sequence[Json] = (),
) -> Payment:
    """All that is known of the order's money. At least one of `session` and `intent` is there; `intent` has its
    `latest_charge` expanded."""
    known: Json = session or intent or {}
    state = _session_state(session, intent) if session else _intent_state(mode, intent or {})
    failure, decline_code = (None, None) if state == "SUCCEEDED" else failure_of(intent)
    metadata = {**((intent or {}).get("metadata") or {}), **((session or {}).get("metadata") or {})}
    charge = _object((intent or {}).get("latest_charge")) or {}
    secret = (intent or {}).get("client_secret")
    wanted = mode != "HOSTED" and state in ("PENDING", "REQUIRES_ACTION")
    return Payment(
        state=state,
        order_id=metadata.get(TOP_UP),
        subtotal=_subtotal(session, intent),
        paid=_paid(session, intent) if state == "SUCCEEDED" else None,
        currency=str(known["currency"]).upper() if known.get("currency") else None,
        payer_id=identity((session or {}).get("customer")) or identity((intent or {}).get("customer")),
        live=bool(known.get("livemode")),
        session=session["id"] if session else None,
        payment=intent["id"] if intent else None,
        checkout_url=session.get("url") if session and state == "PENDING" else None,
        client_secret=secret if wanted else None,
        receipt_url=charge.get("receipt_url") if state == "SUCCEEDED" else None,
        failure=failure,
        decline_code=decline_code,
        paybacks=(*map(_refund, refunds), *map(_dispute, disputes)),
    )


def declined(mode: Mode, error: Json, order_id: str, payer_id: str | None, *, live: bool) -> Payment:
    """What a 402 says: the payment intent in it, else the error alone."""
    intent = error.get("payment_intent")
    if isinstance(intent, dict):
        if not intent.get("last_payment_error"):
            intent = intent | {"last_payment_error": error}
        return payment_of(mode, None, intent)
    failure, code = _sentence(error)
    return Payment("FAILED", order_id, None, None, None, payer_id, live, failure=failure, decline_code=code)


def failure_of(intent: Json | None) -> tuple[str | None, str | None]:
    """A sentence for the customer, and the code of the last decline; None where nothing was declined."""
    error = (intent or {}).get("last_payment_error")
    return _sentence(error) if error else (None, None)


def identity(value: Any) -> str | None:
    """The id of what is either an id or the object."""
    if isinstance(value, dict):
        return str(value["id"])
    return value if isinstance(value, str) else None


def is_of(item: Json, order_id: str, workspace_id: int) -> bool:
    """Whether our metadata on it name this order."""
    metadata = item.get("metadata") or {}
    return bool(metadata.get(TOP_UP) == order_id and metadata.get(WORKSPACE) == str(workspace_id))


def methods_of(listed: Sequence[Json], customer: Json) -> tuple[Method, ...]:
    """Saved methods, newest first. The default is the one that the customer chose, else the newest."""
    if customer.get("deleted"):
        return ()
    # Of one second, Stripe lists the later one first.
    newest_first = sorted(listed, key=lambda method: -int(method["created"]))
    chosen = identity((customer.get("invoice_settings") or {}).get("default_payment_method"))
    if chosen not in [method["id"] for method in newest_first]:
        chosen = newest_first[0]["id"] if newest_first else None
    return tuple(
        Method(method["id"], _label(method), _expires(method), method["id"] == chosen) for method in newest_first
    )


def _session_state(session: Json, intent: Json | None) -> PaymentState:
    if session["payment_status"] in ("paid", "no_payment_required") and session["status"] == "complete":
        return "SUCCEEDED"
    if session["status"] == "expired":
        return "CANCELED"
    if session["status"] == "complete" and intent is not None:
        # Complete and unpaid: a method that takes its time, or has failed after it.
        return {"requires_payment_method": "FAILED", "canceled": "CANCELED"}.get(intent["status"], "PENDING")  # type: ignore[return-value]
    return "PENDING"


def _intent_state(mode: Mode, intent: Json) -> PaymentState:
    match intent["status"]:
        case "succeeded":
            return "SUCCEEDED"
        case "canceled":
            return "CANCELED"
        case "requires_action":
            return "REQUIRES_ACTION"
        case "requires_payment_method" if mode == "OFF_SESSION" and intent.get("last_payment_error"):
            # Off session nobody is there to try another card, but somebody may come and confirm this one.
            return "REQUIRES_ACTION" if _needs_authentication(intent["last_payment_error"]) else "FAILED"
    return "PENDING"


def _needs_authentication(error: Json) -> bool:
    return "authentication_required" in (error.get("code"), error.get("decline_code"))


def _sentence(error: Json) -> tuple[str, str | None]:
    reason = error.get("decline_code")
    code = reason if reason and reason != "generic_decline" else error.get("code")
    if _needs_authentication(error):
        return AUTHENTICATE, "authentication_required"
    # The message of a card error is written for whoever pays; that of any other is for developers.
    told = error.get("message") if error.get("type") == "card_error" else None
    return (str(told)[:_SENTENCE_MAX] if told else DECLINED), code


def _subtotal(session: Json | None, intent: Json | None) -> int | None:
    if session is not None:
        if session.get("amount_subtotal") is None:
            return None
        details = session.get("total_details") or {}
        return int(session["amount_subtotal"]) - int(details.get("amount_discount") or 0)
    return int(intent["amount"]) if intent else None


def _paid(session: Json | None, intent: Json | None) -> int | None:
    if intent is not None and intent.get("amount_received"):
        return int(intent["amount_received"])
    return int(session["amount_total"]) if session else None


def _refund(refund: Json) -> Payback:
    ours = (refund.get("metadata") or {}).get(REFUND)
    return Payback(refund["id"], "REFUND", _REFUND.get(refund["status"], "DONE"), int(refund["amount"]), ours)


def _dispute(dispute: Json) -> Payback:
    state = _DISPUTE.get(dispute["status"])
    if state is None:
        moved = sum(int(line["amount"]) for line in dispute.get("balance_transactions") or [])
        state = "DONE" if moved < 0 else "FAILED"
    return Payback(dispute["id"], "CHARGEBACK", state, int(dispute["amount"]))


def _object(value: Any) -> Json | None:
    return value if isinstance(value, dict) else None


_BRANDS = {
    "amex": "American Express",
    "cartes_bancaires": "Cartes Bancaires",
    "diners": "Diners Club",
    "discover": "Discover",
    "eftpos_au": "eftpos",
    "jcb": "JCB",
    "mastercard": "Mastercard",
    "unionpay": "UnionPay",
    "visa": "Visa",
}
_KINDS = {
    "acss_debit": "Bank account",
    "amazon_pay": "Amazon Pay",
    "au_becs_debit": "Bank account",
    "bacs_debit": "Bank account",
    "cashapp": "Cash App",
    "link": "Link",
    "paypal": "PayPal",
    "revolut_pay": "Revolut Pay",
    "sepa_debit": "SEPA Direct Debit",
    "us_bank_account": "Bank account",
}


def _label(method: Json) -> str:
    """`Visa •••• 4242`; never a name or an address of the customer."""
    kind = method["type"]
    details = method.get(kind) or {}
    if kind == "card":
        brand = details.get("display_brand") or details.get("brand") or "card"
        name = _BRANDS.get(brand, "Card")
    else:
        name = _KINDS.get(kind, str(kind).replace("_", " ").capitalize())
    last4 = details.get("last4")
    return f"{name} •••• {last4}" if last4 else name


def _expires(method: Json) -> str | None:
    card = method.get("card") or {}
    if not card.get("exp_year"):
        return None
    return f"{int(card['exp_year']):04d}-{int(card['exp_month']):02d}"
