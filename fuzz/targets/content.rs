//! Runs the target `content`.
#![cfg_attr(fuzzing, no_main)]

okuru_fuzz::target!(content);
