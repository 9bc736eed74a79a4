use alloc::vec::Vec;

use memchr::memchr;

use super::Reply;
use super::reply_scan::{Progress, ReplyLimits, frame_one_line, too_many_bytes};
use crate::Error;

/// Cuts the bytes of a server into replies, and holds the beginning of one until the rest has come.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ReplyFramer {
    limits: ReplyLimits,
    held: Vec<u8>,
    progress: Progress,
    failed: Option<Error>,
}

impl ReplyFramer {
    /// A framer that holds at most `limits.bytes`.
    pub fn new(limits: ReplyLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Whether no part of a reply is held.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Takes bytes from the front of `input`, up to the end of the first whole reply.
    ///
    /// `None` means that all of `input` was taken, and more is needed. When nothing is held and the whole reply lies in
    /// `input`, the only copy made is the reply's own.
    ///
    /// # Errors
    ///
    /// `protocol.malformed_reply`, `protocol.mixed_codes`, `limit.reply_line`, `limit.reply_lines`, `limit.reply_bytes`, as
    /// soon as it is certain. There is no way back into step: from then on every call gives the same error.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Reply>, Error> {
        if self.held.is_empty()
            && self.failed.is_none()
            && let Some(end) = frame_one_line(input, &self.limits)
            && let Some((raw, rest)) = input.split_at_checked(end)
        {
            *input = rest;
            return Ok(Some(Reply::from_frame(raw)));
        }
        self.next_of_any_form(input)
    }

    /// Takes `usual` once more, if that is what stands at the front of `input`.
    ///
    /// A server answers most commands in the same words again and again; here they are neither parsed nor copied.
    pub fn next_again(&self, usual: &Reply, input: &mut &[u8]) -> Option<Reply> {
        if !self.held.is_empty() || self.failed.is_some() {
            return None;
        }
        *input = input.strip_prefix(usual.raw())?;
        Some(usual.clone())
    }

    fn next_of_any_form(&mut self, input: &mut &[u8]) -> Result<Option<Reply>, Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let next = if self.held.is_empty() { self.next_direct(input) } else { self.next_held(input) };
        if let Err(error) = &next {
            self.failed = Some(error.clone());
        }
        next
    }

    fn next_direct(&mut self, input: &mut &[u8]) -> Result<Option<Reply>, Error> {
        let mut progress = Progress::default();
        if let Some(end) = progress.advance(input, &self.limits)? {
            let (raw, rest) = input.split_at_checked(end).unwrap_or((input, &[]));
            *input = rest;
            return Ok(Some(Reply::from_frame(raw)));
        }
        self.progress = progress;
        self.hold(input);
        *input = &[];
        Ok(None)
    }

    fn next_held(&mut self, input: &mut &[u8]) -> Result<Option<Reply>, Error> {
        while !input.is_empty() {
            let line = memchr(b'\n', input).map_or(input.len(), |end| end + 1);
            let fits = line.min(self.limits.bytes.saturating_sub(self.held.len()));
            let (taken, rest) = input.split_at_checked(fits).unwrap_or((input, &[]));
            self.hold(taken);
            *input = rest;
            if self.progress.advance(&self.held, &self.limits)?.is_some() {
                let reply = Reply::from_frame(&self.held);
                self.held.clear();
                self.progress = Progress::default();
                return Ok(Some(reply));
            }
            if fits < line {
                return Err(too_many_bytes(&self.limits));
            }
        }
        Ok(None)
    }

    /// Appends, and lets the buffer grow by doubling but never beyond the bound.
    fn hold(&mut self, bytes: &[u8]) {
        let needed = self.held.len() + bytes.len();
        if needed > self.held.capacity() {
            let capacity = needed.max(self.held.capacity().saturating_mul(2)).min(self.limits.bytes).max(needed);
            self.held.reserve_exact(capacity - self.held.len());
        }
        self.held.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests;
