//! Decimal numbers without a sign.

use alloc::vec::Vec;

/// The number that `text` is; more than 64 bits count as the largest.
pub(super) fn parse(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.bytes().fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))))
}

/// Appends `number`.
pub(super) fn push(number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20]; // as many as u64::MAX has
    let (mut rest, mut first) = (number, digits.len());
    for (place, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        first = place;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(first..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn there_and_back() {
        for number in [0, 1, 9, 10, 99, 100, 12345, u64::MAX - 1, u64::MAX] {
            let mut out = Vec::new();
            push(number, &mut out);
            assert_eq!(out, number.to_string().as_bytes());
            assert_eq!(parse(&number.to_string()), Some(number));
        }
    }

    #[test]
    fn only_digits() {
        for text in ["", "-1", "+1", " 1", "1 ", "1a", "\u{661}"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        assert_eq!(parse("99999999999999999999"), Some(u64::MAX));
        assert_eq!(parse("007"), Some(7));
    }
}
