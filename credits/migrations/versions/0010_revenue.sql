-- Revenue.
SELECT 1;
