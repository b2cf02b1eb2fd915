"""The log of a run: one JSON object a line, in the run folder, and nothing on the screen."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

import gpubt
from gpubt.errors import GpubtError
from gpubt.records.log import LOGGER, MOST, RunLog


def test_a_run_logs_what_it_did(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    result = gpubt.run(["data.frac=0.25"], folder=tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "run.log.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines[:3]] == ["run started", "slice resolved", "backend chosen"]
    by_event = {line["event"]: line for line in lines}
    assert by_event["slice resolved"]["rows"] == result.summary["rows"] and by_event["slice resolved"]["rows_available"] == 150_434
    assert by_event["run finished"]["ledger_digest"] == result.summary["ledger_digest"]
    assert [line["name"] for line in lines if line["event"] == "phase"] == list(result.benchmark["phases"])
    assert [line["text"] for line in lines if line["event"] == "warning"] == result.summary["warnings"]
    assert all(line["time"].endswith("+00:00") and line["level"] in ("info", "warning") for line in lines)
    assert capfd.readouterr() == ("", "")


def test_handlers_and_levels_are_as_before_also_after_an_error() -> None:
    before = (LOGGER.level, list(LOGGER.handlers))
    gpubt.run(["data.frac=0.1"])
    with pytest.raises(GpubtError):
        gpubt.run(["data.frac=2"])
    assert (LOGGER.level, LOGGER.handlers) == before


def test_the_log_is_bounded_and_a_users_handler_sees_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "gpubt"), RunLog() as log:
        for i in range(MOST + 5):
            log.event("step", i=i, value=float("nan"))
    assert len(log.lines) == MOST and len(caplog.records) == MOST + 5
    assert json.loads(log.lines[0])["value"] is None
