//! Counts instructions with valgrind's callgrind, in which this program runs itself.
//!
//! One run measures all cases: callgrind counts only inside of [`counted_by_callgrind`], and writes its total whenever
//! that function returns.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use crate::cases::Table;

/// The argument with which this program runs itself in valgrind.
pub(crate) const COUNTED: &str = "counted";

const COLLECT: &str = "--toggle-collect=benches::callgrind::counted_by_callgrind";
const DUMP: &str = "--dump-after=benches::callgrind::counted_by_callgrind";

/// How often each case runs to be counted. Before that, it runs a few times as a warm-up.
const COUNTED_RUNS: u32 = 32;

/// The instructions of each case of each table, in order; `None` if valgrind is not installed.
pub(crate) fn measure(arguments: &[String]) -> Option<Vec<u64>> {
    Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().ok().filter(ExitStatus::success)?;
    let folder = env::temp_dir().join(format!("tradovate-auth-benches-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for the counts");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", COLLECT, DUMP])
        .arg(format!("--callgrind-out-file={}", folder.join("counts").display()))
        .arg(env::current_exe().expect("this program is a file"))
        .arg(COUNTED)
        .args(arguments)
        .output()
        .expect("valgrind runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let counts = read(&folder);
    fs::remove_dir_all(&folder).expect("the folder can go");
    // The first case does nothing. It measures the cost of a call.
    let (nothing, cases) = counts.split_first().expect("callgrind writes counts");
    Some(cases.iter().map(|count| count.saturating_sub(*nothing) / u64::from(COUNTED_RUNS)).collect())
}

fn read(folder: &Path) -> Vec<u64> {
    (1..)
        .map_while(|number| fs::read_to_string(folder.join(format!("counts.{number}"))).ok())
        .map(|text| {
            let total = text.lines().find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")));
            total.and_then(|total| total.trim().parse().ok()).expect("a count has a total")
        })
        .collect()
}

/// Runs the cases inside of valgrind.
pub(crate) fn run(tables: &mut [Table]) {
    counted_by_callgrind(&mut || ());
    for case in tables.iter_mut().flat_map(|table| &mut table.cases) {
        for _ in 0..4 {
            (case.work)();
        }
        counted_by_callgrind(&mut *case.work);
    }
}

#[inline(never)]
fn counted_by_callgrind(work: &mut dyn FnMut()) {
    for _ in 0..COUNTED_RUNS {
        work();
    }
}
