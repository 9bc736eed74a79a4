//! The framer and the parser of replies.
//!
//! - Whatever the cuts, the same replies come out, and the same error.
//! - They are those that a model finds which looks at one byte after the other.
//! - What was parsed is parsed again from its bytes, and is the same.
//! - No bound is passed.

use arbitrary::Unstructured;
use okuru_core::ErrorCode;
use okuru_core::syntax::{Capabilities, Reply, ReplyFramer, ReplyLimits, Severity};

use crate::bytes::{blob, pick, pieces, rest};

/// Bounds, sizes of pieces, and what a server sends.
pub fn run(data: &[u8]) {
    let mut from = Unstructured::new(data);
    let limits = ReplyLimits {
        line: pick(&mut from, &[4096, 16, 80, 512, 0, 4, usize::MAX]),
        lines: pick(&mut from, &[128, 1, 3, 0, usize::MAX]),
        bytes: pick(&mut from, &[65536, 16, 40, 80, 0, 200, usize::MAX]),
    };
    let sizes = blob(&mut from);
    let input = rest(&mut from);

    let model = Model::of(input, limits);
    let whole = frame(limits, &[input]);
    assert_eq!((&raw(&whole.0), whole.1), (&model.replies, model.error));
    assert_eq!(whole, frame(limits, &pieces(input, sizes)));
    assert_eq!(whole, frame(limits, &pieces(input, &[1])));
    assert_eq!(whole, frame_again(limits, &pieces(input, sizes)));
    for reply in &whole.0 {
        within(limits, reply);
        look_at(reply);
    }
}

/// What comes out of pieces: replies, an error, and whether nothing is held.
type Framed = (Vec<Reply>, Option<ErrorCode>, bool);

fn raw(replies: &[Reply]) -> Vec<&[u8]> {
    replies.iter().map(Reply::raw).collect()
}

fn frame(limits: ReplyLimits, pieces: &[&[u8]]) -> Framed {
    frame_by(limits, pieces, |framer, input, _| framer.next(input).map_err(|error| error.code()))
}

/// The same, where the last reply is not parsed again if it comes again.
fn frame_again(limits: ReplyLimits, pieces: &[&[u8]]) -> Framed {
    frame_by(limits, pieces, |framer, input, last| match last.and_then(|last| framer.next_again(last, input)) {
        Some(reply) => Ok(Some(reply)),
        None => framer.next(input).map_err(|error| error.code()),
    })
}

fn frame_by(
    limits: ReplyLimits,
    pieces: &[&[u8]],
    mut next: impl FnMut(&mut ReplyFramer, &mut &[u8], Option<&Reply>) -> Result<Option<Reply>, ErrorCode>,
) -> Framed {
    let mut framer = ReplyFramer::new(limits);
    let mut replies: Vec<Reply> = Vec::new();
    let mut held = 0;
    for mut piece in pieces.iter().copied() {
        while !piece.is_empty() {
            let before = piece.len();
            match next(&mut framer, &mut piece, replies.last()) {
                Ok(Some(reply)) => {
                    assert_eq!(held + before - piece.len(), reply.raw().len());
                    held = 0;
                    replies.push(reply);
                }
                Ok(None) => {
                    assert!(piece.is_empty());
                    held += before;
                }
                Err(error) => {
                    assert_eq!(framer.next(&mut &b"250 ok\r\n"[..]).map_err(|again| again.code()), Err(error));
                    return (replies, Some(error), false);
                }
            }
            assert_eq!(framer.is_empty(), held == 0);
            assert!(held <= limits.bytes, "{held} bytes are held");
        }
    }
    (replies, None, framer.is_empty())
}

fn within(limits: ReplyLimits, reply: &Reply) {
    assert!(reply.raw().len() <= limits.bytes);
    let lines: Vec<&[u8]> = reply.raw().split_inclusive(|&byte| byte == b'\n').collect();
    assert!(lines.len() <= limits.lines);
    assert!(lines.iter().all(|line| line.len() <= limits.line));
}

fn look_at(reply: &Reply) {
    let again = Reply::parse(reply.raw()).expect("it has been parsed before");
    assert_eq!(&again, reply);
    assert_eq!(reply.code().to_string().as_bytes(), &reply.raw()[..3]);
    assert_eq!(u16::from(reply.raw()[0] - b'0'), reply.code().as_u16() / 100);
    assert_eq!(reply.lines().count(), reply.raw().iter().filter(|&&byte| byte == b'\n').count());
    assert!(!reply.text().chars().any(|c| c.is_control() && c != '\t'));
    assert!(!reply.to_string().chars().any(|c| c.is_control() && c != '\t'));
    if let Some(enhanced) = reply.enhanced() {
        assert_eq!(u16::from(enhanced.class), reply.code().as_u16() / 100);
        // Zeros in front of a number are let through.
        let numbers = String::from_utf8_lossy(&reply.raw()[4..]);
        let mut numbers = numbers.split(|c: char| !c.is_ascii_digit()).map_while(|number| number.parse::<u16>().ok());
        assert_eq!(numbers.next(), Some(enhanced.class.into()));
        assert_eq!((numbers.next(), numbers.next()), (Some(enhanced.subject), Some(enhanced.detail)));
    }
    if let Some(id) = reply.queue_id() {
        assert_eq!(reply.severity(), Severity::Completion);
        assert!(!id.is_empty() && reply.raw().windows(id.len()).any(|window| window == id.as_bytes()));
    }
    let offered = Capabilities::from_reply(reply);
    assert!(offered.keywords().count() <= Capabilities::MOST_KEYWORDS);
    assert!(offered.keywords().all(|keyword| keyword.parameters().count() <= Capabilities::MOST_PARAMETERS));
}

/// What is to come out, found by looking at one byte after the other.
#[derive(Debug, Default)]
pub(crate) struct Model<'a> {
    pub(crate) replies: Vec<&'a [u8]>,
    pub(crate) error: Option<ErrorCode>,
}

impl<'a> Model<'a> {
    pub(crate) fn of(input: &'a [u8], limits: ReplyLimits) -> Self {
        let mut model = Self::default();
        let (mut reply, mut line, mut lines) = (0, 0, 0);
        let mut code: Option<&[u8]> = None;
        for (at, &byte) in input.iter().enumerate() {
            let column = at - line;
            let is_malformed = match column {
                0 => !(b'2'..=b'5').contains(&byte),
                1 | 2 => !byte.is_ascii_digit(),
                3 => !b" -\r\n".contains(&byte),
                _ => byte == 0 || input[at - 1] == b'\r' && byte != b'\n',
            };
            model.error = if at - reply == limits.bytes {
                Some(ErrorCode::LimitReplyBytes)
            } else if column == 0 && lines == limits.lines {
                Some(ErrorCode::LimitReplyLines)
            } else if column == limits.line {
                Some(ErrorCode::LimitReplyLine)
            } else if is_malformed {
                Some(ErrorCode::ProtocolMalformedReply)
            } else if column == 2 && code.is_some_and(|code| code != &input[line..=at]) {
                Some(ErrorCode::ProtocolMixedCodes)
            } else {
                None
            };
            if model.error.is_some() {
                break;
            }
            if byte != b'\n' {
                continue;
            }
            code = Some(&input[line..line + 3]);
            if input[line + 3] == b'-' {
                lines += 1;
            } else {
                model.replies.push(&input[reply..=at]);
                (reply, lines, code) = (at + 1, 0, None);
            }
            line = at + 1;
        }
        model
    }
}
