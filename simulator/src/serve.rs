//! The front: puts a simulator behind a port of 127.0.0.1, on a thread of its own with a real clock. It carries requests
//! and the frames of sockets, and adds nothing to the answers: it tells the simulator the time and the caller's network.
//! The paths of the control are its own.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    runtime::{self, Runtime},
    sync::{oneshot, watch},
};

use crate::{
    builder::SimulatorBuilder, endpoint::Endpoint, lock_outs::LockOut, maintenance::Maintenance, network::Network,
    simulator::Simulator, statistics::LogEntry, statistics::Statistics, time::later,
};

mod client;
mod control;
mod http;
mod socket;

type Observer = Box<dyn Fn(&LogEntry) + Send + Sync>;

/// Where to serve, and who looks on.
#[derive(Default)]
pub(crate) struct Settings {
    port: u16,
    address: Option<IpAddr>,
    observer: Option<Observer>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("port", &self.port).field("address", &self.address).finish_non_exhaustive()
    }
}

/// The HTTP front.
impl SimulatorBuilder {
    /// The port of 127.0.0.1 to serve at: any free one unless set.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.front.port = port;
        self
    }

    /// The address to serve at, in place of 127.0.0.1: 0.0.0.0 or `::` for all of this machine, or another loopback
    /// address. **At 0.0.0.0 and `::`, everybody who reaches this machine can use the simulator and
    /// [control](SimulatorBuilder::serve) it.** It is meant for containers.
    ///
    /// The clients of this project use plain http within one machine only, so they can't use a simulator in another
    /// container. Clients of others can.
    #[must_use]
    pub fn listen(mut self, address: IpAddr) -> Self {
        self.front.address = Some(address);
        self
    }

    /// Calls back after each request, on the server's thread. The callback must not call the [`Server`].
    #[must_use]
    pub fn on_request(mut self, observer: impl Fn(&LogEntry) + Send + Sync + 'static) -> Self {
        self.front.observer = Some(Box::new(observer));
        self
    }

    /// Serves over HTTP on 127.0.0.1 until the returned guard is dropped. `GET /simulator` lists how other programs can
    /// control the simulator.
    ///
    /// # Errors
    /// When the address is one of another machine or of one network only, the port is taken or the system has no socket or thread to give.
    pub fn serve(mut self) -> io::Result<Server> {
        self.setup.fill_in();
        let settings = std::mem::take(&mut self.front);
        let ip = settings.address.unwrap_or(Ipv4Addr::LOCALHOST.into());
        if !ip.is_loopback() && !ip.is_unspecified() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{ip} is neither 0.0.0.0, :: nor loopback"),
            ));
        }
        let listener = TcpListener::bind((ip, settings.port))?;
        listener.set_nonblocking(true)?;
        let mut address = listener.local_addr()?;
        match ip {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        let client = client::Client::new(address, &self.setup.users, &self.setup.apps)?;
        let front = Arc::new(Front {
            simulator: Mutex::new(self.build()),
            ahead: Mutex::new(Duration::ZERO),
            observer: settings.observer,
            is_open: ip.is_unspecified(),
            changes: watch::Sender::new(()),
        });
        let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = run(runtime, listener, Arc::clone(&front), stopped)?;
        Ok(Server { front, address, client, stop: Some(stop), thread: Some(thread) })
    }
}

fn run(
    runtime: Runtime,
    listener: TcpListener,
    front: Arc<Front>,
    stopped: oneshot::Receiver<()>,
) -> io::Result<JoinHandle<()>> {
    let listener = {
        let _context = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    thread::Builder::new()
        .name("tradovate-auth-simulator".to_owned())
        .spawn(move || runtime.block_on(http::serve(listener, front, stopped)))
}

fn base_url(address: SocketAddr) -> String {
    format!("http://{address}/v1")
}

fn authorize_url(address: SocketAddr) -> String {
    format!("http://{address}/oauth")
}

/// What the server's thread and the guard share.
struct Front {
    simulator: Mutex<Simulator>,
    /// How far the clock is ahead of the real one.
    ahead: Mutex<Duration>,
    observer: Option<Observer>,
    /// Whether other machines may reach it.
    is_open: bool,
    /// Wakes the sockets: something has happened to the simulator, or to its clock.
    changes: watch::Sender<()>,
}

impl Front {
    fn now(&self) -> Timestamp {
        later(Timestamp::now(), *lock(&self.ahead))
    }

    /// The simulator, with its time set.
    fn simulator(&self) -> MutexGuard<'_, Simulator> {
        let mut simulator = lock(&self.simulator);
        simulator.set_time(self.now());
        simulator
    }

    /// Does something that sockets may have to know about.
    fn with<T>(&self, act: impl FnOnce(&mut Simulator) -> T) -> T {
        let done = act(&mut self.simulator());
        self.changes.send_replace(());
        done
    }

    fn advance(&self, by: Duration) {
        let mut ahead = lock(&self.ahead);
        *ahead = ahead.saturating_add(by);
        drop(ahead);
        self.changes.send_replace(());
    }

    /// Shows the latest request to whoever looks on.
    fn observe(&self, simulator: &Simulator) {
        if let (Some(observer), Some(entry)) = (&self.observer, simulator.statistics().log().next_back()) {
            observer(entry);
        }
    }
}

/// A failed assertion in a caller's closure must not take the server down with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A simulator behind HTTP on 127.0.0.1. Dropping it stops the server: requests under way are given a moment, idle
/// connections are closed, and the port is free when `drop` returns.
///
/// ```
/// use std::time::Duration;
///
/// use tradovate_auth_simulator::{Endpoint, Simulator};
///
/// let server = Simulator::builder().lifetime(Duration::from_secs(300)).serve()?;
/// server.penalize_next(Duration::from_secs(3));
/// assert!(server.base_url().starts_with("http://127.0.0.1:"));
/// assert_eq!(server.statistics().requests(Endpoint::AccessTokenRequest), 0);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Server {
    front: Arc<Front>,
    address: SocketAddr,
    client: client::Client,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// The base of every path, `http://127.0.0.1:PORT/v1`.
    #[must_use]
    pub fn base_url(&self) -> String {
        base_url(self.address)
    }

    /// Where a browser is sent for OAuth, `http://127.0.0.1:PORT/oauth`, to which the request is appended as a query.
    #[must_use]
    pub fn authorize_url(&self) -> String {
        authorize_url(self.address)
    }

    /// The address at which programs on this machine reach the server.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Does anything to the simulator, with its time set to now. Requests wait meanwhile.
    ///
    /// ```
    /// use tradovate_auth_simulator::Simulator;
    ///
    /// let server = Simulator::builder().serve()?;
    /// server.with(|simulator| simulator.options_mut().renewal_changes_token = false);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn with<T>(&self, act: impl FnOnce(&mut Simulator) -> T) -> T {
        self.front.with(act)
    }

    /// The server's clock, before any skew.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.front.now()
    }

    /// Puts the server's clock forward.
    pub fn advance(&self, by: Duration) {
        self.front.advance(by);
    }

    /// What has happened so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.with(|simulator| simulator.statistics().clone())
    }

    /// Answers the next request to an authentication endpoint with a penalty. For one endpoint alone see
    /// [`Simulator::penalize_next`].
    pub fn penalize_next(&self, wait: Duration) {
        self.with(|simulator| simulator.penalize_next(None, wait));
    }

    /// See [`Simulator::captcha_next`].
    pub fn captcha_next(&self, endpoint: impl Into<Option<Endpoint>>) {
        self.with(|simulator| simulator.captcha_next(endpoint));
    }

    /// See [`Simulator::lock_out`].
    pub fn lock_out(&self, lock_out: LockOut) {
        self.with(|simulator| simulator.lock_out(lock_out));
    }

    /// See [`Simulator::release`].
    pub fn release(&self) {
        self.with(Simulator::release);
    }

    /// See [`Simulator::set_maintenance`].
    pub fn set_maintenance(&self, maintenance: Option<Maintenance>) {
        self.with(|simulator| simulator.set_maintenance(maintenance));
    }

    /// See [`Simulator::issue_code`].
    #[must_use]
    pub fn issue_code(&self, user: &str, client_id: &str, redirect_uri: &str, code_challenge: Option<&str>) -> String {
        self.with(|simulator| simulator.issue_code(user, client_id, redirect_uri, code_challenge))
    }

    /// See [`Simulator::consent`].
    #[must_use]
    pub fn consent(&self, user: &str, authorize_url: &str) -> Option<String> {
        self.with(|simulator| simulator.consent(user, authorize_url))
    }

    /// See [`Simulator::deny`].
    #[must_use]
    pub fn deny(&self, authorize_url: &str) -> Option<String> {
        self.with(|simulator| simulator.deny(authorize_url))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // An error means that the thread has ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}
