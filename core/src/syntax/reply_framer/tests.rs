use alloc::string::ToString;
use alloc::vec;

use super::*;
use crate::ErrorCode;

/// Everything that comes out of `input`, given in pieces of `size` bytes.
fn all(limits: ReplyLimits, input: &[u8], size: usize) -> (Vec<Reply>, Option<ErrorCode>, bool) {
    let mut framer = ReplyFramer::new(limits);
    let mut replies = Vec::new();
    for mut piece in input.chunks(size.max(1)) {
        loop {
            match framer.next(&mut piece) {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => break,
                Err(error) => return (replies, Some(error.code()), framer.is_empty()),
            }
        }
        assert!(piece.is_empty());
        assert!(framer.held.len() <= limits.bytes);
        assert!(framer.held.capacity() <= limits.bytes);
    }
    (replies, None, framer.is_empty())
}

/// As [`all`], and the same at every size of the pieces.
fn at_every_cut(limits: ReplyLimits, input: &[u8]) -> (Vec<Reply>, Option<ErrorCode>, bool) {
    let whole = all(limits, input, input.len());
    for size in 1..input.len() {
        let cut = all(limits, input, size);
        assert_eq!((&cut.0, cut.1), (&whole.0, whole.1), "{:?} in pieces of {size}", input.escape_ascii().to_string());
    }
    whole
}

fn small() -> ReplyLimits {
    ReplyLimits { line: 16, lines: 3, bytes: 40 }
}

#[test]
fn replies_one_after_the_other() {
    let input = b"250-a\r\n250 b\r\n354\r\n250-\r\n250 Gr\xfc\xdfe\n221 2.0.0 Bye\r\n";
    let (replies, error, empty) = at_every_cut(ReplyLimits::default(), input);
    assert_eq!((error, empty), (None, true));
    let raw: Vec<&[u8]> = replies.iter().map(Reply::raw).collect();
    assert_eq!(raw, [&b"250-a\r\n250 b\r\n"[..], b"354\r\n", b"250-\r\n250 Gr\xfc\xdfe\n", b"221 2.0.0 Bye\r\n"]);
}

#[test]
fn the_end_of_input_inside_a_line_is_no_reply() {
    for input in ["2", "250", "250 Ok", "250 Ok\r", "250-Ok\r\n", "250-Ok\r\n250", "250-Ok\r\n250 Ok\r"] {
        let (replies, error, empty) = at_every_cut(ReplyLimits::default(), input.as_bytes());
        assert_eq!((replies.len(), error, empty), (0, None, false), "{input:?}");
    }
    assert!(ReplyFramer::default().is_empty());
}

#[test]
fn what_is_no_reply() {
    for input in [
        &b"HTTP/1.1 400 Bad Request\r\n"[..],
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"* OK IMAP4rev1\r\n",
        b"+OK POP3\r\n",
        b"\r\n",
        b"\n",
        b"\0",
        b" 250 Ok\r\n",
        b"150 x\r\n",
        b"650 x\r\n",
        b"25 x\r\n",
        b"2500 x\r\n",
        b"250x\r\n",
        b"250\tx\r\n",
        b"250_x\r\n",
        b"250-a\r\nEHLO\r\n",
        b"250 a\0b\r\n",
        b"250\0\r\n",
        b"250 a\rb\r\n",
        b"250 a\r\r\n",
        b"250\r250 x\r\n",
        b"250-a\r\n\r\n250 b\r\n",
    ] {
        let (replies, error, _) = at_every_cut(ReplyLimits::default(), input);
        assert_eq!((replies.len(), error), (0, Some(ErrorCode::ProtocolMalformedReply)), "{:?}", input.escape_ascii());
    }
}

#[test]
fn the_error_shows_what_came() {
    let mut input: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\r\n";
    let error = ReplyFramer::default().next(&mut input).unwrap_err();
    assert_eq!(error.what(), r#"the server sent "HTTP/1.1 400 Bad Request\r\n\r\n", which is no SMTP reply"#);
}

#[test]
fn mixed_codes_are_refused() {
    for input in ["250-a\r\n550 b\r\n", "250-a\r\n250-b\r\n251 c\r\n", "250-a\r\n550"] {
        let (replies, error, _) = at_every_cut(ReplyLimits::default(), input.as_bytes());
        assert_eq!((replies.len(), error), (0, Some(ErrorCode::ProtocolMixedCodes)), "{input:?}");
    }
}

#[test]
fn bounds_are_exact() {
    // line: 16, lines: 3, bytes: 40
    for (input, error) in [
        ("250 45678901ab\r\n", None),
        ("250 45678901abc\n", None),
        ("250 45678901abc\r\n", Some(ErrorCode::LimitReplyLine)),
        ("250 45678901abcdefghij", Some(ErrorCode::LimitReplyLine)),
        ("250-a\r\n250-b\r\n250 c\r\n", None),
        ("250-a\r\n250-b\r\n250-c\r\n", None),
        ("250-a\r\n250-b\r\n250-c\r\n2", Some(ErrorCode::LimitReplyLines)),
        ("250-a\r\n250-b\r\n250-c\r\nHTTP", Some(ErrorCode::LimitReplyLines)),
        ("250-45678901ab\r\n250-45678901ab\r\n250 45\r\n", None),
        ("250-45678901ab\r\n250-45678901ab\r\n250 456\r\n", Some(ErrorCode::LimitReplyBytes)),
        ("250-45678901ab\r\n250-45678901ab\r\n250 45678901abc\r\n", Some(ErrorCode::LimitReplyBytes)),
        // Both bounds at once.
        ("250-45678901ab\r\n250-45678901ab\r\n250-45\r\n250 x\r\n", Some(ErrorCode::LimitReplyBytes)),
        // What comes first counts.
        ("250 45678901abc\r\r\r", Some(ErrorCode::LimitReplyLine)),
        ("250 45678901abcd\0", Some(ErrorCode::LimitReplyLine)),
        ("250 4567\0901abcdefghi", Some(ErrorCode::ProtocolMalformedReply)),
    ] {
        assert_eq!(at_every_cut(small(), input.as_bytes()).1, error, "{input:?}");
    }
}

#[test]
fn a_bound_does_not_wait_for_the_end_of_the_line() {
    let mut framer = ReplyFramer::default();
    let mut sent = 0;
    let error = loop {
        let mut piece: &[u8] = if sent == 0 { b"250 " } else { &[b'a'; 1000] };
        sent += piece.len();
        if let Err(error) = framer.next(&mut piece) {
            break error;
        }
    };
    assert_eq!(error.code(), ErrorCode::LimitReplyLine);
    assert!(sent < 6000);
}

#[test]
fn endless_continuation_lines_end() {
    let input = b"250-x\r\n".repeat(1_000_000);
    let (_, error, _) = all(ReplyLimits::default(), &input, 1000);
    assert_eq!(error, Some(ErrorCode::LimitReplyLines));
    let limits = ReplyLimits { lines: usize::MAX, ..ReplyLimits::default() };
    let (_, error, _) = all(limits, &input, 1000);
    assert_eq!(error, Some(ErrorCode::LimitReplyBytes));
}

#[test]
fn once_failed_it_stays_failed() {
    let mut framer = ReplyFramer::default();
    let error = framer.next(&mut &b"nonsense\r\n"[..]).unwrap_err();
    let mut input: &[u8] = b"250 Ok\r\n";
    assert_eq!(framer.next(&mut input), Err(error));
    assert_eq!(input, b"250 Ok\r\n");
}

#[test]
fn takes_no_more_than_one_reply() {
    let mut framer = ReplyFramer::default();
    let mut input: &[u8] = b"220 Go ahead\r\n250 injected\r\n";
    assert_eq!(framer.next(&mut input).unwrap().unwrap().code(), 220);
    assert_eq!(input, b"250 injected\r\n");
    let mut framer = ReplyFramer::default();
    assert_eq!(framer.next(&mut &b"220 Go"[..]), Ok(None));
    let mut input: &[u8] = b" ahead\r\n250 injected\r\n";
    assert_eq!(framer.next(&mut input).unwrap().unwrap().code(), 220);
    assert_eq!(input, b"250 injected\r\n");
}

#[test]
fn any_bytes_at_any_cut() {
    // A small generator: mostly bytes that mean something to the grammar.
    const ALPHABET: &[u8] = b"225500-- \r\n\n\r\n.ax\0\xff";
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut framed = 0;
    for _ in 0..4000 {
        let mut input = vec![b'2', b'5', b'0'];
        for _ in 0..40 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            input.push(ALPHABET[(state % ALPHABET.len() as u64) as usize]);
        }
        let (replies, ..) = at_every_cut(small(), &input);
        for reply in &replies {
            assert_eq!(Reply::parse(reply.raw()).as_ref(), Ok(reply));
        }
        framed += replies.len();
    }
    assert!(framed > 100, "{framed}");
}
