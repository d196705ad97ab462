//! Carrying out an update: record first, then the cgroup, back again if that fails.

use super::{Actor, Fixed};
use crate::machine::{self, Phase};
use crate::options::Update;
use crate::spec::HostConfig;
use crate::{Error, oci_spec, update};
use cgroup::Cgroup;
use std::sync::Arc;

impl Actor {
    /// Changes limits and restart policy; returns warnings.
    ///
    /// # Errors
    /// As [`update::plan`]; Internal for limits that the kernel refuses.
    pub(super) async fn update(&mut self, wanted: Update) -> Result<Vec<String>, Error> {
        let plan = update::plan(&self.shared.id, &self.record.host, &wanted, &self.context.facts)?;
        let before = self.record.host.clone();
        let changes_limits = plan.host.resources != before.resources;
        let runs = matches!(self.machine.phase, Phase::Running | Phase::Paused);
        self.settle().await?;
        self.record.limits_pending = changes_limits && runs;
        self.store_host(plan.host).await?;
        if self.record.limits_pending
            && let Err(source) = self.apply_limits().await
        {
            let failed = Error::UpdateFailed { id: self.shared.id.clone(), source };
            self.store_host(before).await?;
            // What was set before the refused one goes back, too; the first error is told.
            let _ = self.apply_limits().await;
            self.clear_pending().await;
            return Err(failed);
        }
        self.clear_pending().await;
        if let Err(error) = self.follow_ports().await {
            self.store_host(before).await?;
            // What was given up comes back; the first error is told.
            let _ = self.follow_ports().await;
            return Err(error);
        }
        let restart = self.record.host.restart;
        self.handle(machine::Event::PolicyChanged { restart }).await;
        self.publish_container("update", []);
        Ok(plan.warnings)
    }

    /// Finishes an update that an earlier engine began.
    pub(super) async fn finish_update(&mut self) {
        if let Err(error) = self.follow_ports().await {
            tracing::warn!(container = %self.shared.id, error = %error::chain(&error), "published ports could not be changed");
        }
        if !self.record.limits_pending {
            return;
        }
        if matches!(self.machine.phase, Phase::Running | Phase::Paused)
            && let Err(error) = self.apply_limits().await
        {
            tracing::warn!(container = %self.shared.id, error = %error::chain(&error), "limits could not be changed");
        }
        self.clear_pending().await;
    }

    async fn store_host(&mut self, host: HostConfig) -> Result<(), Error> {
        let before = std::mem::replace(&mut self.record.host, host);
        self.record.run = self.machine.run.clone();
        let written = self.write(self.record.durability()).await;
        if let Err(error) = written.map_err(|error| Error::Failed { message: error.to_string() })? {
            self.record.host = before;
            return Err(error.into());
        }
        self.fixed = Fixed { host: Arc::new(self.record.host.clone()), ..self.fixed.clone() };
        self.publish_view();
        Ok(())
    }

    /// The next change of the record says so, too: being set once more does no harm.
    async fn clear_pending(&mut self) {
        if std::mem::take(&mut self.record.limits_pending) {
            self.persist().await;
        }
    }

    async fn apply_limits(&self) -> Result<(), cgroup::Error> {
        let group = Cgroup::open(&self.context.parts.cgroups, &self.shared.cgroup_path)?;
        let limits = oci_spec::changed_limits(&self.record.host, &self.context.facts);
        self.context.parts.disk.run(move || group.apply(&limits)).await
    }
}
