//! `okuru demo`

use crate::program::okuru;

#[test]
fn three_messages_arrive_as_they_were_sent() {
    let run = okuru(&["demo", "--width", "100"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:?}");
    for said in [
        "= from here on inside TLS =",
        "AUTH SCRAM-SHA-256-PLUS <hidden>",
        "message 1 of 3: letter.eml",
        "| 250 2.0.0 Ok: queued as DEMO3",
        "letter.eml        1206           0           3  accepted  DEMO1                2  the same",
        "attachment.eml   10946           0           2  accepted  DEMO2                1  the same",
        "dots.eml           789          10           1  accepted  DEMO3                1  the same",
        "the certificate verified; logged in by SCRAM-SHA-256-PLUS.",
        "What arrived is byte for byte what was sent.",
    ] {
        assert!(run.stdout.contains(said), "{said}\n{}", run.stdout);
    }
    assert!(run.stdout.lines().filter(|line| line.contains(" | ")).all(|line| line.chars().count() <= 100));
}
