use super::*;
use crate::sasl::ChannelBindingKind;
use Mechanism::*;
use alloc::format;
use alloc::string::ToString;
use alloc::vec;

const NONCE: [u8; MIN_NONCE] = [7; MIN_NONCE];
const SEED: [u8; MIN_SEED] = [0xA5; MIN_SEED];
const PENCIL: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==\
    $WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
const HUNTER2_SHA_1: &str = "SCRAM-SHA-1$4096:AAECAwQFBgcICQoLDA0ODw==\
    $6KSQjBjlBU04G8wW7AsPApquoUw=:pdDh4rDItLTRGPxOyTjWTTQmLaQ=";
const HUNTER2_SHA_256: &str = "SCRAM-SHA-256$4096:AAECAwQFBgcICQoLDA0ODw==\
    $ijmdkBF6VaUuRpEzxe8P8NyZKzuHGkoluJBVZ5DF5+Q=:naMMD2q/yKfDcTgfNhpZqsbkzoRQwOPfT/TgHEPWP7w=";

fn params() -> ServerParams<'static> {
    let bindings = vec![ChannelBinding::new(ChannelBindingKind::TlsExporter, [1; 32])];
    let unprotected = ServerParams::new("smtp.example.com", &NONCE, 1_700_000_000, &SEED);
    ServerParams { bindings, protected: true, ..unprotected }
}

fn start(mechanism: Mechanism, initial: Option<&[u8]>) -> (ServerExchange, ServerStep) {
    ServerExchange::start(mechanism, params(), initial).unwrap()
}

/// What a client may say first that leads to a question; behind the prompts where there are some.
fn response(mechanism: Mechanism) -> &'static [u8] {
    match mechanism {
        External => b"ann",
        ScramSha256Plus | ScramSha1Plus => b"p=tls-exporter,,n=tim,r=abc",
        ScramSha256 | ScramSha1 => b"n,,n=tim,r=abc",
        OauthBearer => b"n,a=tim,\x01auth=Bearer hunter2\x01\x01",
        Xoauth2 => b"user=tim\x01auth=Bearer hunter2\x01\x01",
        CramMd5 => b"tim 00112233445566778899aabbccddeeff",
        Plain => b"ann\0tim\0hunter2",
        Login => b"hunter2",
    }
}

/// Waits for the host.
fn asked(mechanism: Mechanism) -> (ServerExchange, Question) {
    let (mut exchange, _) = start(mechanism, None);
    if mechanism == Login {
        exchange.receive(b"tim");
    }
    match exchange.receive(response(mechanism)) {
        ServerStep::Ask(question) => (exchange, question),
        step => panic!("{mechanism}: {step:?}"),
    }
}

fn answers() -> Vec<Answer> {
    vec![
        Answer::Keys(HUNTER2_SHA_1.parse().unwrap()),
        Answer::Keys(HUNTER2_SHA_256.parse().unwrap()),
        Answer::Password("hunter2".into()),
        Answer::Accept { user: "host's name".into() },
        Answer::Refuse,
        Answer::Unknown,
        Answer::Unavailable,
    ]
}

/// In a word.
fn summary(step: &ServerStep) -> String {
    match step {
        ServerStep::Challenge(challenge) => {
            format!("S {}", core::str::from_utf8(challenge.as_bytes()).unwrap().chars().take(2).collect::<String>())
        }
        ServerStep::Ask(_) => "asks".into(),
        ServerStep::Done { user, authzid } => {
            format!("{user}{}", authzid.as_ref().map_or(String::new(), |authzid| format!(" for {authzid}")))
        }
        ServerStep::Failed(error) => error.code().to_string(),
    }
}

fn failed(step: &ServerStep) -> Option<ErrorCode> {
    match step {
        ServerStep::Failed(error) => Some(error.code()),
        _ => None,
    }
}

#[test]
fn what_the_client_is_told_first() {
    for mechanism in Mechanism::STRONGEST_FIRST {
        let random = "07".repeat(MIN_NONCE);
        let expected = match mechanism {
            CramMd5 => format!("<{random}.1700000000@smtp.example.com>"),
            // In base64, what clients look for: VXNlcm5hbWU6.
            Login => "Username:".into(),
            _ => String::new(),
        };
        match start(mechanism, None) {
            (exchange, ServerStep::Challenge(challenge)) => {
                assert_eq!(challenge.as_bytes(), expected.as_bytes(), "{mechanism}");
                assert_eq!(exchange.mechanism(), mechanism);
            }
            (_, step) => panic!("{mechanism}: {step:?}"),
        }
    }
}

#[test]
fn login_prompts_once_for_each() {
    for (initial, prompts) in [(None, &["Username:", "Password:"][..]), (Some(&b"tim"[..]), &["Password:"])] {
        let (mut exchange, mut step) = start(Login, initial);
        let mut said = [&b"tim"[..], b"hunter2"].into_iter().skip(2 - prompts.len());
        for prompt in prompts {
            assert!(matches!(&step, ServerStep::Challenge(words) if words.as_bytes() == prompt.as_bytes()), "{step:?}");
            step = exchange.receive(said.next().unwrap());
        }
        let expected = Question::Verify { user: "tim".into(), password: "hunter2".into(), authzid: None };
        assert!(matches!(&step, ServerStep::Ask(question) if *question == expected), "{step:?}");
    }
}

#[test]
fn what_the_host_is_asked() {
    let (user, token) = (String::from("tim"), Secret::new("hunter2"));
    let ann = Some(String::from("ann"));
    for mechanism in Mechanism::STRONGEST_FIRST {
        let expected = match mechanism {
            External => Question::External { authzid: ann.clone() },
            ScramSha256Plus | ScramSha256 => Question::Keys { user: user.clone(), hash: Hash::Sha256 },
            ScramSha1Plus | ScramSha1 => Question::Keys { user: user.clone(), hash: Hash::Sha1 },
            OauthBearer | Xoauth2 => Question::Token { user: Some(user.clone()), token: token.clone(), mechanism },
            CramMd5 => Question::Password { user: user.clone() },
            Plain => Question::Verify { user: user.clone(), password: token.clone(), authzid: ann.clone() },
            Login => Question::Verify { user: user.clone(), password: token.clone(), authzid: None },
        };
        assert_eq!(asked(mechanism).1, expected, "{mechanism}");
    }
}

/// Nobody gets in by an answer to another question.
#[test]
fn each_answer_to_each_question() {
    const SCRAM_1: [&str; 7] = ["S r=", "usage", "usage", "usage", "S r=", "S r=", "auth.unavailable"];
    const SCRAM_256: [&str; 7] = ["usage", "S r=", "usage", "usage", "S r=", "S r=", "auth.unavailable"];
    const REFUSED: &str = "auth.refused";
    const UNAVAILABLE: &str = "auth.unavailable";
    for (mechanism, expected) in [
        (External, ["usage", "usage", "usage", "host's name for ann", REFUSED, REFUSED, UNAVAILABLE]),
        (ScramSha256Plus, SCRAM_256),
        (ScramSha256, SCRAM_256),
        (ScramSha1Plus, SCRAM_1),
        (ScramSha1, SCRAM_1),
        (OauthBearer, ["usage", "usage", "usage", "host's name for tim", "S {\"", "S {\"", UNAVAILABLE]),
        (Xoauth2, ["usage", "usage", "usage", "host's name for tim", "S {\"", "S {\"", UNAVAILABLE]),
        (CramMd5, ["usage", "usage", REFUSED, "usage", REFUSED, REFUSED, UNAVAILABLE]),
        (Plain, ["tim for ann", "tim for ann", "usage", "host's name for ann", REFUSED, REFUSED, UNAVAILABLE]),
        (Login, ["tim", "tim", "usage", "host's name", REFUSED, REFUSED, UNAVAILABLE]),
    ] {
        for (answer, expected) in answers().into_iter().zip(expected) {
            let shown = format!("{mechanism}: {answer:?}");
            assert_eq!(summary(&asked(mechanism).0.answer(answer)), expected, "{shown}");
        }
    }
}

#[test]
fn keys_of_either_hash_do_for_a_password() {
    let keys: StoredKeys = PENCIL.parse().unwrap();
    for (message, expected) in [("\0user\0pencil", None), ("\0user\0Pencil", Some(ErrorCode::AuthRefused))] {
        let mut exchange = start(Plain, Some(message.as_bytes())).0;
        assert_eq!(failed(&exchange.answer(Answer::Keys(keys.clone()))), expected);
    }
}

#[test]
fn what_no_user_can_have_is_not_asked_about() {
    let login = |user: &[u8], password: &[u8]| {
        let mut exchange = start(Login, Some(user)).0;
        exchange.receive(password)
    };
    let refused = Some(ErrorCode::AuthRefused);
    for (user, password) in
        [(&b""[..], &b"x"[..]), (b"tim", b""), (b"ti\tm", b"x"), (b"tim", b"x\0y"), (b"ti\0m", b"x")]
    {
        assert_eq!(failed(&login(user, password)), refused, "{user:?} {password:?}");
    }
    assert_eq!(failed(&start(Plain, Some(b"\0ti\tm\0x")).1), refused);
}

#[test]
#[cfg(feature = "saslprep")]
fn the_users_name_is_prepared() {
    for (mechanism, message) in [(Plain, "\0I\u{AD}X\0\u{2168}"), (ScramSha256, "n,,n=\u{2168},r=abc")] {
        match start(mechanism, Some(message.as_bytes())).1 {
            ServerStep::Ask(Question::Keys { user, .. }) => assert_eq!(user, "IX"),
            ServerStep::Ask(Question::Verify { user, password, .. }) => {
                assert_eq!((&*user, password.expose()), ("IX", "\u{2168}"));
            }
            step => panic!("{step:?}"),
        }
    }
}

#[test]
fn a_malformed_response_is_told_from_a_wrong_one() {
    for mechanism in Mechanism::STRONGEST_FIRST {
        for message in [&b"\xff"[..], &[b'x'; MAX_MESSAGE + 1]] {
            let mut exchange = start(mechanism, None).0;
            let malformed = Some(ErrorCode::AuthMalformedResponse);
            assert_eq!(failed(&exchange.receive(message)), malformed, "{mechanism}");
            assert_eq!(failed(&exchange.receive(response(mechanism))), malformed, "{mechanism}: and stays so");
            assert_eq!(failed(&exchange.answer(Answer::Unavailable)), malformed, "{mechanism}: and stays so");
        }
    }
    assert_eq!(failed(&start(CramMd5, Some(b"")).1), Some(ErrorCode::AuthMalformedResponse));
}

#[test]
fn a_refused_token_is_refused_whatever_the_client_answers() {
    for mechanism in [OauthBearer, Xoauth2] {
        for response in [&b"\x01"[..], b"", b"*", response(mechanism), &[b'x'; MAX_MESSAGE + 1]] {
            let mut exchange = asked(mechanism).0;
            exchange.answer(Answer::Refuse);
            assert_eq!(failed(&exchange.receive(response)), Some(ErrorCode::AuthRefused), "{mechanism}");
        }
    }
}

#[test]
fn scram_waits_for_an_empty_answer_to_its_proof() {
    let proved = || {
        let state = State::ScramProved { user: "user".into(), authzid: None };
        ServerExchange { state, ..start(ScramSha256, None).0 }
    };
    assert_eq!(summary(&proved().receive(b"")), "user");
    assert_eq!(failed(&proved().receive(b"x")), Some(ErrorCode::AuthMalformedResponse));
    let mut over = proved();
    over.receive(b"");
    assert_eq!(failed(&over.receive(b"")), Some(ErrorCode::Usage));
}

#[test]
fn host_and_client_speak_in_turn() {
    for mechanism in Mechanism::STRONGEST_FIRST {
        let mut exchange = start(mechanism, None).0;
        assert_eq!(failed(&exchange.answer(Answer::Accept { user: "tim".into() })), Some(ErrorCode::Usage));
        assert_eq!(failed(&exchange.receive(response(mechanism))), Some(ErrorCode::Usage));
        let mut exchange = asked(mechanism).0;
        assert_eq!(failed(&exchange.receive(response(mechanism))), Some(ErrorCode::Usage));
        assert_eq!(failed(&exchange.answer(Answer::Accept { user: "tim".into() })), Some(ErrorCode::Usage));
    }
}

#[test]
fn what_cannot_be_started() {
    let code = |mechanism, params| ServerExchange::start(mechanism, params, None).err().map(|error| error.code());
    for mechanism in Mechanism::STRONGEST_FIRST {
        let expected = mechanism.sends_secret().then_some(ErrorCode::SecurityPlaintextCredentials);
        assert_eq!(code(mechanism, ServerParams { protected: false, ..params() }), expected, "{mechanism}");
        let usage = Some(ErrorCode::Usage);
        let uses_nonce = !mechanism.sends_secret() && mechanism != External;
        let short = ServerParams { nonce: &NONCE[1..], ..params() };
        assert_eq!(code(mechanism, short), uses_nonce.then_some(ErrorCode::Usage), "{mechanism}");
        assert_eq!(code(mechanism, ServerParams { fake_seed: &SEED[1..], ..params() }), usage, "{mechanism}");
        for fake_iterations in [MIN_ITERATIONS - 1, MAX_ITERATIONS + 1] {
            assert_eq!(code(mechanism, ServerParams { fake_iterations, ..params() }), usage, "{mechanism}");
        }
        let needs_binding = mechanism.binds_channel().then_some(ErrorCode::SecurityChannelBinding);
        for bindings in [vec![], vec![ChannelBinding::new(ChannelBindingKind::TlsExporter, [])]] {
            assert_eq!(code(mechanism, ServerParams { bindings, ..params() }), needs_binding, "{mechanism}");
        }
    }
    assert_eq!(code(CramMd5, ServerParams { host: "a>b", ..params() }), Some(ErrorCode::Usage));
}

#[test]
fn no_secret_is_ever_shown() {
    for mechanism in Mechanism::STRONGEST_FIRST {
        for answer in answers() {
            let (mut exchange, question) = asked(mechanism);
            let mut shown = format!("{:?} {exchange:?} {question:?} {answer:?}", params());
            for step in [exchange.answer(answer), exchange.receive(b"c=biws,r=abc,p=hunter2"), exchange.receive(b"")] {
                shown.push_str(&format!("{step:?} {exchange:?}"));
                if let ServerStep::Failed(error) = step {
                    shown.push_str(&error.to_string());
                }
            }
            assert!(!shown.contains("hunter2") && !shown.contains("165, 165") && !shown.contains("1, 1, 1"), "{shown}");
        }
    }
}

/// Numbers that look random and are the same each time (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }

    /// Pieces of what clients say, with some of it spoilt.
    fn message(&mut self) -> Vec<u8> {
        const PIECES: [&[u8]; 30] = [
            b"n,,",
            b"y,,",
            b"p=tls-exporter,,",
            b"n,a=ann,",
            b"a=",
            b"n=tim",
            b",r=abc",
            b"r=",
            b"c=biws",
            b"c=eSws",
            b",p=AAAA",
            b",p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            b",p=",
            b"m=1,",
            b",x=1",
            b"=2C",
            b"=",
            b",",
            b"\0",
            b"\0tim\0x",
            b"\x01",
            b"auth=Bearer x",
            b"\x01\x01",
            b"user=tim",
            b" ",
            b"tim 00112233445566778899aabbccddeeff",
            b"*",
            b"\xff\xc3",
            b"\xc2\xad",
            b"\xe2\x85\xa8",
        ];
        let mut message = Vec::new();
        for _ in 0..self.below(7) {
            message.extend_from_slice(PIECES[self.below(PIECES.len())]);
        }
        if self.below(4) == 0 && !message.is_empty() {
            let at = self.below(message.len());
            message[at] ^= 1 << self.below(8);
        }
        if self.below(200) == 0 {
            message.resize(MAX_MESSAGE + self.below(3), b'A');
        }
        message
    }
}

#[test]
fn whatever_comes_nobody_gets_in_and_it_ends() {
    let mut numbers = Numbers(0x5EED);
    let (mut questions, mut proofs) = (0, 0);
    for round in 0..20_000 {
        let mechanism = Mechanism::STRONGEST_FIRST[round % 10];
        // Half of them begin well, so that what comes later is reached.
        let initial = match numbers.below(4) {
            0 | 1 if !matches!(mechanism, CramMd5 | Login) => Some(response(mechanism).to_vec()),
            2 => Some(numbers.message()),
            _ => None,
        };
        let (mut exchange, mut step) = start(mechanism, initial.as_deref());
        let mut turns = 0;
        loop {
            assert!(turns < 8, "{mechanism} does not end");
            turns += 1;
            step = match step {
                ServerStep::Challenge(challenge) => {
                    assert!(challenge.len() <= MAX_MESSAGE);
                    proofs += usize::from(challenge.as_bytes().starts_with(b"r="));
                    exchange.receive(&numbers.message())
                }
                ServerStep::Ask(_) => {
                    questions += 1;
                    exchange.answer([Answer::Refuse, Answer::Unavailable][numbers.below(2)].clone())
                }
                ServerStep::Done { .. } => panic!("{mechanism} let somebody in"),
                ServerStep::Failed(error) => {
                    for step in [exchange.receive(b""), exchange.answer(Answer::Unknown)] {
                        assert!(matches!(step, ServerStep::Failed(again) if again == error), "{mechanism}");
                    }
                    break;
                }
            };
        }
    }
    assert!(questions > 5_000 && proofs > 1_000, "the messages do not reach far: {questions} {proofs}");
}
