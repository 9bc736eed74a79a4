use super::*;
use crate::syntax::ContentEncoder;
use crate::syntax::Piece;
use alloc::vec::Vec;

/// What comes of some bytes.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    content: Vec<u8>,
    /// What stands behind the end, if there is one.
    behind: Option<Vec<u8>>,
    bare: bool,
    dot_alone: bool,
}

/// Decodes `wire` in chunks of `size` octets, at most `most` pieces a call.
fn decoded(wire: &[u8], framing: Framing, newlines: Newlines, size: usize, most: usize) -> Read {
    let mut decoder = ContentDecoder::new(framing, newlines);
    let mut read = Read { content: Vec::new(), behind: None, bare: false, dot_alone: false };
    let mut offset = 0;
    for chunk in wire.chunks(size) {
        let mut rest = chunk;
        loop {
            let bare = read.bare;
            let content = &mut read.content;
            let (taken, stop) = decoder.decode(rest, most, |piece| {
                if !bare {
                    put(&piece, rest, content);
                }
            });
            rest = &rest[taken..];
            offset += taken;
            match stop {
                Stop::Pause if rest.is_empty() => break,
                Stop::Pause => {}
                Stop::End => {
                    read.behind = Some(wire[offset..].to_vec());
                    return read;
                }
                Stop::BareNewline { dot_alone } => {
                    read.bare = true;
                    read.dot_alone |= dot_alone;
                }
            }
        }
    }
    let content = &mut read.content;
    if framing != Framing::Dotted && decoder.finish(|piece| put(&piece, b"", content)) != Stop::Pause {
        read.bare = true;
    }
    read
}

fn put(piece: &DecodedPiece, bytes: &[u8], content: &mut Vec<u8>) {
    match piece {
        DecodedPiece::Received(range) => content.extend_from_slice(&bytes[range.clone()]),
        DecodedPiece::Added(added) => content.extend_from_slice(added),
    }
}

type Clean = (&'static [u8], &'static [u8], Option<&'static [u8]>);

/// On the wire, the content, and what stands behind its end.
const CLEAN: &[Clean] = &[
    (b".\r\n", b"", Some(b"")),
    (b"a\r\n.\r\nQUIT\r\n", b"a\r\n", Some(b"QUIT\r\n")),
    (b"..\r\n.\r\n", b".\r\n", Some(b"")),
    (b".a\r\n..b\r\n.\r\n", b"a\r\n.b\r\n", Some(b"")),
    (b"a.\r\nb.c\r\n.\r\n", b"a.\r\nb.c\r\n", Some(b"")),
    (b"\r\n\r\n.\r\n.\r\n", b"\r\n\r\n", Some(b".\r\n")),
    (b"a\r\n. \r\n.\r\n", b"a\r\n \r\n", Some(b"")),
    (b"a\r\n...\r\n.\r\n", b"a\r\n..\r\n", Some(b"")),
    (b"a\0\xff\r\n.\r\n", b"a\0\xff\r\n", Some(b"")),
    (b"a\r\n.", b"a\r\n", None),
    (b"a", b"a", None),
];

/// On the wire, the content as it is mended, and whether a dot stands alone between line ends that are not CR LF.
const BARE: &[(&[u8], &[u8], bool)] = &[
    (b"a\nb\r\n.\r\n", b"a\r\nb\r\n", false),
    (b"a\rb\r\n.\r\n", b"a\r\nb\r\n", false),
    (b"a\r\r\n.\r\n", b"a\r\n\r\n", false),
    (b"a\n\r\n.\r\n", b"a\r\n\r\n", false),
    (b"a\n..b\r\n.\r\n", b"a\r\n..b\r\n", false),
    (b"\n\n\r\n.\r\n", b"\r\n\r\n\r\n", false),
    (b"a\n.\nb\r\n.\r\n", b"a\r\n.\r\nb\r\n", true),
    (b"a\n.\r\nb\r\n.\r\n", b"a\r\n.\r\nb\r\n", true),
    (b"a\r\n.\nb\r\n.\r\n", b"a\r\n\r\nb\r\n", true),
    (b"a\r\n.\rb\r\n.\r\n", b"a\r\n\r\nb\r\n", true),
    (b"a\r.\r\nb\r\n.\r\n", b"a\r\n.\r\nb\r\n", true),
    (b"a\r.\rb\r\n.\r\n", b"a\r\n.\r\nb\r\n", true),
    (b"a\n.\rb\r\n.\r\n", b"a\r\n.\r\nb\r\n", true),
    (b"a\r\n.\r\r\n.\r\n", b"a\r\n\r\n\r\n", true),
    (b"a\r.\r.\r\n.\r\n", b"a\r\n.\r\n.\r\n", true),
];

#[test]
fn only_crlf_dot_crlf_ends_it() {
    for &(wire, content, behind) in CLEAN {
        for (size, most) in (1..=wire.len()).flat_map(|size| [(size, 1), (size, 1000)]) {
            for newlines in [Newlines::Fix, Newlines::Refuse] {
                let read = decoded(wire, Framing::Dotted, newlines, size, most);
                assert_eq!(read.content, content, "{}", wire.escape_ascii());
                assert_eq!(read.behind.as_deref(), behind, "{}", wire.escape_ascii());
                assert!(!read.bare && !read.dot_alone);
            }
        }
    }
}

#[test]
fn a_bare_cr_or_lf_never_passes() {
    for &(wire, mended, dot_alone) in BARE {
        for (size, most) in (1..=wire.len()).flat_map(|size| [(size, 1), (size, 1000)]) {
            let read = decoded(wire, Framing::Dotted, Newlines::Fix, size, most);
            assert_eq!(read.content.escape_ascii().collect::<Vec<_>>(), mended.escape_ascii().collect::<Vec<_>>());
            assert_eq!(read.behind.as_deref(), Some(&b""[..]), "{}", wire.escape_ascii());
            let read = decoded(wire, Framing::Dotted, Newlines::Refuse, size, most);
            assert!(mended.starts_with(&read.content), "{}", wire.escape_ascii());
            assert_eq!((read.bare, read.dot_alone), (true, dot_alone), "{}", wire.escape_ascii());
            assert_eq!(read.behind.as_deref(), Some(&b""[..]), "{}", wire.escape_ascii());
        }
    }
}

#[test]
fn counted_content_has_no_dots_to_take_out() {
    for (wire, mended, bare) in [
        (&b"..a\r\n.\r\n"[..], &b"..a\r\n.\r\n"[..], false),
        (b"no line end", b"no line end", false),
        (b"a\nb", b"a\r\nb", true),
        (b"a\r", b"a\r\n", true),
        (b"\n.\n", b"\r\n.\r\n", true),
    ] {
        for size in 1..=wire.len() {
            let read = decoded(wire, Framing::Counted, Newlines::Fix, size, 1000);
            assert_eq!((&*read.content, read.behind), (mended, None));
            let read = decoded(wire, Framing::Counted, Newlines::Refuse, size, 1000);
            assert_eq!((read.bare, read.dot_alone), (bare, false), "{}", wire.escape_ascii());
            assert_eq!(decoded(wire, Framing::Binary, Newlines::Refuse, size, 1000).content, wire);
        }
    }
}

#[test]
fn what_the_encoder_says_is_read() {
    for content in
        [&b""[..], b".", b".\r\n..\r\n", b"a\n.\r\nb\r", b"\xff\0", &[b'.'; 5000], &b"ab\r\n.cd\r\n".repeat(900)]
    {
        for framing in [Framing::Dotted, Framing::Counted, Framing::Binary] {
            let mut encoder = ContentEncoder::new(framing, Newlines::Fix);
            let (mut wire, mut canonical) = (Vec::new(), Vec::new());
            let mut write = |piece, doubled: bool| match piece {
                Piece::Content(range) => {
                    let bytes: &[u8] = &content[range.start as usize..range.end as usize];
                    wire.extend_from_slice(bytes);
                    canonical.extend_from_slice(bytes);
                }
                Piece::Added(bytes) => {
                    wire.extend_from_slice(bytes);
                    canonical.extend_from_slice(if doubled {
                        bytes.strip_suffix(b".").unwrap_or(bytes)
                    } else {
                        bytes
                    });
                }
            };
            assert_eq!(encoder.encode(content, usize::MAX, |piece| write(piece, true)), Ok(content.len()));
            encoder.finish(|piece| write(piece, false)).unwrap();
            if framing == Framing::Dotted {
                canonical.truncate(canonical.len() - 3);
            }
            for size in [1, 7, 4096, usize::MAX] {
                let read = decoded(&wire, framing, Newlines::Refuse, size, 10);
                assert_eq!(read.content, canonical);
                assert!(!read.bare);
            }
        }
    }
}

#[test]
fn an_octet_above_127_is_seen() {
    for (wire, eight_bit) in [(&b"abc\r\n"[..], false), (b"\xe9", true), (b"..\xe9", true), (&[b'a'; 9000], false)] {
        let mut decoder = ContentDecoder::new(Framing::Dotted, Newlines::Refuse);
        decoder.decode(wire, 1000, |_| {});
        assert_eq!(decoder.eight_bit(), eight_bit);
    }
}
