-- Who is in which segment now, and why: the topic segment-membership.
CREATE TABLE segment_membership (
    client_id text COLLATE "C" NOT NULL,
    destination_id text COLLATE "C" NOT NULL,
    aam_uuid text COLLATE "C" NOT NULL,
    segment_id text COLLATE "C" NOT NULL,
    status text NOT NULL,
    since timestamptz NOT NULL,
    verified_at timestamptz NOT NULL,
    expires_at timestamptz,
    cause text NOT NULL,
    version bigint NOT NULL,
    partners jsonb NOT NULL,
    regions jsonb NOT NULL,
    source_offset bigint NOT NULL,
    PRIMARY KEY (client_id, destination_id, aam_uuid, segment_id)
);
COMMENT ON COLUMN segment_membership.source_offset IS
    'Offset of the record that this row is from; a tombstone deletes only what came before it.';

-- Every entry and exit: the topic segment-membership-changes. Rows are only ever added.
CREATE TABLE segment_membership_change (
    client_id text COLLATE "C" NOT NULL,
    destination_id text COLLATE "C" NOT NULL,
    aam_uuid text COLLATE "C" NOT NULL,
    segment_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    change text NOT NULL,
    changed_at timestamptz NOT NULL,
    cause text NOT NULL,
    status text NOT NULL,
    since timestamptz NOT NULL,
    verified_at timestamptz NOT NULL,
    expires_at timestamptz,
    previous_status text,
    previous_since timestamptz,
    partners jsonb NOT NULL,
    regions jsonb NOT NULL,
    origin_topic text NOT NULL,
    origin_partition integer NOT NULL,
    origin_offset bigint NOT NULL,
    origin_index integer NOT NULL,
    PRIMARY KEY (client_id, destination_id, aam_uuid, segment_id, version)
);

-- How far each topic is written; moved in the same transaction as the rows.
CREATE TABLE segwire_sink_offset (
    topic text NOT NULL,
    partition integer NOT NULL,
    topic_id text NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);

-- What was refused for good: told again should its batch come again.
CREATE TABLE segwire_sink_refusal (
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    error text NOT NULL,
    reason text NOT NULL,
    refused_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition, "offset")
);
