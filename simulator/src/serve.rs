//! The HTTP server: serves a simulator on a port of 127.0.0.1, on a thread of its own and with the real clock.
//!
//! It passes requests and WebSocket frames to the simulator together with the time and the caller's network, and sends
//! the answers unchanged.

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
    builder::SimulatorBuilder, control::ControlledSimulator, endpoint::Endpoint, lock_outs::LockOut,
    maintenance::Maintenance, network::Network, simulator::Simulator, statistics::LogEntry, statistics::Statistics,
};

mod client;
mod http;
mod socket;

type Observer = Box<dyn Fn(&LogEntry) + Send + Sync>;

/// Where the server listens, and who observes its requests.
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

/// Serving over HTTP.
impl SimulatorBuilder {
    /// Sets the port on 127.0.0.1. Default: any free port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.settings.port = port;
        self
    }

    /// Sets the address to listen at. Default: 127.0.0.1. Allowed are loopback addresses, and 0.0.0.0 and `::`, which
    /// mean all addresses of this machine.
    ///
    /// **With 0.0.0.0 and `::`, everybody who can reach this machine can use the simulator and
    /// [control](SimulatorBuilder::serve) it.** These addresses are meant for containers.
    ///
    /// The clients of this project use plain http within one machine only, so they can't use a simulator in another
    /// container. Other clients can.
    #[must_use]
    pub fn listen(mut self, address: IpAddr) -> Self {
        self.settings.address = Some(address);
        self
    }

    /// Sets a callback that the server's thread calls after each request. The callback must not use the [`Server`].
    #[must_use]
    pub fn on_request(mut self, observer: impl Fn(&LogEntry) + Send + Sync + 'static) -> Self {
        self.settings.observer = Some(Box::new(observer));
        self
    }

    /// Starts an HTTP server on 127.0.0.1, which runs until the returned guard is dropped. `GET /simulator` lists the
    /// commands by which other programs can control it.
    ///
    /// # Errors
    /// If the address is not a loopback address, 0.0.0.0 or `::`, if the port is in use, or if the system has no free
    /// socket or thread.
    pub fn serve(mut self) -> io::Result<Server> {
        self.setup.fill_in();
        let settings = std::mem::take(&mut self.settings);
        let ip = settings.address.unwrap_or(Ipv4Addr::LOCALHOST.into());
        if !ip.is_loopback() && !ip.is_unspecified() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("can't listen at {ip}: use 0.0.0.0, ::, or a loopback address"),
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
        let mut simulator = ControlledSimulator::new(self.build());
        if ip.is_unspecified() {
            simulator = simulator.allow_any_host();
        }
        let shared = Arc::new(Shared {
            simulator: Mutex::new(simulator),
            observer: settings.observer,
            changes: watch::Sender::new(()),
        });
        let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = run(runtime, listener, Arc::clone(&shared), stopped)?;
        Ok(Server { shared, address, client, stop: Some(stop), thread: Some(thread) })
    }
}

fn run(
    runtime: Runtime,
    listener: TcpListener,
    shared: Arc<Shared>,
    stopped: oneshot::Receiver<()>,
) -> io::Result<JoinHandle<()>> {
    let listener = {
        let _context = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    thread::Builder::new()
        .name("tradovate-auth-simulator".to_owned())
        .spawn(move || runtime.block_on(http::serve(listener, shared, stopped)))
}

fn base_url(address: SocketAddr) -> String {
    format!("http://{address}/v1")
}

fn authorize_url(address: SocketAddr) -> String {
    format!("http://{address}/oauth")
}

/// The state that the server's thread and the guard share.
struct Shared {
    simulator: Mutex<ControlledSimulator>,
    observer: Option<Observer>,
    /// Wakes the tasks of the sockets after a change of the simulator or its clock.
    changes: watch::Sender<()>,
}

impl Shared {
    fn now(&self) -> Timestamp {
        lock(&self.simulator).now(Timestamp::now())
    }

    /// Uses the simulator at the time of the real clock. If this logs a request, the observer gets it.
    fn observed<T>(&self, act: impl FnOnce(&mut ControlledSimulator, Timestamp) -> T) -> T {
        let mut simulator = lock(&self.simulator);
        let clock = Timestamp::now();
        let logged = simulator.at(clock).statistics().logged();
        let done = act(&mut simulator, clock);
        let statistics = simulator.at(clock).statistics();
        if let (Some(observer), Some(entry)) = (&self.observer, statistics.log().next_back())
            && statistics.logged() != logged
        {
            observer(entry);
        }
        done
    }

    /// Changes the simulator, then wakes the sockets.
    fn with<T>(&self, act: impl FnOnce(&mut Simulator) -> T) -> T {
        let done = act(lock(&self.simulator).at(Timestamp::now()));
        self.changes.send_replace(());
        done
    }

    fn advance(&self, by: Duration) {
        lock(&self.simulator).advance(by);
        self.changes.send_replace(());
    }
}

/// Locks a mutex even if it is poisoned: a failed assertion in a test's closure must not stop the server.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A simulator that serves HTTP on 127.0.0.1. Dropping it stops the server: requests in flight get 200 ms to finish,
/// idle connections are closed, and the port is free when `drop` returns.
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
    shared: Arc<Shared>,
    address: SocketAddr,
    client: client::Client,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// The base URL of the API, `http://127.0.0.1:PORT/v1`.
    #[must_use]
    pub fn base_url(&self) -> String {
        base_url(self.address)
    }

    /// The URL of the authorization page, `http://127.0.0.1:PORT/oauth`. A client appends its request as the query.
    #[must_use]
    pub fn authorize_url(&self) -> String {
        authorize_url(self.address)
    }

    /// The address at which programs on this machine reach the server.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gives a closure access to the simulator, with its time set to now. Requests wait until the closure returns.
    ///
    /// ```
    /// use tradovate_auth_simulator::Simulator;
    ///
    /// let server = Simulator::builder().serve()?;
    /// server.with(|simulator| simulator.options_mut().renewal_changes_token = false);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn with<T>(&self, act: impl FnOnce(&mut Simulator) -> T) -> T {
        self.shared.with(act)
    }

    /// The time of the simulator's clock, without the [skew](crate::Options::clock_skew) of the server.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.now()
    }

    /// Moves the simulator's clock forward.
    pub fn advance(&self, by: Duration) {
        self.shared.advance(by);
    }

    /// A copy of the statistics so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.with(|simulator| simulator.statistics().clone())
    }

    /// Answers the next request to any authentication endpoint with a penalty ticket. [`Simulator::penalize_next`] can
    /// choose the endpoint.
    pub fn penalize_next(&self, wait: Duration) {
        self.with(|simulator| simulator.penalize_next(None, wait));
    }

    /// Answers the next request to an endpoint with a captcha; see [`Simulator::captcha_next`].
    pub fn captcha_next(&self, endpoint: impl Into<Option<Endpoint>>) {
        self.with(|simulator| simulator.captcha_next(endpoint));
    }

    /// Locks out a network or everybody; see [`Simulator::lock_out`].
    pub fn lock_out(&self, lock_out: LockOut) {
        self.with(|simulator| simulator.lock_out(lock_out));
    }

    /// Ends all lock-outs, penalties and captchas; see [`Simulator::release`].
    pub fn release(&self) {
        self.with(Simulator::release);
    }

    /// Begins or ends maintenance; see [`Simulator::set_maintenance`].
    pub fn set_maintenance(&self, maintenance: Option<Maintenance>) {
        self.with(|simulator| simulator.set_maintenance(maintenance));
    }

    /// Issues an authorization code without the page; see [`Simulator::issue_code`].
    #[must_use]
    pub fn issue_code(&self, user: &str, client_id: &str, redirect_uri: &str, code_challenge: Option<&str>) -> String {
        self.with(|simulator| simulator.issue_code(user, client_id, redirect_uri, code_challenge))
    }

    /// Allows an authorization request in place of the user; see [`Simulator::consent`].
    #[must_use]
    pub fn consent(&self, user: &str, authorize_url: &str) -> Option<String> {
        self.with(|simulator| simulator.consent(user, authorize_url))
    }

    /// Denies an authorization request in place of the user; see [`Simulator::deny`].
    #[must_use]
    pub fn deny(&self, authorize_url: &str) -> Option<String> {
        self.with(|simulator| simulator.deny(authorize_url))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // An error means that the thread has already ended.
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
