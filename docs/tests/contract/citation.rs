//! A citation of a rule: a line `//= R-LOGIN-1` in a source file, or a case in a file of vectors.

use std::path::Path;

/// What cites the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The code below implements the rule.
    Code,
    /// The test below, or the case, fails without the rule.
    Test,
    /// The simulator implements the server's side of the rule. This does not count.
    Simulated,
    /// A citation in a test file that is not above a test.
    Stray,
}

#[derive(Debug)]
pub(crate) struct Citation {
    pub(crate) rule: String,
    /// The file and the line.
    pub(crate) place: String,
    pub(crate) kind: Kind,
}

/// The citations in a Rust file. `file` is its path from the root.
pub(crate) fn of_source(file: &str, text: &str) -> Vec<Citation> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let unit_tests = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].ends_with('{'));
    let mut citations = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(rule) = line.strip_prefix("//=") else { continue };
        let among_tests = is_of_tests(file) || unit_tests.is_some_and(|begin| at > begin);
        let kind = match (is_above_test(&lines[at..]), among_tests) {
            (true, _) => Kind::Test,
            (false, true) => Kind::Stray,
            (false, false) if file.starts_with("simulator/") => Kind::Simulated,
            (false, false) => Kind::Code,
        };
        citations.push(Citation { rule: rule.trim().into(), place: format!("{file}:{}", at + 1), kind });
    }
    citations
}

/// Whether the first line that is neither a comment nor another attribute is a test attribute.
fn is_above_test(lines: &[&str]) -> bool {
    let mut attributes =
        lines.iter().skip_while(|line| line.starts_with("//")).take_while(|line| line.starts_with('#'));
    attributes.any(|line| *line == "#[test]" || line.starts_with("#[tokio::test"))
}

/// Whether a file contains only tests.
fn is_of_tests(file: &str) -> bool {
    file.ends_with("tests.rs") || Path::new(file).components().any(|part| part.as_os_str() == "tests")
}

/// The rules that the cases in a file of vectors name.
pub(crate) fn of_vectors(file: &str, text: &str) -> Vec<Citation> {
    let mut citations = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for rest in line.split("\"rule\"").skip(1) {
            let value = rest.trim_start().strip_prefix(':').map(str::trim_start);
            if let Some(rule) =
                value.and_then(|value| value.strip_prefix('"')).and_then(|value| value.split('"').next())
            {
                citations.push(Citation { rule: rule.into(), place: format!("{file}:{}", at + 1), kind: Kind::Test });
            }
        }
    }
    citations
}
