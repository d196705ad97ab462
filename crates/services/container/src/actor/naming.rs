//! The embedded resolver of a container: started with it, kept over restarts of the engine.

use super::Actor;
use crate::Error;
use crate::etc_files;
use launch::ShimSender;
use shimwire::Request;
use std::fs;
use std::os::fd::{AsFd as _, OwnedFd};

impl Actor {
    /// Has the resolver serve the container if it is on a user network, and its supervisor hold the sockets.
    ///
    /// `kept` are those that an earlier engine made.
    pub(super) async fn serve_names(&self, shim: &ShimSender, kept: Vec<OwnedFd>) -> Result<(), Error> {
        if !self.record.has_resolver() {
            return Ok(());
        }
        let servers = match self.record.host.dns.is_empty() {
            true => self.context.settings.dns.clone(),
            false => self.record.host.dns.clone(),
        };
        let sockets = self.context.parts.network.serve_names(&self.shared.id, servers, kept).await?;
        if !shim.keeps_descriptors() {
            return Ok(()); // An older one: while no engine runs, queries are refused.
        }
        let sockets: Vec<_> = sockets.iter().map(OwnedFd::as_fd).collect();
        Ok(shim.send(&Request::Keep, &sockets).await?)
    }

    /// Goes on serving a container that an earlier engine started.
    pub(super) async fn resume_names(&mut self) {
        let (Some(shim), numbers) = (self.shim.clone(), std::mem::take(&mut self.kept)) else { return };
        // Without them new sockets are made.
        let kept: Result<Vec<OwnedFd>, _> = numbers.iter().map(|number| shim.take(*number)).collect();
        if let Err(error) = self.serve_names(&shim, kept.unwrap_or_default()).await {
            tracing::warn!(container = %self.shared.id, error = %error::chain(&error), "names are not resolved in the container");
        }
    }

    /// Serves a running container that was just connected to its first user network.
    pub(super) async fn begin_names(&mut self) -> Result<(), Error> {
        let Some(shim) = self.shim.clone() else { return Ok(()) };
        if self.context.parts.network.serves_names(&self.shared.id) || !self.record.has_resolver() {
            return Ok(());
        }
        self.serve_names(&shim, Vec::new()).await?;
        let text = self.resolv_conf();
        let path = super::birth::etc_resolv_conf(&self.shared.directory);
        // It is bound into the container: the file itself stays.
        let write = move || fs::write(&path, text).map_err(Error::file("write", path));
        self.context.parts.disk.run(write).await
    }

    fn resolv_conf(&self) -> String {
        let of_host = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        etc_files::embedded_resolv_conf(&self.record.host, &self.context.resolver(), &of_host)
    }
}
