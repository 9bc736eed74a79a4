//! What the clients say became of each message, beside what is in the mailboxes.

use okuru::{Outcome, State};

use super::letter::Letter;
use super::servers::Servers;

/// Letters that were sent, each with what is said to have become of it.
pub(crate) struct Books<'a> {
    servers: &'a Servers,
    /// How many servers the letters go over.
    hops: usize,
    entries: Vec<Entry>,
}

struct Entry {
    letter: Letter,
    states: Vec<State>,
    note: String,
    /// What is expected in the mailbox.
    content: Vec<u8>,
}

impl<'a> Books<'a> {
    pub(crate) fn new(servers: &'a Servers) -> Self {
        Self { servers, hops: 1, entries: Vec::new() }
    }

    pub(crate) fn hops(mut self, hops: usize) -> Self {
        self.hops = hops;
        self
    }

    /// Writes down an outcome. `note` is for the failure, should there be one.
    pub(crate) fn enter(&mut self, letter: Letter, outcome: &Outcome, note: &(impl ToString + ?Sized)) {
        let content = letter.delivered();
        self.enter_with(letter, outcome, content, note);
    }

    /// The same for a letter that is expected with this content.
    pub(crate) fn enter_with(
        &mut self,
        letter: Letter,
        outcome: &Outcome,
        content: Vec<u8>,
        note: &(impl ToString + ?Sized),
    ) {
        let states: Vec<State> = outcome.recipients.iter().map(|recipient| recipient.state).collect();
        assert_eq!(states.len(), letter.to.len(), "one outcome for each recipient; {}", note.to_string());
        self.entries.push(Entry { letter, states, note: note.to_string(), content });
    }

    /// Waits for everything that was accepted. What was accepted is in the mailbox once, from whom and as it was sent; what
    /// was deferred or rejected is not; what is unknown may be there or not.
    pub(crate) fn balance(self) {
        assert!(!self.entries.is_empty(), "there is nothing in the books");
        // Those who have to be waited for come first, so that what should not come has had its time.
        let (mut awaited, mut others) = (Vec::new(), Vec::new());
        for entry in self.entries {
            let is_awaited = entry.states.contains(&State::Accepted);
            if is_awaited { &mut awaited } else { &mut others }.push(entry);
        }
        awaited.iter().for_each(|entry| check(self.servers, self.hops, entry));
        self.servers.post.look();
        others.iter().for_each(|entry| check(self.servers, self.hops, entry));
    }
}

fn check(servers: &Servers, hops: usize, entry: &Entry) {
    let Entry { letter, states, note, content } = entry;
    let line = String::from_utf8_lossy(letter.first_line());
    let accepted = states.iter().filter(|&&state| state == State::Accepted).count();
    let copies = servers.post.wait_for(letter.first_line(), accepted);
    for (to, state) in letter.to.iter().zip(states) {
        let count = copies.iter().filter(|copy| copy.to == *to).count();
        let holds = match state {
            State::Accepted => count == 1,
            State::Unknown => count <= 1,
            State::Deferred | State::Rejected => count == 0,
        };
        assert!(holds, "{line} for {to} is {state}, and {count} times in the mailbox; {note}");
    }
    for copy in &copies {
        assert!(letter.to.contains(&copy.to), "{line} came to {}; {note}", copy.to);
        assert_eq!((copy.from.as_str(), copy.hops), (letter.from.as_str(), hops), "{line}; {note}");
        if copy.content != *content {
            let at = copy.content.iter().zip(content).take_while(|(got, wanted)| got == wanted).count();
            let around =
                |bytes: &[u8]| bytes[at.saturating_sub(40)..bytes.len().min(at + 40)].escape_ascii().to_string();
            panic!(
                "{line} for {} differs at octet {at}, of {} and {}; {note}\ndelivered: {}\nexpected:  {}",
                copy.to,
                copy.content.len(),
                content.len(),
                around(&copy.content),
                around(content),
            );
        }
    }
}
