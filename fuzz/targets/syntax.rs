//! Runs the target `syntax`.
#![cfg_attr(fuzzing, no_main)]

okuru_fuzz::target!(syntax);
