//! An mbox file, in the form of mboxrd: nothing is lost, whatever a message holds.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// An mbox file.
#[derive(Debug)]
pub(crate) struct Mbox {
    path: PathBuf,
    file: Mutex<File>,
}

impl Mbox {
    /// The file at `path`, made if it is not there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(file) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a message, so that it is there whatever happens to this machine.
    pub(super) fn append(&self, reverse_path: &str, time: SystemTime, content: &[u8]) -> io::Result<()> {
        let entry = entry(reverse_path, time, content);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // Others may append as well.
        file.lock()?;
        let appended = append(&mut file, &entry);
        file.unlock()?;
        appended
    }
}

/// What could not be appended whole is taken back.
fn append(file: &mut File, entry: &[u8]) -> io::Result<()> {
    let end = file.seek(SeekFrom::End(0))?;
    let appended = file.write_all(entry).and_then(|()| file.sync_all());
    if appended.is_err() {
        file.set_len(end)?;
    }
    appended
}

/// A message as it stands in the file: a line that begins it, the content with LF as line end and `>` before each line that begins
/// with `From ` behind any number of `>`, and an empty line.
fn entry(reverse_path: &str, time: SystemTime, content: &[u8]) -> Vec<u8> {
    let sender = if reverse_path.is_empty() { "MAILER-DAEMON" } else { reverse_path };
    // A quoted local part may hold blanks, and nothing but the date may follow the first.
    let sender = sender.replace(' ', "-");
    let mut entry = format!("From {sender} {}\n", asctime(time)).into_bytes();
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\r\n").or_else(|| line.strip_suffix(b"\n")).unwrap_or(line);
        let quotes = text.iter().take_while(|byte| **byte == b'>').count();
        if text.get(quotes..).is_some_and(|text| text.starts_with(b"From ")) {
            entry.push(b'>');
        }
        entry.extend_from_slice(text);
        entry.push(b'\n');
    }
    entry.push(b'\n');
    entry
}

/// `Fri Nov 21 17:05:09 2026`, in UTC.
fn asctime(time: SystemTime) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (mut day, second) = (seconds / 86400, seconds % 86400);
    let weekday = usize::try_from(day % 7).ok().and_then(|index| DAYS.get(index)).copied().unwrap_or_default();
    let mut year = 1970;
    let days_of = |year: u64| {
        if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) { 366 } else { 365 }
    };
    while day >= days_of(year) {
        day -= days_of(year);
        year += 1;
    }
    let february = days_of(year) - 337;
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = "";
    for (name, length) in MONTHS.into_iter().zip(lengths) {
        month = name;
        if day < length {
            break;
        }
        day -= length;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{weekday} {month} {:2} {hour:02}:{minute:02}:{second:02} {year}", day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64) -> String {
        asctime(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    #[test]
    fn dates() {
        assert_eq!(at(0), "Thu Jan  1 00:00:00 1970");
        assert_eq!(at(951_782_399), "Mon Feb 28 23:59:59 2000");
        assert_eq!(at(951_782_400), "Tue Feb 29 00:00:00 2000");
        assert_eq!(at(1_795_280_709), "Sat Nov 21 17:05:09 2026");
        assert_eq!(at(4_107_542_400), "Mon Mar  1 00:00:00 2100");
    }

    #[test]
    fn lines_that_begin_a_message_are_quoted() {
        let content = b"Subject: x\r\n\r\nFrom here\r\n>From there\r\n>> From\r\nFrom\r\nFrom end";
        let expected = b"From a-b@c Thu Jan  1 00:00:00 1970\nSubject: x\n\n>From here\n>>From there\n>> From\nFrom\n\
            >From end\n\n";
        assert_eq!(entry("a b@c", UNIX_EPOCH, content).escape_ascii().to_string(), expected.escape_ascii().to_string());
        assert!(entry("", UNIX_EPOCH, b"").starts_with(b"From MAILER-DAEMON "));
    }
}
