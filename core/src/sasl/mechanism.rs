//! The mechanisms, and which one to take.

use super::channel_binding::ChannelBinding;
use super::credentials::{Credentials, Kind};
use super::server_words::shown;
use crate::error::{Error, ErrorCode};
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

/// An authentication mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// The connection has proved who the client is (RFC 4422 appendix A).
    External,
    /// Both prove that they know the password, and that they share the TLS connection (RFC 7677).
    ScramSha256Plus,
    /// The same with SHA-1 (RFC 5802).
    ScramSha1Plus,
    /// Both prove that they know the password (RFC 7677).
    ScramSha256,
    /// The same with SHA-1 (RFC 5802).
    ScramSha1,
    /// A bearer token (RFC 7628).
    OauthBearer,
    /// A bearer token, in an older form that has no RFC.
    Xoauth2,
    /// A hash that is keyed with the password (RFC 2195).
    CramMd5,
    /// User name and password as they are (RFC 4616).
    Plain,
    /// User name and password as they are, in an older form that has no RFC.
    Login,
}

impl Mechanism {
    /// Each mechanism, the strongest first.
    ///
    /// A channel binding counts for more than the hash: who could sit within the TLS connection could also take the
    /// stronger -PLUS from the server's list, and must gain nothing by it. (What is known against SHA-1 does not touch
    /// its use here.)
    pub const STRONGEST_FIRST: [Self; 10] = [
        Self::External,
        Self::ScramSha256Plus,
        Self::ScramSha1Plus,
        Self::ScramSha256,
        Self::ScramSha1,
        Self::OauthBearer,
        Self::Xoauth2,
        Self::CramMd5,
        Self::Plain,
        Self::Login,
    ];

    /// The registered name, for instance `SCRAM-SHA-256-PLUS`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::External => "EXTERNAL",
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::OauthBearer => "OAUTHBEARER",
            Self::Xoauth2 => "XOAUTH2",
            Self::CramMd5 => "CRAM-MD5",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }

    /// Whether the secret itself goes to the server, so that whoever hears it can use it.
    pub const fn sends_secret(self) -> bool {
        matches!(self, Self::OauthBearer | Self::Xoauth2 | Self::Plain | Self::Login)
    }

    /// Whether the client speaks first, so that there is an initial response.
    pub const fn client_speaks_first(self) -> bool {
        !matches!(self, Self::CramMd5 | Self::Login)
    }

    /// Whether it is one of SCRAM's that bind to the TLS connection.
    pub const fn binds_channel(self) -> bool {
        matches!(self, Self::ScramSha256Plus | Self::ScramSha1Plus)
    }

    /// Whether it can carry these credentials.
    fn fits(self, credentials: &Credentials) -> bool {
        match credentials.kind() {
            Kind::External { .. } => self == Self::External,
            Kind::Token { user, .. } => match self {
                Self::OauthBearer => true,
                Self::Xoauth2 => user.is_some(),
                _ => false,
            },
            Kind::Password { authzid, .. } => match self {
                Self::External | Self::OauthBearer | Self::Xoauth2 => false,
                // They have no place for somebody else to act for.
                Self::CramMd5 | Self::Login => authzid.is_none(),
                _ => true,
            },
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// From the name, in any case. [`ErrorCode::Usage`] if there is none of that name.
impl FromStr for Mechanism {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        named(name).ok_or_else(|| {
            let name = shown(name.as_bytes(), MAX_NAME);
            Error::new(ErrorCode::Usage, format!("there is no mechanism \"{name}\""))
        })
    }
}

/// The strongest mechanism that fits `credentials`, is among the names `offered` by the server and, if the user
/// `allowed` only some, among those. With a `binding` the -PLUS ones count too.
///
/// The server's list must be that of the current EHLO or CAPA, taken inside TLS where there is TLS.
///
/// [`ErrorCode::AuthNoMechanism`] if there is none; it names what was offered and what could have been used.
pub fn choose<S: AsRef<str>>(
    credentials: &Credentials,
    offered: &[S],
    allowed: Option<&[Mechanism]>,
    binding: Option<&ChannelBinding>,
) -> Result<Mechanism, Error> {
    let usable = || {
        Mechanism::STRONGEST_FIRST.into_iter().filter(|mechanism| {
            mechanism.fits(credentials)
                && allowed.is_none_or(|allowed| allowed.contains(mechanism))
                && (!mechanism.binds_channel() || binding.is_some())
        })
    };
    let is_offered = |mechanism: &Mechanism| offered.iter().any(|name| named(name.as_ref()) == Some(*mechanism));
    usable().find(is_offered).ok_or_else(|| {
        let offers = listed(offered.iter().map(|name| shown(name.as_ref().as_bytes(), MAX_NAME)));
        let usable = listed(usable().map(|mechanism| mechanism.name().into()));
        Error::new(ErrorCode::AuthNoMechanism, format!("the server offers {offers}; usable here: {usable}"))
    })
}

/// RFC 4422 §3.1 allows 20 characters.
const MAX_NAME: usize = 20;

/// An error stays readable however many names a server makes up.
const MAX_LISTED: usize = 20;

fn named(name: &str) -> Option<Mechanism> {
    Mechanism::STRONGEST_FIRST.into_iter().find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
}

fn listed(names: impl Iterator<Item = String>) -> String {
    let mut list = String::new();
    for (index, name) in names.enumerate() {
        if index == MAX_LISTED {
            list.push_str(" ...");
            break;
        }
        if index > 0 {
            list.push(' ');
        }
        list.push_str(&name);
    }
    if list.is_empty() { "none".into() } else { list }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::ChannelBindingKind;
    use Mechanism::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    fn password() -> Credentials {
        Credentials::password("tim", "tanstaaf", None).unwrap()
    }

    fn all_names() -> Vec<&'static str> {
        Mechanism::STRONGEST_FIRST.iter().rev().map(|mechanism| mechanism.name()).collect()
    }

    #[test]
    fn names_go_both_ways_in_any_case() {
        for mechanism in Mechanism::STRONGEST_FIRST {
            assert_eq!(mechanism.to_string().parse(), Ok(mechanism));
            assert_eq!(mechanism.name().to_lowercase().parse(), Ok(mechanism));
        }
        let error = "PLAI\x1bN".parse::<Mechanism>().unwrap_err();
        assert_eq!((error.code(), error.what()), (ErrorCode::Usage, "there is no mechanism \"PLAI?N\""));
    }

    #[test]
    fn the_strongest_for_the_credentials_at_hand() {
        let binding = ChannelBinding::new(ChannelBindingKind::TlsExporter, [1; 32]);
        let token = |user: Option<&str>| Credentials::token(user.map(String::from), None).unwrap();
        let offered = all_names();
        assert_eq!(choose(&password(), &offered, None, None), Ok(ScramSha256));
        assert_eq!(choose(&password(), &offered, None, Some(&binding)), Ok(ScramSha256Plus));
        assert_eq!(choose(&token(Some("me")), &offered, None, None), Ok(OauthBearer));
        assert_eq!(choose(&token(Some("me")), &["LOGIN", "PLAIN", "xoauth2"], None, None), Ok(Xoauth2));
        assert_eq!(choose(&Credentials::external(None).unwrap(), &offered, None, None), Ok(External));
    }

    #[test]
    fn each_step_down_the_ladder() {
        let binding = ChannelBinding::new(ChannelBindingKind::TlsExporter, [1; 32]);
        let mut offered = all_names();
        let mut taken = Vec::new();
        while let Ok(mechanism) = choose(&password(), &offered, None, Some(&binding)) {
            taken.push(mechanism);
            offered.retain(|name| *name != mechanism.name());
        }
        assert_eq!(taken, [ScramSha256Plus, ScramSha1Plus, ScramSha256, ScramSha1, CramMd5, Plain, Login]);
    }

    #[test]
    fn a_stripped_plus_does_not_lose_the_binding() {
        let binding = ChannelBinding::new(ChannelBindingKind::TlsExporter, [1; 32]);
        let offered = ["SCRAM-SHA-256", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"];
        assert_eq!(choose(&password(), &offered, None, Some(&binding)), Ok(ScramSha1Plus));
    }

    #[test]
    fn only_what_the_user_allows() {
        assert_eq!(choose(&password(), &all_names(), Some(&[Login, Plain]), None), Ok(Plain));
        let error = choose(&password(), &all_names(), Some(&[ScramSha256Plus]), None).unwrap_err();
        assert_eq!(error.code(), ErrorCode::AuthNoMechanism);
        assert!(error.what().ends_with("usable here: none"));
    }

    #[test]
    fn whom_to_act_for_needs_a_mechanism_with_a_place_for_it() {
        let credentials = Credentials::password("tim", "tanstaaf", Some("ann".into())).unwrap();
        assert_eq!(choose(&credentials, &["LOGIN", "CRAM-MD5", "PLAIN"], None, None), Ok(Plain));
        assert!(choose(&credentials, &["LOGIN", "CRAM-MD5"], None, None).is_err());
    }

    #[test]
    fn the_error_names_both_sides() {
        let error = choose(&password(), &["GSSAPI", "XOAUTH2\x07"], Some(&[Plain, Login]), None).unwrap_err();
        assert_eq!(error.what(), "the server offers GSSAPI XOAUTH2?; usable here: PLAIN LOGIN");
        let none: [&str; 0] = [];
        let error = choose(&Credentials::token(None, None).unwrap(), &none, None, None).unwrap_err();
        assert_eq!(error.what(), "the server offers none; usable here: OAUTHBEARER");
    }

    #[test]
    fn the_error_is_bounded() {
        let offered: Vec<String> = (0..1000).map(|n| format!("X-{n}-{}", "y".repeat(1000))).collect();
        assert!(choose(&password(), &offered, None, None).unwrap_err().what().len() < 1000);
    }
}
