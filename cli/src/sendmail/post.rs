//! Where messages are handed on: what is configured, who calls, and the way to the relay.

use std::time::{SystemTime, UNIX_EPOCH};

use okuru::mailer::MailerOptions;
use okuru::{
    BodyDeclaration, Chunking, Envelope, Error, ErrorCode, Mailer, Message, Outcome, Pipelining, ReversePath, SmtpUtf8,
};
use okuru_core::syntax::MessageDate;

use super::addresses::Addresses;
use super::caller::Caller;
use super::header::{Author, Draft};
use super::options::Options;
use super::settings::Settings;
use super::spool::Spool;
use super::transcript::Transcript;
use crate::delivery::Delivery;
use crate::exit::{Exit, Failure};

/// What is known before the first message.
pub(super) struct Post {
    settings: Settings,
    caller: Caller,
    /// What is said of the sender's full name.
    full_name: Option<String>,
    seven_bit: bool,
    mailer: MailerOptions,
    pub(super) transcript: Transcript,
}

impl Post {
    /// With the configuration, the transcript and the way that the options and the machine say.
    pub(super) fn open(options: &Options) -> Result<Self, Failure> {
        let caller = Caller::find();
        let settings = Settings::read(options.configuration.as_deref(), &caller)?;
        let transcript = Transcript::open(options.transcript.as_deref(), options.verbose)?;
        let delivery = Delivery {
            way: &settings.way,
            pipelining: Pipelining::Session,
            chunking: Chunking::Auto,
            deadline: settings.deadline,
            tracer: transcript.tracer(),
        };
        let mailer = delivery.mailer_options().map_err(|failure| settings.blame(&failure))?;
        let full_name = options.full_name.clone();
        Ok(Self { settings, caller, full_name, seven_bit: options.seven_bit, mailer, transcript })
    }

    pub(super) fn addresses(&self) -> &Addresses {
        &self.settings.addresses
    }

    /// Who sends what nobody is said to send.
    pub(super) fn usual_sender(&self) -> &ReversePath {
        &self.settings.sender
    }

    /// The message as it goes out.
    pub(super) fn message(&self, spool: Spool, draft: Draft, envelope: Envelope) -> Result<Message, Failure> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| system("this machine gives no random numbers", &error))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let author = Author {
            sender: &envelope.reverse_path,
            full_name: self.full_name.as_deref().or_else(|| self.caller_name(&envelope.reverse_path)),
            date: MessageDate::from_unix_seconds(i64::try_from(now).unwrap_or(i64::MAX)),
            random,
        };
        let is_held = spool.front().1;
        let smtputf8 = match self.settings.smtputf8.into() {
            // Nobody else sees that before it is sent.
            SmtpUtf8::Auto if draft.is_utf8() && !is_held => SmtpUtf8::Require,
            asked => asked,
        };
        let (header, replaced) = draft.complete(author, self.addresses());
        let content = spool.into_content(header, replaced);
        let declaration = if self.seven_bit { BodyDeclaration::SevenBit } else { BodyDeclaration::Auto };
        Ok(Message::with_envelope(envelope, content)
            .body_declaration(declaration)
            .smtputf8(smtputf8)
            .all_or_nothing(self.settings.all_or_nothing))
    }

    /// The name of the caller, if it is the caller who sends.
    fn caller_name(&self, sender: &ReversePath) -> Option<&str> {
        self.caller.full_name.as_deref().filter(|_| sender == self.usual_sender())
    }

    /// Sends the message, and nothing else.
    pub(super) fn send(&self, message: Message) -> Result<Outcome, Failure> {
        runtime()?.block_on(async {
            let mailer = self.mailer()?;
            let outcome = mailer.send(message).await;
            mailer.stop().await;
            Ok(outcome)
        })
    }

    /// What sends messages, within a runtime of tokio's.
    pub(super) fn mailer(&self) -> Result<Mailer, Failure> {
        Mailer::new(self.mailer.clone()).map_err(|error| self.settings.blame(&error.into()))
    }
}

/// What everything runs on.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| system("the program can't be set up", &error))
}

/// This machine does not do what it must.
fn system(what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure { error: Error::new(ErrorCode::Cancelled, format!("{what}: {error}")), exit: Exit::System }
}
