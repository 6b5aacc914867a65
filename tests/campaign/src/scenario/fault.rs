//! The faults: on the wire, on the server, in clocks and stores, and in the programs themselves. They are plain data
//! with the numbers of the affected parts; the world applies them.

use jiff::SignedDuration;

/// A fault and its time.
#[derive(Debug, Clone, PartialEq)]
pub struct Timed {
    /// The time since the start.
    pub at: SignedDuration,
    /// The fault.
    pub fault: Fault,
}

/// A fault.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// The next request of a program, or its answer, is disturbed.
    Wire(usize, Trouble),
    /// A proxy answers every request.
    Storm(Storm, SignedDuration),
    /// The server is in maintenance. `true` if it answers with a page of HTML.
    Maintenance(bool, SignedDuration),
    /// The next authentication request of any program gets a penalty of this many seconds.
    Penalty(u64),
    /// The next login or renewal of any program gets a captcha. `true` for a login.
    Captcha(bool),
    /// A network address is locked out by 423 or 429, perhaps with `Retry-After`.
    LockOut {
        /// The number of the address.
        address: usize,
        /// Whether the status is 423 and not 429.
        is_warning: bool,
        /// The `Retry-After`, in seconds.
        retry_after: Option<u64>,
    },
    /// Another client logs in with the user's password this many times.
    Kick(usize, u32),
    /// The server closes all sessions of the user.
    CloseSessions(usize),
    /// The server ends all access tokens of the user.
    Expire(usize),
    /// The server forgets all tokens of the user, including the refresh token.
    Revoke(usize),
    /// The user's password changes. The programs receive the new one later.
    ChangePassword {
        /// The number of the user.
        user: usize,
        /// The time until the programs receive the new password.
        told_after: SignedDuration,
        /// Whether a program receives the answer to the change, which has a token, in addition to the new password.
        by_answer: bool,
    },
    /// The user is moved to the hosts with this number. 0 means the vendor's own hosts.
    MoveHosts(usize, u8),
    /// The next refreshes of any program are refused without a reason.
    RefuseRefreshes(u32),
    /// The store of a program fails, or does not answer, for a time.
    Store {
        /// The number of the program.
        program: usize,
        /// Whether the store does not answer.
        is_silent: bool,
        /// How long this lasts.
        lasts: SignedDuration,
    },
    /// The store of a fleet fails in this way.
    Shared(usize, StoreFault),
    /// A program of a fleet is halted: it is paused, or it crashes and restarts.
    Halt {
        /// The number of the program.
        program: usize,
        /// The moment at which it is halted.
        moment: Moment,
        /// Whether it crashes.
        crashes: bool,
        /// How long it is halted.
        lasts: SignedDuration,
    },
    /// A program with its own store crashes when its next login has got this far.
    CrashAtLogin {
        /// The number of the program.
        program: usize,
        /// How far the login has got.
        step: LoginStep,
        /// Whether all programs of the process crash, and not only this one.
        is_whole: bool,
        /// The time until the restart.
        down: SignedDuration,
    },
    /// A program crashes and restarts after a time, from its last stored snapshot if it has a store.
    Crash(usize, SignedDuration),
    /// All programs behind an address crash and lose their shared state.
    CrashAll(usize, SignedDuration),
    /// A caller of a program receives this answer this many times, every half minute, although the token is good.
    Reported(usize, Report, u32),
    /// The clock of the programs of a fleet behind an address is set forward while they run.
    Jump(usize, SignedDuration),
    /// The wall clock of a machine is set. A program sees that only at its next start.
    Step(usize, SignedDuration),
    /// A machine sleeps. Its programs do not run, while all other clocks go on.
    Sleep(usize, SignedDuration),
    /// The settings of a program become wrong (the password or the secret of the app), and its tokens end. It is
    /// restarted with the wrong settings this many times, and then with the right ones.
    CorrectAtRestart {
        /// The number of the program.
        program: usize,
        /// The number of restarts with the wrong settings.
        restarts: u32,
        /// The time between two starts.
        every: SignedDuration,
    },
    /// A program crashes and restarts with the snapshot of another program.
    ForeignSnapshot {
        /// The number of the program.
        program: usize,
        /// The program whose snapshot it finds.
        of: usize,
        /// The time until the restart.
        down: SignedDuration,
    },
    /// The hosts with this number are shut down. Their users are moved to the vendor's own hosts.
    LeaveHosts(u8, Left),
    /// The next API call of a program gets a penalty of this many seconds.
    CallPenalty(u64),
}

/// How hosts behave after their organization has left them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// They refuse connections.
    Gone,
    /// They answer 404 without a body.
    NotFound,
    /// They answer exchanges and refreshes with `Wrong client_id`.
    WrongClient,
}

/// An absurd wait that no real server would ask for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Absurd {
    /// 429 with this `Retry-After`, in seconds.
    RetryAfter(u64),
    /// A penalty with this `p-time`, in seconds.
    PenaltyTime(f64),
}

/// How a shared store fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFault {
    /// It cannot be reached for this time.
    Down(SignedDuration),
    /// The next snapshot is saved, but the confirmation is lost.
    ConfirmationLost,
    /// It loses this many of its last acknowledged saves and its lease, as after a fail-over.
    RollsBack(usize),
    /// For this time, it returns the record before the last one.
    Stale(SignedDuration),
    /// For this time, it can be read but cannot save, like a full disk.
    Full(SignedDuration),
    /// It loses its lease.
    LosesLease,
    /// Its record cannot be read until it is removed after this time.
    Damaged(SignedDuration),
}

/// The moment at which a program is halted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// At once.
    Now,
    /// Just before it sends, so that the record that it has loaded becomes old.
    BeforeSending,
    /// After it has received an answer and before it has saved the tokens in it.
    BeforeSaving,
    /// After it has produced a snapshot and before it saves it.
    Saving,
}

/// How far the login of a program with its own store has got. The program stores an announcement, sends the login, and
/// stores the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginStep {
    /// The announcement is on its way to the store.
    Announcing,
    /// The store has the announcement, and the program does not know it.
    Announced,
    /// The program knows that the store has the announcement, and has not sent the login.
    Confirmed,
    /// The login has left.
    Sent,
    /// The answer has arrived, and the program has not passed it to its store.
    Answered,
    /// The answer is on its way to the store.
    Saving,
    /// The store has the answer, and the program does not know it.
    Saved,
}

impl LoginStep {
    /// All steps in their order.
    pub const ALL: [Self; 7] =
        [Self::Announcing, Self::Announced, Self::Confirmed, Self::Sent, Self::Answered, Self::Saving, Self::Saved];
}

/// How a request or its answer is disturbed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Trouble {
    /// The connection fails, and the request does not leave.
    ResetBefore,
    /// The connection breaks before the answer.
    ResetAfter,
    /// The answer never comes, and no error is reported.
    Lost,
    /// The answer comes late.
    Delayed(SignedDuration),
    /// The answer comes twice.
    Duplicated(SignedDuration),
    /// The request is delivered late, long after the session has given it up.
    RequestDelayed(SignedDuration),
    /// The answer is cut off, and that is noticed.
    BrokenOff,
    /// The answer is too long to be read.
    Oversized,
    /// Only half of the body arrives, and that is not noticed.
    Halved,
    /// One byte of the body is changed.
    Corrupted,
    /// The server handles the request, but the answer is this fault.
    StatusAfter(u16),
    /// The answer is this fault, and the server never sees the request.
    Status(u16),
    /// The answer contradicts itself.
    Contradiction(Contradiction),
    /// A gateway answers with a page of this status, whose `Date` is off by this much. The server never sees the
    /// request.
    Gateway(u16, SignedDuration),
    /// The answer asks for an absurd wait, and the server has not handled the request.
    Absurd(Absurd),
    /// The answer says that the app's settings are wrong, although they are right. The server never sees the request.
    BlamesApp(Blame),
    /// The answer redirects to a host that is not the vendor's. The server never sees the request.
    UntrustedRedirect,
    /// The driver drops the exchange, and the session receives no outcome.
    Cancelled,
}

/// A contradiction in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contradiction {
    /// A token and an error.
    BesideError,
    /// Another user than before.
    OtherUser,
    /// An expiry in the past.
    ExpiredAlready,
    /// A malformed token.
    MalformedToken,
}

/// How the answer blames the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// `invalid_client`.
    InvalidClient,
    /// `unauthorized_client`.
    UnauthorizedClient,
    /// `invalid_client` with the text that the settings do not match.
    Mismatch,
}

/// The answer of the proxy in place of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storm {
    /// This status with an empty body.
    Status(u16),
    /// 502 with a page of HTML.
    Html,
    /// 503 with a page of HTML, whose `Date` is off by this much.
    Gateway(SignedDuration),
    /// No connection.
    NoConnection,
    /// No answer.
    Silence,
}

/// The answer that a caller has received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// 401 with an empty body.
    Unclear,
    /// 401 `Access is denied`.
    Denied,
    /// 401 `Invalid access token`, from a host that is out of date.
    Dead,
    /// This status with an empty body.
    Status(u16),
}
