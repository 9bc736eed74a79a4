//! Text to values and back.
//!
//! Each parser stands below the ABNF that it reads, with its RFC section. What goes out is made from these values only,
//! and none of them can hold CR, LF or NUL: their fields are private, and parsing is the only way in.
//!
//! Nothing here keeps state but [`ReplyFramer`], which holds the beginning of a reply until the rest has come.

mod capabilities;
mod decimal;
mod domain;
mod ehlo_name;
mod enhanced_code;
mod fault;
mod limits;
mod mailbox;
mod path;
mod queue_id;
mod quoting;
mod reply;
mod reply_code;
mod reply_framer;
mod reply_scan;

pub use capabilities::{Capabilities, DeliverByOffer, FutureReleaseOffer, Keyword, MtPriorityOffer, SizeLimit};
pub use domain::Domain;
pub use ehlo_name::EhloName;
pub use enhanced_code::EnhancedCode;
pub use limits::Limits;
pub use mailbox::Mailbox;
pub use path::{ForwardPath, ReversePath};
pub use reply::Reply;
pub use reply_code::{ReplyCode, Severity};
pub use reply_framer::ReplyFramer;
pub use reply_scan::ReplyLimits;
