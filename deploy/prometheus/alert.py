"""What an alert is, and how it becomes a Prometheus rule. Pure."""

from dataclasses import dataclass
from typing import Any, Literal

RUNBOOKS_URL = "docs/runbooks"
"""Where the runbooks are read, unless the renderer is told: their place in the sources, which is true everywhere."""

Severity = Literal["page", "ticket"]
Rule = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One alert; `page` wakes a person, `ticket` waits for the morning.

    `says` is one sentence for whoever is woken, with labels as `{{ $labels.x }}`; `first` is what to look at first.
    """

    name: str
    expr: str
    held_for: str
    severity: Severity
    says: str
    first: str
    runbook: str

    def rule(self, runbooks_url: str) -> Rule:
        """Return the rule, with the runbook below `runbooks_url`."""
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.held_for,
            "labels": {"severity": self.severity},
            "annotations": {
                "summary": self.says,
                "description": self.first,
                "runbook_url": f"{runbooks_url.rstrip('/')}/{self.runbook}.md",
            },
        }


def happened(counter: str, window: str) -> str:
    """Return a query for a counter that rose within `window`.

    A counter with labels is first seen with what happened already in it, which `increase` does not count.
    """
    return f"increase({counter}[{window}]) > 0 or ({counter} > 0 unless {counter} offset {window})"
