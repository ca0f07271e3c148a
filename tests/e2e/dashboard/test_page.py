"""The dashboard in real Chromium: what it shows, by mouse and by key, light and dark, wide and narrow; as
`lido metrics --serve` serves it, and as the collector does to who signs in.

With ``LIDO_SCREENSHOTS=FOLDER`` the screens are kept there, to be looked at.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from lido.events import dashboard, upload
from lido.events.schema import Event, utc, uuid7
from lido.events.store import EventLog

CHROMIUM = shutil.which("chromium")


@dataclass
class Served:
    """Where the page is, and who may see it."""

    address: str
    token: str = ""
    """Of a reader of every team; none is asked for where it is empty."""
    one_team: str = ""
    """Of a reader of team-1."""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    chance = random.Random(1)
    log = EventLog(tmp_path_factory.mktemp("log") / "events.sqlite3")
    now = time.time()
    for number in range(1200):
        at = now - chance.random() * 27 * 86_400
        language = chance.choice(["python", "python", "typescript", "go", "<b>bold</b>"])
        person = chance.randint(1, 9)
        one = Event(
            uuid7(), utc(at), uuid7(), "requested", chance.choice(["completion", "completion", "chat"]),
            language=language, team=f"team-{person % 3}", user=f"person-{person}", project="shop", model="small",
            editor=chance.choice(["Visual Studio Code", "Neovim"]),
        )  # fmt: skip
        log.record(one)
        if number % 5 == 0:
            continue
        latency = chance.lognormvariate(5.5, 0.6)
        log.record(
            replace(one, id=uuid7(), kind="shown", latency_ms=latency, first_token_ms=latency / 2, lines=2, characters=40,
                    prompt_tokens=900, completion_tokens=20)
        )  # fmt: skip
        kind: Any = chance.choices(
            ["accepted", "partially_accepted", "rejected", "ignored"], [28, 6, 50, 16]
        )[0]
        log.record(replace(one, id=uuid7(), kind=kind, accepted_lines=2 if kind == "accepted" else None))
        if kind == "accepted":
            for after, reason in ((30, ""), (120, ""), (600, ""), (900, "commit")):
                log.record(
                    replace(one, id=uuid7(), kind="retained", after_seconds=after, reason=reason,
                            retained_fraction=max(0.0, 1 - chance.random() * after / 1800))
                )  # fmt: skip
    log.close()
    return log.path


@pytest.fixture(scope="module")
def by_log(log: Path) -> Iterator[Served]:
    server = dashboard.serve(log, prices={"small": (1.0, 4.0)})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield Served(dashboard.address(server))
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def by_collector(log: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`lido collect` with the same events, for a reader of all three teams."""
    home = tmp_path_factory.mktemp("home")
    (home / "config.toml").write_text(
        '[models.small]\nmodel = "small"\nprompt_price = 1.0\ncompletion_price = 4.0\n'
    )
    lido = [sys.executable, "-m", "lido", "collect"]
    environment = {**os.environ, "LIDO_HOME": str(home), "LIDO_CONFIG": str(home / "config.toml")}

    def token(*words: str) -> str:
        done = subprocess.run(
            [*lido, "token", "add", *words], env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    writer = token("writer")
    teams = [word for number in range(3) for word in ("--team", f"team-{number}")]
    reader = token("board", "--role", "reader", *teams)
    one = token("one-team", "--role", "reader", "--team", "team-1")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = subprocess.Popen([*lido, "--port", str(port)], env=environment)
    address = f"http://127.0.0.1:{port}/"
    try:
        until = time.monotonic() + 30
        while True:
            try:
                httpx.get(f"{address}healthz")
                break
            except httpx.TransportError:
                assert time.monotonic() < until, "the collector does not answer"
                time.sleep(0.05)
        upload.begin(log)
        while batch := upload.pending(log):
            headers = {"Authorization": f"Bearer {writer}"}
            answer = httpx.post(f"{address}v1/events", json=batch, headers=headers)
            assert answer.json()["stored"] == len(batch), answer.text
            upload.done(log, [str(event["id"]) for event in batch])
        upload.end(log)
        yield Served(address, reader, one)
    finally:
        running.terminate()
        running.wait(20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs: pip install playwright")
    if CHROMIUM is None:
        pytest.skip("needs: apt-get install chromium")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                  "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        )  # fmt: skip
        yield chromium
        chromium.close()


@pytest.fixture(scope="module", params=["log", "collector"])
def served(request: pytest.FixtureRequest) -> Served:
    return request.getfixturevalue(f"by_{request.param}")  # type: ignore[no-any-return]


@pytest.fixture
def page(browser: Any, served: Served) -> Iterator[Any]:
    with opened(browser, served) as page:
        if served.token:
            sign_in(page, served.token)
        page.wait_for_selector("#tiles dd")
        yield page


@contextmanager
def opened(browser: Any, served: Served) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    # The browser itself tells of a refused request.
    page.on(
        "console",
        lambda said: (
            problems.append(said.text)
            if said.type == "error" and not (served.token and re.search("status of (401|403)", said.text))
            else None
        ),
    )
    strangers: list[str] = []
    page.on(
        "request",
        lambda asked: (
            None if asked.url.startswith((served.address, "data:")) else strangers.append(asked.url)
        ),
    )
    page.goto(served.address)
    yield page
    page.close()
    assert problems == []
    assert strangers == [], "nothing from elsewhere"


def sign_in(page: Any, token: str) -> None:
    page.get_by_label("A reader's token").fill(token)
    page.keyboard.press("Enter")


def tile(page: Any, name: str) -> str:
    return str(page.locator("#tiles > div", has_text=name).first.locator("dd").inner_text())


def look(page: Any, name: str) -> None:
    if folder := os.environ.get("LIDO_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def test_it_shows_totals_charts_funnel_and_groups(page: Any) -> None:
    assert tile(page, "Shown") == "960"
    assert tile(page, "Active people") == "9"
    assert tile(page, "Cost") == f"{960 * (900 + 4 * 20) / 1e6:.2f}"
    assert page.locator("#trend canvas").count() == 1
    assert page.locator("#latency canvas").count() == 1
    assert "1,200" in page.locator("#funnel li").first.inner_text()
    assert "%" in page.locator("#kept li").last.inner_text(), "the next commit"
    assert page.locator("#breakdown tbody tr").count() == 4
    assert page.get_by_text("<b>bold</b>").count() == 1, "what was recorded is text"


def test_one_drills_down_by_keyboard_and_comes_back(page: Any) -> None:
    from playwright.sync_api import expect

    everything = tile(page, "Shown")
    page.get_by_role("button", name="Look at language python").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#filters button")
    expect(page.locator("#by")).to_have_value("team")
    expect(page.locator("#tiles dd").first).not_to_have_text(everything)
    assert page.locator("#breakdown tbody tr").count() == 3
    assert "language=python" in page.url
    page.get_by_role("button", name="Remove filter language: python").press("Enter")
    expect(page.locator("#tiles dd").first).to_have_text(everything)


def test_a_week_opens_as_its_days(page: Any) -> None:
    from playwright.sync_api import expect

    page.locator("#by").select_option("week")
    week = page.get_by_role("button", name=re.compile("^Look at week "))
    expect(week.first).to_be_visible()
    name = week.first.inner_text()
    shown = week.first.locator("xpath=../..").locator("td").nth(1).inner_text()
    week.first.press("Enter")
    expect(page.locator("#by")).to_have_value("day")
    first, last = (date.fromisoformat(page.locator(end).input_value()) for end in ("#from", "#to"))
    assert first.strftime("%G-W%V") == last.strftime("%G-W%V") == name
    assert (first.isoweekday(), last.isoweekday()) == (1, 7)
    expect(page.locator("#tiles dd").first).to_have_text(shown)


def test_dates_and_small_groups(page: Any) -> None:
    from playwright.sync_api import expect

    page.get_by_role("button", name="7 days").click()
    expect(page.locator("#tiles dd").first).to_have_text(re.compile(r"^[1-4]\d\d$"))
    page.get_by_label("people").fill("50")
    page.get_by_label("people").press("Tab")
    expect(page.locator("#status")).to_contain_text("so many people")
    assert page.locator("#numbers").is_hidden()


def test_the_charts_are_tables_too(page: Any) -> None:
    page.locator("#trend summary").press("Enter")
    page.wait_for_selector("#trend details tbody tr")
    assert page.locator("#trend details tbody tr").count() == 28


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_stands_in_anyones_way(page: Any, served: Served, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.reload()
    page.wait_for_selector("#trend canvas")
    look(page, f"{'collector' if served.token else 'log'}-{scheme}-{width}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "no scrolling sideways"
    assert findings(page) == []


def findings(page: Any) -> list[Any]:
    """What axe-core has against the page."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="needs: pip install axe-playwright-python"
    )
    # The page's own policy lets nothing in but its files: the checker is put in by the browser.
    source = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    page.evaluate(source)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        (rule["id"], [node["html"] for node in rule["nodes"]][:3])
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical", "moderate")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_one_signs_in_and_out_by_keyboard(browser: Any, by_collector: Served, scheme: str) -> None:
    from playwright.sync_api import expect

    with opened(browser, by_collector) as page:
        page.emulate_media(color_scheme=scheme)
        expect(page.get_by_label("A reader's token")).to_be_focused()
        look(page, f"collector-{scheme}-door")
        assert findings(page) == []
        sign_in(page, "nonsense")
        expect(page.locator("#status")).to_contain_text("A valid token is needed")
        assert page.locator("#numbers").is_hidden()
        sign_in(page, by_collector.one_team)
        page.wait_for_selector("#tiles dd")
        expect(page.locator("#main")).to_be_focused()
        page.locator("#by").select_option("team")
        expect(page.locator("#breakdown tbody tr")).to_have_count(1)
        assert page.get_by_role("button", name="Look at team team-1").count() == 1
        assert by_collector.one_team not in page.evaluate("document.cookie + JSON.stringify(localStorage)")
        page.reload()
        page.wait_for_selector("#tiles dd")
        expect(page.locator("#reader")).to_contain_text("one-team")
        page.get_by_role("button", name="Sign out").press("Enter")
        expect(page.get_by_label("A reader's token")).to_be_focused()
        assert page.locator("#numbers").is_hidden()
        page.reload()
        expect(page.get_by_label("A reader's token")).to_be_visible()
        expect(page.locator("#reader")).to_be_hidden()


def test_filters_and_groups_are_within_reach_of_the_tab_key(page: Any, served: Served) -> None:
    from playwright.sync_api import expect

    page.reload()
    page.wait_for_selector("#tiles dd")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the numbers")).to_be_focused()
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "(document.activeElement.getAttribute('aria-label') || document.activeElement.id"
                " || document.activeElement.textContent).trim()"
            )
        )
        if reached[-1] == "Look at language go":
            break
    wanted = ["7 days", "28 days", "90 days", "from", "to", "people", "As a table", "by", "Breakdown table"]
    if served.token:
        wanted.insert(0, "leave")
    order = [name for number, name in enumerate(reached) if name not in reached[:number]]
    assert [name for name in order if name in wanted] == wanted
    page.keyboard.press("Enter")
    page.wait_for_selector("#filters button")
    assert "language=go" in page.url


def test_without_the_token_or_by_another_name_nothing_is_served(by_log: Served) -> None:
    address = by_log.address

    def status(url: str, host: str = "") -> int:
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, headers={"Host": host} if host else {})
            ) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    root = address[: address.index("/", 8)]
    assert status(address) == 200
    assert status(f"{root}/") == 404
    assert status(f"{root}/wrong/v1/metrics") == 404
    assert status(address, "evil.example:80") == 404
    assert status(f"{address}dashboard/../../../../etc/passwd") == 404
    assert status(f"{address}v1/metrics?by=nonsense%27--") == 400
    with urllib.request.urlopen(f"{address}v1/metrics?by=team&min_people=4") as answer:
        assert json.load(answer)["rows"] == []
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
