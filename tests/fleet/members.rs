//! Processes that share a session, and what they print.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tradovate_auth_simulator::{App, Endpoint, Limits, Server, Simulator, User};

use crate::shared_store::SharedStore;

/// How long a test waits for something that must happen. Nothing is asserted about time.
const LONG: Duration = Duration::from_secs(90);

/// Processes, their store, and their server, which has no hourly limits.
pub(crate) struct Fleet {
    pub(crate) server: Server,
    pub(crate) store: SharedStore,
    /// How many seconds a request of the processes may take.
    pub(crate) time_out: u64,
    members: Vec<Member>,
    /// The process that took the lease last.
    last_lease_holder: Option<usize>,
    line_sender: Sender<(usize, String)>,
    line_receiver: Receiver<(usize, String)>,
    /// The paths of the requests that the server received.
    requests: Receiver<String>,
    /// The endpoint that the server answers with a delay, and the delay.
    slow: Arc<Mutex<Option<(Endpoint, Duration)>>>,
}

struct Member {
    process: Child,
    input: ChildStdin,
    printed: Vec<String>,
}

/// Longer than the line of a lease and shorter than a session, in bytes. With this limit a lease can be taken and a
/// session can't be saved, as on a full disk.
const SHORTER_THAN_A_SESSION: u64 = 512;

/// A user and mount namespace, as options of `unshare`.
const NAMESPACE: [&str; 2] = ["--map-root-user", "--mount"];

impl Fleet {
    pub(crate) fn new(store: SharedStore, lifetime: Duration) -> Self {
        let slow = Arc::new(Mutex::new(None::<(Endpoint, Duration)>));
        let (receive, requests) = mpsc::channel();
        let slowed = Arc::clone(&slow);
        let server = Simulator::builder()
            .on_request(move |entry| {
                // The test may be over.
                let _ = receive.send(entry.path.clone());
                let slow = *slowed.lock().unwrap();
                if let Some((_, time)) = slow.filter(|(endpoint, _)| entry.path.ends_with(endpoint.path())) {
                    thread::sleep(time);
                }
            })
            .user(User::new("trader", "canary-password"))
            .app(App::new("Sample App", "8", "canary-api-secret"))
            .lifetime(lifetime)
            .options(|options| options.limits = Limits::none())
            .serve()
            .unwrap();
        let (line_sender, line_receiver) = mpsc::channel();
        Self {
            server,
            store,
            time_out: 5,
            members: Vec::new(),
            last_lease_holder: None,
            line_sender,
            line_receiver,
            requests,
            slow,
        }
    }

    /// Sets the lifetime of the tokens that the server issues from now on.
    pub(crate) fn set_lifetime(&self, lifetime: Duration) {
        self.server.with(|simulator| simulator.options_mut().lifetime = lifetime);
    }

    /// Delays the server's answers to requests to an endpoint.
    pub(crate) fn answer_slowly(&self, endpoint: Endpoint, time: Duration) {
        *self.slow.lock().unwrap() = Some((endpoint, time));
    }

    /// Waits until the server received a request to this endpoint. It may not have answered it yet.
    pub(crate) fn await_request(&self, endpoint: Endpoint) {
        while !self.requests.recv_timeout(LONG).unwrap().ends_with(endpoint.path()) {}
    }

    /// Makes all processes unable to store a session. They can still take the lease.
    pub(crate) fn fill_disk(&self) {
        self.limit_files(Some(SHORTER_THAN_A_SESSION));
    }

    pub(crate) fn make_space(&self) {
        self.limit_files(None);
    }

    fn limit_files(&self, longest: Option<u64>) {
        if let SharedStore::Redis(redis) = &self.store {
            redis.limit_memory(longest);
            return;
        }
        for member in &self.members {
            let limit = longest.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
            let (id, limit) = (member.process.id().to_string(), format!("--fsize={limit}:"));
            assert!(Command::new("prlimit").args(["--pid", &id, &limit]).status().unwrap().success());
        }
    }

    /// Starts another process, with the transports in turn. It runs for some seconds. Returns its number.
    pub(crate) fn start(&mut self, seconds: u64) -> usize {
        let mut shell = Command::new("sh");
        // With this, a file over the size limit is an error and does not end the process.
        shell.args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#, env!("CARGO_BIN_EXE_member")]);
        self.start_by(shell, seconds)
    }

    /// Starts a process whose wall clock is wrong by some seconds, and is corrected after ten seconds.
    pub(crate) fn start_with_clock_that_is_set(&mut self, seconds: u64, ahead: i64) -> usize {
        let mut shell = Command::new("sh");
        let clock = format!(r#"MEMBER_CLOCK_AHEAD={ahead} MEMBER_CLOCK_STEP={} exec "$0" "$@""#, -ahead);
        shell.args(["-c", &clock, env!("CARGO_BIN_EXE_member")]);
        self.start_by(shell, seconds)
    }

    /// Starts a process whose wall clock is some seconds ahead.
    pub(crate) fn start_ahead(&mut self, seconds: u64, ahead: i64) -> usize {
        let mut shell = Command::new("sh");
        let ahead = format!(r#"MEMBER_CLOCK_AHEAD={ahead} exec "$0" "$@""#);
        shell.args(["-c", &ahead, env!("CARGO_BIN_EXE_member")]);
        self.start_by(shell, seconds)
    }

    /// Starts a process that can't write to any file.
    pub(crate) fn start_with_a_full_disk(&mut self, seconds: u64) -> usize {
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"trap "" XFSZ; ulimit -f 0; exec "$0" "$@""#, env!("CARGO_BIN_EXE_member")]);
        self.start_by(shell, seconds)
    }

    /// Whether [`start_with_a_read_only_disk`](Self::start_with_a_read_only_disk) can mount.
    pub(crate) fn has_namespaces() -> bool {
        Command::new("unshare").args(NAMESPACE).arg("true").output().is_ok_and(|output| output.status.success())
    }

    /// One that sees the directory of the files on a read-only disk.
    pub(crate) fn start_with_a_read_only_disk(&mut self, seconds: u64) -> usize {
        let SharedStore::Files(directory) = &self.store else { panic!("no files") };
        let mut unshare = Command::new("unshare");
        let script = r#"mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@""#;
        unshare.args(NAMESPACE).args(["sh", "-c", script]).arg(directory.path()).arg(env!("CARGO_BIN_EXE_member"));
        self.start_by(unshare, seconds)
    }

    fn start_by(&mut self, mut command: Command, seconds: u64) -> usize {
        let number = self.members.len();
        let transport = if number.is_multiple_of(2) { "ureq" } else { "reqwest" };
        command.arg(transport).arg(self.store.argument()).arg(seconds.to_string());
        command.env_clear().envs(variables(&self.server.base_url()));
        command.env("MEMBER_TIME_OUT", self.time_out.to_string());
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = process.stdin.take().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line_sender = self.line_sender.clone();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if line_sender.send((number, line)).is_err() {
                    break;
                }
            }
        });
        self.members.push(Member { process, input, printed: Vec::new() });
        number
    }

    /// Waits for a line of any process that begins with a word.
    pub(crate) fn await_word(&mut self, word: &str) -> (usize, String) {
        self.await_that(word, |_, line| line.starts_with(word))
    }

    /// Waits for a line of this process that begins with a word.
    pub(crate) fn await_word_of(&mut self, member: usize, word: &str) -> String {
        self.await_that(word, |number, line| number == member && line.starts_with(word)).1
    }

    /// Waits until each of these processes has printed a line that begins with a word.
    pub(crate) fn await_of_all(&mut self, members: impl IntoIterator<Item = usize>, word: &str) {
        for member in members {
            if self.printed(member, word).is_empty() {
                self.await_word_of(member, word);
            }
        }
    }

    /// Waits until one of these processes has printed a line that begins with a word.
    pub(crate) fn await_any_of(&mut self, members: impl IntoIterator<Item = usize>, word: &str) -> usize {
        let members: Vec<_> = members.into_iter().collect();
        let has_printed = |member: &usize| !self.printed(*member, word).is_empty();
        let Some(member) = members.iter().copied().find(has_printed) else {
            return self.await_that(word, |number, line| members.contains(&number) && line.starts_with(word)).0;
        };
        member
    }

    pub(crate) fn await_that(&mut self, what: &str, is_it: impl Fn(usize, &str) -> bool) -> (usize, String) {
        let begun = Instant::now();
        loop {
            let left = LONG.saturating_sub(begun.elapsed());
            let Ok((number, line)) = self.line_receiver.recv_timeout(left) else {
                panic!("no process printed {what:?}: {}", self.all());
            };
            self.take(number, line.clone());
            if is_it(number, &line) {
                return (number, line);
            }
        }
    }

    /// Reads the lines that were printed so far.
    pub(crate) fn catch_up(&mut self) {
        while let Ok((number, line)) = self.line_receiver.try_recv() {
            self.take(number, line);
        }
    }

    fn take(&mut self, member: usize, line: String) {
        if line == "lease" {
            self.last_lease_holder = Some(member);
        }
        self.members[member].printed.push(line);
    }

    pub(crate) fn signal(&self, member: usize, signal: &str) {
        let id = self.members[member].process.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Pauses a process that has just taken the lease.
    pub(crate) fn pause_lease_holder(&mut self) -> usize {
        let (holder, _) = self.await_word("lease");
        self.pause(holder);
        holder
    }

    /// Pauses a process, but not while the lock of the files is held, because then no other process could take over.
    pub(crate) fn pause(&self, member: usize) {
        loop {
            self.signal(member, "-STOP");
            let status = format!("/proc/{}/stat", self.members[member].process.id());
            while !std::fs::read_to_string(&status).unwrap().contains(") T ") {
                thread::yield_now();
            }
            if !self.store.is_locked() {
                return;
            }
            self.signal(member, "-CONT");
        }
    }

    /// Makes a process forget the session.
    pub(crate) fn forget(&mut self, member: usize) {
        self.members[member].input.write_all(b"forget\n").unwrap();
    }

    /// The process that took the lease last.
    pub(crate) fn lease_holder(&mut self) -> usize {
        self.catch_up();
        self.last_lease_holder.expect("a process has taken the lease")
    }

    /// Kills the process that took the lease last.
    pub(crate) fn kill_lease_holder(&mut self) -> usize {
        let holder = self.lease_holder();
        self.kill(holder);
        holder
    }

    pub(crate) fn kill(&mut self, member: usize) {
        self.members[member].process.kill().unwrap();
        self.members[member].process.wait().unwrap();
    }

    /// The lines of a process that begin with a word.
    pub(crate) fn printed(&self, member: usize, word: &str) -> Vec<&str> {
        self.members[member].printed.iter().map(String::as_str).filter(|line| line.starts_with(word)).collect()
    }

    /// How often the processes called the store's methods load, lease, save and release.
    pub(crate) fn uses(&self) -> [u64; 4] {
        let lines =
            self.members.iter().flat_map(|member| &member.printed).filter_map(|line| line.strip_prefix("uses "));
        lines.fold([0; 4], |mut sum, line| {
            sum.iter_mut().zip(line.split(' ')).for_each(|(sum, uses)| *sum += uses.parse::<u64>().unwrap());
            sum
        })
    }

    /// The expiries of all tokens that the processes had.
    pub(crate) fn ends(&self) -> BTreeSet<&str> {
        let lines = self.members.iter().flat_map(|member| &member.printed);
        lines.filter_map(|line| line.strip_prefix("token ")?.split(' ').next()).collect()
    }

    pub(crate) fn all(&self) -> String {
        let lines = self.members.iter().enumerate();
        let lines =
            lines.flat_map(|(number, member)| member.printed.iter().map(move |line| format!("\n{number}: {line}")));
        lines.collect()
    }

    /// Asserts that there was one login, and that each process always had a token that the server accepted.
    pub(crate) fn assert_well(&mut self) {
        self.assert_well_but_for(&[]);
    }

    /// The same, except that these processes may have been without a token for a time.
    pub(crate) fn assert_well_but_for(&mut self, hindered: &[usize]) {
        self.catch_up();
        for number in (0..self.members.len()).filter(|number| !hindered.contains(number)) {
            assert!(self.printed(number, "gap").is_empty(), "{}", self.all());
        }
        for (number, member) in self.members.iter().enumerate() {
            let tokens = member.printed.iter().filter_map(|line| line.strip_prefix("token "));
            let (ends, statuses): (Vec<_>, Vec<_>) = tokens.filter_map(|line| line.split_once(' ')).unzip();
            assert!(ends.is_sorted(), "process {number} went back to an older token: {}", self.all());
            assert!(hindered.contains(&number) || statuses.iter().all(|status| *status == "200"), "{}", self.all());
        }
        let statistics = self.server.statistics();
        assert_eq!(statistics.logins, 1, "{}", self.all());
        assert_eq!(statistics.requests(Endpoint::AccessTokenRequest), 1, "{}", self.all());
        assert_eq!(statistics.sessions_closed, 0);
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for member in &mut self.members {
            // The process may already have ended.
            let _ = member.process.kill();
            let _ = member.process.wait();
        }
    }
}

/// The variables for a server. They name no directories of a user.
fn variables(base_url: &str) -> Vec<(&'static str, String)> {
    let variables = [
        ("TRADOVATE_API_URL", base_url),
        ("TRADOVATE_USERNAME", "trader"),
        ("TRADOVATE_PASSWORD", "canary-password"),
        ("TRADOVATE_APP_ID", "Sample App"),
        ("TRADOVATE_APP_VERSION", "1.0"),
        ("TRADOVATE_CID", "8"),
        ("TRADOVATE_SEC", "canary-api-secret"),
        ("TRADOVATE_DEVICE_ID", "device"),
    ];
    variables.into_iter().map(|(name, value)| (name, value.to_owned())).collect()
}

/// Whether a file has this content.
pub(crate) fn holds(path: &Path, bytes: &[u8]) -> bool {
    std::fs::read(path).is_ok_and(|content| content == bytes)
}
