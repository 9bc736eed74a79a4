use alloc::string::String;
use alloc::vec::Vec;

/// What a POP3 server offers, from its response to CAPA (RFC 2449 section 5).
///
/// Tags are matched without regard to case, and kept in upper case; those that nobody here knows are kept too. Tags beyond
/// [`Pop3Capabilities::MOST_TAGS`], and words behind one beyond [`Pop3Capabilities::MOST_PARAMETERS`], are passed over.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Pop3Capabilities {
    tags: Vec<Tag>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Tag {
    name: String,
    parameters: Vec<String>,
}

impl Pop3Capabilities {
    /// How many tags are kept.
    pub const MOST_TAGS: usize = 128;
    /// How many words behind one tag are kept.
    pub const MOST_PARAMETERS: usize = 64;

    // RFC 2449 sections 3 and 5
    //
    //   capa-resp  = single-line *capability "." CRLF
    //   capability = capa-tag *(SP param) CRLF

    /// Reads a line behind the first one, without its end. False if it is the last one, a dot.
    pub fn add_line(&mut self, line: &[u8]) -> bool {
        if line == b"." {
            return false;
        }
        let text = String::from_utf8_lossy(line.strip_prefix(b".").unwrap_or(line));
        let mut words = text.split_ascii_whitespace();
        if let Some(name) = words.next().map(str::to_ascii_uppercase)
            && self.tags.len() < Self::MOST_TAGS
            && !self.has(&name)
        {
            let parameters = words.take(Self::MOST_PARAMETERS).map(Into::into).collect();
            self.tags.push(Tag { name, parameters });
        }
        true
    }

    /// All tags in upper case, in the order in which they came, each once.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().map(|tag| tag.name.as_str())
    }

    /// Whether the tag `name` is there, whatever its case.
    pub fn has(&self, name: &str) -> bool {
        self.tags().any(|tag| tag.eq_ignore_ascii_case(name))
    }

    /// The words behind the tag `name`, whatever its case.
    pub fn parameters(&self, name: &str) -> &[String] {
        let tag = self.tags.iter().find(|tag| tag.name.eq_ignore_ascii_case(name));
        tag.map_or(&[], |tag| &tag.parameters)
    }

    /// STLS (RFC 2595 section 4).
    pub fn stls(&self) -> bool {
        self.has("STLS")
    }

    /// USER: USER and PASS may be used (RFC 2449 section 6.2).
    pub fn user(&self) -> bool {
        self.has("USER")
    }

    /// The mechanisms behind SASL (RFC 5034 section 3).
    pub fn sasl(&self) -> &[String] {
        self.parameters("SASL")
    }

    /// UTF8 USER: names and passwords may be outside ASCII (RFC 6856 section 2.1).
    pub fn utf8_user(&self) -> bool {
        self.parameters("UTF8").iter().any(|word| word.eq_ignore_ascii_case("USER"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn the_example_of_rfc_2449_section_5() {
        let mut capabilities = Pop3Capabilities::default();
        for line in
            ["TOP", "user", "SASL CRAM-MD5 KERBEROS_V4", "UIDL", "STLS", "utf8 user", "IMPLEMENTATION Shlemazle-v302"]
        {
            assert!(capabilities.add_line(line.as_bytes()));
        }
        assert!(!capabilities.add_line(b"."));
        assert!(capabilities.user() && capabilities.stls() && capabilities.utf8_user() && capabilities.has("uidl"));
        assert_eq!(capabilities.sasl(), ["CRAM-MD5", "KERBEROS_V4"]);
        assert_eq!(capabilities.tags().last(), Some("IMPLEMENTATION"));
        assert!(!Pop3Capabilities::default().utf8_user());
    }

    #[test]
    fn what_is_odd_is_bounded() {
        let mut capabilities = Pop3Capabilities::default();
        let long = format!("SASL{}", " X".repeat(1000));
        for line in [&b""[..], b"  ", b"..X", b"USER a", b"USER b", b"\xff\xfe", long.as_bytes()] {
            assert!(capabilities.add_line(line));
        }
        assert_eq!(capabilities.tags().collect::<Vec<_>>(), [".X", "USER", "\u{fffd}\u{fffd}", "SASL"]);
        assert_eq!(capabilities.parameters("USER"), ["a"]);
        assert_eq!(capabilities.sasl().len(), Pop3Capabilities::MOST_PARAMETERS);
        (0..1000).for_each(|number| assert!(capabilities.add_line(format!("X{number}").as_bytes())));
        assert_eq!(capabilities.tags().count(), Pop3Capabilities::MOST_TAGS);
    }
}
