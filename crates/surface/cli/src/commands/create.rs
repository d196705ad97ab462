//! `naru create`, and creating for `run`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};

use client::Client;
use refs::Reference;
use wire::container::ContainerCreate;

use super::pull;
use crate::command::{Arity, Command, Completes, Run};
use crate::context::{Context, line, warn};
use crate::failure::{ENGINE, Failure, Outcome};
use crate::flags::{Matches, Order};
use crate::progress::Show;
use crate::run::{Surroundings, flags, resolve};

/// `naru create`.
pub(crate) const CREATE: Command = Command {
    also: &["container create", "create"],
    flags: flags::CREATE,
    missing: flags::MISSING,
    order: Order::FlagsFirst,
    completes: Completes::Images,
    ..Command::new("[OPTIONS] IMAGE [COMMAND] [ARG...]", "Create a new container", Arity::AtLeast(1), create)
};

fn create<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, flags))
}

async fn work(context: &Context, flags: &Matches) -> Outcome {
    let body = body(context, flags).map_err(|failure| failure.of_command("create"))?;
    line(&new_container(context, flags, &body).await?)
}

/// Returns the request that the flags stand for.
pub(super) fn body(context: &Context, flags: &Matches) -> Outcome<ContainerCreate> {
    if let Some(policy) = flags.last("pull")
        && !matches!(policy, "always" | "missing" | "never" | "")
    {
        let text =
            format!("invalid pull option: '{policy}': must be one of \"always\", \"missing\" or \"never\"");
        return Err(Failure::new(text).with_code(ENGINE));
    }
    let proxies = context.config.proxies(&context.client().endpoint().to_string());
    let resolved = Surroundings::with(proxies, |around| resolve(flags, around));
    resolved.map_err(|why| Failure::new(why).with_code(ENGINE))
}

/// Creates a container, pulling the image if need be, and returns the id.
pub(super) async fn new_container(
    context: &Context,
    flags: &Matches,
    body: &ContainerCreate,
) -> Outcome<String> {
    let platform = pull::platform(flags)?;
    let id_file = IdFile::create(flags.text("cidfile"))?;
    let image = flags.first();
    // A full image id is not the name of anything that could be pulled.
    let is_id = image.len() == 64 && image.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
    let reference = match is_id {
        true => None,
        false => {
            let parsed = Reference::parse(image).map_err(|why| Failure::new(why.to_string()))?;
            Some(parsed.with_default_tag())
        }
    };
    let client = context.engine().await?;
    let creation = Creation { context, client, flags, platform: &platform, reference: reference.as_ref() };
    let created = creation.carry_out(body).await?;
    for warning in created.warnings.iter().flatten() {
        warn(&format!("WARNING: {warning}"));
    }
    id_file.write(&created.id)?;
    Ok(created.id)
}

struct Creation<'a> {
    context: &'a Context,
    client: &'a Client,
    flags: &'a Matches,
    platform: &'a str,
    reference: Option<&'a Reference>,
}

impl Creation<'_> {
    async fn carry_out(&self, body: &ContainerCreate) -> Outcome<wire::container::Created> {
        let policy = self.flags.last("pull").unwrap_or("missing");
        if policy == "always" {
            self.pull().await?;
        }
        match self.ask(body).await {
            Err(error) if error.is_not_found() && matches!(policy, "missing" | "") => {
                let Some(reference) = self.reference else { return Err(error.into()) };
                if !self.flags.on("quiet") {
                    warn(&format!("Unable to find image '{}' locally", reference.familiar()));
                }
                self.pull().await?;
                Ok(self.ask(body).await?)
            }
            other => Ok(other?),
        }
    }

    async fn ask(&self, body: &ContainerCreate) -> Result<wire::container::Created, client::Error> {
        self.client.create(self.flags.last("name"), Some(self.platform), body).await
    }

    async fn pull(&self) -> Outcome {
        let Some(reference) = self.reference else { return Ok(()) };
        let show = if self.flags.on("quiet") { Show::Nothing } else { Show::All };
        pull::fetch(self.context, self.client, reference, self.platform, show).await
    }
}

/// The file of `--cidfile`. It is there from the beginning, so that two commands cannot take the same; without an id it goes again.
struct IdFile {
    path: String,
    file: Option<File>,
}

impl IdFile {
    fn create(path: &str) -> Outcome<Self> {
        if path.is_empty() {
            return Ok(Self { path: String::new(), file: None });
        }
        match OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(file) => Ok(Self { path: path.to_owned(), file: Some(file) }),
            Err(there) if there.kind() == io::ErrorKind::AlreadyExists => Err(Failure::new(format!(
                "container ID file found, make sure the other container isn't running or delete {path}"
            ))),
            Err(why) => Err(Failure::new(format!("failed to create the container ID file: {path}: {why}"))),
        }
    }

    fn write(mut self, id: &str) -> Outcome {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        file.write_all(id.as_bytes()).map_err(|why| {
            Failure::new(format!("failed to write the container ID ({id}) to file: {}: {why}", self.path))
        })
    }
}

impl Drop for IdFile {
    fn drop(&mut self) {
        if self.file.is_some() {
            let _ = std::fs::remove_file(&self.path); // the failure that led here is reported
        }
    }
}
