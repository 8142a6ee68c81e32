-- A clawback can be reversed as a burn can: what is given back is of either. With it, the old order of the sum would leave
-- 64 bits on the way where the sum itself does not: all of the range may be clawed back and given back. In brackets, what
-- was taken fits by the rule of what may be asked for, and so does what ended beyond what came back.
ALTER TABLE accounts
  DROP CONSTRAINT account_never_gives_back_more_than_burned,
  ADD CONSTRAINT account_never_gives_back_more_than_was_taken CHECK (given_back - burned <= clawed_back),
  DROP CONSTRAINT account_conservation,
  ADD CONSTRAINT account_conservation
    CHECK (balance = (granted - burned - clawed_back) + (given_back - expired - voided) + adjusted);
