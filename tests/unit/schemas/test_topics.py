"""The manifest of topics."""

from schemas.topics import MEMBERSHIP_STATE, TOPICS, outbound_state, topics_for


def test_every_outbound_destination_has_a_changelog_of_its_own() -> None:
    *common, first, second = topics_for(["partner-a", "partner-b"])
    assert tuple(common) == TOPICS
    assert (first.name, second.name) == ("outbound-state-partner-a", "outbound-state-partner-b")
    assert first.configuration() == MEMBERSHIP_STATE.configuration()
    assert outbound_state("partner-a") == first
    assert first.partitioning == "aam_uuid"
