//! Runs the target `receiver`.
#![cfg_attr(fuzzing, no_main)]

okuru_fuzz::target!(receiver);
