//! Questions on the terminal, for what no variable says.

use std::io::{self, IsTerminal as _, Write as _};

use crate::variables::{CLIENT_ID, PASSWORD, SEC, USERNAME, Variables};

/// What is asked for a login by password. An empty answer to one of the API key sends none.
const OF_USER: [(&str, &str); 7] = [
    (USERNAME, "User name"),
    (PASSWORD, "Password"),
    ("TRADOVATE_APP_ID", "Name of the API key (empty for none)"),
    ("TRADOVATE_APP_VERSION", "Version of the app (empty for none)"),
    ("TRADOVATE_CID", "cid of the API key (empty for none)"),
    (SEC, "sec of the API key (empty for none)"),
    ("TRADOVATE_DEVICE_ID", "Device id, always the same on this machine (empty for none)"),
];

const OF_APP: [(&str, &str); 1] = [(CLIENT_ID, "client_id of the app")];

/// Asks for what is missing, if this is a terminal. Returns whether something was asked.
pub(crate) fn complete(variables: &mut Variables, is_app: bool) -> io::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    let mut has_asked = false;
    for (name, question) in if is_app { OF_APP.as_slice() } else { &OF_USER } {
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
