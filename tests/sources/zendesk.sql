-- Zendesk as Fivetran writes it to Postgres: columns of dbt_zendesk_source's macros, ids bigint as in its seeds. Rows made up.
CREATE SCHEMA zendesk;
CREATE TABLE zendesk.ticket (
    id bigint PRIMARY KEY, _fivetran_synced timestamptz, _fivetran_deleted boolean, allow_channelback boolean,
    assignee_id bigint, brand_id bigint, created_at timestamptz, description text, due_at timestamptz, external_id text,
    forum_topic_id bigint, group_id bigint, has_incidents boolean, is_public boolean, merged_ticket_ids text,
    organization_id bigint, priority text, problem_id bigint, recipient text, requester_id bigint, status text,
    subject text, submitter_id bigint, system_client text, system_ip_address text, system_latitude double precision,
    system_location text, system_longitude double precision, ticket_form_id bigint, type text, updated_at timestamptz,
    url text, via_channel text, via_source_from_address text, via_source_from_id bigint, via_source_from_title text,
    via_source_rel text, via_source_to_address text, via_source_to_name text, custom_contact_reason text);
INSERT INTO zendesk.ticket (id, requester_id, assignee_id, group_id, created_at, status, type, subject, description,
                            via_channel, via_source_rel, custom_contact_reason, _fivetran_deleted) VALUES
    (9007199254740993, 11, 21, 31, '2024-06-01 09:00:00+00', 'closed', 'incident', 'Bill', 'Too high', 'voice', 'inbound',
     'billing', false),
    (102, 11, 21, 31, '2024-06-10 22:30:00+00', 'solved', 'problem', 'Fault', 'Slow', 'email', NULL, NULL, false),
    (103, 12, NULL, NULL, '2024-06-11 09:00:00+00', 'open', 'question', 'Hello', NULL, 'native_messaging', NULL, NULL, false),
    (104, 13, 21, 31, '2024-06-12 09:00:00+00', 'open', NULL, 'Who?', NULL, 'web', NULL, NULL, false),
    (105, 11, 21, 31, '2024-06-13 09:00:00+00', 'deleted', NULL, 'Deleted', NULL, 'web', NULL, NULL, false),
    (106, 11, 21, 31, '2024-06-14 09:00:00+00', 'open', NULL, 'Gone', NULL, 'web', NULL, NULL, true),
    (107, 11, 21, 31, '2024-06-15 09:00:00+00', 'open', NULL, 'We rang', NULL, 'voice', 'outbound', NULL, false);
CREATE TABLE zendesk."user" (
    id bigint PRIMARY KEY, _fivetran_synced timestamptz, _fivetran_deleted boolean, active boolean, alias text,
    chat_only boolean, created_at timestamptz, details text, email text, external_id text, last_login_at timestamptz,
    locale text, locale_id bigint, moderator boolean, name text, notes text, only_private_comments boolean,
    organization_id bigint, phone text, restricted_agent boolean, role text, shared boolean, shared_agent boolean,
    signature text, suspended boolean, ticket_restriction text, time_zone text, two_factor_auth_enabled boolean,
    updated_at timestamptz, url text, verified boolean);
INSERT INTO zendesk."user" (id, email, external_id, organization_id, role, name) VALUES
    (11, 'ADA@example.com', '001A', 41, 'end-user', 'Ada'), (12, 'ben@example.com', '001B', 42, 'end-user', 'Ben'),
    (13, 'nobody@example.com', 'unknown', NULL, 'end-user', 'Somebody'), (21, 'ann@desk.example', '001A', NULL, 'agent', 'Ann');
CREATE TABLE zendesk.organization (
    id bigint PRIMARY KEY, _fivetran_synced timestamptz, created_at timestamptz, details text, external_id text,
    group_id bigint, name text, notes text, shared_comments boolean, shared_tickets boolean, updated_at timestamptz, url text);
INSERT INTO zendesk.organization (id, external_id, name) VALUES (41, '001A', 'Marsh'), (42, '001B', 'Kato');
CREATE TABLE zendesk."group" (
    id bigint PRIMARY KEY, _fivetran_deleted boolean, _fivetran_synced timestamptz, created_at timestamptz, name text,
    updated_at timestamptz, url text);
INSERT INTO zendesk."group" (id, name) VALUES (31, 'Billing');
CREATE TABLE zendesk.ticket_field_history (
    field_name text, ticket_id bigint, updated timestamptz, _fivetran_synced timestamptz, user_id bigint, value text,
    PRIMARY KEY (field_name, ticket_id, updated));
INSERT INTO zendesk.ticket_field_history (ticket_id, field_name, updated, value) VALUES
    (9007199254740993, 'status', '2024-06-01 09:05:00+00', 'open'),
    (9007199254740993, 'status', '2024-06-01 09:45:00+00', 'solved'),
    (9007199254740993, 'status', '2024-06-05 09:45:00+00', 'closed'), (102, 'priority', '2024-06-10 23:00:00+00', 'solved'),
    (102, 'status', '2024-06-20 09:00:00+00', 'solved');
CREATE TABLE zendesk.ticket_comment (
    id bigint PRIMARY KEY, _fivetran_synced timestamptz, _fivetran_deleted boolean, body text, created timestamptz,
    facebook_comment boolean, public boolean, ticket_id bigint, tweet boolean, user_id bigint, voice_comment boolean);
CREATE TABLE zendesk.satisfaction_rating (
    id bigint PRIMARY KEY, _fivetran_synced timestamptz, assignee_id bigint, comment text, created_at timestamptz,
    group_id bigint, reason text, requester_id bigint, score text, ticket_id bigint, updated_at timestamptz, url text);
INSERT INTO zendesk.satisfaction_rating (id, ticket_id, score, updated_at) VALUES
    (1, 9007199254740993, 'bad', '2024-06-02 00:00:00+00'), (2, 9007199254740993, 'good', '2024-06-03 00:00:00+00'),
    (3, 102, 'offered', '2024-06-21 00:00:00+00');
CREATE TABLE zendesk.ticket_tag (tag text, ticket_id bigint, _fivetran_synced timestamptz, PRIMARY KEY (tag, ticket_id));
INSERT INTO zendesk.ticket_tag (ticket_id, tag) VALUES (102, 'escalated'), (103, 'vip');
