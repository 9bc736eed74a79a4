//! Every dialogue of `tests/vectors/receiver/`, through the machine of the core, in every way in which bytes can come.
//!
//! `VECTORS=auth cargo test -p okuru-tests --test receiver` runs only those whose name holds `auth`.

use okuru_tests::receiver::{load, play, script::Script};

fn scripts() -> Vec<Script> {
    load().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn there_are_enough_and_each_is_about_something_else() {
    let scripts = scripts();
    assert!(scripts.len() >= 60, "{} dialogues", scripts.len());
    let mut about: Vec<&str> = scripts.iter().map(|it| it.about.as_str()).collect();
    about.sort_unstable();
    let twice: Vec<&str> = about.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    assert!(twice.is_empty(), "said twice: {twice:?}");
}

#[test]
fn every_dialogue_holds() {
    let wanted = std::env::var("VECTORS").unwrap_or_default();
    let scripts: Vec<Script> = scripts().into_iter().filter(|it| it.name.contains(&wanted)).collect();
    assert!(!scripts.is_empty(), "no dialogue is called {wanted}");
    let results: Vec<_> = scripts.iter().map(play::run).collect();
    let runs: usize = results.iter().flatten().sum();
    println!("{} dialogues, {runs} runs", scripts.len());
    let failures: Vec<String> = results.iter().filter_map(|it| it.as_ref().err()).map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{} of {} fail\n\n{}", failures.len(), scripts.len(), failures.join("\n"));
}
