//! The store for Postgres against a real Postgres (Debian: `postgresql`). Without one the tests are ignored, unless
//! `TRADOVATE_AUTH_POSTGRES=required` is set.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use postgres_store::{PostgresStore, SCHEMA};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_postgres::{Config, NoTls};
use tradovate_auth::store::{AsyncStore, Codec, SessionName};
use tradovate_auth::{StoreErrorKind, StoredSession};
use tradovate_auth_store::conformance::Suite;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

const MINUTE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // They wait most of the time, and the variable `RUST_TEST_THREADS` means nothing to this harness.
    arguments.test_threads.get_or_insert(8);
    let is_ignored = programs().is_none() && std::env::var("TRADOVATE_AUTH_POSTGRES").as_deref() != Ok("required");
    if is_ignored {
        eprintln!("not run: the tests of the store for Postgres need a Postgres (Debian: postgresql)");
    }
    let server = Arc::new(LazyLock::new(Server::start as fn() -> _));
    let mut trials = conformance(&server);
    trials.push(trial("a_wait_ends_when_another_process_takes_the_lease", {
        let server = Arc::clone(&server);
        move || a_wait_ends_when_another_process_takes_the_lease(&server)
    }));
    trials.push(trial("a_database_without_the_tables_is_told", move || a_database_without_the_tables_is_told(&server)));
    trials.push(trial("a_crash_of_the_server_loses_nothing", a_crash_of_the_server_loses_nothing));
    let trials = trials.into_iter().map(|trial| trial.with_ignored_flag(is_ignored)).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: &str, test: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}

/// Each check of the contract is a test of its own.
fn conformance(server: &Arc<LazyLock<Server>>) -> Vec<Trial> {
    let server = Arc::clone(server);
    let suite = Suite::of_async(
        move || PostgresStore::new(server.config("app"), Codec::plain()),
        |task| RUNTIME.block_on(task),
    );
    let suite = Arc::new(suite);
    let check = |name| {
        let suite = Arc::clone(&suite);
        Trial::test(name, move || Ok(suite.check(name)?))
    };
    suite.names().map(check).collect()
}

fn session() -> StoredSession {
    serde_json::from_str(r#"{"version":1,"userId":7}"#).unwrap()
}

fn a_wait_ends_when_another_process_takes_the_lease(server: &Server) {
    let [one, other] = [(); 2].map(|()| PostgresStore::new(server.config("app"), Codec::plain()));
    let name = SessionName::new("lease", "trader");
    RUNTIME.block_on(async {
        let take_lease = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            other.lease(&name, MINUTE).await.unwrap().unwrap();
        };
        let (told, ()) = tokio::join!(one.changed(&name, None, Duration::MAX), take_lease);
        told.unwrap();
    });
}

fn a_database_without_the_tables_is_told(server: &Server) {
    let store = PostgresStore::new(server.config("postgres"), Codec::plain());
    let error = RUNTIME.block_on(store.load(&SessionName::new("demo", "trader"))).unwrap_err();
    assert!(error.kind() == StoreErrorKind::Misconfigured && error.to_string().contains("create them"), "{error:?}");
}

fn a_crash_of_the_server_loses_nothing() {
    let mut server = Server::start();
    let store = PostgresStore::new(server.config("app"), Codec::plain());
    let name = SessionName::new("demo", "trader");
    let load = || RUNTIME.block_on(store.load(&name));
    let lease = RUNTIME.block_on(store.lease(&name, MINUTE)).unwrap().unwrap();
    let save = |known| RUNTIME.block_on(store.save(&name, &session(), known, lease)).unwrap();
    let saved = save(None);
    assert!(saved.is_some());
    server.crash();
    assert_eq!(load().unwrap_err().kind(), StoreErrorKind::Unreachable);
    server.start_again();
    assert_eq!(load().unwrap().map(|stored| stored.revision), saved);
    assert!(RUNTIME.block_on(store.lease(&name, MINUTE)).unwrap().is_none());
    assert!(save(saved).is_some());
}

/// The directory of the programs of the newest Postgres that is installed.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.map(|entry| entry.path()).max_by_key(|path| number(path))?;
    Some(newest.join("bin")).filter(|programs| programs.join("initdb").is_file())
}

/// A Postgres on a Unix socket in a directory of its own. It ends with the test.
struct Server {
    directory: TempDir,
    process: Child,
}

impl Server {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let initdb = program("initdb")
            .args(["--username=app", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(directory.path().join("data"))
            .output()
            .unwrap();
        assert!(initdb.status.success(), "{}", String::from_utf8_lossy(&initdb.stderr));
        let process = run(directory.path());
        let server = Self { directory, process };
        server.await_start();
        RUNTIME.block_on(async {
            server.execute("postgres", "CREATE DATABASE app").await;
            server.execute("app", SCHEMA).await;
        });
        server
    }

    fn config(&self, database: &str) -> Config {
        let mut config = Config::new();
        config.host_path(self.directory.path()).user("app").dbname(database);
        config
    }

    async fn execute(&self, database: &str, statements: &str) {
        let (client, connection) = self.config(database).connect(NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        client.batch_execute(statements).await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
    }

    fn await_start(&self) {
        let begun = Instant::now();
        while RUNTIME.block_on(self.config("postgres").connect(NoTls)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(30), "Postgres does not start");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends all its processes at once, without a checkpoint.
    fn crash(&mut self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-QUIT", &id]).status().unwrap().success());
        self.process.wait().unwrap();
    }

    fn start_again(&mut self) {
        self.process = run(self.directory.path());
        self.await_start();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.crash();
        }
    }
}

fn run(directory: &Path) -> Child {
    program("postgres")
        .arg("-D")
        .arg(directory.join("data"))
        .arg("-k")
        .arg(directory)
        .args(["-c", "listen_addresses=", "-c", "fsync=off"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// A program of Postgres. It refuses to run as the superuser, so it runs as the user that the package has made.
fn program(name: &str) -> Command {
    let path = programs().expect("Postgres is required, and not installed").join(name);
    if !is_superuser() {
        return Command::new(path);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(path);
    command
}

fn is_superuser() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout == b"0\n"
}
