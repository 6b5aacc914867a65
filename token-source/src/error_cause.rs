//! The cause of an I/O error, as a short text for events.

use std::error::Error;
use std::io;

use tradovate_auth_core::CallError;

/// The cause of an error of the HTTP client: the kind of an operating system error, otherwise the text of the innermost
/// error. The outer errors only say where the error happened, and may contain a URL.
pub(crate) fn cause(error: &CallError) -> String {
    let CallError::Io { source, .. } = error else { return error.to_string() };
    let mut cause: &(dyn Error + 'static) = source.as_ref();
    while let Some(inner) = within(cause) {
        cause = inner;
    }
    match cause.downcast_ref::<io::Error>() {
        Some(error) if error.raw_os_error().is_some() => error.kind().to_string(),
        _ => cause.to_string(),
    }
}

/// The inner error. The standard `source` of an I/O error skips the error that it was made from.
fn within<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    let made_from = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    made_from.map(|error| error as &(dyn Error + 'static)).or_else(|| error.source())
}

#[cfg(test)]
mod tests {
    use tradovate_auth_core::{BuildError, Failure};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("error sending request for url (https://user:canary-secret@proxy/)")]
    struct Outer(#[source] io::Error);

    #[test]
    fn the_cause_of_an_error_is_its_innermost_error() {
        // A port on which nobody listens.
        let refused = std::net::TcpStream::connect("127.0.0.1:1").unwrap_err();
        let of = |error| cause(&CallError::io(Failure::NotSent, "a.example", Outer(error)));
        assert_eq!(of(refused), "connection refused");
        assert_eq!(of(io::Error::other(BuildError::Unwritable)), "the request can't be written as JSON");
        assert_eq!(of(io::Error::from(io::ErrorKind::TimedOut)), "timed out");
        let cut_off = io::Read::read_exact(&mut io::empty(), &mut [0]).unwrap_err();
        assert_eq!(of(cut_off), "failed to fill whole buffer");
        assert_eq!(cause(&BuildError::Unwritable.into()), "the request can't be written as JSON");
    }
}
