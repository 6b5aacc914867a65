use std::fs;
use std::path::Path;

type Target = fn(&[u8]);

#[test]
fn every_fuzz_target_accepts_its_committed_corpus() {
    for (name, target) in [
        ("api_hosts", super::api_hosts as Target),
        ("control", super::control),
        ("headers", super::headers),
        ("merges", super::merges),
        ("records", super::records),
        ("redirect", super::redirect),
        ("responses", super::responses),
        ("session", super::session),
        ("snapshots", super::snapshots),
        ("sockets", super::sockets),
    ] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
        let inputs: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!inputs.is_empty(), "{} is empty", folder.display());
        for input in inputs {
            target(&fs::read(input).unwrap());
        }
    }
}
