"""The style, as functions from a text to findings: each finding says the line and what is wrong with it."""

import ast
import re
from collections.abc import Iterator
from functools import cache

FUNCTION_LINES_MAX = 60

_WALL_CLOCK = re.compile(r"\btime\.time(_ns)?\(|\bdatetime\.(now|utcnow|today)\(|\bdate\.today\(")
_METRIC_CLASSES = {"Counter", "Gauge", "Histogram", "Summary", "Info", "Enum"}
_WORKPLACE = re.compile(
    r"(?<!user.)\b(sub-?)?agents?\b"
    r"|\b(coding|work|this|previous|earlier|later|next|other|another|parallel) session\b(?!s? (has )?(ended|time))"
    r"|\bissues? #?\d+\b|\bworkplace\b|\b(chat|language model|LLM|prompt)s?\b",
    re.IGNORECASE,
)
_PLACES = re.compile(
    r"(?<![\w.])/(work|root|farm|home/\w+|tmp/\w+)/"
    r"|://[^\s/]*(pypi|pythonhosted|artifactory|jfrog|nexus|maven|registry\.npmjs|proxy\.golang|goproxy)"
    r"|--(extra-)?index-url\b",
)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


@cache
def _parsed(source: str) -> ast.Module:
    return ast.parse(source)


def long_functions(source: str) -> Iterator[str]:
    """Find functions that do not fit on a screen."""
    for node in ast.walk(_parsed(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield f"{node.lineno}: {node.name} has {lines} lines, at most {FUNCTION_LINES_MAX} are wanted"


def wall_clock_reads(source: str) -> Iterator[str]:
    """Find where the wall clock is asked instead of a `Clock`."""
    for number, line in enumerate(source.splitlines(), start=1):
        if _WALL_CLOCK.search(line):
            yield f"{number}: asks for the time; take a runtime.clock.Clock, or a number, as an argument"


def prints(source: str) -> Iterator[str]:
    """Find calls of `print`."""
    for node in ast.walk(_parsed(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield f"{node.lineno}: prints; log it, or return it to a command"


def relative_imports(source: str) -> Iterator[str]:
    """Find imports that begin with a dot."""
    for node in ast.walk(_parsed(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield f"{node.lineno}: imports by a relative name"


def more_than_a_docstring(source: str) -> Iterator[str]:
    """Find what is in a package's `__init__.py` beside its docstring."""
    body = _parsed(source).body
    if not body or ast.get_docstring(_parsed(source)) is None:
        yield "1: has no docstring"
    for node in body[1:]:
        yield f"{node.lineno}: holds more than a docstring; give it a module with a name"


def metric_imports(source: str) -> Iterator[str]:
    """Find where a class of metrics is taken from the client library."""
    for node in ast.walk(_parsed(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "prometheus_client":
            for name in node.names:
                if name.name in _METRIC_CLASSES:
                    yield f"{node.lineno}: declares a metric of its own; runtime/metrics.py is the place"


def declared_metrics(source: str) -> list[str]:
    """Return the names of the metrics that a module declares."""
    return [
        node.targets[0].id
        for node in _parsed(source).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        if isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name)
        if node.value.func.id in _METRIC_CLASSES
    ]


def used_names(source: str) -> set[str]:
    """Return every name and attribute that a module reads."""
    tree = _parsed(source)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return names | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def foreign_words(text: str) -> Iterator[str]:
    """Find words about how the project is worked on, and names of machines and places."""
    for number, line in enumerate(text.splitlines(), start=1):
        for pattern in (_WORKPLACE, _PLACES):
            if found := pattern.search(line):
                yield f"{number}: says {found[0]!r}, which nobody outside understands"


def relative_links(markdown: str) -> Iterator[str]:
    """Yield the targets of links to files, without their anchors."""
    for target in _LINK.findall(markdown):
        path: str = target.partition("#")[0]
        if path and "://" not in path and not path.startswith("mailto:"):
            yield path
