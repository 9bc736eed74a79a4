//! Runs the target `dkim`.
#![cfg_attr(fuzzing, no_main)]

okuru_fuzz::target!(dkim);
