CREATE INDEX segment_membership_active ON segment_membership (client_id, destination_id, segment_id)
    WHERE status = 'ACTIVE';
CREATE INDEX segment_membership_change_segment ON segment_membership_change
    (client_id, destination_id, segment_id, changed_at);

-- Who is in a segment.
CREATE VIEW segment_member AS
SELECT client_id, destination_id, segment_id, aam_uuid, since, verified_at, expires_at, partners, regions
FROM segment_membership
WHERE status = 'ACTIVE';

-- How many are in each segment.
CREATE VIEW segment_size AS
SELECT client_id, destination_id, segment_id, count(*) AS members
FROM segment_membership
WHERE status = 'ACTIVE'
GROUP BY client_id, destination_id, segment_id;

-- How many entered and left each segment on each day (UTC), by cause.
CREATE VIEW segment_change_by_day AS
SELECT client_id, destination_id, segment_id, (changed_at AT TIME ZONE 'UTC')::date AS day, change, cause,
    count(*) AS users
FROM segment_membership_change
GROUP BY client_id, destination_id, segment_id, day, change, cause;

-- How large each segment was at the end of each day (UTC) on which it changed, by the changes that are in this database.
CREATE VIEW segment_size_by_day AS
SELECT client_id, destination_id, segment_id, day, entered, exited,
    sum(entered - exited) OVER (PARTITION BY client_id, destination_id, segment_id ORDER BY day)::bigint AS members
FROM (
    SELECT client_id, destination_id, segment_id, (changed_at AT TIME ZONE 'UTC')::date AS day,
        count(*) FILTER (WHERE change = 'ENTERED') AS entered,
        count(*) FILTER (WHERE change = 'EXITED') AS exited
    FROM segment_membership_change
    GROUP BY client_id, destination_id, segment_id, day
) AS by_day;
