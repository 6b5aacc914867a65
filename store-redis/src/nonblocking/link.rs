//! [`Link`]: the connection of the async form, for commands and for the messages of the channel.

use std::sync::{Arc, Mutex, Weak};
use std::time::Instant;

use redis::aio::{MultiplexedConnection, SendError};
use redis::{AsyncConnectionConfig, FromRedisValue, Msg, ProtocolVersion, PushInfo, PushKind, RedisResult};
use tradovate_auth_store::SessionName;

use crate::error::Failure;
use crate::scripts::Call;
use crate::settings::Settings;
use crate::waiters::{Waiter, Waiters, lock};

#[derive(Clone)]
pub(crate) struct Link {
    connection: MultiplexedConnection,
    /// Owned by the task that reads from the connection. It is dropped together with the task, for example when the
    /// runtime ends.
    waiters: Weak<Waiters>,
    last_sign_of_life: Arc<Mutex<Instant>>,
}

impl Link {
    pub(crate) async fn connect(settings: &Settings) -> RedisResult<Self> {
        let owned = Waiters::new();
        let waiters = Arc::downgrade(&owned);
        let receive = move |push: PushInfo| {
            if push.kind == PushKind::Disconnection {
                owned.close();
            } else if let Some(message) = Msg::from_push_info(push) {
                owned.tell(message.get_payload_bytes());
            }
            Ok::<(), SendError>(())
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(settings.connect_time))
            .set_response_timeout(Some(settings.answer_time))
            .set_push_sender(receive);
        let client = settings.client(ProtocolVersion::RESP3);
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        connection.subscribe(settings.keys.channel()).await?;
        Ok(Self { connection, waiters, last_sign_of_life: Arc::new(Mutex::new(Instant::now())) })
    }

    /// Whether the connection seems to work.
    pub(crate) fn is_usable(&self, settings: &Settings) -> bool {
        let is_open = self.waiters.upgrade().is_some_and(|waiters| waiters.is_open());
        is_open && lock(&self.last_sign_of_life).elapsed() <= settings.longest_quiet
    }

    /// Waits for messages about a name. `None` if no message will arrive.
    pub(crate) fn waiter(&self, name: &SessionName) -> Option<Waiter> {
        self.waiters.upgrade()?.waiter(name.as_str())
    }

    pub(crate) async fn ask<T: FromRedisValue>(&self, settings: &Settings, call: &Call) -> Result<T, Failure> {
        let answer = call.invoke_async(&mut self.connection.clone()).await;
        let answer = answer.map_err(|error| self.failed(settings.failure(&error)))?;
        *lock(&self.last_sign_of_life) = Instant::now();
        Ok(answer)
    }

    /// Whether this caller should test the connection. The answer is `true` for one of the waiting callers, once per
    /// `tried_every`.
    pub(crate) fn must_be_tried(&self, settings: &Settings) -> bool {
        let mut last = lock(&self.last_sign_of_life);
        let is_quiet = last.elapsed() >= settings.tried_every;
        if is_quiet {
            *last = Instant::now();
        }
        is_quiet
    }

    /// Tests whether the connection still works. Only an answer shows this.
    pub(crate) async fn try_out(&self, settings: &Settings) -> Result<(), Failure> {
        let answer = redis::cmd("PING").exec_async(&mut self.connection.clone()).await;
        answer.map_err(|error| self.failed(settings.failure(&error)))
    }

    /// If the failure shows that the connection is broken, closes it for all callers, and wakes those that wait for a
    /// message.
    fn failed(&self, failure: Failure) -> Failure {
        if failure.ends_connection
            && let Some(waiters) = self.waiters.upgrade()
        {
            waiters.close();
        }
        failure
    }
}
