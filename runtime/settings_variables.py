"""Puts environment variables into the configuration: `SEGWIRE_<PATH>` with `__` between levels."""

import types
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel

from runtime.errors import ConfigurationError

PREFIX = "SEGWIRE_"
# Taken as they are, and never shown: a secret that reads as a number or a list is still that text.
SECRETS = frozenset({"secret", "dsn"})


def overlay(tree: dict[str, Any], model: type[BaseModel], name: str, text: str) -> None:
    """Put one variable's value into the tree; keys of maps match what the file spells, whatever the case.

    Where `model` has a list a number names a place in it: one that is there, or the next.

    Raises:
        ConfigurationError: the variable names a place that a list does not have.
    """
    parts = name.removeprefix(PREFIX).split("__")
    node: Any = tree
    annotation: Any = model
    for part in parts[:-1]:
        key = _key(node, part, name)
        annotation = _step(annotation, str(key))
        below = node[key] if isinstance(node, list) else node.get(key)
        if not isinstance(below, (dict, list)):
            below = [] if get_origin(annotation) is list else {}
            node[key] = below
        node = below
    node[_key(node, parts[-1], name)] = text if parts[-1].lower() in SECRETS else _value(text)


def _key(node: Any, part: str, name: str) -> Any:
    if not isinstance(node, list):
        return next((key for key in node if str(key).lower() == part.lower()), part.lower())
    if not part.isdecimal() or int(part) > len(node):
        raise ConfigurationError(
            f"{name}: {part!r} is no place in a list of {len(node)}; places are numbered from 0, without gaps"
        )
    if int(part) == len(node):
        node.append(None)
    return int(part)


def _step(annotation: Any, part: str) -> Any:
    """Return the type below a type; None where there is none, which the check of the whole will say."""
    below: Any = None
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(part)
        below = None if field is None else field.annotation
    elif get_origin(annotation) in (dict, list):
        below = get_args(annotation)[-1]
    return _bare(below)


def _bare(annotation: Any) -> Any:
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        choices = [choice for choice in get_args(annotation) if choice is not type(None)]
        return _bare(choices[0])
    return annotation


def _value(text: str) -> Any:
    """Return a map, a list, or None for `null`; other text as it is: the check of the whole gives it its type."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    if isinstance(value, (dict, list)) or (text and value is None):
        return value
    return text
