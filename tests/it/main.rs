//! End-to-end tests of `tradovate-auth`.
