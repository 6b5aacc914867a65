//! All single faults and some pairs of faults, and tests that mutants are detected. The binary runs the rest.

use small_scope::{Episode, Kind, Mutant, Plan, Scope, explore, run};

fn single() -> Scope {
    Scope([Some(1), Some(0), None])
}

#[test]
fn no_single_fault_breaks_a_law() {
    for episode in Episode::all().into_iter().filter(|episode| episode.kind != Kind::Kick) {
        let report = explore(episode, single(), None, 2);
        assert_eq!(report.broken, 0, "{episode}: {:?}", report.violations);
    }
}

#[test]
fn no_pair_of_faults_breaks_a_law_of_one_session_with_a_store() {
    let episode = "stored/refresh".parse().unwrap();
    let report = explore(episode, Scope([Some(0); 3]), None, 2);
    assert!(report.runs[2] > 100);
    assert_eq!(report.broken, 0, "{:?}", report.violations);
}

#[test]
fn every_mutant_is_detected() {
    let is_small = |episode: &Episode| ["two/first-login", "two/refresh"].contains(&episode.to_string().as_str());
    for mutant in Mutant::ALL {
        let broken = |episode| explore(episode, single(), Some(mutant), 2).broken;
        let broken: usize = Episode::all().into_iter().filter(is_small).map(broken).sum();
        assert!(broken > 0, "{mutant:?} is not detected");
    }
}

#[test]
fn a_parsed_plan_has_the_same_text_and_the_same_trace_each_time() {
    let plan: Plan = "24:switch-1,25:crash,40:rollback".parse().unwrap();
    assert_eq!((plan.to_string().as_str(), plan.size()), ("24:switch-1,25:crash,40:rollback", (2, 1)));
    let episode = "two/first-login".parse().unwrap();
    let trace = || run(episode, &plan, None, true).trace;
    assert!(trace().len() > 100);
    assert_eq!(trace(), trace());
    assert!("3:fire".parse::<Plan>().is_err() && "four/renewal".parse::<Episode>().is_err());
}
