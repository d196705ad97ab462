//! The image inside the engine: `hello`, which needs no network.

use crate::register::Registration;
use crate::resolve::canonical;
use crate::{Error, Image, Images};
use content::digest_of;
use layer::tar::{TypeFlag, Writer, WriterEntry};
use oci::image::{ContainerConfig, Descriptor, History, ImageConfig, Manifest, RootFs, media_type};
use refs::{Platform, Reference};
use std::collections::BTreeMap;
use std::io;
use std::sync::PoisonError;

/// The built-in image's name as users type it.
pub const HELLO_NAME: &str = "hello:latest";

/// The path of its one program.
pub const HELLO_PROGRAM: &str = "/hello";

/// How the engine gets at the program's bytes.
pub(crate) type Program = Box<dyn Fn() -> io::Result<Vec<u8>> + Send + Sync>;

impl Images {
    /// Offers the built-in image: it is made when [`HELLO_NAME`] is asked for and not here. `program` returns the bytes
    /// of a static program.
    pub fn offer_builtin_hello(&self, program: impl Fn() -> io::Result<Vec<u8>> + Send + Sync + 'static) {
        *self.shared.builtin.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(program));
    }

    /// Makes the built-in image now: one layer with the program, named [`HELLO_NAME`]. The same program makes the same
    /// image.
    ///
    /// # Errors
    /// A full disk; those of the database.
    pub fn ensure_builtin_hello(&self, program: &[u8]) -> Result<Image, Error> {
        let archive = archive(program).map_err(|source| Error::Program { source })?;
        let diff_id = digest_of(&archive);
        let config = document(&config(diff_id.clone()));
        let manifest = document(&Manifest {
            schema_version: 2,
            media_type: Some(media_type::OCI_MANIFEST.to_owned()),
            artifact_type: None,
            config: Descriptor::new(media_type::OCI_CONFIG, digest_of(&config), config.len() as u64),
            layers: vec![Descriptor::new(media_type::OCI_LAYER, diff_id.clone(), archive.len() as u64)],
            subject: None,
            annotations: BTreeMap::new(),
        });
        let _lease = self.lease();
        self.content().write(&diff_id, &archive)?;
        self.unpack(&diff_id, &diff_id)?;
        let name = hello();
        let registration = Registration {
            config: &config,
            manifest: Some(&manifest),
            tag: Some(&name),
            ..Registration::default()
        };
        self.register(&registration)
    }

    /// Makes the built-in image if this is its name and it is offered.
    pub(crate) fn builtin(&self, name: &str) -> Result<Option<Image>, Error> {
        if !Reference::parse(name).is_ok_and(|reference| canonical(&reference) == hello().to_string()) {
            return Ok(None);
        }
        let builtin = self.shared.builtin.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(program) = builtin.as_ref() else { return Ok(None) };
        let bytes = program().map_err(|source| Error::Program { source })?;
        drop(builtin);
        self.ensure_builtin_hello(&bytes).map(Some)
    }
}

fn hello() -> Reference {
    Reference::parse(HELLO_NAME).expect("the constant is a reference")
}

fn archive(program: &[u8]) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new(Vec::new());
    let name = HELLO_PROGRAM.trim_start_matches('/');
    writer.entry(&WriterEntry { bytes: program, ..WriterEntry::new(name, TypeFlag::Regular) })?;
    writer.finish()
}

fn config(diff_id: refs::Digest) -> ImageConfig {
    let host = Platform::host();
    ImageConfig {
        architecture: host.architecture,
        os: host.os,
        variant: host.variant,
        config: Some(ContainerConfig {
            cmd: Some(vec![HELLO_PROGRAM.to_owned()]),
            env: Some(vec!["PATH=/".to_owned()]),
            working_dir: "/".to_owned(),
            ..ContainerConfig::default()
        }),
        rootfs: RootFs { diff_ids: vec![diff_id], ..RootFs::default() },
        history: vec![History { created_by: "built into the engine".to_owned(), ..History::default() }],
        ..ImageConfig::default()
    }
}

fn document(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain structs become JSON")
}
