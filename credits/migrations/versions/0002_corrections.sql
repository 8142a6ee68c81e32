-- Corrections: what was taken and given back by hand, and which entry a reversal reverses.

-- Lifetime totals, each the sum of one kind of entry. Gross: a reversal lessens nothing but the balance.
ALTER TABLE accounts
  ADD COLUMN given_back  bigint NOT NULL DEFAULT 0,   -- REVERSE
  ADD COLUMN voided      bigint NOT NULL DEFAULT 0,   -- VOID
  ADD COLUMN clawed_back bigint NOT NULL DEFAULT 0,   -- CLAWBACK
  ADD COLUMN adjusted    bigint NOT NULL DEFAULT 0,   -- ADJUST, signed
  DROP CONSTRAINT account_conservation,
  ADD CONSTRAINT account_conservation
    CHECK (balance = granted - burned - expired + given_back - voided - clawed_back + adjusted),
  ADD CONSTRAINT account_totals_not_negative CHECK (least(granted, burned, given_back, voided, clawed_back) >= 0),
  ADD CONSTRAINT account_never_gives_back_more_than_burned CHECK (given_back <= burned);

-- The grant that an extended or refunded part came from; and what of `given_back` is of reversals, the rest is of
-- adjustments.
ALTER TABLE grants
  ADD COLUMN rolled_from int,
  ADD COLUMN reversed    bigint NOT NULL DEFAULT 0,
  ADD CONSTRAINT grant_reversed_within_given_back CHECK (reversed BETWEEN 0 AND given_back);

-- The sequence of the entry that a reversal reverses, in the same account.
ALTER TABLE entries ADD COLUMN reverses int;

-- How much of an entry has been reversed. Only reversals are in it: a burn pays nothing for it.
CREATE INDEX entries_reversing ON entries (customer_id, credit_type_id, reverses) WHERE reverses IS NOT NULL;

-- What made, paid or lessened overdraft, to find who repaid the part of one entry: grant 0 or a negative one.
CREATE INDEX entries_of_debt ON entries (customer_id, credit_type_id, sequence) WHERE 0::bigint >= ANY (allocations);
