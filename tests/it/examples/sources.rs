//! What users copy: each folder is a whole program, and ends with a sentence where something is wrong.

use std::fs;
use std::path::{Path, PathBuf};

use super::{failure, run, variables};

/// All but `drive`, which the drivers share.
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
fn an_error_is_printed_as_a_sentence_and_nothing_panics() {
    for (file, text) in sources() {
        let panics = ["unreachable!", "panic!", "todo!", ".unwrap()", ".expect("];
        for never in panics.into_iter().chain(["main() -> Result", "http://0.0.0.0", "/order/list"]) {
            assert!(!text.contains(never), "{never} in {}", file.display());
        }
    }
}

#[test]
fn an_unknown_environment_is_a_sentence_of_each_program() {
    let variables = variables("");
    let variables = variables[1..].iter().copied();
    for folder in programs() {
        let name = folder.file_name().unwrap().to_str().unwrap();
        if ["day", "many-users"].contains(&name) {
            continue; // on simulated days
        }
        let more =
            [("TRADOVATE_ENVIRONMENT", "nowhere"), ("TRADOVATE_CLIENT_ID", "app"), ("TRADOVATE_REDIRECT_PORT", "0")];
        let output = run(name, variables.clone().chain(more));
        assert!(failure(&output).contains("TRADOVATE_ENVIRONMENT"), "{name}: {output:?}");
    }
}

/// A folder can be copied as it is, so a module that two programs need is in both.
#[test]
fn a_module_that_two_programs_have_is_the_same_in_both() {
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

/// What `cargo test` runs is built from the same files as what a user starts.
#[test]
fn each_folder_is_a_program_of_the_tests() {
    let manifest = include_str!("../../Cargo.toml");
    for folder in programs() {
        let name = folder.file_name().unwrap().to_str().unwrap();
        assert!(manifest.contains(&format!("path = \"../examples/{name}/src/main.rs\"")), "{name}");
    }
}
