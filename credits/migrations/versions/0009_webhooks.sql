-- Webhooks out.
SELECT 1;
