"""The documentation says what works: every command in it runs, every example in Python too, and the site builds without a warning."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import yaml

from gpubt import cli

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
# Commands that other tests run, or that need a device, and why they don't run here
ELSEWHERE = {
    "gpubt warmup": "compiles everything: tests/test_warmup.py",
    "gpubt bench": "times: tests/test_bench_command.py",
    "backend=cuda": "needs a device",
    "profile=nsys": "needs Nsight Systems: tests/test_profile.py",
    "--resume": "needs an interrupted sweep: tests/test_sweep_store.py",
}
COMMAND = re.compile(r"^(?: {4}|\$ )?(gpubt (?:run|sweep|top|replay|report|explain|data|info|list|compare|check)\b.*)$")


def commands(page: Path) -> list[str]:
    """The commands that stand on lines of their own in code."""
    found, code = [], False
    for line in page.read_text().splitlines():
        code ^= line.startswith("```")
        if (code or line.startswith("    gpubt")) and (match := COMMAND.match(line)):
            found.append(match[1].strip())
    return found


ALL = [(page, command) for page in PAGES for command in dict.fromkeys(commands(page))]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that the pages name: bars, a calendar, entries, a run, a sweep, a strategy of one's own."""
    desk = tmp_path_factory.mktemp("desk")
    (desk / "sample").symlink_to(ROOT / "sample")
    rng, n = np.random.default_rng(7), 4_000
    close = 50.0 * np.exp(np.cumsum(rng.normal(0.0, 0.004, n)))
    time = (np.arange(n) * 3_600_000_000_000 + 1_500_000_000_000_000_000).astype("datetime64[ns]")
    first = np.concatenate([close[:1], close[:-1]])
    prices = {"open": first, "high": np.maximum(first, close) * 1.001, "low": np.minimum(first, close) * 0.999, "close": close}
    bars = pa.table({"timestamp": time, **prices, "volume": np.full(n, 100.0)})
    named = bars.append_column("symbol", pa.array(["ADI"] * n)).append_column("split", pa.array(np.ones(n)))
    pq.write_table(named, desk / "bars.parquet")
    pq.write_table(bars.append_column("symbol", pa.array(["WALK"] * n)), desk / "walk.parquet")
    pyarrow.csv.write_csv(bars, desk / "bars.csv")
    renamed = bars.rename_columns(["Date", "open", "high", "low", "Adj Close", "volume"])
    with pa.CompressedOutputStream(str(desk / "bars.csv.gz"), "gzip") as out:
        pyarrow.csv.write_csv(renamed, out)
    entry = {"time": bars["timestamp"].slice(100, 3), "side": pa.array(["long", "short", "long"])}
    pq.write_table(pa.table(entry), desk / "entries.parquet")
    (desk / "crash.csv").write_text("start,end\n2015-06-15,2015-09-01\n")
    own = desk / "my" / "strategy"
    own.mkdir(parents=True)
    (own / "dip.yaml").write_text(re.findall(r"```yaml\n(name: dip.*?)```", (ROOT / "docs" / "start.md").read_text(), re.DOTALL)[0])
    return desk


def runnable(command: str, desk: Path) -> list[str]:
    """The command's words, with its placeholders filled in."""
    words = shlex.split(command, comments=True)[1:]
    done = ("DIR", "sweeps/DATE/TIME", *(["first"] if "--out" not in words else []))  # `first` is what a command before it wrote
    return [str(desk / "run") if word == "outputs/DATE/TIME" else str(desk / "done") if word in done else word for word in words]


@pytest.mark.parametrize(("page", "command"), ALL, ids=[f"{page.stem}: {command[:70]}" for page, command in ALL])
def test_every_command_on_the_pages_runs(page: Path, command: str, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part, why in ELSEWHERE.items():
        if part in command:
            pytest.skip(why)
    monkeypatch.chdir(desk)
    if not (desk / "done" / "results.parquet").exists():
        sweep = ["sweep", "strategy.params.fast=range(5,30)", "strategy.params.slow=60,80,100", "--out", str(desk / "done")]
        assert cli.main([*sweep, "progress=false", "data.frac=0.1"]) == 0
        assert cli.main(["run", "strategy=trend_pullback", "progress=false", f"hydra.run.dir={desk / 'run'}"]) == 0
    words = runnable(command, desk)
    assert cli.main(words) == 0


def test_the_examples_in_python_run(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    for code in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "start.md").read_text(), re.DOTALL):
        exec(compile(code, "start.md", "exec"), {})


def test_every_page_is_in_the_navigation() -> None:
    def pages(nav: object) -> list[str]:
        return [nav] if isinstance(nav, str) else [one for part in (nav.values() if isinstance(nav, dict) else nav) for one in pages(part)]  # type: ignore[attr-defined]

    listed = pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    assert sorted(listed) == sorted(path.name for path in (ROOT / "docs").iterdir() if path.suffix in (".md", ".ipynb"))
