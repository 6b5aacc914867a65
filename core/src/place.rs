//! Where requests go: environments, their URLs, and the hosts that the server names.

pub(crate) mod environment;
pub(crate) mod hosts;
pub(crate) mod url;
