//! Delivery status notifications (RFC 3461 to 3464, 6522 and 6533): what is said to the sender of a message that did not arrive.
//!
//! A [`Report`] says what has become of which recipients; [`Report::notification`] makes a message of it, with the envelope
//! under which it is to be sent, or finds that nobody is to be told. All of it is 7-bit, unless the sender's address or the
//! message that is returned is not.
//!
//! ```
//! use okuru_core::client::Envelope;
//! use okuru_core::delivery::dsn::{Action, Fate, Original, Report};
//! use okuru_core::syntax::{EnhancedCode, ForwardPath, MailParameters};
//!
//! let envelope = Envelope {
//!     reverse_path: "<ann@example.com>".parse()?,
//!     parameters: MailParameters::default(),
//!     recipients: vec!["<bob@example.org>".parse::<ForwardPath>()?.into()],
//! };
//! let fates = [Fate::new(0, Action::Failed, EnhancedCode { class: 5, subject: 1, detail: 1 })];
//! let report = Report {
//!     original: Original::Header(b"Subject: hello\r\n"),
//!     ..Report::new("mail.example.com".parse()?, &envelope, &fates, 1_795_328_000, [7; 16])
//! };
//! let notification = report.notification().unwrap();
//! assert_eq!(notification.envelope.reverse_path.to_string(), "<>");
//! assert!(notification.content.starts_with(b"From: Mail Delivery System <MAILER-DAEMON@mail.example.com>\r\n"));
//! # Ok::<(), okuru_core::Error>(())
//! ```

mod fate;
mod lines;
mod original;
mod report;
mod status;
#[cfg(test)]
mod tests;
mod words;

pub use fate::{Action, Fate};
pub use original::Original;
pub use report::{Notification, Report};
