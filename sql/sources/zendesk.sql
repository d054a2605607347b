-- Zendesk
-- Contacts are tickets. Who the customers are another source says; by which of three keys they are joined, you say.
--
-- Layout: as Fivetran's Zendesk Support connector writes it to Postgres. Columns and types: github.com/fivetran/
-- dbt_zendesk_source, macros/get_*_columns.sql, and the seeds and their types in fivetran/dbt_zendesk,
-- integration_tests/ dbt_project.yml (ids are bigint). Types in Postgres: fivetran.com/docs/warehouses/postgresql.
-- Custom ticket fields are columns `custom_…` of ticket.
--
-- {zendesk}   the schema the tables stand in
--
-- Deleted: a ticket of status `deleted`, and what is marked `_fivetran_deleted`. A deleted user's tickets stay.

-- needs ticket: id bigint, requester_id bigint, assignee_id bigint
-- needs ticket: group_id bigint, created_at timestamptz, status text
-- needs ticket: type text, subject text, description text
-- needs ticket: via_channel text, via_source_rel text, _fivetran_deleted boolean
-- needs user: id bigint, external_id text, email text, organization_id bigint, role text
-- needs organization: id bigint, external_id text
-- needs group: id bigint, name text
-- needs ticket_field_history: ticket_id bigint, field_name text, value text, updated timestamptz
-- needs satisfaction_rating: ticket_id bigint, score text, updated_at timestamptz
-- needs ticket_tag: ticket_id bigint, tag text

-- index ticket (requester_id)
-- index user (external_id)
-- index ticket_field_history (ticket_id)
-- index satisfaction_rating (ticket_id)
-- index ticket_tag (ticket_id)

-- zendesk_users by external_id --
-- Which customer a Zendesk user is: the account's key stands in the user's external id.
CREATE OR REPLACE VIEW zendesk_users AS
SELECT u.id::bigint AS user_id, u.external_id::text AS customer_id
FROM {zendesk}."user" AS u
WHERE u.role = 'end-user';

-- zendesk_users by organization --
-- Which customer a Zendesk user is: the account's key stands in the external id of their organization.
CREATE OR REPLACE VIEW zendesk_users AS
SELECT u.id::bigint AS user_id, o.external_id::text AS customer_id
FROM {zendesk}."user" AS u
LEFT JOIN {zendesk}.organization AS o ON o.id = u.organization_id
WHERE u.role = 'end-user';

-- zendesk_users by email --
-- Which customer a Zendesk user is: the only one with the same e-mail address. An address of two customers is nobody's.
CREATE OR REPLACE VIEW zendesk_users AS
SELECT u.id::bigint AS user_id, k.customer_id
FROM {zendesk}."user" AS u
LEFT JOIN (
    SELECT lower(c.email) AS email, min(c.customer_id)::text AS customer_id
    FROM customers AS c WHERE c.email <> '' GROUP BY lower(c.email) HAVING count(*) = 1
) AS k ON k.email = lower(btrim(u.email))
WHERE u.role = 'end-user';

-- contacts --
-- One row per ticket. A ticket that stays open for days was not resolved when they wrote: its later end is not read.
CREATE OR REPLACE VIEW contacts AS
SELECT t.id::text                                                          AS contact_id,
       c.customer_id::text                                                 AS customer_id,
       t.created_at                                                        AS started_at,
       CASE WHEN s.solved_at BETWEEN t.created_at AND t.created_at + interval '1 day' THEN s.solved_at END AS ended_at,
       CASE t.via_channel WHEN 'voice' THEN 'phone' WHEN 'native_messaging' THEN 'chat'
                          ELSE coalesce(t.via_channel, 'web') END::text    AS channel,
       CASE WHEN t.via_source_rel = 'outbound' THEN 'out' ELSE 'in' END::text AS direction,
       g.name::text                                                        AS queue,
       -- Your own field for the reason, where there is one of that name; else Zendesk's type of ticket.
       coalesce(to_jsonb(t) ->> 'custom_contact_reason', t.type)::text     AS reason,
       t.assignee_id::text                                                 AS agent_id,
       coalesce(s.solved_at <= t.created_at + interval '1 day', false)     AS is_resolved,
       EXISTS (SELECT FROM {zendesk}.ticket_tag AS h
               WHERE h.ticket_id = t.id AND h.tag IN ('escalated', 'escalation')) AS is_escalated,
       -- Zendesk asks good or bad; the contract's scale is 1 to 5.
       (SELECT CASE WHEN r.score LIKE 'good%' THEN 5 WHEN r.score LIKE 'bad%' THEN 1 END::smallint
        FROM {zendesk}.satisfaction_rating AS r
        WHERE r.ticket_id = t.id AND (r.score LIKE 'good%' OR r.score LIKE 'bad%')
        ORDER BY r.updated_at DESC LIMIT 1)                                AS csat,
       concat_ws(E'\n', t.subject, t.description)::text                    AS notes
FROM {zendesk}.ticket AS t
LEFT JOIN zendesk_users AS k ON k.user_id = t.requester_id
LEFT JOIN known_customers AS c ON c.customer_id = k.customer_id
LEFT JOIN {zendesk}."group" AS g ON g.id = t.group_id
LEFT JOIN LATERAL (
    SELECT min(h.updated) AS solved_at
    FROM {zendesk}.ticket_field_history AS h
    WHERE h.ticket_id = t.id AND h.field_name = 'status' AND h.value IN ('solved', 'closed')
) AS s ON true
WHERE t.status IS DISTINCT FROM 'deleted' AND t._fivetran_deleted IS NOT TRUE AND t.created_at IS NOT NULL;
