//! `GET /system/df`: what takes the disk.

use crate::State;
use crate::dispatch::Call;
use crate::error::{Error, invalid};
use crate::respond::{self, Reply};
use crate::{containers, images};
use container::options::ListOptions;
use std::collections::HashSet;
use wire::system::{DataRootShare, DiskUsage};

/// Which kinds of objects are asked for.
struct Wanted {
    images: bool,
    containers: bool,
    volumes: bool,
    build_cache: bool,
}

impl Wanted {
    /// Reads the values of `type`; none means all.
    fn read(types: &[&str]) -> Result<Self, Error> {
        let all = types.is_empty();
        let mut wanted = Self { images: all, containers: all, volumes: all, build_cache: all };
        for name in types {
            match *name {
                "image" => wanted.images = true,
                "container" => wanted.containers = true,
                "volume" => wanted.volumes = true,
                "build-cache" => wanted.build_cache = true,
                other => return Err(invalid(format!("unknown object type: {other}"))),
            }
        }
        Ok(wanted)
    }
}

/// `GET /system/df`. Beside Docker's members the answer has `DataRoot`, which comes to what `du -x` says of the data root.
pub(crate) async fn disk_usage(state: &State, call: &Call) -> Reply {
    let wanted = Wanted::read(&call.query.all("type"))?;
    let views = state.containers.list(ListOptions { all: true, ..ListOptions::default() }).await?;
    let images = match wanted.images {
        true => Some(images::summaries(state, &views).await?),
        false => None,
    };
    let containers = match wanted.containers {
        true => Some(containers::summaries(state, &views, containers::Sizes::Counted).await?),
        false => None,
    };
    let volumes = match wanted.volumes {
        true => Some(crate::volumes::with_usage(state).await?),
        false => None,
    };
    let (store, root) = (state.images.clone(), state.system.data_root.clone());
    let (layers_size, account) = state
        .disk
        .run(move || -> Result<_, image::Error> {
            let layers: HashSet<_> = store.list()?.into_iter().flat_map(|image| image.layers).collect();
            let mut layers_size = 0_u64;
            for diff_id in &layers {
                layers_size = layers_size.saturating_add(store.layer_size_bytes(diff_id)?);
            }
            Ok((layers_size, store.account(&root)?))
        })
        .await?;
    let shares = account.shares.iter().map(|(name, bytes)| DataRootShare {
        name: (*name).to_owned(),
        size: crate::convert::inspect::bytes(*bytes),
    });
    respond::ok(&DiskUsage {
        layers_size: if wanted.images { crate::convert::inspect::bytes(layers_size) } else { 0 },
        images,
        containers,
        volumes,
        build_cache: wanted.build_cache.then(Vec::new),
        data_root: Some(shares.collect()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_choose_what_is_counted() {
        let some = Wanted::read(&["image", "volume"]).unwrap();
        assert!(some.images && some.volumes && !some.containers && !some.build_cache);
        let all = Wanted::read(&[]).unwrap();
        assert!(all.images && all.volumes && all.containers && all.build_cache);
        assert!(Wanted::read(&["nothing"]).is_err());
    }
}
