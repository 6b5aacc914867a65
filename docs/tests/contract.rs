//! Checks that the rules of the wire contract (`docs/contract`) and their citations agree. Each rule has a source, code
//! that implements it, and a test. Each citation names a rule.

#[path = "contract/citation.rs"]
mod citation;
#[path = "contract/rule.rs"]
mod rule;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use citation::{Citation, Kind};
use rule::Rule;

/// Folders without citations: build results, foreign files, and the pages and their tests, which show citations as
/// examples.
const SKIPPED: [&str; 4] = ["target", ".git", "docs", "fuzz"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is a folder of the repository").into()
}

/// Finds the files with this extension in a folder and its subfolders, as paths from the root.
fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !SKIPPED.contains(&name) {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
}

fn rules() -> Vec<Rule> {
    let folder = fs::read_dir(root().join("docs/contract")).expect("the folder of the contract");
    let pages = folder.map(|entry| entry.expect("an entry").path());
    let mut pages: Vec<_> = pages.filter(|path| !path.ends_with("README.md")).collect();
    pages.sort();
    pages.iter().flat_map(|path| rule::read(&fs::read_to_string(path).expect("a page"))).collect()
}

fn citations() -> Vec<Citation> {
    let mut found = Vec::new();
    let mut sources = Vec::new();
    files(&root(), "rs", &mut sources);
    for path in sources {
        let name = path.strip_prefix(root()).expect("a file of the repository").display().to_string();
        found.extend(citation::of_source(&name, &fs::read_to_string(&path).expect("a source file")));
    }
    for entry in fs::read_dir(root().join("vectors")).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let name = path.strip_prefix(root()).expect("a file of the repository").display().to_string();
            found.extend(citation::of_vectors(&name, &fs::read_to_string(&path).expect("a file of vectors")));
        }
    }
    found
}

/// All problems of the rules and of their citations.
fn problems(rules: &[Rule], citations: &[Citation]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut known: HashMap<&str, Vec<&Citation>> = HashMap::new();
    for rule in rules {
        problems.extend(rule.problems());
        if known.insert(&rule.id, Vec::new()).is_some() {
            problems.push(format!("{}: the number is given twice", rule.id));
        }
    }
    for citation in citations {
        match (known.get_mut(citation.rule.as_str()), &citation.kind) {
            (None, _) => problems.push(format!("{}: there is no rule {:?}", citation.place, citation.rule)),
            (_, Kind::Stray) => {
                problems.push(format!("{}: no #[test] follows the citation of {}", citation.place, citation.rule));
            }
            (Some(of_rule), _) => of_rule.push(citation),
        }
    }
    for rule in rules {
        let cited = |kind: Kind| known[rule.id.as_str()].iter().find(move |citation| citation.kind == kind);
        match (&rule.kept_by, cited(Kind::Code)) {
            (None, None) => problems.push(format!("{}: no code cites it", rule.id)),
            (Some(_), Some(code)) => {
                problems.push(format!("{}: it says that nothing keeps it, but {} cites it", rule.id, code.place));
            }
            _ => {}
        }
        if rule.kept_by.is_none() && cited(Kind::Test).is_none() {
            problems.push(format!("{}: no test cites it", rule.id));
        }
    }
    problems
}

#[test]
fn every_rule_has_code_and_a_test_and_every_citation_has_a_rule() {
    let (rules, citations) = (rules(), citations());
    assert!(rules.len() > 100, "only {} rules were found", rules.len());
    assert!(citations.len() > 200, "only {} citations were found", citations.len());
    let problems = problems(&rules, &citations);
    assert!(problems.is_empty(), "{} problems\n{}", problems.len(), problems.join("\n"));
}

const GOOD: &str = "### R-LOGIN-1\nA login is a `POST`.\nIt has a body.\n\n- Source: spec 2021; guide \"Access\" (2026)\n\
    - Confidence: high\n- Refuted by: a `GET` that\n  works\n";

fn cited(source: &str) -> Vec<String> {
    problems(&rule::read(GOOD), &citation::of_source("core/src/login.rs", source))
}

#[test]
fn a_rule_with_code_and_a_test_has_no_problem() {
    let source = "//= R-LOGIN-1\nfn post() {}\n\n//= R-LOGIN-1\n// Of 2021.\n#[test]\nfn it_is_a_post() {}\n";
    assert_eq!(cited(source), [""; 0]);
    let in_vectors = citation::of_vectors("vectors/login.json", r#"[{"rule": "R-LOGIN-1", "reason": "R-LOGIN-9"}]"#);
    let mut citations = citation::of_source("core/src/login.rs", "    //= R-LOGIN-1\n    fn post() {}\n");
    citations.extend(in_vectors);
    assert_eq!(problems(&rule::read(GOOD), &citations), [""; 0]);
}

#[test]
fn a_rule_that_nobody_cites_is_reported() {
    assert_eq!(cited(""), ["R-LOGIN-1: no code cites it", "R-LOGIN-1: no test cites it"]);
    assert_eq!(cited("//= R-LOGIN-1\nfn post() {}\n"), ["R-LOGIN-1: no test cites it"]);
    assert_eq!(cited("//= R-LOGIN-1\n#[test]\nfn it_is() {}\n"), ["R-LOGIN-1: no code cites it"]);
    let simulated = citation::of_source("simulator/src/login.rs", "//= R-LOGIN-1\nfn post() {}\n");
    assert_eq!(problems(&rule::read(GOOD), &simulated), ["R-LOGIN-1: no code cites it", "R-LOGIN-1: no test cites it"]);
}

#[test]
fn a_citation_without_a_rule_is_reported() {
    let source =
        "//= R-LOGIN-1\nfn post() {}\n//= R-LOGIN-1\n#[test]\nfn it_is() {}\n//= R-LOGIN-2\nfn get() {}\n//= Login\n";
    assert_eq!(
        cited(source),
        ["core/src/login.rs:6: there is no rule \"R-LOGIN-2\"", "core/src/login.rs:8: there is no rule \"Login\""]
    );
    let in_vectors = citation::of_vectors("vectors/login.json", "{\n\"rule\":\"R-LOGIN-7\"}");
    assert!(
        problems(&rule::read(GOOD), &in_vectors)
            .contains(&"vectors/login.json:2: there is no rule \"R-LOGIN-7\"".to_owned())
    );
}

#[test]
fn a_citation_in_a_test_file_must_be_above_a_test() {
    for (file, source) in [
        ("tests/it/login.rs", "//= R-LOGIN-1\nfn helper() {}\n#[test]\nfn it_is() {}\n"),
        ("core/src/login/tests.rs", "//= R-LOGIN-1\nfn helper() {}\n"),
        ("core/src/login.rs", "#[cfg(test)]\nmod tests {\n    //= R-LOGIN-1\n    fn helper() {}\n}\n"),
    ] {
        let found = problems(&rule::read(GOOD), &citation::of_source(file, source));
        assert!(found.iter().any(|problem| problem.contains("no #[test] follows")), "{file}: {found:?}");
    }
}

#[test]
fn a_rule_without_a_required_part_is_reported() {
    for (part, problem) in [
        ("- Source: spec 2021; guide \"Access\" (2026)\n", "R-LOGIN-1: no source"),
        ("- Confidence: high\n", "R-LOGIN-1: no confidence"),
        ("- Refuted by: a `GET` that\n  works\n", "R-LOGIN-1: nothing refutes it"),
        ("A login is a `POST`.\nIt has a body.\n", "R-LOGIN-1: it says nothing"),
    ] {
        let found: Vec<_> = rule::read(&GOOD.replace(part, "")).iter().flat_map(Rule::problems).collect();
        assert_eq!(found, [problem]);
    }
    let found: Vec<_> = rule::read(&GOOD.replace("high", "sure").replace("spec 2021", "a friend"));
    assert_eq!(
        found.iter().flat_map(Rule::problems).collect::<Vec<_>>(),
        ["R-LOGIN-1: \"a friend\" is no kind of source", "R-LOGIN-1: \"sure\" is no confidence"]
    );
    assert_eq!(problems(&rule::read(&GOOD.repeat(2)), &[])[0], "R-LOGIN-1: the number is given twice");
}

#[test]
fn a_rule_without_code_must_say_why_and_must_not_be_cited() {
    let kept = GOOD.to_owned() + "- Kept by: nothing, because it is the server's\n";
    assert_eq!(problems(&rule::read(&kept), &[]), [""; 0]);
    let code = citation::of_source("core/src/login.rs", "//= R-LOGIN-1\nfn post() {}\n");
    assert_eq!(
        problems(&rule::read(&kept), &code),
        ["R-LOGIN-1: it says that nothing keeps it, but core/src/login.rs:1 cites it"]
    );
    let silent = rule::read(&(GOOD.to_owned() + "- Kept by: nothing\n"));
    assert_eq!(silent[0].problems(), ["R-LOGIN-1: it does not say why nothing keeps it"]);
}
