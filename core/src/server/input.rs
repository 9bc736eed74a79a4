//! Bytes that the host has handed in, and how many of them have been taken.

/// Bytes that the host has handed in.
#[derive(Debug)]
pub(super) struct Input<'a> {
    bytes: &'a [u8],
    taken: usize,
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, taken: 0 }
    }

    /// Those that have not been taken.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.taken..).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    /// Takes so many, or all that are left.
    pub(super) fn take(&mut self, count: usize) -> &'a [u8] {
        let rest = self.rest();
        let taken = rest.get(..count).unwrap_or(rest);
        self.taken += taken.len();
        taken
    }

    /// Takes what is left.
    pub(super) fn take_all(&mut self) {
        self.taken = self.bytes.len();
    }

    /// How many have been taken.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }
}
