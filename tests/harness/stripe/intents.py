"""PaymentIntents: from the wish to charge to a charge, a refusal, or an authentication that somebody has to do."""

from tests.harness.stripe import cards, charging, returns
from tests.harness.stripe.amounts import amount, checked, currency
from tests.harness.stripe.book import Book, Json
from tests.harness.stripe.forms import choice, flag, metadata, whole
from tests.harness.stripe.problems import Problem, declined, invalid

OPEN = {"requires_payment_method", "requires_confirmation", "requires_action", "requires_capture"}
CONFIRMABLE = {"requires_payment_method", "requires_confirmation", "requires_action"}
CANCELLATIONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned", "void_invoice", "automatic")


def create(book: Book, form: Json) -> Json:
    if flag(form, "off_session") and not flag(form, "confirm"):
        raise invalid("off_session can only be used with confirm=true.", param="off_session")
    code = currency(form)
    cost = amount(form, code)
    if form.get("customer"):
        book.get("customer", form["customer"], param="customer")
    if choice(form, "capture_method", ("automatic", "automatic_async", "manual"), "automatic_async") == "manual":
        raise invalid("The fake captures what it charges; capture_method=manual is not built.", param="capture_method")
    method = cards.method_of(book, form["payment_method"]) if form.get("payment_method") else None
    if method:
        _check_owner(method, form.get("customer"))
    intent = make(book, cost, code, form)
    if method:
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
    book.emit("payment_intent.created", intent)
    return confirm(book, intent, form) if flag(form, "confirm") else intent


def make(book: Book, cost: int, code: str, form: Json) -> Json:
    """A new intent, kept but not told."""
    base = book.base("payment_intent", "pi")
    automatic = {"allow_redirects": "always", "enabled": True} if "payment_method_types" not in form else None
    types = form.get("payment_method_types") or ["card", "us_bank_account", "sepa_debit"]
    intent = base | {
        "amount": cost,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": automatic,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": form.get("capture_method") or "automatic_async",
        "client_secret": f"{base['id']}_secret_{book.new_id('x')[2:]}",
        "confirmation_method": "automatic",
        "currency": code,
        "customer": form.get("customer") or None,
        "description": form.get("description") or None,
        "last_payment_error": None,
        "latest_charge": None,
        "metadata": metadata(form),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": types,
        "processing": None,
        "receipt_email": form.get("receipt_email") or None,
        "review": None,
        "setup_future_usage": form.get("setup_future_usage") or None,
        "shipping": None,
        "source": None,
        "statement_descriptor": form.get("statement_descriptor") or None,
        "statement_descriptor_suffix": form.get("statement_descriptor_suffix") or None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }
    return book.add("payment_intent", intent)


def update(book: Book, form: Json, intent: str) -> Json:
    found = book.get("payment_intent", intent, param="intent")
    if "metadata" in form:
        found["metadata"] = metadata(form, found["metadata"])
    if "amount" in form:
        if found["status"] not in CONFIRMABLE:
            raise _unexpected(found, "updated")
        found["amount"] = checked(whole(form, "amount"), found["currency"])
    for name in ("description", "receipt_email", "setup_future_usage", "customer"):
        if name in form:
            found[name] = form[name] or None
    return found


def confirm_by_id(book: Book, form: Json, intent: str) -> Json:
    return confirm(book, book.get("payment_intent", intent, param="intent"), form)


def confirm(book: Book, intent: Json, form: Json) -> Json:
    """Asks the card. Raises the refusal, a 402, after all of it has been recorded."""
    if intent["status"] not in CONFIRMABLE:
        raise _unexpected(intent, "confirmed")
    named = form.get("payment_method") or intent["payment_method"]
    if not named:
        message = "You cannot confirm this PaymentIntent because it's missing a payment method."
        raise invalid(message, code="payment_intent_unexpected_state", stored=True)
    method = cards.method_of(book, named)
    _check_owner(method, intent["customer"])
    intent["payment_method"] = method["id"]
    intent["setup_future_usage"] = form.get("setup_future_usage") or intent["setup_future_usage"]
    return charge(book, intent, method, off_session=flag(form, "off_session"), form=form)


def charge(book: Book, intent: Json, method: Json, *, off_session: bool, form: Json) -> Json:
    """What the card's behaviour makes of it."""
    behaviour = book.cards[method["id"]]
    once = behaviour == cards.AUTHENTICATES_ONCE and method["id"] not in book.authenticated
    if behaviour == cards.AUTHENTICATES or once:
        if off_session or flag(form, "error_on_requires_action"):
            raise refuse(book, intent, method, cards.refusal(behaviour))
        return _require_action(book, intent, form.get("return_url"))
    if behaviour in cards.DECLINES:
        raise refuse(book, intent, method, cards.refusal(behaviour))
    if behaviour in {cards.LATER, cards.LATER_FAILS}:
        intent |= {"status": "processing", "next_action": None, "last_payment_error": None}
        intent["latest_charge"] = charging.make(book, intent, method, "pending")["id"]
        book.emit("payment_intent.processing", intent)
        return intent
    succeed(book, intent, method)
    if behaviour == cards.DISPUTED:
        returns.dispute(book, intent["latest_charge"])
    return intent


def succeed(book: Book, intent: Json, method: Json) -> Json:
    """Charged."""
    intent["latest_charge"] = charging.make(book, intent, method, "succeeded")["id"]
    return _done(book, intent, method)


def refuse(book: Book, intent: Json, method: Json, problem: Problem) -> Problem:
    """The refusal recorded: a failed charge, an intent that waits for another card. Returns what is to be raised."""
    error = problem.body["error"]
    failed = charging.make(book, intent, method, "failed", refused=error)
    return _refused(book, intent, method, problem, failed["id"])


def finish_later(book: Book, intent: Json, *, paid: bool) -> Json:
    """The end of what was processing."""
    if intent["status"] != "processing":
        raise _unexpected(intent, "settled")
    method, pending = book.objects[intent["payment_method"]], book.objects[intent["latest_charge"]]
    if paid:
        charging.settle(book, pending, None)
        return _done(book, intent, method)
    message = "The customer's account has insufficient funds to cover this payment."
    problem = declined(message, "payment_method_customer_decline", "insufficient_funds")
    charging.settle(book, pending, problem.body["error"])
    _refused(book, intent, method, problem, pending["id"])
    return intent


def authenticate(book: Book, intent: Json, *, passed: bool) -> Json:
    """The customer did what `next_action` asks for, or failed to. No card is asked when they failed."""
    if intent["status"] != "requires_action":
        raise _unexpected(intent, "authenticated")
    method = book.objects[intent["payment_method"]]
    intent["next_action"] = None
    if passed:
        book.authenticated.add(method["id"])
        return succeed(book, intent, method)
    message = (
        "We are unable to authenticate your payment method. Please choose a different payment method and try again."
    )
    problem = declined(message, "payment_intent_authentication_failure", None)
    _refused(book, intent, method, problem, None)
    return intent


def cancel(book: Book, form: Json, intent: str) -> Json:
    found = book.get("payment_intent", intent, param="intent")
    reason = form.get("cancellation_reason") and choice(form, "cancellation_reason", CANCELLATIONS)
    if found["status"] not in OPEN:
        raise _unexpected(found, "canceled")
    if any(s["payment_intent"] == intent and s["status"] == "open" for s in book.kinds["checkout.session"]):
        message = "You cannot cancel PaymentIntents created by Checkout. Expire the Session instead."
        raise invalid(message, code="payment_intent_unexpected_state", stored=True)
    return cancelled(book, found, reason or None)


def cancelled(book: Book, intent: Json, reason: str | None) -> Json:
    intent |= {
        "status": "canceled",
        "canceled_at": book.clock.now(),
        "cancellation_reason": reason,
        "next_action": None,
    }
    book.emit("payment_intent.canceled", intent)
    return intent


def _done(book: Book, intent: Json, method: Json) -> Json:
    if intent["setup_future_usage"] and intent["customer"] and not method["customer"]:
        cards.attach(book, method, intent["customer"])
    elif not method["customer"]:
        book.cards[f"{method['id']}:gone"] = "used"  # whoever wants it again should have kept it
    intent |= {
        "status": "succeeded",
        "amount_received": intent["amount"],
        "next_action": None,
        "last_payment_error": None,
        "processing": None,
    }
    book.emit("payment_intent.succeeded", intent)
    return intent


def _require_action(book: Book, intent: Json, return_url: str | None) -> Json:
    page = f"{book.url}/authenticate/{intent['id']}"
    action: Json = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": page}}
    if return_url:
        action = {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": page}}
    intent |= {"status": "requires_action", "next_action": action, "last_payment_error": None}
    book.emit("payment_intent.requires_action", intent)
    return intent


def _refused(book: Book, intent: Json, method: Json, problem: Problem, charge_id: str | None) -> Problem:
    error = problem.body["error"]
    if charge_id:
        intent["latest_charge"] = error["charge"] = charge_id
    intent |= {"status": "requires_payment_method", "payment_method": None, "next_action": None}
    intent["last_payment_error"] = error | {"payment_method": dict(method)}
    book.emit("payment_intent.payment_failed", intent)
    problem.body["error"] = error | {"payment_intent": dict(intent), "payment_method": dict(method)}
    return problem


def _check_owner(method: Json, customer: str | None) -> None:
    if method["customer"] and method["customer"] != customer:
        message = (
            f"The PaymentMethod {method['id']} belongs to the Customer {method['customer']}. Please include the "
            "Customer in the `customer` parameter on the PaymentIntent."
            if not customer
            else f"The customer {customer} does not own the PaymentMethod {method['id']}."
        )
        raise invalid(message, param="payment_method", stored=True)


def _unexpected(intent: Json, done: str) -> Problem:
    problem = invalid(
        f"This PaymentIntent's status is {intent['status']}: it cannot be {done}.",
        code="payment_intent_unexpected_state",
        stored=True,
    )
    problem.body["error"]["payment_intent"] = dict(intent)
    return problem
