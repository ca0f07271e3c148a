"""What every test shares: its own LIDO_HOME and configuration, and hypothesis without wall-clock limits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "lido",
    deadline=None,  # two cores, shared: time limits would test the machine
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ],
    max_examples=int(os.environ.get("LIDO_TEST_EXAMPLES", "60")),
)
settings.load_profile("lido")

# The models that were fetched once serve every test; all else is the test's own.
SHARED_MODELS = os.environ.get("LIDO_HOME")


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("LIDO_HOME", str(home))
    monkeypatch.setenv("LIDO_CONFIG", str(home / "config.toml"))
    return home


@pytest.fixture
def shared_data() -> Path:
    """Evaluation material that lies beside a checkout, where it does."""
    path = Path(__file__).parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip("the evaluation data is not beside this checkout")
    return path
