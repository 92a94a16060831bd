"""Where a registry has which schema."""

import pytest

from schemas.avro_schema import RECORD_NAMES
from schemas.subjects import Subject, subjects, value_subject
from schemas.topics import AAM_POSTS, SEGMENT_MEMBERSHIP, TOPICS


def test_values_are_found_by_the_topic_s_name_on_the_cluster() -> None:
    assert value_subject("eu.", SEGMENT_MEMBERSHIP) == Subject("eu.segment-membership-value", "SegmentMembership")


def test_a_key_without_a_frame_claims_no_subject_of_framed_keys() -> None:
    found = subjects("eu.", TOPICS)
    assert Subject("segwire.SegmentMembershipKey", "SegmentMembershipKey") in found
    assert not [subject for subject in found if subject.name.endswith("-key")]


def test_every_schema_has_one_subject() -> None:
    assert sorted(subject.record for subject in subjects("", TOPICS)) == sorted(RECORD_NAMES)


def test_a_topic_without_avro_has_no_subject() -> None:
    with pytest.raises(ValueError, match="aam-posts are not Avro"):
        value_subject("", AAM_POSTS)
