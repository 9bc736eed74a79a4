//! What a server that reads along knows of a transaction.

use okuru_core::syntax::Framing;

use super::offer::Offer;

pub(super) fn is_taken(code: u16) -> bool {
    (200..300).contains(&code)
}

pub(super) fn is_refused(code: u16) -> bool {
    code >= 400
}

/// A recipient that was named.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named {
    /// Its number in the message.
    pub(super) recipient: usize,
    /// The reply to RCPT.
    pub(super) code: Option<u16>,
    /// LMTP: the reply to the content.
    pub(super) answer: Option<u16>,
}

impl Named {
    /// Reads what stands behind `RCPT TO:`; it also tells which message this is.
    pub(super) fn read(rest: &str, message: &mut Option<usize>) -> Self {
        let path = rest.strip_prefix('<').expect("a path begins with <");
        let recipient = match path.strip_prefix('m') {
            Some(numbers) => {
                let (number, rest) = number(numbers);
                assert_eq!(*message.get_or_insert(number), number, "a recipient of another message");
                self::number(rest.strip_prefix('r').expect("it is a recipient")).0
            }
            None => {
                assert!(path.starts_with("Postmaster>"), "{rest}");
                0
            }
        };
        Self { recipient, code: None, answer: None }
    }
}

fn number(text: &str) -> (usize, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (text[..end].parse().expect("there are digits"), &text[end..])
}

#[derive(Clone, Debug, Default)]
pub(super) struct Transaction {
    /// Its number, as far as it is known.
    pub(super) message: Option<usize>,
    pub(super) utf8: bool,
    pub(super) body: Option<String>,
    pub(super) size: Option<u64>,
    /// Whether MAIL was said before the reply to other content.
    pub(super) behind_content: bool,
    pub(super) named: Vec<Named>,
    /// Replies.
    pub(super) mail: Option<u16>,
    pub(super) data: Option<u16>,
    pub(super) chunk_refused: bool,
    pub(super) answer: Option<u16>,
    pub(super) framing: Option<Framing>,
    /// What was heard of the content, without what the framing has added.
    pub(super) content: Vec<u8>,
    /// How many octets had been said when it came to its end.
    pub(super) end: Option<u64>,
}

impl Transaction {
    /// Reads what stands behind `MAIL FROM:`.
    pub(super) fn begin(rest: &str) -> Self {
        let (path, parameters) = rest.split_once('>').expect("a path ends with >");
        let value = |keyword: &str| parameters.split(' ').find_map(|word| word.strip_prefix(keyword));
        Self {
            message: path.strip_prefix("<m").map(|numbers| number(numbers).0),
            utf8: parameters.split(' ').any(|word| word == "SMTPUTF8"),
            body: value("BODY=").map(str::to_owned),
            size: value("SIZE=").map(|size| size.parse().expect("SIZE is a number")),
            ..Self::default()
        }
    }

    /// What is asked for has to be offered.
    pub(super) fn check_parameters(&self, rest: &str, offered: &Offer, verified: bool) {
        let (path, parameters) = rest.split_once('>').expect("a path ends with >");
        assert!(self.utf8 || path.is_ascii(), "{rest} without SMTPUTF8");
        for word in parameters.split(' ').filter(|word| !word.is_empty()) {
            let keyword = word.split('=').next().unwrap_or_default();
            let is_offered = match (keyword, self.body.as_deref()) {
                ("BODY", Some("BINARYMIME")) => offered.has("BINARYMIME") && offered.has("CHUNKING"),
                // RFC 6531 section 3.1: who offers SMTPUTF8 has to take 8BITMIME.
                ("BODY", _) => offered.has("8BITMIME") || offered.has("SMTPUTF8"),
                ("RET" | "ENVID", _) => offered.has("DSN"),
                ("BY", _) => offered.has("DELIVERBY"),
                ("HOLDFOR" | "HOLDUNTIL", _) => offered.has("FUTURERELEASE"),
                ("REQUIRETLS", _) => offered.has(keyword) && verified,
                ("SIZE" | "SMTPUTF8" | "AUTH" | "MT-PRIORITY", _) => offered.has(keyword),
                _ => panic!("{word} was not asked for"),
            };
            assert!(is_offered, "{word} is not offered");
        }
        let most = offered.words("SIZE").next().and_then(|size| size.parse().ok()).filter(|&most| most > 0);
        if let (Some(size), Some(most)) = (self.size, most) {
            assert!(size <= most, "{size} octets, where {most} are taken");
        }
    }

    pub(super) fn names(&self, recipient: usize) -> bool {
        self.named.iter().any(|named| named.recipient == recipient)
    }

    /// Which of the named were taken: none without a sender.
    pub(super) fn taken(&self) -> Vec<usize> {
        if self.mail.is_some_and(is_refused) {
            return Vec::new();
        }
        (0..self.named.len()).filter(|&index| self.named[index].code.is_some_and(is_taken)).collect()
    }

    fn named(&self, recipient: usize) -> Option<&Named> {
        self.named.iter().find(|named| named.recipient == recipient)
    }

    fn answer(&self, named: &Named) -> Option<u16> {
        named.answer.or(self.answer)
    }

    /// Whether the server took the responsibility for this recipient.
    pub(super) fn was_accepted(&self, recipient: usize) -> bool {
        self.named(recipient).is_some_and(|named| {
            [self.mail, named.code, self.answer(named)].iter().all(|code| code.is_some_and(is_taken))
                && !self.chunk_refused
        })
    }

    /// Whether the server said that this recipient does not get the message.
    pub(super) fn was_refused(&self, recipient: usize) -> bool {
        let named = self.named(recipient);
        let codes = [self.mail, self.data, named.and_then(|it| it.code), named.and_then(|it| self.answer(it))];
        self.chunk_refused || codes.iter().any(|code| code.is_some_and(is_refused))
    }

    /// Whether the server did not take what came before its reply to other content. That is not the message's fault.
    pub(super) fn came_too_early(&self) -> bool {
        self.behind_content && self.mail == Some(503)
    }

    /// Whether the content has been said to its end, within the first so many octets, and nobody knows what became of it.
    pub(super) fn is_open(&self, recipient: usize, octets: u64) -> bool {
        let unanswered = self.named(recipient).is_some_and(|named| self.answer(named).is_none());
        self.end.is_some_and(|end| end <= octets) && unanswered && !self.was_refused(recipient)
    }
}
