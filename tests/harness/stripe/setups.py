"""SetupIntents: a payment method is kept, to be charged later when the customer is away."""

from tests.harness.stripe import cards
from tests.harness.stripe.book import Book, Json
from tests.harness.stripe.forms import choice, flag, metadata
from tests.harness.stripe.problems import Problem, declined, invalid

CONFIRMABLE = {"requires_payment_method", "requires_confirmation", "requires_action"}


def create(book: Book, form: Json) -> Json:
    if form.get("customer"):
        book.get("customer", form["customer"], param="customer")
    method = cards.method_of(book, form["payment_method"]) if form.get("payment_method") else None
    intent = make(book, form)
    if method:
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
    return confirm(book, intent, form) if flag(form, "confirm") else intent


def make(book: Book, form: Json) -> Json:
    base = book.base("setup_intent", "seti")
    intent = base | {
        "application": None,
        "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
        "cancellation_reason": None,
        "client_secret": f"{base['id']}_secret_{book.new_id('x')[2:]}",
        "customer": form.get("customer") or None,
        "description": form.get("description") or None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "mandate": None,
        "metadata": metadata(form),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": form.get("payment_method_types") or ["card"],
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": choice(form, "usage", ("on_session", "off_session"), "off_session"),
    }
    book.add("setup_intent", intent)
    book.emit("setup_intent.created", intent)
    return intent


def confirm_by_id(book: Book, form: Json, intent: str) -> Json:
    return confirm(book, book.get("setup_intent", intent, param="intent"), form)


def confirm(book: Book, intent: Json, form: Json) -> Json:
    """Asks the card whether it can be kept. Raises a 402 after it was recorded."""
    if intent["status"] not in CONFIRMABLE:
        raise _unexpected(intent)
    named = form.get("payment_method") or intent["payment_method"]
    if not named:
        raise invalid("You cannot confirm this SetupIntent because it's missing a payment method.", stored=True)
    method = cards.method_of(book, named)
    intent["payment_method"] = method["id"]
    refuses = book.cards.get(f"{method['id']}:attach")
    if refuses:
        raise _refused(book, intent, method, cards.refusal(refuses))
    if book.cards[method["id"]] in {cards.AUTHENTICATES, cards.AUTHENTICATES_ONCE}:
        page = f"{book.url}/authenticate/{intent['id']}"
        action: Json = {"type": "use_stripe_sdk", "use_stripe_sdk": {"stripe_js": page}}
        if form.get("return_url"):
            action = {"type": "redirect_to_url", "redirect_to_url": {"return_url": form["return_url"], "url": page}}
        intent |= {"status": "requires_action", "next_action": action, "last_setup_error": None}
        book.emit("setup_intent.requires_action", intent)
        return intent
    return _succeed(book, intent, method)


def authenticate(book: Book, intent: Json, *, passed: bool) -> Json:
    if intent["status"] != "requires_action":
        raise _unexpected(intent)
    method = book.objects[intent["payment_method"]]
    if passed:
        book.authenticated.add(method["id"])
        return _succeed(book, intent, method)
    message = (
        "We are unable to authenticate your payment method. Please choose a different payment method and try again."
    )
    _refused(book, intent, method, declined(message, "setup_intent_authentication_failure", None))
    return intent


def cancel(book: Book, form: Json, intent: str) -> Json:
    found = book.get("setup_intent", intent, param="intent")
    if found["status"] not in CONFIRMABLE:
        raise _unexpected(found)
    found |= {"status": "canceled", "cancellation_reason": form.get("cancellation_reason") or None}
    book.emit("setup_intent.canceled", found)
    return found


def _succeed(book: Book, intent: Json, method: Json) -> Json:
    if intent["customer"]:
        cards.attach(book, method, intent["customer"])
    intent |= {"status": "succeeded", "next_action": None, "last_setup_error": None}
    book.emit("setup_intent.succeeded", intent)
    return intent


def _refused(book: Book, intent: Json, method: Json, problem: Problem) -> Problem:
    error = problem.body["error"]
    intent |= {"status": "requires_payment_method", "payment_method": None, "next_action": None}
    intent["last_setup_error"] = error | {"payment_method": dict(method)}
    book.emit("setup_intent.setup_failed", intent)
    problem.body["error"] = error | {"setup_intent": dict(intent), "payment_method": dict(method)}
    return problem


def _unexpected(intent: Json) -> Problem:
    message = f"This SetupIntent's status is {intent['status']}: it cannot be changed so."
    return invalid(message, code="setup_intent_unexpected_state", stored=True)
