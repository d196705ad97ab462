//! `naru inspect`, `naru container inspect`, `naru image inspect`.

use bytes::Bytes;
use client::{Client, Error, Sizes};

use crate::command::{Arity, Command, Completes, Run};
use crate::context::{Context, print, warn};
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Matches, Missing};
use crate::format::INSPECT_HELP;
use crate::format::inspect::Inspector;

const FORMAT: Flag = Flag::one("format", "string", INSPECT_HELP).short('f');

/// `naru inspect`.
pub(crate) const INSPECT: Command = Command {
    flags: &[
        FORMAT,
        Flag::switch("size", "Display total file sizes if the type is container").short('s'),
        Flag::one("type", "string", "Only inspect objects of the given type"),
    ],
    completes: Completes::Containers,
    ..Command::new(
        "[OPTIONS] NAME|ID [NAME|ID...]",
        "Return low-level information on containers, images, networks and volumes",
        Arity::AtLeast(1),
        any,
    )
};

/// `naru container inspect`.
pub(crate) const CONTAINER_INSPECT: Command = Command {
    flags: &[FORMAT, Flag::switch("size", "Display total file sizes").short('s')],
    completes: Completes::Containers,
    ..Command::new(
        "[OPTIONS] CONTAINER [CONTAINER...]",
        "Display detailed information on one or more containers",
        Arity::AtLeast(1),
        container,
    )
};

/// `naru image inspect`.
pub(crate) const IMAGE_INSPECT: Command = Command {
    flags: &[FORMAT],
    missing: &[Missing::new("platform", "images have one platform each")],
    completes: Completes::Images,
    ..Command::new(
        "[OPTIONS] IMAGE [IMAGE...]",
        "Display detailed information on one or more images",
        Arity::AtLeast(1),
        image,
    )
};

/// What can be inspected, in the order in which a name is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Container,
    Image,
    Network,
    Volume,
}

const CLASSES: [(Class, &str); 4] = [
    (Class::Container, "container"),
    (Class::Image, "image"),
    (Class::Network, "network"),
    (Class::Volume, "volume"),
];

fn any<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(async move {
        let class = match flags.last("type") {
            None => None,
            Some(name) => Some(class(name)?),
        };
        work(context, flags, class).await
    })
}

fn container<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, flags, Some(Class::Container)))
}

fn image<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, flags, Some(Class::Image)))
}

fn class(name: &str) -> Outcome<Class> {
    CLASSES.iter().find(|(_, known)| *known == name).map(|(class, _)| *class).ok_or_else(|| {
        let known = "\"container\", \"image\", \"network\", \"volume\"";
        Failure::new(format!("unknown type: {}: must be one of {known}", crate::quote::quote(name)))
    })
}

async fn work(context: &Context, flags: &Matches, class: Option<Class>) -> Outcome {
    let mut inspector = Inspector::parse(flags.text("format"))?;
    let client = context.engine().await?;
    let sizes = if flags.on("size") { Sizes::Measured } else { Sizes::Omitted };
    let mut failures = Vec::new();
    for name in &flags.args {
        match find(client, name, class, sizes).await {
            Ok(found) => {
                let added = inspector.add(&String::from_utf8_lossy(&found));
                failures.extend(added.err());
            }
            Err(failure) => failures.push(failure),
        }
    }
    print(&inspector.finish())?;
    Failure::all(failures)
}

async fn find(client: &Client, name: &str, class: Option<Class>, sizes: Sizes) -> Outcome<Bytes> {
    if let Some(class) = class {
        return Ok(get(client, name, class, sizes).await?);
    }
    for (class, word) in CLASSES {
        match get(client, name, class, sizes).await {
            Ok(found) => {
                if sizes == Sizes::Measured && class != Class::Container {
                    warn(&format!("WARNING: --size ignored for {word}"));
                }
                return Ok(found);
            }
            Err(error) if is_elsewhere(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::new(format!("Error: No such object: {name}")))
}

/// Tells whether the name may still be that of an object of another class.
fn is_elsewhere(error: &Error) -> bool {
    match error {
        Error::Engine { status, message, .. } => {
            matches!(status, 404 | 501) || message.contains("invalid reference format")
        }
        Error::Host { .. }
        | Error::Certificate { .. }
        | Error::Connect { .. }
        | Error::Broken { .. }
        | Error::Answer { .. }
        | Error::NotUpgraded { .. } => false,
    }
}

async fn get(client: &Client, name: &str, class: Class, sizes: Sizes) -> Result<Bytes, Error> {
    match class {
        Class::Container => client.container_raw(name, sizes).await,
        Class::Image => client.image_raw(name).await,
        Class::Network => client.network_raw(name).await,
        Class::Volume => client.volume_raw(name).await,
    }
}
