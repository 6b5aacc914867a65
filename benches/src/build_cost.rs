//! Measures the cost of a clean build: crates, compilation units and CPU seconds.
//!
//! Each dependency is the only one of a temporary package, with the versions of this workspace's lock file. Nothing is
//! downloaded, because this workspace was built from the same crates.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The argument that starts the measurement of builds.
pub(crate) const COMMAND: &str = "build-cost";

/// The usage of the command.
pub(crate) const USAGE: &str = "build-cost [--release] [--before CHECKOUT]";

/// A dependency: its name in the table, its manifest lines (`ROOT` is this workspace), and the highest cost relative to
/// the reference of its group, if it has a limit.
struct Dependency {
    name: &'static str,
    manifest: &'static str,
    limit: Option<f64>,
}

const fn reference(name: &'static str, manifest: &'static str) -> Dependency {
    Dependency { name, manifest, limit: None }
}

/// The dependencies in groups. The first of each group is its reference.
const GROUPS: [&[Dependency]; 3] = [
    &[
        reference(
            "`http`, `serde`, `serde_json`, `thiserror`, `secrecy`, `jiff`",
            r#"http = "1.2"
jiff = { version = "1.0", default-features = false, features = ["alloc", "serde"] }
secrecy = "0.10"
serde = { version = "1.0.220", default-features = false, features = ["alloc", "derive"] }
serde_json = { version = "1.0.145", default-features = false, features = ["std"] }
thiserror = { version = "2", default-features = false }"#,
        ),
        Dependency { name: "tradovate-auth", manifest: r#"tradovate-auth = { path = "ROOT" }"#, limit: Some(1.3) },
        Dependency {
            name: "`oauth2` without its HTTP clients",
            manifest: r#"oauth2 = { version = "5.0", default-features = false }"#,
            limit: None,
        },
    ],
    &[
        reference("`ureq`", r#"ureq = { version = "3.1", default-features = false, features = ["gzip", "rustls"] }"#),
        Dependency {
            name: "tradovate-auth with `ureq`",
            manifest: r#"tradovate-auth = { path = "ROOT", features = ["ureq"] }"#,
            limit: Some(1.5),
        },
    ],
    &[
        reference(
            "`reqwest` with `ring`",
            r#"reqwest = { version = "0.13", default-features = false, features = ["gzip", "rustls-no-provider", "system-proxy"] }
rustls = { version = "0.23", default-features = false, features = ["ring", "std", "tls12"] }
webpki-roots = { version = "1.0", default-features = false }"#,
        ),
        Dependency {
            name: "tradovate-auth with `reqwest`",
            manifest: r#"tradovate-auth = { path = "ROOT", features = ["reqwest"] }"#,
            limit: Some(1.15),
        },
    ],
];

/// The commands that a newcomer runs: the package now, and the name of the example in an earlier checkout.
const COMMANDS: [(&str, &str); 2] = [("quickstart", "quickstart"), ("quickstart-async", "quickstart_async")];

/// Prints how many crates each dependency adds.
pub(crate) fn count() {
    println!("\nCrates that are built\n\n| | crates |\n|---|---|");
    for dependency in GROUPS.into_iter().flatten() {
        println!("| {} | {} |", dependency.name, Package::new(dependency.manifest).crates());
    }
}

/// Prints the costs of builds: of the dependencies in the dev or release profile, and of the commands, compared with an
/// earlier checkout if there is one. Returns the usage if an argument is unknown.
pub(crate) fn measure(arguments: &[String]) -> Result<(), &'static str> {
    let (mut release, mut before) = (false, None);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--release" => release = true,
            "--before" => before = Some(PathBuf::from(arguments.next().ok_or(USAGE)?)),
            _ => return Err(USAGE),
        }
    }
    dependencies(if release { &["--release"] } else { &[] });
    commands(before.as_deref());
    Ok(())
}

fn dependencies(profile: &[&str]) {
    let title = if profile.is_empty() { "dev" } else { "release" };
    println!(
        "| dependency, {title} profile | crates | units | CPU seconds | ratio | at most |\n|---|---|---|---|---|---|"
    );
    for group in GROUPS {
        let mut reference = None;
        for Dependency { name, manifest, limit } in group {
            let package = Package::new(manifest);
            let Cost { units, seconds } = package.build(profile);
            let ratio = seconds / *reference.get_or_insert(seconds);
            let limit = limit.map_or_else(String::new, |limit| limit.to_string());
            println!("| {name} | {} | {units} | {seconds:.1} | {ratio:.2} | {limit} |", package.crates());
        }
    }
}

fn commands(before: Option<&Path>) {
    println!(
        "\n| command | units | CPU seconds | units before | CPU seconds before | ratio |\n|---|---|---|---|---|---|"
    );
    for (package, example) in COMMANDS {
        let now = build(root(), &["--package", package]);
        print!("| `cargo run -p {package}` | {} | {:.1} |", now.units, now.seconds);
        if let Some(checkout) = before {
            let then = build(checkout, &["--all-features", "--example", example]);
            println!(" {} | {:.1} | {:.2} |", then.units, then.seconds, now.seconds / then.seconds);
        } else {
            println!(" | | |");
        }
    }
}

/// The cost of one build.
struct Cost {
    /// The number of crates, build scripts and build script runs.
    units: usize,
    /// The CPU time of cargo and its children, in user and system mode.
    seconds: f64,
}

/// Builds the package in a folder, with a target folder of its own.
fn build(folder: &Path, arguments: &[&str]) -> Cost {
    let target = env::temp_dir().join(format!("tradovate-auth-target-{}", std::process::id()));
    let start = cpu_seconds();
    let mut cargo = cargo(folder, "build", &target);
    let built = cargo.arg("--message-format=json").args(arguments).stderr(Stdio::inherit()).output();
    let seconds = cpu_seconds() - start;
    // A remainder is in the folder for temporary files.
    let _ = fs::remove_dir_all(&target);
    let built = built.expect("cargo runs");
    assert!(built.status.success(), "{} is not built", folder.display());
    let unit = |line: &&str| {
        line.starts_with(r#"{"reason":"compiler-artifact""#) || line.starts_with(r#"{"reason":"build-script-executed""#)
    };
    Cost { units: String::from_utf8_lossy(&built.stdout).lines().filter(unit).count(), seconds }
}

fn cargo(folder: &Path, command: &str, target: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // The settings of this run must not affect the measured build.
    cargo.env_remove("RUSTFLAGS").env_remove("RUSTC_WRAPPER").env("CARGO_TARGET_DIR", target);
    cargo.current_dir(folder).args([command, "--offline", "--quiet"]);
    cargo
}

/// The CPU time of all ended children of this process, and of their children.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("this is measured on Linux");
    // The second field is a name in parentheses and can contain anything. `cutime` and `cstime` are the 16th and 17th
    // fields.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    let ticks: u32 = fields.skip(13).take(2).map(|field| field.parse::<u32>().expect("a number of ticks")).sum();
    // On Linux, a tick is a hundredth of a second for programs.
    f64::from(ticks) / 100.0
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is in a workspace")
}

/// A package in a temporary folder, which is removed when this is dropped.
struct Package(PathBuf);

impl Package {
    fn new(dependencies: &str) -> Self {
        let dependencies = dependencies.replace("ROOT", &root().display().to_string());
        let folder = env::temp_dir().join(format!("tradovate-auth-build-{}", std::process::id()));
        fs::create_dir_all(folder.join("src")).expect("a folder");
        // Cargo builds registry dependencies without incremental compilation.
        let manifest = format!(
            "[package]\nname = \"scratch\"\nedition = \"2024\"\n\n[workspace]\n\n[profile.dev]\nincremental = false\n\n\
             [dependencies]\n{dependencies}\n"
        );
        fs::write(folder.join("Cargo.toml"), manifest).expect("a manifest");
        fs::write(folder.join("src/lib.rs"), "").expect("a library");
        fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).expect("the versions of this workspace");
        Self(folder)
    }

    /// How many crates are built for the target, without build dependencies.
    fn crates(&self) -> usize {
        let mut cargo = cargo(&self.0, "tree", &self.0.join("target"));
        let tree = cargo.args(["-e", "normal", "--prefix", "none"]).output().expect("cargo runs");
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        let tree = String::from_utf8_lossy(&tree.stdout);
        let crates: BTreeSet<_> = tree.lines().map(|line| line.trim_end_matches(" (*)")).collect();
        // The first one is the package itself.
        crates.len() - 1
    }

    fn build(&self, profile: &[&str]) -> Cost {
        build(&self.0, profile)
    }
}

impl Drop for Package {
    fn drop(&mut self) {
        // A remainder is in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}
