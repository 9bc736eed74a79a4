//! Runs the target `sasl`.
#![cfg_attr(fuzzing, no_main)]

okuru_fuzz::target!(sasl);
