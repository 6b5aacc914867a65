use std::fs;
use std::path::Path;

/// What the fuzzer has found worth keeping.
#[test]
fn no_target_breaks_a_promise_on_the_committed_corpus() {
    let targets: [(&str, fn(&[u8])); 6] = [
        ("api_hosts", super::api_hosts),
        ("headers", super::headers),
        ("redirect", super::redirect),
        ("responses", super::responses),
        ("session", super::session),
        ("snapshots", super::snapshots),
    ];
    for (name, target) in targets {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
        let inputs: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!inputs.is_empty(), "{} is empty", folder.display());
        inputs.iter().for_each(|input| target(&fs::read(input).unwrap()));
    }
}
