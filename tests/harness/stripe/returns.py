"""Money on its way back: refunds, which we ask for, and disputes, which the card's owner opens at their bank."""

from tests.harness.stripe import charging
from tests.harness.stripe.amounts import checked
from tests.harness.stripe.book import Book, Json
from tests.harness.stripe.forms import choice, metadata, whole
from tests.harness.stripe.problems import Problem, invalid

REASONS = ("duplicate", "fraudulent", "requested_by_customer")
TAKEN_BACK = {"failed", "canceled"}  # refunds that did not happen after all
DISPUTE_FEE = 1500


def refund(book: Book, form: Json) -> Json:
    """Of a charge, or of the charge of an intent; all that is left of it where no amount is said."""
    charge = _charge(book, form)
    if form.get("reason"):
        choice(form, "reason", REASONS)
    left = charge["amount_captured"] - charge["amount_refunded"]
    if charge["disputed"] and not _refundable(book, charge):
        raise _state(f"Charge {charge['id']} has been charged back; cannot issue a refund.", "charge_disputed")
    if left == 0:
        raise _state(f"Charge {charge['id']} has already been refunded.", "charge_already_refunded")
    amount = checked(whole(form, "amount", left), charge["currency"], minimum=False)
    if amount > left:
        said = _money(amount, charge["currency"]), _money(left, charge["currency"])
        message = f"Refund amount ({said[0]}) is greater than unrefunded amount on charge ({said[1]})"
        if charge["amount_refunded"] == 0:
            message = f"Refund amount ({said[0]}) is greater than charge amount ({said[1]})"
        raise invalid(message, param="amount", code="amount_too_large", stored=True)
    return make_refund(book, charge, amount, form)


def make_refund(book: Book, charge: Json, amount: int, form: Json, *, status: str = "succeeded") -> Json:
    pending = status == "pending" or book.refunds_wait
    item: Json = book.base("refund", "re") | {
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "currency": charge["currency"],
        "destination_details": {"type": "card", "card": {"type": "refund", "reference_status": "pending"}},
        "metadata": metadata(form),
        "payment_intent": charge["payment_intent"],
        "pending_reason": "processing" if pending else None,
        "reason": form.get("reason") or None,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if pending else "succeeded",
        "transfer_reversal": None,
    }
    del item["livemode"]
    book.add("refund", item)
    item["balance_transaction"] = charging.move(book, "refund", -amount, item, currency=charge["currency"])
    _counted(charge, amount)
    book.emit("refund.created", item)
    book.emit("charge.refunded", charge)
    return item


def end_refund(book: Book, refund: str, status: str, reason: str = "lost_or_stolen_card") -> Json:
    """`succeeded`, `failed` or `canceled`: a refund may fail after it had succeeded, then the money is back with us."""
    item = book.get("refund", refund)
    before = item["status"]
    if before in TAKEN_BACK:
        raise invalid(f"This refund is {before} already.", stored=True)
    item |= {"status": status, "pending_reason": None}
    if status in TAKEN_BACK:
        charge = book.objects[item["charge"]]
        line = charging.move(book, "refund_failure", item["amount"], item, currency=item["currency"])
        item |= {"failure_balance_transaction": line, "failure_reason": reason if status == "failed" else None}
        _counted(charge, -item["amount"])
        book.emit("charge.updated", charge)
    book.emit("refund.updated", item, status=before)
    if status == "failed":
        book.emit("refund.failed", item)
    return item


def cancel_refund(book: Book, _form: Json, refund: str) -> Json:
    item = book.get("refund", refund, param="refund")
    if item["status"] != "pending":
        raise invalid(f"Refund {refund} cannot be canceled: it is {item['status']}.", stored=True)
    return end_refund(book, refund, "canceled")


def update(book: Book, form: Json, refund: str) -> Json:
    item = book.get("refund", refund, param="refund")
    item["metadata"] = metadata(form, item["metadata"])
    book.emit("refund.updated", item)
    return item


def dispute(book: Book, charge: str, *, amount: int | None = None, reason: str = "fraudulent") -> Json:
    """Opened by the card's owner: the money is gone until it is won."""
    disputed = book.get("charge", charge)
    if not disputed["paid"]:
        raise invalid("What was not paid cannot be disputed.")
    item = book.base("dispute", "du") | {
        "amount": amount or disputed["amount"],
        "balance_transactions": [],
        "charge": charge,
        "currency": disputed["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {},
        "evidence_details": {
            "due_by": book.clock.now() + 7 * 86400,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "metadata": {},
        "network_reason_code": "10.4",
        "payment_intent": disputed["payment_intent"],
        "payment_method_details": {
            "type": "card",
            "card": {"brand": "visa", "case_type": "chargeback", "network_reason_code": "10.4"},
        },
        "reason": reason,
        "status": "needs_response",
    }
    book.add("dispute", item)
    disputed["disputed"] = True
    book.emit("charge.dispute.created", item)
    _move(book, item, -item["amount"], DISPUTE_FEE)
    book.emit("charge.dispute.funds_withdrawn", item)
    return item


def submit(book: Book, form: Json, dispute: str) -> Json:
    """Evidence given."""
    item = _undecided(book, dispute)
    item["metadata"] = metadata(form, item["metadata"])
    if form.get("evidence"):
        item["evidence"] |= form["evidence"]
        item["evidence_details"] |= {"has_evidence": True, "submission_count": 1}
        item["status"] = "under_review"
    book.emit("charge.dispute.updated", item)
    return item


def close_dispute(book: Book, dispute: str, *, won: bool) -> Json:
    """The bank's decision. The money comes back when it is won."""
    item = _undecided(book, dispute)
    item["status"] = "won" if won else "lost"
    if won:
        _move(book, item, item["amount"], 0)
        book.emit("charge.dispute.funds_reinstated", item)
    book.emit("charge.dispute.closed", item)
    return item


def concede(book: Book, _form: Json, dispute: str) -> Json:
    """We do not fight it."""
    return close_dispute(book, dispute, won=False)


def _move(book: Book, item: Json, amount: int, fee: int) -> None:
    line = charging.move(book, "adjustment", amount, item, currency=item["currency"], fee=fee)
    item["balance_transactions"].append(dict(book.objects[line]))


def _undecided(book: Book, dispute: str) -> Json:
    item = book.get("dispute", dispute, param="dispute")
    if item["status"] in {"won", "lost"}:
        raise invalid(f"This dispute is already closed: {item['status']}.", stored=True)
    return item


def _charge(book: Book, form: Json) -> Json:
    if form.get("charge") and form.get("payment_intent"):
        raise invalid("You may only specify one of these parameters: charge, payment_intent.", param="charge")
    if form.get("charge"):
        charge = book.get("charge", form["charge"], param="charge")
    elif form.get("payment_intent"):
        intent = book.get("payment_intent", form["payment_intent"], param="payment_intent")
        if intent["status"] != "succeeded":
            message = "This PaymentIntent does not have a successful charge to refund."
            raise _state(message, "payment_intent_unexpected_state")
        charge = book.objects[intent["latest_charge"]]
    else:
        raise invalid("One of the following params should be provided: payment_intent or charge.")
    if not charge["paid"]:
        raise _state(f"Charge {charge['id']} was not paid.", "charge_not_refundable")
    return charge


def _refundable(book: Book, charge: Json) -> bool:
    return all(item["status"] == "won" for item in book.kinds["dispute"] if item["charge"] == charge["id"])


def _counted(charge: Json, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]


def _money(amount: int, currency: str) -> str:
    return f"{amount} {currency}"


def _state(message: str, code: str) -> Problem:
    return invalid(message, code=code, stored=True)
