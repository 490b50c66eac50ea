"""What holds for all tests: without its extra one is skipped, and neither chance nor a busy machine makes one fail."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from extras import OF_FILES, need, why_not
from hypothesis import HealthCheck, settings

# `make test` draws the same examples each time. To look for new ones: pytest --hypothesis-profile=search
settings.register_profile("gate", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", settings.get_profile("gate"), derandomize=False, print_blob=True)
settings.load_profile("gate")


class Skipped(pytest.Module):
    """A file of tests that all need what isn't here; it isn't imported."""

    def collect(self) -> list[pytest.Item]:
        """Say why."""
        pytest.skip(str(why_not(_extra_of(self.path))), allow_module_level=True)


def _extra_of(path: Path) -> str:
    return next((extra for begins, extra in OF_FILES.items() if path.name.startswith(begins)), "")


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker."""
    config.addinivalue_line("markers", "needs(*extras): skipped where one of these extras isn't installed")


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Leave out a file whose extra isn't here."""
    extra = _extra_of(module_path)
    return Skipped.from_parent(parent, path=module_path) if extra and why_not(extra) else None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out a test whose extra isn't here."""
    for marker in item.iter_markers("needs"):
        need(*marker.args)


@pytest.fixture
def hears_ctrl_c() -> Iterator[None]:
    """A program that a test starts hears Ctrl-C, also where a shell runs the tests in the background and ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
