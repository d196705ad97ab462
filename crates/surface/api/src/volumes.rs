//! `/volumes`.

use crate::State;
use crate::convert::inspect::bytes;
use crate::dispatch::Call;
use crate::error::invalid;
use crate::request;
use crate::respond::{self, Reply};
use http::StatusCode;
use refs::Filters;
use volume::{New, VolumeView};
use wire::version::ApiVersion;
use wire::volume::{Volume, VolumeCreate, VolumeList, VolumeUsage, VolumesPruned};

/// From here on a prune is about anonymous volumes only, unless it says otherwise.
const ANONYMOUS_ONLY: ApiVersion = ApiVersion::new(1, 42);

/// Returns a volume as Docker shows it.
pub(crate) fn to_wire(view: &VolumeView) -> Volume {
    let VolumeView { record, mountpoint, .. } = view;
    let created = record.created.rfc3339();
    Volume {
        // Docker shows whole seconds.
        created_at: match created.split_once('.') {
            Some((seconds, _)) => format!("{seconds}Z"),
            None => created,
        },
        driver: record.driver.clone(),
        labels: record.labels.clone(),
        mountpoint: mountpoint.display().to_string(),
        name: record.name.clone(),
        options: record.options.clone(),
        scope: "local".to_owned(),
        usage_data: None,
    }
}

fn filters(call: &Call) -> Result<Filters, refs::Error> {
    Filters::parse(call.query.get("filters").unwrap_or_default())
}

/// `GET /volumes`.
pub(crate) async fn list(state: &State, call: &Call) -> Reply {
    let (volumes, filters) = (state.volumes.clone(), filters(call)?);
    let found = state.disk.run(move || volumes.list(&filters)).await?;
    respond::ok(&VolumeList { volumes: found.iter().map(to_wire).collect(), warnings: None })
}

/// `POST /volumes/create`.
pub(crate) async fn create(state: &State, call: Call) -> Reply {
    let (head, body) = call.request.into_parts();
    let body: VolumeCreate = request::json(&head.headers, body).await?;
    if body.cluster_volume_spec.is_some() {
        return Err(crate::error::unsupported("ClusterVolumeSpec").into());
    }
    let new = New { name: body.name, driver: body.driver, options: body.driver_opts, labels: body.labels };
    let volumes = state.volumes.clone();
    let view = state.disk.run(move || volumes.create(new)).await?;
    Ok(respond::json(StatusCode::CREATED, &to_wire(&view)))
}

/// `GET /volumes/{name}`.
pub(crate) async fn inspect(state: &State, name: String) -> Reply {
    let volumes = state.volumes.clone();
    let view = state.disk.run(move || volumes.get(&name)).await?;
    respond::ok(&to_wire(&view))
}

/// `DELETE /volumes/{name}`.
pub(crate) async fn remove(state: &State, name: String, call: &Call) -> Reply {
    let (volumes, force) = (state.volumes.clone(), call.query.flag("force"));
    state.disk.run(move || volumes.remove(&name, force)).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// `POST /volumes/prune`.
pub(crate) async fn prune(state: &State, call: &Call) -> Reply {
    let (volumes, filters) = (state.volumes.clone(), filters(call)?);
    let all_by_default = call.version < ANONYMOUS_ONLY;
    let pruned = state.disk.run(move || volumes.prune(&filters, all_by_default)).await?;
    respond::ok(&VolumesPruned { volumes_deleted: pruned.names, space_reclaimed: pruned.reclaimed_bytes })
}

/// `POST /volumes/{name}/rename?name=`, an extension of ours.
// COMPAT: Docker cannot rename volumes.
pub(crate) async fn rename(state: &State, name: String, call: &Call) -> Reply {
    let new = call.query.get("name").unwrap_or_default().to_owned();
    if new.is_empty() {
        return Err(invalid("the new name of the volume is missing").into());
    }
    let volumes = state.volumes.clone();
    state.disk.run(move || volumes.rename(&name, &new)).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// Returns all volumes with what they take.
pub(crate) async fn with_usage(state: &State) -> Result<Vec<Volume>, error::Failure> {
    let volumes = state.volumes.clone();
    let measure = move || -> Result<Vec<Volume>, volume::Error> {
        let found = volumes.list(&Filters::default())?;
        // One that was removed meanwhile is left out.
        Ok(found
            .iter()
            .filter_map(|view| Some(measured(view, volumes.size_bytes(&view.record.name).ok()?)))
            .collect())
    };
    Ok(state.disk.run(measure).await?)
}

fn measured(view: &VolumeView, size: u64) -> Volume {
    let ref_count = i64::try_from(view.users.len()).unwrap_or(i64::MAX);
    Volume { usage_data: Some(VolumeUsage { ref_count, size: bytes(size) }), ..to_wire(view) }
}

/// `GET /volumes/{name}/usage`, an extension of ours: the volume with what it takes and how many containers have it.
pub(crate) async fn usage(state: &State, name: String) -> Reply {
    let volumes = state.volumes.clone();
    let measure = move || Ok::<_, volume::Error>((volumes.get(&name)?, volumes.size_bytes(&name)?));
    let (view, size) = state.disk.run(measure).await?;
    respond::ok(&measured(&view, size))
}
