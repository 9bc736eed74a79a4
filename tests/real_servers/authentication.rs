//! Every mechanism on every submission port, with what is right and what is wrong.

use std::thread;

use okuru::{ErrorCode, Mechanism, Options, Secret, State, Summary};

use crate::harness::{BOTH, Books, Client, Dialogue, Kind, Letter, Servers, User, options};

const MECHANISMS: [Mechanism; 7] = [
    Mechanism::ScramSha256,
    Mechanism::ScramSha1,
    Mechanism::CramMd5,
    Mechanism::Plain,
    Mechanism::Login,
    Mechanism::OauthBearer,
    Mechanism::Xoauth2,
];

/// Each submission service.
fn services(servers: &Servers) -> [Options; 4] {
    [
        format!("smtp://localhost:{}", servers.postfix("submission")),
        format!("smtps://127.0.0.1:{}", servers.postfix("submissions")),
        format!("smtp://127.0.0.1:{}", servers.dovecot("submission")),
        format!("smtps://localhost:{}", servers.dovecot("submissions")),
    ]
    .map(|url| options(&url).ca_file(&servers.told.tls.ca))
}

fn uses_token(mechanism: Mechanism) -> bool {
    matches!(mechanism, Mechanism::OauthBearer | Mechanism::Xoauth2)
}

fn logged_in_as(options: Options, mechanism: Mechanism, name: &str, password: &str, token: &str) -> Options {
    let options = if uses_token(mechanism) { options.token(name, token) } else { options.password(name, password) };
    options.expect("the credentials of the tests can be sent").mechanisms([mechanism])
}

#[test]
fn every_mechanism_takes_every_user() {
    let servers = Servers::shared();
    thread::scope(|scope| {
        for (place, service) in services(servers).into_iter().enumerate() {
            scope.spawn(move || {
                for (number, mechanism) in MECHANISMS.into_iter().enumerate() {
                    for (turn, User { name, password, token, .. }) in servers.users().iter().enumerate() {
                        let note = format!("{} as {name}, service {place}", mechanism.name());
                        let options = logged_in_as(service.clone(), mechanism, name, password, token);
                        // Either client for each mechanism, user and service, in turn.
                        let mut client = Client::new(BOTH[(place + number + turn) % 2], options);
                        let info = client.connect().unwrap_or_else(|error| panic!("{error}; {note}"));
                        assert_eq!(info.mechanism, Some(mechanism), "{note}");
                        client.close();
                    }
                }
            });
        }
    });
}

#[test]
fn every_mechanism_refuses_what_is_wrong() {
    let servers = Servers::shared();
    let alice = &servers.users()[0];
    thread::scope(|scope| {
        for (place, service) in services(servers).into_iter().enumerate() {
            for (number, mechanism) in MECHANISMS.into_iter().enumerate() {
                let service = service.clone();
                scope.spawn(move || {
                    let wrong: &[_] = match uses_token(mechanism) {
                        true => {
                            &[("an expired token", "alice", &alice.expired_token), ("no token", "alice", &alice.name)]
                        }
                        false => &[
                            ("a wrong password", "alice", &alice.name),
                            ("an unknown user", "mallory", &alice.password),
                        ],
                    };
                    for &(what, name, secret) in wrong {
                        let note = format!("{} with {what}, service {place}", mechanism.name());
                        let dialogue = Dialogue::default();
                        let options = logged_in_as(service.clone(), mechanism, name, secret, secret);
                        let mut client = Client::new(BOTH[(place + number) % 2], dialogue.of(options));
                        refuse(&mut client, &note);
                        assert!(!dialogue.text().contains(secret.as_str()), "{note}\n{}", dialogue.text());
                        assert_eq!(dialogue.count("AUTH"), 2, "once for each session; {note}\n{}", dialogue.text());
                    }
                });
            }
        }
    });
}

/// Neither connects nor sends.
fn refuse(client: &mut Client, note: &str) {
    let Err(error) = client.connect() else {
        panic!("logged in with what is wrong; {note}");
    };
    assert_eq!(error.code(), ErrorCode::AuthRefused, "{error}; {note}");
    // Both messages share one refusal.
    let letter = Letter::plain(&["bob@example.test"]);
    for outcome in client.send_many(vec![letter.message(), letter.message()]) {
        assert_eq!(outcome.summary(), Summary::Rejected, "{outcome:#?}; {note}");
        assert_eq!(outcome.recipients[0].reply.as_ref().map(|it| it.code().as_u16()), Some(535), "{note}");
        assert_eq!(outcome.error.map(|error| error.code()), Some(ErrorCode::AuthRefused), "{note}");
    }
}

#[test]
fn the_strongest_mechanism_is_taken() {
    let servers = Servers::shared();
    let alice = &servers.users()[0];
    for service in services(servers) {
        for kind in BOTH {
            let by_password = service.clone().password("alice", alice.password.as_str()).expect("it can be sent");
            let token = Secret::new(alice.token.clone());
            let by_token = service.clone().token_source("alice", move || Ok::<_, okuru::Error>(token.clone()));
            for (options, mechanism) in
                [(by_password, Mechanism::ScramSha256), (by_token.expect("it can be sent"), Mechanism::OauthBearer)]
            {
                let info = Client::new(kind, options).connect().unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(info.mechanism, Some(mechanism));
            }
        }
    }
}

#[test]
fn a_certificate_is_enough_for_dovecot() {
    let servers = Servers::shared();
    let tls = &servers.told.tls;
    let mut books = Books::new(servers).hops(2);
    for url in [
        format!("smtp://localhost:{}", servers.dovecot("submission")),
        format!("smtps://localhost:{}", servers.dovecot("submissions")),
    ] {
        for kind in BOTH {
            let service = options(&url).ca_file(&tls.ca).external().expect("it can be sent");
            let mut client = Client::new(kind, service.clone().client_certificate_files(&tls.client, &tls.client_key));
            let letter = Letter::plain(&["bob@example.test"]);
            let outcome = client.send(letter.message());
            assert_eq!(outcome.summary(), Summary::Accepted, "{outcome:#?}");
            assert_eq!(client.connect().expect("there is a session").mechanism, Some(Mechanism::External));
            books.enter(letter, &outcome, &url);
            refuse(&mut Client::new(kind, service), "without a certificate");
        }
    }
    books.balance();
}

#[test]
fn nobody_is_sent_mail_for_without_a_login() {
    let servers = Servers::shared();
    for service in services(servers).into_iter().take(2) {
        let letter = Letter::plain(&["bob@example.test"]);
        let outcome = Client::new(Kind::Blocking, service).send(letter.message());
        assert_eq!(outcome.recipients[0].state, State::Rejected, "{outcome:#?}");
        assert_eq!(outcome.recipients[0].reply.as_ref().map(|it| it.code().as_u16()), Some(554), "{outcome:#?}");
    }
}

#[test]
fn credentials_do_not_go_in_clear() {
    let servers = Servers::shared();
    let alice = &servers.users()[0];
    let mut books = Books::new(servers);
    for kind in BOTH {
        for mechanism in MECHANISMS {
            let dialogue = Dialogue::default();
            let service = servers.in_clear("plaintext_auth");
            let options = logged_in_as(service, mechanism, &alice.name, &alice.password, &alice.token);
            let error = Client::new(kind, dialogue.of(options.clone())).connect().map(|_| ()).unwrap_err();
            assert_eq!(error.code(), ErrorCode::SecurityPlaintextCredentials, "{}", mechanism.name());
            assert_eq!(dialogue.count("AUTH"), 0, "{}", mechanism.name());

            let letter = Letter::plain(&["bob@example.test"]);
            let outcome = Client::new(kind, options.dangerously_allow_plaintext_auth(true)).send(letter.message());
            assert_eq!(outcome.summary(), Summary::Accepted, "{outcome:#?}; {}", mechanism.name());
            books.enter(letter, &outcome, mechanism.name());
        }
    }
    books.balance();
}
