//! SASLprep (RFC 4013): user names and passwords made the same however they were typed.
//!
//! Two choices are left to us, and both are for the user who wants in:
//!
//! - Code points that Unicode 3.2 did not have yet are let through, as for a *query* (RFC 3454 §7). RFC 5802 asks that
//!   for user names; for passwords it asks to refuse them, so that what is stored stays true. A client stores nothing,
//!   and a server that took such a password once wants it again. They count for neither direction of writing.
//! - Normalization is that of today's Unicode. For all that Unicode 3.2 had, it is stable, but for five rare ideographs
//!   that were corrected (Unicode Corrigendum 4).
//!
//! Without the feature `saslprep` only printable ASCII passes; that needs no preparation.

use super::secret::Secret;
use crate::error::{Error, ErrorCode};
use alloc::format;

/// Prepares `text`; `what` it is, for the error.
///
/// [`ErrorCode::AuthCredentials`] if it holds what is forbidden, or nothing remains of it.
pub(super) fn saslprep(text: &str, what: &str) -> Result<Secret, Error> {
    let prepared = if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        Ok(Secret::new(text))
    } else if text.is_ascii() {
        Err("holds a control character")
    } else {
        beyond_ascii(text)
    };
    match prepared {
        Ok(secret) if secret.expose().is_empty() => Err("is empty once prepared (RFC 4013)"),
        other => other,
    }
    .map_err(|why| Error::new(ErrorCode::AuthCredentials, format!("{what} {why}")))
}

#[cfg(not(feature = "saslprep"))]
fn beyond_ascii(_: &str) -> Result<Secret, &'static str> {
    Err("holds a character outside ASCII, which this build cannot prepare (RFC 4013)")
}

#[cfg(feature = "saslprep")]
fn beyond_ascii(text: &str) -> Result<Secret, &'static str> {
    use super::saslprep_tables::{B_1, C_1_2, C_2_1, C_2_2, C_3, C_4, C_6, C_7, C_8, C_9, D_1, D_2};
    use alloc::string::String;
    use icu_normalizer::ComposingNormalizerBorrowed;

    let prepare = || {
        // §2.1, mapping. U+200B is in both tables; the space comes first, as in the text.
        let spaced = text.chars().map(|c| if is_in(C_1_2, c) { ' ' } else { c });
        let mapped = spaced.filter(|&c| !is_in(B_1, c));
        // §2.2, normalization.
        ComposingNormalizerBorrowed::new_nfkc().normalize_iter(mapped)
    };
    // Done twice, so that no half of it is left in memory by a buffer that had to grow.
    let mut prepared = String::with_capacity(prepare().map(char::len_utf8).sum());
    prepared.extend(prepare());
    let prepared = Secret::new(prepared);
    let chars = || prepared.expose().chars();

    // §2.3, prohibited output.
    if chars().any(|c| [C_1_2, C_2_1, C_2_2, C_3, C_4, C_6, C_7, C_8, C_9].iter().any(|table| is_in(table, c))) {
        return Err("holds a character that is forbidden (RFC 4013 §2.3)");
    }
    // §2.4, bidirectional characters (RFC 3454 §6).
    let right_to_left = |c: Option<char>| c.is_some_and(|c| is_in(D_1, c));
    if chars().any(|c| is_in(D_1, c))
        && (chars().any(|c| is_in(D_2, c)) || !right_to_left(chars().next()) || !right_to_left(chars().next_back()))
    {
        return Err("mixes the directions of writing in a way that is forbidden (RFC 4013 §2.4)");
    }
    Ok(prepared)
}

#[cfg(feature = "saslprep")]
fn is_in(table: &[(u32, u32)], c: char) -> bool {
    let c = u32::from(c);
    let at = table.partition_point(|&(_, last)| last < c);
    table.get(at).is_some_and(|&(first, _)| first <= c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    /// What becomes of it, or why not.
    fn prepared(text: &str) -> Result<Secret, ErrorCode> {
        saslprep(text, "the password").map_err(|error| error.code())
    }

    fn same(text: &str) -> Result<Secret, ErrorCode> {
        Ok(Secret::new(text))
    }

    const REFUSED: Result<Secret, ErrorCode> = Err(ErrorCode::AuthCredentials);

    #[test]
    fn ascii_passes_and_its_controls_do_not() {
        assert_eq!(prepared("user"), same("user"));
        assert_eq!(prepared("USER"), same("USER"));
        assert_eq!(prepared(" ~!"), same(" ~!"));
        assert_eq!(prepared("\u{7}"), REFUSED);
        assert_eq!(prepared("a\u{7f}"), REFUSED);
        assert_eq!(prepared(""), REFUSED);
    }

    #[test]
    fn the_error_says_what_was_prepared_and_shows_nothing_of_it() {
        let error = saslprep("pass\tword", "the password").unwrap_err();
        assert_eq!(error.what(), "the password holds a control character");
        assert!(!error.to_string().contains("pass\tword"));
    }

    #[test]
    #[cfg(not(feature = "saslprep"))]
    fn beyond_ascii_is_refused() {
        assert_eq!(prepared("I\u{AD}X"), REFUSED);
    }

    #[test]
    #[cfg(feature = "saslprep")]
    fn the_examples_of_rfc_4013_section_3() {
        assert_eq!(prepared("I\u{AD}X"), same("IX"));
        assert_eq!(prepared("\u{AA}"), same("a"));
        assert_eq!(prepared("\u{2168}"), same("IX"));
        assert_eq!(prepared("\u{627}1"), REFUSED);
    }

    #[test]
    #[cfg(feature = "saslprep")]
    fn mapping_normalization_prohibition_and_direction() {
        for (text, expected) in [
            ("a\u{A0}b", same("a b")),
            ("a\u{3000}b", same("a b")),
            ("a\u{200B}b", same("a b")),
            ("a\u{FEFF}b\u{FE0F}", same("ab")),
            ("\u{AD}", REFUSED),
            ("e\u{301}", same("é")),
            ("pa\u{FB03}", same("paffi")),
            ("\u{80}", REFUSED),
            ("a\u{200E}", REFUSED),
            ("\u{E000}", REFUSED),
            ("\u{FFFE}", REFUSED),
            ("\u{10FFFF}", REFUSED),
            ("\u{FFFD}", REFUSED),
            ("\u{2FF0}", REFUSED),
            ("\u{E0020}", REFUSED),
            ("\u{5D0}\u{5D1}", same("\u{5D0}\u{5D1}")),
            ("\u{627}1\u{628}", same("\u{627}1\u{628}")),
            ("1\u{627}", REFUSED),
            ("\u{627}a\u{628}", REFUSED),
            ("\u{627}é\u{628}", REFUSED),
            // Younger than Unicode 3.2.
            ("\u{1F511}", same("\u{1F511}")),
        ] {
            assert_eq!(prepared(text), expected, "{text:?}");
        }
    }

    #[test]
    #[cfg(feature = "saslprep")]
    fn the_tables_ascend() {
        use super::super::saslprep_tables::*;
        for table in [B_1, C_1_2, C_2_1, C_2_2, C_3, C_4, C_6, C_7, C_8, C_9, D_1, D_2] {
            assert!(table.iter().all(|(first, last)| first <= last));
            assert!(table.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
        assert!(is_in(B_1, '\u{AD}') && !is_in(B_1, '\u{AC}') && !is_in(B_1, '\u{AE}'));
        assert!(is_in(D_2, '\u{41}') && is_in(D_2, '\u{10FFFD}') && !is_in(D_2, '\u{10FFFE}'));
    }
}
