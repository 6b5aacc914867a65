//! The lease of a name: a line in the lock's file, which says who may save and until when.
//!
//! ```text
//! tradovate-auth lease 1 <fence> <holder> <end> <sum>↵
//! ```
//!
//! The fence is a number that grows with each lease, the end milliseconds of the directory's clock. A line that is damaged says
//! nothing: then nobody holds the lease, and whoever held it doesn't any more.

use std::process;
use std::time::Duration;

use hmac_sha256::Hash as Sha256;

use super::FileStoreError;
use super::lock::Lock;
use crate::codec::CodecError;
use crate::hex::hex;

const MAGIC: &str = "tradovate-auth lease 1";

/// No lease is longer: a clock that was set back must not keep everybody from the session for a day.
const LONGEST: Duration = Duration::from_secs(600);

/// The lease of a name in a [`FileStore`](crate::FileStore).
#[derive(Debug)]
pub struct FileLease {
    fence: u64,
    holder: String,
}

impl FileLease {
    pub(super) fn take(lock: &mut Lock, time: Duration, now: Duration) -> Result<Option<Self>, FileStoreError> {
        let before = Line::read(lock)?;
        if let Some(line) = &before
            && line.end > millis(now)
        {
            let latest = millis(now + LONGEST);
            if line.end > latest {
                // Written down, so that it ends: looked at again, it would be as far off as before.
                Line { end: latest, ..line.clone() }.write(lock)?;
            }
            return Ok(None);
        }
        // Where the number is lost the clock's is larger, unless that was set back; then the holder tells leases apart.
        let lost = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        let fence = before.map_or(lost, |line| line.fence.saturating_add(1));
        let random = getrandom::u64().map_err(CodecError::Random)?;
        let holder = format!("{}-{random:016x}", process::id());
        let line = Line { fence, holder, end: millis(now + time.min(LONGEST)) };
        line.write(lock)?;
        Ok(Some(Self { fence, holder: line.holder }))
    }

    /// Whether no other lease was given since this one, though its time may be over.
    pub(super) fn is_held(&self, lock: &mut Lock) -> Result<bool, FileStoreError> {
        Ok(Line::read(lock)?.is_some_and(|line| self.is(&line)))
    }

    pub(super) fn release(&self, lock: &mut Lock) -> Result<(), FileStoreError> {
        match Line::read(lock)? {
            Some(line) if self.is(&line) => Line { end: 0, ..line }.write(lock),
            _ => Ok(()),
        }
    }

    /// For a call on another thread: nobody else has more than one of it.
    #[cfg(feature = "tokio")]
    pub(super) fn again(&self) -> Self {
        Self { fence: self.fence, holder: self.holder.clone() }
    }

    fn is(&self, line: &Line) -> bool {
        (self.fence, &self.holder) == (line.fence, &line.holder)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[derive(Clone)]
struct Line {
    fence: u64,
    holder: String,
    end: u64,
}

impl Line {
    fn read(lock: &mut Lock) -> Result<Option<Self>, FileStoreError> {
        Ok(lock.read()?.and_then(|text| Self::parse(&text)))
    }

    fn write(&self, lock: &mut Lock) -> Result<(), FileStoreError> {
        lock.write(&self.text())
    }

    fn text(&self) -> String {
        let line = format!("{MAGIC} {} {} {}", self.fence, self.holder, self.end);
        format!("{line} {}\n", sum(&line))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.strip_prefix(MAGIC)?.split_ascii_whitespace();
        let line =
            Self { fence: words.next()?.parse().ok()?, holder: words.next()?.into(), end: words.next()?.parse().ok()? };
        // Written again it has to be the same, to the last byte.
        (line.text() == text).then_some(line)
    }
}

fn sum(line: &str) -> String {
    hex(&Sha256::hash(line.as_bytes())[..8])
}

#[cfg(test)]
#[path = "lease/tests.rs"]
mod tests;
