"""The floor of free disk space."""

from pathlib import Path

from server.disk import DiskFloor


class Clock:
    """Time that passes when told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_above_the_floor_writes_are_taken_and_below_it_not(tmp_path):
    assert not DiskFloor(tmp_path).low()
    assert not DiskFloor(tmp_path, floor_bytes=1).low()
    assert DiskFloor(tmp_path, floor_bytes=2**60).low()


def test_it_looks_once_a_second(tmp_path, caplog):
    clock = Clock()
    floor = DiskFloor(tmp_path, floor_bytes=1, clock=clock)
    assert not floor.low()
    floor.floor_bytes = 2**60
    clock.now += 0.9
    assert not floor.low(), "not looked yet"
    clock.now += 0.2
    assert floor.low()
    floor.floor_bytes = 1
    clock.now += 1.1
    assert not floor.low()
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"], "told once when it changes"


def test_somebody_elses_database_has_no_floor_here():
    floor = DiskFloor(None, floor_bytes=2**60)
    assert not floor.low()
    assert floor.free_bytes() is None


def test_a_folder_that_is_gone_is_the_databases_to_report():
    assert not DiskFloor(Path("/nowhere"), floor_bytes=2**60).low()
