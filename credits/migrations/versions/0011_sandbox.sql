-- The sandbox.
SELECT 1;
