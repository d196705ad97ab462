//! The answers of a real Docker engine, as they were recorded, against ours.

use std::fs;
use testkit::golden::{Answer, IMAGE, Record, accepted, differences, play};
use testkit::{TestEnv, checkout};

/// Changing an answer of ours that clients see fails here. What may differ stands in docs/compat.md, with its reason; a row
/// that accepts nothing any more is a mistake as well, so that the list only shrinks.
#[test]
fn answers_are_dockers_but_for_the_accepted_differences() {
    let text = fs::read_to_string(checkout().join("tests/golden/docker.json")).expect("the record is there");
    let golden: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let docker: Record = golden["answers"]
        .as_object()
        .expect("answers")
        .iter()
        .map(|(name, answer)| (name.clone(), Answer::from_json(answer)))
        .collect();
    let env = TestEnv::with_busybox();
    let _ = env.naru(&["tag", "busybox", IMAGE]).ok();
    let _ = env.naru(&["rmi", "busybox"]).ok();
    let found = differences(&docker, &play(&env.socket()));
    let rows =
        accepted(&fs::read_to_string(checkout().join("docs/compat.md")).expect("the document is there"));
    let new: Vec<String> = found
        .iter()
        .filter(|difference| !rows.iter().any(|row| row.covers(difference)))
        .map(ToString::to_string)
        .collect();
    assert!(new.is_empty(), "differences that docs/compat.md does not accept:\n{}", new.join("\n"));
    let idle: Vec<String> = rows
        .iter()
        .filter(|row| !row.depends() && !found.iter().any(|difference| row.covers(difference)))
        .map(|row| format!("{} {}", row.step, row.place))
        .collect();
    assert!(idle.is_empty(), "rows of docs/compat.md that accept nothing any more:\n{}", idle.join("\n"));
}
