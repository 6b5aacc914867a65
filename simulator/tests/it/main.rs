//! Tests of the simulator over real connections, with clients that share no types with it.

mod binary;
mod client;
mod control;
mod http_server;
mod scripts;
mod sockets;
