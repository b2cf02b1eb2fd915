"""A file of bars on disk: what stands at its ends, and whether it stays the same while it is read."""

from __future__ import annotations

from pathlib import Path

from gpubt.errors import DataError

HEAD = 1 << 16  # bytes


class InputFile:
    """`head`: its first bytes, `tail`: its last four, `size` in bytes. Raises DataError for what is no readable file, or empty."""

    def __init__(self, path: Path, kind: str) -> None:
        self.path, self.where = path, f"data.path={path}"
        try:
            with path.open("rb") as file:
                self.head = file.read(HEAD)
                self.size = file.seek(0, 2)
                file.seek(max(0, self.size - 4))
                self.tail = file.read(4)
            self._state = self._stat()
        except FileNotFoundError:
            raise DataError(f"{self.where} does not exist; give an existing {kind} file") from None
        except IsADirectoryError:
            raise DataError(f"{self.where} is a directory; give one {kind} file in it") from None
        except OSError as error:
            raise DataError(f"{self.where} can't be read: {error.strerror}") from None
        if not self.size:
            raise DataError(f"{self.where} is empty (0 bytes); give a {kind} file")

    def _stat(self) -> tuple[int, int, int]:
        status = self.path.stat()
        return status.st_size, status.st_mtime_ns, status.st_ino

    @property
    def state(self) -> tuple[str, int, int, int]:
        """What tells this file from others, and from itself after a change."""
        return str(self.path.resolve()), *self._state

    def check_unchanged(self) -> None:
        """Raise DataError if another size, time of change or file stands at the path than when it was opened."""
        try:
            same = self._stat() == self._state
        except OSError:
            same = False
        if not same:
            raise DataError(f"{self.where} was changed while it was read; run again when nothing writes to it")


def is_csv(path: Path) -> bool:
    """Whether the name ends like a CSV file's."""
    name = path.name.lower().removesuffix(".gz").removesuffix(".zst")
    return name.endswith((".csv", ".tsv", ".txt"))
