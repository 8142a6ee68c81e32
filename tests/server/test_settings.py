"""Settings: what is wrong is named on one line, and the generated secret key is kept."""

import os
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from credits.customers.cutoff import as_duration
from server.settings import SECRET_KEY_FILE, Settings, SettingsError, load, unknown_names
from tests.harness.tidy import REPOSITORY


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of whoever runs the tests, no `.env`."""
    for name in os.environ:
        if name.upper().startswith("SCRIP_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


WRONG = {
    ("DATABASE_URL", "sqlite:///x"): "must begin with postgresql:// (Scrip stores in PostgreSQL only)",
    ("DATABASE_URL", "postgresql://host"): "names no database: postgresql://user:password@host:5432/NAME",
    (
        "DATABASE_URL",
        "postgresql://u:s3cret/1@h:5/d",
    ): "is not a URL; percent-encode special characters of the password",
    ("BROADCAST_URL", "redis://h"): "redis:// is not built yet; use postgres://… or leave it empty",
    ("BROADCAST_URL", "kafka://h"): "must be memory:// or postgres://…",
    ("SECRET_KEY", "short"): "has 5 characters and needs 32 or more; try: openssl rand -base64 48",
    ("LATE_EVENT_CUTOFF", "x"): "'x' is not an ISO 8601 duration such as P7D",
    ("LATE_EVENT_CUTOFF", "-P1D"): "'-P1D' is not an ISO 8601 duration such as P7D",
    ("LATE_EVENT_CUTOFF", "P1M"): "'P1M' has calendar months or years, whose length varies; give days, such as P30D",
    (
        "WEBHOOK_PRIVATE_ADDRESSES",
        "10.0.0.0/8,10.0.0.1/8",
    ): "10.0.0.1/8 has host bits set; give networks such as 10.0.0.0/8 (several: with commas)",
    ("WEBHOOK_RETRIES", "PT5S,soon"): "'soon' is not an ISO 8601 duration such as P7D",
    ("ENVIRONMENT", "staging"): "'staging' is not one of 'production' or 'development'",
    ("PUBLIC_URL", "credits.example"): "'credits.example' is not an address such as https://credits.example.com",
    ("PUBLIC_URL", "https://h/?a=1"): "'https://h/?a=1' is not an address such as https://credits.example.com",
    ("PAYMENTS", "paypal"): "'paypal' is not one of 'sandbox' or 'stripe'",
    ("STRIPE_SECRET_KEY", "pk_test_s3cret00"): (
        "is a publishable key; the secret one begins with sk_test_, sk_live_, rk_test_ or rk_live_"
    ),
    ("STRIPE_SECRET_KEY", "s3cret"): "must begin with sk_test_, sk_live_, rk_test_ or rk_live_",
    ("STRIPE_WEBHOOK_SECRET", "whsec_enough_of_it,s3cret"): (
        "must begin with whsec_, as Stripe shows it beside the endpoint (several: with commas)"
    ),
    ("STRIPE_API_BASE", "api.stripe.com"): "must be a URL such as https://api.stripe.com",
    ("PAYMENTS_EVERY", "P1M"): "'P1M' has calendar months or years, whose length varies; give days, such as P30D",
    ("LOG_FORMAT", "xml"): "'xml' is not one of 'text' or 'json'",
    ("ALLOWED_ORIGINS", "*"): "'*' is not an origin such as https://app.example.com (several: with commas)",
    (
        "ALLOWED_ORIGINS",
        "https://a.example,https://b.example/path",
    ): "'https://b.example/path' is not an origin such as https://app.example.com (several: with commas)",
}


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_setting_is_named_on_one_line(monkeypatch, name, value):
    monkeypatch.setenv(f"SCRIP_{name}", value)
    with pytest.raises(SettingsError) as error:
        load()
    assert str(error.value) == f"SCRIP_{name}: {WRONG[name, value]}"
    assert "s3cret" not in str(error.value)


def test_nothing_set_means_the_embedded_database_here(tmp_path):
    settings = load()
    assert settings.embedded
    assert settings.data_dir == tmp_path / ".scrip"
    assert settings.late_event_cutoff == timedelta(days=7)
    assert (settings.environment, settings.log_format, settings.allowed_origins) == ("production", "text", ())


def test_settings_come_from_dot_env_and_the_environment_goes_before(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("SCRIP_LATE_EVENT_CUTOFF=P1D\nSCRIP_LOG_FORMAT=json\nOTHER=1\n")
    monkeypatch.setenv("SCRIP_LATE_EVENT_CUTOFF", "P2D")
    monkeypatch.setenv("SCRIP_ALLOWED_ORIGINS", "https://a.example, http://localhost:3000/,")
    settings = load(data_dir=Path("elsewhere"))
    assert (settings.late_event_cutoff, settings.log_format) == (timedelta(days=2), "json")
    assert settings.allowed_origins == ("https://a.example", "http://localhost:3000")
    assert settings.data_dir == tmp_path / "elsewhere"


def test_what_happens_by_itself_can_be_never_and_a_lifetime_cannot(monkeypatch):
    monkeypatch.setenv("SCRIP_CHECKPOINT_EVERY", "PT0S")
    monkeypatch.setenv("SCRIP_RECONCILE_EVERY", "PT0S")
    settings = load()
    assert (settings.checkpoint_every, settings.reconcile_every) == (timedelta(0), timedelta(0))
    monkeypatch.setenv("SCRIP_REFUND_LIFETIME", "PT0S")
    with pytest.raises(SettingsError, match="SCRIP_REFUND_LIFETIME"):
        load()


def test_an_empty_setting_is_one_that_is_not_given(monkeypatch):
    monkeypatch.setenv("SCRIP_DATABASE_URL", "")
    monkeypatch.setenv("SCRIP_LATE_EVENT_CUTOFF", "")
    assert load().embedded


def test_a_misspelt_name_is_told(monkeypatch):
    monkeypatch.setenv("SCRIP_DATABSE_URL", "postgresql://h/d")
    assert unknown_names() == ["SCRIP_DATABSE_URL: is no setting of this version; SCRIP_DATABASE_URL is meant?"]


def test_secrets_do_not_show_where_settings_are_printed(monkeypatch):
    monkeypatch.setenv("SCRIP_DATABASE_URL", "postgres://u:s3cret@h/d")
    monkeypatch.setenv("SCRIP_SECRET_KEY", "s3cret" * 8)
    settings = load()
    assert settings.database_url == "postgresql://u:s3cret@h/d"
    assert "s3cret" not in repr(settings)


def test_the_secret_key_is_generated_once_and_for_its_owner_alone(tmp_path):
    first = load().with_secret_key().secret_key
    path = tmp_path / ".scrip" / SECRET_KEY_FILE
    assert len(first) >= 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == [SECRET_KEY_FILE]
    assert load().with_secret_key().secret_key == first


def test_a_given_secret_key_is_taken_and_none_is_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("SCRIP_SECRET_KEY", "k" * 32)
    assert load().with_secret_key().secret_key == "k" * 32
    assert not (tmp_path / ".scrip").exists()


def test_a_given_database_needs_a_given_secret_key(monkeypatch):
    monkeypatch.setenv("SCRIP_DATABASE_URL", "postgres://h/d")
    with pytest.raises(SettingsError, match=r"^SCRIP_SECRET_KEY: is required with SCRIP_DATABASE_URL"):
        load().with_secret_key()


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [("k" * 64, 0o644, "is readable by others; run: chmod 600"), ("k" * 31, 0o600, "is cut short; restore it")],
)
def test_a_kept_secret_key_that_cannot_be_trusted_stops_the_start(tmp_path, text, mode, says):
    path = tmp_path / ".scrip" / SECRET_KEY_FILE
    path.parent.mkdir()
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(SettingsError, match=says):
        load().with_secret_key()


def test_what_the_start_found_out_is_filled_in_and_the_rest_stays():
    settings = load().running_on("postgresql://h/d", "memory://")
    assert (settings.database_url, settings.broadcast_url, settings.embedded) == ("postgresql://h/d", "memory://", True)


def test_the_public_address_is_what_is_set_else_where_it_listens(monkeypatch):
    assert load().running_on("postgresql://h/d", "memory://", "http://127.0.0.1:1").public_url == "http://127.0.0.1:1"
    monkeypatch.setenv("SCRIP_PUBLIC_URL", "https://example.com/credits/")
    found = load().running_on("postgresql://h/d", "memory://", "http://127.0.0.1:1")
    assert found.public_url == "https://example.com/credits"


def test_who_takes_the_money_follows_from_the_key_unless_it_is_said(monkeypatch):
    assert load().pays_by == "sandbox"
    monkeypatch.setenv("SCRIP_STRIPE_SECRET_KEY", "rk_live_0123456789")
    assert (load().pays_by, load().stripe_is_live) == ("stripe", True)
    monkeypatch.setenv("SCRIP_PAYMENTS", "sandbox")
    assert load().pays_by == "sandbox"


def test_stripe_without_its_key_stops_the_start(monkeypatch):
    monkeypatch.setenv("SCRIP_PAYMENTS", "stripe")
    with pytest.raises(SettingsError, match=r"^SCRIP_STRIPE_SECRET_KEY: is required with SCRIP_PAYMENTS=stripe$"):
        load()


def test_secrets_of_stripe_are_shown_nowhere(monkeypatch):
    monkeypatch.setenv("SCRIP_STRIPE_SECRET_KEY", "sk_test_s3cret0000")
    monkeypatch.setenv("SCRIP_STRIPE_WEBHOOK_SECRET", "whsec_s3cret0000, whsec_s3cret1111")
    settings = load()
    assert settings.stripe_webhook_secret == ("whsec_s3cret0000", "whsec_s3cret1111")
    assert "s3cret" not in repr(settings)


def shown(default: object) -> str:
    """A default as it would be set; nothing where there is none, or it follows from the rest."""
    match default:
        case timedelta():
            return f"`{as_duration(default)}`"
        case tuple() if default:
            return f"`{','.join(map(as_duration, default))}`"
        case bool():
            return f"`{str(default).lower()}`"
        case None | "" | ():
            return ""
    return f"`{default}`"


def test_the_readme_lists_every_setting_with_what_it_means():
    rows = [
        f"| `SCRIP_{name.upper()}` | {shown(field.default)} | {field.description} |\n".replace("|  |", "| |")
        for name, field in Settings.model_fields.items()
    ]
    assert "".join(rows) in (REPOSITORY / "README.md").read_text()
