"""Which version of a rate card a customer pays, and which things can be bought."""

from datetime import UTC, datetime, timedelta

import pytest

from credits.catalog.cache import ConfigCache
from credits.catalog.values import Bundle, Catalog, Cohort, CreditType, RateCard, card_for

START = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def card(version: int, *, effective: int, follow: bool = False) -> RateCard:
    return RateCard(version, "default", version, START, day(effective), follow, None, ())


def catalog(*cards: RateCard, archived: bool = False) -> Catalog:
    return Catalog(1, 1, (), (), (Cohort("default", archived, cards),), ())


PLAIN = (card(1, effective=0), card(2, effective=10), card(3, effective=20))
FOLLOWED = (card(1, effective=0), card(2, effective=10, follow=True), card(3, effective=20))
ROLLED_BACK = (card(1, effective=0), card(2, effective=10), card(3, effective=5))


@pytest.mark.parametrize(
    ("cards", "tag", "at", "version"),
    [
        # Untagged: the newest effective version
        (PLAIN, None, 0, 1),
        (PLAIN, None, 9, 1),
        (PLAIN, None, 10, 2),  # from the instant itself on
        (PLAIN, None, 100, 3),
        (PLAIN, None, -1, None),
        ((), None, 0, None),
        (ROLLED_BACK, None, 7, 3),
        (ROLLED_BACK, None, 12, 3),  # a newer version takes the older one's place also when it begins earlier
        # Tagged: stays, also before and long after
        (PLAIN, 1, 100, 1),
        (PLAIN, 2, 5, 2),
        (PLAIN, 3, -50, 3),
        (PLAIN, 9, 100, None),  # no such version
        # Tagged, and a newer version asks to be followed
        (FOLLOWED, 1, 9, 1),
        (FOLLOWED, 1, 10, 2),
        (FOLLOWED, 1, 100, 2),  # version 3 does not ask
        (FOLLOWED, 2, 5, 2),
        (FOLLOWED, 3, 100, 3),  # nobody goes back
    ],
)
def test_a_customer_pays_its_version_until_it_is_moved(
    cards: tuple[RateCard, ...], tag: int | None, at: int, version: int | None
) -> None:
    found = card_for(catalog(*cards), "default", tag, day(at))
    assert (found.version if found else None) == version


def test_usage_from_before_the_first_version_is_priced_by_the_one_in_force_now() -> None:
    assert card_for(catalog(*PLAIN), "default", None, day(-5)) is None
    found = card_for(catalog(*PLAIN), "default", None, day(-5), now=day(12))
    assert found is not None
    assert found.version == 2
    assert card_for(catalog(card(1, effective=30)), "default", None, day(0), now=day(1)) is None, "not in force yet"


def test_an_archived_cohort_keeps_its_customers_and_takes_no_new_ones() -> None:
    archived = catalog(*PLAIN, archived=True)
    assert card_for(archived, "default", None, day(100)) is None
    kept = card_for(archived, "default", 2, day(100))
    assert kept is not None
    assert kept.version == 2


def test_an_unknown_cohort_has_no_prices() -> None:
    assert card_for(catalog(*PLAIN), "early", None, day(100)) is None
    assert card_for(catalog(*PLAIN), "early", 1, day(100)) is None


@pytest.mark.parametrize(
    ("bundle_archived", "type_archived", "sold"), [(False, False, True), (True, False, False), (False, True, False)]
)
def test_only_what_is_not_archived_is_on_sale(bundle_archived: bool, type_archived: bool, sold: bool) -> None:
    kind = CreditType(1, "ai", "AI", "credit", "credits", 3, "PRIORITY_THEN_EXPIRY", None, type_archived)
    bundle = Bundle(1, "b", "B", 1, 1_000_000, 0, 5, "USD", None, 50, bundle_archived)  # type: ignore[arg-type]
    assert [*Catalog(1, 1, (kind,), (), (), (bundle,)).on_sale()] == ([bundle] if sold else [])


def test_a_cache_answers_for_exactly_the_version_it_was_filled_at() -> None:
    cache: ConfigCache[str] = ConfigCache()
    assert cache.get(1, 0) is None
    cache.put(1, 3, "three")
    assert cache.get(1, 3) == "three"
    assert cache.get(1, 4) is None
    assert cache.get(2, 3) is None
    cache.put(1, 2, "two, read by a slower task")
    assert cache.get(1, 3) == "three"
