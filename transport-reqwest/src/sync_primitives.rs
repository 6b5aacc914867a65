//! The parts of tokio that a source uses, and the one function that sends requests. The tests in `tests/schedules`
//! replace both.

use reqwest::{Client, Request, Response};

#[cfg(not(tradovate_auth_shuttle))]
pub(crate) use ::tokio;
#[cfg(tradovate_auth_shuttle)]
pub(crate) use tradovate_auth_token_source::sync_primitives::tokio;

#[cfg(not(tradovate_auth_shuttle))]
pub(crate) async fn execute(client: &Client, request: Request) -> reqwest::Result<Response> {
    client.execute(request).await
}

#[cfg(tradovate_auth_shuttle)]
pub(crate) use self::under_shuttle::execute;
#[cfg(tradovate_auth_shuttle)]
pub use self::under_shuttle::{Server, answer_by};

/// Answers requests within the process, because reqwest needs tokio's own runtime.
#[cfg(tradovate_auth_shuttle)]
mod under_shuttle {
    use std::cell::RefCell;
    use std::pin::Pin;
    use std::sync::Arc;

    use super::{Client, Request, Response};

    /// A function that returns the body of the answer to a path.
    pub type Server = Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = Vec<u8>> + Send>> + Send + Sync>;

    std::thread_local! {
        /// The server of this schedule. All tasks of a schedule run on one system thread.
        static SERVER: RefCell<Option<Server>> = const { RefCell::new(None) };
    }

    /// Sets the server that answers all requests of this schedule.
    pub fn answer_by(server: Server) {
        SERVER.set(Some(server));
    }

    pub(crate) async fn execute(_: &Client, request: Request) -> reqwest::Result<Response> {
        let server = SERVER.with_borrow(Clone::clone).expect("a server");
        Ok(http::Response::new(server(request.url().path().to_owned()).await).into())
    }
}
