"""The dashboard in real Chromium: what it shows, by mouse and by key, light and dark, wide and narrow.

With ``LIDO_SCREENSHOTS=FOLDER`` the screens are kept there, to be looked at.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lido.events import dashboard
from lido.events.schema import Event, utc, uuid7
from lido.events.store import EventLog

CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
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
    server = dashboard.serve(log.path, prices={"small": (1.0, 4.0)})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield dashboard.address(server)
    server.shutdown()
    thread.join()
    server.server_close()


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


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    strangers: list[str] = []
    opened.on(
        "request",
        lambda asked: None if asked.url.startswith((address, "data:")) else strangers.append(asked.url),
    )
    opened.goto(address)
    opened.wait_for_selector("#tiles dd")
    yield opened
    opened.close()
    assert problems == []
    assert strangers == [], "nothing from elsewhere"


def tile(page: Any, name: str) -> str:
    return str(page.locator("#tiles > div", has_text=name).first.locator("dd").inner_text())


def look(page: Any, name: str) -> None:
    if folder := os.environ.get("LIDO_SCREENSHOTS"):
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
    look(page, "light")


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
def test_nothing_stands_in_anyones_way(page: Any, scheme: str, width: int) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="needs: pip install axe-playwright-python"
    )
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.reload()
    page.wait_for_selector("#trend canvas")
    look(page, f"{scheme}-{width}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "no scrolling sideways"
    # The page's own policy lets nothing in but its files: the checker is put in by the browser.
    source = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    page.evaluate(source)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = [
        (rule["id"], [node["html"] for node in rule["nodes"]][:3])
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical", "moderate")
    ]
    assert serious == []


def test_without_the_token_or_by_another_name_nothing_is_served(address: str) -> None:
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
