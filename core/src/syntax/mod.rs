//! Text to values and back.
//!
//! Each parser stands below the ABNF that it reads, with its RFC section. What goes out is made from these values only,
//! and none of them can hold CR, LF or NUL: their fields are private, and parsing is the only way in.
//!
//! Nothing here keeps state but [`ReplyFramer`] and [`Pop3Framer`], which hold the beginning of a reply or line until the
//! rest has come.

mod address_list;
mod addressing;
mod argument;
mod auth_argument;
mod authentication_results;
mod capabilities;
mod command;
mod command_length;
mod command_parser;
mod content;
mod content_decoder;
mod date_time;
mod decimal;
mod deliver_by;
pub mod dkim;
pub mod dmarc;
mod domain;
mod dsn;
mod ehlo_name;
mod enhanced_code;
mod fault;
mod header;
mod hold;
mod limits;
mod mail_parameters;
mod mailbox;
mod message_date;
mod parameter;
mod path;
mod pop3_capabilities;
mod pop3_framer;
mod pop3_response;
mod pop3_timestamp;
mod queue_id;
mod quoted_printable;
mod quoting;
mod rcpt_parameters;
mod reply;
mod reply_code;
mod reply_framer;
mod reply_scan;
pub mod spf;
mod tag_list;
mod xtext;

pub use address_list::mailboxes_in;
pub use argument::Argument;
pub use auth_argument::{InitialResponse, MechanismName};
pub use authentication_results::AuthenticationResults;
pub(crate) use authentication_results::{is_dot_atom, push_value};
pub use capabilities::{Capabilities, DeliverByOffer, FutureReleaseOffer, Keyword, MtPriorityOffer, SizeLimit};
pub use command::{Command, encode_auth, encode_bdat, encode_mail, encode_mail_declaring, encode_rcpt};
pub use command_length::{AUTH_LINE_LIMIT, COMMAND_LINE_LIMIT, mail_line_limit, rcpt_line_limit};
pub use command_parser::CommandError;
pub use content::{BareNewline, ContentEncoder, Framing, Inspection, Newlines, Piece};
pub use content_decoder::{ContentDecoder, DecodedPiece, Stop};
pub use date_time::DateTime;
pub use deliver_by::{DeliverBy, DeliverByMode};
pub use domain::Domain;
pub(crate) use dsn::recipient_in_notification;
pub use dsn::{EnvelopeId, Notify, OriginalRecipient, Ret};
pub use ehlo_name::EhloName;
pub use enhanced_code::EnhancedCode;
pub use header::{Field, Header};
pub use hold::{Hold, HoldInterval};
pub use limits::Limits;
pub use mail_parameters::{AuthParameter, BodyType, ContentDeclaration, MailParameters, MtPriority};
pub use mailbox::Mailbox;
pub use message_date::MessageDate;
pub use parameter::Parameter;
pub use path::{ForwardPath, ReversePath};
pub use pop3_capabilities::Pop3Capabilities;
pub use pop3_framer::Pop3Framer;
pub use pop3_response::{Pop3Code, Pop3Response};
pub use pop3_timestamp::Pop3Timestamp;
pub use quoted_printable::encode_quoted_printable;
pub use rcpt_parameters::RcptParameters;
pub use reply::Reply;
pub use reply_code::{ReplyCode, Severity};
pub use reply_framer::ReplyFramer;
pub use reply_scan::ReplyLimits;
