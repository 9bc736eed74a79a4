//! Runs the target `reply`.
#![cfg_attr(fuzzing, no_main)]

okuru_fuzz::target!(reply);
