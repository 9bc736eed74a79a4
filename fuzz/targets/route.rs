//! Runs the target `route`.
#![cfg_attr(fuzzing, no_main)]

okuru_fuzz::target!(route);
