use alloc::string::String;
use alloc::vec::Vec;

use nom::bytes::complete::{tag_no_case, take_while1};
use nom::{IResult, Parser};

use super::decimal;
use super::{DateTime, Limits, Reply};

/// What a server offers, from its reply to EHLO or LHLO (RFC 5321 section 4.1.1.1).
///
/// The default is what a server offers that only knows HELO: nothing. Keywords are matched without regard to case, and
/// kept in upper case; those that nobody here knows are kept too. Keywords beyond [`Capabilities::MOST_KEYWORDS`], and
/// words behind one beyond [`Capabilities::MOST_PARAMETERS`], are passed over.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Capabilities {
    server_name: String,
    keywords: Vec<Keyword>,
    pipelining: bool,
    chunking: bool,
    binarymime: bool,
    eight_bit_mime: bool,
    smtputf8: bool,
    dsn: bool,
    enhanced_status_codes: bool,
    starttls: bool,
    requiretls: bool,
    size: Option<SizeLimit>,
    auth: Vec<String>,
    limits: Limits,
    deliver_by: Option<DeliverByOffer>,
    future_release: Option<FutureReleaseOffer>,
    mt_priority: Option<MtPriorityOffer>,
}

impl Capabilities {
    /// How many keywords are kept; a server that offers more is not of this world.
    pub const MOST_KEYWORDS: usize = 128;
    /// How many words behind one keyword are kept.
    pub const MOST_PARAMETERS: usize = 64;

    /// Reads a positive reply to EHLO or LHLO. Lines that are no keyword are passed over.
    pub fn from_reply(reply: &Reply) -> Self {
        let mut lines = reply.lines();
        let greeting = String::from_utf8_lossy(lines.next().unwrap_or_default());
        let mut capabilities =
            Self { server_name: greeting.split_whitespace().next().unwrap_or_default().into(), ..Self::default() };
        for line in lines {
            if let Ok((parameters, name)) = ehlo_keyword(String::from_utf8_lossy(line).trim()) {
                capabilities.add(&name.to_ascii_uppercase(), parameters);
            }
        }
        capabilities
    }

    /// What the server calls itself; empty after HELO.
    pub fn server_name(&self) -> &str {
        &self.server_name
    }

    /// All keywords in the order in which they came, each once.
    pub fn keywords(&self) -> impl Iterator<Item = &Keyword> {
        self.keywords.iter()
    }

    /// The keyword `name`, whatever its case.
    pub fn keyword(&self, name: &str) -> Option<&Keyword> {
        self.keywords.iter().find(|keyword| keyword.name.eq_ignore_ascii_case(name))
    }

    /// PIPELINING (RFC 2920).
    pub fn pipelining(&self) -> bool {
        self.pipelining
    }

    /// CHUNKING (RFC 3030).
    pub fn chunking(&self) -> bool {
        self.chunking
    }

    /// BINARYMIME (RFC 3030).
    pub fn binarymime(&self) -> bool {
        self.binarymime
    }

    /// 8BITMIME (RFC 6152).
    pub fn eight_bit_mime(&self) -> bool {
        self.eight_bit_mime
    }

    /// SMTPUTF8 (RFC 6531).
    pub fn smtputf8(&self) -> bool {
        self.smtputf8
    }

    /// DSN (RFC 3461).
    pub fn dsn(&self) -> bool {
        self.dsn
    }

    /// ENHANCEDSTATUSCODES (RFC 2034).
    pub fn enhanced_status_codes(&self) -> bool {
        self.enhanced_status_codes
    }

    /// STARTTLS (RFC 3207).
    pub fn starttls(&self) -> bool {
        self.starttls
    }

    /// REQUIRETLS (RFC 8689).
    pub fn requiretls(&self) -> bool {
        self.requiretls
    }

    /// SIZE (RFC 1870), if it is offered.
    pub fn size(&self) -> Option<SizeLimit> {
        self.size
    }

    /// The mechanisms of AUTH (RFC 4954) in upper case, in the server's order, each once; none if it is not offered.
    pub fn auth(&self) -> &[String] {
        &self.auth
    }

    /// LIMITS (RFC 9422): all `None` if it is not offered.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// DELIVERBY (RFC 2852), if it is offered.
    pub fn deliver_by(&self) -> Option<DeliverByOffer> {
        self.deliver_by
    }

    /// FUTURERELEASE (RFC 4865), if it is offered.
    pub fn future_release(&self) -> Option<&FutureReleaseOffer> {
        self.future_release.as_ref()
    }

    /// MT-PRIORITY (RFC 6710), if it is offered.
    pub fn mt_priority(&self) -> Option<&MtPriorityOffer> {
        self.mt_priority.as_ref()
    }

    fn add(&mut self, name: &str, parameters: &str) {
        if !self.keep(name, parameters) {
            return;
        }
        match name {
            "PIPELINING" => self.pipelining = true,
            "CHUNKING" => self.chunking = true,
            "BINARYMIME" => self.binarymime = true,
            "8BITMIME" => self.eight_bit_mime = true,
            "SMTPUTF8" => self.smtputf8 = true,
            "DSN" => self.dsn = true,
            "ENHANCEDSTATUSCODES" => self.enhanced_status_codes = true,
            "STARTTLS" => self.starttls = true,
            "REQUIRETLS" => self.requiretls = true,
            "SIZE" => self.size = Some(SizeLimit::from_parameters(parameters)),
            "AUTH" => {
                for mechanism in parameters.split_whitespace().map(str::to_ascii_uppercase) {
                    add_word(&mut self.auth, mechanism);
                }
            }
            "LIMITS" => self.limits.read(parameters),
            "DELIVERBY" => self.deliver_by = Some(DeliverByOffer::from_parameters(parameters)),
            "FUTURERELEASE" => self.future_release = Some(FutureReleaseOffer::from_parameters(parameters)),
            "MT-PRIORITY" => self.mt_priority = Some(MtPriorityOffer::from_parameters(parameters)),
            _ => {}
        }
    }

    /// Keeps the words of the keyword, those of a keyword that came before among its own. Whether there was room.
    fn keep(&mut self, name: &str, parameters: &str) -> bool {
        let index = match self.keywords.iter().position(|keyword| keyword.name == name) {
            Some(index) => index,
            None if self.keywords.len() == Self::MOST_KEYWORDS => return false,
            None => {
                self.keywords.push(Keyword { name: name.into(), parameters: Vec::new() });
                self.keywords.len() - 1
            }
        };
        if let Some(keyword) = self.keywords.get_mut(index) {
            for word in parameters.split_whitespace() {
                add_word(&mut keyword.parameters, word.into());
            }
        }
        true
    }
}

fn add_word(words: &mut Vec<String>, word: String) {
    if words.len() < Capabilities::MOST_PARAMETERS && !words.contains(&word) {
        words.push(word);
    }
}

/// One keyword of an EHLO reply, and its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyword {
    name: String,
    parameters: Vec<String>,
}

impl Keyword {
    /// The keyword, in upper case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The words behind it as they came, each once.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().map(String::as_str)
    }
}

// RFC 5321 section 4.1.1.1
//
//   ehlo-line    = ehlo-keyword *( SP ehlo-param )
//   ehlo-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
//   ehlo-param   = 1*(%d33-126)
//
// Leniency: "AUTH=LOGIN PLAIN", from before RFC 2554, which servers still say for old Outlook; and any character in a
// keyword but a space, so that what is said is kept.

/// A keyword, and the parameters behind it.
fn ehlo_keyword(line: &str) -> IResult<&str, &str> {
    let old_auth: IResult<&str, &str> = tag_no_case("AUTH=").parse(line);
    match old_auth {
        Ok((parameters, name)) => Ok((parameters, name.strip_suffix('=').unwrap_or(name))),
        Err(_) => take_while1(|c: char| !c.is_whitespace()).parse(line),
    }
}

/// The bound on the size of a message (RFC 1870 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeLimit {
    /// The server counts, but names no bound: SIZE without a number, or `SIZE 0`.
    Unstated,
    /// At most so many octets.
    Octets(u64),
}

impl SizeLimit {
    // size-param = [1*20DIGIT]
    fn from_parameters(parameters: &str) -> Self {
        match decimal::parse(first_word(parameters)) {
            None | Some(0) => Self::Unstated,
            Some(octets) => Self::Octets(octets),
        }
    }

    /// The bound in octets, if there is one.
    pub fn octets(self) -> Option<u64> {
        match self {
            Self::Unstated => None,
            Self::Octets(octets) => Some(octets),
        }
    }
}

/// The offer of DELIVERBY (RFC 2852 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliverByOffer {
    /// The shortest time that the server takes, in seconds.
    pub min_time: Option<u32>,
}

impl DeliverByOffer {
    // deliverby-param = min-by-time *( "," extension-token )
    // min-by-time     = [1*9digit]
    fn from_parameters(parameters: &str) -> Self {
        let min_time = first_word(parameters).split(',').next().and_then(decimal::parse);
        Self { min_time: min_time.and_then(|seconds| u32::try_from(seconds).ok()) }
    }
}

/// The offer of FUTURERELEASE (RFC 4865 section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FutureReleaseOffer {
    /// The longest time that the server holds a message, in seconds.
    pub max_interval: Option<u64>,
    /// The latest moment.
    pub max_datetime: Option<DateTime>,
}

impl FutureReleaseOffer {
    // "FUTURERELEASE" SP max-future-release-interval SP max-future-release-date-time
    fn from_parameters(parameters: &str) -> Self {
        let mut words = parameters.split_whitespace();
        Self {
            max_interval: words.next().and_then(decimal::parse),
            max_datetime: words.next().and_then(|word| word.parse().ok()),
        }
    }
}

/// The offer of MT-PRIORITY (RFC 6710 section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MtPriorityOffer {
    /// The name of the profile that says what the numbers mean, if one is named.
    pub profile: Option<String>,
}

impl MtPriorityOffer {
    fn from_parameters(parameters: &str) -> Self {
        Self { profile: parameters.split_whitespace().next().map(Into::into) }
    }
}

fn first_word(parameters: &str) -> &str {
    parameters.split_whitespace().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn read(lines: &[&str]) -> Capabilities {
        let mut raw = String::from("250-mail.example greets you\r\n");
        for line in lines {
            raw.push_str(&format!("250-{line}\r\n"));
        }
        raw.push_str("250 HELP\r\n");
        Capabilities::from_reply(&Reply::parse(raw.as_bytes()).unwrap())
    }

    #[test]
    fn nothing_is_the_default() {
        let nothing = Capabilities::default();
        assert!(!nothing.pipelining() && !nothing.starttls() && nothing.auth().is_empty() && nothing.size().is_none());
        assert_eq!((nothing.server_name(), nothing.keywords().count()), ("", 0));
        let helo = Capabilities::from_reply(&Reply::parse(b"250 mail.example\r\n").unwrap());
        assert_eq!(helo, Capabilities { server_name: "mail.example".into(), ..Capabilities::default() });
        assert_eq!(Capabilities::from_reply(&Reply::parse(b"250\r\n").unwrap()), nothing);
    }

    #[test]
    fn everything_in_any_case() {
        let lines = [
            "PIPELINING",
            "CHUNKING",
            "BINARYMIME",
            "8BITMIME",
            "SMTPUTF8",
            "DSN",
            "ENHANCEDSTATUSCODES",
            "STARTTLS",
            "REQUIRETLS",
            "SIZE 52428800",
            "AUTH SCRAM-SHA-256 PLAIN",
            "LIMITS RCPTMAX=20 MAILMAX=5",
            "DELIVERBY 240",
            "FUTURERELEASE 86400 2030-01-01T00:00:00Z",
            "MT-PRIORITY MIXER",
        ];
        let lower: Vec<String> = lines.iter().map(|line| line.to_lowercase()).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        let upper = read(&lines);
        for capabilities in [&upper, &read(&lower)] {
            assert_eq!(capabilities.server_name(), "mail.example");
            assert!(capabilities.pipelining() && capabilities.chunking() && capabilities.binarymime());
            assert!(capabilities.eight_bit_mime() && capabilities.smtputf8() && capabilities.dsn());
            assert!(capabilities.enhanced_status_codes() && capabilities.starttls() && capabilities.requiretls());
            assert_eq!(capabilities.size(), Some(SizeLimit::Octets(52_428_800)));
            assert_eq!(capabilities.auth(), ["SCRAM-SHA-256", "PLAIN"]);
            assert_eq!(capabilities.limits().rcpt_max, Some(20));
            assert_eq!(capabilities.limits().mail_max, Some(5));
            assert_eq!(capabilities.deliver_by(), Some(DeliverByOffer { min_time: Some(240) }));
            assert_eq!(capabilities.future_release().unwrap().max_interval, Some(86400));
            assert!(capabilities.mt_priority().unwrap().profile.is_some());
            assert_eq!(capabilities.keywords().count(), lines.len() + 1);
            assert_eq!(capabilities.keyword("Help").map(Keyword::name), Some("HELP"));
        }
        assert_eq!(
            upper.future_release().and_then(|offer| offer.max_datetime.as_ref()).map(DateTime::as_str),
            Some("2030-01-01T00:00:00Z")
        );
        assert_eq!(upper.mt_priority().and_then(|offer| offer.profile.as_deref()), Some("MIXER"));
    }

    #[test]
    fn offers_without_their_parameters() {
        let capabilities = read(&["SIZE", "AUTH", "LIMITS", "DELIVERBY", "FUTURERELEASE", "MT-PRIORITY"]);
        assert_eq!(capabilities.size(), Some(SizeLimit::Unstated));
        assert!(capabilities.auth().is_empty());
        assert_eq!(capabilities.limits(), Limits::default());
        assert_eq!(capabilities.deliver_by(), Some(DeliverByOffer { min_time: None }));
        assert_eq!(capabilities.future_release(), Some(&FutureReleaseOffer { max_interval: None, max_datetime: None }));
        assert_eq!(capabilities.mt_priority(), Some(&MtPriorityOffer { profile: None }));
    }

    #[test]
    fn the_old_form_of_auth_is_merged() {
        let capabilities = read(&["AUTH=LOGIN PLAIN", "AUTH PLAIN xoauth2 LOGIN"]);
        assert_eq!(capabilities.auth(), ["LOGIN", "PLAIN", "XOAUTH2"]);
        assert_eq!(capabilities.keywords().count(), 2);
        assert_eq!(read(&["auth=plain"]).auth(), ["PLAIN"]);
    }

    #[test]
    fn sizes() {
        for (line, size) in [
            ("SIZE 0", SizeLimit::Unstated),
            ("SIZE 10", SizeLimit::Octets(10)),
            ("SIZE 18446744073709551615", SizeLimit::Octets(u64::MAX)),
            ("SIZE 99999999999999999999", SizeLimit::Octets(u64::MAX)),
            ("SIZE -5", SizeLimit::Unstated),
            ("SIZE 10M", SizeLimit::Unstated),
        ] {
            assert_eq!(read(&[line]).size(), Some(size), "{line}");
        }
        assert_eq!((SizeLimit::Unstated.octets(), SizeLimit::Octets(7).octets()), (None, Some(7)));
    }

    #[test]
    fn what_nobody_knows_is_kept() {
        let capabilities = read(&["XCLIENT NAME ADDR", "X-EXPS=LOGIN", "XXXXXXXA", "xclient PROTO NAME", "", " VRFY "]);
        let words: Vec<String> =
            capabilities.keywords().map(|k| format!("{}:{}", k.name(), k.parameters().count())).collect();
        assert_eq!(words, ["XCLIENT:3", "X-EXPS=LOGIN:0", "XXXXXXXA:0", "VRFY:0", "HELP:0"]);
        assert!(capabilities.keyword("AUTH").is_none());
    }

    #[test]
    fn floods_are_bounded() {
        let many: Vec<String> = (0..1000).map(|n| format!("X{n}")).collect();
        let words = format!("AUTH {}", many.join(" "));
        let mut lines: Vec<&str> = many.iter().map(String::as_str).collect();
        lines.insert(0, &words);
        let capabilities = read(&lines);
        assert_eq!(capabilities.keywords().count(), Capabilities::MOST_KEYWORDS);
        assert_eq!(capabilities.auth().len(), Capabilities::MOST_PARAMETERS);
    }
}
