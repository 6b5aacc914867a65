//! A small campaign, and tests of the campaign itself: a run is repeatable, every mutant is detected, and failures are
//! shrunk.

use std::collections::BTreeSet;

use campaign::{LoginStep, Mutant, Scenario, Way, campaign, hunt, run, shrink};

#[test]
fn small_scenarios_violate_no_law() {
    // Small fleets only: the binary runs thousands of fleets of any size.
    let is_small = |scenario: &Scenario| !scenario.is_calm() && scenario.session_days() < 15.0;
    for scenario in (1..60).map(Scenario::from_seed).filter(is_small) {
        let end = run(&scenario, Way::default());
        assert!(end.violations.is_empty(), "seed {}: {:?}", scenario.seed, end.violations);
    }
}

#[test]
fn a_large_scenario_violates_no_law() {
    assert!(Scenario::from_seed(1).session_days() > 15.0);
    let end = run(&Scenario::from_seed(1), Way::default());
    assert!(end.violations.is_empty(), "{:?}", end.violations);
}

#[test]
fn small_sets_violate_no_law() {
    let seeds = (1..80).filter(|seed| Scenario::has_sets(*seed));
    for scenario in seeds.map(Scenario::of_sets).filter(|scenario| scenario.session_days() < 25.0) {
        let end = run(&scenario, Way::default());
        assert!(end.violations.is_empty(), "seed {}: {:?}", scenario.seed, end.violations);
        assert_eq!(end.tally.sessions_of_sets, scenario.present().count() as u64);
    }
}

#[test]
fn sessions_without_faults_log_in_once() {
    let calm = (1..).map(Scenario::from_seed).filter(|scenario| scenario.is_calm() && scenario.session_days() < 20.0);
    for scenario in calm.take(2) {
        let tally = run(&scenario, Way::default()).tally;
        assert_eq!(tally.calm_logins, tally.calm_sessions, "seed {}", scenario.seed);
        assert_eq!(tally.without_token + tally.not_accepted, 0, "seed {}", scenario.seed);
    }
}

#[test]
fn the_same_seed_produces_the_same_run() {
    let scenario = Scenario::from_seed(24);
    let way = Way { is_traced: true, ..Way::default() };
    let (one, other) = (run(&scenario, way), run(&Scenario::from_seed(24), way));
    assert!(one.trace.len() > 1000);
    assert!(one.trace == other.trace);
    assert_eq!(one.tally, other.tally);
}

#[test]
fn a_campaign_of_one_scenario_has_the_tally_of_a_single_run() {
    let (one, _) = campaign(59, 1.0, 1, false);
    assert_eq!(one.scenarios, 1);
    assert_eq!(one, run(&Scenario::from_seed(59), Way::default()).tally);
}

#[test]
fn every_mutant_is_detected_by_the_checker_of_its_law() {
    for law in 1..=18 {
        assert!(Mutant::ALL.iter().any(|mutant| mutant.law() == law), "nothing breaks law {law}");
    }
    std::thread::scope(|scope| {
        for half in Mutant::ALL.chunks(Mutant::ALL.len() / 2) {
            scope.spawn(move || {
                for mutant in half {
                    assert!(hunt(*mutant, mutant.soon_from(), 1000).is_some(), "{mutant:?} is not detected");
                }
            });
        }
    });
}

#[test]
fn a_fleet_that_ignores_lock_outs_is_detected() {
    let way = Way { mutant: Some(Mutant::IgnoresLockOuts), only_law: Some(5), is_traced: false };
    // The first of these seeds has a small fleet.
    let mut fleets = (171..400).map(Scenario::from_seed).filter(|scenario| scenario.fleets() > 0);
    assert!(fleets.any(|mut scenario| {
        scenario.programs.iter_mut().for_each(|program| program.is_absent |= program.member.is_none());
        run(&scenario, way).violations.iter().any(|found| found.law == 5)
    }));
}

#[test]
fn a_set_whose_sessions_announce_no_logins_is_detected() {
    let way = Way { mutant: Some(Mutant::AnnouncesNoLogins), only_law: Some(17), is_traced: false };
    let mut sets = (1..200).filter(|seed| Scenario::has_sets(*seed)).map(Scenario::of_sets);
    assert!(sets.any(|scenario| run(&scenario, way).violations.iter().any(|found| found.law == 17)));
}

#[test]
fn programs_with_their_own_stores_crash_at_each_step_of_a_login() {
    let mut steps = BTreeSet::new();
    for scenario in (1..200).map(Scenario::from_seed).filter(|scenario| scenario.session_days() < 20.0) {
        let tally = run(&scenario, Way::default()).tally;
        steps.extend(tally.faults.into_keys().filter(|kind| kind.starts_with("crash: login")));
        if steps.len() == LoginStep::ALL.len() {
            return;
        }
    }
    panic!("only {steps:?}");
}

#[test]
fn a_failing_scenario_is_shrunk() {
    let way = Way { mutant: Some(Mutant::PresentsRefused), only_law: Some(13), is_traced: false };
    let fails = |scenario: &Scenario| run(scenario, way).violations.iter().any(|found| found.law == 13);
    let is_large = |scenario: &Scenario| scenario.faults.len() > 5 && scenario.present().count() > 4;
    // From the first of these seeds, the shrinking is quick.
    let failing = (8..100_000).map(Scenario::from_seed).find(|scenario| is_large(scenario) && fails(scenario)).unwrap();
    let small = shrink(&failing, fails);
    assert!(fails(&small));
    assert!(small.faults.len() <= 2, "{small}");
    assert_eq!(small.present().count(), 1, "{small}");
    assert!(small.faults.len() < failing.faults.len() && small.present().count() < failing.present().count());
}
