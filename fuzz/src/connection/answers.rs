//! What a server may answer.

use super::offer;
use super::server::What;

/// An answer to what is due. The kind 0 is the one that lets the connection go on.
pub(super) fn answer(what: Option<What>, kind: u8, offered: u16) -> Vec<u8> {
    let answer = match kind % 32 {
        0..=3 => match what {
            Some(What::Hello { .. }) => return offer::said(offered),
            Some(what) => good(what),
            None => "250 2.0.0 nobody has asked\r\n",
        },
        4 => "451 4.3.0 try again\r\n",
        5 => "550-5.1.1 no such\r\n550 5.1.1 user\r\n",
        6 => "421 4.3.2 closing\r\n",
        7 => "503 5.5.1 bad sequence\r\n",
        8 => "452 4.5.3 too many recipients\r\n",
        9 => "552 too many recipients\r\n",
        10 => "552 5.2.2 full\r\n",
        11 => "334 \r\n",
        12 => "334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2U+\r\n",
        13 => "334 not base64!\r\n",
        14 => "354 go ahead\r\n",
        15 => "250\r\n",
        16 => "250-2.1.5 two\r\n250 2.1.5 lines\r\n",
        17 => "252 2.5.0 perhaps\n",
        18 => "500 5.5.2 what?\r\n",
        19 => "502 5.5.1 not here\r\n",
        20 => "535 5.7.8 wrong\r\n",
        21 => "530 5.7.0 authenticate first\r\n",
        22 => "554 5.7.1 never\r\n",
        23 => "220 again\r\n",
        24 => "235 welcome\r\n",
        25 => "250-a\r\n550 b\r\n",
        26 => "250 a\rb\r\n",
        27 => "299 Gr\u{fc}\u{df}e\r\n",
        28 => "399 odd\r\n",
        29 => "499 odd\r\n",
        30 => "599 odd\r\n",
        _ => "HTTP/1.1 400 Bad Request\r\n",
    };
    answer.as_bytes().to_vec()
}

/// What a server says that takes it.
fn good(what: What) -> &'static str {
    match what {
        What::Greeting => "220 mail.example ESMTP\r\n",
        What::Hello { .. } => "250 mail.example\r\n",
        What::StartTls => "220 go ahead\r\n",
        What::Auth => "235 2.7.0 welcome\r\n",
        What::Data(_) => "354 go ahead\r\n",
        What::Content(..) => "250 2.0.0 Ok: queued as 4XkzQ83Yfxz1Z\r\n",
        What::Quit => "221 2.0.0 bye\r\n",
        What::Mail(_) | What::Rcpt(..) | What::Chunk(_) | What::Rset | What::Query => "250 2.1.0 Ok\r\n",
    }
}
