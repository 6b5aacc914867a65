//! What can befall a fleet: on the wire, on the server, at the clocks, at the stores, and in the programs themselves.
//! Plain data with the numbers of those it meets; the world brings it about.

use jiff::SignedDuration;

/// A fault and its time.
#[derive(Debug, Clone, PartialEq)]
pub struct Timed {
    /// Since the start.
    pub at: SignedDuration,
    /// What happens.
    pub fault: Fault,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Something happens to the next request of a program, or to its answer.
    Wire(usize, Trouble),
    /// A proxy answers everything.
    Storm(Storm, SignedDuration),
    /// The server is in maintenance; whether it answers with a page of HTML.
    Maintenance(bool, SignedDuration),
    /// The next request for authentication, whoever sends it, gets a penalty of seconds.
    Penalty(u64),
    /// The next login or renewal, whoever sends it, gets a captcha; whether it is a login.
    Captcha(bool),
    /// A network address is locked out, by 423 or 429, perhaps with `Retry-After`.
    LockOut {
        /// Whom it meets.
        address: usize,
        /// 423 rather than 429.
        is_warning: bool,
        /// Seconds.
        retry_after: Option<u64>,
    },
    /// Somebody else logs in with the password of the user, as often as said.
    Kick(usize, u32),
    /// The server closes all sessions of the user.
    CloseSessions(usize),
    /// The server ends the life of the user's access tokens.
    Expire(usize),
    /// The server forgets the user's tokens, the refresh token included.
    Revoke(usize),
    /// The user's password changes; its programs learn of it later.
    ChangePassword {
        /// Whose.
        user: usize,
        /// After which time.
        told_after: SignedDuration,
        /// By the answer to the change, which has a token, besides the new password.
        by_answer: bool,
    },
    /// The user is served on hosts of its own, of this number; on the vendor's own with 0.
    MoveHosts(usize, u8),
    /// The next refreshes, whoever sends them, are refused without a reason.
    RefuseRefreshes(u32),
    /// The store of a program fails, or says nothing at all, for a time.
    Store {
        /// Whose.
        program: usize,
        /// Whether it says nothing.
        is_silent: bool,
        /// For how long.
        lasts: SignedDuration,
    },
    /// The store of a fleet does something else than it should.
    Shared(usize, StoreFault),
    /// A program of a fleet stops at a moment: it does nothing for a time, or crashes and comes back after it.
    Halt {
        /// Which.
        program: usize,
        /// When.
        moment: Moment,
        /// Whether it crashes.
        crashes: bool,
        /// For how long.
        lasts: SignedDuration,
    },
    /// A program crashes and comes back after a time from its last stored snapshot, where it has a store.
    Crash(usize, SignedDuration),
    /// All programs behind an address crash: what they shared is lost as well.
    CrashAll(usize, SignedDuration),
    /// A caller of a program meets something as often as said, every half minute, though nothing is wrong with the token.
    Reported(usize, Report, u32),
    /// The clock of the programs of a fleet behind an address is set forward while they run.
    Jump(usize, SignedDuration),
    /// The wall clock of a machine is set; a program that runs does not see it, one that starts later does.
    Step(usize, SignedDuration),
    /// A machine sleeps: its program gets no time, and all other clocks go on.
    Sleep(usize, SignedDuration),
    /// The settings of a program become wrong (the password, or the secret of the app), and its tokens end. It is
    /// restarted with the wrong settings so many times, and then once more with the right ones.
    CorrectAtRestart {
        /// Which.
        program: usize,
        /// How often it is restarted with the wrong settings.
        restarts: u32,
        /// The time between two starts.
        every: SignedDuration,
    },
    /// A program crashes and comes back with the snapshot of another one.
    ForeignSnapshot {
        /// Which.
        program: usize,
        /// Whose snapshot it finds.
        of: usize,
        /// After which time.
        down: SignedDuration,
    },
    /// The hosts of this number serve nobody any more; their users are served on the vendor's own.
    LeaveHosts(u8, Left),
    /// The next call of a program's own gets a penalty of seconds.
    CallPenalty(u64),
}

/// What becomes of hosts that an organization has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// No connection.
    Gone,
    /// 404 without a body.
    NotFound,
    /// `Wrong client_id` to exchanges and refreshes.
    WrongClient,
}

/// A wait that no server means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Absurd {
    /// 429 with this `Retry-After`, in seconds.
    RetryAfter(u64),
    /// A penalty with this `p-time`, in seconds.
    PenaltyTime(f64),
}

/// What a shared store does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFault {
    /// It can't be reached for a time.
    Down(SignedDuration),
    /// The next snapshot is saved, and the word of it is lost.
    WordLost,
    /// It loses the last so many saves that it has acknowledged, and the lease too, as after a fail-over.
    RollsBack(usize),
    /// What is loaded for a time is the record before the last one.
    Stale(SignedDuration),
    /// It can be read, and nothing can be saved in it for a time, as on a full disk.
    Full(SignedDuration),
    /// It forgets who holds the lease.
    LosesLease,
    /// The record can't be read, until somebody removes it after this time.
    Damaged(SignedDuration),
}

/// When a program is halted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// At once.
    Now,
    /// When it is about to send: what it has looked at grows old meanwhile.
    BeforeSending,
    /// When it has an answer, and has not yet saved what came with it.
    BeforeSaving,
    /// When it has a snapshot in its hands that is about to be saved.
    Saving,
}

/// What happens to a request or its answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Trouble {
    /// No connection: the request does not leave.
    ResetBefore,
    /// The connection breaks before the answer.
    ResetAfter,
    /// The answer never comes, and nothing tells so.
    Lost,
    /// The answer comes late.
    Delayed(SignedDuration),
    /// The answer comes twice.
    Duplicated(SignedDuration),
    /// The request is delivered late, long after it was given up.
    RequestDelayed(SignedDuration),
    /// The answer breaks off.
    BrokenOff,
    /// The answer is too long to be read.
    Oversized,
    /// Half of the body comes, as if it were whole.
    Halved,
    /// A byte of the body is another one.
    Corrupted,
    /// A fault instead of the answer, after the server has handled the request.
    StatusAfter(u16),
    /// A fault instead of the answer; the server never saw the request.
    Status(u16),
    /// An answer that contradicts itself.
    Contradiction(Contradiction),
    /// A gateway's page of this status, whose `Date` is off by so much; the server never saw the request.
    Gateway(u16, SignedDuration),
    /// The server asks for a wait that it can't mean, and has not handled the request.
    Absurd(Absurd),
    /// The app's settings are said to be wrong, though they are right; the server never saw the request.
    BlamesApp(Blame),
    /// A redirect to a host that is not the vendor's; the server never saw the request.
    EvilRedirect,
    /// The driver drops the exchange: the session hears nothing.
    Cancelled,
}

/// What an answer contradicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contradiction {
    /// A token beside an error.
    BesideError,
    /// Another user than before.
    OtherUser,
    /// An expiry in the past.
    ExpiredAlready,
    /// A token that is none.
    MalformedToken,
}

/// How an app is blamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// `invalid_client`.
    InvalidClient,
    /// `unauthorized_client`.
    UnauthorizedClient,
    /// `invalid_client` with the text that the settings do not match.
    Mismatch,
}

/// What answers in place of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storm {
    /// This status with an empty body.
    Status(u16),
    /// 502 with a page of HTML.
    Html,
    /// 503 with a page of HTML, whose `Date` is off by so much.
    Gateway(SignedDuration),
    /// No connection.
    NoConnection,
    /// No answer.
    Silence,
}

/// What a caller has met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// 401 with an empty body.
    Unclear,
    /// 401 `Access is denied`.
    Denied,
    /// 401 `Invalid access token`, from a host that is not in step.
    Dead,
    /// This status with an empty body.
    Status(u16),
}
