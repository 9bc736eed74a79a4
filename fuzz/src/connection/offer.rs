//! What the server offers: what it says, and what it is heard to say.

/// The keywords of EHLO, read without any care for their meaning.
#[derive(Clone, Debug, Default)]
pub(super) struct Offer(Vec<Vec<String>>);

/// Each stands for a bit.
const KEYWORDS: [&str; 16] = [
    "PIPELINING",
    "CHUNKING",
    "8BITMIME",
    "SMTPUTF8",
    "DSN",
    "SIZE 4000",
    "STARTTLS",
    "AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256 SCRAM-SHA-256-PLUS OAUTHBEARER XOAUTH2 EXTERNAL",
    "BINARYMIME",
    "LIMITS RCPTMAX=2",
    "LIMITS MAILMAX=2",
    "LIMITS RCPTDOMAINMAX=1",
    "DELIVERBY 240",
    "FUTURERELEASE 4000 2030-01-31T12:00:00Z",
    "MT-PRIORITY",
    "REQUIRETLS",
];

/// Offered where nothing else is said: the first nine.
pub(super) const USUAL: u16 = 0x1ff;

/// A reply to EHLO that offers what these bits stand for.
pub(super) fn said(bits: u16) -> Vec<u8> {
    let mut reply = String::from("250-mail.example\r\n");
    for (bit, keyword) in KEYWORDS.iter().enumerate() {
        if bits & (1 << bit) != 0 {
            reply += &format!("250-{keyword}\r\n");
        }
    }
    reply += "250 HELP\r\n";
    reply.into_bytes()
}

impl Offer {
    pub(super) fn read(raw: &[u8]) -> Self {
        let text = String::from_utf8_lossy(raw).into_owned();
        let lines = text.split('\n').skip(1).filter_map(|line| line.get(4..));
        // From before RFC 2554.
        let words = lines.map(|line| line.to_ascii_uppercase().replacen("AUTH=", "AUTH ", 1));
        Self(words.map(|line| line.split_whitespace().map(str::to_owned).collect()).collect())
    }

    pub(super) fn has(&self, keyword: &str) -> bool {
        self.0.iter().any(|line| line.first().is_some_and(|word| word == keyword))
    }

    /// The words behind a keyword.
    pub(super) fn words(&self, keyword: &str) -> impl Iterator<Item = &str> {
        let lines = self.0.iter().filter(move |line| line.first().is_some_and(|word| word == keyword));
        lines.flat_map(|line| line.iter().skip(1)).map(String::as_str)
    }

    /// A limit of RFC 9422, if it is there once.
    pub(super) fn limit(&self, name: &str) -> Option<u64> {
        let mut values = self.words("LIMITS").filter_map(|word| word.split_once('=')).filter(|(word, _)| *word == name);
        let (_, value) = values.next()?;
        let number = value.parse().ok().filter(|&number| number > 0 && value.bytes().all(|byte| byte.is_ascii_digit()));
        number.filter(|_| values.next().is_none())
    }
}
