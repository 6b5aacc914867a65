//! Checks the reports in `vectors/observed` against the current rules.

use std::fs;
use std::path::{Path, PathBuf};

use tradovate_auth_doctor::{Judgement, judge};

use super::*;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The numbers of all rules of the contract.
fn contract() -> Vec<String> {
    let pages = fs::read_dir(root().join("docs/contract")).unwrap().map(|entry| entry.unwrap().path());
    let pages = pages.map(|page| fs::read_to_string(page).unwrap());
    pages
        .flat_map(|page| {
            page.lines().filter_map(|line| line.strip_prefix("### ").map(String::from)).collect::<Vec<_>>()
        })
        .collect()
}

/// The problems of a report: rules that its steps refute, unknown rules, and confirmed rules that its steps no longer
/// confirm.
fn problems(report: &Report, rules: &[String]) -> Vec<String> {
    let now = judge(&report.steps);
    let is_confirmed = |rule: &str| now.iter().any(|it| it.rule == rule && it.verdict == Verdict::Confirmed);
    let refuted = now.iter().filter(|judgement| judgement.verdict == Verdict::Refuted);
    let refuted = refuted.map(|Judgement { rule, steps, .. }| format!("{rule} is refuted by the steps {steps:?}"));
    let unknown = report.rules.iter().chain(&now).filter(|judgement| !rules.contains(&judgement.rule));
    let unknown = unknown.map(|judgement| format!("there is no rule {}", judgement.rule));
    let lost = report.rules.iter().filter(|it| it.verdict == Verdict::Confirmed && !is_confirmed(&it.rule));
    let lost = lost.map(|judgement| format!("{} is no longer confirmed", judgement.rule));
    refuted.chain(unknown).chain(lost).collect()
}

#[test]
fn each_observed_report_of_the_doctor_agrees_with_the_contract() {
    let rules = contract();
    assert!(rules.len() > 100, "only {} rules", rules.len());
    let files = fs::read_dir(root().join("vectors/observed")).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    assert!(!files.is_empty());
    for file in files {
        let report: Report = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!(problems(&report, &rules), [""; 0], "{}: correct the rule, or the check of it", file.display());
        let is_synthetic = file.file_name().unwrap().to_str().unwrap().starts_with("synthetic-");
        assert_eq!(is_synthetic, report.server != ServerKind::Vendor, "{}", file.display());
    }
}

#[test]
fn a_doctors_report_that_contradicts_the_contract_is_detected() {
    let mut world = World::live();
    let body = br#"{"userId":1,"apiHosts":{}}"#.to_vec();
    world.simulator.answer_next(tradovate_auth_simulator::Endpoint::Me, Response::new(body));
    let mut report = world.examine();
    let found = problems(&report, &contract());
    assert!(found.contains(&"R-HOST-8 is refuted by the steps [1]".into()), "{found:?}");
    report.rules[0].rule = "R-ENV-99".into();
    report.steps.clear();
    let found = problems(&report, &contract());
    assert!(
        found.contains(&"there is no rule R-ENV-99".into()) && found.contains(&"R-ENV-4 is no longer confirmed".into())
    );
}
