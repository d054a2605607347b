-- register --
-- A model as it was fitted, or the refusal to fit one.
INSERT INTO desk.model_versions (kind, status, data_as_of, horizon_days, metrics, libraries, refusal, artifact, sha256, created_by)
VALUES (%(kind)s, %(status)s, %(data_as_of)s, %(horizon_days)s, %(metrics)s, %(libraries)s, %(refusal)s, %(artifact)s,
        %(sha256)s, %(created_by)s)
RETURNING model_version

-- current --
-- The models in use, one a kind, without their bytes.
SELECT model_version, kind, status, data_as_of, horizon_days, metrics, refusal, created_at, created_by, promoted_at, promoted_by
FROM desk.model_versions WHERE status = 'current' ORDER BY kind

-- all --
-- Every model ever registered, newest first, without their bytes.
SELECT model_version, kind, status, data_as_of, horizon_days, metrics, refusal, created_at, created_by, promoted_at, promoted_by
FROM desk.model_versions ORDER BY model_version DESC LIMIT 200

-- artifact --
-- The bytes of one model, their digest and what they were made with.
SELECT kind, artifact, sha256, libraries FROM desk.model_versions WHERE model_version = %(model_version)s

-- keep_bins --
-- How training's customers fell into the bins of one column, or into those of the model's chances.
INSERT INTO desk.model_bins (model_version, is_score, column_name, edges, names, shares, customers)
VALUES (%(model_version)s, %(is_score)s, %(column_name)s, %(edges)s, %(names)s, %(shares)s, %(customers)s)

-- retire --
-- Make room for a newly promoted model of the same kind.
UPDATE desk.model_versions SET status = 'retired'
WHERE status = 'current' AND kind = (SELECT kind FROM desk.model_versions WHERE model_version = %(model_version)s)

-- promote --
-- Put a candidate, or an earlier model, into use.
UPDATE desk.model_versions SET status = 'current', promoted_at = now(), promoted_by = %(promoted_by)s
WHERE model_version = %(model_version)s AND status IN ('candidate', 'retired')
RETURNING kind
