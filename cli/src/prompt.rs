//! Asks on the terminal for values that no variable sets.

use std::io::{self, IsTerminal as _, Write as _};

use crate::variables::{CLIENT_ID, PASSWORD, SEC, USERNAME, Variables};

/// The questions of a password login. An empty answer about the API key means that the field is not sent.
const USER_QUESTIONS: [(&str, &str); 7] = [
    (USERNAME, "User name"),
    (PASSWORD, "Password"),
    ("TRADOVATE_APP_ID", "Name of the API key (empty for none)"),
    ("TRADOVATE_APP_VERSION", "Version of the app (empty for none)"),
    ("TRADOVATE_CID", "cid of the API key (empty for none)"),
    (SEC, "sec of the API key (empty for none)"),
    ("TRADOVATE_DEVICE_ID", "Device id, always the same on this machine (empty for none)"),
];

const APP_QUESTIONS: [(&str, &str); 1] = [(CLIENT_ID, "client_id of the app")];

/// Asks for missing values if stdin is a terminal. Returns whether it asked for any.
pub(crate) fn complete(variables: &mut Variables, is_app: bool) -> io::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    let mut has_asked = false;
    for (name, question) in if is_app { APP_QUESTIONS.as_slice() } else { &USER_QUESTIONS } {
        if variables.get(name).is_some() {
            continue;
        }
        let answer = if [PASSWORD, SEC].contains(name) {
            rpassword::prompt_password(format!("{question}: "))?
        } else {
            write!(io::stderr(), "{question}: ")?;
            let mut line = String::new();
            io::stdin().read_line(&mut line)?;
            line.trim_end_matches(['\r', '\n']).to_owned()
        };
        variables.set(name, answer);
        has_asked = true;
    }
    Ok(has_asked)
}
