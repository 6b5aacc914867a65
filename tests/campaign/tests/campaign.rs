//! A small campaign, and proof that a large one is worth something: it repeats to the byte, it notices each broken law,
//! and what it finds it makes small.

use campaign::{Mutant, Scenario, Way, campaign, hunt, run, shrink};

/// From where the scenarios are that show a mutant soon. From any seed on, it is noticed within a thousand.
const FROM: [(Mutant, u64); 33] = [
    (Mutant::SendsTwice, 1),
    (Mutant::TakesRepeatedAnswers, 2),
    (Mutant::HandsOutTooLong, 1),
    (Mutant::LogsInToRenew, 1),
    (Mutant::ReturnsEarly, 3),
    (Mutant::ReturnsWithAnotherBody, 5),
    (Mutant::IgnoresLockOuts, 5),
    (Mutant::IgnoresCaptchas, 3),
    (Mutant::BelievesContradictions, 27),
    (Mutant::GoesAnywhere, 1),
    (Mutant::Insists, 19),
    (Mutant::Spins, 1),
    (Mutant::KnowsNoPause, 2),
    (Mutant::GivesUp, 2),
    (Mutant::UsesUnstored, 1),
    (Mutant::LogsInOnRefusal, 46),
    (Mutant::VerifiesAlways, 13),
    (Mutant::PresentsRefused, 3),
    (Mutant::LeadsAnyway, 6),
    (Mutant::IgnoresTheStore, 19),
    (Mutant::SavesAnyway, 32),
    (Mutant::MissesMarketDataEnd, 2),
    (Mutant::AdoptsAnybody, 5),
    (Mutant::NeverGoesHome, 2),
    (Mutant::BlamesTheToken, 14),
    (Mutant::RepeatsUnknownLogins, 5),
    (Mutant::BelievesGateways, 2),
    (Mutant::NeverLearnsTime, 4),
    (Mutant::BelievesAnyWait, 5),
    (Mutant::AddsClockError, 8),
    (Mutant::TriesAtEachStart, 21),
    (Mutant::TrustsLocalClock, 5),
    (Mutant::FollowsWallClock, 13),
];

#[test]
fn the_laws_hold() {
    // Small fleets: the binary lives through thousands of any size.
    let is_small = |scenario: &Scenario| !scenario.is_calm() && scenario.session_days() < 15.0;
    for scenario in (1..60).map(Scenario::from_seed).filter(is_small) {
        let end = run(&scenario, Way::default());
        assert!(end.violations.is_empty(), "seed {}: {:?}", scenario.seed, end.violations);
    }
}

#[test]
fn sessions_that_nothing_befalls_log_in_once() {
    let calm = (1..).map(Scenario::from_seed).filter(|scenario| scenario.is_calm() && scenario.session_days() < 20.0);
    for scenario in calm.take(2) {
        let tally = run(&scenario, Way::default()).tally;
        assert_eq!(tally.calm_logins, tally.calm_sessions, "seed {}", scenario.seed);
        assert_eq!(tally.without_token + tally.not_accepted, 0, "seed {}", scenario.seed);
    }
}

#[test]
fn the_same_seed_lives_through_the_same() {
    let scenario = Scenario::from_seed(24);
    let way = Way { is_traced: true, ..Way::default() };
    let (one, other) = (run(&scenario, way), run(&Scenario::from_seed(24), way));
    assert!(one.trace.len() > 1000);
    assert!(one.trace == other.trace);
    assert_eq!(one.tally, other.tally);
}

#[test]
fn threads_change_nothing_but_the_order() {
    let (one, _) = campaign(59, 1.0, 1);
    assert_eq!(one.scenarios, 1);
    assert_eq!(one, run(&Scenario::from_seed(59), Way::default()).tally);
}

#[test]
fn each_broken_law_is_noticed_by_its_own_checker() {
    assert_eq!(FROM.map(|(mutant, _)| mutant), Mutant::ALL);
    for law in 1..=17 {
        assert!(Mutant::ALL.iter().any(|mutant| mutant.law() == law), "nothing breaks law {law}");
    }
    std::thread::scope(|scope| {
        for half in FROM.chunks(FROM.len() / 2) {
            scope.spawn(move || {
                for (mutant, from) in half {
                    assert!(hunt(*mutant, *from, 1000).is_some(), "{mutant:?} is not noticed");
                }
            });
        }
    });
}

#[test]
fn a_failure_is_made_small() {
    let way = Way { mutant: Some(Mutant::PresentsRefused), only_law: Some(13), is_traced: false };
    let fails = |scenario: &Scenario| run(scenario, way).violations.iter().any(|found| found.law == 13);
    let is_large = |scenario: &Scenario| scenario.faults.len() > 5 && scenario.present().count() > 4;
    let failing = (1..100_000).map(Scenario::from_seed).find(|scenario| is_large(scenario) && fails(scenario)).unwrap();
    let small = shrink(&failing, fails);
    assert!(fails(&small));
    assert!(small.faults.len() <= 2, "{small}");
    assert_eq!(small.present().count(), 1, "{small}");
    assert!(small.faults.len() < failing.faults.len() && small.present().count() < failing.present().count());
}
