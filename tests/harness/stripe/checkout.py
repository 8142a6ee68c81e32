"""Checkout Sessions: a page of Stripe's on which somebody pays, tries to, or does nothing."""

from tests.harness.stripe import cards, intents, setups
from tests.harness.stripe.amounts import checked, currency
from tests.harness.stripe.book import Book, Json
from tests.harness.stripe.customers import made_by_checkout
from tests.harness.stripe.forms import choice, flag, metadata, required, whole
from tests.harness.stripe.problems import invalid

UI = ("hosted_page", "hosted", "embedded_page", "embedded", "elements", "form", "custom")
HOSTED = {"hosted_page", "hosted"}
DAY_S = 86400


def create(book: Book, form: Json) -> Json:
    mode = choice(form, "mode", ("payment", "setup"))
    hosted = choice(form, "ui_mode", UI, "hosted_page") in HOSTED
    if hosted:
        required(form, "success_url")
    if form.get("customer"):
        book.get("customer", form["customer"], param="customer")
    now = book.clock.now()
    expires_at = whole(form, "expires_at", now + DAY_S)
    if not now + 1800 <= expires_at + 60 or expires_at > now + DAY_S + 60:
        message = "The `expires_at` timestamp must be at least 30 minutes and at most 24 hours from Checkout Session creation."
        raise invalid(message, param="expires_at")
    base = book.base("checkout.session", f"cs_{'live' if book.livemode else 'test'}")
    lines, code = _lines(book, form) if mode == "payment" else ([], form.get("currency") or None)
    subtotal, total = sum(line["amount_subtotal"] for line in lines), sum(line["amount_total"] for line in lines)
    if code and lines:
        checked(total, code, "line_items")
    taxed = flag(form.get("automatic_tax") or {}, "enabled")
    session = (
        base
        | _empty(form)
        | {
            "amount_subtotal": subtotal if lines else None,
            "amount_total": total if lines else None,
            "automatic_tax": {
                "enabled": taxed,
                "liability": {"type": "self"} if taxed else None,
                "provider": "stripe" if taxed else None,
                "status": "complete" if taxed else None,
            },
            "cancel_url": form.get("cancel_url") or None,
            "currency": code,
            "expires_at": expires_at,
            "metadata": metadata(form),
            "mode": mode,
            "payment_status": "unpaid" if mode == "payment" else "no_payment_required",
            "success_url": form.get("success_url") or None,
            "total_details": {
                "amount_discount": 0,
                "amount_shipping": 0,
                "amount_tax": sum(line["amount_tax"] for line in lines),
            },
            "ui_mode": form.get("ui_mode") or "hosted_page",
            "url": f"{book.url}/c/pay/{base['id']}" if hosted else None,
        }
    )
    if mode == "setup":
        about = form.get("setup_intent_data") or {}
        session["setup_intent"] = setups.make(book, {**about, "customer": form.get("customer", "")})["id"]
    book.objects[f"line_items:{session['id']}"] = {"object": "list", "data": lines}
    book.objects[f"intent_data:{session['id']}"] = {"object": "form", **(form.get("payment_intent_data") or {})}
    return book.add("checkout.session", session)


def retrieve(book: Book, _form: Json, session: str) -> Json:
    return current(book, session)


def current(book: Book, session: str) -> Json:
    """The session as it is now: its time may be over."""
    found = book.get("checkout.session", session, param="session")
    if found["status"] == "open" and found["expires_at"] <= book.clock.now():
        _expired(book, found)
    return found


def expire(book: Book, _form: Json, session: str) -> Json:
    found = current(book, session)
    if found["status"] != "open":
        message = f'Only Checkout Sessions with a status in ["open"] can be expired. This one is {found["status"]}.'
        raise invalid(message, param="session", stored=True)
    _expired(book, found)
    return found


def update(book: Book, form: Json, session: str) -> Json:
    found = current(book, session)
    found["metadata"] = metadata(form, found["metadata"])
    return found


def expire_overdue(book: Book) -> None:
    """All whose time is over; the clock has moved."""
    for session in book.kinds["checkout.session"]:
        current(book, session["id"])


def pay(book: Book, session: str, named: str = "pm_card_visa") -> Json:
    """Somebody fills in this card on the page. Raises a 402, which the page shows; then the session is still open."""
    found = _open(book, session)
    method = cards.method_of(book, named)
    if found["mode"] == "setup":
        setups.confirm(book, book.objects[found["setup_intent"]], {"payment_method": method["id"]})
        return _completed(book, found, "no_payment_required", method)
    if found["payment_intent"] is None:
        about = book.objects[f"intent_data:{session}"]
        form = {**about, "customer": found["customer"] or ""}
        intent = intents.make(book, found["amount_total"], found["currency"], form)
        found["payment_intent"] = intent["id"]
        book.emit("payment_intent.created", intent)
    intent = book.objects[found["payment_intent"]]
    intent["payment_method"] = method["id"]
    intents.charge(book, intent, method, off_session=False, form={"return_url": found["url"]})
    return _after(book, found)


def authenticate(book: Book, session: str, *, passed: bool = True) -> Json:
    """Somebody did what their bank asks for, or failed to."""
    found = _open(book, session)
    if found["mode"] == "setup":
        setups.authenticate(book, book.objects[found["setup_intent"]], passed=passed)
        return _completed(book, found, "no_payment_required") if passed else found
    if found["payment_intent"] is None:
        raise invalid("Nothing has to be authenticated.")
    intents.authenticate(book, book.objects[found["payment_intent"]], passed=passed)
    return _after(book, found)


def finish_later(book: Book, session: str, *, paid: bool = True) -> Json:
    """The bank's answer to a method that takes its time."""
    found = book.get("checkout.session", session)
    intents.finish_later(book, book.objects[found["payment_intent"]], paid=paid)
    if paid:
        found["payment_status"] = "paid"
    book.emit(f"checkout.session.async_payment_{'succeeded' if paid else 'failed'}", found)
    return found


def _after(book: Book, session: Json) -> Json:
    intent = book.objects[session["payment_intent"]]
    if intent["status"] in {"succeeded", "processing"}:
        status = "paid" if intent["status"] == "succeeded" else "unpaid"
        _completed(book, session, status, book.objects[intent["payment_method"]])
    return session


def _open(book: Book, session: str) -> Json:
    found = current(book, session)
    if found["status"] != "open":
        raise invalid(f"This Checkout Session is {found['status']}.", stored=True)
    return found


def _completed(book: Book, session: Json, payment_status: str, method: Json | None = None) -> Json:
    details = (method or {}).get("billing_details") or {}
    if session["customer"] is None and session["customer_creation"] == "always":
        session["customer"] = made_by_checkout(book, session["customer_email"])["id"]
        if session["payment_intent"]:
            book.objects[session["payment_intent"]]["customer"] = session["customer"]
    known = book.objects.get(session["customer"] or "", {})
    session |= {
        "status": "complete",
        "payment_status": payment_status,
        "url": None,
        "customer_details": {
            "address": details.get("address"),
            "business_name": None,
            "email": session["customer_email"] or known.get("email"),
            "individual_name": None,
            "name": known.get("name"),
            "phone": None,
            "tax_exempt": "none",
            "tax_ids": [],
        },
    }
    book.emit("checkout.session.completed", session)
    return session


def _expired(book: Book, session: Json) -> None:
    session |= {"status": "expired", "url": None}
    if session["payment_intent"]:
        intent = book.objects[session["payment_intent"]]
        if intent["status"] in intents.OPEN:
            intents.cancelled(book, intent, "automatic")
    book.emit("checkout.session.expired", session)


def _lines(book: Book, form: Json) -> tuple[list[Json], str]:
    given = form.get("line_items")
    if not isinstance(given, list) or not given:
        message = "`line_items` is required in payment mode."
        raise invalid(message, param="line_items", code="parameter_missing")
    taxed = flag(form.get("automatic_tax") or {}, "enabled")
    lines = [_line(book, line, f"line_items[{place}]", taxed=taxed) for place, line in enumerate(given)]
    codes = {line["currency"] for line in lines}
    if len(codes) != 1:
        raise invalid("All prices on a Checkout session must be in the same currency.", param="line_items")
    return lines, codes.pop()


def _line(book: Book, line: Json, where: str, *, taxed: bool) -> Json:
    data = line.get("price_data")
    if not isinstance(data, dict):
        raise invalid("The fake knows price_data alone: pass it for each line.", param=f"{where}[price_data]")
    about = data.get("product_data")
    if not isinstance(about, dict) or not about.get("name"):
        name = f"{where}[price_data][product_data][name]"
        raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    code, quantity = currency(data), whole(line, "quantity")
    unit = checked(whole(data, "unit_amount"), code, f"{where}[price_data][unit_amount]", minimum=False)
    if quantity < 1:
        raise invalid("Invalid quantity: at least 1", param=f"{where}[quantity]")
    inside = data.get("tax_behavior") == "inclusive"
    net = unit * quantity
    tax = _tax(book, net, inside=inside) if taxed else 0
    price: Json = book.base("price", "price") | {
        "active": False,
        "billing_scheme": "per_unit",
        "currency": code,
        "custom_unit_amount": None,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": book.new_id("prod", 14),
        "recurring": None,
        "tax_behavior": data.get("tax_behavior") or "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "one_time",
        "unit_amount": unit,
        "unit_amount_decimal": str(unit),
    }
    return {
        "id": book.new_id("li"),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": net,
        "amount_tax": tax,
        "amount_total": net if inside else net + tax,
        "currency": code,
        "description": about["name"],
        "metadata": {},
        "price": price,
        "quantity": quantity,
    }


def _tax(book: Book, net: int, *, inside: bool) -> int:
    """Rounded half up, in minor units."""
    whole_share = 10_000 + book.tax_basis_points if inside else 10_000
    return (2 * net * book.tax_basis_points + whole_share) // (2 * whole_share)


def _empty(form: Json) -> Json:
    return {
        "allow_promotion_codes": None,
        "billing_address_collection": None,
        "client_reference_id": form.get("client_reference_id") or None,
        "client_secret": None,
        "consent": None,
        "custom_fields": [],
        "custom_text": {"after_submit": None, "submit": None},
        "customer": form.get("customer") or None,
        "customer_creation": form.get("customer_creation") or (None if form.get("customer") else "if_required"),
        "customer_details": None,
        "customer_email": form.get("customer_email") or None,
        "invoice": None,
        "locale": form.get("locale") or None,
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "if_required",
        "payment_method_types": form.get("payment_method_types") or ["card"],
        "return_url": form.get("return_url") or None,
        "setup_intent": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": form.get("submit_type") or None,
        "subscription": None,
    }
