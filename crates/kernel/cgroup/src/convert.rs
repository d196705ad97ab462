//! Values of v1, in which the OCI specification thinks, as values of v2.

/// Returns `cpu.weight` (1 to 10000) for v1 shares (2 to 262144); none for 0, which means "not set".
///
/// The curve maps 1024, v1's default, to 100, v2's default.
///
/// # Source
/// opencontainers/cgroups `ConvertCPUSharesToCgroupV2Value`, runc 1.3.2 and newer.
pub(crate) fn cpu_weight(shares: u64) -> Option<u64> {
    match shares {
        0 => None,
        1..=2 => Some(1),
        262_144.. => Some(10_000),
        _ => {
            let l = (shares as f64).log2();
            let exponent = (l * l + 125.0 * l) / 612.0 - 7.0 / 34.0;
            Some(10f64.powf(exponent).ceil() as u64)
        }
    }
}

/// Returns `io.weight` (1 to 10000) for a v1 weight (10 to 1000).
///
/// # Source
/// opencontainers/cgroups `ConvertBlkIOToIOWeightValue`.
pub(crate) fn io_weight(weight: u16) -> u64 {
    let weight = u64::from(weight.clamp(10, 1000));
    1 + (weight - 10) * 9999 / 990
}

/// Returns `memory.swap.max` for v1's limit of memory and swap together.
///
/// # Errors
/// A text if swap is set without memory, or smaller.
pub(crate) fn swap_max(memory_and_swap: i64, memory: i64) -> Result<Option<String>, String> {
    match (memory_and_swap, memory) {
        (0, _) => Ok(None),
        (..=-1, _) => Ok(Some("max".into())),
        (swap, ..=-1) => Ok(Some(swap.to_string())), // Unlimited memory has nothing to subtract.
        (swap, 0) => Err(format!("swap limit {swap} without a memory limit")),
        (swap, memory) if swap < memory => {
            Err(format!("limit of memory and swap {swap} is below the memory limit {memory}"))
        }
        (swap, memory) => Ok(Some((swap - memory).to_string())),
    }
}

/// Returns a limit as cgroup v2 writes it: negative is `max`.
pub(crate) fn or_max(limit: i64) -> String {
    if limit < 0 { "max".into() } else { limit.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_weight_follows_runcs_curve() {
        // 512 and 1024 as in the formula's own documentation, the ends of both ranges, one value between.
        let got = [0, 2, 512, 1024, 2048, 262_144, 300_000].map(cpu_weight);
        assert_eq!(got, [None, Some(1), Some(59), Some(100), Some(174), Some(10_000), Some(10_000)]);
    }

    #[test]
    fn io_weight_spans_the_range() {
        assert_eq!([10, 500, 1000, 5].map(io_weight), [1, 4950, 10_000, 1]);
    }

    #[test]
    fn swap_max_subtracts_memory() {
        assert_eq!(swap_max(300, 100), Ok(Some("200".into())));
        assert_eq!(swap_max(100, 100), Ok(Some("0".into())));
        assert_eq!(swap_max(-1, 100), Ok(Some("max".into())));
        assert_eq!(swap_max(0, 100), Ok(None));
        assert_eq!(swap_max(50, -1), Ok(Some("50".into())));
        assert_eq!(
            swap_max(50, 100).expect_err("too small"),
            "limit of memory and swap 50 is below the memory limit 100"
        );
        assert_eq!(swap_max(50, 0).expect_err("no memory"), "swap limit 50 without a memory limit");
    }
}
