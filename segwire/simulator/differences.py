"""What was found to differ: counts with a few examples each."""

from typing import Literal

import msgspec

from segwire.simulator.model import Key

Sort = Literal["lost", "wrong", "phantom", "duplicates", "gaps"]
EXAMPLES_MAX = 10


class Example(msgspec.Struct, frozen=True):
    """One difference. `message` is the number of the message that decided what was expected."""

    destination_id: str
    aam_uuid: str
    segment_id: str
    expected: str
    got: str
    message: int | None = None


class Difference(msgspec.Struct):
    """One sort of difference: how many, and the first few."""

    count: int = 0
    examples: list[Example] = msgspec.field(default_factory=list)

    def add(self, key: Key, *, expected: str, got: str, message: int | None = None) -> None:
        """Count one."""
        self.count += 1
        if len(self.examples) < EXAMPLES_MAX:
            self.examples.append(Example(*key, expected=expected, got=got, message=message))

    def and_also(self, other: "Difference") -> "Difference":
        """Return both together."""
        return Difference(self.count + other.count, (self.examples + other.examples)[:EXAMPLES_MAX])


class Differences(msgspec.Struct, frozen=True, kw_only=True):
    """All sorts.

    `lost`: must be there, or ACTIVE, and is not. `wrong`: another status or cause. `phantom`: published, but no
    message named it. `duplicates`: published twice. `gaps`: changes that do not follow from each other, or do not
    end in the row.
    """

    lost: Difference
    wrong: Difference
    phantom: Difference
    duplicates: Difference
    gaps: Difference

    @property
    def total(self) -> int:
        """How many in all; 0 is a run without a finding."""
        return sum(getattr(self, sort).count for sort in self.__struct_fields__)
