"""Hydra's, OmegaConf's and YAML's exceptions in one sentence: the key, the value, what is accepted, and the nearest name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import fields

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf import Container, DictConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationResolutionError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)
from yaml import MarkedYAMLError

from gpubt.config import Config
from gpubt.errors import ConfigError, accepted
from gpubt.schema import expected, groups, mapping_keys, unknown_key


def explain(error: BaseException) -> ConfigError:
    """The sentence for whatever composing raised. Raises `error` again where that is no fault of the input."""
    place = re.match(r"In '([^']+)': ", str(error))
    file = f"{place[1]}.yaml: " if place and place[1] != "config" else ""
    cause = _omegaconf(error)
    if isinstance(error, OverrideParseException):
        return ConfigError(unreadable(error.override))
    if isinstance(error, MissingConfigException):
        return ConfigError(file + _missing_file(error))
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark
        where = f"{mark.name}, line {mark.line + 1}, column {mark.column + 1}" if mark else "a configuration file"
        return ConfigError(f"{where}: not valid YAML: {error.problem or error.context}")
    if isinstance(error, UnicodeDecodeError):
        return ConfigError(f"a configuration file is not UTF-8 text: {error.reason} at byte {error.start}")
    if cause is not None:
        return ConfigError(file + _value(cause, _argument(error), file.partition("/")[0]))
    return ConfigError(_hydra(error))


def refuse_keyless(overrides: Iterable[str]) -> None:
    """Raise ConfigError for `=1` and the like, of which Hydra says something else."""
    for override in overrides:
        if not override.partition("=")[0].strip("+~ "):
            raise ConfigError(f"{override!r} has no key: give key=value or group=option")


def unreadable(override: str) -> str:
    """Why an override can't be read, and the form of it that can."""
    key, equals, value = override.partition("=")
    if not equals:
        return f"{override!r} is not an override: give key=value or group=option{_option_hint(override)}"
    if not re.fullmatch(r"[+~]{0,2}[A-Za-z_][\w./@:-]*", key, re.ASCII):
        return f"{key!r} in {override!r} is not a key: " + accepted((f.name for f in fields(Config)), key)
    form = quoted(key, value)
    return f"the value of {override!r} has characters that need quotes" + (f": gpubt run {shlex.quote(form)}" if form else "")


def quoted(key: str, value: str) -> str | None:
    """`key="value"` as Hydra reads it back to exactly this text, or None if no quoting does."""
    texts = [value] if "${" not in value else []
    if value[:1] in ("'", '"'):  # an opened quote was not meant to be part of the value
        texts.insert(0, value.strip(value[0]))
    for text in texts:
        for quote in ('"', "'"):
            form = f"{key}={quote}{text.replace(quote, chr(92) + quote)}{quote}"
            try:
                if str(OverridesParser.create().parse_override(form).value()) == text:
                    return form
            except HydraException:
                continue
    return None


def _option_hint(word: str) -> str:
    found = [group for group, options in groups().items() if word in options]
    return f" (did you mean {found[0]}={word}?)" if found else ""


def _omegaconf(error: BaseException) -> OmegaConfBaseException | None:
    """The OmegaConf exception inside: itself, its cause, or what was handled when it was raised."""
    seen: BaseException | None = error
    for _ in range(4):
        if seen is None or isinstance(seen, OmegaConfBaseException):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def _argument(error: BaseException) -> str:
    """The override that Hydra names in its message, or an empty text."""
    found = re.match(r"Error merging override (.*)|.*\nTo append to your config use \+(.*)", str(error))
    return (found[1] or found[2] or "") if found else ""


def _value(error: OmegaConfBaseException, override: str, group: str) -> str:
    """A key that does not exist, a value of another type, or an interpolation that leads nowhere; `group` of the file it stands in."""
    key = str(error.full_key or override.partition("=")[0].lstrip("+~") or "")
    message = str(error.msg or error).splitlines()[0]
    if isinstance(error, MissingMandatoryValue):
        return f"{key} must be given: add {key}=..."
    if isinstance(error, InterpolationResolutionError):
        return f"{key}: {message[0].lower()}{message[1:]}"
    if isinstance(error, (ConfigKeyError, ConfigAttributeError)):
        parent = error.parent_node
        names = [str(name) for name in parent if name != "hydra"] if isinstance(parent, DictConfig) and not parent._is_none() else []
        return unknown_key(key, names)
    if override.startswith("~"):
        return f"{override} can't be left out: set {key} to another value instead"
    misplaced = re.match(r"Merge error: .* is not a subclass of (\w+)\. value: (.*)", message)
    if misplaced:
        keys = [known for known in mapping_keys(misplaced[1]) if known.startswith(group)]
        return f"{' or '.join(keys)} must be {expected(keys[0])}, got {misplaced[2]}" if keys else message
    wanted = expected(key)
    return f"{key} must be {wanted}{_got(error, message, override)}" if wanted else f"{key}: {message}" if key else message


def _got(error: OmegaConfBaseException, message: str, override: str) -> str:
    value = OmegaConf.to_container(error.value) if isinstance(error.value, Container) else error.value
    if value is not None:
        return f", got {value!r}"
    if "not Optional" in message or "Incompatible value 'None'" in message:
        return ", got null"
    return f", got {override.partition('=')[2]}" if "=" in override else ""


def _missing_file(error: MissingConfigException) -> str:
    group, _, option = (error.missing_cfg_file or "").rpartition("/")
    listed = re.search(r"Available options in '([^']*)'", str(error))
    if error.options and listed:
        group, option = listed[1], (error.missing_cfg_file or "").removeprefix(f"{listed[1]}/")
        return f"{group}={option} is not known; {accepted(sorted(error.options), option)}"
    if not group:
        return f"there is no configuration file {option}.yaml: leave out --config-name, or add its folder with --config-dir"
    return f"{group}={option} is not known"


def _hydra(error: BaseException) -> str:
    """What is left of Hydra's own checks: values that sweep, choices of groups, folders."""
    message = str(error)
    swept = re.match(r"Ambiguous value for argument '(.*)'\n|Sweep parameters '(.*)' requires", message)
    if swept:
        override = swept[1] or swept[2]
        form = quoted(*override.split("=", 1))
        one = f" as one value it is gpubt run {shlex.quote(form)};" if form and swept[1] else ""
        return f"{override} names several values:{one} -m runs each of them"
    unmatched = re.match(r"(?:In '[^']*': )?Could not override '([^']*)'", message)
    if unmatched:
        key = unmatched[1]
        return f"{key} is not a group: {accepted(groups(), key.partition('@')[0])}"
    deleted = re.match(r"Could not delete from config. '([^']*)' does not exist", message)
    if deleted:
        return f"~{deleted[1]}: there is no such key"
    if message.startswith("Config group override must be"):
        return "a group takes the name of one of its options, such as exits=from_strategy (gpubt list groups), got another type"
    if isinstance(error, (ConfigCompositionException, HydraException, ValueError)):
        return " ".join(message.split()) or type(error).__name__
    raise error
