//! Tests of the examples' sources, which users copy: each folder is a complete program that reports errors as
//! sentences.

use std::fs;
use std::path::{Path, PathBuf};

use super::{failure, run, variables};

/// The folders of all examples except for `drive`, which is a library.
fn programs() -> Vec<PathBuf> {
    folders().into_iter().filter(|folder| folder.join("src/main.rs").is_file()).collect()
}

fn folders() -> Vec<PathBuf> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    fs::read_dir(examples).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn sources() -> Vec<(PathBuf, String)> {
    let files = folders().into_iter().flat_map(|folder| fs::read_dir(folder.join("src")).unwrap());
    let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.into_iter().map(|file| (file.clone(), fs::read_to_string(file).unwrap())).collect()
}

#[test]
fn no_example_can_panic_or_return_an_error_from_main() {
    for (file, text) in sources() {
        let panics = ["unreachable!", "panic!", "todo!", ".unwrap()", ".expect("];
        for never in panics.into_iter().chain(["main() -> Result", "http://0.0.0.0", "/order/list"]) {
            assert!(!text.contains(never), "{never} in {}", file.display());
        }
    }
}

#[test]
fn each_example_explains_an_unknown_environment() {
    let variables = variables("");
    let variables = variables[1..].iter().copied();
    for folder in programs() {
        let name = folder.file_name().unwrap().to_str().unwrap();
        if ["day", "many-users"].contains(&name) {
            continue; // these simulate days and read no variables
        }
        let more =
            [("TRADOVATE_ENVIRONMENT", "nowhere"), ("TRADOVATE_CLIENT_ID", "app"), ("TRADOVATE_REDIRECT_PORT", "0")];
        let output = run(name, variables.clone().chain(more));
        assert!(failure(&output).contains("TRADOVATE_ENVIRONMENT"), "{name}: {output:?}");
    }
}

/// Users can copy a single folder, so a module that two programs need is in both folders.
#[test]
fn shared_modules_are_equal_in_all_examples() {
    let sources = sources();
    let mut twins = 0;
    for (file, text) in &sources {
        for (other, other_text) in &sources {
            if file < other
                && file.file_name() == other.file_name()
                && !file.ends_with("main.rs")
                && !file.ends_with("lib.rs")
            {
                assert_eq!(text, other_text, "{} and {}", file.display(), other.display());
                twins += 1;
            }
        }
    }
    assert_eq!(twins, 3, "arguments.rs, frame.rs and loopback.rs");
}

/// The tests run the same files that a user starts.
#[test]
fn each_example_is_built_for_the_tests() {
    let manifest = include_str!("../../Cargo.toml");
    for folder in programs() {
        let name = folder.file_name().unwrap().to_str().unwrap();
        assert!(manifest.contains(&format!("path = \"../examples/{name}/src/main.rs\"")), "{name}");
    }
}
