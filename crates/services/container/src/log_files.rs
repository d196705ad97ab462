//! The files of a log on disk: compressing the older ones, and reading those.
//!
//! Supervisors write and rotate, and stay small; the engine compresses what they have left behind. Renaming is done under the
//! log's lock, so that neither sees the other's names change.

use crate::context::Context;
use crate::create::{self, FilePlan};
use crate::shared::Shared;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

/// How often old files are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A file is compressed when nothing was written to it for so long: followers have read it by then.
const SETTLED: Duration = Duration::from_secs(10);

static LAST: AtomicU64 = AtomicU64::new(0);

/// Returns the plan of a container's log, if it has a file.
pub(crate) fn plan_of(shared: &Shared) -> Option<FilePlan> {
    let view = shared.view();
    // The options were checked when the container was created.
    create::log(&view.host.log, &view.config, shared.id.as_str(), &shared.directory).ok()?.file
}

/// Compresses old files of all containers, as long as the engine lives.
pub(crate) fn keep_compressing(context: &Arc<Context>) {
    let context = Arc::downgrade(context);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if look(&context).await.is_none() {
                return;
            }
        }
    });
}

async fn look(context: &Weak<Context>) -> Option<()> {
    let context = context.upgrade()?;
    let all: Vec<Arc<Shared>> = context.index().all().cloned().collect();
    for shared in all {
        let Some(plan) = plan_of(&shared).filter(|plan| plan.compress) else { continue };
        let old = move || compress_old(&plan, SystemTime::now());
        if let Err(error) = context.parts.disk.run(old).await {
            tracing::warn!(container = %shared.id, error = %error, "old log stays uncompressed");
        }
    }
    Some(())
}

/// Compresses the files that nobody writes to any more.
fn compress_old(plan: &FilePlan, now: SystemTime) -> io::Result<()> {
    for path in logfile::files(&plan.path, plan.max_files).skip(1) {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        let is_settled =
            metadata.modified().is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age >= SETTLED));
        if is_settled {
            compress(plan, file, (metadata.dev(), metadata.ino()))?;
        }
    }
    Ok(())
}

fn compress(plan: &FilePlan, mut file: File, identity: (u64, u64)) -> io::Result<()> {
    let temporary = logfile::compressed(&plan.path).with_extension("packing");
    let packed = OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&temporary)?;
    let mut encoder = GzEncoder::new(packed, Compression::fast());
    io::copy(&mut file, &mut encoder)?;
    encoder.finish()?.sync_all()?;
    // It may have been rotated on meanwhile, or away.
    let _lock = logfile::lock(&plan.path)?;
    let is_it = |path: &PathBuf| {
        fs::metadata(path).is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == identity)
    };
    match logfile::files(&plan.path, plan.max_files).skip(1).find(is_it) {
        Some(path) => {
            fs::rename(&temporary, logfile::compressed(&path))?;
            fs::remove_file(path)
        }
        None => fs::remove_file(&temporary),
    }
}

/// Returns a file without a name that has what a compressed one holds.
pub(crate) fn unpack(packed: &Path) -> io::Result<File> {
    let mut source = GzDecoder::new(File::open(packed)?);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    let name = packed.with_extension(format!("unpacked-{}-{number}", std::process::id()));
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&name)?;
    fs::remove_file(&name)?;
    io::copy(&mut source, &mut file)?;
    file.rewind()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use logfile::{Query, Reader, Stream, Writer};

    #[test]
    fn old_files_are_compressed_and_still_read() {
        let folder = std::env::temp_dir().join(format!("naru-test-log-files-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let plan = FilePlan {
            path: folder.join("x.log"),
            max_size_bytes: 150,
            max_files: 4,
            compress: true,
            is_readable: true,
        };
        let options = logfile::Options { max_size_bytes: 150, max_files: 4, ..logfile::Options::default() };
        let mut writer = Writer::open(&plan.path, options).unwrap();
        let mut write =
            |number: i64| writer.write(Stream::Stdout, format!("{number}\n").as_bytes(), number).unwrap();
        (1..=7).for_each(&mut write);
        compress_old(&plan, SystemTime::now()).unwrap();
        assert!(!folder.join("x.log.1.gz").exists(), "a follower may still read it");
        let later = SystemTime::now() + SETTLED + SETTLED;
        compress_old(&plan, later).unwrap();
        assert!(folder.join("x.log.1.gz").exists() && !folder.join("x.log.1").exists());
        // Compressed ones move on with the others.
        (8..=10).for_each(&mut write);
        compress_old(&plan, later).unwrap();
        let lines = |tail: Option<u64>| {
            let query = Query { tail, ..Query::default() };
            let mut reader = Reader::open_with(&plan.path, 4, query, Some(unpack)).unwrap();
            let mut lines = Vec::new();
            while let Some(entry) = reader.next().unwrap() {
                lines.push(entry.line.trim().parse::<i64>().unwrap());
            }
            lines
        };
        let all = lines(None);
        assert_eq!(all.last(), Some(&10));
        assert!(all.len() >= 7 && all.windows(2).all(|pair| pair[1] == pair[0] + 1), "{all:?}");
        assert_eq!(lines(Some(5)), [6, 7, 8, 9, 10]);
        let names: Vec<String> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(names.iter().all(|name| !name.contains("pack")), "{names:?}");
        fs::remove_dir_all(folder).unwrap();
    }
}
