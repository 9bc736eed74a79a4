//! The content of a message while it comes.

use std::io;
use std::mem;
use std::sync::Arc;

use okuru::server::Store;
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;

use super::maildir::{Draft, Maildir};

/// The content of a message while it comes.
pub(crate) struct Spool {
    /// What is not in a file yet.
    pub(super) bytes: Vec<u8>,
    pub(super) hash: Option<Sha256>,
    /// The front of what has gone to a file, as far as the header is likely to be there.
    pub(super) front: Vec<u8>,
    pub(super) target: Target,
}

/// Where the content goes.
pub(super) enum Target {
    Memory,
    Disc(Disc),
}

/// On the way into a Maildir.
pub(super) enum Disc {
    /// There is not enough for a file yet.
    Waiting(Arc<Maildir>),
    Begun(Draft),
}

impl Disc {
    /// The file, made if need be.
    pub(super) fn draft(self) -> io::Result<Draft> {
        match self {
            Self::Waiting(maildir) => maildir.draft(),
            Self::Begun(draft) => Ok(draft),
        }
    }
}

/// How much is written at a time.
const AT_ONCE: usize = 256 << 10;

/// How far the header may reach.
const FRONT: usize = 16 << 10;

impl Spool {
    pub(super) fn new(target: Target, hashes: bool) -> Self {
        Self { bytes: Vec::new(), hash: hashes.then(Sha256::new), front: Vec::new(), target }
    }
}

impl Store for Spool {
    async fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        if let Some(hash) = &mut self.hash {
            hash.update(piece);
        }
        self.bytes.extend_from_slice(piece);
        if self.bytes.len() < AT_ONCE || matches!(self.target, Target::Memory) {
            return Ok(());
        }
        if self.front.is_empty() {
            self.front = self.bytes.get(..FRONT).unwrap_or_default().to_vec();
        }
        // After an error this is thrown away.
        let (bytes, target) = (mem::take(&mut self.bytes), mem::replace(&mut self.target, Target::Memory));
        if let Target::Disc(disc) = target {
            let written = spawn_blocking(move || {
                let mut draft = disc.draft()?;
                draft.write(&bytes)?;
                io::Result::Ok(draft)
            });
            self.target = Target::Disc(Disc::Begun(written.await.map_err(io::Error::other)??));
        }
        Ok(())
    }
}
