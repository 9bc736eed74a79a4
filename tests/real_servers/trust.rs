//! TLS is verified, and required where it was asked for.

use okuru::{ErrorCode, Options, State, Summary, Tls};

use crate::harness::{BOTH, Books, Client, Dialogue, Letter, Servers, options};

/// Each service with TLS, for whom the name in its URL is right.
fn services(servers: &Servers) -> [String; 6] {
    [
        format!("smtp://127.0.0.1:{}", servers.postfix("mx")),
        format!("smtp://localhost:{}", servers.postfix("submission")),
        format!("smtps://127.0.0.1:{}", servers.postfix("submissions")),
        format!("smtp://127.0.0.1:{}", servers.dovecot("submission")),
        format!("smtps://localhost:{}", servers.dovecot("submissions")),
        format!("lmtp://localhost:{}", servers.dovecot("lmtp")),
    ]
}

fn with_tls(url: &str) -> Options {
    let options = options(url);
    if url.starts_with("lmtp") { options.tls(Tls::StartTls) } else { options }
}

/// Neither connects nor sends; the message may be tried again elsewhere.
fn refuse(options: &Options, code: ErrorCode, note: &str) {
    for kind in BOTH {
        let dialogue = Dialogue::default();
        let mut client = Client::new(kind, dialogue.of(options.clone()));
        let error = client.connect().map(|_| ()).expect_err(note);
        assert_eq!(error.code(), code, "{error}; {kind:?}: {note}");
        let outcome = client.send(Letter::plain(&["bob@example.test"]).message());
        assert_eq!(outcome.summary(), Summary::Deferred, "{outcome:#?}; {kind:?}: {note}");
        assert_eq!(outcome.error.map(|error| error.code()), Some(code), "{kind:?}: {note}");
        assert_eq!((dialogue.count("MAIL"), dialogue.count("AUTH")), (0, 0), "{kind:?}: {note}");
    }
}

#[test]
fn the_right_authority_and_each_right_name_are_trusted() {
    let servers = Servers::shared();
    for url in services(servers) {
        for name in &servers.told.tls.names {
            for kind in BOTH {
                let options = with_tls(&url).ca_file(&servers.told.tls.ca).tls_name(name);
                let info = Client::new(kind, options).connect().unwrap_or_else(|error| panic!("{error}; {url} {name}"));
                let tls = info.tls.expect("there is TLS");
                assert_eq!((tls.version, tls.distrust), ("TLSv1.3", None), "{url} {name}");
            }
        }
    }
}

#[test]
fn a_wrong_authority_is_not_trusted() {
    let servers = Servers::shared();
    for url in services(servers) {
        let wrong = with_tls(&url).ca_file(&servers.told.tls.untrusted_ca);
        refuse(&wrong, ErrorCode::TlsCertificate, &url);
        refuse(&with_tls(&url), ErrorCode::TlsCertificate, &format!("{url}, the authorities of the system"));
    }
}

#[test]
fn a_wrong_name_is_not_trusted() {
    let servers = Servers::shared();
    for url in services(servers) {
        for name in ["other.test", "127.0.0.2", "st"] {
            let wrong = with_tls(&url).ca_file(&servers.told.tls.ca).tls_name(name);
            refuse(&wrong, ErrorCode::TlsCertificate, &format!("{url} as {name}"));
        }
    }
}

#[test]
fn nothing_is_sent_where_tls_is_required_and_not_offered() {
    let servers = Servers::shared();
    let alice = &servers.users()[0];
    for role in ["bare", "plaintext_auth"] {
        let options = servers.in_clear(role).tls(Tls::StartTls).ca_file(&servers.told.tls.ca);
        let options = options.password(&alice.name, alice.password.as_str()).expect("it can be sent");
        refuse(&options.dangerously_allow_plaintext_auth(true), ErrorCode::SecurityTlsStripped, role);
    }
}

#[test]
fn a_port_that_speaks_no_tls_from_the_first_byte_is_no_use_for_implicit_tls() {
    let servers = Servers::shared();
    let options = servers.in_clear("mx").tls(Tls::Implicit).ca_file(&servers.told.tls.ca);
    refuse(&options, ErrorCode::TlsHandshake, "mx");
}

#[test]
fn opportunistic_tls_takes_what_there_is() {
    let servers = Servers::shared();
    let mut books = Books::new(servers);
    for (role, trusted, has_tls) in [("mx", true, true), ("mx", false, true), ("bare", false, false)] {
        for kind in BOTH {
            let authority = if trusted { &servers.told.tls.ca } else { &servers.told.tls.untrusted_ca };
            let options = servers.in_clear(role).tls(Tls::Opportunistic).ca_file(authority);
            let mut client = Client::new(kind, options);
            let letter = Letter::plain(&["bob@example.test"]);
            let outcome = client.send(letter.message());
            assert_eq!(outcome.recipients[0].state, State::Accepted, "{outcome:#?}; {role} {trusted}");
            let tls = client.connect().expect("there is a session").tls;
            assert_eq!(tls.is_some(), has_tls, "{role}");
            assert_eq!(tls.is_some_and(|tls| tls.distrust.is_some()), has_tls && !trusted, "{role} {trusted}");
            books.enter(letter, &outcome, role);
        }
    }
    books.balance();
}

#[test]
fn a_certificate_is_shown_to_who_asks_for_one() {
    let servers = Servers::shared();
    let tls = &servers.told.tls;
    let url = format!("smtps://localhost:{}", servers.postfix("client_certificate"));
    let mut books = Books::new(servers);
    for kind in BOTH {
        let options = options(&url).ca_file(&tls.ca).client_certificate_files(&tls.client, &tls.client_key);
        let letter = Letter::plain(&["bob@example.test"]);
        let outcome = Client::new(kind, options).send(letter.message());
        assert_eq!(outcome.summary(), Summary::Accepted, "{outcome:#?}");
        books.enter(letter, &outcome, "with a certificate");
    }
    books.balance();
    // Postfix says so in its greeting.
    let without = options(&url).ca_file(&tls.ca);
    refuse(&without, ErrorCode::ReplyClosing, "without a certificate");
    let wrong = without.client_certificate_files(&tls.untrusted_client, &tls.untrusted_client_key);
    refuse(&wrong, ErrorCode::ReplyClosing, "with one from the wrong authority");
}
