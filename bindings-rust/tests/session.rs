//! Sessions without TLS: many messages, outcomes, loss and cancellation.

mod support;

use std::io::{Read as _, Write as _};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use okuru::{Chunking, Content, ErrorCode, Message, Options, Pipelining, Progress, Query, Reply, State, Summary, Tls};
use support::{BOTH, Client, ClosedPort, Peer, listen, message, sink};

fn options(address: std::net::SocketAddr) -> Options {
    Options::new(&format!("smtp://{address}")).unwrap().tls(Tls::None).ehlo_name("foo.com").unwrap()
}

#[test]
fn many_messages_at_each_level() {
    for kind in BOTH {
        for level in [Pipelining::None, Pipelining::Message, Pipelining::Session, Pipelining::Streaming] {
            let (address, received) = sink(&["PIPELINING", "CHUNKING", "8BITMIME"]);
            let mut client = Client::new(kind, options(address).pipelining(level));
            let content = |i: usize| format!("Subject: {i}\r\n\r\n.{}\r\n", "x".repeat(i * 700));
            let outcomes = client.send_many((0..50).map(|i| message(content(i))).collect());
            assert_eq!(outcomes.len(), 50);
            for (i, outcome) in outcomes.iter().enumerate() {
                assert_eq!((outcome.summary(), outcome.message.0), (Summary::Accepted, i as u64), "{kind:?} {level:?}");
                assert_eq!(received.recv().unwrap(), content(i).into_bytes(), "{kind:?} {level:?}");
            }
            if level == Pipelining::Session {
                let trips: u32 = outcomes[1..].iter().map(|outcome| outcome.round_trips).sum();
                assert!(trips <= 49, "{trips}");
            }
            client.close();
        }
    }
}

#[test]
fn one_session_for_one_message_after_the_other() {
    for kind in BOTH {
        let (sender, received) = channel();
        let address = listen(move |number, stream| {
            assert_eq!(number, 0, "a second connection");
            assert!(Peer::new(stream).serve(&["PIPELINING"], &sender), "no QUIT");
        });
        let mut client = Client::new(kind, options(address));
        let info = client.connect().unwrap();
        assert!(info.capabilities.unwrap().pipelining());
        for i in 0..3 {
            let outcome = client.send(message(format!("{i}\r\n")));
            assert_eq!(outcome.queue_id(), Some("4XyZ12"));
            assert_eq!(received.recv().unwrap(), format!("{i}\r\n").into_bytes());
        }
        assert_eq!(client.command(Query::Noop).unwrap().code().as_u16(), 250);
        client.close();
    }
}

#[test]
fn each_recipient_has_its_own_outcome() {
    for kind in BOTH {
        let address = listen(|_, stream| {
            let mut peer = Peer::new(stream);
            peer.say("220 hi\r\n");
            peer.expect("EHLO foo.com", "250-x\r\n250 PIPELINING\r\n");
            peer.expect("MAIL FROM:<a@foo.com>", "250 ok\r\n");
            peer.expect("RCPT TO:<b@bar.com>", "250 ok\r\n");
            peer.expect("RCPT TO:<c@bar.com>", "550 5.1.1 no such user\r\n");
            peer.expect("RCPT TO:<d@bar.com>", "450 4.2.0 later\r\n");
            peer.expect("DATA", "354 go\r\n");
            peer.content().unwrap();
            peer.say("250 ok\r\n");
        });
        let to = ["b@bar.com", "c@bar.com", "d@bar.com"];
        let outcome = Client::new(kind, options(address)).send(Message::new("a@foo.com", to, "hi\r\n").unwrap());
        let states: Vec<_> = outcome.recipients.iter().map(|recipient| recipient.state).collect();
        assert_eq!(states, [State::Accepted, State::Rejected, State::Deferred]);
        assert_eq!(outcome.summary(), Summary::Partial);
        assert_eq!(outcome.into_result().unwrap_err().code(), ErrorCode::ReplyRejected);
    }
}

#[test]
fn without_a_connection_every_message_is_deferred() {
    let closed = ClosedPort::new();
    for kind in BOTH {
        for (url, code) in [
            (closed.url(), ErrorCode::ConnectRefused),
            ("smtp://mx.invalid".to_owned(), ErrorCode::DnsNoSuchHost),
            ("lmtp:///nonexistent/socket".to_owned(), ErrorCode::ConnectFailed),
        ] {
            let mut client = Client::new(kind, Options::new(&url).unwrap());
            let outcomes = client.send_many((0..3).map(|_| message("hi\r\n")).collect());
            assert_eq!(outcomes.len(), 3);
            for outcome in outcomes {
                assert_eq!((outcome.summary(), outcome.progress), (Summary::Deferred, Progress::Queued));
                assert_eq!(outcome.recipients[0].error().unwrap().code(), code, "{kind:?} {url}");
            }
            assert_eq!(client.connect().unwrap_err().code(), code, "{kind:?} {url}");
        }
    }
}

#[test]
fn a_server_that_never_answers_costs_the_time_that_was_allowed() {
    let address = listen(|_, stream| {
        thread::spawn(move || {
            thread::sleep(Duration::from_secs(2));
            drop(stream);
        });
    });
    for kind in BOTH {
        let began = Instant::now();
        let silent = options(address).reply_timeout(Duration::from_millis(150));
        let outcome = Client::new(kind, silent).send(message("hi\r\n"));
        assert_eq!(outcome.into_result().unwrap_err().code(), ErrorCode::TimeoutReply, "{kind:?}");
        let outcome = Client::new(kind, options(address)).send(message("hi\r\n").deadline(Duration::from_millis(150)));
        assert_eq!(outcome.summary(), Summary::Deferred);
        assert_eq!(outcome.into_result().unwrap_err().code(), ErrorCode::TimeoutDeadline, "{kind:?}");
        let took = began.elapsed();
        assert!((Duration::from_millis(300)..Duration::from_secs(2)).contains(&took), "{kind:?}: {took:?}");
    }
}

#[test]
fn recipients_that_a_session_does_not_take_go_over_another() {
    for kind in BOTH {
        for (limits, content) in [
            ("LIMITS RCPTMAX=1 MAILMAX=2", Content::from("hi\r\n")),
            ("LIMITS RCPTDOMAINMAX=1", Content::from("hi\r\n")),
            ("LIMITS RCPTDOMAINMAX=1", Content::reader(&b"hi\r\n"[..], None)),
        ] {
            let once = content.try_clone().is_none();
            let (sender, received) = channel();
            let address = listen(move |_, stream| {
                let sender = sender.clone();
                thread::spawn(move || Peer::new(stream).serve(&["PIPELINING", limits], &sender));
            });
            let mut client = Client::new(kind, options(address));
            let to = ["a@x.example", "b@y.example", "c@z.example"];
            let first = Message::new("jones@foo.com", to, content).unwrap();
            let mut outcomes = client.send_many(vec![first, message("last\r\n")]);
            outcomes.sort_by_key(|outcome| outcome.message.0);
            let states: Vec<_> = outcomes[0].recipients.iter().map(|recipient| recipient.state).collect();
            assert_eq!(outcomes.iter().map(|outcome| outcome.message.0).collect::<Vec<_>>(), [0, 1], "{limits}");
            assert_eq!(outcomes[0].envelope.recipients.len(), 3);
            assert_eq!(outcomes[1].summary(), Summary::Accepted, "{limits}");
            client.close();
            let mut contents: Vec<_> = received.try_iter().collect();
            contents.sort();
            if once {
                assert_eq!(states, [State::Accepted, State::Deferred, State::Deferred]);
                let error = outcomes[0].recipients[2].error().unwrap();
                assert_eq!((error.code(), contents.len()), (ErrorCode::LimitSession, 2));
            } else {
                assert_eq!(states, [State::Accepted; 3], "{kind:?} {limits}: {outcomes:#?}");
                assert_eq!(contents, [&b"hi\r\n"[..], b"hi\r\n", b"hi\r\n", b"last\r\n"]);
            }
        }
    }
}

#[test]
fn nobody_waits_to_close_what_never_began_or_does_not_go_on() {
    for (kind, says) in BOTH.into_iter().flat_map(|kind| [(kind, ""), (kind, "220 hi\r\n250 hi\r\n")]) {
        let (sender, told) = channel();
        let address = listen(move |_, stream| {
            stream.set_read_timeout(None).unwrap();
            let mut peer = Peer::new(stream);
            for reply in says.split_inclusive('\n') {
                peer.say(reply);
                peer.line();
            }
            sender.send(peer.line()).unwrap();
        });
        // For ever, as far as a test is concerned.
        let mut client = Client::new(kind, options(address).reply_timeout(Duration::from_secs(1 << 32)));
        let outcome = client.send(message("hi\r\n").deadline(Duration::from_millis(20)));
        assert_eq!(outcome.into_result().unwrap_err().code(), ErrorCode::TimeoutDeadline);
        client.close();
        assert_eq!(told.recv().unwrap(), "", "{kind:?} {says:?}");
    }
}

#[test]
fn a_session_that_was_closed_while_idle_costs_no_message() {
    for kind in BOTH {
        for farewell in ["", "421 4.4.2 idle for too long\r\n"] {
            let (sender, received) = channel();
            let (closed, told) = channel();
            let address = listen(move |number, stream| {
                let mut peer = Peer::new(stream);
                if number == 0 {
                    peer.say("220 hi\r\n");
                    peer.expect("EHLO", "250 x\r\n");
                    for command in ["MAIL", "RCPT"] {
                        peer.expect(command, "250 ok\r\n");
                    }
                    peer.expect("DATA", "354 go\r\n");
                    sender.send(peer.content().unwrap()).unwrap();
                    peer.say("250 ok\r\n");
                    peer.say(farewell);
                    drop(peer);
                    closed.send(()).unwrap();
                } else {
                    peer.serve(&[], &sender);
                }
            });
            let mut client = Client::new(kind, options(address));
            assert_eq!(client.send(message("1\r\n")).summary(), Summary::Accepted);
            told.recv().unwrap();
            assert_eq!(client.send(message("2\r\n")).summary(), Summary::Accepted, "{kind:?} {farewell:?}");
            assert_eq!(received.iter().take(2).collect::<Vec<_>>(), [b"1\r\n", b"2\r\n"]);
            client.close();
        }
    }
}

#[test]
fn a_session_that_is_closed_at_mail_costs_no_message_but_only_once() {
    for kind in BOTH {
        let address = listen(|number, stream| {
            let mut peer = Peer::new(stream);
            peer.say("220 hi\r\n");
            peer.expect("EHLO", "250 x\r\n");
            if number == 0 {
                peer.expect("NOOP", "250 ok\r\n");
            }
            peer.expect("MAIL", "");
        });
        let mut client = Client::new(kind, options(address));
        client.command(Query::Noop).unwrap();
        let outcome = client.send(message("hi\r\n"));
        assert_eq!((outcome.summary(), outcome.progress), (Summary::Deferred, Progress::Envelope));
        assert_eq!(outcome.into_result().unwrap_err().code(), ErrorCode::ProtocolClosed, "{kind:?}");
    }
}

#[test]
fn a_server_may_take_only_so_many_messages_in_a_session() {
    for kind in BOTH {
        let (address, received) = sink(&["PIPELINING", "LIMITS MAILMAX=2"]);
        let mut client = Client::new(kind, options(address));
        let outcomes = client.send_many((0..7).map(|i| message(format!("{i}\r\n"))).collect());
        assert!(outcomes.iter().all(|outcome| outcome.summary() == Summary::Accepted), "{kind:?} {outcomes:?}");
        let expected: Vec<_> = (0..7).map(|i| format!("{i}\r\n").into_bytes()).collect();
        assert_eq!(received.iter().take(7).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_refused_login_is_tried_once_for_all_messages() {
    for kind in BOTH {
        let (sender, connections) = channel();
        let address = listen(move |number, stream| {
            sender.send(number).unwrap();
            let mut peer = Peer::new(stream);
            peer.say("220 hi\r\n");
            peer.expect("EHLO", "250-x\r\n250 AUTH PLAIN\r\n");
            peer.expect("AUTH PLAIN", "535 5.7.8 no\r\n");
            peer.expect("QUIT", "221 bye\r\n");
        });
        let options = options(address).password("me", "pw").unwrap().dangerously_allow_plaintext_auth(true);
        let outcomes = Client::new(kind, options).send_many((0..20).map(|_| message("hi\r\n")).collect());
        assert_eq!(outcomes.len(), 20);
        for outcome in outcomes {
            assert_eq!((outcome.summary(), outcome.progress), (Summary::Rejected, Progress::Queued));
            assert_eq!(outcome.into_result().unwrap_err().code(), ErrorCode::AuthRefused);
        }
        assert_eq!(connections.try_iter().count(), 1, "{kind:?}");
    }
}

#[test]
fn what_the_server_says_before_it_closes_counts() {
    for kind in BOTH {
        let address = listen(|_, stream| {
            let mut peer = Peer::new(stream);
            peer.say("220 hi\r\n");
            peer.expect("EHLO", "250 x\r\n");
            peer.expect("MAIL", "250 ok\r\n");
            peer.expect("RCPT", "250 ok\r\n");
            peer.expect("DATA", "354 go\r\n");
            peer.0.read_exact(&mut [0; 1000]).unwrap();
            peer.say("552 5.3.4 too large\r\n");
        });
        let outcome = Client::new(kind, options(address)).send(message("x".repeat(16 << 20)));
        assert_eq!(outcome.summary(), Summary::Rejected, "{kind:?} {outcome:?}");
        assert_eq!(outcome.reply.map(|reply| reply.code().as_u16()), Some(552));
    }
}

/// A server that writes until its buffers are full and reads only then: who does not read while writing waits for ever.
#[test]
fn writing_does_not_wait_for_reading() {
    let noise = format!("250-{}\r\n", "x".repeat(480));
    for kind in BOTH {
        for chunking in [Chunking::Never, Chunking::Prefer] {
            let noise = noise.clone();
            let (sender, received) = channel();
            let address = listen(move |_, stream| {
                let mut peer = Peer::new(stream);
                peer.say("220 hi\r\n");
                peer.expect("EHLO", "250-x\r\n250 CHUNKING\r\n");
                peer.expect("MAIL", "250 ok\r\n");
                peer.expect("RCPT", "250 ok\r\n");
                if chunking == Chunking::Never {
                    peer.expect("DATA", "354 go\r\n");
                }
                // The reply to the content begins before the content has been read: far more than a socket buffers.
                let mut answer = peer.0.get_ref().try_clone().unwrap();
                for _ in 0..20_000 {
                    answer.write_all(noise.as_bytes()).unwrap();
                }
                let content = if chunking == Chunking::Never {
                    peer.content().unwrap()
                } else {
                    let size = peer.line().split(' ').nth(1).unwrap().parse().unwrap();
                    let mut content = vec![0; size];
                    peer.0.read_exact(&mut content).unwrap();
                    content
                };
                sender.send(content.len()).unwrap();
                peer.say("250 ok\r\n");
            });
            let limits = okuru::ReplyLimits { lines: usize::MAX, bytes: usize::MAX, ..Default::default() };
            let mut client = Client::new(kind, options(address).chunking(chunking).reply_limits(limits));
            let content = "x".repeat(78) + "\r\n";
            let outcome = client.send(message(content.repeat(1 << 17)));
            assert_eq!(outcome.summary(), Summary::Accepted, "{kind:?} {chunking:?} {:?}", outcome.error);
            assert_eq!(received.recv().unwrap(), 80 << 17);
        }
    }
}

#[test]
fn content_from_files_and_readers() {
    let line = "x".repeat(78) + "\r\n";
    let (small, large) = (line.repeat(3), line.repeat(40_000));
    let file = |content: &str| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        file
    };
    let (small_file, large_file) = (file(&small), file(&large));
    for kind in BOTH {
        for chunking in [Chunking::Never, Chunking::Prefer] {
            let (address, received) = sink(&["PIPELINING", "CHUNKING", "SIZE 99999999"]);
            let mut client = Client::new(kind, options(address).chunking(chunking));
            let reader = |content: &str| std::io::Cursor::new(content.to_owned().into_bytes());
            let sources = vec![
                (Content::file(small_file.path()), &small),
                (Content::file(large_file.path()), &large),
                (Content::reader(reader(&large), None), &large),
                (Content::reader(reader(&large), Some(large.len() as u64)), &large),
                (Content::reader(reader(""), None), &small),
            ];
            let (contents, mut expected): (Vec<_>, Vec<_>) = sources.into_iter().unzip();
            let empty = String::new();
            expected[4] = &empty;
            let outcomes = client.send_many(contents.into_iter().map(message).collect());
            for (outcome, expected) in outcomes.iter().zip(expected) {
                assert_eq!(outcome.summary(), Summary::Accepted, "{kind:?} {chunking:?} {:?}", outcome.error);
                assert!(received.recv().unwrap() == expected.as_bytes(), "{kind:?} {chunking:?}");
            }
        }
    }
}

#[test]
fn content_that_can_not_be_read_ends_its_message_alone() {
    struct Broken(usize);
    impl std::io::Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0 += 1;
            if self.0 > 2 {
                return Err(std::io::Error::other("the disk is gone"));
            }
            buffer.fill(b'x');
            Ok(buffer.len())
        }
    }
    for kind in BOTH {
        let (address, received) = sink(&["PIPELINING"]);
        let mut client = Client::new(kind, options(address));
        let outcomes = client.send_many(vec![
            message("1\r\n"),
            message(Content::file("/nonexistent/message.eml")),
            message(Content::reader(Broken(0), None)),
            message(Content::reader(&b"abc"[..], Some(4))),
            message("5\r\n"),
        ]);
        let mut codes: Vec<_> =
            outcomes.into_iter().map(|it| (it.message.0, it.into_result().err().map(|error| error.code()))).collect();
        codes.sort_by_key(|(number, _)| *number);
        let expected = [
            (0, None),
            (1, Some(ErrorCode::MessageUnreadable)),
            (2, Some(ErrorCode::MessageUnreadable)),
            (3, Some(ErrorCode::MessageSizeMismatch)),
            (4, None),
        ];
        assert_eq!(codes, expected, "{kind:?}");
        assert_eq!(received.recv().unwrap(), b"1\r\n");
        assert_eq!(received.recv().unwrap(), b"5\r\n");
    }
}

#[cfg(unix)]
#[test]
fn lmtp_over_a_unix_socket() {
    for kind in BOTH {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("l m t p");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let (sender, received) = channel();
        thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            Peer::new(stream).serve(&["PIPELINING"], &sender)
        });
        let url = format!("lmtp://{}", path.display()).replace(' ', "%20");
        let mut client = Client::new(kind, Options::new(&url).unwrap());
        let outcome = client.send(Message::new("", ["a@bar.com", "b@bar.com"], "hi\r\n").unwrap());
        assert_eq!(outcome.summary(), Summary::Accepted, "{kind:?} {outcome:?}");
        let replies: Vec<_> = outcome.recipients.iter().filter_map(|it| it.reply.as_ref().map(Reply::text)).collect();
        assert_eq!(replies, ["queued as 4XyZ12"; 2]);
        assert_eq!(received.recv().unwrap(), b"hi\r\n");
        client.close();
    }
}

#[test]
fn outcomes_that_nobody_waits_for_leave_a_clean_session() {
    let (address, received) = sink(&["PIPELINING"]);
    let mut client = okuru::blocking::Client::new(options(address));
    let first = client.send_many((0..5).map(|i| message(format!("{i}\r\n")))).next().unwrap();
    assert_eq!((first.message.0, first.summary()), (0, Summary::Accepted));
    assert_eq!(client.send(message("last\r\n")).summary(), Summary::Accepted);
    let all: Vec<_> = received.try_iter().collect();
    assert_eq!(all.first().map(Vec::as_slice), Some(&b"0\r\n"[..]));
    assert_eq!(all.last().map(Vec::as_slice), Some(&b"last\r\n"[..]));
    assert!(all.len() <= 4, "{all:?}");
}

#[test]
fn the_dialogue_can_be_watched_without_secrets() {
    for kind in BOTH {
        let (address, _received) = sink(&["AUTH PLAIN"]);
        let (sender, lines) = channel();
        let options = options(address)
            .password("me", "hunter2")
            .unwrap()
            .dangerously_allow_plaintext_auth(true)
            .trace(move |line| sender.send(format!("{line:?}")).unwrap());
        let mut client = Client::new(kind, options);
        assert_eq!(client.send(message("hi\r\n")).summary(), Summary::Accepted);
        drop(client);
        let lines: Vec<_> = lines.iter().collect();
        let told = lines.join("\n");
        for part in ["AUTH PLAIN", "MAIL FROM:<jones@foo.com>", "SentContent(4)", "queued as"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(!told.contains("hunter2") && !told.contains("AG1lAGh1bnRlcjI"), "{told}");
    }
}
