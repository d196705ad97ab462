//! Chain IDs: the name of a layer together with all below it, as Docker shows removed layers.

use content::digest_of;
use refs::Digest;

/// Returns the chain ID of each layer, given from the bottom up.
///
/// # Source
/// OCI image-spec v1.1 `config.md`, "Layer ChainID".
pub fn chain_ids(diff_ids: &[Digest]) -> Vec<Digest> {
    let mut chain: Vec<Digest> = Vec::with_capacity(diff_ids.len());
    for diff_id in diff_ids {
        let next = match chain.last() {
            None => diff_id.clone(),
            Some(below) => digest_of(format!("{below} {diff_id}").as_bytes()),
        };
        chain.push(next);
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chain_id_covers_all_layers_below() {
        let (a, b) = (Digest::sha256([1; 32]), Digest::sha256([2; 32]));
        let expected = digest_of(format!("{a} {b}").as_bytes());
        assert_eq!(chain_ids(&[a.clone(), b]), [a, expected]);
    }
}
