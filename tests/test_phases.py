"""Phases: times add up, exceptions pass, and a profiler sees the ranges."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gpubt import phases
from gpubt.phases import Phases

# A profiler in miniature: NVTX loads it through NVTX_INJECTION64_PATH, and it prints the ranges of domains. Event attributes begin with
# u16 version, u16 size, u32 category, i32 colour type, u32 colour, i32 payload type, i32 reserved, i64 payload, i32 message type, message.
PROFILER = r"""
#include <stdio.h>
#include <stdlib.h>
typedef struct { unsigned short version, size; unsigned category; int color_type; unsigned color; int payload_type, reserved;
  long long payload; int message_type; const void *message; } Event;
typedef struct { size_t size; int (*functions)(int module, void ****table, unsigned *count); } Callbacks;
static void *create(const char *name) { printf("domain %s\n", name); return malloc(1); }
static void *text(void *domain, const char *value) { (void)domain; return (void *)value; }
static int push(void *domain, const Event *e) {
  (void)domain;
  printf("push %s %lld\n", (const char *)e->message, e->payload_type == 2 ? e->payload : -1);
  return 0;
}
static int pop(void *domain) { (void)domain; printf("pop\n"); return 0; }
static void destroy(void *domain) { (void)domain; }
int InitializeInjectionNvtx2(const void *(*export_table)(unsigned)) {
  const Callbacks *callbacks = export_table(1);
  void ***table;
  unsigned count;
  callbacks->functions(5, &table, &count);
  *table[4] = push; *table[5] = pop; *table[10] = text; *table[12] = create; *table[14] = destroy;
  setvbuf(stdout, 0, _IONBF, 0);
  return 1;
}
"""
PROFILED = """
from gpubt.phases import Phases
phases = Phases()
with phases.phase("ingest", bars=7, sets=1):
    with phases.phase("slice"):
        pass
try:
    with phases.phase("scan", bars=8):
        raise ValueError
except ValueError:
    pass
"""


def test_seconds_and_calls_in_the_order_of_first_use() -> None:
    run = Phases()
    for name in ("ingest", "scan", "ingest"):
        with run.phase(name):
            time.sleep(0.002)
    record = run.record()
    assert list(record) == ["ingest", "scan"]
    assert [phase["calls"] for phase in record.values()] == [2, 1]
    assert record["ingest"]["seconds"] >= 0.004
    assert run.total() == sum(phase["seconds"] for phase in record.values())


def test_the_time_of_an_inner_phase_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 12.0, 12.5, 32.5, 33.0, 35.0])  # begin of scan, indicators, write; end of write, indicators, scan
    monkeypatch.setattr("gpubt.phases.perf_counter", lambda: next(clock))
    run = Phases()
    with run.phase("scan"), run.phase("indicators"), run.phase("write"):
        pass
    record = run.record()
    assert list(record) == ["scan", "indicators", "write"] and all(phase["calls"] == 1 for phase in record.values())
    assert [phase["seconds"] for phase in record.values()] == [4.0, 1.0, 20.0]


class StandIn:
    """A device whose clock counts its marks."""

    def __init__(self, waits: list[str]) -> None:
        self.waits, self.marks = waits, 0

    def mark(self) -> int:
        self.marks += 1
        return self.marks

    def between(self, start: int, end: int) -> float:
        return float(end - start)

    def wait(self) -> None:
        self.waits.append("wait")


class Watcher:
    """What phases tell a profiler."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def enter(self, name: str) -> None:
        self.told.append(name)

    def leave(self) -> None:
        self.told.append("left")


def test_the_device_has_its_own_time_of_which_an_inner_phase_has_its_share() -> None:
    run, device = Phases(), StandIn([])
    with run.phase("scan", device=device), run.phase("indicators", device=device), run.phase("write"):
        pass
    record = run.record()
    # four marks: 1 scan, 2 indicators, 3 end of indicators, 4 end of scan
    assert [record[name]["device_seconds"] for name in ("scan", "indicators", "write")] == [2.0, 1.0, None]
    assert device.waits == []


def test_a_watcher_hears_of_every_phase_and_part() -> None:
    run, watcher, parts = Phases(), Watcher(), []
    told = phases.profiled_by(watcher), phases.parts_to(lambda *part: parts.append(part))
    with told[0], told[1], run.phase("scan"), run.phase("indicators"), phases.part("ema", 24, bars=3), phases.part("inner"):
        time.sleep(0.002)
    assert watcher.told == ["scan", "indicators", "left", "left"]
    (inner, ema) = parts
    assert inner[0] == "inner" and inner[1] >= 0.002 and inner[2:] == (0, None)
    assert ema[0] == "ema" and ema[1] < 0.002 and ema[2:] == (3, 24)


def test_the_wait_counts_and_runs_only_after_success() -> None:
    waits: list[str] = []
    run = Phases()
    device = StandIn(waits)
    with run.phase("scan", device=device):
        assert waits == []
    assert waits == []  # nothing waits for a device unless somebody watches
    with phases.profiled_by(Watcher()), run.phase("scan", device=device):
        time.sleep(0.003)
    assert waits == ["wait"]
    assert run.record()["scan"]["seconds"] >= 0.003
    with phases.profiled_by(Watcher()), pytest.raises(KeyboardInterrupt), run.phase("simulate", device=device):
        raise KeyboardInterrupt
    assert waits == ["wait"]
    assert run.record()["simulate"]["calls"] == 1
    with run.phase("metrics"):  # the failed phase did not stay open
        pass
    assert "metrics" in run.record()


def test_it_works_without_nvtx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phases, "_nvtx", lambda: None)
    run = Phases()
    with run.phase("scan", bars=3):
        pass
    assert run.record()["scan"]["calls"] == 1


def test_a_phase_costs_microseconds() -> None:
    run = Phases()
    best = 1.0
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(1000):
            with run.phase("scan", bars=1):
                pass
        best = min(best, (time.perf_counter() - start) / 1000)
    assert best < 50e-6


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("cc") is None, reason="no C compiler to build a profiler with")
def test_a_profiler_sees_balanced_ranges_with_payloads(tmp_path: Path) -> None:
    pytest.importorskip("nvtx")
    (tmp_path / "profiler.c").write_text(PROFILER)
    subprocess.run(["cc", "-shared", "-fPIC", "-w", "-o", tmp_path / "profiler.so", tmp_path / "profiler.c"], check=True)
    environment = {
        **os.environ,
        "NVTX_INJECTION64_PATH": str(tmp_path / "profiler.so"),
        "PYTHONPATH": str(Path(phases.__file__).parents[1]),
    }
    seen = subprocess.run([sys.executable, "-c", PROFILED], env=environment, capture_output=True, text=True, check=True).stdout.splitlines()
    assert "domain gpubt" in seen
    ranges = [line for line in seen if line.startswith(("push", "pop"))]
    assert ranges == ["push ingest 7", "push slice -1", "pop", "pop", "push scan 8", "pop"]
