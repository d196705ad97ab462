//! The image store after kill -9 at any moment, and on a full disk. The test program runs itself as the victim.

use crate::common::{Place, archive, open, pull};
use content::{Hasher, digest_of};
use error::{Fault, Kind, chain};
use image::Force;
use refs::Algorithm;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Names the data root to the victim.
const ROOT: &str = "NARU_TEST_IMAGE_ROOT";

fn itself(test: &str, root: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(ROOT, root).stdout(Stdio::null());
    command
}

#[test]
fn victim_pulls_and_removes_without_end() {
    let Some(root) = std::env::var_os(ROOT) else { return };
    let (images, _) = open(Path::new(&root));
    for n in 0_u64.. {
        let content = format!("{n} ").repeat(20_000);
        let name = format!("image:{}", n % 5);
        pull(&images, &name, &["shared", &content]);
        // Half of a blob, as a pull leaves it that is cut off.
        let half = archive(&format!("half {n}"));
        images.content().ingest(&digest_of(&half), None).unwrap().unwrap().append(&half[..700]).unwrap();
        if n % 3 == 2 {
            images.remove(&name, Force::No, &[]).unwrap();
        }
    }
}

fn kill(mut child: Child) {
    child.kill().unwrap(); // SIGKILL.
    child.wait().unwrap();
}

#[test]
fn killed_engine_leaves_whole_images_only() {
    let place = Place::new("killed");
    let mut seen = 0;
    for round in 0..12_u64 {
        let child = itself("crash::victim_pulls_and_removes_without_end", &place.0).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(40 + round * 23));
        kill(child);

        let (images, store) = place.open();
        for image in images.list().unwrap() {
            seen += 1;
            assert_eq!(image.layers.len(), 2);
            for layer in &image.layers {
                assert!(images.has_layer(layer).unwrap(), "round {round}: {layer}");
                let content = std::fs::read_to_string(images.layers().files(layer).join("f")).unwrap();
                assert_eq!(digest_of(&archive(&content)), *layer, "round {round}");
            }
        }
        for blob in store.read(|tx| tx.blobs()).unwrap() {
            let mut hasher = Hasher::new(Algorithm::Sha256);
            hasher.update(&std::fs::read(images.content().path(&blob.digest)).unwrap());
            assert_eq!(hasher.finish(), blob.digest, "round {round}");
        }
        let layers = store.read(|tx| tx.layers()).unwrap();
        assert_eq!(
            layers.into_iter().map(|row| row.diff_id).collect::<Vec<_>>(),
            images.layers().list().unwrap()
        );
        for partial in images.content().partials().unwrap() {
            let mut ingest = images.content().ingest(&partial.digest, None).unwrap().unwrap();
            assert_eq!(ingest.offset(), partial.size_bytes);
            ingest.restart().unwrap();
        }
    }
    assert!(seen > 0, "the victim never finished an image");
}

#[test]
fn victim_pulls_until_the_disk_is_full() {
    let Some(root) = std::env::var_os(ROOT) else { return };
    let (images, _) = open(Path::new(&root));
    pull(&images, "small", &["x"]);
    let content = "y".repeat(3 << 20);
    let bytes = archive(&content);
    let digest = digest_of(&bytes);
    let error = images.content().write(&digest, &bytes).unwrap_err();
    assert_eq!(error.kind(), Kind::Exhausted, "{}", chain(&error));
    assert!(error.hint().is_some_and(|hint| hint.contains("free some space")));
    let partials = images.content().partials().unwrap();
    assert_eq!(partials.len(), 1);
    images.content().collect_partials(std::time::SystemTime::now() + Duration::from_secs(1)).unwrap();

    let error = images.unpack_stream(&digest, None, &bytes[..]).unwrap_err();
    assert_eq!(error.kind(), Kind::Exhausted, "{}", chain(&error));
    images.trash().wait_until_idle();
    assert!(!images.has_layer(&digest).unwrap());
    // What is here still works, and there is room again.
    assert_eq!(images.resolve("small").unwrap().tags, ["small:latest"]);
    pull(&images, "other", &["z"]);

    // Not one byte left: removing an image still works, and gives room.
    let filling = fill(Path::new(&root));
    assert!(std::fs::write(Path::new(&root).join("byte"), "x").is_err());
    images.remove("other", image::Force::No, &[]).unwrap();
    assert!(images.resolve("other").is_err());
    std::fs::write(Path::new(&root).join("byte"), "x").unwrap();
    drop(filling);
}

/// Fills a disk to the last byte.
fn fill(root: &Path) -> std::fs::File {
    use std::io::Write;
    let mut file = std::fs::File::create(root.join("filling")).unwrap();
    for size in [64 * 1024, 4096, 1] {
        while file.write_all(&vec![1; size]).is_ok() {}
    }
    file
}

#[test]
fn full_disk_is_told_and_leaves_nothing_half() {
    let place = Place::new("full");
    let victim = itself("crash::victim_pulls_until_the_disk_is_full", &place.0);
    let program = victim.get_program().to_owned();
    let script = format!("mount -t tmpfs -o size=3m tmpfs {} && exec \"$@\"", place.0.display());
    let output = Command::new("unshare")
        .args(["-m", "sh", "-ec", &script, "sh"])
        .arg(program)
        .args(victim.get_args())
        .env(ROOT, &place.0)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}
