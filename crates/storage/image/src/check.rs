//! Whether database and disk agree, and making them agree again.

use crate::verify::{Finding, Part};
use crate::{Error, Images};
use refs::Digest;
use std::collections::BTreeSet;

/// How far a check goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// It only tells.
    No,
    /// What is damaged or missing is made again from what else is here, or removed so that the next pull brings it.
    Yes,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What it is about.
    pub what: String,
    /// What is wrong.
    pub flaw: String,
    /// What was done about it; none if nothing was.
    pub repaired: Option<String>,
}

impl Images {
    /// Compares every row of the database with the disk, byte by byte, and every file with the database. Holds off collection
    /// meanwhile.
    ///
    /// # Errors
    /// Those of the database, and of a disk on which nothing can be removed or made.
    pub fn check(&self, repair: Repair) -> Result<Vec<Problem>, Error> {
        let _lease = self.lease();
        let mut problems = Vec::new();
        let (blobs, layers) = self.shared.store.read(|tx| Ok::<_, Error>((tx.blobs()?, tx.layers()?)))?;
        for blob in &blobs {
            if let Some(flaw) = self.verify_blob(&blob.digest) {
                problems.push(self.damaged_blob(&blob.digest, flaw, repair)?);
            }
        }
        for layer in &layers {
            let finding = self.verify_layer(&layer.diff_id)?;
            if let Some(flaw) = finding.flaw.clone() {
                problems.push(self.damaged_layer(&finding, flaw, repair)?);
            }
        }
        let known: BTreeSet<&Digest> = layers.iter().map(|layer| &layer.diff_id).collect();
        for orphan in self.shared.layers.list()?.iter().filter(|diff_id| !known.contains(diff_id)) {
            let repaired = match repair {
                Repair::No => None,
                Repair::Yes => {
                    self.shared.layers.remove(orphan)?;
                    Some("removed".to_owned())
                }
            };
            problems.push(Problem {
                what: format!("layer {orphan}"),
                flaw: "the database does not know it".to_owned(),
                repaired,
            });
        }
        Ok(problems)
    }

    fn damaged_blob(&self, digest: &Digest, flaw: String, repair: Repair) -> Result<Problem, Error> {
        let what = format!("blob {digest}");
        if repair == Repair::No {
            return Ok(Problem { what, flaw, repaired: None });
        }
        self.shared.content.remove_file(digest)?;
        Ok(Problem { what, flaw, repaired: Some("removed; the next pull of its image brings it".to_owned()) })
    }

    fn damaged_layer(&self, finding: &Finding, flaw: String, repair: Repair) -> Result<Problem, Error> {
        let diff_id = &finding.digest;
        let what = format!("layer {diff_id}");
        // Of a directory only the archive was read: the layer itself may be well.
        let is_judged = finding.part == Part::LayerFile || self.shared.layers.form(diff_id).is_none();
        if repair == Repair::No || !is_judged {
            return Ok(Problem { what, flaw, repaired: None });
        }
        let blob = self.layer_blob(diff_id)?.map(|blob| blob.digest);
        let blob = blob.filter(|blob| self.verify_blob(blob).is_none());
        self.shared.layers.remove(diff_id)?;
        let repaired = match blob {
            Some(blob) => {
                self.unpack(diff_id, &blob)?;
                "made again from its archive"
            }
            None => "removed; the next pull of its image brings it",
        };
        Ok(Problem { what, flaw, repaired: Some(repaired.to_owned()) })
    }
}
