//! Choices made by arbitrary bytes, all of them taken from the front, so that seeds can be written by hand.

use arbitrary::Unstructured;

/// The next byte; 0 once there is none.
pub(crate) fn byte(from: &mut Unstructured<'_>) -> u8 {
    from.arbitrary().unwrap_or_default()
}

/// Two bytes, the lower one first; 0 once there is none.
pub(crate) fn short(from: &mut Unstructured<'_>) -> u16 {
    u16::from_le_bytes([byte(from), byte(from)])
}

/// Yes or no, by the next byte.
pub(crate) fn flag(from: &mut Unstructured<'_>) -> bool {
    byte(from) % 2 == 1
}

/// One of these, by the next byte.
pub(crate) fn pick<T: Copy>(from: &mut Unstructured<'_>, choices: &[T]) -> T {
    choices[usize::from(byte(from)) % choices.len()]
}

/// So many bytes as the next one says, or those that are left.
pub(crate) fn blob<'a>(from: &mut Unstructured<'a>) -> &'a [u8] {
    let length = usize::from(byte(from)).min(from.len());
    from.bytes(length).unwrap_or_default()
}

/// The same as text; what is not UTF-8 is replaced.
pub(crate) fn text(from: &mut Unstructured<'_>) -> String {
    String::from_utf8_lossy(blob(from)).into_owned()
}

/// All that is left.
pub(crate) fn rest<'a>(from: &mut Unstructured<'a>) -> &'a [u8] {
    let length = from.len();
    from.bytes(length).unwrap_or_default()
}

/// Cuts bytes into pieces of these sizes, again and again; of 0 as a whole.
pub(crate) fn pieces<'a>(mut bytes: &'a [u8], sizes: &[u8]) -> Vec<&'a [u8]> {
    let mut sizes = sizes.iter().cycle();
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        let size = match sizes.next() {
            None | Some(0) => bytes.len(),
            Some(&size) => bytes.len().min(size.into()),
        };
        let (piece, rest) = bytes.split_at(size);
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}
