//! Routes in zones that are written down, whatever the order of the answers.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use super::*;
use crate::ErrorCode;
use crate::syntax::Domain;

/// Lines `NAME TYPE DATA`. `CNAME` is followed by the resolver, `ALIAS` is left to us; `FAIL` is SERVFAIL for one type or all.
fn look_up(zone: &str, query: &Query) -> Answer {
    let name = query.name.as_str();
    let kind = query.kind.as_str();
    let lines = || zone.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).filter(|words| words.len() > 1);
    let of = |wanted: &str| lines().filter(|words| words[0] == name && words[1] == wanted).collect::<Vec<_>>();
    if let Some(alias) = of("CNAME").first() {
        let target = Query { name: alias[2].parse().unwrap(), ..query.clone() };
        let answer = look_up(zone, &target);
        return Answer { canonical_name: answer.canonical_name.or(Some(alias[2].into())), ..answer };
    }
    let records = if let Some(alias) = of("ALIAS").first() {
        Records::Alias(alias[2].into())
    } else if of("FAIL").iter().any(|words| words.len() == 2 || words[2] == kind) {
        Records::Failed
    } else if !of(kind).is_empty() {
        let found = of(kind);
        if query.kind == QueryKind::Mx {
            let read = |words: &Vec<&str>| Exchange { preference: words[2].parse().unwrap(), host: words[3].into() };
            Records::Exchanges(found.iter().map(read).collect())
        } else {
            Records::Addresses(found.iter().map(|words| words[2].parse().unwrap()).collect())
        }
    } else if lines().any(|words| words[0] == name) {
        Records::NoData
    } else {
        Records::NxDomain
    };
    Answer { authenticated: !of("SIGNED").is_empty(), ..Answer::new(records) }
}

/// Answers each batch of look-ups in the order that `next` picks; gives what came, and how many batches and look-ups it took.
fn drive(mut route: Route, zone: &str, mut next: impl FnMut(usize) -> usize) -> (Resolution, usize, usize) {
    let (mut open, mut turns, mut asked) = (Vec::new(), 0, 0);
    loop {
        match route.poll(Duration::ZERO) {
            Output::Resolve(query) => {
                asked += 1;
                open.push(query);
            }
            Output::Wait { deadline } => {
                assert_eq!(deadline, Duration::from_secs(30));
                assert!(!route.is_done());
                turns += 1;
                while !open.is_empty() {
                    let query: Query = open.remove(next(open.len()));
                    route.dns_answer(query.id, look_up(zone, &query));
                    // A second answer to the same question is ignored.
                    route.dns_answer(query.id, Answer::new(Records::Failed));
                }
            }
            Output::Done(resolution) => {
                assert!(open.is_empty() && route.is_done());
                assert_eq!(route.poll(Duration::MAX), Output::Done(resolution.clone()));
                return (*resolution, turns, asked);
            }
        }
    }
}

fn resolve(config: &Config, domain: &str, zone: &str) -> Resolution {
    let route = Route::new(&domain.parse().unwrap(), config.clone().into(), [1; 8]);
    let (resolution, ..) = drive(route.clone(), zone, |_| 0);
    let (backwards, ..) = drive(route.clone(), zone, |open| open - 1);
    let (mixed, ..) = drive(route, zone, |open| open / 2);
    assert_eq!((&resolution, &resolution), (&backwards, &mixed), "the order of the answers matters");
    resolution
}

fn us(names: &[&str], addresses: &[&str]) -> Config {
    let mut config = Config::default();
    names.iter().for_each(|name| config.ourselves.add_name(&name.parse().unwrap()).unwrap());
    addresses.iter().for_each(|address| config.ourselves.add_address(address.parse().unwrap()));
    config
}

/// `NAME PREFERENCE ADDRESS,ADDRESS` for each host, or the verdict with its code.
fn shown(resolution: &Resolution) -> String {
    let hosts: Vec<String> = resolution
        .hosts()
        .iter()
        .map(|host| {
            let addresses: Vec<String> = host.addresses.iter().map(ToString::to_string).collect();
            let preference = host.preference.map_or("-".into(), |preference| preference.to_string());
            format!("{} {preference} {}", host.name, addresses.join(","))
        })
        .collect();
    match resolution.enhanced {
        Some(enhanced) => format!("{} {enhanced}", resolution.verdict.as_str()),
        None => hosts.join("; "),
    }
}

#[test]
fn known_answers() {
    let two = "d.test MX 20 b.d.test.\nd.test MX 10 a.d.test\na.d.test A 192.0.2.1\nb.d.test A 192.0.2.2";
    let us_a = us(&["A.d.test"], &[]);
    let us_b = us(&[], &["192.0.2.2"]);
    let nobody = Config::default();
    for (config, domain, zone, expected) in [
        (&nobody, "d.test", two, "a.d.test 10 192.0.2.1; b.d.test 20 192.0.2.2"),
        (&nobody, "D.Test.", two, "a.d.test 10 192.0.2.1; b.d.test 20 192.0.2.2"),
        // Both families, by turns.
        (
            &nobody,
            "d.test",
            "d.test MX 1 m.test\nm.test A 192.0.2.1\nm.test A 192.0.2.2\nm.test AAAA 2001:db8::1",
            "m.test 1 2001:db8::1,192.0.2.1,192.0.2.2",
        ),
        (&nobody, "d.test", "d.test MX 1 M.Test.\nm.test AAAA 2001:db8::1", "m.test 1 2001:db8::1"),
        // Implicit MX, where there is none at all only.
        (&nobody, "d.test", "d.test A 192.0.2.9", "d.test - 192.0.2.9"),
        (&nobody, "d.test", "d.test AAAA 2001:db8::9", "d.test - 2001:db8::9"),
        (&nobody, "d.test", "d.test A 192.0.2.9\nd.test FAIL MX", "temporary 4.4.3"),
        (&nobody, "d.test", "d.test A 192.0.2.9\nd.test MX 1 gone.test", "invalid 5.4.4"),
        (&nobody, "d.test", "d.test FAIL A\nd.test TXT x", "temporary 4.4.3"),
        (&nobody, "d.test", "d.test FAIL A\nd.test AAAA 2001:db8::9", "d.test - 2001:db8::9"),
        (&nobody, "d.test", "d.test TXT x", "no_such_domain 5.1.2"),
        (&nobody, "d.test", "other.test A 192.0.2.1", "no_such_domain 5.1.2"),
        // Null MX.
        (&nobody, "d.test", "d.test MX 0 .\nd.test A 192.0.2.9", "null_mx 5.1.10"),
        (&nobody, "d.test", "d.test MX 10 .", "null_mx 5.1.10"),
        (&nobody, "d.test", "d.test MX 0 .\nd.test MX 5 m.test\nm.test A 192.0.2.1", "m.test 5 192.0.2.1"),
        // A server without addresses is skipped, one that can't be looked up as long as there are others.
        (&nobody, "d.test", "d.test MX 1 gone.test\nd.test MX 2 m.test\nm.test A 192.0.2.1", "m.test 2 192.0.2.1"),
        (
            &nobody,
            "d.test",
            "d.test MX 1 f.test\nf.test FAIL\nd.test MX 2 m.test\nm.test A 192.0.2.1",
            "m.test 2 192.0.2.1",
        ),
        (&nobody, "d.test", "d.test MX 1 f.test\nf.test FAIL\nd.test MX 2 gone.test", "temporary 4.4.3"),
        // The better of two preferences counts.
        (
            &nobody,
            "d.test",
            "d.test MX 9 m.test\nd.test MX 3 m.test\nd.test MX 5 M.TEST.\nm.test A 192.0.2.1",
            "m.test 3 192.0.2.1",
        ),
        // Nonsense in the zone.
        (&nobody, "d.test", "d.test MX 1 192.0.2.1", "invalid 5.4.4"),
        (&nobody, "d.test", "d.test MX 1 [192.0.2.1]", "invalid 5.4.4"),
        (&nobody, "d.test", "d.test MX 1 a..b\nd.test MX 2 m.test\nm.test A 192.0.2.1", "m.test 2 192.0.2.1"),
        (&nobody, "d.test", "d.test A 0.0.0.0\nd.test A 224.0.0.1\nd.test AAAA ::", "no_such_domain 5.1.2"),
        (&nobody, "d.test", "d.test A 255.255.255.255\nd.test AAAA ::ffff:192.0.2.1", "no_such_domain 5.1.2"),
        (&nobody, "d.test", "d.test A 192.0.2.1\nd.test A 192.0.2.1", "d.test - 192.0.2.1"),
        // Literals.
        (&nobody, "[192.0.2.7]", "", "[192.0.2.7] - 192.0.2.7"),
        (&nobody, "[ipv6:2001:DB8::7]", "", "[IPv6:2001:db8::7] - 2001:db8::7"),
        (&nobody, "[IPv6:::ffff:192.0.2.7]", "", "[IPv6:::ffff:192.0.2.7] - 192.0.2.7"),
        (&nobody, "[0.0.0.0]", "", "invalid 5.1.3"),
        (&nobody, "[x-new:thing]", "", "invalid 5.1.3"),
        // Ourselves, and whoever is not better.
        (&us_a, "d.test", two, "loop 5.4.6"),
        (&us_b, "d.test", two, "a.d.test 10 192.0.2.1"),
        (&us(&["b.d.test"], &[]), "d.test", two, "a.d.test 10 192.0.2.1"),
        (
            &us(&["us.test"], &[]),
            "d.test",
            "d.test MX 5 a.test\nd.test MX 10 us.test\nd.test MX 10 b.test\nd.test MX 20 c.test\n\
             a.test A 192.0.2.1\nb.test A 192.0.2.2\nc.test A 192.0.2.3",
            "a.test 5 192.0.2.1",
        ),
        (
            &us(&[], &["2001:db8::5"]),
            "d.test",
            "d.test MX 5 a.test\nd.test MX 5 m.test\na.test A 192.0.2.1\nm.test A 192.0.2.2\nm.test AAAA 2001:db8::5",
            "loop 5.4.6",
        ),
        (&us(&[], &["192.0.2.9"]), "d.test", "d.test A 192.0.2.9", "loop 5.4.6"),
        (&us(&[], &["::ffff:192.0.2.9"]), "d.test", "d.test A 192.0.2.9", "loop 5.4.6"),
        (&us(&["d.test"], &[]), "d.test", "d.test A 192.0.2.1", "loop 5.4.6"),
        (&us(&["us.test"], &[]), "d.test", "d.test CNAME us.test\nus.test A 192.0.2.1", "loop 5.4.6"),
        (&us(&["d.test"], &[]), "d.test", "d.test MX 1 m.test\nm.test A 192.0.2.1", "m.test 1 192.0.2.1"),
        (&us(&[], &["192.0.2.7"]), "[192.0.2.7]", "", "loop 5.4.6"),
        (&us(&["[192.0.2.7]"], &[]), "[192.0.2.7]", "", "loop 5.4.6"),
        (&us(&["us.test"], &[]), "d.test", "d.test MX 5 f.test\nf.test FAIL\nd.test MX 10 us.test", "temporary 4.4.3"),
        (&us(&["us.test"], &[]), "d.test", "d.test MX 5 gone.test\nd.test MX 10 us.test", "invalid 5.4.4"),
        (
            &us(&["us.test"], &[]),
            "d.test",
            "d.test MX 5 w.test\nw.test CNAME us.test\nus.test A 192.0.2.1",
            "loop 5.4.6",
        ),
    ] {
        let resolution = resolve(config, domain, zone);
        assert_eq!(shown(&resolution), expected, "{domain} in\n{zone}\n{resolution:?}");
        assert_eq!(resolution.hosts().is_empty(), resolution.enhanced.is_some());
        assert_eq!(resolution.error().is_some(), resolution.enhanced.is_some());
        let permanent = resolution.enhanced.is_some_and(|code| code.class == 5);
        assert_eq!(resolution.is_permanent_failure(), permanent);
        assert!(!resolution.reason.is_empty() && !resolution.reason.ends_with('.'), "{}", resolution.reason);
    }
}

#[test]
fn errors_have_codes() {
    for (zone, code) in [
        ("d.test MX 0 .", ErrorCode::DnsNullMx),
        ("", ErrorCode::DnsNoSuchHost),
        ("d.test FAIL", ErrorCode::DnsTemporary),
        ("d.test MX 1 us.test", ErrorCode::DnsLoop),
        ("d.test MX 1 gone.test", ErrorCode::DnsNoServer),
    ] {
        let resolution = resolve(&us(&["us.test"], &[]), "d.test", zone);
        assert_eq!(resolution.error().unwrap().code(), code, "{zone}");
    }
    let literal = resolve(&Config::default(), "[x:y]", "");
    assert_eq!(literal.error().unwrap().code(), ErrorCode::AddressSyntax);
    assert_eq!(literal.reason, "[x:y] is an address literal of an unknown kind");
}

#[test]
fn aliases() {
    let nobody = Config::default();
    let target = "real.test MX 1 m.test\nm.test A 192.0.2.1\n";
    for (zone, expected) in [
        ("d.test CNAME real.test", "m.test 1 192.0.2.1"),
        ("d.test ALIAS real.test", "m.test 1 192.0.2.1"),
        ("d.test ALIAS x.test\nx.test CNAME y.test\ny.test ALIAS real.test", "m.test 1 192.0.2.1"),
        ("d.test CNAME bare.test\nbare.test A 192.0.2.2", "bare.test - 192.0.2.2"),
        ("d.test ALIAS bare.test\nbare.test A 192.0.2.2", "bare.test - 192.0.2.2"),
        ("d.test ALIAS null.test\nnull.test MX 0 .", "null_mx 5.1.10"),
        ("d.test ALIAS gone.test", "no_such_domain 5.1.2"),
        ("d.test CNAME gone.test", "no_such_domain 5.1.2"),
        ("d.test ALIAS d.test", "temporary 4.4.3"),
        ("d.test ALIAS x.test\nx.test ALIAS d.test", "temporary 4.4.3"),
        ("d.test ALIAS a..b", "temporary 4.4.3"),
        ("d.test ALIAS [192.0.2.1]", "no_such_domain 5.1.2"),
        // Of a server.
        ("d.test MX 1 w.test\nw.test CNAME m.test", "w.test 1 192.0.2.1"),
        ("d.test MX 1 w.test\nw.test ALIAS m.test", "w.test 1 192.0.2.1"),
    ] {
        let zone = format!("{target}{zone}");
        assert_eq!(shown(&resolve(&nobody, "d.test", &zone)), expected, "{zone}");
    }
    let named = resolve(&nobody, "d.test", &format!("{target}d.test MX 1 w.test\nw.test ALIAS m.test"));
    assert_eq!(named.hosts()[0].canonical_name.as_ref().map(Domain::as_str), Some("m.test"));
    let bare = resolve(&nobody, "d.test", "d.test CNAME bare.test\nbare.test A 192.0.2.2");
    assert_eq!((bare.hosts()[0].canonical_name.as_ref(), bare.domain.as_str()), (None, "d.test"));
}

#[test]
fn leniency_has_names() {
    let strict =
        Config { leniency: Leniency { alias_as_exchange: false, address_as_exchange: false }, ..Config::default() };
    let lax = Config { leniency: Leniency { address_as_exchange: true, ..Leniency::default() }, ..Config::default() };
    let zone = "d.test MX 1 w.test\nw.test CNAME m.test\nm.test A 192.0.2.1\nd.test MX 2 192.0.2.7\n\
                d.test MX 3 [192.0.2.8]\nd.test MX 4 2001:db8::1";
    let refused = resolve(&strict, "d.test", zone);
    assert_eq!(shown(&refused), "invalid 5.4.4");
    let why = |name: &str| refused.skipped.iter().find(|it| it.name == name).unwrap().why.clone();
    assert_eq!(why("w.test"), "an MX record must not name an alias (RFC 5321 §5.1)");
    assert_eq!(why("[192.0.2.7]"), "an MX record must name a host, no address (RFC 5321 §5.1)");
    assert_eq!(
        shown(&resolve(&lax, "d.test", zone)),
        "w.test 1 192.0.2.1; [192.0.2.7] 2 192.0.2.7; [192.0.2.8] 3 192.0.2.8; [IPv6:2001:db8::1] 4 2001:db8::1"
    );
    // An alias that the domain itself is, is no MX record.
    assert_eq!(shown(&resolve(&strict, "d.test", "d.test CNAME m.test\nm.test A 192.0.2.1")), "m.test - 192.0.2.1");
}

#[test]
fn authentication_is_carried_along() {
    let zone = "d.test MX 1 s.test\nd.test MX 2 u.test\nd.test SIGNED x\ns.test A 192.0.2.1\ns.test SIGNED x\n\
                u.test A 192.0.2.2";
    let resolution = resolve(&Config::default(), "d.test", zone);
    let hosts: Vec<bool> = resolution.hosts().iter().map(|host| host.authenticated).collect();
    assert_eq!((resolution.authenticated, hosts), (true, [true, false].into()));
    // An alias that nobody has signed leads away from what is.
    let zone = format!("{zone}\nw.test ALIAS d.test");
    assert!(!resolve(&Config::default(), "w.test", &zone).authenticated);
    assert!(resolve(&Config::default(), "w.test", &format!("{zone}\nw.test SIGNED x")).authenticated);
}

#[test]
fn equals_take_turns_and_preferences_do_not() {
    let zone = "d.test MX 10 a.test\nd.test MX 10 b.test\nd.test MX 10 c.test\nd.test MX 5 first.test\nd.test MX 20 last.test\n\
                a.test A 192.0.2.1\nb.test A 192.0.2.2\nc.test A 192.0.2.3\nfirst.test A 192.0.2.4\nlast.test A 192.0.2.5";
    let mut counts = [[0_u32; 3]; 3];
    for seed in 0_u64..3000 {
        let route = Route::new(&"d.test".parse().unwrap(), Config::default().into(), seed.to_le_bytes());
        let (resolution, ..) = drive(route, zone, |_| 0);
        let names: Vec<&str> = resolution.hosts().iter().map(|host| host.name.as_str()).collect();
        assert_eq!((names[0], names[4]), ("first.test", "last.test"));
        for (place, name) in names[1..4].iter().enumerate() {
            counts[["a.test", "b.test", "c.test"].iter().position(|it| it == name).unwrap()][place] += 1;
        }
    }
    assert!(counts.iter().flatten().all(|count| (900..1100).contains(count)), "{counts:?}");
}

#[test]
fn what_can_be_asked_at_once_is_asked_at_once() {
    let zone = "d.test MX 10 a.test\nd.test MX 20 b.test\na.test A 192.0.2.1\nb.test A 192.0.2.2";
    let route = |config: Config| Route::new(&"d.test".parse().unwrap(), config.into(), [0; 8]);
    let (_, turns, asked) = drive(route(Config::default()), zone, |_| 0);
    assert_eq!((turns, asked), (2, 5));
    let (resolution, turns, asked) = drive(route(Config { families: Families::V4, ..Config::default() }), zone, |_| 0);
    assert_eq!((turns, asked, resolution.hosts().len()), (2, 3, 2));
    let (resolution, ..) = drive(route(Config { families: Families::V6, ..Config::default() }), zone, |_| 0);
    assert_eq!(shown(&resolution), "invalid 5.4.4");
    let (_, turns, asked) =
        drive(Route::new(&"[192.0.2.1]".parse().unwrap(), Config::default().into(), [0; 8]), "", |_| 0);
    assert_eq!((turns, asked), (0, 0));
}

#[test]
fn everything_is_bounded() {
    let mut zone = String::new();
    for number in 0..2000 {
        zone += &format!("d.test MX {number} m{number}.test\n");
        for host in 1..20 {
            zone += &format!("m{number}.test A 192.0.2.{host}\n");
        }
    }
    let route = || Route::new(&"d.test".parse().unwrap(), Config::default().into(), [0; 8]);
    let (resolution, _, asked) = drive(route(), &zone, |_| 0);
    let limits = Limits::default();
    assert_eq!((resolution.hosts().len(), asked), (limits.hosts, 1 + 2 * limits.hosts));
    assert!(resolution.hosts().iter().all(|host| host.addresses.len() == limits.addresses));
    assert!(resolution.skipped.len() <= limits.exchanges);
    // Every server an alias that leads nowhere.
    let mut zone = String::new();
    for number in 0..20 {
        zone += &format!(
            "d.test MX 1 m{number}.test\nm{number}.test ALIAS x{number}.test\nx{number}.test ALIAS m{number}.test\n"
        );
    }
    let (resolution, _, asked) = drive(route(), &zone, |_| 0);
    assert_eq!((shown(&resolution).as_str(), asked), ("temporary 4.4.3", limits.look_ups));
    // Not even one.
    let config = Config { limits: Limits { look_ups: 0, ..limits }, ..Config::default() };
    let (resolution, _, asked) = drive(Route::new(&"d.test".parse().unwrap(), config.into(), [0; 8]), &zone, |_| 0);
    assert_eq!((shown(&resolution).as_str(), asked), ("temporary 4.4.3", 0));
}

#[test]
fn what_is_not_answered_in_time_has_failed() {
    let zone = "d.test MX 10 a.test\nd.test MX 20 b.test\na.test A 192.0.2.1\nb.test A 192.0.2.2";
    let start = Duration::from_secs(100);
    let mut route = Route::new(&"d.test".parse().unwrap(), Config::default().into(), [0; 8]);
    let Output::Resolve(query) = route.poll(start) else { panic!("nothing is asked") };
    assert_eq!(route.poll(start), Output::Wait { deadline: Duration::from_secs(130) });
    route.deadline_passed(Duration::from_secs(129));
    let mut silent = route.clone();
    silent.deadline_passed(Duration::from_secs(130));
    assert!(matches!(silent.poll(start), Output::Done(it) if it.verdict == Verdict::Temporary));
    route.dns_answer(query.id, look_up(zone, &query));
    let mut open = Vec::new();
    while let Output::Resolve(query) = route.poll(Duration::from_secs(129)) {
        open.push(query);
    }
    // One server is known when time is up.
    for query in open.iter().filter(|query| query.name.as_str() == "b.test") {
        route.dns_answer(query.id, look_up(zone, query));
    }
    route.deadline_passed(Duration::from_secs(130));
    let Output::Done(resolution) = route.poll(Duration::from_secs(131)) else { panic!("it goes on") };
    assert_eq!(shown(&resolution), "b.test 20 192.0.2.2");
    assert_eq!(resolution.skipped[0].why, "its addresses can't be looked up for now");
    // It stays so.
    route.dns_answer(open[0].id, Answer::new(Records::Failed));
    route.deadline_passed(Duration::MAX);
    assert_eq!(route.poll(Duration::MAX), Output::Done(resolution));
}

#[test]
fn answers_of_the_wrong_kind_are_none() {
    for (mx, expected) in [
        (Records::Addresses(["192.0.2.1".parse::<IpAddr>().unwrap()].into()), "no_such_domain 5.1.2"),
        (Records::Exchanges(Vec::new()), "no_such_domain 5.1.2"),
    ] {
        let mut route = Route::new(&"d.test".parse().unwrap(), Config::default().into(), [0; 8]);
        let mut first = Some(mx);
        let resolution = loop {
            match route.poll(Duration::ZERO) {
                Output::Resolve(query) => {
                    let exchange = Exchange { preference: 1, host: "m.test".into() };
                    let wrong = || Records::Exchanges([exchange].into());
                    route.dns_answer(query.id, Answer::new(first.take().unwrap_or_else(wrong)));
                }
                Output::Done(resolution) => break resolution,
                Output::Wait { .. } => panic!("it waits"),
            }
        };
        assert_eq!(shown(&resolution), expected);
    }
}

#[cfg(feature = "idna")]
#[test]
fn names_outside_ascii() {
    let zone = "xn--exmple-cua.test MX 1 mx.exämple.test\nmx.xn--exmple-cua.test A 192.0.2.1";
    assert_eq!(shown(&resolve(&Config::default(), "EXÄMPLE.test", zone)), "mx.xn--exmple-cua.test 1 192.0.2.1");
    let none = resolve(&Config::default(), "a\u{202e}b.test", "");
    assert_eq!(shown(&none), "invalid 5.1.3");
    assert!(!none.reason.chars().any(|c| c == '\u{202e}'), "{}", none.reason);
}
