-- Payments.
SELECT 1;
