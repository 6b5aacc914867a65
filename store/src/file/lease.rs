//! The lease of a name: a line in the lock file that says who may save, and until when.
//!
//! ```text
//! tradovate-auth lease 1 <fence> <holder> <end> <sum>↵
//! ```
//!
//! The fence is a number that grows with each lease. The holder is the process id, for people who read the file. The
//! end is in milliseconds of the directory's clock. A damaged line means that nobody holds the lease.

use std::process;
use std::time::Duration;

use hmac_sha256::Hash as Sha256;

use super::lock::Lock;
use crate::hex::hex;
use crate::record_format::random;
use crate::store::HeldLease;
use tradovate_auth_session::Lease;
use tradovate_auth_session::StoreError;

const MAGIC: &str = "tradovate-auth lease 1";

/// The longest lease. Without this limit, a lease could be held for a day after the clock was set back.
const LONGEST: Duration = Duration::from_secs(600);

pub(super) fn take(lock: &mut Lock, time: Duration, now: Duration) -> Result<Option<Lease>, StoreError> {
    let before = Line::read(lock)?;
    if let Some(line) = &before
        && line.end > millis(now)
    {
        let latest = millis(now + LONGEST);
        if line.end > latest {
            // The shortened end is written to the file. Otherwise the lease would look as long again at the next read.
            Line { end: latest, ..line.clone() }.write(lock)?;
        }
        return Ok(None);
    }
    let fence = match &before {
        Some(line) => line.fence.saturating_add(1),
        None => first_fence(now)?,
    };
    let time = time.min(LONGEST);
    Line { fence, holder: process::id().to_string(), end: millis(now + time) }.write(lock)?;
    Ok(Some(Lease { fence, time }))
}

/// The first fence of a name without a known lease. It is higher than the fence of a lease that was lost, unless the
/// clock was set back. In that case the random bits distinguish the two.
fn first_fence(now: Duration) -> Result<u64, StoreError> {
    const RANDOM_BITS: u32 = 20;
    Ok((millis(now) << RANDOM_BITS) | (random()? >> (u64::BITS - RANDOM_BITS)))
}

/// Whether no other lease was granted since this one. It may have ended.
pub(super) fn is_held(lease: Lease, lock: &mut Lock) -> Result<bool, StoreError> {
    Ok(Line::read(lock)?.is_some_and(|line| line.fence == lease.fence))
}

pub(super) fn release(lease: Lease, lock: &mut Lock) -> Result<(), StoreError> {
    match Line::read(lock)? {
        Some(line) if line.fence == lease.fence => Line { end: 0, ..line }.write(lock),
        _ => Ok(()),
    }
}

/// The lease, if it has not ended.
pub(super) fn held(lock: &mut Lock, now: Duration) -> Result<Option<HeldLease>, StoreError> {
    let line = Line::read(lock)?;
    Ok(line.and_then(|line| {
        let left = line.end.checked_sub(millis(now)).filter(|left| *left > 0)?;
        Some(HeldLease::new(Duration::from_millis(left), line.holder.parse().ok()))
    }))
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
    fn read(lock: &mut Lock) -> Result<Option<Self>, StoreError> {
        Ok(lock.read()?.and_then(|text| Self::parse(&text)))
    }

    fn write(&self, lock: &mut Lock) -> Result<(), StoreError> {
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
        // The line must be exactly the one that this library would write.
        (line.text() == text).then_some(line)
    }
}

fn sum(line: &str) -> String {
    hex(&Sha256::hash(line.as_bytes())[..8])
}

#[cfg(test)]
mod tests;
