"""Reports in a real browser, from a file and without a network: they draw, they answer, and the console stays empty."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import miss

import gpubt
from gpubt.commands.sweep import main as sweep
from gpubt.report.html.write import write_report

QUIET = ("background-networking", "component-update", "sync", "extensions", "default-apps")
EVIL = "</script><img src=x onerror=window.hacked=1>"


@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Headless Chromium with a profile of its own."""
    program = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    try:
        from selenium import webdriver
    except ImportError:
        miss(request.config, "--require-browser", "selenium is not installed: reports were not opened in a browser")
    if program is None or driver is None:
        miss(request.config, "--require-browser", "no Chromium with its driver: reports were not opened in a browser")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    profile = tmp_path_factory.mktemp("profile")
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", f"user-data-dir={profile}"):
        options.add_argument(f"--{argument}")
    for name in QUIET:
        options.add_argument(f"--disable-{name}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield opened
    opened.quit()


@pytest.fixture(scope="module")
def run_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    synthetic = {"source": "synthetic", "symbol": EVIL, "synthetic": {"bars": 50_000}}
    exits = {"stop": {"atr": 2.0}, "target": {"r": 2.0}}
    gpubt.run({"data": synthetic, "exits": exits, "backend": "cpu"}, folder=folder)
    return write_report(folder, most=12)


@pytest.fixture(scope="module")
def sweep_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep") / "one"
    axes = ["strategy.params.fast=range(5,30,5)", "strategy.params.slow=40,60,80", "exits.stop.pct=0.01,0.02"]
    sweep(["backend=cpu", "data.frac=1/16", "progress=false", *axes, "--out", str(folder)])
    return write_report(folder)


def show(browser: Any, path: Path, width: int = 1280, dark: bool = False) -> None:
    """Open the file at this width, and let all of it come into view once."""
    browser.get_log("performance")  # of the browser's own first page too
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    browser.get_log("browser")
    browser.get(path.as_uri())
    browser.execute_script("document.querySelectorAll('.chart').forEach((one) => one.scrollIntoView())")
    wait(lambda: seen_through(browser))


def seen_through(browser: Any) -> bool:
    """Whether every chart is drawn; those that are not come into view."""
    script = """const missing = [...document.querySelectorAll(".chart")].filter((one) => !one.querySelector(".main-svg"));
        if (missing.length) missing[0].scrollIntoView();
        return missing.length === 0;"""
    return bool(browser.execute_script(script))


def wait(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """What the condition gives once it is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "the page did not get there"
        time.sleep(0.02)
    return found


def troubles(browser: Any) -> list[str]:
    """What the console says, and what was asked for from anywhere but the file itself."""
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [one["params"]["request"]["url"] for one in sent if one["method"] == "Network.requestWillBeSent"]
    asked = [url for url in urls if not url.startswith(("file:", "data:", "blob:"))]
    return [entry["message"] for entry in browser.get_log("browser")] + asked


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_a_run_is_drawn(browser: Any, run_report: Path, width: int, dark: bool) -> None:
    show(browser, run_report, width, dark)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script("return window.hacked") is None and browser.title == f"ema_cross on {EVIL}"
    shade = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (max(int(x) for x in shade[4:-1].split(",")) < 60) == dark
    names = browser.execute_script("return [...document.querySelectorAll('.modebar-btn')].map((one) => one.dataset.title)")
    assert set(names) == (set() if width < 600 else {"Zoom", "Pan", "Zoom in", "Zoom out", "Reset axes"})  # none that sends data
    assert troubles(browser) == []


def test_zoom_hover_keyboard_and_theme(browser: Any, run_report: Path) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    show(browser, run_report)
    level = "return document.getElementById('level').textContent"
    before = browser.execute_script(level)
    assert "of 3 bars for 50,000 bars" in before
    pane = browser.find_element(By.CSS_SELECTOR, "#bars-chart .nsewdrag")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", pane)
    ActionChains(browser, 50).move_to_element(pane).click_and_hold().move_by_offset(20, 0).release().perform()
    after = wait(lambda: (text := browser.execute_script(level)) != before and text)
    assert "of 3 bars each" in after and "Zoom in for finer ones" in before
    browser.execute_script("Plotly.Fx.hover('equity-chart', [{curveNumber: 0, pointNumber: 3}], 'xy')")
    wait(lambda: browser.execute_script("return document.querySelectorAll('#equity-chart .hoverlayer text').length"))
    title = browser.find_element(By.ID, "trade-title")
    first = title.text
    browser.find_element(By.ID, "next").send_keys(Keys.ENTER)
    assert title.text != first and "2 of 12" in title.text
    browser.find_element(By.ID, "next").send_keys(Keys.ARROW_RIGHT)
    assert "3 of 12" in title.text and browser.find_element(By.CSS_SELECTOR, "#events li").text.startswith("Bar ")
    shade = "return getComputedStyle(document.body).backgroundColor + document.querySelector('#equity-chart .ytick text').style.fill"
    light = browser.execute_script(shade)
    browser.find_element(By.ID, "theme").send_keys(Keys.SPACE)
    wait(lambda: browser.execute_script(shade).split(")")[0] != light.split(")")[0])
    wait(lambda: browser.execute_script(shade).split(")")[1] != light.split(")")[1])
    term = browser.find_element(By.CSS_SELECTOR, ".cards .term")
    browser.execute_script("arguments[0].focus()", term)
    assert "final equity / capital - 1" in term.text
    assert troubles(browser) == []


@pytest.mark.parametrize(("width", "dark"), [(1280, True), (390, False)])
def test_a_sweep_is_drawn_over_any_two_axes(browser: Any, sweep_report: Path, width: int, dark: bool) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.select import Select

    show(browser, sweep_report, width, dark)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    shown = """const one = document.getElementById("surface-chart");
        return [one.layout.xaxis.title.text, one.layout.yaxis.title.text, one.data[0].z.length];"""
    assert browser.execute_script(shown) == ["fast", "slow", 3]
    Select(browser.find_element(By.ID, "x-axis")).select_by_visible_text("slow")
    wait(lambda: browser.execute_script(shown) == ["slow", "fast", 5])
    Select(browser.find_element(By.ID, "y-axis")).select_by_visible_text("pct")
    wait(lambda: browser.execute_script(shown) == ["slow", "pct", 2])
    Select(browser.find_element(By.ID, "rest")).select_by_index(3)
    Select(browser.find_element(By.ID, "figure")).select_by_visible_text("trades")
    wait(lambda: browser.execute_script("return document.getElementById('surface-chart').data[0].z[0][0] > 1"))
    assert troubles(browser) == []
