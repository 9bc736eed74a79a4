//! Runs the target `connection`.
#![cfg_attr(fuzzing, no_main)]

okuru_fuzz::target!(connection);
