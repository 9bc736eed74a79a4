//! A Maildir: each message a file, which is there whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A Maildir.
#[derive(Debug)]
pub(crate) struct Maildir {
    path: PathBuf,
    /// What makes the names of this process differ from those of others on other machines.
    host: String,
    /// And from those of one that had the same number before.
    random: u32,
    count: AtomicU64,
}

impl Maildir {
    /// The Maildir at `path`, made if it is not there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        for name in ["tmp", "new", "cur"] {
            fs::create_dir_all(path.join(name))?;
        }
        let mut random = [0; 4];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let host = dns_lookup::get_hostname().unwrap_or_else(|_| "localhost".to_owned());
        Ok(Self {
            path: path.to_owned(),
            // A slash and a colon can't be in such a name.
            host: host.replace('/', "\\057").replace(':', "\\072"),
            random: u32::from_ne_bytes(random),
            count: AtomicU64::new(0),
        })
    }

    /// A message of which nobody sees anything yet.
    pub(super) fn draft(self: &Arc<Self>) -> io::Result<Draft> {
        let name = self.unique_name();
        let path = self.path.join("tmp").join(&name);
        let file = File::options().write(true).create_new(true).open(&path)?;
        Ok(Draft { maildir: Arc::clone(self), name, path, file, is_done: false })
    }

    /// Seconds, then what no other delivery of this second has, then the host.
    fn unique_name(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let (seconds, micros, process) = (now.as_secs(), now.subsec_micros(), std::process::id());
        format!("{seconds}.M{micros:06}P{process}Q{count}R{:08x}.{}", self.random, self.host)
    }
}

/// A message that is being written. It goes when this is dropped.
#[derive(Debug)]
pub(super) struct Draft {
    maildir: Arc<Maildir>,
    name: String,
    path: PathBuf,
    file: File,
    is_done: bool,
}

impl Draft {
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Makes it a message that everybody sees, and that is there whatever happens to this machine. Says where it is.
    pub(super) fn deliver(mut self) -> io::Result<PathBuf> {
        self.file.sync_all()?;
        let folder = self.maildir.path.join("new");
        let path = folder.join(&self.name);
        fs::rename(&self.path, &path)?;
        self.is_done = true;
        // The name, too, has to reach the disc.
        File::open(&folder)?.sync_all()?;
        Ok(path)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_done {
            // Readers of Maildirs throw away what is left in tmp after 36 hours.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn files(folder: &Path) -> Vec<PathBuf> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn a_message_is_seen_when_it_is_whole() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a/b");
        let maildir = Arc::new(Maildir::open(&path).unwrap());
        let mut draft = maildir.draft().unwrap();
        draft.write(b"one\r\n").unwrap();
        draft.write(b"two\r\n").unwrap();
        assert_eq!((files(&path.join("tmp")).len(), files(&path.join("new")).len()), (1, 0));
        let delivered = draft.deliver().unwrap();
        assert_eq!(files(&path.join("new")), std::slice::from_ref(&delivered));
        assert_eq!(fs::read(delivered).unwrap(), b"one\r\ntwo\r\n");
        drop(maildir.draft().unwrap());
        assert!(files(&path.join("tmp")).is_empty());
    }

    #[test]
    fn names_are_unique() {
        let folder = TempDir::new().unwrap();
        let maildir = Arc::new(Maildir::open(folder.path()).unwrap());
        let drafts: Vec<_> = (0..100).map(|_| maildir.draft().unwrap()).collect();
        assert_eq!(files(&folder.path().join("tmp")).len(), drafts.len());
        assert!(drafts.iter().all(|draft| !draft.name.contains(['/', ':'])));
    }
}
