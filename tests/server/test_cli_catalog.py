"""`scrip catalog` against a real database of a data folder."""

import asyncio
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from credits.db import Database
from credits.workspaces import ensure_workspace
from server import migrate
from server.cli_catalog import CatalogError, app
from server.embedded import EmbeddedPostgres

DOCUMENT = dedent("""\
    creditTypes: [{key: ai, name: AI credits, scale: 3}]
    features: [{key: tokens, name: Tokens, eventType: llm.tokens, quantity: tokens, unit: token}]
    rateCards:
      - cohort: default
        effectiveAt: 2026-01-01T00:00:00Z
        rates:
          - {feature: tokens, creditType: ai, perUnit: 0.001}
          - {feature: tokens, creditType: ai, perUnit: "0.010", match: {model: large, size: 0.5}, rounding: UP}
    bundles: [{key: ai-10, name: "10 credits", creditType: ai, credits: 10, price: {amount: "5.00", currency: USD}}]
    """)


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """A data folder with its database running, as beside a server; the commands use it too."""
    with tempfile.TemporaryDirectory(prefix="scrip-catalog-") as folder:
        Path(folder).chmod(0o755)  # as root, PostgreSQL runs as another user, who has to enter
        with EmbeddedPostgres(Path(folder)) as url:
            asyncio.run(migrate.upgrade(url))
            yield Path(folder)


@pytest.fixture
def workspace(data_dir: Path, request: pytest.FixtureRequest) -> str:
    """An empty workspace of this test's own."""

    async def make() -> str:
        with EmbeddedPostgres(data_dir) as url:
            store = await Database.connect(url, size=1)
            now = datetime(2026, 1, 1, tzinfo=UTC)
            made = await ensure_workspace(store, request.node.name, test_mode=True, now=now)
            await store.close()
            return made.name

    return asyncio.run(make())


class Scrip:
    """The commands, each on the same workspace."""

    def __init__(self, data_dir: Path, workspace: str) -> None:
        self.options = ["--data-dir", str(data_dir), "--workspace", workspace]

    def __call__(self, *arguments: str, text: str | None = None) -> Result:
        return CliRunner().invoke(app, [*arguments, *self.options], input=text)


@pytest.fixture
def scrip(data_dir: Path, workspace: str) -> Scrip:
    return Scrip(data_dir, workspace)


def test_diff_shows_apply_does_and_the_second_time_there_is_nothing_to_do(scrip: Scrip, tmp_path: Path) -> None:
    file = tmp_path / "catalog.yaml"
    file.write_text(DOCUMENT)
    shown = scrip("diff", str(file), "--exit-code")
    assert shown.exit_code == 2
    assert shown.stdout == dedent("""\
        + creditTypes[ai]  new
        + features[tokens]  new
        + rateCards[default]  new version 1, from 2026-01-01T00:00:00Z
            + tokens: 0.001 ai per unit, HALF_EVEN
            + tokens where model is large, size is 0.5: 0.01 ai per unit, UP
        + bundles[ai-10]  new
        """)
    applied = scrip("apply", str(file))
    assert applied.exit_code == 0
    assert applied.stdout == f"{shown.stdout}\napplied: the catalog is at version 1\n"
    again = scrip("diff", str(file), "--exit-code")
    assert (again.exit_code, again.stdout) == (0, "nothing to change\n")
    assert scrip("apply", str(file)).stdout == "nothing to change\n"


def test_a_price_change_shows_what_it_was_and_what_it_becomes(scrip: Scrip) -> None:
    scrip("apply", "-", text=DOCUMENT)
    text = DOCUMENT.replace("0.010", "0.012").replace("name: AI credits", "name: Sparks")
    changed = scrip("apply", "-", text=text.replace("cohort: default", "cohort: default\n    existing: follow"))
    assert changed.stdout == dedent("""\
        ~ creditTypes[ai]  changed
            ~ name: AI credits → Sparks
        + rateCards[default]  new version 2, from 2026-01-01T00:00:00Z
            ~ existing customers follow
            - tokens where model is large, size is 0.5: 0.01 ai per unit, UP
            + tokens where model is large, size is 0.5: 0.012 ai per unit, UP

        applied: the catalog is at version 2
        """)


def test_what_is_exported_is_yaml_that_changes_nothing(scrip: Scrip) -> None:
    scrip("apply", "-", text=DOCUMENT)
    exported = scrip("export").stdout
    assert yaml.safe_load(exported)["rateCards"][0]["rates"][0]["perUnit"] == "0.001"
    assert scrip("diff", "-", "--exit-code", text=exported).stdout == "nothing to change\n"


def test_a_refused_document_says_every_path_and_changes_nothing(scrip: Scrip) -> None:
    refused = scrip(
        "apply", "-", text=DOCUMENT.replace("perUnit: 0.001", "perUnitt: 0.001").replace("scale: 3", "scale: 9")
    )
    assert refused.exit_code == 1
    assert refused.stdout == ""
    assert refused.stderr == dedent("""\
        scrip: standard input is refused, nothing was changed
          creditTypes[0].scale: must be a whole number from 0 to 6
          rateCards[0].rates[0].perUnit: is missing
          rateCards[0].rates[0].perUnitt: is no field of this document; do you mean perUnit?
        """)
    assert yaml.safe_load(scrip("export").stdout)["creditTypes"] == []


@pytest.mark.parametrize(
    ("arguments", "text", "said"),
    [
        (["apply", "/nowhere/catalog.yaml"], None, "/nowhere/catalog.yaml: cannot be read: No such file"),
        (["apply", "-"], "a: 1\na: 2", "standard input: line 2, column 1: 'a' is there twice"),
    ],
)
def test_what_stops_a_command_is_one_line(scrip: Scrip, arguments: list[str], text: str | None, said: str) -> None:
    stopped = scrip(*arguments, text=text)
    assert isinstance(stopped.exception, CatalogError)
    assert str(stopped.exception).startswith(said)


def test_an_unknown_workspace_is_told_with_the_known_ones(data_dir: Path, workspace: str) -> None:
    stopped = CliRunner().invoke(app, ["export", "--data-dir", str(data_dir), "--workspace", "nope"])
    assert isinstance(stopped.exception, CatalogError)
    assert str(stopped.exception).startswith("there is no workspace 'nope'; there is: ")
    assert workspace in str(stopped.exception)
