//! Which of a container's endpoints has the default route. Pure.

/// What is known of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate<'a> {
    /// The network's name.
    pub(crate) network: &'a str,
    pub(crate) priority: i64,
    /// Whether there is a way out, of the family in question.
    pub(crate) has_gateway: bool,
}

/// Returns the place of the endpoint with the default route: the one with the highest priority, of those the first by
/// the network's name; none if nobody has a way out.
///
/// # Source
/// moby `daemon/libnetwork/sandbox.go`, `Endpoint.Less`.
pub(crate) fn choose(candidates: &[Candidate<'_>]) -> Option<usize> {
    let reachable = candidates.iter().enumerate().filter(|(_, candidate)| candidate.has_gateway);
    reachable
        .min_by_key(|(_, candidate)| (std::cmp::Reverse(candidate.priority), candidate.network))
        .map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(network: &str, priority: i64, has_gateway: bool) -> Candidate<'_> {
        Candidate { network, priority, has_gateway }
    }

    #[test]
    fn highest_priority_wins_then_the_name() {
        let cases: &[(&[Candidate<'_>], Option<usize>)] = &[
            (&[], None),
            (&[candidate("b", 0, true), candidate("a", 0, true)], Some(1)),
            (&[candidate("b", 1, true), candidate("a", 0, true)], Some(0)),
            (&[candidate("b", 0, true), candidate("a", -1, true)], Some(0)),
            (&[candidate("a", 9, false), candidate("b", 0, true)], Some(1)),
            (&[candidate("a", 9, false)], None),
        ];
        for (candidates, want) in cases {
            assert_eq!(choose(candidates), *want, "{candidates:?}");
        }
    }
}
