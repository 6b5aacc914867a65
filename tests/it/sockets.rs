//! Tests of sockets in simulated time: which token and which host authorizes each kind of socket.

use http::{Request, StatusCode};
use jiff::Timestamp;
use tradovate_auth::{Action, ClientId, Credentials, Environment, Purpose, RateBudget, Session, Verdict};
use tradovate_auth_simulator::{ApiHosts, Simulator};

const PURPOSES: [Purpose; 2] = [Purpose::Trading, Purpose::MarketData];

struct World {
    server: Simulator,
    session: Session,
    budget: RateBudget,
    now: Timestamp,
}

impl World {
    /// A world with a prop firm's user, who logs in on Live and trades on Demo.
    fn new() -> Self {
        let credentials = Credentials::new("synthetic-user", "synthetic-password")
            .with_app("Synthetic App", "1.0")
            .with_api_key(ClientId::Number(8), "synthetic-api-secret");
        let mut world = Self {
            server: Simulator::builder().build(),
            session: Session::new(Environment::evaluation(), credentials, 1),
            budget: RateBudget::default(),
            now: "2026-11-24T13:00:00Z".parse().unwrap(),
        };
        world.drive();
        world
    }

    /// Sends the session's requests until it has none.
    fn drive(&mut self) {
        while let Action::Send { id, request } = self.session.poll(self.now, &mut self.budget) {
            let response = self.server.handle(self.now, request);
            self.session.receive(self.now, id, response, &mut self.budget);
        }
    }

    /// Connects a socket to the session's URL and authorizes it. Returns the server's answer, or the verdict on a
    /// refusal.
    fn socket(&mut self, purpose: Purpose) -> Result<String, Verdict> {
        let token = self.session.token(self.now).unwrap();
        let url = self.session.environment().websocket_url(purpose).unwrap();
        let text = match purpose {
            Purpose::MarketData => token.market_data_token.as_ref().unwrap().expose(),
            _ => token.access_token.expose(),
        };
        match self.server.connect(self.now, Request::get(url).body("").unwrap()) {
            Ok(socket) => {
                self.server.socket_poll(self.now, socket);
                let output = self.server.socket_receive(self.now, socket, &format!("authorize\n1\n\n{text}"));
                Ok(output.frames.concat())
            }
            Err(refusal) => {
                let (status, body) = (refusal.status(), refusal.body());
                assert_eq!(status, StatusCode::MISDIRECTED_REQUEST);
                Err(self.session.rejected(self.now, token.generation, status, body, &mut self.budget))
            }
        }
    }
}

#[test]
fn each_kind_of_socket_is_authorized_at_its_host_with_its_token() {
    let mut world = World::new();
    for purpose in PURPOSES {
        assert_eq!(world.socket(purpose).unwrap(), r#"a[{"s":200,"i":1}]"#, "{purpose:?}");
    }
}

#[test]
fn after_a_host_change_a_socket_connects_to_the_new_host_after_one_renewal() {
    for refused_first in PURPOSES {
        let mut world = World::new();
        let hosts = ApiHosts::standard()
            .with("demo", "acme-demo.eval.ninjatrader.com")
            .with("mdDemo", "acme-md-demo.eval.ninjatrader.com");
        world.server.move_hosts("synthetic-user", hosts);
        assert_eq!(world.socket(refused_first), Err(Verdict::Moved));
        world.drive();
        for purpose in PURPOSES {
            assert_eq!(world.socket(purpose).unwrap(), r#"a[{"s":200,"i":1}]"#, "{purpose:?}");
        }
        assert_eq!((world.server.statistics().logins, world.server.statistics().renewals), (1, 1));
    }
}
