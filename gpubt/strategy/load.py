"""From `strategy._target_` to the class or function that it names.

Python code is loaded only where the user names it. What was executed is what the digest is of, and a configuration that has a digest
runs that code and no other.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.abc import SourceLoader
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from gpubt.errors import ConfigError, accepted
from gpubt.strategy.python import Strategy, checked

KEY = "strategy._target_"
FORMS = "MODULE.NAME, MODULE:NAME or FILE.py:NAME"


@dataclass(frozen=True)
class Code:
    """A class or a function that a strategy is made of. `vectors`: it gives arrays, not rules."""

    target: str
    made: Any
    digest: str
    file: str

    @property
    def name(self) -> str:
        """What it is called."""
        return str(self.made.__name__)

    @property
    def vectors(self) -> bool:
        """Whether `signals` makes its signals."""
        return not isinstance(self.made, type) or hasattr(self.made, "signals")

    def params(self, given: Any) -> dict[str, Any]:
        """Every parameter with its value. Raises ConfigError."""
        declared = self.made.declared() if hasattr(self.made, "declared") else {}
        return checked(declared, given, self.name)

    @contextmanager
    def explained(self, doing: str) -> Iterator[None]:
        """What the user's code raises, as one sentence with the place."""
        try:
            yield
        except ConfigError as error:
            raise ConfigError(f"{self.target}{_place(error, self.file)}: {error}") from error
        except Exception as error:
            raise ConfigError(f"{KEY}={self.target}: {doing} raised {_raised(error, self.file)}") from error


_loaded: dict[tuple[str, str], Code] = {}  # by target and digest: a run uses the code that was there when it was composed


def find(target: str, folders: Sequence[Path] = ()) -> str:
    """`target` as any process that starts here can load it: a file, or a module that can't be imported, is looked for in `folders` too."""
    place, name = _parts(target)
    if _is_file(place):
        file = Path(place)
        here = file.expanduser().is_file()
    else:
        file = Path(*place.split(".")).with_suffix(".py")
        here = _importable(place)
    path = None if here else next((folder / file for folder in folders if (folder / file).is_file()), None)
    return target if path is None else f"{path}:{name}"


def load(target: str, digest: str | None = None) -> Code:
    """The class or function `target`, of a module or of a file; with `digest` the code that had it.

    Raises ConfigError for a target that can't be found, imported or used, or that has another digest now.
    """
    if digest is not None and (target, digest) in _loaded:
        return _loaded[target, digest]
    place, name = _parts(target)
    made, source, file = (_from_file if _is_file(place) else _from_module)(target, place, name)
    code = Code(target, made, hashlib.sha256(source).hexdigest(), file)
    _refuse_unfit(code)
    if digest is not None and digest != code.digest:
        raise ConfigError(f"strategy.source_digest is {digest[:16]}, and {target} has {code.digest[:16]} now: its code has changed")
    return _loaded.setdefault((target, code.digest), code)


def _parts(target: str) -> tuple[str, str]:
    """Module or file, and the name in it."""
    place, _, name = target.rpartition(":" if ":" in target else ".")
    if not place or not all(part.isidentifier() for part in name.split(".")):
        raise ConfigError(f"{KEY} must be {FORMS}, got {target!r}")
    return place, name


def _importable(module: str) -> bool:
    with _also([Path.cwd()]):
        try:
            return importlib.util.find_spec(module) is not None
        except Exception:  # of a package on the way; importing says what is wrong
            return module in sys.modules


def _refuse_unfit(code: Code) -> None:
    if isinstance(code.made, type):
        if not issubclass(code.made, Strategy):
            raise ConfigError(f"{KEY}={code.target} must be a subclass of gpubt.Strategy, got the class {code.name}")
    elif not isinstance(code.made, FunctionType):
        raise ConfigError(f"{KEY}={code.target} must be a subclass of gpubt.Strategy or a function, got {code.made!r}")


def _is_file(place: str) -> bool:
    return place.endswith(".py") or "/" in place or "\\" in place


def _from_file(target: str, place: str, name: str) -> tuple[Any, bytes, str]:
    path = Path(place).expanduser()
    try:
        source = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{KEY}={target}: {path} can't be read: {error.strerror}") from None
    file = str(path.absolute())
    loader = _Source(source, file)
    spec = importlib.util.spec_from_loader(f"gpubt_strategy_{hashlib.sha256(source).hexdigest()[:16]}_{path.stem}", loader)
    assert spec is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # dataclasses and the like look it up
    with _importing(target, file, [path.absolute().parent]):
        loader.exec_module(module)
    return _member(module, name, target), source, file


class _Source(SourceLoader):
    """Imports exactly these bytes: Python's own loader takes its compiled copy of a file that was edited twice in one second."""

    def __init__(self, source: bytes, file: str) -> None:
        self._source, self._file = source, file

    def get_filename(self, fullname: str) -> str:
        """The path, for tracebacks."""
        return self._file

    def get_data(self, path: str | bytes) -> bytes:
        """The source; nothing compiled is kept."""
        if path != self._file:
            raise OSError
        return self._source


def _from_module(target: str, place: str, name: str) -> tuple[Any, bytes, str]:
    with _importing(target, place, [Path.cwd()]):
        module = importlib.import_module(place)
    made, file = _member(module, name, target), getattr(module, "__file__", None) or ""
    try:
        source = Path(file).read_bytes() if file else inspect.getsource(made).encode()
    except (OSError, TypeError):
        source = b""  # typed at a prompt: there is nothing to read
    return made, source, file


def _member(module: ModuleType, name: str, target: str) -> Any:
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            own = {one: value for one, value in vars(found).items() if isinstance(value, type | FunctionType) and not one.startswith("_")}
            names = [one for one, value in own.items() if value.__module__ == module.__name__]
            raise ConfigError(f"{KEY}={target}: no {part!r} in it; {accepted(names, part)}")
        found = getattr(found, part)
    return found


@contextmanager
def _importing(target: str, file: str, folders: Sequence[Path]) -> Iterator[None]:
    """What importing raises is one sentence."""
    try:
        with _also(folders):
            yield
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{KEY}={target} can't be loaded: {_raised(error, file)}") from error


@contextmanager
def _also(folders: Sequence[Path]) -> Iterator[None]:
    """Modules are found in `folders` too, after all others."""
    before = list(sys.path)
    sys.path.extend(str(folder) for folder in folders)
    try:
        yield
    finally:
        sys.path[:] = before


def _raised(error: BaseException, file: str) -> str:
    """`ValueError: no such thing (my.py, line 12)`."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{_place(error, file)}"


def _place(error: BaseException, file: str) -> str:
    """The deepest line of the user's file."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" ({Path(file).name}, line {line})" if line is not None else ""
