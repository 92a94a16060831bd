"""Reads the configuration: a YAML file, then the environment, checked as a whole."""

import difflib
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from runtime.errors import ConfigurationError
from runtime.settings import Settings
from runtime.settings_variables import PREFIX, SECRETS, overlay

DEFAULT_PATH = Path("segwire.yaml")

Tree = dict[str, Any]


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read and check the whole configuration.

    Args:
        path: the file named by `--config`; None reads `segwire.yaml` where there is one, else built-in defaults.
        environ: the environment; every variable that starts with `SEGWIRE_` must name a setting.

    Raises:
        ConfigurationError: with every finding: the key, the value and the nearest valid name.
    """
    tree = _read(path)
    origin = str(path or DEFAULT_PATH)
    for name in sorted(environ):
        if name.startswith(PREFIX):
            overlay(tree, Settings, name, environ[name])
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        lines = sorted({_explain(finding) for finding in error.errors()})
        raise ConfigurationError(
            f"the configuration ({origin} and SEGWIRE_ variables) is wrong:\n" + "\n".join(f"  {x}" for x in lines)
        ) from None


def _read(path: Path | None) -> Tree:
    chosen = path or DEFAULT_PATH
    try:
        text = chosen.read_text(encoding="utf-8")
    except FileNotFoundError:
        if path is None:
            return {}
        raise ConfigurationError(
            f"--config {path}: there is no such file; name another or leave the option out"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{chosen}: cannot be read ({error}); mend its permissions or encoding (UTF-8)"
        ) from None
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{chosen}: not valid YAML: {str(error).replace(chr(10), ' ')}") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigurationError(
            f"{chosen}: must hold settings as `section: {{key: value}}`, not {type(tree).__name__}"
        )
    return tree


def _explain(finding: Any) -> str:
    where = [str(part) for part in finding["loc"]]
    path = ".".join(where)
    if finding["type"] == "extra_forbidden":
        variable = PREFIX + "__".join(where).upper()
        return f"{path} ({variable} as a variable): unknown key{_nearest(path)}"
    message = str(finding["msg"]).removeprefix("Value error, ")
    if not where:
        return message
    return f"{path}: {message}; it is {_shown(where, finding['input'])}"


def _shown(where: list[str], value: Any) -> str:
    """Return a wrong value for people to read, without any secret."""
    if where[-1] in SECRETS:
        return "not shown; put it in quotes if it is a number"
    return repr(_masked(value))


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: "***" if key in SECRETS else _masked(below) for key, below in value.items()}
    return [_masked(item) for item in value] if isinstance(value, list) else value


def _nearest(path: str) -> str:
    valid = list(setting_paths(Settings))
    found = difflib.get_close_matches(path, valid, n=1, cutoff=0.5)
    if not found:
        last = path.rpartition(".")[2]
        found = [x for x in valid if x.rpartition(".")[2] == last] or sorted(Settings.model_fields)
        return f"; valid here: {', '.join(found[:12])}"
    return f"; the nearest valid one is {found[0]}"


def setting_paths(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the path of every section and setting below `model`; `*` stands for a name that the user gives."""
    for name, field in model.model_fields.items():
        path = prefix + name
        yield path
        yield from _below(field.annotation, path)


def _below(annotation: Any, path: str) -> Iterator[str]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from setting_paths(annotation, f"{path}.")
    elif get_origin(annotation) in (dict, list):
        yield from _below(get_args(annotation)[-1], f"{path}.*")
    elif get_origin(annotation) in (Union, types.UnionType):
        for choice in get_args(annotation):
            yield from _below(choice, path)
