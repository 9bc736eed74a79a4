//! Every dialogue of `tests/vectors/`, through the machine of the core, in every way in which bytes can come.
//!
//! `VECTORS=auth/ cargo test -p okuru-tests --test vectors` runs only those whose name holds `auth/`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use okuru_tests::vectors::play::{self, Tally};
use okuru_tests::vectors::{self, dialogue::Dialogue};

fn dialogues() -> Vec<Dialogue> {
    vectors::load(&vectors::folder()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn there_are_enough_and_each_is_about_something_else() {
    let dialogues = dialogues();
    assert!(dialogues.len() >= 150, "{} dialogues", dialogues.len());
    let mut about: Vec<&str> = dialogues.iter().map(|it| it.about.as_str()).collect();
    about.sort_unstable();
    let twice: Vec<&str> = about.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    assert!(twice.is_empty(), "said twice: {twice:?}");
}

#[test]
fn every_dialogue_holds() {
    let wanted = std::env::var("VECTORS").unwrap_or_default();
    let dialogues: Vec<Dialogue> = dialogues().into_iter().filter(|it| it.name.contains(&wanted)).collect();
    assert!(!dialogues.is_empty(), "no dialogue is called {wanted}");
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(dialogue) = dialogues.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = play::run(dialogue);
                    results.lock().expect("nobody panics while holding it").push(result);
                }
            });
        }
    });
    let results = results.into_inner().expect("nobody panics while holding it");
    let failures: Vec<String> = results.iter().filter_map(|it| it.as_ref().err()).map(ToString::to_string).collect();
    let tally = results.iter().flatten().fold(Tally::default(), |sum, it| Tally {
        runs: sum.runs + it.runs,
        broken_off: sum.broken_off + it.broken_off,
    });
    println!("{} dialogues, {} runs, {} broken off", dialogues.len(), tally.runs, tally.broken_off);
    assert!(failures.is_empty(), "{} of {} fail\n\n{}", failures.len(), dialogues.len(), failures.join("\n"));
}
