//! Runs the target `spf`.
#![cfg_attr(fuzzing, no_main)]

okuru_fuzz::target!(spf);
