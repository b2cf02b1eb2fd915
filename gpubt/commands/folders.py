"""Run folders that Hydra is about to create: those that stay empty, because the run failed, are taken away again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

# deepest first; Hydra makes the callback itself, so what it noted is kept here
_created: list[Path] = []


class FolderWatch(Callback):
    """Hydra's callback (named in conf/config.yaml): notes the folders that do not exist before the run."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Before Hydra creates hydra.run.dir."""
        _note(Path(config.hydra.run.dir))

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Before Hydra creates hydra.sweep.dir."""
        _note(Path(config.hydra.sweep.dir))


def _note(folder: Path) -> None:
    forget()
    folder = folder.absolute()
    for path in (folder, *folder.parents):
        if path.exists():
            break
        _created.append(path)


def forget() -> None:
    """Start over: nothing is ours to remove."""
    _created.clear()


def remove_empty(job: Path | None = None) -> None:
    """Remove an empty folder of one job of several, or else the noted ones up to the first that holds something.

    Hydra's own multirun.yaml does not count.
    """
    if job is not None:
        _remove(job)
        return
    for folder in _created:
        if [path.name for path in folder.glob("*")] == ["multirun.yaml"]:
            (folder / "multirun.yaml").unlink()
        if not _remove(folder):
            break


def _remove(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:  # not empty, or never made
        return not folder.exists()
    return True
