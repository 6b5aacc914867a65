//! Checks that each sample answer and each report has a source: the README of its folder has one row for each file.

use std::fs;
use std::path::Path;

/// The folders of sample answers, and of reports from real accounts.
const FOLDERS: [&str; 2] = ["core/tests/fixtures", "vectors/observed"];

/// The problems of a folder's README, if the folder has these files.
fn problems(readme: &str, files: &[String]) -> Vec<String> {
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    let rows: Vec<_> = rows.collect();
    let row_of = |file: &str| rows.iter().find(|(name, _)| *name == file);
    let has_source = |cells: &str| {
        let mut cells = cells.split('|').map(str::trim);
        cells.any(|cell| ["spec ", "guide \"", "field (", "synthetic"].iter().any(|kind| cell.starts_with(kind)))
    };
    let of_files = files.iter().filter_map(|file| match row_of(file) {
        None => Some(format!("{file}: no row says where it comes from")),
        Some((_, cells)) if !has_source(cells) => Some(format!("{file}: its row names no source")),
        Some(_) => None,
    });
    let gone = rows.iter().filter(|(name, _)| !files.iter().any(|file| file == name));
    of_files.chain(gone.map(|(name, _)| format!("{name}: there is no such file"))).collect()
}

#[test]
fn every_sample_answer_has_a_source() {
    for folder in FOLDERS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
        let names = fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        let names = names.map(|name| name.into_string().expect("a plain name"));
        let files: Vec<_> = names.filter(|name| name != "README.md").collect();
        assert!(!files.is_empty(), "{} is empty", folder.display());
        let readme = fs::read_to_string(folder.join("README.md")).expect("a README");
        assert_eq!(problems(&readme, &files), [""; 0], "{}", folder.display());
    }
}

#[test]
fn missing_rows_sources_and_files_are_reported() {
    let readme = "| file | shape after |\n|---|---|\n| `a.json` | spec 2021 |\n| `b.json` | a friend |\n| `c.json` | guide \"X\" |\n";
    let files = ["a.json", "b.json", "d.json"].map(String::from);
    assert_eq!(
        problems(readme, &files),
        ["b.json: its row names no source", "d.json: no row says where it comes from", "c.json: there is no such file",]
    );
}
