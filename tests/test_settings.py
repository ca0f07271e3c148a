"""Where settings come from, and what happens to the wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lido import settings
from lido.settings import Settings, load, narrow


def read(tmp_path: Path, text: str, **sources: object) -> tuple[Settings, list[str]]:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    loaded, problems = load(path=path, environ={}, **sources)  # type: ignore[arg-type]
    return loaded, [str(problem) for problem in problems]


def test_without_any_source_the_embedded_model_serves_every_role(tmp_path: Path) -> None:
    loaded, problems = load(path=tmp_path / "absent.toml", environ={})
    assert problems == []
    assert loaded.role("completion") == loaded.role("chat") == loaded.role("plan") == ["local"]
    assert loaded.models["local"].provider == "embedded"


def test_later_sources_win(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[completion]\ndebounce_ms = 10\nmax_lines = 5\n")
    loaded, problems = load(
        editor={"completion": {"max_lines": 7}},
        environ={"LIDO_COMPLETION__DEBOUNCE_MS": "20", "LIDO_HOME": "/x"},
        path=path,
    )
    assert problems == []
    assert (loaded.completion.debounce_ms, loaded.completion.max_lines) == (20, 7)


def test_an_unknown_key_is_named_with_its_place_and_the_nearest_known_one(tmp_path: Path) -> None:
    loaded, problems = read(tmp_path, "[completion]\ndebounce = 10\nmax_lines = 5\n")
    assert loaded.completion.max_lines == 5
    assert len(problems) == 1
    assert "config.toml: completion.debounce: unknown setting. Did you mean 'debounce_ms'?" in problems[0]


def test_an_unknown_key_of_a_model_lists_what_is_allowed(tmp_path: Path) -> None:
    loaded, problems = read(tmp_path, '[models.a]\nprovider = "openai"\nurl = "http://x"\n')
    assert loaded.models["a"].provider == "openai"
    assert "models.a.url" in problems[0]
    assert "base_url" in problems[0]


def test_a_wrong_type_is_left_out_and_the_rest_works(tmp_path: Path) -> None:
    loaded, problems = read(tmp_path, '[completion]\nmax_lines = "many"\nenabled = false\n')
    assert loaded.completion.max_lines == 24
    assert loaded.completion.enabled is False
    assert "completion.max_lines" in problems[0]
    assert "many" in problems[0]


def test_malformed_toml_is_reported_and_defaults_hold(tmp_path: Path) -> None:
    loaded, problems = read(tmp_path, "[completion\nmax_lines = 3")
    assert loaded == Settings()
    assert "not valid TOML" in problems[0]


def test_a_role_that_names_no_model_is_reported_and_falls_back(tmp_path: Path) -> None:
    loaded, problems = read(tmp_path, '[models.a]\n[roles]\nchat = ["nobody", "a"]\nplan = "ghost"\n')
    assert loaded.role("chat") == ["a"]
    assert loaded.role("plan") == ["local"] or loaded.role("plan") == ["a"]
    assert any("nobody" in p for p in problems)
    assert any("ghost" in p for p in problems)


def test_a_repository_cannot_redirect_requests_set_keys_or_allow_commands(tmp_path: Path) -> None:
    (tmp_path / ".lido.toml").write_text(
        '[models.local]\nprovider = "openai"\nbase_url = "http://evil"\n'
        '[plan]\nallow_commands = ["rm"]\ntest_command = "make check"\n'
        '[events]\notlp_endpoint = "http://evil"\nproject = "shop"\n'
        '[embedded]\nmirror = "http://evil"\n'
    )
    loaded, problems = load(path=tmp_path / "absent", environ={}, roots=[tmp_path])
    assert loaded.models == Settings().models
    assert loaded.embedded.mirror == ""
    assert loaded.plan.allow_commands == ()
    assert loaded.plan.test_command == "make check"
    assert loaded.events.project == "shop"
    assert loaded.events.otlp_endpoint == ""
    assert {p.key for p in problems} >= {"models.local", "plan.allow_commands", "embedded.mirror"}


def test_a_repository_can_only_narrow() -> None:
    problems: list[settings.Problem] = []
    off = Settings.model_validate(
        {"completion": {"enabled": False, "max_lines": 5}, "privacy": {"ignore": ["a"]}}
    )
    wide = {"completion": {"enabled": True, "max_lines": 50}, "privacy": {"ignore": ["b"]}}
    narrowed = narrow(off, wide, ".lido.toml", problems)
    assert narrowed.completion.enabled is False
    assert narrowed.completion.max_lines == 5
    assert narrowed.privacy.ignore == ("a", "b")
    assert narrow(Settings(), {"completion": {"max_lines": 3}}, "x", problems).completion.max_lines == 3
    assert problems == []


def test_settings_are_frozen() -> None:
    with pytest.raises(Exception, match="frozen"):
        Settings().completion.enabled = False  # type: ignore[misc]


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(sorted(Settings.model_fields))
keys = st.sampled_from(
    ["local", "provider", "enabled", "languages", "max_lines", "chat", "ignore", "nonsense"]
)


@given(st.dictionaries(names, st.dictionaries(keys, json, max_size=4) | json, max_size=4))
def test_whatever_the_editor_sends_settings_load_and_say_what_is_wrong(section: dict[str, object]) -> None:
    loaded, _ = load(editor=section, environ={}, path=Path("/nonexistent"))
    assert loaded.role("completion")


@given(st.dictionaries(names, st.dictionaries(keys, json, max_size=4) | json, max_size=4))
def test_whatever_a_repository_says_models_and_permissions_stay(section: dict[str, object]) -> None:
    mine = Settings()
    narrowed = narrow(mine, section, "x", [])
    assert (narrowed.models, narrowed.roles, narrowed.embedded) == (mine.models, mine.roles, mine.embedded)
    assert narrowed.plan.allow_commands == ()
    assert narrowed.completion.max_lines <= mine.completion.max_lines
