-- What only the simulator knows. No role may read it: the jobs' role can put truth in and empty it, nothing more. Tests
-- and committed evaluations read it as the owner, to compare what the desk believes with what is so.

CREATE TABLE truth.customers (
    customer_id     text PRIMARY KEY,
    kind            text NOT NULL CHECK (kind IN ('persuadable', 'sure_thing', 'lost_cause', 'sleeping_dog')),
    frailty         double precision NOT NULL,  -- logits added to every month's wish to leave
    talkativeness   double precision NOT NULL,  -- factor on every contact rate
    line_quality    double precision NOT NULL,  -- standard normal; low means more faults
    leave_reason    text                        -- why they left, if they did: what no survey asked
);

-- One row per retention call: a caller who came to cancel.
CREATE TABLE truth.calls (
    contact_id      text PRIMARY KEY,
    customer_id     text NOT NULL,
    called_at       timestamptz NOT NULL,
    agent_id        text NOT NULL,
    team            text NOT NULL,
    kind            text NOT NULL,
    seriousness     double precision NOT NULL,  -- heard by the agent, recorded by nobody
    cap             numeric(14, 2) NOT NULL,    -- the most this agent could give alone
    intended_amount numeric(14, 2) NOT NULL,
    amount          numeric(14, 2) NOT NULL,    -- offered; 0: nothing
    propensity      double precision,           -- NULL: not in the trial
    p_stay_without  double precision NOT NULL,  -- chance of being a customer 90 days on with nothing offered
    p_stay_with     double precision NOT NULL,  -- and with the amount offered
    p_stay_20       double precision NOT NULL,  -- and with 20, 40 and 80 pounds
    p_stay_40       double precision NOT NULL,
    p_stay_80       double precision NOT NULL,
    worth           numeric(14, 2) NOT NULL,    -- expected margin of the next two years, given that they stay
    stayed          boolean NOT NULL,           -- 90 days on, by this mechanism
    leaves_on       date                        -- the day they go, also when that is after the data's end
);

-- Every planted cause of contacts: announced changes (also in feed.change_events) and bursts nobody announced.
CREATE TABLE truth.events (
    event_id        text PRIMARY KEY,
    is_announced    boolean NOT NULL,
    kind            text NOT NULL,
    reason          text NOT NULL,              -- contact reason of the extra contacts
    title           text NOT NULL,
    starts_at       timestamptz NOT NULL,
    effect_from     date NOT NULL,              -- days on which extra contacts could come, both ends included
    effect_until    date NOT NULL,
    lag_days        double precision NOT NULL,  -- mean days from the start to the contact
    audience_size   integer NOT NULL,
    expected_extra  double precision NOT NULL,  -- contacts the mechanism expects, repeats apart
    extra_contacts  integer NOT NULL,           -- contacts that came because of it
    extra_repeats   integer NOT NULL            -- of these, second and later ones about the same
);

CREATE TABLE truth.agents (
    agent_id        text PRIMARY KEY,
    talent          double precision NOT NULL,  -- logits of staying this agent adds to every retention call
    leniency        double precision NOT NULL,  -- logs added to the amount meant
    hearing         double precision NOT NULL,  -- 0..1, how well seriousness is heard
    role            text NOT NULL               -- ordinary, better (truly), lucky (easier calls, no better)
);

-- Money a team may give in a month.
CREATE TABLE truth.budgets (
    team            text NOT NULL,
    month           date NOT NULL,
    amount          numeric(14, 2) NOT NULL,
    PRIMARY KEY (team, month)
);

-- Each day of the history; quiet: no planted cause reaches into it.
CREATE TABLE truth.days (
    day             date PRIMARY KEY,
    is_quiet        boolean NOT NULL
);

-- Contacts an event brought, directly or as a repeat about the same.
CREATE TABLE truth.contact_causes (
    contact_id      text PRIMARY KEY,
    event_id        text NOT NULL,
    is_repeat       boolean NOT NULL
);

GRANT USAGE ON SCHEMA truth TO keepline_batch;
GRANT INSERT, TRUNCATE ON ALL TABLES IN SCHEMA truth TO keepline_batch;

-- Statistics after a load. Only an owner may ANALYZE, and the jobs' role owns nothing.
CREATE FUNCTION feed.analyze() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    ANALYZE feed.customers, feed.subscriptions, feed.invoices, feed.contacts, feed.usage, feed.change_events,
            feed.concessions, desk.staff;
END
$$;
REVOKE ALL ON FUNCTION feed.analyze() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION feed.analyze() TO keepline_batch;
