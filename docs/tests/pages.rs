//! What the pages name exists: the files and headings that they link to, and the packages of their commands.

use std::fs;
use std::path::{Path, PathBuf};

/// The pages that readers begin with, and the folder of the others.
const PAGES: [&str; 5] = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "simulator/README.md"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is a folder of the repository").into()
}

fn pages() -> Vec<PathBuf> {
    let folder = fs::read_dir(root().join("docs")).expect("the folder of the pages");
    let in_folder = folder.map(|entry| entry.expect("an entry").path());
    let in_folder = in_folder.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    PAGES.iter().map(|page| root().join(page)).chain(in_folder).collect()
}

/// The targets of `[text](target)` that are not on the web.
fn links(page: &str) -> Vec<&str> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.starts_with("http")).collect()
}

/// The anchor that Markdown viewers give a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn has_heading(page: &str, wanted: &str) -> bool {
    let headings = page.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#'));
    headings.map(anchor).any(|anchor| anchor == wanted)
}

#[test]
fn every_link_leads_to_a_file_or_a_heading() {
    let mut broken = Vec::new();
    let mut checked = 0;
    for path in pages() {
        let page = fs::read_to_string(&path).expect("a page");
        for link in links(&page) {
            let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
            let target = if file.is_empty() { path.clone() } else { path.with_file_name("").join(file) };
            let leads = match heading {
                None => target.exists(),
                Some(heading) => fs::read_to_string(&target).is_ok_and(|page| has_heading(&page, heading)),
            };
            checked += 1;
            if !leads {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(checked > 20, "only {checked} links were found");
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The names of the packages of this workspace.
fn packages() -> String {
    let folders = fs::read_dir(root().join("examples")).expect("the folder of the examples");
    let examples = folders.map(|entry| entry.expect("an entry").path());
    let others =
        ["", "benches", "core", "docs", "session", "simulator", "tests", "tests/campaign", "tests/fuzz-targets"];
    let folders = examples.chain(others.map(|folder| root().join(folder)));
    folders.filter_map(|folder| fs::read_to_string(folder.join("Cargo.toml")).ok()).collect()
}

#[test]
fn every_command_names_a_package_of_the_workspace() {
    let packages = packages();
    let mut unknown = Vec::new();
    for path in pages() {
        let page = fs::read_to_string(&path).expect("a page");
        for words in page.lines().map(|line| line.split([' ', '`', ',']).collect::<Vec<_>>()) {
            for name in words.windows(2).filter(|pair| pair[0] == "-p").map(|pair| pair[1]) {
                if !packages.contains(&format!("name = \"{name}\"\n")) {
                    unknown.push(format!("{}: {name}", path.display()));
                }
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}
