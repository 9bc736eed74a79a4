//! Content, on its way to the wire and read there by somebody who knows only the RFCs.
//!
//! - What a receiver reads is what was handed in, with every line end made CR LF.
//! - The end of the data stands at the end, and nowhere else; no CR or LF stands alone.
//! - How the content is handed in makes no difference.
//! - One look at the whole tells what the encoder finds on the way.

use arbitrary::Unstructured;
use okuru_core::syntax::{ContentEncoder, Framing, Inspection, Newlines, Piece};

use crate::bytes::{blob, pick, pieces, rest, short};

/// How it is framed and handed in, how often it is repeated, and the content.
pub fn run(data: &[u8]) {
    let mut from = Unstructured::new(data);
    let framing = pick(&mut from, &[Framing::Dotted, Framing::Counted, Framing::Binary]);
    let newlines = pick(&mut from, &[Newlines::Fix, Newlines::Refuse]);
    let most = pick(&mut from, &[1, 2, 3, 10, 512, usize::MAX]);
    let sizes = blob(&mut from);
    // A block of the encoder has 4096 octets: some more is to be seen.
    let before = usize::from(short(&mut from)) % 9000;
    let input = rest(&mut from);
    let content = [vec![b'x'; before].as_slice(), input].concat();

    inspect(&content);
    let whole = encode(framing, newlines, &[&content], most);
    assert_eq!(whole, encode(framing, newlines, &pieces(&content, sizes), most));
    let bare = first_bare(&content).filter(|_| framing != Framing::Binary && newlines == Newlines::Refuse);
    match (whole, bare) {
        (Err(offset), Some(bare)) => assert_eq!(offset, bare),
        (Err(_), None) => panic!("refused, with no bare CR or LF"),
        (Ok(_), Some(_)) => panic!("a bare CR or LF was to be refused"),
        (Ok(wire), None) => assert_eq!(received(framing, &wire), expected(framing, &content)),
    }
}

/// What goes over the wire, or where the bare CR or LF is that stops it.
fn encode(framing: Framing, newlines: Newlines, chunks: &[&[u8]], most: usize) -> Result<Vec<u8>, u64> {
    let content = chunks.concat();
    let mut encoder = ContentEncoder::new(framing, newlines);
    let mut wire = Vec::new();
    let (mut told, mut handed) = (0, 0);
    let mut put = |piece: Piece, handed: u64| match piece {
        Piece::Content(range) => {
            assert_eq!(range.start, told, "a range is left out or comes twice");
            assert!(range.start < range.end && range.end <= handed, "a range reaches beyond what was handed in");
            told = range.end;
            wire.extend_from_slice(&content[range.start as usize..range.end as usize]);
        }
        Piece::Added(bytes) => wire.extend_from_slice(bytes),
    };
    for chunk in chunks {
        let mut chunk = *chunk;
        let end = handed + chunk.len() as u64;
        while !chunk.is_empty() {
            let mut pieces = 0_usize;
            let taken = encoder.encode(chunk, most, |piece| {
                pieces += 1;
                put(piece, end);
            });
            let taken = taken.map_err(|bare| bare.offset)?;
            assert!(0 < taken && taken <= chunk.len());
            assert!(pieces <= most.saturating_add(2 * 4096 + 1), "{pieces} pieces for {most}");
            handed += taken as u64;
            assert_eq!(encoder.offset(), handed);
            chunk = &chunk[taken..];
        }
    }
    encoder.finish(|piece| put(piece, handed)).map_err(|bare| bare.offset)?;
    let seen = &content[..handed as usize];
    assert_eq!(encoder.eight_bit(), framing != Framing::Binary && !seen.is_ascii());
    Ok(wire)
}

fn inspect(content: &[u8]) {
    let inspection = Inspection::of(content);
    assert_eq!(inspection.size(), content.len() as u64);
    assert_eq!(inspection.canonical_size(), canonical(content).len() as u64);
    assert_eq!(inspection.bare_newlines(), inspection.canonical_size() - inspection.size());
    assert_eq!(inspection.bare_newlines() > 0, first_bare(content).is_some());
    assert_eq!(inspection.eight_bit(), content.iter().any(|&byte| byte > 127));
    assert!(!inspection.header_utf8() || inspection.eight_bit());
}

/// What a receiver has to end up with.
pub(crate) fn expected(framing: Framing, content: &[u8]) -> Vec<u8> {
    match framing {
        Framing::Binary => content.to_vec(),
        Framing::Counted => canonical(content),
        Framing::Dotted => {
            let mut lines = canonical(content);
            if !lines.is_empty() && !lines.ends_with(b"\r\n") {
                lines.extend_from_slice(b"\r\n");
            }
            lines
        }
    }
}

/// The same with every line end as CR LF.
fn canonical(content: &[u8]) -> Vec<u8> {
    let mut canonical = Vec::new();
    let mut bytes = content.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\r' => {
                bytes.next_if_eq(&b'\n');
                canonical.extend_from_slice(b"\r\n");
            }
            b'\n' => canonical.extend_from_slice(b"\r\n"),
            _ => canonical.push(byte),
        }
    }
    canonical
}

/// Where it is noticed that a CR or LF stands alone: at the LF, or behind the CR.
pub(crate) fn first_bare(content: &[u8]) -> Option<u64> {
    (0..content.len()).find_map(|at| match content[at] {
        b'\n' if at == 0 || content[at - 1] != b'\r' => Some(at as u64),
        b'\r' if content.get(at + 1) != Some(&b'\n') => Some(at as u64 + 1),
        _ => None,
    })
}

/// What a receiver makes of the wire.
fn received(framing: Framing, wire: &[u8]) -> Vec<u8> {
    if framing == Framing::Binary {
        return wire.to_vec();
    }
    assert_eq!(first_bare(wire), None, "{}", wire.escape_ascii());
    if framing == Framing::Counted {
        return wire.to_vec();
    }
    let mut content = Vec::new();
    let mut lines = wire.split_inclusive(|&byte| byte == b'\n');
    for line in lines.by_ref() {
        if line == b".\r\n" {
            break;
        }
        content.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
    }
    assert!(wire.ends_with(b".\r\n"), "there is no end");
    assert_eq!(lines.next(), None, "something stands behind the end");
    content
}
