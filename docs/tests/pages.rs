//! Checks that the things that pages name exist: link targets, packages in commands, and on the pages about the code,
//! files, functions and tests.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The main pages, and pages in folders of their own.
const PAGES: [&str; 9] = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "simulator/README.md",
    "core/tests/fixtures/README.md",
    "cli/README.md",
    "vectors/README.md",
    "vectors/observed/README.md",
];

/// The folders whose pages are all checked.
const FOLDERS: [&str; 2] = ["docs", "docs/contract"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is a folder of the repository").into()
}

fn pages() -> Vec<PathBuf> {
    let entries = FOLDERS.iter().flat_map(|folder| fs::read_dir(root().join(folder)).expect("a folder of pages"));
    let in_folder = entries.map(|entry| entry.expect("an entry").path());
    let in_folder = in_folder.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    PAGES.iter().map(|page| root().join(page)).chain(in_folder).collect()
}

/// The targets of links of the form `[text](target)`, without those on the web.
fn links(page: &str) -> Vec<&str> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.starts_with("http")).collect()
}

/// The anchor that Markdown viewers generate for a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn has_heading(page: &str, wanted: &str) -> bool {
    let headings = page.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#'));
    headings.map(anchor).any(|anchor| anchor == wanted)
}

#[test]
fn every_link_in_a_page_has_a_target() {
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

/// The programs and statements of a page between lines of three backticks.
fn block<'p>(page: &'p str, language: &str) -> &'p str {
    let (_, rest) = page.split_once(&format!("```{language}\n")).expect("the page has such a block");
    rest.split_once("```").expect("the block has an end").0
}

#[test]
fn the_store_in_the_documentation_equals_the_tested_example() {
    let page = fs::read_to_string(root().join("docs/stores.md")).expect("the page");
    for (language, file) in [("rs", "lib.rs"), ("sql", "schema.sql")] {
        let tested = fs::read_to_string(root().join("examples/postgres-store/src").join(file)).expect("the example");
        assert_eq!(block(&page, language), tested, "docs/stores.md and examples/postgres-store/src/{file} differ");
    }
}

/// The names of this workspace's packages.
fn packages() -> String {
    let folders = fs::read_dir(root().join("examples")).expect("the folder of the examples");
    let examples = folders.map(|entry| entry.expect("an entry").path());
    let others = [
        "",
        "benches",
        "cli",
        "core",
        "docs",
        "session",
        "simulator",
        "tests",
        "tests/campaign",
        "tests/fuzz-targets",
        "tests/small-scope",
        "store",
        "store-redis",
    ];
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

/// The pages about the code.
const OF_THE_CODE: [&str; 2] = ["docs/architecture.md", "docs/laws.md"];

/// The paths of all files in a folder, without build results and hidden files.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        let name = entry.file_name();
        let is_skipped = name == "target" || (name.to_string_lossy().starts_with('.') && name != ".ci");
        match entry.path() {
            _ if is_skipped => {}
            path if path.is_dir() => found.extend(files(&path)),
            path => found.push(path),
        }
    }
    found
}

/// The code spans of a page, without its diagrams and programs.
fn code_spans(page: &str) -> Vec<&str> {
    let text = page.split("```").step_by(2);
    text.flat_map(|text| text.split('`').skip(1).step_by(2)).collect()
}

/// The last name of a path such as `Outcome::of`; `None` for a header, a host or a text.
fn identifier(span: &str) -> Option<&str> {
    let is_path = span.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'));
    span.rsplit("::").next().filter(|_| is_path)
}

fn words(source: &str) -> HashSet<&str> {
    source.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect()
}

fn is_source(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "rs")
}

/// The names in parentheses after the name of a source file, such as `file.rs` (`f`, `g`), each with the file.
fn names_in_files(page: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for text in page.split("```").step_by(2) {
        let (mut file, mut is_open) = (None, false);
        for pair in text.split('`').collect::<Vec<_>>().chunks_exact(2) {
            let (between, span) = (pair[0], pair[1]);
            let is_inside = between.trim_start().starts_with('(') || is_open && !between.contains(')');
            (file, is_open) = match file {
                _ if is_source(Path::new(span)) => (Some(span), false),
                file => (file.filter(|_| is_inside), is_inside),
            };
            found.extend(file.filter(|_| is_open).zip(identifier(span)));
        }
    }
    found
}

#[test]
fn functions_that_a_page_names_after_a_file_are_in_this_file() {
    let root = root();
    let files = files(&root);
    let pages = OF_THE_CODE.map(|page| fs::read_to_string(root.join(page)).expect("a page"));
    let names: Vec<_> = pages.iter().flat_map(|page| names_in_files(page)).collect();
    let is_there = |&(file, name): &(&str, &str)| {
        let mut paths = files.iter().filter(|path| path.ends_with(file));
        paths.any(|path| words(&fs::read_to_string(path).expect("a file")).contains(name))
    };
    let elsewhere: Vec<_> = names.iter().filter(|named| !is_there(named)).collect();
    assert!(names.len() > 40, "the pages name only {} functions after a file", names.len());
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
}

#[test]
fn files_functions_and_tests_that_a_page_names_exist() {
    let root = root();
    let files = files(&root);
    let is_file_or_folder = |name: &str| root.join(name).exists() || files.iter().any(|file| file.ends_with(name));
    let sources = files.iter().filter(|file| is_source(file)).filter_map(|file| fs::read_to_string(file).ok());
    let sources: String = sources.collect();
    let words = words(&sources);
    for name in OF_THE_CODE {
        let page = fs::read_to_string(root.join(name)).expect("a page");
        let exists = |span: &&str| match identifier(span) {
            Some(identifier) => words.contains(identifier),
            None if span.contains('/') || is_source(Path::new(span)) => is_file_or_folder(span),
            None => true,
        };
        let spans = code_spans(&page);
        let unknown: Vec<_> = spans.iter().filter(|span| !exists(span)).collect();
        assert!(spans.len() > 50, "{name} names only {} things", spans.len());
        assert!(unknown.is_empty(), "{name} names what doesn't exist: {unknown:#?}");
    }
}
