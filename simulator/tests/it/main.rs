//! The simulator over real sockets, by clients that know nothing of its types.

mod binary;
mod client;
mod control;
mod front;
mod scripts;
mod sockets;
