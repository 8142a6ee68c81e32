"""Settings: the environment (`SCRIP_` prefix) and `.env`; anything wrong stops the start with one line that names it."""

import contextlib
import difflib
import os
import secrets
import stat
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from credits import bounds, durations
from credits.webhooks.addresses import Network, networks
from server.operator_error import OperatorError

PREFIX = "SCRIP_"
ENV_FILE = ".env"
SECRET_KEY_MIN = 32  # characters: what HS256 asks of its key
SECRET_KEY_FILE = "secret_key"  # noqa: S105 -- a file name
STRIPE_KEYS = ("sk_test_", "sk_live_", "rk_test_", "rk_live_")
STRIPE_SECRET_MIN = 12  # characters; a prefix alone is no secret
POSTGRES_SCHEMES = ("postgresql", "postgres")


class SettingsError(OperatorError):
    """A setting is missing or wrong; the message begins with its name."""


def _duration(value: object) -> object:
    """ISO 8601 to a fixed length; calendar months have none."""
    if not isinstance(value, str):
        return value
    try:
        duration = durations.parse(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is not an ISO 8601 duration such as P7D") from error
    if not isinstance(duration, timedelta):
        raise ValueError(f"{value!r} has calendar months or years, whose length varies; give days, such as P30D")  # noqa: TRY004
    return duration


def _interval(value: object) -> object:
    """As `_duration`, and zero for never."""
    return timedelta(0) if value == "PT0S" else _duration(value)


def _durations(value: object) -> object:
    """`PT5S, PT5M` to a tuple."""
    return tuple(_duration(part.strip()) for part in value.split(",")) if isinstance(value, str) else value


def _networks(value: object) -> object:
    """`10.0.0.0/8, fd00::/8` to a tuple."""
    if not isinstance(value, str):
        return value
    try:
        return networks(part.strip() for part in value.split(",") if part.strip())
    except ValueError as error:
        raise ValueError(f"{error}; give networks such as 10.0.0.0/8 (several: with commas)") from error


def _origins(value: object) -> object:
    """`https://a.example, https://b.example` to a tuple."""
    if not isinstance(value, str):
        return value
    origins = tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or not parts.hostname or origin != f"{parts.scheme}://{parts.netloc}":
            raise ValueError(f"{origin!r} is not an origin such as https://app.example.com (several: with commas)")
    return origins


def _secrets(value: object) -> object:
    """`whsec_…, whsec_…` to a tuple."""
    if not isinstance(value, str):
        return value
    found = tuple(part.strip() for part in value.split(",") if part.strip())
    if not all(part.startswith("whsec_") and len(part) >= STRIPE_SECRET_MIN for part in found):
        raise ValueError("must begin with whsec_, as Stripe shows it beside the endpoint (several: with commas)")
    return found


def _address(value: object) -> object:
    """`https://credits.example.com`, or with a path; without a slash at its end."""
    if not isinstance(value, str) or not value:
        return value
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or "@" in value:
        raise ValueError(f"{value!r} is not an address such as https://credits.example.com")
    return value.rstrip("/")


class Settings(BaseSettings):
    """What the operator decides. `load` reads and checks them; `server.serve` then fills in what the start finds out."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=ENV_FILE,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # a database URL carries a password
    )

    database_url: str = Field(
        default="", repr=False, description="PostgreSQL 16 to 18; empty: embedded in the data folder"
    )
    data_dir: Path = Field(
        default=Path(".scrip"), description="folder of the embedded database and the generated secret key"
    )
    broadcast_url: str = Field(
        default="", repr=False, description="memory://, postgres://…; empty: memory with one worker, else the database"
    )
    secret_key: str = Field(
        default="",
        repr=False,
        description=(
            "API keys, tokens, checkpoints and webhook secrets are made with it, and void with another one; generated and kept "
            "in the data folder when embedded"
        ),
    )
    late_event_cutoff: Annotated[timedelta, BeforeValidator(_duration)] = Field(
        default=timedelta(days=7), description="usage older than this becomes a dead letter; ISO 8601"
    )
    refund_lifetime: Annotated[timedelta, BeforeValidator(_duration)] = Field(
        default=bounds.REFUND_LIFETIME,
        description="how long credits live that are given back after their grant has ended; ISO 8601",
    )
    checkpoint_every: Annotated[timedelta, BeforeValidator(_interval)] = Field(
        default=timedelta(hours=1),
        description="how often each changed book gets a signed checkpoint; ISO 8601, PT0S: never",
    )
    reconcile_every: Annotated[timedelta, BeforeValidator(_interval)] = Field(
        default=timedelta(hours=1), description="how often each book is reconciled, slowly; ISO 8601, PT0S: never"
    )
    dispute_sla: Annotated[timedelta, BeforeValidator(_duration)] = Field(
        default=bounds.DISPUTE_SLA,
        description="how long until a dispute is to be decided, where a workspace says nothing else; ISO 8601",
    )
    payments: Literal["sandbox", "stripe"] | None = Field(
        default=None,
        description="who takes the money: sandbox, stripe; empty: stripe where its secret key is given, else sandbox",
    )
    stripe_secret_key: str = Field(default="", repr=False, description="sk_test_…, sk_live_…, or a restricted rk_…")
    stripe_webhook_secret: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_secrets)] = Field(
        default=(),
        repr=False,
        description="whsec_… of the endpoint /webhooks/stripe; two with a comma while it is rolled",
    )
    stripe_api_base: str = Field(default="", description="where Stripe's API is; empty: https://api.stripe.com")
    stripe_tax: bool = Field(default=False, description="Checkout computes tax by Stripe Tax, on top of the price")
    payments_every: Annotated[timedelta, BeforeValidator(_duration)] = Field(
        default=timedelta(seconds=20), description="how often payments are reconciled with their providers; ISO 8601"
    )
    webhook_private_addresses: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)] = Field(
        default=(),
        description="networks that webhooks may call though they are not public, http:// too; CIDRs, with commas",
    )
    webhook_retries: Annotated[tuple[timedelta, ...], NoDecode, BeforeValidator(_durations)] = Field(
        default=bounds.WEBHOOK_RETRIES,
        description="the longest waits between attempts at a webhook, after the last it is given up; ISO 8601, with commas",
    )
    recharge_attempts: int = Field(
        default=4, ge=1, le=20, description="failed recharges in a row until the rule rests for another payment method"
    )
    environment: Literal["production", "development"] = Field(
        default="production", description="production, or development: with GraphiQL and introspection"
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_origins)] = Field(
        default=(), description="web origins that may call us besides our own, with commas"
    )
    public_url: Annotated[str, BeforeValidator(_address)] = Field(
        default="", description="where browsers reach this server; empty: where it listens"
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="text or json: one line, or one JSON object, per record"
    )

    _embedded: bool = PrivateAttr(default=False)

    def model_post_init(self, _context: object) -> None:
        self._embedded = not self.database_url

    @property
    def embedded(self) -> bool:
        """We run the database ourselves; stays true when `running_on` has filled in its URL."""
        return self._embedded

    def running_on(self, database_url: str, broadcast_url: str, address: str = "") -> Self:
        """These settings, complete: what the start found out filled in. `address` is where it listens."""
        found = {"database_url": database_url, "broadcast_url": broadcast_url}
        return self.model_copy(update=found | {"public_url": self.public_url or address})

    @property
    def development(self) -> bool:
        return self.environment == "development"

    @property
    def pays_by(self) -> Literal["sandbox", "stripe"]:
        """Who takes the money."""
        return self.payments or ("stripe" if self.stripe_secret_key else "sandbox")

    @property
    def stripe_is_live(self) -> bool:
        """Whether the key moves real money."""
        return self.stripe_secret_key.startswith(("sk_live_", "rk_live_"))

    @field_validator("stripe_secret_key")
    @classmethod
    def _check_stripe_key(cls, value: str) -> str:
        if value.startswith("pk_"):
            raise ValueError(
                "is a publishable key; the secret one begins with sk_test_, sk_live_, rk_test_ or rk_live_"
            )
        if value and not (value.startswith(STRIPE_KEYS) and len(value) >= STRIPE_SECRET_MIN):
            raise ValueError("must begin with sk_test_, sk_live_, rk_test_ or rk_live_")
        return value

    @field_validator("stripe_api_base")
    @classmethod
    def _check_stripe_base(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValueError("must be a URL such as https://api.stripe.com")
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, value: str) -> str:
        if not value:
            return value
        try:
            parts = urlsplit(value)
            _ = parts.port  # raises on what is no number
        except ValueError as error:
            raise ValueError("is not a URL; percent-encode special characters of the password") from error
        if parts.scheme not in POSTGRES_SCHEMES:
            raise ValueError("must begin with postgresql:// (Scrip stores in PostgreSQL only)")
        if not parts.path.strip("/"):
            raise ValueError("names no database: postgresql://user:password@host:5432/NAME")
        return f"postgresql://{value.split('://', 1)[1]}"

    @field_validator("broadcast_url")
    @classmethod
    def _check_broadcast_url(cls, value: str) -> str:
        scheme = value.partition("://")[0]
        if not value or value == "memory://" or scheme in POSTGRES_SCHEMES:
            return value
        if scheme in {"redis", "rediss"}:
            raise ValueError("redis:// is not built yet; use postgres://… or leave it empty")
        raise ValueError("must be memory:// or postgres://…")

    @field_validator("secret_key")
    @classmethod
    def _check_secret_key(cls, value: str) -> str:
        if value and len(value) < SECRET_KEY_MIN:
            raise ValueError(
                f"has {len(value)} characters and needs {SECRET_KEY_MIN} or more; try: openssl rand -base64 48"
            )
        return value

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        # Resolved once: the embedded database finds its running server by this path, whatever the working directory.
        return value.expanduser().resolve()

    def with_secret_key(self) -> Self:
        """These settings with a secret key: the one given, else the one kept in the data folder (made when absent)."""
        if self.secret_key:
            return self
        if not self.embedded:
            raise SettingsError(
                f"{PREFIX}SECRET_KEY: is required with {PREFIX}DATABASE_URL, "
                "the same one in every process; try: openssl rand -base64 48"
            )
        return self.model_copy(update={"secret_key": _kept_secret_key(self.data_dir)})


def load(*, data_dir: Path | None = None) -> Settings:
    """The settings of this process. `data_dir` is the command line's word and goes before the environment.

    Raises `SettingsError` with one line for the first setting that is wrong.
    """
    try:
        settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = f"{PREFIX}{str(first['loc'][0]).upper()}"
        raise SettingsError(f"{name}: {_reason(name, first['type'], first['msg'], first.get('ctx', {}))}") from None
    if settings.payments == "stripe" and not settings.stripe_secret_key:
        raise SettingsError(f"{PREFIX}STRIPE_SECRET_KEY: is required with {PREFIX}PAYMENTS=stripe")
    return settings


def _reason(name: str, kind: str, message: str, context: dict[str, object]) -> str:
    if kind == "literal_error":
        return f"{_given().get(name, '')!r} is not one of {context['expected']}"
    return message.removeprefix("Value error, ")


def _given() -> dict[str, str]:
    """Every SCRIP_ name that was given, from `.env` and the environment."""
    both = {**dotenv_values(ENV_FILE), **os.environ}
    return {name.upper(): value or "" for name, value in both.items() if name.upper().startswith(PREFIX)}


def unknown_names() -> list[str]:
    """One line for every SCRIP_ name that we do not know: a misspelt setting would else be silently without effect."""
    known = [f"{PREFIX}{field.upper()}" for field in Settings.model_fields]
    lines = []
    for name in sorted(_given()):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            lines.append(f"{name}: is no setting of this version{f'; {near[0]} is meant?' if near else ''}")
    return lines


def _kept_secret_key(data_dir: Path) -> str:
    """The generated key: written once, readable by its owner alone, never overwritten."""
    path = data_dir / SECRET_KEY_FILE
    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        if not path.exists():
            _write_once(path, secrets.token_urlsafe(48))
        key = path.read_text().strip()
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise SettingsError(f"{PREFIX}SECRET_KEY: cannot keep a generated one in {path}: {error.strerror}") from error
    if mode & 0o077:
        raise SettingsError(f"{PREFIX}SECRET_KEY: {path} is readable by others; run: chmod 600 {path}")
    if len(key) < SECRET_KEY_MIN:
        raise SettingsError(
            f"{PREFIX}SECRET_KEY: {path} is cut short; restore it: with another one every API key, token and webhook secret is void"
        )
    return key


def _write_once(path: Path, text: str) -> None:
    """Whole or not at all, and the first of two processes wins: written aside, then linked to its name."""
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(aside)
    aside.unlink()
