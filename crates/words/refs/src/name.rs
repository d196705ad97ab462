//! Names of containers: what is permitted, and made-up ones for those without.

use crate::Error;

/// Checks a container's name and returns it without the leading slash that old clients send.
///
/// # Errors
/// `InvalidArgument` with Docker's text.
///
/// # Source
/// moby `daemon/names` (`[a-zA-Z0-9][a-zA-Z0-9_.-]+`).
pub fn validate(name: &str) -> Result<&str, Error> {
    let bare = name.strip_prefix('/').unwrap_or(name);
    let first = bare.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let rest =
        bare.bytes().skip(1).all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'));
    if !first || !rest || bare.len() < 2 {
        return Err(Error::ContainerName { name: name.into() });
    }
    Ok(bare)
}

/// Returns a made-up name such as `calm_heron`. The same number gives the same name; there are 10 000 of them.
/// A caller whose name is taken tries another number, or [adds](generate_longer) digits.
pub fn generate(random: u64) -> String {
    let qualities = QUALITIES.len() as u64;
    let animals = ANIMALS.len() as u64;
    let quality = QUALITIES[usize::try_from(random % qualities).expect("below the list's length")];
    let animal = ANIMALS[usize::try_from(random / qualities % animals).expect("below the list's length")];
    format!("{quality}_{animal}")
}

/// Returns a made-up name with four more digits, for hosts on which many short ones are taken.
pub fn generate_longer(random: u64) -> String {
    format!("{}{:04}", generate(random), (random >> 32) % 10_000)
}

const QUALITIES: [&str; 100] = [
    "able", "agile", "airy", "alert", "ample", "apt", "ardent", "awake", "balmy", "blithe", "bold", "brave",
    "bright", "brisk", "calm", "candid", "canny", "cheery", "civil", "clear", "clever", "cosy", "crisp",
    "curious", "daring", "deft", "dapper", "eager", "early", "earnest", "easy", "exact", "fair", "fancy",
    "fond", "frank", "free", "fresh", "gentle", "glad", "golden", "grand", "handy", "happy", "hardy",
    "hearty", "honest", "jolly", "jovial", "keen", "kind", "lively", "loyal", "lucid", "lucky", "mellow",
    "merry", "mighty", "mild", "modest", "neat", "nimble", "noble", "novel", "patient", "placid", "plucky",
    "polite", "prompt", "proud", "quick", "quiet", "rapid", "ready", "robust", "rosy", "serene", "sharp",
    "shiny", "silent", "sleek", "smart", "snug", "sober", "solid", "spry", "stable", "steady", "sturdy",
    "sunny", "swift", "tidy", "trusty", "upbeat", "vivid", "warm", "wise", "witty", "worthy", "zesty",
];

const ANIMALS: [&str; 100] = [
    "adder",
    "alpaca",
    "badger",
    "bat",
    "bear",
    "beaver",
    "bee",
    "bison",
    "bobcat",
    "bream",
    "camel",
    "carp",
    "cat",
    "chough",
    "cicada",
    "cod",
    "coot",
    "crab",
    "crane",
    "cricket",
    "crow",
    "cuckoo",
    "curlew",
    "deer",
    "dingo",
    "dolphin",
    "dove",
    "dragonfly",
    "duck",
    "eagle",
    "eel",
    "egret",
    "elk",
    "falcon",
    "ferret",
    "finch",
    "firefly",
    "fox",
    "frog",
    "gannet",
    "gazelle",
    "gecko",
    "gibbon",
    "goat",
    "goose",
    "grebe",
    "gull",
    "hare",
    "hawk",
    "hedgehog",
    "heron",
    "hoopoe",
    "ibex",
    "ibis",
    "jackal",
    "jackdaw",
    "jay",
    "kestrel",
    "kite",
    "koala",
    "lark",
    "lemur",
    "linnet",
    "lion",
    "lizard",
    "llama",
    "lynx",
    "magpie",
    "mantis",
    "marten",
    "mole",
    "moose",
    "moth",
    "mouse",
    "newt",
    "ocelot",
    "orca",
    "osprey",
    "otter",
    "owl",
    "panda",
    "pelican",
    "perch",
    "petrel",
    "pika",
    "plover",
    "puffin",
    "quail",
    "rabbit",
    "raven",
    "robin",
    "salmon",
    "seal",
    "shrew",
    "sparrow",
    "stork",
    "swan",
    "tern",
    "toad",
    "wren",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn name_valid_loses_its_slash() {
        for (name, bare) in [("web", "web"), ("/web", "web"), ("a_b.c-1", "a_b.c-1"), ("00", "00")] {
            assert_eq!(validate(name), Ok(bare));
        }
    }

    #[test]
    fn name_invalid_is_refused_with_dockers_text() {
        for name in ["", "/", "a", "_a", "-a", "a b", "a/b", "ä1", "//a"] {
            assert_eq!(validate(name), Err(Error::ContainerName { name: name.into() }), "{name}");
        }
        assert_eq!(
            validate("a b").unwrap_err().to_string(),
            "Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
        );
    }

    #[test]
    fn names_generated_are_valid_and_all_different() {
        let names: BTreeSet<String> = (0..10_000).map(generate).collect();
        assert_eq!(names.len(), 10_000);
        assert!(names.iter().all(|name| validate(name).is_ok()));
        assert_eq!(generate_longer(1 << 32), format!("{}0001", generate(1 << 32)));
    }
}
