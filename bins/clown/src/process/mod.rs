//! Processes that `clown run` starts.
