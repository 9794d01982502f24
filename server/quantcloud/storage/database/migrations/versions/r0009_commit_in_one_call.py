"""PostgreSQL writes the units of a transaction in one call, which takes the lock itself."""

from alembic import op

revision = "0009"
down_revision = "0008"

# `storage.unit_of_work.draft` says what the parameters mean. Each query takes its snapshot when it
# begins, so those after the lock see what other servers have committed. Few rows of large tables
# are wanted, so the planner must use the indexes, even while it knows nothing about the tables.
_COMMIT = """
CREATE FUNCTION quantcloud_commit(
    write_lock bigint, waiting json, months json, keys json, known json,
    event_number integer, new_jobs json, new_tags json, new_circuits json, changed_jobs json,
    new_events json, new_results json, new_blocks json, new_keys json, used json,
    OUT refused integer[], OUT first_cursor bigint,
    OUT lock_seconds double precision, OUT held_seconds double precision
)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    began timestamptz := clock_timestamp();
    locked timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock(write_lock);
    locked := clock_timestamp();
    lock_seconds := extract(epoch FROM locked - began);

    SELECT array_agg(number) INTO refused FROM (
        SELECT c.number
        FROM json_to_recordset(waiting) AS c(number integer, account_id text, most bigint)
        WHERE c.most < (
            SELECT count(*) FROM jobs
            WHERE completed_at IS NULL AND jobs.account_id = c.account_id
                AND status IN ('analyzing', 'queued', 'routing', 'submitted')
        )
        UNION ALL
        SELECT c.number
        FROM json_to_recordset(months) AS c(
            number integer, account_id text, month character(7),
            seconds_below double precision, most_tasks bigint, most_cost double precision
        )
        LEFT JOIN monthly_usage AS m ON m.account_id = c.account_id AND m.month = c.month
        WHERE coalesce(m.simulator_seconds, 0) >= c.seconds_below
            OR coalesce(m.qpu_tasks, 0) > c.most_tasks
            OR coalesce(m.total_cost_usd, 0) > c.most_cost
        UNION ALL
        SELECT c.number
        FROM json_to_recordset(keys) AS c(number integer, account_id text, key text, since bigint)
        JOIN idempotency_keys AS k ON k.account_id = c.account_id AND k.key = c.key
        WHERE k.created_at > c.since
        UNION ALL
        SELECT c.number
        FROM json_to_recordset(known) AS c(
            number integer, id character(36), sequence integer, lease_token text
        )
        LEFT JOIN jobs AS j ON j.id = c.id AND j.sequence = c.sequence
            AND j.lease_token IS NOT DISTINCT FROM c.lease_token
        WHERE j.id IS NULL
    ) AS failed;

    IF refused IS NULL THEN
        SELECT min(assigned) INTO first_cursor FROM (
            SELECT nextval('job_events_cursor_seq') AS assigned
            FROM generate_series(1, event_number)
        ) AS cursors;
        INSERT INTO jobs SELECT * FROM json_populate_recordset(NULL::jobs, new_jobs);
        IF new_tags IS NOT NULL THEN
            INSERT INTO job_tags
            SELECT * FROM json_populate_recordset(NULL::job_tags, new_tags);
        END IF;
        INSERT INTO job_circuits
        SELECT * FROM json_populate_recordset(NULL::job_circuits, new_circuits);
        IF changed_jobs IS NOT NULL THEN
            UPDATE jobs SET
                status = c.status, sequence = c.sequence, backend = c.backend, method = c.method,
                queued_at = c.queued_at, started_at = c.started_at, completed_at = c.completed_at,
                error_message = c.error_message, attempt = c.attempt, changed_at = c.changed_at,
                losses = c.losses, metered = c.metered,
                lease_owner = c.lease_owner, lease_token = c.lease_token,
                metadata = coalesce(c.metadata, jobs.metadata),
                metadata_sequence = coalesce(c.metadata_sequence, jobs.metadata_sequence)
            FROM json_populate_recordset(NULL::jobs, changed_jobs) AS c
            WHERE jobs.id = c.id;
        END IF;
        INSERT INTO job_events (
            cursor, job_id, account_id, sequence, occurred_at, status, backend, method, queued_at,
            started_at, completed_at, error_message, metadata, metadata_sequence, attempt, earlier
        )
        SELECT
            quantcloud_commit.first_cursor + e.cursor, job_id, account_id, sequence, occurred_at,
            status, backend, method, queued_at, started_at, completed_at, error_message,
            metadata, metadata_sequence, attempt, earlier
        FROM json_populate_recordset(NULL::job_events, new_events) AS e;
        INSERT INTO job_results
        SELECT * FROM json_populate_recordset(NULL::job_results, new_results);
        IF new_blocks IS NOT NULL THEN
            INSERT INTO sweep_blocks
            SELECT * FROM json_populate_recordset(NULL::sweep_blocks, new_blocks);
        END IF;
        IF new_keys IS NOT NULL THEN
            DELETE FROM idempotency_keys AS k
            USING json_populate_recordset(NULL::idempotency_keys, new_keys) AS n
            WHERE k.account_id = n.account_id AND k.key = n.key;
            INSERT INTO idempotency_keys (
                account_id, key, digest, job_id, first_cursor, number, created_at
            )
            SELECT account_id, key, digest, job_id, quantcloud_commit.first_cursor + n.first_cursor,
                number, created_at
            FROM json_populate_recordset(NULL::idempotency_keys, new_keys) AS n;
        END IF;
        INSERT INTO monthly_usage AS m
        SELECT * FROM json_populate_recordset(NULL::monthly_usage, used)
        ON CONFLICT (account_id, month) DO UPDATE SET
            simulator_seconds = m.simulator_seconds + excluded.simulator_seconds,
            qpu_tasks = m.qpu_tasks + excluded.qpu_tasks,
            total_jobs = m.total_jobs + excluded.total_jobs,
            total_cost_usd = m.total_cost_usd + excluded.total_cost_usd;
    END IF;
    held_seconds := extract(epoch FROM clock_timestamp() - locked);
END
$$
"""


def upgrade() -> None:
    """Create the function; SQLite needs none."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_COMMIT)
