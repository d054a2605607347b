-- Who may touch what. Run after every migration; running it again changes nothing.
-- Anything not granted here is refused by the database.

DO $$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO keepline_owner, keepline_batch, keepline_agent, keepline_supervisor, '
                   'keepline_leader, keepline_finance, keepline_analyst, keepline_admin', current_database());
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO keepline_batch', current_database());
END
$$;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

GRANT USAGE ON SCHEMA crm, desk TO
    keepline_batch, keepline_agent, keepline_supervisor, keepline_leader, keepline_finance, keepline_analyst, keepline_admin;
GRANT SELECT ON ALL TABLES IN SCHEMA crm TO keepline_batch, keepline_owner;
REVOKE SELECT ON ALL TABLES IN SCHEMA crm FROM keepline_agent, keepline_supervisor; -- they read caller, one customer at a time
GRANT SELECT ON desk.company TO
    keepline_batch, keepline_agent, keepline_supervisor, keepline_leader, keepline_finance, keepline_analyst, keepline_admin;
GRANT SELECT ON desk.staff TO
    keepline_batch, keepline_agent, keepline_supervisor, keepline_leader, keepline_finance, keepline_analyst, keepline_admin;

-- Jobs: fill feed, read the company, write models and scores.
GRANT USAGE ON SCHEMA feed TO keepline_batch, keepline_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA feed TO keepline_batch;
GRANT TRUNCATE ON ALL TABLES IN SCHEMA feed TO keepline_batch;
GRANT SELECT ON feed.files, feed.set_aside TO keepline_admin;
GRANT INSERT, UPDATE, DELETE ON desk.company, desk.staff TO keepline_batch;
GRANT SELECT, INSERT, UPDATE, DELETE ON desk.directory, desk.scores, desk.model_versions TO keepline_batch;
GRANT TRUNCATE ON desk.directory, desk.scores, desk.fresh_scores TO keepline_batch;
GRANT SELECT, INSERT, UPDATE, DELETE ON desk.scoring_plans, desk.scoring_ranges, desk.fresh_scores TO keepline_batch;
GRANT EXECUTE ON FUNCTION desk.name_words TO keepline_batch;

-- The desk: read one caller, remember who was on screen.
GRANT SELECT ON desk.scores, desk.model_versions TO keepline_agent, keepline_supervisor;
REVOKE SELECT ON desk.directory FROM keepline_agent, keepline_supervisor;           -- desk.find_customers searches it
GRANT SELECT ON desk.cases TO keepline_agent, keepline_supervisor;
REVOKE INSERT, UPDATE ON desk.cases FROM keepline_agent, keepline_supervisor;       -- desk.open_case opens one
GRANT UPDATE (closed_at, agent_ended_at, contact_reason, fault, cancel_asked_at, cancelled_at, outcome, what_is_broken,
              would_recommend, referral)
    ON desk.cases TO keepline_agent, keepline_supervisor;

-- Models: the analyst and the administrator see them; promotion is a person's act.
GRANT SELECT ON desk.model_versions TO keepline_analyst, keepline_leader, keepline_finance, keepline_admin;

-- Policy and ledger ----------------------------------------------------------------------------------------------------
-- Nobody writes these tables; functions of keepline_owner do, and check first. Sessions nobody even reads.

GRANT EXECUTE ON FUNCTION
    desk.business_clock, desk.in_words, desk.schedule, desk.policy_in_force, desk.state_now, desk.close_session,
    desk.current_person
    TO keepline_batch, keepline_agent, keepline_supervisor, keepline_leader, keepline_finance, keepline_analyst, keepline_admin;
-- Signing in is the app's act, before it knows a role: no person ever acts as keepline_batch.
GRANT EXECUTE ON FUNCTION desk.open_session, desk.claw_back, desk.expire_approvals TO keepline_batch;
GRANT EXECUTE ON FUNCTION
    desk.record_decision, desk.answer_decision, desk.give_concession, desk.grant_of, desk.ask_approval, desk.withdraw_approval
    TO keepline_agent, keepline_supervisor;
GRANT EXECUTE ON FUNCTION desk.decide_approval, desk.reverse_grant TO keepline_supervisor;
GRANT EXECUTE ON FUNCTION desk.name_stand_in TO keepline_supervisor, keepline_leader, keepline_admin;
GRANT EXECUTE ON FUNCTION desk.close_month TO keepline_finance;
GRANT EXECUTE ON FUNCTION desk.propose_budget, desk.confirm_budget, desk.draft_policy, desk.publish_policy
    TO keepline_finance, keepline_leader;

GRANT SELECT ON desk.policy_versions, desk.policy_instruments, desk.policy_rules, desk.policy_authority, desk.approval_moves TO
    keepline_batch, keepline_agent, keepline_supervisor, keepline_leader, keepline_finance, keepline_analyst, keepline_admin;
GRANT SELECT ON desk.budgets, desk.budget_counters, desk.budget_proposals, desk.budget_changes, desk.month_closes TO
    keepline_batch, keepline_agent, keepline_supervisor, keepline_leader, keepline_finance;
GRANT SELECT ON desk.ledger TO keepline_batch, keepline_agent, keepline_supervisor, keepline_leader, keepline_finance;
GRANT SELECT ON desk.decisions, desk.decision_rungs, desk.decision_answers, desk.agent_counters TO
    keepline_batch, keepline_agent, keepline_supervisor, keepline_finance;
GRANT SELECT ON desk.approval_requests, desk.approval_history, desk.approvals, desk.stand_ins TO
    keepline_batch, keepline_agent, keepline_supervisor, keepline_finance;
GRANT SELECT ON desk.refusals TO keepline_batch, keepline_finance, keepline_admin;

-- Outcomes and callbacks -------------------------------------------------------------------------------------------------
-- The nightly job adds to the histories and never changes them; people take, ring and write down what came of it.

GRANT SELECT ON desk.cases TO keepline_batch;
GRANT SELECT, INSERT ON desk.cancel_intents, desk.save_stages TO keepline_batch;
GRANT SELECT ON desk.cancel_intents, desk.save_stages, desk.save_outcomes TO
    keepline_batch, keepline_agent, keepline_supervisor, keepline_leader, keepline_finance, keepline_analyst;
GRANT EXECUTE ON FUNCTION desk.first_left TO keepline_batch;
GRANT SELECT, INSERT, DELETE ON desk.callback_candidates TO keepline_batch;
GRANT SELECT ON desk.callback_candidates TO keepline_agent, keepline_supervisor, keepline_leader, keepline_analyst;
GRANT SELECT ON desk.callback_holds TO keepline_batch;
GRANT SELECT ON desk.callback_holds, desk.callback_events TO keepline_agent, keepline_supervisor;
REVOKE INSERT, UPDATE ON desk.callback_holds, desk.callback_events FROM keepline_agent, keepline_supervisor;
GRANT SELECT ON desk.callback_events TO keepline_batch, keepline_leader, keepline_analyst;

-- Reading and audit --------------------------------------------------------------------------------------------------------
-- desk.make_reading_views grants its views itself.

GRANT USAGE ON SCHEMA caller TO keepline_agent, keepline_supervisor, keepline_batch; -- a job sees whether the views are there
GRANT USAGE ON SCHEMA masked TO keepline_leader, keepline_finance, keepline_analyst, keepline_admin;
GRANT EXECUTE ON FUNCTION desk.make_reading_views TO keepline_batch, keepline_admin;
GRANT EXECUTE ON FUNCTION desk.session_person, desk.my_id TO
    keepline_batch, keepline_agent, keepline_supervisor, keepline_leader, keepline_finance, keepline_analyst, keepline_admin;
GRANT EXECUTE ON FUNCTION
    desk.my_teams, desk.my_people, desk.my_callers, desk.masked_phone, desk.masked_email, desk.find_customers, desk.open_case,
    desk.reveal, desk.take_callback, desk.finish_callback
    TO keepline_agent, keepline_supervisor;
GRANT EXECUTE ON FUNCTION desk.may_read_masked, desk.masked_name TO
    keepline_leader, keepline_finance, keepline_analyst, keepline_admin;
GRANT EXECUTE ON FUNCTION desk.note_view TO
    keepline_agent, keepline_supervisor, keepline_leader, keepline_finance, keepline_analyst, keepline_admin;
GRANT EXECUTE ON FUNCTION desk.sign_in, desk.set_staff, desk.seal_audit TO keepline_batch;
GRANT EXECUTE ON FUNCTION desk.sign_out TO
    keepline_batch, keepline_agent, keepline_supervisor, keepline_leader, keepline_finance, keepline_analyst, keepline_admin;
GRANT EXECUTE ON FUNCTION desk.verify_audit TO keepline_batch, keepline_admin;
GRANT SELECT ON desk.audit_trail, desk.lookup_alerts, desk.seals, desk.lookup_limits TO keepline_batch, keepline_admin;
GRANT SELECT, INSERT, DELETE ON desk.contact_reasons TO keepline_batch;
GRANT SELECT ON desk.contact_reasons TO keepline_agent, keepline_supervisor, keepline_leader, keepline_finance, keepline_analyst;

-- Trends and team --------------------------------------------------------------------------------------------------------
-- The nightly job writes and nobody else. Trends are the leader's and finance's; of the team's figures row-level security
-- shows an agent their own, a supervisor the team's.

GRANT SELECT, INSERT, UPDATE, DELETE ON
    desk.trend_state, desk.trend_months, desk.trend_leavers, desk.trend_tenures, desk.trend_saves, desk.trend_risk,
    desk.prediction_samples, desk.prediction_tenths, desk.trend_drivers, desk.trend_forbidden,
    desk.agent_outcomes, desk.team_funnel, desk.agent_topics, desk.agent_wins, desk.agent_words
    TO keepline_batch;
GRANT SELECT ON
    desk.trend_state, desk.trend_months, desk.trend_leavers, desk.trend_tenures, desk.trend_saves, desk.trend_risk,
    desk.prediction_tenths, desk.trend_drivers, desk.trend_forbidden
    TO keepline_leader, keepline_finance;
GRANT EXECUTE ON FUNCTION desk.tenure_band TO keepline_batch, keepline_leader, keepline_finance;
GRANT SELECT ON desk.prediction_tenths TO keepline_analyst;
GRANT SELECT ON desk.agent_outcomes, desk.team_funnel, desk.agent_topics, desk.agent_wins, desk.agent_words
    TO keepline_agent, keepline_supervisor, keepline_leader;

-- What the desk learns of itself -----------------------------------------------------------------------------------------
-- Past cases carry nobody's key, so whoever weighs an offer may look at them.

GRANT SELECT, INSERT, DELETE ON desk.past_cases TO keepline_batch;
GRANT SELECT, INSERT, DELETE ON desk.past_case_scales TO keepline_batch;
GRANT SELECT ON desk.past_cases, desk.past_case_scales TO
    keepline_agent, keepline_supervisor, keepline_leader, keepline_finance, keepline_analyst;
GRANT SELECT, INSERT ON desk.scoring_runs TO keepline_batch;
GRANT SELECT ON desk.scoring_runs TO
    keepline_agent, keepline_supervisor, keepline_leader, keepline_finance, keepline_analyst, keepline_admin;
GRANT EXECUTE ON FUNCTION desk.supervisors_used TO keepline_agent, keepline_supervisor;

-- Voice and escalations --------------------------------------------------------------------------------------------------
-- The nightly job writes what was counted; what is done about a problem only desk.move_problem writes. Nobody else reads a
-- cell of reason_days: it may be one person. Quotes and notes are masked before they are stored.

GRANT SELECT, INSERT, UPDATE, DELETE ON
    desk.reason_days, desk.topics, desk.topic_days, desk.burst_nights, desk.burst_days, desk.problem_days,
    desk.problem_groups, desk.problem_quotes, desk.problem_customers, desk.broken_notes, desk.escalation_scores
    TO keepline_batch;
GRANT SELECT, INSERT ON desk.voice_runs TO keepline_batch;
GRANT SELECT ON desk.problems, desk.problem_moves, desk.problem_history, desk.reason_classes, desk.voice_groups
    TO keepline_batch;
GRANT INSERT (key, reason, region, plan, topic_id, title, began_on, found_on, last_burst_on, p_value, level, currency,
              at_that_time, is_expected) ON desk.problems TO keepline_batch;
GRANT UPDATE (topic_id, title, last_burst_on, contacts, expected, customers, worth_at_risk, at_that_time, refreshed_at)
    ON desk.problems TO keepline_batch;
GRANT SELECT ON
    desk.topics, desk.topic_days, desk.burst_nights, desk.problems, desk.problem_moves, desk.problem_days,
    desk.problem_groups, desk.problem_quotes, desk.problem_customers, desk.broken_notes, desk.problem_history,
    desk.reason_classes, desk.voice_runs, desk.voice_groups
    TO keepline_leader, keepline_supervisor, keepline_analyst;
GRANT EXECUTE ON FUNCTION desk.reason_series TO keepline_batch, keepline_leader, keepline_supervisor, keepline_analyst;
GRANT EXECUTE ON FUNCTION desk.move_problem, desk.classify_reason TO keepline_leader;
GRANT SELECT ON desk.escalation_scores TO keepline_agent, keepline_supervisor;

-- Volume -----------------------------------------------------------------------------------------------------------------
-- The job counts and forecasts; people read counts per queue, where nobody is anybody. Regions may be few people: the job's.
-- Planned changes are written by functions only, and every caller's card reads what to say.

GRANT SELECT, INSERT, DELETE ON
    desk.volume_half_hours, desk.volume_days, desk.volume_outcomes, desk.volume_forecasts, desk.volume_kinds,
    desk.volume_events, desk.volume_effects, desk.volume_accuracy, desk.volume_runs
    TO keepline_batch;
GRANT SELECT ON
    desk.volume_half_hours, desk.volume_forecasts, desk.volume_kinds, desk.volume_events, desk.volume_effects,
    desk.volume_accuracy, desk.volume_runs
    TO keepline_leader, keepline_supervisor, keepline_analyst;
GRANT SELECT ON desk.planned_events TO
    keepline_batch, keepline_agent, keepline_supervisor, keepline_leader, keepline_finance, keepline_analyst, keepline_admin;
GRANT SELECT ON desk.planned_event_history TO keepline_leader, keepline_supervisor, keepline_admin, keepline_batch;
GRANT EXECUTE ON FUNCTION desk.plan_event, desk.withdraw_event TO keepline_leader;

-- A person's own data ------------------------------------------------------------------------------------------------------
-- An erasure reaches every table that names a customer; what is append-only refuses by itself.

GRANT USAGE ON SCHEMA feed TO keepline_owner;
GRANT SELECT, UPDATE, DELETE ON ALL TABLES IN SCHEMA feed, desk TO keepline_owner;
DO $$
DECLARE
    _table regclass;
BEGIN
    -- Row-level security is for people; the tables' owner passes it anyway, keepline_owner only by a policy.
    FOR _table IN
        SELECT DISTINCT c.oid FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname IN ('customer_id', 'case_id', 'contact_id')
        WHERE c.relnamespace = 'desk'::regnamespace AND c.relrowsecurity AND c.relowner <> 'keepline_owner'::regrole
            AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'erasure')
    LOOP
        EXECUTE format('CREATE POLICY erasure ON %s TO keepline_owner USING (true)', _table);
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION desk.without_cards, desk.is_luhn_valid TO
    keepline_batch, keepline_agent, keepline_supervisor, keepline_leader, keepline_finance, keepline_analyst, keepline_admin;
GRANT EXECUTE ON FUNCTION desk.erase_customer, desk.held_about, desk.set_retention TO keepline_admin;
GRANT EXECUTE ON FUNCTION desk.erase_by_job, desk.all_held, desk.apply_retention TO keepline_batch;
GRANT SELECT ON desk.erasures, desk.retention_periods TO keepline_batch, keepline_admin;

-- Calls taken up again ---------------------------------------------------------------------------------------------------
-- Nobody reads the notes of a call but through the function that asks whose call it is.

GRANT EXECUTE ON FUNCTION desk.note_call, desk.notes_of TO keepline_agent, keepline_supervisor;

-- Spend and reporting ----------------------------------------------------------------------------------------------------
-- Finance and leaders read, masked; the night writes what it finds, an import what billing applied. A difference is settled
-- by a function. keepline_report is for the company's own tools: give it to a login of theirs.

GRANT SELECT ON
    desk.spend_entries, desk.billing_entries, desk.billing_files, desk.billing_set_aside, desk.billing_settlements,
    desk.spend_state, desk.spend_returns, desk.spend_run_off, desk.spend_givers, desk.spend_likeness
    TO keepline_leader, keepline_finance;
GRANT SELECT, INSERT ON desk.billing_files, desk.billing_applied, desk.billing_set_aside TO keepline_batch;
GRANT SELECT, INSERT, DELETE ON
    desk.spend_state, desk.spend_returns, desk.spend_run_off, desk.spend_givers, desk.spend_likeness TO keepline_batch;
GRANT EXECUTE ON FUNCTION desk.due_by TO keepline_leader, keepline_finance;
GRANT EXECUTE ON FUNCTION desk.settle_difference TO keepline_finance;
GRANT USAGE ON SCHEMA report TO keepline_report;
GRANT SELECT ON report.concessions, report.month_closes TO keepline_report;
GRANT EXECUTE ON FUNCTION report.in_units TO keepline_report;

-- Models and data --------------------------------------------------------------------------------------------------------
-- The night measures and profiles; no row names a customer. Who may look at models may look at all of it; the rows that were
-- set aside stay the administrator's. A model goes into use by a function that asks who made it.

GRANT SELECT, INSERT, DELETE ON desk.model_bins, desk.model_drift, desk.trial_arms, desk.data_profiles TO keepline_batch;
GRANT SELECT ON desk.model_bins, desk.model_drift, desk.trial_arms, desk.prediction_tenths TO
    keepline_leader, keepline_finance, keepline_analyst, keepline_admin;
GRANT SELECT ON desk.data_profiles TO keepline_leader, keepline_analyst, keepline_admin;
GRANT EXECUTE ON FUNCTION desk.promote_model TO keepline_leader, keepline_analyst, keepline_admin;

-- The policy lab -----------------------------------------------------------------------------------------------------------
-- Finance and leaders draft with cases and replay settled calls, which the nightly job makes ready and which name nobody.

GRANT EXECUTE ON FUNCTION desk.draft_policy_with_cases TO keepline_finance, keepline_leader;
GRANT SELECT ON desk.policy_cases TO keepline_batch, keepline_finance, keepline_leader;
-- The desk writes what its checks found; who publishes, and whoever acts as any person, cannot say so themselves.
GRANT SELECT, INSERT ON desk.policy_checks TO keepline_batch;
GRANT EXECUTE ON FUNCTION desk.policy_content TO keepline_batch;
GRANT SELECT, INSERT, DELETE ON desk.replay_calls, desk.replay_state TO keepline_batch;
GRANT SELECT ON desk.replay_calls, desk.replay_state TO keepline_finance, keepline_leader;

-- Sources ----------------------------------------------------------------------------------------------------------------
-- What is registered takes the installing login; an administrator looks at it, applies it and takes it back. The mapper owns
-- crm's views and no more; its one function is the owner's to call.

GRANT SELECT ON ALL TABLES IN SCHEMA feed TO keepline_mapper;
GRANT USAGE ON SCHEMA proposed TO keepline_batch, keepline_owner;
GRANT EXECUTE ON FUNCTION desk.e164 TO keepline_mapper,
    keepline_batch, keepline_agent, keepline_supervisor, keepline_leader, keepline_finance, keepline_analyst, keepline_admin;
GRANT SELECT ON desk.mappings, desk.mapping_moves TO keepline_admin, keepline_batch;
GRANT EXECUTE ON FUNCTION desk.propose_mapping, desk.proposed_rows, desk.apply_mapping TO keepline_admin;

-- Other systems ------------------------------------------------------------------------------------------------------------
-- A service acts by its key in a role of the desk and is held to it like a person; the process that serves it signs it in, as the
-- app does people. What the telephone system says is taken by a job, and so is what goes out to billing.

GRANT EXECUTE ON FUNCTION
    desk.make_api_key, desk.revoke_api_key, desk.open_key_session, desk.end_call, desk.close_by_contacts, desk.number_outbox
    TO keepline_batch;
GRANT SELECT ON desk.api_keys TO keepline_batch, keepline_admin;
GRANT EXECUTE ON FUNCTION desk.claim_request TO keepline_agent, keepline_supervisor, keepline_finance;
GRANT EXECUTE ON FUNCTION desk.keep_contact TO keepline_agent, keepline_supervisor;
GRANT SELECT, INSERT, UPDATE, DELETE ON desk.wrap_up_codes TO keepline_batch;
GRANT SELECT ON desk.wrap_up_codes TO keepline_admin;
GRANT SELECT, UPDATE ON desk.outbox TO keepline_batch;
GRANT SELECT ON desk.outbox_events TO keepline_batch;
GRANT SELECT ON desk.outbox TO keepline_finance, keepline_leader;
GRANT EXECUTE ON FUNCTION desk.take_bookings, desk.send_again TO keepline_finance;
GRANT SELECT ON report.outbox TO keepline_report;
