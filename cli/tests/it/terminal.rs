//! Tests a login at a terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::support::{PASSWORD, SEC, USER, run, user};

pub(crate) fn login_asks_for_credentials_at_the_terminal_and_shows_no_secret() {
    let user = user();
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let path = ptsname(&ours, Vec::new()).unwrap();
    let theirs = || Stdio::from(open(path.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap());
    // `setsid` gives the program this terminal, as a shell does.
    let mut command = Command::new("setsid");
    command.args(["--ctty", "--wait", env!("CARGO_BIN_EXE_tradovate-auth"), "login"]);
    command.env_clear().env("HOME", user.home.path()).env("PATH", std::env::var_os("PATH").unwrap());
    command.env("TRADOVATE_API_URL", user.server.base_url());
    let mut child = command.stdin(theirs()).stdout(theirs()).stderr(theirs()).spawn().unwrap();
    drop(command);

    let mut terminal = File::from(ours);
    let mut reader = terminal.try_clone().unwrap();
    let (sender, shown) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = [0; 256];
        // The read fails when the program has ended.
        while let Ok(count @ 1..) = reader.read(&mut bytes) {
            sender.send(String::from_utf8_lossy(&bytes[..count]).into_owned()).unwrap();
        }
    });
    let mut all = String::new();
    for (question, answer) in [
        ("User name: ", USER),
        ("Password: ", PASSWORD),
        ("Name of the API key (empty for none): ", "Synthetic App"),
        ("Version of the app (empty for none): ", "1.0"),
        ("cid of the API key (empty for none): ", "8"),
        ("sec of the API key (empty for none): ", SEC),
        ("Device id, always the same on this machine (empty for none): ", "device"),
    ] {
        while !all.ends_with(question) {
            all += &shown.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| panic!("no {question} in {all}"));
        }
        // A person types only after the echo was switched off, which happens after the question.
        let is_secret = [PASSWORD, SEC].contains(&answer);
        let echoes = || tcgetattr(&terminal).unwrap().local_modes.contains(LocalModes::ECHO);
        let start = Instant::now();
        while echoes() == is_secret {
            assert!(start.elapsed() < Duration::from_secs(20), "the terminal echoes {question}: {}", echoes());
            thread::yield_now();
        }
        writeln!(terminal, "{answer}").unwrap();
    }
    while let Ok(text) = shown.recv_timeout(Duration::from_secs(20)) {
        all += &text;
    }
    assert!(child.wait().unwrap().success(), "{all}");
    assert!(all.contains("logged in as synthetic-user (user "), "{all}");
    assert!(!all.contains(PASSWORD) && !all.contains(SEC), "{all}");
    assert_eq!(run(&mut user.without_variables(&["status"])).code, 0);
}
