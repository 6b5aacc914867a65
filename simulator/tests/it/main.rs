//! The simulator over real sockets, by a client that knows nothing but `std`.

mod binary;
mod client;
mod front;
