//! What a user may ask a server between messages.

use alloc::vec::Vec;

use crate::syntax::{Argument, Command};

/// What a user may ask a server between messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// Are you there?
    Noop,
    /// Forget the transaction. There is none between messages.
    Rset,
    /// Is this a user? (RFC 5321 §3.5.1)
    Vrfy(Argument),
    /// Who is on this list? (RFC 5321 §3.5.2)
    Expn(Argument),
    /// What can I say?
    Help(Option<Argument>),
}

impl Query {
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        let command = match self {
            Self::Noop => Command::Noop(None),
            Self::Rset => Command::Rset,
            Self::Vrfy(argument) => Command::Vrfy(argument),
            Self::Expn(argument) => Command::Expn(argument),
            Self::Help(argument) => Command::Help(argument),
        };
        command.encode(out);
    }
}
