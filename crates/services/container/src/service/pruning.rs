//! Removing all containers that do not run.

use super::Service;
use crate::options::RemoveOptions;
use crate::view::{Pruned, Status};
use crate::{Error, view::ContainerView};
use events::Type;
use refs::{Filters, Timestamp};
use std::collections::BTreeMap;

/// The filters that prune knows.
const KNOWN: [&str; 3] = ["label", "label!", "until"];

impl Service {
    /// Removes containers that do not run: all, or those that the filters `until`, `label` and `label!` mean.
    ///
    /// # Errors
    /// InvalidArgument for filters that are not understood.
    pub async fn prune(&self, filters: &Filters) -> Result<Pruned, Error> {
        filters.validate(&KNOWN)?;
        let until = until(filters, super::timestamp())?;
        let mut pruned = Pruned::default();
        for shared in self.all() {
            let view = shared.view();
            if !is_meant(&view, filters, until) {
                continue;
            }
            let bytes = self.sizes(view.id.as_str()).await.map_or(0, |sizes| sizes.writable_bytes);
            match self.remove(view.id.as_str(), RemoveOptions::default()).await {
                Ok(()) => {
                    pruned.ids.push(view.id.clone());
                    pruned.reclaimed_bytes += bytes;
                }
                // It was started or removed meanwhile, or its files stay: the others go on.
                Err(error) => {
                    tracing::warn!(container = %view.id, error = %error::chain(&error), "container is not pruned");
                }
            }
        }
        let reclaimed = BTreeMap::from([("reclaimed".to_owned(), pruned.reclaimed_bytes.to_string())]);
        self.context.publish(Type::Container, "prune", "", reclaimed);
        Ok(pruned)
    }
}

fn is_meant(view: &ContainerView, filters: &Filters, until: Option<Timestamp>) -> bool {
    let rests = match view.state.status {
        Status::Created | Status::Exited => true,
        Status::Running | Status::Paused | Status::Restarting | Status::Removing => false,
    };
    rests
        && until.is_none_or(|until| view.created_at <= until)
        && filters.matches_labels("label", &view.config.labels)
        && filters.matches_no_label("label!", &view.config.labels)
}

/// Reads the filter `until`: a time, or how long ago.
///
/// # Errors
/// InvalidArgument with Docker's texts.
fn until(filters: &Filters, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    let values: Vec<&str> = filters.get("until").collect();
    match values[..] {
        [] => Ok(None),
        [text] => match Timestamp::parse_moment(text, now, 0) {
            Ok(moment) => Ok(Some(moment)),
            Err(_) => Err(Error::invalid(format!("failed to parse value as time or duration: {text:?}"))),
        },
        _ => Err(Error::invalid("more than one until filter specified")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn until_is_one_time_or_duration() {
        let now = Timestamp(1_795_230_700_000_000_000);
        let read = |json: &str| until(&Filters::parse(json).unwrap(), now).map_err(|error| error.to_string());
        assert_eq!(read("{}"), Ok(None));
        assert_eq!(read(r#"{"until":["1h"]}"#), Ok(Some(Timestamp(now.0 - 3_600_000_000_000))));
        assert_eq!(read(r#"{"until":["1795230000"]}"#), Ok(Some(Timestamp(1_795_230_000_000_000_000))));
        let text = "failed to parse value as time or duration: \"x\"";
        assert_eq!(read(r#"{"until":["x"]}"#), Err(text.to_owned()));
        assert_eq!(read(r#"{"until":["1h","2h"]}"#), Err("more than one until filter specified".to_owned()));
    }
}
