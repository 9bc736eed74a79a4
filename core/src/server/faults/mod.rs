//! A server that goes wrong as it was told to: for those who test clients.
//!
//! [`Fault`] is one thing that goes wrong, by the words of `okuru sink --fault`. [`Faults`] are all of them, and know when
//! each strikes. A host asks them at every step that its [`Session`](super::Session) asks it about.

mod fault;
mod stage;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

pub use fault::{Fault, What};
pub use stage::Stage;

use self::stage::reply;
use super::config::{Asks, Tls};
use super::output::Answer;
use crate::syntax::{ForwardPath, Reply};

/// What goes wrong, and how often each could have: one for all sessions of a server.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    faults: Vec<Counted>,
    /// Who has written to whom, and when they did so first.
    greylist: BTreeMap<(Option<IpAddr>, String), Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Counted {
    fault: Fault,
    /// How often it could have happened.
    times: u64,
}

/// What is wrong with one connection as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conduct {
    /// So much time lies between two octets that we say.
    pub dribble: Option<Duration>,
    /// STARTTLS is not offered.
    pub drops_starttls: bool,
    /// [`INJECTED`] stands behind the reply to STARTTLS, in the same segment.
    pub injects: bool,
    /// The certificate is for another name.
    pub wrong_certificate: bool,
}

/// What happens at a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strike {
    /// The reply comes so much later.
    pub delay: Duration,
    /// The reply, if it is not the usual one.
    pub answer: Option<Answer>,
}

/// What a client must not take for what comes inside TLS.
pub const INJECTED: &[u8] = b"250-injected.invalid\r\n250 AUTH PLAIN LOGIN\r\n";

/// How many senders and recipients are remembered for greylisting. When there are more, all are forgotten.
const MOST_GREYLISTED: usize = 100_000;

impl Faults {
    /// All of these.
    pub fn new(faults: impl IntoIterator<Item = Fault>) -> Self {
        let faults = faults.into_iter().map(|fault| Counted { fault, times: 0 }).collect();
        Self { faults, greylist: BTreeMap::new() }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// Whether one of them is `what`, at this stage.
    pub fn has(&self, what: What, stage: Stage) -> bool {
        self.faults.iter().any(|it| it.fault.what == what && it.fault.stage == stage)
    }

    /// At which steps a session has to ask.
    pub fn asks(&self) -> Asks {
        let happens = |stage| self.faults.iter().any(|it| it.fault.stage == stage);
        Asks {
            connect: happens(Stage::Connect),
            hello: happens(Stage::Ehlo),
            starttls: happens(Stage::Starttls),
            reverse_path: happens(Stage::Mail) || happens(Stage::Rcpt),
            forward_path: happens(Stage::Rcpt),
            data: happens(Stage::Data),
            quit: happens(Stage::Quit),
        }
    }

    /// A client has come, to an endpoint with such TLS: what is wrong with this connection.
    pub fn connection(&mut self, tls: Tls) -> Conduct {
        let mut conduct = Conduct::default();
        for it in &mut self.faults {
            let what = it.fault.what;
            match what {
                What::Dribble(pause) if it.strikes() => conduct.dribble = Some(pause),
                What::InjectBeforeTls if it.strikes() => conduct.injects = true,
                What::DropStarttls if tls != Tls::Implicit && it.strikes() => conduct.drops_starttls = true,
                What::WrongCertificate if it.strikes() => conduct.wrong_certificate = true,
                _ => {}
            }
        }
        conduct
    }

    /// What happens at this stage. At [`Stage::Rcpt`] ask [`recipient`](Self::recipient) instead.
    pub fn at(&mut self, stage: Stage) -> Strike {
        let mut delay = Duration::ZERO;
        for it in self.faults.iter_mut().filter(|it| it.fault.stage == stage) {
            let answer = match it.fault.what {
                What::Refuse => Answer::Reply(stage.refusal()),
                What::Defer => Answer::Reply(stage.deferral()),
                What::Unavailable => Answer::ReplyAndClose(reply(421, 3, 2, "Closing, as this sink was told to")),
                What::Close => Answer::Close,
                What::OverQuota => Answer::Reply(reply(452, 2, 2, "Mailbox full")),
                What::Delay(time) => {
                    if it.strikes() {
                        delay = delay.saturating_add(time);
                    }
                    continue;
                }
                _ => continue,
            };
            if it.strikes() {
                return Strike { delay, answer: Some(answer) };
            }
        }
        Strike { delay, answer: None }
    }

    /// What happens at RCPT. `position` counts the recipients of the transaction, from 1.
    pub fn recipient(
        &mut self,
        now: Duration,
        client: Option<IpAddr>,
        recipient: &ForwardPath,
        position: u64,
    ) -> Strike {
        let strike = self.at(Stage::Rcpt);
        if strike.answer.is_some() {
            return strike;
        }
        let greylist = &mut self.greylist;
        for it in self.faults.iter_mut().filter(|it| it.fault.stage == Stage::Rcpt) {
            let refusal = match it.fault.what {
                What::SomeRecipients if position.is_multiple_of(2) => Stage::Rcpt.refusal(),
                What::TooManyRecipients { allowed } if position > allowed => reply(452, 5, 3, "Too many recipients"),
                What::Greylist(wait) if !is_known(greylist, now, client, recipient, wait) => {
                    reply(450, 7, 1, "Greylisted, try again later")
                }
                _ => continue,
            };
            if it.strikes() {
                return Strike { answer: Some(Answer::Reply(refusal)), ..strike };
            }
        }
        strike
    }

    /// A message for so many recipients has been stored, and its client would hear `accepted`: what it hears.
    pub fn stored(&mut self, accepted: Reply, recipients: usize) -> Answer {
        if self.strikes_after_content(What::LoseReply) {
            return Answer::Close;
        }
        if !self.strikes_after_content(What::SomeRecipients) {
            return Answer::Reply(accepted);
        }
        let reply_to = |index: usize| if index % 2 == 1 { Stage::Rcpt.refusal() } else { accepted.clone() };
        Answer::Replies((0..recipients).map(reply_to).collect())
    }

    fn strikes_after_content(&mut self, what: What) -> bool {
        let mut faults = self.faults.iter_mut();
        faults.any(|it| it.fault.stage == Stage::Content && it.fault.what == what && it.strikes())
    }
}

impl Counted {
    /// Whether it is time. Asked once for each time that it could happen.
    fn strikes(&mut self) -> bool {
        self.times = self.times.wrapping_add(1);
        self.times.is_multiple_of(self.fault.every)
    }
}

/// Whether this client has written to this recipient before, so long ago.
fn is_known(
    greylist: &mut BTreeMap<(Option<IpAddr>, String), Duration>,
    now: Duration,
    client: Option<IpAddr>,
    recipient: &ForwardPath,
    wait: Duration,
) -> bool {
    if greylist.len() >= MOST_GREYLISTED {
        greylist.clear();
    }
    let pair = (client, String::from(recipient.as_str()));
    match greylist.get(&pair) {
        Some(first) => now.saturating_sub(*first) >= wait,
        None => {
            greylist.insert(pair, now);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(texts: &[&str]) -> Faults {
        Faults::new(texts.iter().map(|text| text.parse::<Fault>().unwrap()))
    }

    fn code(answer: Option<&Answer>) -> Option<u16> {
        match answer {
            Some(Answer::Reply(reply) | Answer::ReplyAndClose(reply)) => Some(reply.code().as_u16()),
            _ => None,
        }
    }

    #[test]
    fn every_third_time() {
        let mut faults = faults(&["refuse@mail:3"]);
        let struck: Vec<_> = (0..7).map(|_| faults.at(Stage::Mail).answer.is_some()).collect();
        assert_eq!(struck, [false, false, true, false, false, true, false]);
        assert_eq!(faults.at(Stage::Data), Strike::default());
    }

    #[test]
    fn delays_add_up_before_the_answer() {
        let mut faults = faults(&["delay=1@mail", "delay=0.5@mail", "defer@mail", "refuse@mail"]);
        let Strike { delay, answer } = faults.at(Stage::Mail);
        assert_eq!((delay, code(answer.as_ref())), (Duration::from_millis(1500), Some(451)));
    }

    #[test]
    fn recipients_by_their_places() {
        let path = "<bob@example.org>".parse().unwrap();
        for (fault, expected) in [
            ("some-recipients", [None, Some(550), None, Some(550)]),
            ("too-many-recipients=3", [None, None, None, Some(452)]),
            ("refuse:2", [None, Some(550), None, Some(550)]),
        ] {
            let mut faults = faults(&[fault]);
            let codes = [1, 2, 3, 4]
                .map(|position| code(faults.recipient(Duration::ZERO, None, &path, position).answer.as_ref()));
            assert_eq!(codes, expected, "{fault}");
        }
    }

    #[test]
    fn greylisting_ends() {
        let (mut faults, client) = (faults(&["greylist=60"]), Some(IpAddr::from([192, 0, 2, 1])));
        let (bob, eve) = ("<bob@example.org>".parse().unwrap(), "<eve@example.org>".parse().unwrap());
        for (seconds, path, expected) in [
            (0, &bob, Some(450)),
            (59, &bob, Some(450)),
            (59, &eve, Some(450)),
            (60, &bob, None),
            (61, &eve, Some(450)),
        ] {
            let strike = faults.recipient(Duration::from_secs(seconds), client, path, 1);
            assert_eq!(code(strike.answer.as_ref()), expected, "{seconds}");
        }
    }

    #[test]
    fn whole_connections() {
        let mut faults = faults(&["dribble=0.01:2", "drop-starttls", "inject-before-tls", "wrong-certificate:2"]);
        let first = faults.connection(Tls::Implicit);
        assert_eq!(first, Conduct { injects: true, ..Conduct::default() });
        let second = faults.connection(Tls::Offered);
        let dribble = Some(Duration::from_millis(10));
        assert_eq!(second, Conduct { dribble, drops_starttls: true, injects: true, wrong_certificate: true });
    }

    #[test]
    fn what_is_said_when_a_message_is_stored() {
        let accepted = reply(250, 0, 0, "Ok");
        assert_eq!(faults(&[]).stored(accepted.clone(), 2), Answer::Reply(accepted.clone()));
        assert_eq!(faults(&["lose-reply"]).stored(accepted.clone(), 2), Answer::Close);
        let Answer::Replies(replies) = faults(&["some-recipients@content"]).stored(accepted, 3) else {
            panic!("one reply for each recipient")
        };
        assert_eq!(replies.iter().map(|reply| reply.code().as_u16()).collect::<Vec<_>>(), [250, 550, 250]);
    }

    #[test]
    fn only_what_happens_is_asked_about() {
        assert_eq!(faults(&[]).asks(), Asks::nowhere());
        let asks = faults(&["refuse", "defer@quit", "lose-reply"]).asks();
        assert_eq!(asks, Asks { reverse_path: true, forward_path: true, quit: true, ..Asks::nowhere() });
    }
}
