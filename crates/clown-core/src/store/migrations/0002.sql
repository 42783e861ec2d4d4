-- `at` never falls with rising seq, so a time is found by halving; each event was one more page to write.
DROP INDEX journal_at;
