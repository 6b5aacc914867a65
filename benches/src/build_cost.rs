//! What it costs to build: the crates a dependency brings, and the time to build them all from nothing.
//!
//! Each is the only dependency of a package made for it in a temporary folder, with the versions of this workspace's
//! lock file. Nothing is downloaded: what this workspace has been built from is there.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// The argument that has the builds timed.
pub(crate) const COMMAND: &str = "build-cost";

/// What is depended on: what it is called in the table, and its lines of a manifest, where `ROOT` is this workspace.
const DEPENDENCIES: [(&str, &str); 7] = [
    ("tradovate-auth", "tradovate-auth = { path = \"ROOT\" }"),
    (
        "`http`, `serde`, `serde_json`, `thiserror`, `secrecy`, `jiff`",
        r#"http = "1.2"
jiff = { version = "1.0", default-features = false, features = ["alloc", "serde"] }
secrecy = "0.10"
serde = { version = "1.0.220", default-features = false, features = ["alloc", "derive"] }
serde_json = { version = "1.0.145", default-features = false, features = ["std"] }
thiserror = { version = "2", default-features = false }"#,
    ),
    ("`oauth2` without its HTTP clients", r#"oauth2 = { version = "5.0", default-features = false }"#),
    ("tradovate-auth with `ureq`", r#"tradovate-auth = { path = "ROOT", features = ["ureq"] }"#),
    ("`ureq`", r#"ureq = { version = "3.1", default-features = false, features = ["gzip", "rustls"] }"#),
    ("tradovate-auth with `reqwest`", r#"tradovate-auth = { path = "ROOT", features = ["reqwest"] }"#),
    (
        "`reqwest`",
        r#"reqwest = { version = "0.13", default-features = false, features = ["gzip", "rustls", "system-proxy"] }"#,
    ),
];

/// Prints how many crates each brings.
pub(crate) fn count() {
    println!("\nCrates that are built\n\n| | crates |\n|---|---|");
    for (name, dependencies) in DEPENDENCIES {
        println!("| {name} | {} |", Package::new(dependencies).crates());
    }
}

/// Prints that, and how long each takes to be built.
pub(crate) fn measure() {
    println!("| | crates | seconds | ratio |\n|---|---|---|---|");
    let mut reference = None;
    for (name, dependencies) in DEPENDENCIES {
        let package = Package::new(dependencies);
        let seconds = package.build();
        let ratio = seconds / *reference.get_or_insert(seconds);
        println!("| {name} | {} | {seconds:.1} | {ratio:.2} |", package.crates());
    }
}

/// A package in a folder of its own, which goes with this value.
struct Package(PathBuf);

impl Package {
    fn new(dependencies: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is in a workspace");
        let dependencies = dependencies.replace("ROOT", &root.display().to_string());
        let folder = env::temp_dir().join(format!("tradovate-auth-build-{}", std::process::id()));
        fs::create_dir_all(folder.join("src")).expect("a folder");
        let manifest = format!(
            "[package]\nname = \"scratch\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n{dependencies}\n"
        );
        fs::write(folder.join("Cargo.toml"), manifest).expect("a manifest");
        fs::write(folder.join("src/lib.rs"), "").expect("a library");
        fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).expect("the versions of this workspace");
        Self(folder)
    }

    fn cargo(&self, command: &str) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // Settings of this run are not those of a user's build.
        cargo.env_remove("RUSTFLAGS").env_remove("RUSTC_WRAPPER").env("CARGO_TARGET_DIR", self.0.join("target"));
        cargo.current_dir(&self.0).args([command, "--offline", "--quiet"]);
        cargo
    }

    /// How many crates are built for this machine, without those that only build others.
    fn crates(&self) -> usize {
        let tree = self.cargo("tree").args(["-e", "normal", "--prefix", "none"]).output().expect("cargo runs");
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        let tree = String::from_utf8_lossy(&tree.stdout);
        let crates: BTreeSet<_> = tree.lines().map(|line| line.trim_end_matches(" (*)")).collect();
        // The first is the package itself.
        crates.len() - 1
    }

    fn build(&self) -> f64 {
        let start = Instant::now();
        let built = self.cargo("build").arg("--release").stdout(Stdio::null()).status().expect("cargo runs");
        assert!(built.success(), "the package is built");
        start.elapsed().as_secs_f64()
    }
}

impl Drop for Package {
    fn drop(&mut self) {
        // What is left of it is in a folder for what is temporary.
        let _ = fs::remove_dir_all(&self.0);
    }
}
