//! Runs the target `pair`.
#![cfg_attr(fuzzing, no_main)]

okuru_fuzz::target!(pair);
