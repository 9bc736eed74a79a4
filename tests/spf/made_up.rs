//! Zones that are made up, of what records may hold: the same for the same seed.

use crate::zone::{Entry, Zone};

/// A zone, and checks in it: address, reverse-path, name in HELO.
/// With failures, some names can't be looked up.
pub(crate) fn zone(seed: u64, with_failures: bool) -> (Zone, Vec<[String; 3]>) {
    let mut random = Random(seed.wrapping_mul(0xD134_2543_DE82_EF95));
    let mut zone = Zone::default();
    for name in NAMES {
        let mut entries = Vec::new();
        for _ in 0..random.below(3) {
            entries.push(Entry::Address(random.pick(&CLIENTS).parse().unwrap()));
        }
        for number in 0..random.below(3) {
            let host = random.pick(&NAMES).to_owned();
            entries.push(Entry::Exchange(u16::try_from(10 * number).unwrap(), host));
        }
        match random.below(8) {
            0 => {}
            1 if with_failures => entries = vec![Entry::Timeout],
            2 => entries.push(Entry::Text("a text that is no record".to_owned())),
            _ => entries.push(Entry::Text(record(&mut random, name))),
        }
        zone.0.insert(name.to_owned(), entries);
    }
    for number in 0..3 {
        zone.0.insert(format!("why{number}.test"), vec![Entry::Text(explanation(&mut random))]);
    }
    for reverse in ["1.2.0.192.in-addr.arpa", "200.2.0.192.in-addr.arpa"] {
        let names = (0..random.below(4)).map(|_| Entry::Pointer(random.pick(&NAMES).to_owned()));
        zone.0.insert(reverse.to_owned(), names.collect());
    }
    for first in ["ann", "1.2.0.192", "test"] {
        zone.0.insert(format!("{first}.list.test"), vec![Entry::Address([127, 0, 0, 2].into())]);
    }
    let mut checks = Vec::new();
    for client in CLIENTS {
        // No `@c.test`: pyspf leaves out of %{s} the postmaster that RFC 7208 §4.3 puts there.
        for from in ["ann@a.test", "bob-x+y@sub.a.test", "", "c@b.test", "e@c.test"] {
            checks.push([client.to_owned(), from.to_owned(), "d.test".to_owned()]);
        }
    }
    (zone, checks)
}

const NAMES: [&str; 6] = ["a.test", "sub.a.test", "b.test", "c.test", "d.test", "list.test"];
const CLIENTS: [&str; 4] = ["192.0.2.1", "192.0.2.200", "2001:db8::1", "203.0.113.5"];

fn record(random: &mut Random, of: &str) -> String {
    let mut record = "v=spf1".to_owned();
    for _ in 0..random.below(7) {
        let qualifier = random.pick(&["", "", "", "+", "-", "~", "?"]).to_owned();
        record = record + " " + &qualifier + &mechanism(random, of);
    }
    if random.below(3) > 0 {
        record += random.pick(&[
            " -all",
            " ~all",
            " ?all",
            " +all",
            " redirect=b.test",
            " redirect=%{d2}",
            " redirect=c.test",
        ]);
    }
    if random.below(3) > 0 {
        record += &format!(" exp=why{}.test", random.below(4));
    }
    if random.below(12) == 0 {
        record += random.pick(&[
            " moo",
            " x=%{d}",
            " a/33",
            " ip4:1.2.3",
            " exp=",
            " all/8",
            " %",
            " a:%{x}.test",
            " mx:museum",
        ]);
    }
    record
}

fn mechanism(random: &mut Random, of: &str) -> String {
    let domain = domain(random);
    let prefix = random.pick(&["", "", "/24", "/0", "//64", "/24//32", "/25"]);
    match random.below(8) {
        0 => format!("a{prefix}"),
        1 => format!("a:{domain}{prefix}"),
        2 => format!("mx{prefix}"),
        3 => format!("mx:{domain}{prefix}"),
        // pyspf calls a record that includes itself malformed, whether that is reached or not.
        4 if domain == of || domain.contains('%') => "include:%{l}.list.test".to_owned(),
        4 => format!("include:{domain}"),
        5 => format!("exists:{domain}"),
        6 => random.pick(&["ptr", "ptr:a.test", "ptr:test.test"]).to_owned(),
        _ => random
            .pick(&["ip4:192.0.2.0/25", "ip4:203.0.113.5", "ip6:2001:db8::/32", "ip4:192.0.2.200/32", "ip6::/0"])
            .to_owned(),
    }
}

fn domain(random: &mut Random) -> String {
    match random.below(3) {
        0 => random
            .pick(&[
                "%{l}.list.test",
                "%{ir}.list.test",
                "%{d}",
                "%{o}",
                "%{h}",
                "%{l1r+-}.%{d2}",
                "%{d1}.list.test",
                "%{p}",
            ])
            .to_owned(),
        1 => "nowhere.test".to_owned(),
        _ => random.pick(&NAMES).to_owned(),
    }
}

fn explanation(random: &mut Random) -> String {
    random
        .pick(&[
            "%{i} may not send for %{d}",
            "see http://x.test/?s=%{S}&i=%{c}&h=%{h}&r=%{r}",
            "%{l} %{lr-} %{l1r-} %{o} %{o1} %{or} %{v} %% %_ %-",
            "%{p} is not %{dr}",
            "broken %{x}",
            "100%",
        ])
        .to_owned()
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }
}
