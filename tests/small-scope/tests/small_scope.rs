//! All single faults and some pairs of faults, and tests that mutants are detected. The binary runs the rest.

use small_scope::{Episode, Kind, Mutant, Plan, Scope, explore, explore_each, run};

fn single() -> Scope {
    Scope([Some(1), Some(0), None])
}

#[test]
fn no_single_fault_breaks_a_law() {
    for episode in Episode::all().into_iter().filter(|episode| episode.kind != Kind::Kick) {
        let report = explore(episode, single(), None, 2);
        assert_eq!(report.totals.broken, 0, "{episode}: {:?}", report.violations);
    }
}

#[test]
fn no_pair_of_faults_breaks_a_law_of_one_session_with_a_store() {
    let episode = "stored/refresh".parse().unwrap();
    let report = explore(episode, Scope([Some(0); 3]), None, 2);
    assert!(report.totals.plans[2] > 100);
    assert_eq!(report.totals.broken, 0, "{:?}", report.violations);
}

#[test]
fn every_mutant_is_detected() {
    let small = ["two/first-login", "two/refresh"].map(|episode| episode.parse().unwrap());
    for mutant in Mutant::ALL {
        let is_detected = |episode| explore(episode, single(), Some(mutant), 2).totals.broken > 0;
        assert!(small.into_iter().any(is_detected), "{mutant:?} is not detected");
    }
}

#[test]
fn the_search_and_a_whole_run_of_each_plan_have_the_same_results() {
    // The binary compares the other episodes: `--switches 2,1` and `--switches 2,1 --each` print the same numbers.
    for (episode, scope) in [("stored/dead", Scope::ALL), ("two/refresh", Scope([Some(2), Some(1), None]))] {
        let episode = episode.parse().unwrap();
        let (found, each) = (explore(episode, scope, None, 2), explore_each(episode, scope, None, 2));
        assert_eq!(found.totals, each.totals, "{episode}");
        assert_eq!(each.ended, each.totals.all());
        assert!(found.ended <= each.ended);
    }
}

#[test]
fn the_search_and_a_whole_run_of_each_plan_find_the_same_violations() {
    let episode = "two/refresh".parse().unwrap();
    for mutant in Mutant::ALL {
        let (found, each) =
            (explore(episode, single(), Some(mutant), 2), explore_each(episode, single(), Some(mutant), 2));
        assert_eq!(found.totals, each.totals, "{mutant:?}");
        assert_eq!(found.violations.len(), each.violations.len(), "{mutant:?}");
        for (plan, violation) in found.violations {
            assert_eq!(run(episode, &plan, Some(mutant), false).violation, Some(violation), "{mutant:?} {plan}");
        }
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
