"""`segwire privacy`: requests to remove a user."""

import json
import uuid
from pathlib import Path

import click

from segwire.cli.options import config_option, data_dir_option, json_option, read_settings

_EPILOG = """\b
Examples:
  segwire privacy delete --aam-uuid 19393572368547369350319949416899715727
  segwire privacy delete --dpid 20915 --partner-uuid EA7583CD-A667-48BC-B806-42ECB2B48606
"""


@click.group(name="privacy")
def command() -> None:
    """Remove users on request (GDPR, CCPA, opt-out)."""


@command.command(name="delete", epilog=_EPILOG)
@config_option
@data_dir_option
@click.option("--aam-uuid", help="The user's Audience Manager UUID.")
@click.option("--dpid", type=click.IntRange(0), help="The data source of the partner ID.")
@click.option("--partner-uuid", help="The partner's ID or device ID of the user.")
@json_option
def delete(
    config: Path | None, data_dir: Path | None, aam_uuid: str | None, dpid: int | None, partner_uuid: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Request a removal, by the user or by a partner ID (every user who has it).

    Every membership of the user ends with cause PRIVACY, naming every synced partner ID; what was sent before never
    brings the user back. The rows are deleted after membership.tombstone_after_days.
    """
    if (aam_uuid is None) == (partner_uuid is None):
        raise click.UsageError("name one user: --aam-uuid UUID, or --partner-uuid ID with its --dpid")
    if aam_uuid is not None and dpid is not None:
        raise click.UsageError("--dpid goes with --partner-uuid")
    if not (aam_uuid or partner_uuid):
        raise click.UsageError("the ID is empty")

    from runtime.clock import SystemClock
    from runtime.kafka.requests import send_one
    from schemas.privacy import (
        IdentityRecord,
        PrivacyRequest,
        encode_identity,
        encode_privacy_request,
        identity_key,
    )
    from schemas.topics import TopicNames
    from segwire.cli.connection import connected_settings

    kafka = connected_settings(read_settings(config, data_dir)).kafka
    names = TopicNames(kafka.topic_prefix)
    now_ms = SystemClock().now_ms()
    request_id = uuid.uuid4().hex
    if aam_uuid is not None:
        request = PrivacyRequest(aam_uuid=aam_uuid, requested_at=now_ms, request_id=request_id)
        topic, key, value = names.segment_events, aam_uuid.encode(), encode_privacy_request(request)
    else:
        partner = partner_uuid or ""
        record = IdentityRecord(
            kind="privacy", dpid=dpid, partner_uuid=partner, at=now_ms, request_id=request_id
        )  # fmt: skip
        topic, key, value = names.identity, identity_key(dpid, partner), encode_identity(record)
    partition, offset = send_one(kafka, topic, key, value)
    if as_json:
        where = {"topic": topic, "partition": partition, "offset": offset}
        click.echo(json.dumps({"request_id": request_id, "requested_at": now_ms, **where}))
        return
    click.echo(f"removal {request_id} requested: {topic}[{partition}]@{offset}")
    if aam_uuid is not None:
        click.echo(f"see it done with: segwire explain {aam_uuid}")
