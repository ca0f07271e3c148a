"""What every test shares: its own LIDO_HOME and configuration, and hypothesis without wall-clock limits."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
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
DEFAULT_HOME = Path(platformdirs.user_data_dir("lido", appauthor=False))


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


@pytest.fixture
def engine_home(_own_home: Path) -> Path:
    """A home of the test's own, with the embedded models that are on this machine."""
    from lido.models import fetch
    from lido.settings import DEFAULT_MODEL, Home

    shared = Home(Path(SHARED_MODELS)) if SHARED_MODELS else Home(DEFAULT_HOME)
    if not fetch.present(DEFAULT_MODEL, shared):
        if os.environ.get("LIDO_TEST_ENGINE"):
            pytest.fail(f"LIDO_TEST_ENGINE is set, but {DEFAULT_MODEL} is not in {shared.models}")
        pytest.skip(f"the model is not here: lido model pull {DEFAULT_MODEL}")
    (_own_home / "models").symlink_to(shared.models)
    return _own_home
