"""What the benchmarks of the embed make of their measurements; measuring itself is `scrip bench --only embed --only peers`."""

import random
import sys
from pathlib import Path

import pytest

from server.bench import packing, peers
from server.bench.embedding import Load, figures_of, longest_work_ms
from server.bench.packing import NotMeasured, Packed, Peer, complaint_of, entry_of, pack

PEER = Peer("peer", "peer/react", beside=("what-it-wants",))


def load(**differs: float) -> Load:
    return Load(
        **{
            "shown_ms": 700.0,
            "script_ms": 160.0,
            "arrived_ms": 400.0,
            "shift": 0.0,
            "longest_ms": 0.0,
        }
        | differs
    )


@pytest.mark.parametrize(
    ("loads", "ok"),
    [
        ([load()] * 3, [True, True, True]),
        ([load(shown_ms=801.0)] * 3, [False, True, True]),
        ([load(), load(shown_ms=5_000.0), load()], [True, True, True]),  # one that something disturbed
        ([load(shift=0.001)] * 3, [True, False, True]),
        ([load(longest_ms=51.0)] * 3, [True, True, False]),
    ],
)
def test_the_median_load_is_held_against_the_limits(loads: list[Load], ok: list[bool]):
    assert [figure.ok for figure in figures_of(loads, bare=load(shift=0.1))] == ok


def test_it_is_said_what_moves_without_the_rules_and_how_long_it_took_from_the_script():
    shown, shift, _ = figures_of([load()], bare=load(shift=0.125))
    assert "540 ms from the script's request" in shown.measured
    assert "0.125 without" in shift.measured


def test_the_longest_task_is_one_of_the_page_with_its_script_and_not_of_another_process():
    task = {"name": "RunTask", "pid": 7, "tid": 1, "ts": 1_450_000, "dur": 1}
    before = task | {"ts": 1_300_000, "dur": 99_000, "tdur": 80_000}
    events = [before, task | {"tdur": 3_000}, task | {"tdur": 41_500}, task, task | {"pid": 8, "tdur": 90_000}]
    shown = {"name": "shown", "pid": 7, "tid": 1, "ts": 1_700_000}
    assert longest_work_ms([*events, shown], load(shown_ms=700.0, arrived_ms=400.0)) == 41.5
    late = before | {"dur": 101_000}  # the script came while it ran
    assert longest_work_ms([late, shown], load(shown_ms=700.0, arrived_ms=400.0)) == 80


def test_bytes_are_compared_compressed_and_react_apart_is_for_information():
    script = random.Random(1).randbytes(40_000)
    with_react, apart = peers.sizes_of(10_000, Packed(PEER, "1.2.3", script, script[:5_000]))
    assert with_react.value is not None
    assert with_react.value.median == pytest.approx(0.25, rel=0.01)
    assert with_react.ok is True
    assert "peer 1.2.3" in with_react.name
    assert apart.value is not None
    assert apart.value.median == pytest.approx(2, rel=0.01)
    assert apart.ok is None


def test_a_bundle_keeps_all_of_the_module_and_what_mounts_it():
    entry = entry_of(PEER)
    assert '"peer/react"' in entry
    assert "react-dom/client" in entry


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("npm error code E404\nnpm error 404 Not Found\n", "E404"),
        ("npm ERR! code ENOTFOUND\nnpm ERR! more\n", "ENOTFOUND"),
        ("\n  something else\nand more", "something else"),
        ("", "it does not say why"),
    ],
)
def test_what_npm_complains_of(printed: str, said: str):
    assert complaint_of(printed) == said


def test_without_npm_nothing_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(packing, "_NODE", tmp_path)
    with pytest.raises(NotMeasured, match="no npm"):
        pack(PEER, tmp_path)


def test_an_npm_that_reaches_nothing_is_no_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    npm = tmp_path / "npm"
    npm.write_text(f"#!{sys.executable}\nimport sys\nprint('npm error code ENOTFOUND', file=sys.stderr)\nsys.exit(1)\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(packing, "_ESBUILD", npm)
    with pytest.raises(NotMeasured, match="ENOTFOUND"):
        pack(PEER, tmp_path)
