//! The bearer token (RFC 6750) as the mechanisms carry it.

use super::secret::Secret;

/// The token in the value of `auth`; `None` if it is another scheme, or no token.
///
/// ```abnf
/// credentials = "Bearer" 1*SP b64token    ; RFC 6750 §2.1
/// ```
///
/// The scheme is in any case (RFC 9110 §11.1). The token may have any character that can be seen, as those who issue
/// tokens are not strict about them.
pub(super) fn bearer_token(value: &str) -> Option<Secret> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("Bearer") && is_token).then(|| token.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        for value in ["Bearer a.b==", "bearer a.b==", "BEARER  a.b=="] {
            assert_eq!(bearer_token(value), Some("a.b==".into()), "{value}");
        }
        for value in
            ["", "Bearer", "Bearer ", "Bearer a b", "Bearer a ", "Basic a", " Bearer a", "Bearer \u{e9}", "Bearera"]
        {
            assert_eq!(bearer_token(value), None, "{value}");
        }
    }
}
