use alloc::string::ToString;
use alloc::vec::Vec;

use super::*;

/// Each line as it goes out, and ways in which it may come in.
const TABLE: &[(&str, &[&str])] = &[
    ("EHLO client.example\r\n", &["ehlo client.example\r\n", "EHLO client.example \t\n", "EHLO  client.example"]),
    ("EHLO [IPv6:2001:db8::1]\r\n", &[]),
    ("HELO client.example\r\n", &["Helo client.example."]),
    ("LHLO my_host\r\n", &["lhlo my_host"]),
    ("STARTTLS\r\n", &["starttls", "StartTLS \r\n"]),
    ("AUTH PLAIN\r\n", &["auth plain"]),
    ("AUTH PLAIN AHQAdA==\r\n", &["auth plain  AHQAdA== "]),
    ("AUTH XOAUTH2 =\r\n", &[]),
    ("MAIL FROM:<>\r\n", &["mail from:<>", "MAIL FROM: <>", "MAIL  FROM:<> "]),
    (
        "MAIL FROM:<user@example.com> SIZE=1000 BODY=8BITMIME\r\n",
        &[
            "mail from:<user@example.com> size=1000 body=8bitmime",
            "MAIL FROM:<@relay.example:user@example.com>  BODY=8BITMIME   SIZE=1000 ",
        ],
    ),
    ("MAIL FROM:<josé@exämple.test> SMTPUTF8\r\n", &[]),
    ("MAIL FROM:<user@example.com> RET=HDRS ENVID=QQ+20314159 X-A=b\r\n", &[]),
    ("RCPT TO:<user@example.com>\r\n", &["rcpt to:<user@example.com>", "RCPT TO:  <\"user\"@example.com>"]),
    ("RCPT TO:<\"a> b\"@example.com> NOTIFY=NEVER ORCPT=rfc822;a+2Bb@example.com\r\n", &[]),
    ("RCPT TO:<Postmaster>\r\n", &["RCPT TO:<POSTMASTER>"]),
    ("RCPT TO:<\"a..b\"@docomo.ne.jp>\r\n", &["RCPT TO:<a..b@docomo.ne.jp>"]),
    ("DATA\r\n", &["data\n", "DATA "]),
    ("BDAT 0 LAST\r\n", &["bdat 0 last", "BDAT 000  LAST"]),
    ("BDAT 18446744073709551615\r\n", &[]),
    ("RSET\r\n", &["rset"]),
    ("NOOP\r\n", &["noop"]),
    ("NOOP any words\r\n", &[]),
    ("VRFY Jones\r\n", &["vrfy Jones"]),
    ("EXPN staff list\r\n", &[]),
    ("HELP\r\n", &[]),
    ("HELP MAIL\r\n", &["help MAIL"]),
    ("QUIT\r\n", &["quit", "QUIT\t \r\n"]),
];

#[test]
fn each_there_and_back() {
    for (canonical, others) in TABLE {
        let command = Command::parse(canonical.as_bytes()).unwrap();
        let mut out = Vec::new();
        command.encode(&mut out);
        assert_eq!(core::str::from_utf8(&out), Ok(*canonical));
        for other in *others {
            assert_eq!(Command::parse(other.as_bytes()).as_ref(), Ok(&command), "{other:?}");
        }
    }
}

#[test]
fn what_is_none() {
    for (line, reply) in [
        ("", "500 5.5.2 there is no command"),
        ("\r\n", "500 5.5.2 there is no command"),
        (" NOOP", "500 5.5.2 there is no command"),
        ("<EHLO>", "500 5.5.2 there is no command"),
        ("GET / HTTP/1.1", "500 5.5.2 the command is unknown"),
        ("MAILFROM:<a@b>", "500 5.5.2 there is no command"),
        ("STARTTLSX", "500 5.5.2 the command is unknown"),
        ("TURN", "502 5.5.1 the command is not implemented"),
        ("NOOP a\r\nRSET\r\n", "500 5.5.2 the line holds a control character"),
        ("NOOP a\nRSET\r\n", "500 5.5.2 the line holds a control character"),
        ("NOOP a\rRSET\r\n", "500 5.5.2 the line holds a control character"),
        ("NOOP a\r\r\n", "500 5.5.2 the line holds a control character"),
        ("NOOP\0", "500 5.5.2 the line holds a control character"),
        ("EHLO", "501 5.5.4 the command needs an argument"),
        ("EHLO a b", r#"501 5.5.4 the domain "a b" holds a space"#),
        ("DATA now", "501 5.5.4 the command has no argument"),
        ("STARTTLS now", "501 5.5.4 the command has no argument"),
        ("VRFY", "501 5.5.4 the command needs an argument"),
        ("AUTH", "501 5.5.4 the command needs an argument"),
        ("AUTH PLÄIN", r#"501 5.5.4 "PLÄIN" is no name of a mechanism"#),
        ("AUTH PLAIN secret", "501 5.5.2 the initial response is not base64"),
        ("AUTH PLAIN AHQA dA==", "501 5.5.2 the initial response is not base64"),
        ("MAIL", "501 5.5.4 FROM: and a path have to follow"),
        ("MAIL TO:<a@b>", "501 5.5.4 FROM: and a path have to follow"),
        ("MAIL FROM:", "501 5.1.7 the path is not in angle brackets"),
        ("MAIL FROM:a@b", "501 5.1.7 the path is not in angle brackets"),
        ("MAIL FROM:<a@b", "501 5.1.7 the path has no closing bracket"),
        ("MAIL FROM:<a@b>SIZE=1", "501 5.5.4 something stands behind the path"),
        ("MAIL FROM:<a@b> SIZE=x", r#"501 5.5.4 the parameter "SIZE=x" can't have this value"#),
        ("MAIL FROM:<a@b> SIZE=1 SIZE=1", r#"501 5.5.4 the parameter "SIZE=1" is there twice"#),
        ("RCPT TO:<>", "501 5.1.3 the path has no @"),
        ("RCPT TO:<user>", "501 5.1.3 the path has no @"),
        ("RCPT TO:<a@b> NOTIFY=X", r#"501 5.5.4 the parameter "NOTIFY=X" can't have this value"#),
        ("BDAT", "501 5.5.4 BDAT needs a size, and LAST behind the last one"),
        ("BDAT -1", "501 5.5.4 BDAT needs a size, and LAST behind the last one"),
        ("BDAT 18446744073709551616", "501 5.5.4 BDAT needs a size, and LAST behind the last one"),
        ("BDAT 1LAST", "501 5.5.4 BDAT needs a size, and LAST behind the last one"),
        ("BDAT 1 LAST LAST", "501 5.5.4 BDAT needs a size, and LAST behind the last one"),
    ] {
        assert_eq!(Command::parse(line.as_bytes()).map_err(|error| error.to_string()), Err(reply.into()), "{line:?}");
    }
    assert_eq!(Command::parse(b"NOOP \xff").unwrap_err().code(), 500);
}

#[test]
fn whatever_is_parsed_goes_out_as_the_same_one_line() {
    // A small generator: words and characters that mean something to the grammar.
    const PARTS: &[&str] = &[
        "MAIL FROM:",
        "RCPT TO:",
        "<",
        ">",
        "a",
        "@",
        "b.c",
        "\"",
        "\\",
        " ",
        "=",
        "SIZE=",
        "1",
        "ORCPT=rfc822;",
        "+0D",
        "+0A",
        "AUTH=",
        "\r",
        "\n",
        "\0",
        "[",
        "]",
        ":",
        ";",
        ",",
        ".",
        "é",
        "ENVID=",
        "NOOP ",
        "AUTH PLAIN ",
        "EHLO ",
        "BDAT ",
        " LAST",
        "X-",
        "\u{85}",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound as u64) as usize
    };
    let mut parsed = 0;
    for round in 0..200_000 {
        // Begin half of them in a way that has a chance.
        let mut line = alloc::string::String::from(["", "MAIL FROM:<a@b> ", "RCPT TO:<", "NOOP "][round % 4]);
        for _ in 0..draw(9) {
            line.push_str(PARTS[draw(PARTS.len())]);
        }
        if let Ok(command) = Command::parse(line.as_bytes()) {
            parsed += 1;
            let mut out = Vec::new();
            command.encode(&mut out);
            assert_eq!(
                out.iter().position(|byte| matches!(byte, b'\r' | b'\n' | b'\0')),
                Some(out.len() - 2),
                "{line:?}"
            );
            assert!(out.ends_with(b"\r\n"));
            assert_eq!(Command::parse(&out), Ok(command), "{line:?}");
        }
    }
    assert!(parsed > 5000, "{parsed}");
}

#[test]
fn a_secret_is_not_shown() {
    let command = Command::parse(b"AUTH PLAIN AHQAdA==").unwrap();
    assert!(!alloc::format!("{command:?}").contains("AHQAdA"));
}
