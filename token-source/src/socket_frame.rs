//! The first frame of a socket, which contains a token.

use crate::token::Token;

impl Token {
    /// The frame that authorizes a trading socket (page *Sockets*). The answer to the frame will have the number
    /// `request_id`. The frame contains the token: don't print it.
    #[must_use]
    //= R-SOCKET-2
    pub fn authorize_frame(&self, request_id: u64) -> String {
        frame(request_id, self.0.access_token.expose())
    }

    /// The frame that authorizes a market data socket. `None` if the user has no market data token. A market data
    /// socket does not accept an access token.
    #[must_use]
    //= R-SOCKET-7
    //= R-SOCKET-8
    pub fn market_data_authorize_frame(&self, request_id: u64) -> Option<String> {
        self.market_data_token().map(|token| frame(request_id, token.expose()))
    }
}

fn frame(request_id: u64, token: &str) -> String {
    format!("authorize\n{request_id}\n\n{token}")
}
