"""Python that registers indicators: files, modules, or entry points of other packages, loaded only where `plugins` names them."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from gpubt.errors import ConfigError

GROUP = "gpubt.indicators"  # of entry points

_seen: dict[str, tuple[int, int, str]] = {}  # of a file: time of change, size, digest


def load_plugins(places: Sequence[str], digests: Sequence[str] = ()) -> tuple[list[str], list[str]]:
    """Load each; where they are for any process, and the digests of their sources. `digests`: those that they must have.

    Raises ConfigError for what can't be found or loaded, or has another digest.
    """
    found = [_load(place) for place in places]
    for (place, digest), wanted in zip(found, digests, strict=False):
        if digest != wanted:
            raise ConfigError(f"plugin_digests has {wanted[:16]} for {place}, which has {digest[:16]} now: its code has changed")
    return [place for place, _ in found], [digest for _, digest in found]


def _load(place: str) -> tuple[str, str]:
    if not isinstance(place, str) or not place:
        raise ConfigError(f"plugins must be files, modules or entry points of the group {GROUP}, got {place!r}")
    if place.endswith(".py") or "/" in place:
        path = Path(place).expanduser().absolute()
        return str(path), _file(path)
    return place, _module(place)


def _file(path: Path) -> str:
    try:
        state = path.stat()
        if str(path) in _seen and _seen[str(path)][:2] == (state.st_mtime_ns, state.st_size):
            return _seen[str(path)][2]
        source = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"plugins={path} can't be read: {error.strerror}") from None
    digest = hashlib.sha256(source).hexdigest()
    name = f"gpubt_plugin_{digest[:16]}_{path.stem}"
    if name not in sys.modules:
        module = importlib.util.module_from_spec(importlib.machinery.ModuleSpec(name, None, origin=str(path)))
        module.__file__ = str(path)
        sys.modules[name] = module
        try:
            exec(compile(source, str(path), "exec"), module.__dict__)
        except (Exception, SystemExit) as error:
            del sys.modules[name]
            raise _refused(str(path), error) from error
    _seen[str(path)] = (state.st_mtime_ns, state.st_size, digest)
    return digest


def _module(place: str) -> str:
    from importlib.metadata import entry_points

    before = list(sys.path)
    sys.path.append(str(Path.cwd()))
    try:
        entry = next(iter(entry_points(group=GROUP, name=place)), None)
        module = importlib.import_module(place) if entry is None else sys.modules[entry.module] if entry.load() else None
    except (Exception, SystemExit) as error:
        raise _refused(place, error) from error
    finally:
        sys.path[:] = before
    file = getattr(module, "__file__", None)
    return hashlib.sha256(Path(file).read_bytes() if file else b"").hexdigest()


def _refused(place: str, error: BaseException) -> ConfigError:
    if isinstance(error, ConfigError):
        return ConfigError(f"plugins={place}: {error}")
    return ConfigError(f"plugins={place} can't be loaded: {type(error).__name__}: {' '.join(str(error).split())}")
