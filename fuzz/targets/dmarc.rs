//! Runs the target `dmarc`.
#![cfg_attr(fuzzing, no_main)]

okuru_fuzz::target!(dmarc);
