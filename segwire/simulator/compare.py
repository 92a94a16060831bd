"""Holds what is published against what must be true."""

from segwire.simulator.differences import Difference, Differences
from segwire.simulator.model import Expectation, Key, Model
from segwire.simulator.published import LastChange, Published, Row

_CAUSES = {"ACTIVE": "QUALIFIED", "INACTIVE": "DISQUALIFIED"}


def compare(model: Model, published: Published) -> Differences:
    """Return every difference between the model and the topics as read so far."""
    lost, wrong, phantom, gaps = Difference(), Difference(), Difference(), Difference()
    for key, expected in model.expectations():
        _check_row(key, expected, published.rows.get(key), lost, wrong)
    for key, row in published.rows.items():
        if key not in model:
            phantom.add(key, expected="nothing: no message named it", got=_row_text(row))
        _check_agreement(key, row, published.changes.get(key), gaps)
    for key in published.changes.keys() - published.rows.keys():
        gaps.add(key, expected="a row that agrees with the last change", got="no row")
    return Differences(
        lost=lost,
        wrong=wrong,
        phantom=phantom,
        duplicates=published.duplicates,
        gaps=published.gaps.and_also(gaps),
    )


def _check_row(key: Key, expected: Expectation, row: Row | None, lost: Difference, wrong: Difference) -> None:
    if row is None:
        if not expected.may_be_absent:
            lost.add(key, expected=_expected_text(expected), got="no row", message=expected.message)
        return
    allowed = expected.may_be_active if row.status == "ACTIVE" else expected.may_be_inactive
    if allowed and row.cause == _CAUSES[row.status]:
        return
    is_lost = not allowed and row.status == "INACTIVE"
    sort = lost if is_lost else wrong
    sort.add(key, expected=_expected_text(expected), got=_row_text(row), message=expected.message)


def _check_agreement(key: Key, row: Row, last: LastChange | None, gaps: Difference) -> None:
    """The last change and the row tell the same, but for a row of a membership that was never entered."""
    if last is None:
        if row.status == "ACTIVE":
            gaps.add(key, expected="ENTERED in the change log", got=f"no change, and the row {_row_text(row)}")
        return
    agrees = (row.status, row.since) == (last.status, last.since) and row.version >= last.version
    if not agrees:
        stands = f"{last.status} since {last.since} (version {last.version}), as the last change says"
        gaps.add(key, expected=stands, got=_row_text(row))


def _row_text(row: Row) -> str:
    return f"{row.status} ({row.cause}) since {row.since} (version {row.version})"


def _expected_text(expected: Expectation) -> str:
    allowed = [
        text
        for text, is_allowed in (
            ("ACTIVE (QUALIFIED)", expected.may_be_active),
            ("INACTIVE (DISQUALIFIED)", expected.may_be_inactive),
            ("no row", expected.may_be_absent),
        )
        if is_allowed
    ]
    return f"{' or '.join(allowed)} as of {expected.at_s * 1000}"
