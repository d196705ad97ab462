//! The actor's part of logging: what the supervisor is told, and the shipper.

use super::Actor;
use crate::Error;
use crate::create::{self, LogPlan};
use crate::log_shipper::Shipper;
use crate::log_tag;
use logship::Origin;
use refs::Timestamp;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;

impl Actor {
    fn log_plan(&self) -> Result<LogPlan, Error> {
        let record = &self.record;
        create::log(&record.host.log, &record.config, &record.id, &self.shared.directory)
    }

    fn tag(&self, plan: &LogPlan) -> Result<String, Error> {
        let template = if plan.tag.is_empty() { log_tag::DEFAULT } else { &plan.tag };
        log_tag::tag(template, &self.record).map_err(|error| Error::LogDriver(error.to_string()))
    }

    /// Returns what the supervisor is told.
    pub(super) fn supervisors_log(&self) -> Result<shimwire::Log, Error> {
        let plan = self.log_plan()?;
        if let Some(directory) = plan.file.as_ref().and_then(|file| file.path.parent()) {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
            made.map_err(Error::file("create", directory))?;
        }
        Ok(plan.for_supervisor(&self.tag(&plan)?))
    }

    /// Makes sure that the endpoint of the log is there, if the driver wants that.
    pub(super) async fn check_log_endpoint(&self) -> Result<(), Error> {
        match self.log_plan()?.target {
            Some(target) => target.probe().await.map_err(Error::LogDriver),
            None => Ok(()),
        }
    }

    /// Sends the log to its endpoint from now on, if it has one.
    pub(super) async fn ship_log(&mut self) {
        self.end_shipping().await;
        let begun = self.log_plan().and_then(|plan| {
            let origin = Origin {
                host: log_tag::host(),
                tag: self.tag(&plan)?,
                container_id: self.record.id.clone(),
                container_name: self.record.name.clone(),
                image_id: self.record.image.id.as_str().to_owned(),
                image_name: self.record.config.image.clone(),
                command: self.record.command.join(" "),
                created: Timestamp(self.record.created_at).rfc3339(),
                attrs: plan.attrs.clone(),
            };
            Ok(Shipper::begin(&self.context, &self.shared, &plan, origin))
        });
        match begun {
            Ok(shipper) => self.shipper = shipper,
            Err(error) => {
                tracing::error!(container = %self.shared.id, error = %error::chain(&error), "log is not sent");
            }
        }
    }

    /// Before the files go: what was written is sent, if that does not take long.
    pub(super) async fn drain_log(&mut self) {
        if let Some(shipper) = self.shipper.take() {
            shipper.drain().await;
        }
    }

    pub(super) async fn end_shipping(&mut self) {
        if let Some(shipper) = self.shipper.take() {
            shipper.end().await;
        }
    }
}
