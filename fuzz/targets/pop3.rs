//! Runs the target `pop3`.
#![cfg_attr(fuzzing, no_main)]

okuru_fuzz::target!(pop3);
